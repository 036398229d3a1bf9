// signal_test: sending, blocking and queueing signals, actions, what a parent is told (spec signals.md section 1).

#include "signals.h"

#include <sys/event.h>
#include <sys/resource.h>

TEST(a_handler_runs_before_kill_returns) {
  catch(SIGUSR1, 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(last_signal, SIGUSR1);
  CHECK_EQUAL(last_code, SI_USER);
  CHECK_EQUAL(last_pid, getpid());
}

TEST(ones_own_signal_that_is_handled_counts_for_a_queue) {
  catch(SIGUSR1, 0);
  int queue = kqueue();
  struct kevent event;
  const struct timespec at_once = {0, 0};
  EV_SET(&event, SIGUSR1, EVFILT_SIGNAL, EV_ADD, 0, 0, 0);
  CHECK_EQUAL(kevent(queue, &event, 1, NULL, 0, NULL), 0);
  for (int round = 0; round < 3; round++) CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 3);
  CHECK_EQUAL(kevent(queue, NULL, 0, &event, 1, &at_once), 1);
  CHECK_EQUAL(event.data, 3);
  CHECK_EQUAL(close(queue), 0);
}

static volatile long second_argument;
static void with_code(int signal, long code) {
  count = signal;
  second_argument = code;
}

TEST(a_handler_without_siginfo_gets_the_code) {
  struct sigaction action = {.sa_handler = (void (*)(int))(void *)with_code};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, SIGUSR1);
  CHECK_EQUAL(second_argument, SI_USER);
}

TEST(a_blocked_signal_comes_when_it_is_unblocked_each_instance_of_it) {
  catch(SIGUSR1, 0);
  block(SIGUSR1);
  for (int round = 0; round < 3; round++) CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 0);
  sigset_t pending;
  CHECK_EQUAL(sigpending(&pending), 0);
  CHECK(sigismember(&pending, SIGUSR1));
  unblock(SIGUSR1);
  CHECK_EQUAL(count, 3);
  CHECK_EQUAL(sigpending(&pending), 0);
  CHECK(!sigismember(&pending, SIGUSR1));
}

TEST(the_lowest_number_has_its_frame_pushed_first_and_runs_last) {
  catch(SIGUSR1, 0);
  catch(SIGUSR2, 0);
  catch(SIGHUP, 0);
  sigset_t all, old;
  sigfillset(&all);
  CHECK_EQUAL(sigprocmask(SIG_SETMASK, &all, &old), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR2), 0);
  CHECK_EQUAL(kill(getpid(), SIGHUP), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(sigprocmask(SIG_SETMASK, &old, NULL), 0);
  CHECK_EQUAL(count, 3);
  CHECK_EQUAL(order[0], SIGUSR2);
  CHECK_EQUAL(order[1], SIGUSR1);
  CHECK_EQUAL(order[2], SIGHUP);
}

static volatile int depth, deepest;
static void nested(int signal) {
  depth++;
  if (depth > deepest) deepest = depth;
  if (count++ < 3) kill(getpid(), signal);
  depth--;
}

TEST(a_signal_is_held_back_in_its_own_handler_unless_nodefer) {
  struct sigaction action = {.sa_handler = nested};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 4);
  CHECK_EQUAL(deepest, 1);
  count = 0;
  action.sa_flags = SA_NODEFER;
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 4);
  CHECK_EQUAL(deepest, 4);
}

TEST(resethand_makes_the_second_deadly) {
  catch(SIGUSR1, SA_RESETHAND);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 1);
  CHECK_SIGNAL(SIGUSR1, kill(getpid(), SIGUSR1));
}

TEST(a_queue_holds_128_and_sigqueue_says_when_it_is_full) {
  block(SIGRTMIN);
  block(SIGUSR1);
  for (int number = 0; number < 128; number++)
    CHECK_EQUAL(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = number}), 0);
  CHECK_ERRNO(EAGAIN, sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 0}));
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  sigset_t set = one(SIGRTMIN);
  struct timespec none = {0, 0};
  siginfo_t information;
  for (int number = 0; number < 128; number++) {
    CHECK_EQUAL(sigtimedwait(&set, &information, &none), SIGRTMIN);
    CHECK_EQUAL(information.si_value.sival_int, number);
  }
  CHECK_ERRNO(EAGAIN, sigtimedwait(&set, &information, &none));
  set = one(SIGUSR1);
  CHECK_EQUAL(sigtimedwait(&set, &information, &none), SIGUSR1);
  CHECK_EQUAL(information.si_code, 0);
  CHECK_EQUAL(information.si_pid, 0);
}

TEST(sigchld_tells_how_a_child_ended_stopped_and_went_on) {
  catch(SIGCHLD, SA_RESTART);
  pid_t child = fork();
  if (child == 0) {
    struct timespec time = {10, 0};
    nanosleep(&time, NULL);
    _exit(0x1234);
  }
  int status;
  CHECK_EQUAL(kill(child, SIGSTOP), 0);
  CHECK_EQUAL(last_code, CLD_STOPPED);
  CHECK_EQUAL(last_status, SIGSTOP);
  CHECK_EQUAL(last_pid, child);
  CHECK_EQUAL(kill(child, SIGCONT), 0);
  CHECK_EQUAL(last_code, CLD_CONTINUED);
  CHECK_EQUAL(kill(child, SIGTERM), 0);
  CHECK_EQUAL(wait4(child, &status, 0, NULL), child);
  CHECK_EQUAL(last_code, CLD_KILLED);
  CHECK_EQUAL(last_status, SIGTERM);
  child = fork();
  if (child == 0) _exit(0x1234);
  struct timespec time = {1, 0};
  CHECK_ERRNO(EINTR, nanosleep(&time, NULL));
  CHECK_EQUAL(last_code, CLD_EXITED);
  CHECK_EQUAL(last_status, 0x1234);
  CHECK_EQUAL(wait4(child, &status, 0, NULL), child);
}

TEST(a_waited_for_child_takes_its_signal_with_it) {
  catch(SIGCHLD, 0);
  block(SIGCHLD);
  pid_t child = fork();
  if (child == 0) _exit(0);
  check_wait(child);
  sigset_t pending;
  CHECK_EQUAL(sigpending(&pending), 0);
  CHECK(!sigismember(&pending, SIGCHLD));
}

TEST(a_stop_that_was_blocked_acts_when_it_is_unblocked) {
  pid_t child = fork();
  if (child == 0) {
    block(SIGTSTP);
    kill(getpid(), SIGTSTP);
    unblock(SIGTSTP);
    _exit(3);
  }
  int status;
  CHECK_EQUAL(wait4(child, &status, WUNTRACED, NULL), child);
  CHECK_EQUAL(status, SIGTSTP << 8 | 0x7f);
  CHECK_EQUAL(kill(child, SIGCONT), 0);
  CHECK_EQUAL(check_wait(child), 3 << 8);
}

TEST(actions_are_inherited) {
  catch(SIGUSR1, 0);
  CHECK_EXIT(0, {
    kill(getpid(), SIGUSR1);
    if (count != 1) _exit(1);
  });
  CHECK_EQUAL(count, 0);
  struct sigaction old;
  struct sigaction none = {.sa_handler = SIG_DFL};
  CHECK_EXIT(0, sigaction(SIGUSR1, &none, NULL));
  CHECK_EQUAL(sigaction(SIGUSR1, NULL, &old), 0);
  CHECK(old.sa_sigaction == informed);
  CHECK_EQUAL(old.sa_flags, SA_SIGINFO);
}

TEST(sigaction_reports_and_refuses_as_freebsd_does) {
  struct sigaction old, action = {.sa_handler = plain, .sa_flags = 0x80};
  CHECK_EQUAL(sigaction(SIGUSR1, NULL, &old), 0);
  CHECK_EQUAL(old.sa_flags, SA_RESTART);
  CHECK_ERRNO(EINVAL, sigaction(SIGUSR1, &action, NULL));
  action.sa_flags = 0;
  CHECK_ERRNO(EINVAL, sigaction(SIGKILL, &action, NULL));
  CHECK_ERRNO(EINVAL, sigaction(0, &action, NULL));
  CHECK_ERRNO(EINVAL, sigaction(129, &action, NULL));
  CHECK_EQUAL(sigaction(128, &action, NULL), 0);
  action.sa_handler = SIG_DFL;
  CHECK_EQUAL(sigaction(SIGSTOP, &action, NULL), 0);
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  CHECK_EQUAL(sigaction(SIGUSR1, NULL, &old), 0);
  CHECK_EQUAL(old.sa_flags, 0);
  CHECK_ERRNO(EINVAL, sigprocmask(4, &old.sa_mask, NULL));
  CHECK_EQUAL(sigprocmask(4, NULL, NULL), 0);
}

TEST(thr_kill_is_for_one_thread) {
  catch(SIGUSR1, 0);
  long self;
  CHECK_EQUAL(thr_self(&self), 0);
  CHECK_EQUAL(thr_kill(self, SIGUSR1), 0);
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(last_code, SI_LWP);
  CHECK_ERRNO(ESRCH, thr_kill(-1, SIGUSR1));
  CHECK_ERRNO(EINVAL, thr_kill(self, 129));
  CHECK_ERRNO(ESRCH, thr_kill(7, 129));
  CHECK_EQUAL(thr_kill2(getpid(), self, SIGUSR1), 0);
  CHECK_EQUAL(count, 2);
}

TEST(handlers_are_counted) {
  catch(SIGUSR1, 0);
  for (int round = 0; round < 5; round++) kill(getpid(), SIGUSR1);
  struct rusage usage;
  CHECK_EQUAL(getrusage(RUSAGE_SELF, &usage), 0);
  CHECK_EQUAL(usage.ru_nsignals, 5);
}

int sigfastblock(int, void *);
pid_t wait6(int, long, int *, int, void *, siginfo_t *);

TEST(a_word_holds_signals_back_without_a_call) {
  catch(SIGUSR1, 0);
  static volatile uint32_t word;
  CHECK_ERRNO(EINVAL, sigfastblock(1, (char *)&word + 1));
  CHECK_ERRNO(EINVAL, sigfastblock(2, NULL));
  CHECK_EQUAL(sigfastblock(1, (void *)&word), 0);
  CHECK_ERRNO(EBUSY, sigfastblock(1, (void *)&word));
  word = 16;
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 0);
  CHECK_EQUAL(word, 17);
  CHECK_ERRNO(EBUSY, sigfastblock(2, NULL));
  word -= 16;
  CHECK_EQUAL(sigfastblock(2, NULL), 0);
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(word, 0);
  CHECK_EQUAL(sigfastblock(3, NULL), 0);
  CHECK_ERRNO(EINVAL, sigfastblock(3, NULL));
}

TEST(wait6_tells_of_children_by_what_they_are) {
  pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    _exit(0x345);
  }
  int status = 0;
  siginfo_t information;
  CHECK_ERRNO(EINVAL, wait6(7, 0, &status, 1, NULL, NULL));
  CHECK_ERRNO(ECHILD, wait6(0, 99999, &status, 16, NULL, NULL));
  // Left as it is, then taken.
  CHECK_EQUAL(wait6(0, child, &status, 16 | 8, NULL, &information), child);
  CHECK_EQUAL(status, 0x45 << 8);
  CHECK_EQUAL(information.si_code, CLD_EXITED);
  CHECK_EQUAL(information.si_status, 0x345);
  CHECK_EQUAL(information.si_pid, child);
  CHECK_EQUAL(wait6(2, child, &status, 16, NULL, NULL), child);
  CHECK_ERRNO(ECHILD, wait6(7, 0, &status, 16, NULL, NULL));
}
