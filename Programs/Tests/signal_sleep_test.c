// signal_sleep_test: calls that signals interrupt, or that wait for signals (spec signals.md sections 1.9 and 1.17).

#include "signals.h"

TEST(nanosleep_gives_eintr_and_what_is_left) {
  catch(SIGUSR1, SA_RESTART);
  pid_t child = signal_later(SIGUSR1, 20);
  struct timespec time = {10, 0}, left = {0, 0};
  CHECK_ERRNO(EINTR, nanosleep(&time, &left));
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(left.tv_sec, 9);
  CHECK(left.tv_nsec > 900000000 && left.tv_nsec < 990000000);
  check_wait(child);
}

TEST(a_signal_that_is_ignored_or_blocked_ends_no_sleep) {
  struct sigaction action = {.sa_handler = SIG_IGN};
  CHECK_EQUAL(sigaction(SIGUSR2, &action, NULL), 0);
  block(SIGUSR1);
  catch(SIGUSR1, 0);
  pid_t first = signal_later(SIGUSR1, 10), second = signal_later(SIGUSR2, 15);
  struct timespec time = {0, 50000000};
  CHECK_EQUAL(nanosleep(&time, NULL), 0);
  check_wait(first);
  check_wait(second);
}

TEST(wait4_begins_anew_or_gives_eintr_as_the_action_says) {
  for (int restarts = 0; restarts < 2; restarts++) {
    catch(SIGUSR1, restarts ? SA_RESTART : 0);
    count = 0;
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
      struct timespec time = {0, 20000000};
      nanosleep(&time, NULL);
      kill(parent, SIGUSR1);
      nanosleep(&time, NULL);
      _exit(5);
    }
    int status = 0;
    if (!restarts) CHECK_ERRNO(EINTR, wait4(child, &status, 0, NULL));
    CHECK_EQUAL(wait4(child, &status, 0, NULL), child);
    CHECK_EQUAL(status, 5 << 8);
    CHECK_EQUAL(count, 1);
  }
}

TEST(sigsuspend_ends_with_a_handler_and_the_old_mask) {
  catch(SIGUSR1, 0);
  block(SIGUSR1);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  sigset_t none;
  sigemptyset(&none);
  CHECK_ERRNO(EINTR, sigsuspend(&none));
  CHECK_EQUAL(count, 1);
  pid_t child = signal_later(SIGUSR1, 10);
  CHECK_ERRNO(EINTR, sigsuspend(&none));
  CHECK_EQUAL(count, 2);
  check_wait(child);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 2);
}

TEST(sigtimedwait_takes_a_signal_without_running_its_handler) {
  catch(SIGUSR1, 0);
  block(SIGUSR1);
  sigset_t set = one(SIGUSR1);
  struct timespec none = {0, 0}, bad = {0, 1000000000}, some = {0, 20000000};
  CHECK_ERRNO(EAGAIN, sigtimedwait(&set, NULL, &none));
  CHECK_ERRNO(EINVAL, sigtimedwait(&set, NULL, &bad));
  CHECK_ERRNO(EAGAIN, sigtimedwait(&set, NULL, &some));
  CHECK_EQUAL(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 77}), 0);
  siginfo_t information;
  CHECK_EQUAL(sigtimedwait(&set, &information, &none), SIGUSR1);
  CHECK_EQUAL(information.si_code, SI_QUEUE);
  CHECK_EQUAL(information.si_value.sival_int, 77);
  CHECK_EQUAL(information.si_pid, getpid());
  pid_t child = signal_later(SIGUSR1, 10);
  int number = 0;
  CHECK_EQUAL(sigwait(&set, &number), 0);
  CHECK_EQUAL(number, SIGUSR1);
  CHECK_EQUAL(count, 0);
  check_wait(child);
  catch(SIGUSR2, SA_RESTART);
  child = signal_later(SIGUSR2, 10);
  CHECK_ERRNO(EINTR, sigwaitinfo(&set, NULL));
  CHECK_EQUAL(count, 1);
  check_wait(child);
}

TEST(a_stop_and_its_continuation_end_no_sleep) {
  pid_t child = fork();
  if (child == 0) {
    struct timespec time = {0, 50000000};
    _exit(nanosleep(&time, NULL) == 0 ? 0 : errno);
  }
  struct timespec time = {0, 5000000};
  nanosleep(&time, NULL);
  CHECK_EQUAL(kill(child, SIGSTOP), 0);
  nanosleep(&time, NULL);
  CHECK_EQUAL(kill(child, SIGCONT), 0);
  CHECK_EQUAL(check_wait(child), 0);
}
