// libkqueue_test: the cases of FreeBSD's tests/sys/kqueue/libkqueue, by the names of its files and cases (spec kqueue.md section
// 14). Those about files with names (vnode.c) are not here.

#include "queues.h"

#include <sys/socket.h>

static int queue, ends[2];

static void open_sockets(void) {
  queue = make_queue();
  CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void put(void) { CHECK_EQUAL(write(ends[1], ".", 1), 1); }

static void get(void) {
  char byte;
  CHECK_EQUAL(read(ends[0], &byte, 1), 1);
}

static int change_read(int flags) { return change(queue, (uint64_t)ends[0], EVFILT_READ, flags, 0, 0, (long)&ends); }

static void expect_nothing(void) {
  struct kevent event;
  CHECK_EQUAL(collect(queue, &event, 1), 0);
}

static void expect(uint64_t identifier, int filter, int flags, unsigned notes, long data) {
  struct kevent event;
  CHECK_EQUAL(kevent(queue, NULL, 0, &event, 1, NULL), 1);
  CHECK_EQUAL(event.ident, identifier);
  CHECK_EQUAL(event.filter, filter);
  CHECK_EQUAL(event.flags, flags);
  CHECK_EQUAL(event.fflags, notes);
  CHECK_EQUAL(event.data, data);
  for (int index = 0; index < 4; index++) CHECK_EQUAL(event.ext[index], 0);
}

static void expect_read(int flags, long data) { expect((uint64_t)ends[0], EVFILT_READ, flags, 0, data); }

// main.c

TEST(main_kqueue_and_close) { CHECK_EQUAL(close(make_queue()), 0); }

// read.c

TEST(read_add) {
  open_sockets();
  CHECK_EQUAL(change_read(EV_ADD), 0);
}

TEST(read_delete) {
  open_sockets();
  CHECK_EQUAL(change_read(EV_ADD), 0);
  CHECK_EQUAL(change_read(EV_DELETE), 0);
  put();
  expect_nothing();
}

TEST(read_wait) {
  open_sockets();
  CHECK_EQUAL(change_read(EV_ADD), 0);
  expect_nothing();
  put();
  expect_read(0, 1);
  get();
  expect_nothing();
}

TEST(read_disable_and_enable) {
  open_sockets();
  CHECK_EQUAL(change_read(EV_ADD), 0);
  CHECK_EQUAL(change_read(EV_DISABLE), 0);
  put();
  expect_nothing();
  CHECK_EQUAL(change_read(EV_ENABLE), 0);
  expect_read(0, 1);
  get();
}

TEST(read_oneshot) {
  open_sockets();
  CHECK_EQUAL(change_read(EV_ADD | EV_ONESHOT), 0);
  put();
  expect_read(EV_ONESHOT, 1);
  expect_nothing();
  CHECK_ERRNO(ENOENT, change_read(EV_DELETE));
}

TEST(read_clear) {
  open_sockets();
  CHECK_EQUAL(change_read(EV_ADD | EV_CLEAR), 0);
  put();
  put();
  expect_read(EV_CLEAR, 2);
  get();
  expect_nothing();
}

TEST(read_dispatch) {
  open_sockets();
  CHECK_EQUAL(change_read(EV_ADD | EV_DISPATCH), 0);
  put();
  expect_read(EV_DISPATCH, 1);
  expect_nothing();
  CHECK_EQUAL(change_read(EV_DELETE), 0);
}

TEST(read_eof) {
  open_sockets();
  CHECK_EQUAL(change_read(EV_ADD), 0);
  put();
  expect_read(0, 1);
  get();
  CHECK_EQUAL(close(ends[1]), 0);
  expect_read(EV_EOF, 0);
}

// In the file, but not called there.
TEST(read_lowat) {
  open_sockets();
  CHECK_EQUAL(change(queue, (uint64_t)ends[0], EVFILT_READ, EV_ADD | EV_ONESHOT, NOTE_LOWAT, 2, 0), 0);
  put();
  expect_nothing();
  put();
  expect((uint64_t)ends[0], EVFILT_READ, EV_ONESHOT, 0, 2);
}

// signal.c

static int change_signal(int flags) { return change(queue, SIGUSR1, EVFILT_SIGNAL, flags, 0, 0, 0); }

static void open_signals(int flags) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK_EQUAL(sigprocmask(SIG_BLOCK, &set, NULL), 0);
  queue = make_queue();
  CHECK_EQUAL(change_signal(flags), 0);
}

TEST(signal_add_and_delete) {
  open_signals(EV_ADD);
  CHECK_EQUAL(change_signal(EV_DELETE), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  expect_nothing();
}

TEST(signal_wait) {
  open_signals(EV_ADD);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  expect(SIGUSR1, EVFILT_SIGNAL, EV_CLEAR, 0, 1);
}

TEST(signal_disable_and_enable) {
  open_signals(EV_ADD);
  CHECK_EQUAL(change_signal(EV_DISABLE), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  expect_nothing();
  CHECK_EQUAL(change_signal(EV_ENABLE), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  expect(SIGUSR1, EVFILT_SIGNAL, EV_CLEAR, 0, 2);
}

TEST(signal_oneshot) {
  open_signals(EV_ADD | EV_ONESHOT);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  expect(SIGUSR1, EVFILT_SIGNAL, EV_CLEAR | EV_ONESHOT, 0, 1);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  expect_nothing();
  CHECK_ERRNO(ENOENT, change_signal(EV_DELETE));
}

// timer.c

static int change_timer(int flags, unsigned notes, long data) { return change(queue, 1, EVFILT_TIMER, flags, notes, data, 0); }

static void expect_timer(int flags, long data) { expect(1, EVFILT_TIMER, flags, 0, data); }

TEST(timer_add_and_delete) {
  queue = make_queue();
  CHECK_EQUAL(change_timer(EV_ADD, 0, 1000), 0);
  CHECK_EQUAL(change_timer(EV_DELETE, 0, 0), 0);
  expect_nothing();
}

TEST(timer_wait) {
  queue = make_queue();
  CHECK_EQUAL(change_timer(EV_ADD | EV_ONESHOT, 0, 100), 0);
  expect_timer(EV_CLEAR | EV_ONESHOT, 1);
}

TEST(timer_oneshot) {
  queue = make_queue();
  CHECK_EQUAL(change_timer(EV_ADD | EV_ONESHOT, 0, 50), 0);
  expect_timer(EV_CLEAR | EV_ONESHOT, 1);
  usleep(120000);
  expect_nothing();
}

TEST(timer_periodic_and_periodic_modify) {
  queue = make_queue();
  CHECK_EQUAL(change_timer(EV_ADD, 0, 100), 0);
  expect_timer(EV_CLEAR, 1);
  expect_timer(EV_CLEAR, 1);
  CHECK_EQUAL(change_timer(EV_ADD, 0, 50), 0);
  usleep(110000);
  expect_timer(EV_CLEAR, 2);
  CHECK_EQUAL(change_timer(EV_DELETE, 0, 0), 0);
}

static long real_milliseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

TEST(timer_oneshot_abstime) {
  queue = make_queue();
  CHECK_EQUAL(change_timer(EV_ADD | EV_ONESHOT, NOTE_ABSTIME | NOTE_MSECONDS, real_milliseconds() + 30), 0);
  expect_timer(EV_ONESHOT, 1);
  usleep(50000);
  expect_nothing();
}

TEST(timer_epoch_preboot_and_postboot) {
  queue = make_queue();
  CHECK_EQUAL(change_timer(EV_ADD | EV_ONESHOT, NOTE_ABSTIME, 0), 0);
  expect_timer(EV_ONESHOT, 1);
  CHECK_EQUAL(change_timer(EV_ADD | EV_ONESHOT, NOTE_ABSTIME | NOTE_SECONDS, 1), 0);
  expect_timer(EV_ONESHOT, 1);
  CHECK_EQUAL(change_timer(EV_ADD | EV_ONESHOT, NOTE_ABSTIME | NOTE_MSECONDS, real_milliseconds() - 1), 0);
  expect_timer(EV_ONESHOT, 1);
}

// (UPDATE), (UPDATE=), (UPDATE EXP), (UPDATE TIMING)
TEST(timer_update) {
  queue = make_queue();
  CHECK_EQUAL(change_timer(EV_ADD | EV_ONESHOT, 0, 1000), 0);
  long before = now();
  CHECK_EQUAL(change_timer(EV_ADD | EV_ONESHOT, NOTE_USECONDS, 20000), 0);
  expect_timer(EV_CLEAR | EV_ONESHOT, 1);
  CHECK(now() - before >= 20000000 && now() - before < 25000000);
  CHECK_EQUAL(change_timer(EV_ADD | EV_ONESHOT, 0, 20), 0);
  usleep(30000);
  before = now();
  CHECK_EQUAL(change_timer(EV_ADD | EV_ONESHOT, 0, 20), 0);
  expect_timer(EV_CLEAR | EV_ONESHOT, 1);
  CHECK(now() - before >= 20000000);
}

TEST(timer_disable_and_enable) {
  queue = make_queue();
  CHECK_EQUAL(change_timer(EV_ADD, 0, 20), 0);
  CHECK_EQUAL(change_timer(EV_DISABLE, 0, 0), 0);
  usleep(50000);
  expect_nothing();
  CHECK_EQUAL(change_timer(EV_ENABLE, 0, 0), 0);
  expect_timer(EV_CLEAR, 2);
}

TEST(timer_add_dispatch) {
  queue = make_queue();
  CHECK_EQUAL(change_timer(EV_ADD | EV_DISPATCH, 0, 200), 0);
  usleep(300000);
  expect_timer(EV_CLEAR | EV_DISPATCH, 1);
  usleep(500000);
  expect_nothing();
  CHECK_EQUAL(change_timer(EV_ADD | EV_DISPATCH, 0, 200), 0);
  CHECK_EQUAL(change_timer(EV_ENABLE, 0, 0), 0);
  usleep(1100000);
  expect_timer(EV_CLEAR | EV_DISPATCH, 5);
  expect_nothing();
}

// proc.c

TEST(proc_add_and_delete) {
  queue = make_queue();
  CHECK_EQUAL(change(queue, (uint64_t)getpid(), EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, 0), 0);
  CHECK_EQUAL(change(queue, (uint64_t)getpid(), EVFILT_PROC, EV_DELETE, 0, 0, 0), 0);
  expect_nothing();
}

// NOTE_TRACK; sleep 0 and sleep 1: FORK and EXIT of the child, CHILD and EXIT of the grandchild, and nothing else.
static void track(unsigned pause) {
  queue = make_queue();
  int gate[2];
  CHECK_EQUAL(pipe2(gate, 0), 0);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    read(gate[0], &byte, 1);
    if (fork() == 0) {
      usleep(pause);
      _exit(0);
    }
    usleep(2 * pause);
    _exit(0);
  }
  CHECK_EQUAL(change(queue, (uint64_t)child, EVFILT_PROC, EV_ADD, NOTE_TRACK | NOTE_EXEC | NOTE_EXIT | NOTE_FORK, 0, 0), 0);
  CHECK_EQUAL(write(gate[1], "x", 1), 1);
  int found[4] = {0}, sum = 0;
  while (sum < 4) {
    struct kevent event;
    struct timespec limit = {2, 0};
    CHECK_EQUAL(kevent(queue, NULL, 0, &event, 1, &limit), 1);
    int isChild = event.ident == (uint64_t)child;
    // CHILD and EXIT never stand in one record.
    CHECK((event.fflags & NOTE_CHILD) == 0 || (event.fflags & NOTE_EXIT) == 0);
    if (event.fflags & NOTE_FORK) sum++, found[0] += isChild;
    if (event.fflags & NOTE_EXIT) sum++, found[isChild ? 1 : 2]++;
    if (event.fflags & NOTE_CHILD) sum++, found[3] += !isChild;
  }
  for (int index = 0; index < 4; index++) CHECK_EQUAL(found[index], 1);
  expect_nothing();
  check_wait(child);
}

TEST(proc_track_sleep_0) { track(0); }
TEST(proc_track_sleep_1) { track(100000); }

// user.c

static int change_user(int flags, unsigned notes) { return change(queue, 1, EVFILT_USER, flags, notes, 0, 0); }

TEST(user_add_and_delete) {
  queue = make_queue();
  CHECK_EQUAL(change_user(EV_ADD, 0), 0);
  CHECK_EQUAL(change_user(EV_DELETE, 0), 0);
  expect_nothing();
}

static void user(int keep) {
  queue = make_queue();
  CHECK_EQUAL(change_user(EV_ADD | EV_CLEAR, 0), 0);
  expect_nothing();
  CHECK_EQUAL(change_user(keep, NOTE_TRIGGER), 0);
  expect(1, EVFILT_USER, EV_CLEAR, 0, 0);
  expect_nothing();
  CHECK_EQUAL(change_user(EV_DISABLE | keep, 0), 0);
  CHECK_EQUAL(change_user(keep, NOTE_TRIGGER), 0);
  expect_nothing();
  CHECK_EQUAL(change_user(EV_ENABLE | keep, 0), 0);
  expect(1, EVFILT_USER, EV_CLEAR, 0, 0);
}

TEST(user_wait_disable_and_enable) { user(0); }
TEST(user_wait_disable_and_enable_keepudata) { user(EV_KEEPUDATA); }

TEST(user_oneshot) {
  queue = make_queue();
  CHECK_EQUAL(change_user(EV_ADD | EV_ONESHOT, 0), 0);
  expect_nothing();
  CHECK_EQUAL(change_user(0, NOTE_TRIGGER), 0);
  expect(1, EVFILT_USER, EV_ONESHOT, 0, 0);
  expect_nothing();
}

// kqueue_peek_signal: main
TEST(peek_signal_main) {
  open_signals(EV_ADD);
  int inner = queue;
  queue = make_queue();
  CHECK_EQUAL(change(queue, (uint64_t)inner, EVFILT_READ, EV_ADD, 0, 0, 0), 0);
  expect_nothing();
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  expect((uint64_t)inner, EVFILT_READ, 0, 0, 1);
}
