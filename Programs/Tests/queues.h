// queues.h: what the tests of kqueue(2) share.
#pragma once

#include "check.h"

#include <sys/event.h>

static const struct timespec at_once = {0, 0};

static inline long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000 + time.tv_nsec;
}

static inline int make_queue(void) {
  int queue = kqueue();
  CHECK(queue >= 0);
  return queue;
}

static inline int change(int queue, uint64_t identifier, int filter, int flags, unsigned notes, long data, long own) {
  struct kevent event;
  EV_SET(&event, identifier, filter, flags, notes, data, own);
  return kevent(queue, &event, 1, NULL, 0, NULL);
}

static inline int collect(int queue, struct kevent *events, int count) {
  return kevent(queue, NULL, 0, events, count, &at_once);
}

// kevent(2) of a thread, which gives an error as a negative number: errno is shared.
static inline long thread_kevent(int queue, const struct kevent *changes, int count, struct kevent *events, int room,
                                 const struct timespec *time) {
  long result, first = queue, third = count;
  register long r10 __asm__("r10") = (long)events, r8 __asm__("r8") = room, r9 __asm__("r9") = (long)time;
  __asm__ volatile("syscall; jnc 1f; negq %%rax; 1:"
                   : "=a"(result), "+r"(r10), "+r"(r8), "+r"(r9), "+D"(first), "+S"(changes), "+d"(third)
                   : "a"(SYS_kevent)
                   : "rcx", "r11", "memory", "cc");
  return result;
}
