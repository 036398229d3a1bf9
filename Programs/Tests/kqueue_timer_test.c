// kqueue_timer_test: timers of queues (spec kqueue.md section 7.5).

#include "queues.h"

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
