// kqueue_test: kqueue(2) and kevent(2) on what has no need of a peer: triggers of the program's own, signals, processes, files
// of /bin, other queues (spec kqueue.md).

#include "check.h"

#include <sys/event.h>

static const struct timespec at_once = {0, 0};

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000 + time.tv_nsec;
}

static int make_queue(void) {
  int queue = kqueue();
  CHECK(queue >= 0);
  return queue;
}

static int change(int queue, uint64_t identifier, int filter, int flags, unsigned notes, long data, long own) {
  struct kevent event;
  EV_SET(&event, identifier, filter, flags, notes, data, own);
  return kevent(queue, &event, 1, NULL, 0, NULL);
}

static int collect(int queue, struct kevent *events, int count) { return kevent(queue, NULL, 0, events, count, &at_once); }

TEST(a_trigger_is_reported_until_it_is_cleared) {
  int queue = make_queue();
  struct kevent events[4];
  CHECK_EQUAL(change(queue, 7, EVFILT_USER, EV_ADD, NOTE_FFCOPY | NOTE_TRIGGER | 5, 0, 99), 0);
  CHECK_EQUAL(collect(queue, events, 4), 0);
  CHECK_EQUAL(change(queue, 7, EVFILT_USER, 0, NOTE_TRIGGER | NOTE_FFCOPY | 6, 11, 99), 0);
  for (int round = 0; round < 2; round++) {
    CHECK_EQUAL(collect(queue, events, 4), 1);
    CHECK_EQUAL(events[0].ident, 7);
    CHECK_EQUAL(events[0].filter, EVFILT_USER);
    CHECK_EQUAL(events[0].fflags, 6);
    CHECK_EQUAL(events[0].data, 11);
    CHECK_EQUAL((long)events[0].udata, 99);
  }
  CHECK_EQUAL(change(queue, 7, EVFILT_USER, EV_CLEAR, 0, 0, 0), 0);
  CHECK_EQUAL(collect(queue, events, 4), 0);
}

TEST(clear_one_shot_and_dispatch) {
  int queue = make_queue();
  struct kevent events[4];
  CHECK_EQUAL(change(queue, 1, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, 0), 0);
  CHECK_EQUAL(change(queue, 2, EVFILT_USER, EV_ADD | EV_ONESHOT, 0, 0, 0), 0);
  CHECK_EQUAL(change(queue, 3, EVFILT_USER, EV_ADD | EV_DISPATCH, 0, 0, 0), 0);
  for (int number = 1; number <= 3; number++) CHECK_EQUAL(change(queue, number, EVFILT_USER, 0, NOTE_TRIGGER, 0, 0), 0);
  CHECK_EQUAL(collect(queue, events, 4), 3);
  CHECK_EQUAL(events[0].ident, 1);
  CHECK_EQUAL(events[1].ident, 2);
  CHECK_EQUAL(events[2].ident, 3);
  CHECK_EQUAL(collect(queue, events, 4), 0);
  CHECK_ERRNO(ENOENT, change(queue, 2, EVFILT_USER, 0, NOTE_TRIGGER, 0, 0));
  CHECK_EQUAL(change(queue, 1, EVFILT_USER, 0, NOTE_TRIGGER, 0, 0), 0);
  // Still triggered, and enabled again.
  CHECK_EQUAL(change(queue, 3, EVFILT_USER, EV_ENABLE, 0, 0, 0), 0);
  CHECK_EQUAL(collect(queue, events, 4), 2);
}

TEST(what_was_forced_while_disabled_is_told_when_enabled) {
  int queue = make_queue();
  struct kevent events[2];
  CHECK_EQUAL(change(queue, 1, EVFILT_USER, EV_ADD | EV_DISABLE, 0, 0, 0), 0);
  CHECK_EQUAL(change(queue, 1, EVFILT_USER, EV_FORCEONESHOT, 0, 0, 0), 0);
  CHECK_EQUAL(collect(queue, events, 2), 0);
  CHECK_EQUAL(change(queue, 1, EVFILT_USER, EV_ENABLE, 0, 0, 0), 0);
  CHECK_EQUAL(collect(queue, events, 2), 1);
  CHECK_ERRNO(ENOENT, change(queue, 1, EVFILT_USER, EV_DELETE, 0, 0, 0));
}

TEST(level_triggered_notes_take_turns) {
  int queue = make_queue();
  struct kevent event;
  for (int number = 0; number < 3; number++) {
    CHECK_EQUAL(change(queue, number, EVFILT_USER, EV_ADD, 0, 0, 0), 0);
    CHECK_EQUAL(change(queue, number, EVFILT_USER, 0, NOTE_TRIGGER, 0, 0), 0);
  }
  for (int round = 0; round < 9; round++) {
    CHECK_EQUAL(collect(queue, &event, 1), 1);
    CHECK_EQUAL(event.ident, round % 3);
  }
}

TEST(many_events_come_in_their_order_and_once) {
  int queue = make_queue();
  static struct kevent events[200];
  for (int number = 0; number < 150; number++) {
    CHECK_EQUAL(change(queue, number, EVFILT_USER, EV_ADD, 0, 0, 0), 0);
    CHECK_EQUAL(change(queue, number, EVFILT_USER, 0, NOTE_TRIGGER, 0, 0), 0);
  }
  CHECK_EQUAL(collect(queue, events, 200), 150);
  for (int number = 0; number < 150; number++) CHECK_EQUAL(events[number].ident, number);
  CHECK_EQUAL(collect(queue, events, 100), 100);
}

TEST(errors_are_told_as_the_table_says) {
  int queue = make_queue(), other = make_queue();
  struct kevent event;
  CHECK_ERRNO(EINVAL, change(queue, 1, EVFILT_USER, EV_ADD | EV_ENABLE | EV_DISABLE, 0, 0, 0));
  CHECK_ERRNO(EINVAL, change(queue, 1, -14, EV_ADD, 0, 0, 0));
  CHECK_ERRNO(EINVAL, change(queue, 1, 1, EV_ADD, 0, 0, 0));
  CHECK_EQUAL(change(queue, 1, 0, EV_ADD, 0, 0, 0), 0);
  CHECK_ERRNO(EINVAL, change(queue, 1, EVFILT_USER, EV_ADD | EV_KEEPUDATA, 0, 0, 0));
  CHECK_ERRNO(EBADF, change(queue, 99, EVFILT_READ, EV_ADD, 0, 0, 0));
  CHECK_ERRNO(EBADF, change(queue, 0x80000000, EVFILT_READ, EV_ADD, 0, 0, 0));
  CHECK_ERRNO(EINVAL, change(queue, (uint64_t)queue, EVFILT_READ, EV_ADD, 0, 0, 0));
  CHECK_ERRNO(ENOENT, change(queue, (uint64_t)other, EVFILT_READ, EV_DELETE, 0, 0, 0));
  CHECK_ERRNO(EINVAL, change(queue, (uint64_t)other, EVFILT_WRITE, EV_ADD, 0, 0, 0));
  CHECK_ERRNO(EPERM, change(queue, 1, EVFILT_AIO, EV_ADD, 0, 0, 0));
  CHECK_ERRNO(ENXIO, change(queue, 1, EVFILT_SENDFILE, EV_ADD, 0, 0, 0));
  CHECK_ERRNO(ESRCH, change(queue, 99999, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, 0));
  int object = shm_open(SHM_ANON, O_RDWR, 0600), null = open("/dev/null", O_RDWR);
  CHECK_ERRNO(EINVAL, change(queue, (uint64_t)object, EVFILT_READ, EV_ADD, 0, 0, 0));
  CHECK_ERRNO(ENODEV, change(queue, (uint64_t)null, EVFILT_READ, EV_ADD, 0, 0, 0));
  CHECK_ERRNO(EBADF, kevent(null, NULL, 0, &event, 1, &at_once));
  CHECK_ERRNO(EINVAL, kevent(queue, &event, -1, NULL, 0, NULL));
  CHECK_ERRNO(EINVAL, kevent(queue, NULL, 0, &event, -1, NULL));
  CHECK_ERRNO(EFAULT, kevent(queue, (struct kevent *)8, 1, NULL, 0, NULL));
  CHECK_ERRNO(EFAULT, kevent(queue, NULL, 0, &event, 1, (struct timespec *)8));
  struct timespec bad = {0, 1000000000};
  CHECK_ERRNO(EINVAL, kevent(queue, NULL, 0, &event, 1, &bad));
  CHECK_EQUAL(kevent(queue, NULL, 0, NULL, 0, &bad), 0);
}

TEST(receipts_and_failures_stand_in_the_list) {
  int queue = make_queue();
  struct kevent changes[3], events[3];
  EV_SET(&changes[0], 1, EVFILT_USER, EV_ADD | EV_RECEIPT, 0, 0, 5);
  EV_SET(&changes[1], 2, EVFILT_USER, EV_DELETE, 0, 0, 6);
  EV_SET(&changes[2], 3, EVFILT_USER, EV_ADD, 0, 0, 7);
  CHECK_EQUAL(kevent(queue, changes, 3, events, 3, NULL), 2);
  CHECK_EQUAL(events[0].flags, EV_ERROR);
  CHECK_EQUAL(events[0].data, 0);
  CHECK_EQUAL(events[1].flags, EV_ERROR);
  CHECK_EQUAL(events[1].data, ENOENT);
  CHECK_EQUAL((long)events[1].udata, 6);
  CHECK_EQUAL(change(queue, 3, EVFILT_USER, EV_DELETE, 0, 0, 0), 0);
}

TEST(a_time_limit_is_kept) {
  int queue = make_queue();
  struct kevent event;
  struct timespec limit = {0, 20000000}, before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  CHECK_EQUAL(kevent(queue, NULL, 0, &event, 1, &limit), 0);
  clock_gettime(CLOCK_MONOTONIC, &after);
  long taken = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
  CHECK(taken >= 20000000 && taken < 25000000);
}

static void ignore(int signal) { (void)signal; }

TEST(signals_are_counted_whatever_becomes_of_them) {
  int queue = make_queue();
  struct kevent event;
  struct sigaction action = {.sa_handler = SIG_IGN};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  CHECK_EQUAL(change(queue, SIGUSR1, EVFILT_SIGNAL, EV_ADD, 0, 0, 0), 0);
  CHECK_EQUAL(collect(queue, &event, 1), 0);
  for (int round = 0; round < 3; round++) CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(collect(queue, &event, 1), 1);
  CHECK_EQUAL(event.data, 3);
  CHECK_EQUAL(event.flags & EV_CLEAR, EV_CLEAR);
  CHECK_EQUAL(collect(queue, &event, 1), 0);
}

TEST(a_caught_signal_ends_the_wait) {
  int queue = make_queue();
  struct kevent event;
  struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    struct timespec time = {0, 10000000};
    nanosleep(&time, NULL);
    kill(parent, SIGUSR1);
    _exit(0);
  }
  CHECK_ERRNO(EINTR, kevent(queue, NULL, 0, &event, 1, NULL));
  check_wait(child);
}

TEST(the_end_of_a_process_is_told_before_it_is_waited_for) {
  int queue = make_queue();
  struct kevent event;
  pid_t child = fork();
  if (child == 0) {
    struct timespec time = {0, 10000000};
    nanosleep(&time, NULL);
    if (fork() == 0) _exit(0);
    _exit(9);
  }
  CHECK_EQUAL(change(queue, (uint64_t)child, EVFILT_PROC, EV_ADD, NOTE_EXIT | NOTE_FORK, 0, 0), 0);
  CHECK_EQUAL(kevent(queue, NULL, 0, &event, 1, NULL), 1);
  CHECK_EQUAL(event.fflags, NOTE_FORK);
  CHECK_EQUAL(kevent(queue, NULL, 0, &event, 1, NULL), 1);
  CHECK_EQUAL(event.fflags, NOTE_EXIT);
  CHECK_EQUAL(event.data, 9 << 8);
  CHECK_EQUAL(event.flags & EV_EOF, EV_EOF);
  CHECK_EQUAL(check_wait(child), 9 << 8);
  CHECK_ERRNO(ENOENT, change(queue, (uint64_t)child, EVFILT_PROC, EV_DELETE, 0, 0, 0));
}

TEST(queues_watch_queues_and_rings_of_them_end) {
  int inner = make_queue(), outer = make_queue();
  struct kevent event;
  CHECK_EQUAL(change(outer, (uint64_t)inner, EVFILT_READ, EV_ADD, 0, 0, 1), 0);
  CHECK_EQUAL(change(inner, (uint64_t)outer, EVFILT_READ, EV_ADD, 0, 0, 2), 0);
  CHECK_EQUAL(change(inner, 5, EVFILT_USER, EV_ADD, 0, 0, 3), 0);
  CHECK_EQUAL(collect(outer, &event, 1), 0);
  CHECK_EQUAL(change(inner, 5, EVFILT_USER, 0, NOTE_TRIGGER, 0, 3), 0);
  CHECK_EQUAL(collect(outer, &event, 1), 1);
  CHECK_EQUAL(event.ident, inner);
  CHECK(event.data >= 1);
  CHECK_EQUAL(close(inner), 0);
  CHECK_EQUAL(collect(outer, &event, 1), 0);
  CHECK_EQUAL(close(outer), 0);
}

TEST(a_descriptor_that_is_closed_takes_its_notes_with_it) {
  int queue = make_queue(), watched = make_queue();
  int copy = dup(watched);
  struct kevent event;
  CHECK_EQUAL(change(watched, 5, EVFILT_USER, EV_ADD, 0, 0, 3), 0);
  CHECK_EQUAL(change(watched, 5, EVFILT_USER, 0, NOTE_TRIGGER, 0, 3), 0);
  CHECK_EQUAL(change(queue, (uint64_t)watched, EVFILT_READ, EV_ADD, 0, 0, 1), 0);
  CHECK_EQUAL(change(queue, (uint64_t)copy, EVFILT_READ, EV_ADD, 0, 0, 2), 0);
  CHECK_EQUAL(close(watched), 0);
  CHECK_EQUAL(collect(queue, &event, 1), 1);
  CHECK_EQUAL(event.ident, copy);
  CHECK_ERRNO(EBADF, change(queue, (uint64_t)watched, EVFILT_READ, EV_DELETE, 0, 0, 0));
}

TEST(a_queue_is_a_file_of_its_own_kind) {
  int queue = make_queue();
  struct stat status;
  char byte;
  CHECK_EQUAL(fstat(queue, &status), 0);
  CHECK_EQUAL(status.st_mode, 0010000);
  CHECK_ERRNO(EOPNOTSUPP, read(queue, &byte, 1));
  CHECK_ERRNO(EOPNOTSUPP, write(queue, &byte, 1));
  CHECK_ERRNO(ESPIPE, lseek(queue, 0, SEEK_SET));
  CHECK_ERRNO(EINVAL, ftruncate(queue, 0));
  CHECK_ERRNO(ENODEV, mmap(NULL, 4096, PROT_READ, MAP_SHARED, queue, 0));
  CHECK_ERRNO(ENOTTY, fcntl(queue, F_SETFL, O_NONBLOCK));
  CHECK_EXIT(0, if (fstat(queue, &status) != -1 || errno != EBADF) _exit(1));
  CHECK_ERRNO(EINVAL, kqueuex(2));
  int closed = kqueuex(KQUEUE_CLOEXEC);
  CHECK_EQUAL(fcntl(closed, F_GETFD), FD_CLOEXEC);
}

TEST(timers_go_off_once_again_and_again_or_at_a_time) {
  int queue = make_queue();
  struct kevent events[4];
  long before = now();
  CHECK_EQUAL(change(queue, 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, 10, 5), 0);
  CHECK_EQUAL(collect(queue, events, 4), 0);
  CHECK_EQUAL(kevent(queue, NULL, 0, events, 4, NULL), 1);
  CHECK(now() - before >= 10000000 && now() - before < 13000000);
  CHECK_EQUAL(events[0].filter, EVFILT_TIMER);
  CHECK_EQUAL(events[0].data, 1);
  CHECK_EQUAL(events[0].flags, EV_ONESHOT | EV_CLEAR);
  CHECK_EQUAL((long)events[0].udata, 5);
  CHECK_ERRNO(ENOENT, change(queue, 1, EVFILT_TIMER, EV_DELETE, 0, 0, 0));
  // Periods, in each unit.
  const unsigned units[] = {0, NOTE_MSECONDS, NOTE_USECONDS, NOTE_NSECONDS};
  const long lengths[] = {2, 2, 2000, 2000000};
  for (int unit = 0; unit < 4; unit++) {
    before = now();
    CHECK_EQUAL(change(queue, 2, EVFILT_TIMER, EV_ADD, units[unit], lengths[unit], 0), 0);
    for (int round = 1; round <= 3; round++) {
      CHECK_EQUAL(kevent(queue, NULL, 0, events, 4, NULL), 1);
      CHECK_EQUAL(events[0].data, 1);
      CHECK(now() - before >= round * 2000000 && now() - before < round * 2000000 + 1000000);
    }
    // What was missed is counted.
    usleep(7000);
    CHECK_EQUAL(collect(queue, events, 4), 1);
    CHECK(events[0].data == 3 || events[0].data == 4);
    CHECK_EQUAL(change(queue, 2, EVFILT_TIMER, EV_DELETE, 0, 0, 0), 0);
  }
  // A time of the clock, which is level-triggered.
  struct timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  long at = real.tv_sec * 1000000000 + real.tv_nsec + 5000000;
  before = now();
  CHECK_EQUAL(change(queue, 3, EVFILT_TIMER, EV_ADD, NOTE_ABSTIME | NOTE_NSECONDS, at, 0), 0);
  for (int round = 0; round < 2; round++) {
    CHECK_EQUAL(kevent(queue, NULL, 0, events, 4, NULL), 1);
    CHECK_EQUAL(events[0].data, 1);
    CHECK(now() - before >= 4900000);
  }
  CHECK_EQUAL(change(queue, 3, EVFILT_TIMER, EV_DELETE, 0, 0, 0), 0);
  CHECK_EQUAL(change(queue, 3, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_ABSTIME | NOTE_SECONDS, 1, 0), 0);
  CHECK_EQUAL(collect(queue, events, 4), 1);
}

TEST(timers_are_checked_and_counted) {
  int queue = make_queue();
  struct kevent events[2];
  CHECK_ERRNO(EINVAL, change(queue, 1, EVFILT_TIMER, EV_ADD, 0, -1, 0));
  CHECK_ERRNO(EINVAL, change(queue, 1, EVFILT_TIMER, EV_ADD, 0x20, 1, 0));
  CHECK_ERRNO(EINVAL, change(queue, 1, EVFILT_TIMER, EV_ADD, NOTE_SECONDS | NOTE_USECONDS, 1, 0));
  int most = (int)check_sysctl("kern.kq_calloutmax");
  CHECK_EQUAL(most, 4096);
  for (int number = 0; number < most; number++)
    CHECK_EQUAL(change(queue, (uint64_t)number, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, 1000 + number * 37 % 1000, 0), 0);
  CHECK_ERRNO(ENOMEM, change(queue, (uint64_t)most, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, 100, 0));
  CHECK_ERRNO(EINVAL, change(queue, (uint64_t)most, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, -100, 0));
  CHECK_EQUAL(change(queue, 7, EVFILT_TIMER, EV_ADD, NOTE_MSECONDS, 1, 0), 0);
  CHECK_EQUAL(kevent(queue, NULL, 0, events, 2, NULL), 1);
  CHECK_EQUAL(events[0].ident, 7);
  CHECK_EQUAL(close(queue), 0);
  queue = make_queue();
  // For ever.
  CHECK_EQUAL(change(queue, 1, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, INT64_MAX, 0), 0);
  CHECK_EQUAL(collect(queue, events, 2), 0);
}

TEST(a_timer_that_is_added_again_begins_anew) {
  int queue = make_queue();
  struct kevent events[2];
  CHECK_EQUAL(change(queue, 1, EVFILT_TIMER, EV_ADD, 0, 1, 0), 0);
  usleep(5000);
  // Undelivered expirations are forgotten.
  CHECK_EQUAL(change(queue, 1, EVFILT_TIMER, EV_ADD, 0, 1000, 0), 0);
  CHECK_EQUAL(collect(queue, events, 2), 0);
  CHECK_EQUAL(change(queue, 1, EVFILT_TIMER, EV_ADD, 0, 2, 0), 0);
  CHECK_EQUAL(kevent(queue, NULL, 0, events, 2, NULL), 1);
  // Without EV_ADD it is left alone.
  CHECK_EQUAL(change(queue, 1, EVFILT_TIMER, EV_ENABLE, 0, 100000, 0), 0);
  CHECK_EQUAL(kevent(queue, NULL, 0, events, 2, NULL), 1);
  // What is wrong then is told as an event.
  CHECK_EQUAL(change(queue, 1, EVFILT_TIMER, EV_ADD, 0, -1, 0), 0);
  CHECK_EQUAL(collect(queue, events, 2), 1);
  CHECK_EQUAL(events[0].flags, EV_ERROR | EV_CLEAR);
  CHECK_EQUAL(events[0].data, EINVAL);
  CHECK_EQUAL(change(queue, 1, EVFILT_TIMER, EV_DELETE, 0, 0, 0), 0);
  // Disabled by its report, it goes on counting.
  CHECK_EQUAL(change(queue, 2, EVFILT_TIMER, EV_ADD | EV_DISPATCH, 0, 4, 0), 0);
  CHECK_EQUAL(kevent(queue, NULL, 0, events, 2, NULL), 1);
  CHECK_EQUAL(collect(queue, events, 2), 0);
  CHECK_EQUAL(change(queue, 2, EVFILT_TIMER, EV_DISABLE, 0, 0, 0), 0);
  usleep(10000);
  CHECK_EQUAL(collect(queue, events, 2), 0);
  CHECK_EQUAL(change(queue, 2, EVFILT_TIMER, EV_ENABLE, 0, 0, 0), 0);
  CHECK_EQUAL(collect(queue, events, 2), 1);
  CHECK(events[0].data == 2 || events[0].data == 3);
}

TEST(children_of_a_process_are_tracked) {
  int queue = make_queue();
  struct kevent events[8];
  int gate[2];
  CHECK_EQUAL(pipe2(gate, 0), 0);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    read(gate[0], &byte, 1);
    pid_t grandchild = fork();
    if (grandchild == 0) _exit(3);
    int status;
    waitpid(grandchild, &status, 0);
    _exit(4);
  }
  CHECK_EQUAL(change(queue, (uint64_t)child, EVFILT_PROC, EV_ADD, NOTE_TRACK | NOTE_EXIT | NOTE_FORK, 0, 77), 0);
  CHECK_EQUAL(write(gate[1], "x", 1), 1);
  int exits = 0, forks = 0, children = 0;
  pid_t grandchild = 0;
  while (exits < 2) {
    int count = kevent(queue, NULL, 0, events, 8, NULL);
    CHECK(count > 0);
    for (int index = 0; index < count; index++) {
      CHECK_EQUAL((long)events[index].udata, 77);
      if (events[index].fflags & NOTE_FORK) {
        CHECK_EQUAL(events[index].ident, child);
        forks++;
      }
      if (events[index].fflags & NOTE_CHILD) {
        CHECK_EQUAL(events[index].fflags, NOTE_CHILD);
        CHECK_EQUAL(events[index].data, child);
        grandchild = (pid_t)events[index].ident;
        children++;
      }
      if (events[index].fflags & NOTE_EXIT) {
        CHECK_EQUAL(events[index].data, events[index].ident == (uint64_t)child ? 4 << 8 : 3 << 8);
        exits++;
      }
    }
  }
  CHECK_EQUAL(forks, 1);
  CHECK_EQUAL(children, 1);
  CHECK(grandchild > child);
  CHECK_EQUAL(collect(queue, events, 8), 0);
  check_wait(child);
}

TEST(a_thousand_notes_are_found_and_deleted) {
  int queue = make_queue();
  struct kevent event;
  for (int number = 0; number < 3000; number++) CHECK_EQUAL(change(queue, (uint64_t)number << 10, EVFILT_USER, EV_ADD, 0, 0, 0), 0);
  for (int number = 0; number < 3000; number += 3)
    CHECK_EQUAL(change(queue, (uint64_t)number << 10, EVFILT_USER, EV_DELETE, 0, 0, 0), 0);
  for (int number = 0; number < 3000; number++) {
    if (number % 3 == 0)
      CHECK_ERRNO(ENOENT, change(queue, (uint64_t)number << 10, EVFILT_USER, 0, NOTE_TRIGGER, 0, 0));
    else
      CHECK_EQUAL(change(queue, (uint64_t)number << 10, EVFILT_USER, 0, NOTE_TRIGGER, 0, 0), 0);
  }
  CHECK_EQUAL(collect(queue, &event, 1), 1);
  CHECK_EQUAL(event.ident, 1 << 10);
}
