// kqueue_test: kqueue(2) and kevent(2) on what has no need of a peer: triggers of the program's own, other queues, and what a
// queue is (spec kqueue.md).

#include "queues.h"

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
