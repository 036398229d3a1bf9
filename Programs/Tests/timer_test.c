// timer_test: timers of setitimer(2) and ktimer_create(2), sleeps by a clock and what ends them, setting the clock, what a thread
// used (spec signals.md section 4).

#include "check.h"

#include <sys/resource.h>
#include <sys/time.h>

static volatile int count, last_code, last_timer, last_overrun, last_errno;
static volatile uint64_t last_value;

static void handle(int signal, siginfo_t *information, void *context) {
  (void)signal, (void)context;
  last_code = information->si_code;
  last_timer = information->si_timerid;
  last_overrun = information->si_overrun;
  last_errno = information->si_errno;
  last_value = (uint64_t)information->si_value.sival_ptr;
  count++;
}

static void catch(int signal, int flags) {
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | flags};
  CHECK_EQUAL(sigaction(signal, &action, NULL), 0);
}

static void change_mask(int how, int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  CHECK_EQUAL(sigprocmask(how, &set, NULL), 0);
}

static long nanoseconds(clockid_t clock) {
  struct timespec time;
  CHECK_EQUAL(clock_gettime(clock, &time), 0);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void set(int which, long value_microseconds, long interval_microseconds) {
  struct itimerval value = {
      {interval_microseconds / 1000000, interval_microseconds % 1000000},
      {value_microseconds / 1000000, value_microseconds % 1000000},
  };
  CHECK_EQUAL(setitimer(which, &value, NULL), 0);
}

static int create(clockid_t clock, int notification, int signal, long value) {
  struct sigevent event = {.sigev_notify = notification, .sigev_signo = signal, .sigev_value.sival_ptr = (void *)value};
  int timer = -1;
  CHECK_EQUAL(ktimer_create(clock, &event, &timer), 0);
  return timer;
}

static void set_timer(int timer, int flags, long value, long interval) {
  struct itimerspec time = {
      {interval / 1000000000, interval % 1000000000},
      {value / 1000000000, value % 1000000000},
  };
  CHECK_EQUAL(ktimer_settime(timer, flags, &time, NULL), 0);
}

// MARK: setitimer

TEST(an_alarm_ends_a_sleep_which_says_what_is_left) {
  catch(SIGALRM, SA_RESTART);
  set(ITIMER_REAL, 20000, 0);
  struct timespec time = {1, 0}, left = {-1, -1};
  long start = nanoseconds(CLOCK_MONOTONIC);
  CHECK_ERRNO(EINTR, nanosleep(&time, &left));
  long slept = nanoseconds(CLOCK_MONOTONIC) - start;
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(last_code, SI_KERNEL);
  CHECK(slept >= 20000000 && slept < 40000000);
  long sum = left.tv_sec * 1000000000L + left.tv_nsec + slept;
  CHECK(sum > 990000000 && sum < 1010000000);
  set(ITIMER_REAL, 20000, 0);
  CHECK_ERRNO(EFAULT, nanosleep(&time, (void *)8));
  set(ITIMER_REAL, 20000, 0);
  CHECK_ERRNO(EINTR, nanosleep(&time, NULL));
  CHECK_EQUAL(count, 3);
}

TEST(an_alarm_goes_off_again_and_again_until_it_is_turned_off) {
  catch(SIGALRM, 0);
  set(ITIMER_REAL, 10000, 5000);
  long start = nanoseconds(CLOCK_MONOTONIC);
  while (count < 10) usleep(100000);
  long elapsed = nanoseconds(CLOCK_MONOTONIC) - start;
  CHECK(elapsed >= 55000000 && elapsed < 75000000);
  set(ITIMER_REAL, 0, 5000);
  int before = count;
  usleep(30000);
  CHECK_EQUAL(count, before);
}

TEST(an_alarm_that_is_held_back_comes_when_it_is_let_through) {
  catch(SIGALRM, 0);
  change_mask(SIG_BLOCK, SIGALRM);
  set(ITIMER_REAL, 5000, 0);
  usleep(20000);
  CHECK_EQUAL(count, 0);
  change_mask(SIG_UNBLOCK, SIGALRM);
  CHECK_EQUAL(count, 1);
}

static void spin(int which, int signal) {
  catch(signal, 0);
  set(which, 30000, 20000);
  long start = nanoseconds(CLOCK_PROF);
  // Sleeping does not count.
  struct timespec time = {0, 200000000};
  CHECK_EQUAL(nanosleep(&time, NULL), 0);
  CHECK_EQUAL(count, 0);
  while (count < 3) {}
  long used = nanoseconds(CLOCK_PROF) - start;
  CHECK_EQUAL(last_code, SI_KERNEL);
  CHECK(used >= 69000000 && used < 90000000);
  struct itimerval value;
  CHECK_EQUAL(getitimer(which, &value), 0);
  CHECK_EQUAL(value.it_interval.tv_usec, 20000);
  CHECK(value.it_value.tv_sec == 0 && value.it_value.tv_usec <= 20000);
}

TEST(a_virtual_timer_counts_what_the_process_runs) { spin(ITIMER_VIRTUAL, SIGVTALRM); }
TEST(a_profiling_timer_counts_what_the_process_runs) { spin(ITIMER_PROF, SIGPROF); }

TEST(a_profiling_timer_counts_what_runs_in_the_kernel) {
  catch(SIGPROF, 0);
  set(ITIMER_PROF, 20000, 0);
  static char bytes[1 << 20];
  int object = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(object, sizeof bytes), 0);
  for (int round = 0; round < 10000 && count == 0; round++) CHECK_EQUAL(pwrite(object, bytes, sizeof bytes, 0), sizeof bytes);
  CHECK_EQUAL(count, 1);
}

TEST(timers_end_who_does_not_catch_their_signals) {
  CHECK_SIGNAL(SIGALRM, set(ITIMER_REAL, 1000, 0); for (;;) usleep(100000));
  CHECK_SIGNAL(SIGVTALRM, set(ITIMER_VIRTUAL, 1000, 0); for (;;) {});
  CHECK_SIGNAL(SIGPROF, set(ITIMER_PROF, 1000, 0); for (;;) {});
}

TEST(a_stopped_process_hears_of_its_alarm_when_it_goes_on) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    catch(SIGALRM, 0);
    set(ITIMER_REAL, 20000, 3000);
    while (count == 0) usleep(1000000);
    // What came while it was stopped is one.
    _exit(count);
  }
  usleep(5000);
  CHECK_EQUAL(kill(child, SIGSTOP), 0);
  usleep(100000);
  int status;
  CHECK_EQUAL(waitpid(child, &status, WNOHANG), 0);
  CHECK_EQUAL(kill(child, SIGCONT), 0);
  check_exit(__FILE__, __LINE__, 1, check_wait(child));
}

// MARK: ktimer_create

TEST(a_timer_tells_which_it_is_and_what_it_carries) {
  catch(SIGUSR1, 0);
  int first = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 5), second = create(CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR1, 77);
  CHECK_EQUAL(first, 3);
  CHECK_EQUAL(second, 4);
  set_timer(second, 0, 10000000, 0);
  while (count == 0) usleep(100000);
  CHECK_EQUAL(last_code, SI_TIMER);
  CHECK_EQUAL(last_timer, second);
  CHECK_EQUAL(last_value, 77);
  CHECK_EQUAL(last_overrun, 0);
  struct itimerspec value = {{9, 9}, {9, 9}};
  CHECK_EQUAL(ktimer_gettime(second, &value), 0);
  CHECK_EQUAL(value.it_value.tv_sec + value.it_value.tv_nsec + value.it_interval.tv_sec + value.it_interval.tv_nsec, 0);
  // Without an event: SIGALRM, which carries the identifier.
  catch(SIGALRM, 0);
  int third;
  CHECK_EQUAL(ktimer_create(CLOCK_MONOTONIC, NULL, &third), 0);
  set_timer(third, TIMER_ABSTIME, 1, 0);
  CHECK_EQUAL(count, 2);
  CHECK_EQUAL(last_timer, third);
  CHECK_EQUAL((int)last_value, third);
}

TEST(a_timer_has_one_signal_outstanding_and_counts_what_it_missed) {
  catch(SIGUSR1, 0);
  change_mask(SIG_BLOCK, SIGUSR1);
  int timer = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 1);
  set_timer(timer, 0, 10000000, 10000000);
  usleep(95000);
  CHECK_EQUAL(ktimer_getoverrun(timer), 0);
  change_mask(SIG_UNBLOCK, SIGUSR1);
  CHECK_EQUAL(count, 1);
  CHECK(last_overrun >= 8 && last_overrun <= 9);
  CHECK_EQUAL(ktimer_getoverrun(timer), last_overrun);
  while (count == 1) usleep(100000);
  CHECK_EQUAL(last_overrun, 0);
  CHECK_EQUAL(ktimer_getoverrun(timer), 0);
}

TEST(a_deleted_timer_takes_its_signal_back) {
  catch(SIGUSR1, 0);
  change_mask(SIG_BLOCK, SIGUSR1);
  int timer = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 1);
  set_timer(timer, 0, 1000000, 0);
  usleep(20000);
  sigset_t pending;
  CHECK_EQUAL(sigpending(&pending), 0);
  CHECK(sigismember(&pending, SIGUSR1));
  CHECK_EQUAL(ktimer_delete(timer), 0);
  CHECK_EQUAL(sigpending(&pending), 0);
  CHECK(!sigismember(&pending, SIGUSR1));
  change_mask(SIG_UNBLOCK, SIGUSR1);
  CHECK_EQUAL(count, 0);
}

TEST(who_waits_for_the_signal_of_a_timer_is_told_of_overruns) {
  change_mask(SIG_BLOCK, SIGUSR2);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  int timer = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR2, 9);
  set_timer(timer, 0, 5000000, 5000000);
  usleep(28000);
  siginfo_t information;
  CHECK_EQUAL(sigwaitinfo(&set, &information), SIGUSR2);
  CHECK_EQUAL(information.si_code, SI_TIMER);
  CHECK_EQUAL(information.si_timerid, timer);
  CHECK_EQUAL((long)information.si_value.sival_ptr, 9);
  CHECK(information.si_overrun >= 3 && information.si_overrun <= 5);
}

TEST(a_timer_for_a_thread_tells_that) {
  catch(SIGUSR1, 0);
  long self;
  CHECK_EQUAL(thr_self(&self), 0);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1, .sigev_notify_thread_id = (int)self};
  int timer;
  CHECK_EQUAL(ktimer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  set_timer(timer, 0, 2000000, 0);
  while (count == 0) usleep(100000);
  CHECK_EQUAL(last_timer, timer);
}

TEST(many_short_timers_hold_nobody_up) {
  pid_t children[8];
  for (int child = 0; child < 8; child++) {
    children[child] = fork();
    CHECK(children[child] >= 0);
    if (children[child] == 0) {
      catch(SIGUSR1, 0);
      catch(SIGALRM, 0);
      for (int index = 0; index < 29; index++) set_timer(create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0), 0, 1, 1);
      set(ITIMER_REAL, 1, 1);
      for (;;) usleep(1000000);
    }
  }
  usleep(50000);
  long start = nanoseconds(CLOCK_MONOTONIC);
  volatile long sum = 0;
  for (long index = 0; index < 1000000; index++) sum += index;
  long elapsed = nanoseconds(CLOCK_MONOTONIC) - start;
  for (int child = 0; child < 8; child++) {
    CHECK_EQUAL(kill(children[child], SIGKILL), 0);
    check_signal(__FILE__, __LINE__, SIGKILL, check_wait(children[child]));
  }
  // One of nine that want the processor all the time, and as much again for the timers.
  start = nanoseconds(CLOCK_MONOTONIC);
  for (long index = 0; index < 1000000; index++) sum += index;
  long alone = nanoseconds(CLOCK_MONOTONIC) - start;
  if (elapsed > 20 * alone + 100000000) check_failed(__FILE__, __LINE__, "%ld ns beside timers, %ld alone", elapsed, alone);
}

// MARK: Clocks

TEST(clock_nanosleep_gives_its_error_as_its_value) {
  catch(SIGALRM, SA_RESTART);
  set(ITIMER_REAL, 20000, 0);
  struct timespec time = {1, 0}, left = {-1, -1};
  errno = 0;
  CHECK_EQUAL(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, &left), EINTR);
  CHECK_EQUAL(errno, 0);
  CHECK_EQUAL(left.tv_sec, 0);
  CHECK(left.tv_nsec > 900000000 && left.tv_nsec < 981000000);
  set(ITIMER_REAL, 20000, 0);
  CHECK_EQUAL(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, (void *)8), EFAULT);
  // Of an absolute time nothing is left.
  set(ITIMER_REAL, 20000, 0);
  time.tv_sec = 1000000;
  left.tv_sec = -7;
  CHECK_EQUAL(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, &left), EINTR);
  CHECK_EQUAL(left.tv_sec, -7);
  CHECK_EQUAL(count, 3);
}

TEST(who_sleeps_until_a_time_wakes_when_the_clock_is_set_to_it) {
  struct timespec before, time;
  CHECK_EQUAL(clock_gettime(CLOCK_REALTIME, &before), 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    time = before;
    time.tv_sec += 5000;
    _exit(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL));
  }
  long start = nanoseconds(CLOCK_MONOTONIC);
  usleep(20000);
  int status;
  CHECK_EQUAL(waitpid(child, &status, WNOHANG), 0);
  time = before;
  time.tv_sec += 5001;
  CHECK_EQUAL(clock_settime(CLOCK_REALTIME, &time), 0);
  check_exit(__FILE__, __LINE__, 0, check_wait(child));
  CHECK(nanoseconds(CLOCK_MONOTONIC) - start < 1000000000);
  struct timeval now;
  CHECK_EQUAL(gettimeofday(&now, NULL), 0);
  CHECK(now.tv_sec >= before.tv_sec + 5001 && now.tv_sec <= before.tv_sec + 5003);
  now.tv_sec -= 5001;
  CHECK_EQUAL(settimeofday(&now, NULL), 0);
}

TEST(only_the_superuser_sets_the_clock) {
  CHECK_EXIT(0, {
    setuid(1001);
    struct timespec time = {5, 0};
    struct timeval other = {5, 0};
    CHECK_ERRNO(EPERM, clock_settime(CLOCK_REALTIME, &time));
    CHECK_ERRNO(EPERM, settimeofday(&other, NULL));
  });
}

TEST(what_a_thread_used) {
  catch(SIGUSR1, 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  struct rusage process, thread;
  CHECK_EQUAL(getrusage(RUSAGE_THREAD, &thread), 0);
  CHECK_EQUAL(getrusage(RUSAGE_SELF, &process), 0);
  CHECK_EQUAL(thread.ru_nsignals, 1);
  CHECK_EQUAL(process.ru_nsignals, 1);
  CHECK(thread.ru_minflt > 0 && thread.ru_minflt <= process.ru_minflt);
  usleep(1000);
  CHECK_EQUAL(getrusage(RUSAGE_THREAD, &process), 0);
  CHECK(process.ru_nvcsw > thread.ru_nvcsw);
}
