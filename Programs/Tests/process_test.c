// process_test: fork, wait4, exit, kill, stopping, execve, credentials, sleeping and clocks (spec abi.md, sections 11 to 17).
// For execve it needs three programs more: make run PROGRAM=build/programs/process_test
// WITH="build/programs/arguments build/programs/descriptors build/programs/end".

#include "check.h"

static pid_t spawn_sleeper(void) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0)
    for (;;) sleep(1000);
  return child;
}

static struct timespec now(clockid_t clock) {
  struct timespec time;
  CHECK_EQUAL(clock_gettime(clock, &time), 0);
  return time;
}

static long microseconds_since(struct timespec start) {
  struct timespec end = now(CLOCK_MONOTONIC);
  return (end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000;
}

TEST(fork_gives_different_identifiers) {
  pid_t parent = getpid();
  CHECK(parent > 1);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(getpid() != parent);
    CHECK_EQUAL(getppid(), parent);
    _exit(0);
  }
  CHECK(child != parent && child > 0);
  check_exit(__FILE__, __LINE__, 0, check_wait(child));
}

TEST(exit_status_keeps_eight_bits) {
  CHECK_EXIT(3, _exit(3));
  CHECK_EXIT(255, _exit(-1));
  CHECK_EXIT(1, _exit(257));
}

TEST(wait4_errors_and_no_hang) {
  int status;
  CHECK_ERRNO(ECHILD, wait4(WAIT_ANY, &status, 0, NULL));
  CHECK_ERRNO(ECHILD, wait4(1, &status, 0, NULL));
  CHECK_ERRNO(EINVAL, wait4(WAIT_ANY, &status, 64, NULL));
  pid_t child = spawn_sleeper();
  CHECK_EQUAL(wait4(WAIT_ANY, &status, WNOHANG, NULL), 0);
  CHECK_EQUAL(wait4(child, &status, WNOHANG, NULL), 0);
  CHECK_ERRNO(ECHILD, wait4(child + 1000, &status, WNOHANG, NULL));
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  struct rusage usage;
  memset(&usage, 0xa5, sizeof usage);
  CHECK_EQUAL(wait4(child, &status, 0, &usage), child);
  CHECK_EQUAL(status, SIGKILL);
  CHECK_EQUAL(usage.ru_msgsnd, 0);
  CHECK_ERRNO(ECHILD, wait4(child, &status, 0, NULL));
}

TEST(wait4_any_collects_everyone_once) {
  enum { CHILDREN = 16 };
  unsigned seen = 0;
  for (int index = 0; index < CHILDREN; index++)
    if (fork() == 0) _exit(index);
  for (int index = 0; index < CHILDREN; index++) {
    int status;
    CHECK(wait(&status) > 0);
    CHECK(WIFEXITED(status));
    seen |= 1u << WEXITSTATUS(status);
  }
  CHECK_EQUAL(seen, (1u << CHILDREN) - 1);
  CHECK_ERRNO(ECHILD, wait(NULL));
}

TEST(wait4_with_a_bad_status_pointer) {
  pid_t child = fork();
  if (child == 0) _exit(0);
  CHECK_ERRNO(EFAULT, wait4(child, (int *)8, 0, NULL));
}

TEST(orphans_go_to_process_1) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  volatile int *seen = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK_EXIT(0, {
    pid_t parent = getpid();
    if (fork() == 0) {
      while (getppid() == parent) usleep(1000);
      *seen = getppid();
      _exit(0);
    }
  });
  for (int tries = 0; *seen == 0 && tries < 1000; tries++) usleep(1000);
  CHECK_EQUAL(*seen, 1);
}

TEST(default_actions_of_signals) {
  static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGKILL, SIGBUS, SIGSEGV,
                               SIGSYS, SIGPIPE, SIGALRM, SIGTERM, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGUSR1,
                               SIGUSR2, SIGRTMIN, SIGRTMAX};
  static const int harmless[] = {SIGURG, SIGCONT, SIGCHLD, SIGIO, SIGWINCH, SIGINFO};
  for (size_t index = 0; index < nitems(ending); index++) {
    pid_t child = spawn_sleeper();
    CHECK_EQUAL(kill(child, ending[index]), 0);
    check_signal(__FILE__, __LINE__, ending[index], check_wait(child));
  }
  for (size_t index = 0; index < nitems(harmless); index++) {
    pid_t child = spawn_sleeper();
    CHECK_EQUAL(kill(child, harmless[index]), 0);
    usleep(2000);
    CHECK_EQUAL(waitpid(child, NULL, WNOHANG), 0);
    CHECK_EQUAL(kill(child, SIGKILL), 0);
    check_signal(__FILE__, __LINE__, SIGKILL, check_wait(child));
  }
}

TEST(raising_a_signal_ends_the_caller_before_kill_returns) { CHECK_SIGNAL(SIGTERM, raise(SIGTERM); _exit(9)); }

TEST(stopping_and_continuing) {
  pid_t child = spawn_sleeper();
  int status;
  CHECK_EQUAL(kill(child, SIGSTOP), 0);
  CHECK_EQUAL(waitpid(child, &status, WUNTRACED), child);
  CHECK(WIFSTOPPED(status));
  CHECK_EQUAL(WSTOPSIG(status), SIGSTOP);
  CHECK_EQUAL(waitpid(child, &status, WUNTRACED | WNOHANG), 0);
  CHECK_EQUAL(kill(child, SIGTERM), 0);
  CHECK_EQUAL(waitpid(child, &status, WNOHANG), 0);
  CHECK_EQUAL(kill(child, SIGCONT), 0);
  check_signal(__FILE__, __LINE__, SIGTERM, check_wait(child));

  child = spawn_sleeper();
  CHECK_EQUAL(kill(child, SIGTSTP), 0);
  CHECK_EQUAL(waitpid(child, &status, WUNTRACED), child);
  CHECK_EQUAL(WSTOPSIG(status), SIGTSTP);
  CHECK_EQUAL(kill(child, SIGCONT), 0);
  CHECK_EQUAL(waitpid(child, &status, WCONTINUED), child);
  CHECK(WIFCONTINUED(status));
  CHECK_EQUAL(kill(child, SIGSTOP), 0);
  CHECK_EQUAL(waitpid(child, &status, WUNTRACED), child);
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  check_signal(__FILE__, __LINE__, SIGKILL, check_wait(child));
}

TEST(kill_errors_and_permission) {
  CHECK_ERRNO(ESRCH, kill(99999, 0));
  CHECK_ERRNO(EINVAL, kill(getpid(), 129));
  CHECK_ERRNO(EINVAL, kill(getpid(), -1));
  CHECK_EQUAL(kill(getpid(), 0), 0);
  pid_t child = spawn_sleeper();
  CHECK_EXIT(0, {
    CHECK_EQUAL(setuid(1001), 0);
    CHECK_ERRNO(EPERM, kill(child, SIGTERM));
    CHECK_ERRNO(EPERM, kill(child, 0));
    CHECK_ERRNO(EPERM, kill(1, SIGKILL));
  });
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  CHECK_EQUAL(kill(child, 0), 0);
  check_signal(__FILE__, __LINE__, SIGKILL, check_wait(child));
  CHECK_ERRNO(ESRCH, kill(child, 0));
}

TEST(an_endless_loop_does_not_stop_its_parent) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0)
    for (;;) __asm__ volatile("");
  struct timespec start = now(CLOCK_MONOTONIC);
  usleep(20000);
  CHECK(microseconds_since(start) < 1000000);
  CHECK_EQUAL(waitpid(child, NULL, WNOHANG), 0);
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  check_signal(__FILE__, __LINE__, SIGKILL, check_wait(child));
}

TEST(preemption_shares_the_processor) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  volatile long *counts = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  pid_t children[3];
  for (int index = 0; index < 3; index++) {
    children[index] = fork();
    if (children[index] == 0)
      for (;;) counts[index]++;
  }
  usleep(60000);
  for (int index = 0; index < 3; index++) CHECK_EQUAL(kill(children[index], SIGKILL), 0);
  for (int index = 0; index < 3; index++) check_wait(children[index]);
  for (int index = 0; index < 3; index++) CHECK(counts[index] > (counts[0] + counts[1] + counts[2]) / 10);
}

TEST(floating_point_state_is_kept_per_process) {
  pid_t child = fork();
  CHECK(child >= 0);
  double sum = child ? 1.5 : 0.25, step = child ? 1.0 : 0.5;
  uint32_t control = child ? 0x1f80 : 0x3f80, seen;
  __asm__ volatile("ldmxcsr %0" : : "m"(control));
  for (int round = 0; round < 300; round++) {
    sum += step;
    if (round % 16 == 0) sched_yield();
  }
  __asm__ volatile("stmxcsr %0" : "=m"(seen));
  CHECK(sum == (child ? 301.5 : 150.25));
  CHECK_EQUAL(seen & 0xffc0, control & 0xffc0);
  if (child == 0) _exit(0);
  check_exit(__FILE__, __LINE__, 0, check_wait(child));
}

// Every 256th page is left out, so that no leaf maps 2 MiB at once.
TEST(a_fork_of_much_memory_is_a_copy_of_all_of_it) {
  enum { PAGES = 8192, HOLES = 256 };
  volatile char *memory = mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  for (long page = 0; page < PAGES; page++) {
    if (page % HOLES != 0) memory[page * PAGE_SIZE] = (char)page;
  }
  int line[2];
  CHECK_EQUAL(pipe(line), 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    char byte;
    CHECK_EQUAL(read(line[0], &byte, 1), 1);
    for (long page = 0; page < PAGES; page++) CHECK_EQUAL(memory[page * PAGE_SIZE], (char)page);
    _exit(0);
  }
  for (long page = 0; page < PAGES; page++) memory[page * PAGE_SIZE] = 77;
  CHECK_EQUAL(write(line[1], "x", 1), 1);
  check_exit(__FILE__, __LINE__, 0, check_wait(child));
}

TEST(execve_runs_a_program_with_its_arguments) {
  check_module("arguments");
  CHECK_EXIT(42, {
    char *arguments[] = {"arguments", "status", "42", NULL};
    char *environment[] = {"ONE=1", "TWO=2", NULL};
    execve("/bin/arguments", arguments, environment);
    check_failed(__FILE__, __LINE__, "execve: %s", strerror(errno));
  });
}

TEST(execve_errors) {
  check_module("arguments");
  char *arguments[] = {"x", NULL};
  CHECK_ERRNO(ENOENT, execve("/bin/no-such-program", arguments, environ));
  CHECK_ERRNO(ENOENT, execve("/nowhere/arguments", arguments, environ));
  CHECK_ERRNO(EFAULT, execve((char *)8, arguments, environ));
  CHECK_ERRNO(EFAULT, execve("/bin/arguments", (char **)8, environ));
  char *bad[] = {"x", (char *)8, NULL};
  CHECK_ERRNO(EFAULT, execve("/bin/arguments", bad, environ));
  CHECK_ERRNO(EFAULT, execve("/bin/arguments", arguments, (char **)-8));
  static char path[2000];
  memset(path, '/', sizeof path - 1);
  CHECK_ERRNO(ENAMETOOLONG, execve(path, arguments, environ));
}

TEST(execve_refuses_arguments_without_end) {
  check_module("arguments");
  enum { WORD = 100000, COUNT = 8 };
  char *word = malloc(WORD);
  memset(word, 'a', WORD - 1);
  word[WORD - 1] = 0;
  char *arguments[COUNT + 1] = {word, word, word, word, word, word, word, word, NULL};
  CHECK_ERRNO(E2BIG, execve("/bin/arguments", arguments, environ));
  static char *many[200001];
  for (size_t index = 0; index < nitems(many) - 1; index++) many[index] = "bb";
  CHECK_ERRNO(E2BIG, execve("/bin/arguments", many, environ));
}

TEST(execve_closes_what_is_marked) {
  check_module("descriptors");
  CHECK_EXIT(0, {
    for (int descriptor = 3; descriptor < 64; descriptor++) close(descriptor);
    CHECK_EQUAL(dup2(1, 10), 10);
    CHECK_EQUAL(dup2(1, 11), 11);
    CHECK_EQUAL(fcntl(11, F_SETFD, FD_CLOEXEC), 0);
    char *arguments[] = {"descriptors", "0", "1", "2", "10", NULL};
    execve("/bin/descriptors", arguments, environ);
    _exit(1);
  });
}

static void handler(int number) { _exit(number); }

TEST(execve_takes_handlers_away_and_keeps_what_is_ignored) {
  check_module("end");
  char number[8], *arguments[] = {"end", "signal", number, NULL};
  struct sigaction caught = {.sa_handler = handler}, ignored = {.sa_handler = SIG_IGN};
  sprintf(number, "%d", SIGUSR1);
  CHECK_SIGNAL(SIGUSR1, {
    sigaction(SIGUSR1, &caught, NULL);
    execve("/bin/end", arguments, environ);
  });
  // It says that the signal came to nothing, and exits so.
  CHECK_EXIT(99, {
    sigaction(SIGUSR1, &ignored, NULL);
    execve("/bin/end", arguments, environ);
  });
}

TEST(nanosleep_sleeps_and_checks) {
  struct timespec start = now(CLOCK_MONOTONIC), request = {0, 5000000}, rest;
  CHECK_EQUAL(nanosleep(&request, NULL), 0);
  long slept = microseconds_since(start);
  CHECK(slept >= 5000 && slept < 100000);
  request = (struct timespec){0, 1000000000};
  CHECK_ERRNO(EINVAL, nanosleep(&request, NULL));
  request = (struct timespec){0, -1};
  CHECK_ERRNO(EINVAL, nanosleep(&request, NULL));
  CHECK_ERRNO(EFAULT, nanosleep((struct timespec *)8, &rest));
  request = (struct timespec){0, 0};
  CHECK_EQUAL(nanosleep(&request, NULL), 0);
}

TEST(sleepers_wake_in_the_order_of_their_deadlines) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  volatile int *order = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  static const unsigned delays[] = {60000, 20000, 80000, 40000};
  for (int index = 0; index < 4; index++)
    if (fork() == 0) {
      usleep(delays[index]);
      order[1 + __atomic_fetch_add(&order[0], 1, __ATOMIC_SEQ_CST)] = index;
      _exit(0);
    }
  for (int index = 0; index < 4; index++) check_exit(__FILE__, __LINE__, 0, check_wait(WAIT_ANY));
  CHECK(order[1] == 1 && order[2] == 3 && order[3] == 0 && order[4] == 2);
}

TEST(clocks_run_forward) {
  static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_UPTIME, CLOCK_REALTIME_PRECISE,
                                     CLOCK_MONOTONIC_PRECISE, CLOCK_MONOTONIC_FAST, CLOCK_UPTIME_FAST};
  for (size_t index = 0; index < nitems(clocks); index++) {
    struct timespec one = now(clocks[index]);
    CHECK(one.tv_nsec >= 0 && one.tv_nsec < 1000000000);
    usleep(1000);
    struct timespec other = now(clocks[index]);
    CHECK(other.tv_sec > one.tv_sec || (other.tv_sec == one.tv_sec && other.tv_nsec > one.tv_nsec));
  }
  CHECK(now(CLOCK_REALTIME).tv_sec > 1700000000);
  struct timespec time;
  CHECK_ERRNO(EINVAL, clock_gettime(77, &time));
  CHECK_ERRNO(EFAULT, clock_gettime(CLOCK_REALTIME, (struct timespec *)8));
}

TEST(users_and_groups) {
  CHECK_EXIT(0, {
    gid_t groups[3] = {5, 6, 7};
    gid_t found[16];
    CHECK_EQUAL(getuid() | geteuid(), 0);
    CHECK_EQUAL(setgroups(3, groups), 0);
    CHECK_EQUAL(getgroups(0, NULL), 3);
    CHECK_EQUAL(getgroups(16, found), 3);
    CHECK(memcmp(found, groups, sizeof groups) == 0);
    CHECK_ERRNO(EINVAL, getgroups(1, found));
    CHECK_EQUAL(setgid(20), 0);
    CHECK_EQUAL(seteuid(1001), 0);
    CHECK(geteuid() == 1001 && getuid() == 0);
    CHECK_ERRNO(EPERM, setgroups(3, groups));
    CHECK_EQUAL(seteuid(0), 0);
    CHECK_EQUAL(setuid(1001), 0);
    CHECK(geteuid() == 1001 && getuid() == 1001 && getgid() == 20 && getegid() == 20);
    CHECK_ERRNO(EPERM, setuid(0));
    CHECK_ERRNO(EPERM, seteuid(0));
    CHECK_ERRNO(EPERM, setgid(0));
    CHECK_EQUAL(setuid(1001), 0);
  });
  CHECK_EQUAL(geteuid(), 0);
}

TEST(umask_gives_the_old_mask) {
  CHECK_EQUAL(umask(077), 022);
  CHECK_EXIT(0, CHECK_EQUAL(umask(0), 077));
  CHECK_EQUAL(umask(01777), 077);
  CHECK_EQUAL(umask(022), 01777);
}
