// libthr_signal_test: the cases of FreeBSD's lib/libthr/tests about threads that begin and end, and their signals, under their
// names (pthreads.h, Documentation/Testing.md).

#include "pthreads.h"

static void ends_at_once(struct worker *worker) { worker->result = (uint64_t)worker->number + 1; }

// MARK: t_fork

static void sleeps_long(struct worker *worker) {
  (void)worker;
  pause_for(3600000);
}

TEST(fork_of_a_process_with_threads) {
  start_worker(&workers[0], 0, sleeps_long);
  CHECK_EXIT(0, {
    // Only the caller is there, and can make threads again.
    start_worker(&workers[1], 1, ends_at_once);
    join_worker(&workers[1]);
  });
}

// MARK: t_join

TEST(pthread_join) {
  for (long round = 0; round < 100; round++) {
    start_worker(&workers[0], round, ends_at_once);
    if (round % 2) pause_for(1);
    join_worker(&workers[0]);
    CHECK_EQUAL(workers[0].result, round + 1);
  }
}

// MARK: t_kill

static volatile int heard;
static volatile uint32_t hearer;
static void hears(int signal) {
  (void)signal;
  hearer = self();
  heard++;
}

static void catch(int signal, int flags) {
  struct sigaction action = {.sa_handler = hears, .sa_flags = flags};
  CHECK_EQUAL(sigaction(signal, &action, NULL), 0);
}

static void waits_until_done(struct worker *worker) {
  (void)worker;
  while (!done) pause_for(1);
}

TEST(simple) {
  catch(SIGUSR1, 0);
  start_worker(&workers[0], 0, waits_until_done);
  for (int round = 1; round <= 20; round++) {
    CHECK_EQUAL(kernel(SYS_thr_kill, workers[0].identifier, SIGUSR1, 0, 0, 0), 0);
    while (heard < round) sched_yield();
    CHECK_EQUAL(hearer, workers[0].identifier);
  }
  done = 1;
  join_worker(&workers[0]);
}

// MARK: t_preempt

static void computes(struct worker *worker) {
  while (!done) worker->result = 0, shared++;
}

TEST(preempt1) {
  for (long number = 0; number < 3; number++) start_worker(&workers[number], number, computes);
  pause_for(50);
  done = 1;
  for (long number = 0; number < 3; number++) join_worker(&workers[number]);
  CHECK(shared > 0);
}

// MARK: t_sigmask, t_sigsuspend, pthread_sigqueue

static sigset_t only(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  return set;
}

static void change_mask(int how, int signal) {
  sigset_t set = only(signal);
  kernel(SYS_sigprocmask, how, (long)&set, 0, 0, 0);
}

TEST(upcalls_not_started) {
  catch(SIGUSR1, 0);
  change_mask(SIG_BLOCK, SIGUSR1);
  kill(getpid(), SIGUSR1);
  CHECK_EQUAL(heard, 0);
  change_mask(SIG_UNBLOCK, SIGUSR1);
  CHECK_EQUAL(heard, 1);
}

TEST(before_threads) {
  catch(SIGUSR1, 0);
  change_mask(SIG_BLOCK, SIGUSR1);
  kill(getpid(), SIGUSR1);
  // It inherits the mask.
  start_worker(&workers[0], 0, waits_until_done);
  pause_for(10);
  CHECK_EQUAL(heard, 0);
  done = 1;
  join_worker(&workers[0]);
}

static void unblocks(struct worker *worker) {
  change_mask(SIG_UNBLOCK, SIGUSR1);
  waits_until_done(worker);
}

TEST(respected_while_running) {
  catch(SIGUSR1, 0);
  change_mask(SIG_BLOCK, SIGUSR1);
  start_worker(&workers[0], 0, waits_until_done);
  kill(getpid(), SIGUSR1);
  kernel(SYS_thr_kill, workers[0].identifier, SIGUSR1, 0, 0, 0);
  pause_for(10);
  CHECK_EQUAL(heard, 0);
  // What is for the process goes to whoever does not hold it back.
  start_worker(&workers[1], 1, unblocks);
  pause_for(10);
  CHECK_EQUAL(heard, 1);
  CHECK_EQUAL(hearer, workers[1].identifier);
  done = 1;
  join_worker(&workers[0]);
  join_worker(&workers[1]);
}

TEST(incorrect_mask_bug) {
  catch(SIGALRM, 0);
  change_mask(SIG_BLOCK, SIGUSR1);
  kernel(SYS_thr_kill, (long)self(), SIGALRM, 0, 0, 0);
  sigset_t mask;
  CHECK_EQUAL(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
  CHECK(heard == 1 && sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGALRM));
}

static void suspends(struct worker *worker) {
  sigset_t none;
  sigemptyset(&none);
  change_mask(SIG_BLOCK, SIGUSR1);
  shared = 1;
  REQUIRE(kernel(SYS_sigsuspend, (long)&none, 0, 0, 0, 0) == -EINTR);
  REQUIRE(heard == 1 && hearer == self());
}

TEST(sigsuspend_of_a_thread) {
  catch(SIGUSR1, 0);
  change_mask(SIG_BLOCK, SIGUSR1);
  start_worker(&workers[0], 0, suspends);
  while (!shared) sched_yield();
  pause_for(5);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  join_worker(&workers[0]);
  check_results(1);
}

static volatile long value;
static void hears_value(int signal, siginfo_t *information, void *context) {
  (void)signal, (void)context;
  value = (long)information->si_value.sival_ptr;
  hearer = self();
}

TEST(pthread_sigqueue) {
  struct sigaction action = {.sa_sigaction = hears_value, .sa_flags = SA_SIGINFO};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  start_worker(&workers[0], 0, waits_until_done);
  CHECK_EQUAL(kernel(SYS_sigqueue, workers[0].identifier, (long)(SIGUSR1 | 0x80000000u), 0x1234, 0, 0), 0);
  while (!value) sched_yield();
  CHECK_EQUAL(value, 0x1234);
  CHECK_EQUAL(hearer, workers[0].identifier);
  done = 1;
  join_worker(&workers[0]);
}

// MARK: t_sleep, t_swapcontext

static void sleeps_and_looks(struct worker *worker) {
  struct timespec before = after(CLOCK_MONOTONIC, 0), then;
  pause_for(20);
  then = after(CLOCK_MONOTONIC, 0);
  REQUIRE((then.tv_sec - before.tv_sec) * 1000000000 + then.tv_nsec - before.tv_nsec >= 20000000);
}

TEST(sleep_of_threads) {
  run_all(3, sleeps_and_looks);
  check_results(3);
}

static ucontext_t there, here;
static char other_stack[16384] __attribute__((aligned(16)));
static void runs_elsewhere(void) {
  shared = 7;
  setcontext(&here);
}

static void swaps(struct worker *worker) {
  REQUIRE(kernel(SYS_getcontext, (long)&there, 0, 0, 0, 0) == 0);
  there.uc_mcontext.mc_rip = (long)runs_elsewhere;
  there.uc_mcontext.mc_rsp = (long)(other_stack + sizeof other_stack - 8);
  REQUIRE(kernel(SYS_swapcontext, (long)&here, (long)&there, 0, 0, 0) == 0);
  REQUIRE(shared == 7);
}

TEST(swapcontext1) {
  run_all(1, swaps);
  check_results(1);
}

