// freebsd_signal_test: the cases of FreeBSD's tests/sys/kern about signals (sigwait, sigaltstack, sigsys, basic_signal,
// kill_zombie, waitpid_nohang) under their names (spec signals.md section 7).

#include "signals.h"

#include <sys/resource.h>
#include <sys/time.h>

pid_t wait6(int, long, int *, int, void *, siginfo_t *);

// libc's sigwait begins anew; what is tested is the call.
static int raw_sigwait(const sigset_t *set, int *number) {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(SYS_sigwait), "D"(set), "S"(number)
                   : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
  return (int)result;
}

static void alarm_after(long microseconds) {
  struct itimerval time = {{0, 0}, {microseconds / 1000000, microseconds % 1000000}};
  CHECK_EQUAL(setitimer(ITIMER_REAL, &time, NULL), 0);
}

static long now(void) {
  struct timespec time;
  CHECK_EQUAL(clock_gettime(CLOCK_MONOTONIC, &time), 0);
  return time.tv_sec * 1000000000 + time.tv_nsec;
}

static void times_out_with_eagain(struct timespec timeout) {
  sigset_t set = one(SIGUSR1);
  block(SIGUSR1);
  long start = now();
  CHECK_ERRNO(EAGAIN, sigtimedwait(&set, NULL, &timeout));
  CHECK(now() - start >= timeout.tv_sec * 1000000000 + timeout.tv_nsec);
}

TEST(test_sigtimedwait_timeout_eagain0) { times_out_with_eagain((struct timespec){0, 0}); }
TEST(test_sigtimedwait_timeout_eagain1) { times_out_with_eagain((struct timespec){0, 1}); }
TEST(test_sigtimedwait_timeout_eagain2) { times_out_with_eagain((struct timespec){1, 0}); }
TEST(test_sigtimedwait_timeout_eagain3) { times_out_with_eagain((struct timespec){-1, 0}); }

TEST(test_sigtimedwait_large_timeout_eintr) {
  sigset_t set = one(SIGUSR1);
  block(SIGUSR1);
  catch(SIGALRM, SA_RESTART);
  struct timespec large = {INT64_MAX, 999999999};
  alarm_after(20000);
  CHECK_ERRNO(EINTR, sigtimedwait(&set, NULL, &large));
  CHECK_EQUAL(count, 1);
}

TEST(test_sigtimedwait_infinity) {
  sigset_t set = one(SIGUSR1);
  block(SIGUSR1);
  catch(SIGALRM, 0);
  alarm_after(20000);
  CHECK_ERRNO(EINTR, sigtimedwait(&set, NULL, NULL));
}

TEST(test_sigtimedwait_einval) {
  sigset_t set = one(SIGUSR1);
  block(SIGUSR1);
  struct timespec negative = {0, -1}, large = {0, 1000000000};
  CHECK_ERRNO(EINVAL, sigtimedwait(&set, NULL, &negative));
  CHECK_ERRNO(EINVAL, sigtimedwait(&set, NULL, &large));
}

TEST(test_sigwait_eintr) {
  sigset_t set = one(SIGUSR1);
  int number = 0;
  block(SIGUSR1);
  catch(SIGALRM, SA_RESTART);
  alarm_after(20000);
  CHECK_EQUAL(raw_sigwait(&set, &number), EINTR);
  CHECK_EQUAL(number, 0);
}

TEST(test_sigwaitinfo_eintr) {
  sigset_t set = one(SIGUSR1);
  block(SIGUSR1);
  catch(SIGALRM, SA_RESTART);
  alarm_after(20000);
  CHECK_ERRNO(EINTR, sigwaitinfo(&set, NULL));
}

static void set_node(const char *name, int value) {
  CHECK_EQUAL(sysctlbyname(name, NULL, NULL, &value, sizeof value), 0);
}

static int is_pending(int signal) {
  sigset_t pending;
  CHECK_EQUAL(sigpending(&pending), 0);
  return sigismember(&pending, signal);
}

static void ignore_and_block(int signal) {
  struct sigaction action = {.sa_handler = SIG_IGN};
  CHECK_EQUAL(sigaction(signal, &action, NULL), 0);
  block(signal);
  CHECK_EQUAL(kill(getpid(), signal), 0);
}

TEST(test_sig_discard_ign_true) {
  CHECK_EQUAL(check_sysctl("kern.sig_discard_ign"), 1);
  ignore_and_block(SIGUSR1);
  CHECK(!is_pending(SIGUSR1));
}

TEST(test_sig_discard_ign_false) {
  set_node("kern.sig_discard_ign", 0);
  ignore_and_block(SIGUSR1);
  int pending = is_pending(SIGUSR1), number = 0;
  sigset_t set = one(SIGUSR1);
  int result = pending ? raw_sigwait(&set, &number) : -1;
  kill(getpid(), SIGUSR1);
  unblock(SIGUSR1);
  set_node("kern.sig_discard_ign", 1);
  CHECK(pending);
  CHECK_EQUAL(result, 0);
  CHECK_EQUAL(number, SIGUSR1);
  CHECK(!is_pending(SIGUSR1));
}

static int is_told_after_waiting(void) {
  catch(SIGCHLD, 0);
  block(SIGCHLD);
  pid_t child = fork();
  if (child == 0) _exit(0);
  check_wait(child);
  return is_pending(SIGCHLD);
}

TEST(test_wait_dequeue_sigchld_true) {
  CHECK_EQUAL(check_sysctl("kern.wait_dequeue_sigchld"), 1);
  CHECK(!is_told_after_waiting());
}

TEST(test_wait_dequeue_sigchld_false) {
  set_node("kern.wait_dequeue_sigchld", 0);
  int told = is_told_after_waiting();
  set_node("kern.wait_dequeue_sigchld", 1);
  CHECK(told);
}

// tests/sys/kern/sigaltstack

static char stack[SIGSTKSZ];
static volatile int on_stack;
static void notes(int number) {
  (void)number;
  stack_t current;
  on_stack = sigaltstack(NULL, &current) == 0 && current.ss_flags == SS_ONSTACK && current.ss_sp == stack &&
             current.ss_size == sizeof stack;
  count++;
}

TEST(ss_onstack) {
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  CHECK_EQUAL(sigaltstack(&alternate, NULL), 0);
  struct sigaction action = {.sa_handler = notes, .sa_flags = SA_ONSTACK};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  CHECK_EQUAL(raise(SIGUSR1), 0);
  CHECK_EQUAL(count, 1);
  CHECK(on_stack);
  stack_t after;
  CHECK_EQUAL(sigaltstack(NULL, &after), 0);
  CHECK_EQUAL(after.ss_flags, 0);
}

// tests/sys/kern/sigsys

TEST(test_on) {
  set_node("kern.signosys", 1);
  CHECK_SIGNAL(SIGSYS, syscall(273));
  catch(SIGSYS, 0);
  CHECK_ERRNO(ENOSYS, syscall(273));
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(last_signal, SIGSYS);
}

TEST(test_off) {
  set_node("kern.signosys", 0);
  catch(SIGSYS, 0);
  errno = 0;
  long result = syscall(273);
  int error = errno;
  set_node("kern.signosys", 1);
  CHECK_EQUAL(result, -1);
  CHECK_EQUAL(error, ENOSYS);
  CHECK_EQUAL(count, 0);
}

// tests/sys/kern/basic_signal

TEST(signal_test) {
  catch(SIGUSR1, 0);
  for (int round = 1; round <= 5; round++) {
    CHECK_EQUAL(raise(SIGUSR1), 0);
    CHECK_EQUAL(count, round);
  }
}

static volatile int steps;
static void steps_on(int signal, siginfo_t *information, void *context) {
  (void)signal;
  if (information->si_code != 2) return;
  if (++steps == 5) ((ucontext_t *)context)->uc_mcontext.mc_rflags &= ~0x100L;
}

TEST(trap_signal_test) {
  struct sigaction action = {.sa_sigaction = steps_on, .sa_flags = SA_SIGINFO};
  CHECK_EQUAL(sigaction(SIGTRAP, &action, NULL), 0);
  __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; nop; nop; nop; nop; nop; nop; nop" : : : "cc", "memory");
  CHECK_EQUAL(steps, 5);
}

// tests/sys/kern/kill_zombie, waitpid_nohang

TEST(kill_zombie) {
  pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t information;
  CHECK_EQUAL(wait6(0, child, NULL, WEXITED | WNOWAIT, NULL, &information), child);
  CHECK_EQUAL(kill(child, SIGTERM), 0);
  CHECK_EQUAL(kill(child, 0), 0);
  CHECK_EQUAL(check_wait(child), 0);
  CHECK_ERRNO(ESRCH, kill(child, SIGTERM));
}

TEST(waitpid_nohang) {
  pid_t child = fork();
  if (child == 0) {
    for (;;) usleep(1000000);
  }
  int status = 42;
  siginfo_t information;
  memset(&information, -1, sizeof information);
  CHECK_EQUAL(waitpid(child, &status, WNOHANG), 0);
  CHECK_EQUAL(status, 42);
  CHECK_EQUAL(wait6(0, child, &status, WEXITED | WNOHANG, NULL, &information), 0);
  CHECK_EQUAL(status, 42);
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  check_wait(child);
}

// What killjobc does in FreeBSD's kernel.
TEST(an_orphaned_group_with_a_stopped_member_is_hung_up_on) {
  int ends[2];
  CHECK_EQUAL(pipe2(ends, 0), 0);
  CHECK_EXIT(0, {
    setsid();
    pid_t job = fork();
    if (job == 0) {
      close(ends[0]);
      for (;;) usleep(1000000);
    }
    setpgid(job, job);
    kill(job, SIGSTOP);
    int status;
    waitpid(job, &status, WUNTRACED);
  });
  CHECK_EQUAL(close(ends[1]), 0);
  // The end of the job, which held the other end of the pipe too.
  char byte;
  CHECK_EQUAL(read(ends[0], &byte, 1), 0);
}

// setrlimit(2): RLIMIT_CPU.

TEST(too_much_processor_time_is_warned_of_and_ended) {
  CHECK_SIGNAL(SIGXCPU, {
    struct rlimit limit = {1, RLIM_INFINITY};
    setrlimit(RLIMIT_CPU, &limit);
    for (;;) count++;
  });
  CHECK_SIGNAL(SIGKILL, {
    struct rlimit limit = {0, 1};
    catch(SIGXCPU, 0);
    setrlimit(RLIMIT_CPU, &limit);
    for (;;) last_signal++;
  });
}
