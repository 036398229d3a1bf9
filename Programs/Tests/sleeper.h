// sleeper.h: a process that sleeps for short periods beside a test and notes how late it wakes. The clock counts instructions under
// QEMU's -icount, where the figures are exact.
#pragma once

#include "check.h"

enum { ceiling = 200000, period = 30000 };

static inline uint64_t now(void) {
  struct timespec time;
  CHECK_EQUAL(clock_gettime(CLOCK_MONOTONIC, &time), 0);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static struct {
  volatile uint64_t worst, rounds;
} *sleeper __attribute__((unused));
static pid_t sleeper_process __attribute__((unused));

// Starts a process that sleeps for short periods and notes how late it wakes.
static inline void start_sleeper(void) {
  sleeper = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(sleeper != MAP_FAILED);
  sleeper_process = fork();
  CHECK(sleeper_process >= 0);
  if (sleeper_process != 0) return;
  for (;;) {
    uint64_t due = now() + period;
    struct timespec time = {(time_t)(due / 1000000000), (long)(due % 1000000000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
    uint64_t late = now() - due;
    if (late > sleeper->worst) sleeper->worst = late;
    sleeper->rounds++;
  }
}

static inline void stop_sleeper(void) {
  CHECK_EQUAL(kill(sleeper_process, SIGKILL), 0);
  check_wait(sleeper_process);
}

// Who has just woken goes before others for a millisecond: until it is like everybody.
static inline void calm_down(void) {
  uint64_t end = now() + 2000000;
  while (now() < end) continue;
}

// What the sleeper noted while a statement ran, which must have been long enough for it to wake often.
#define CHECK_LATENCY(what, ...)                                                                                \
  do {                                                                                                          \
    struct timespec rest = {0, 2000000};                                                                        \
    nanosleep(&rest, NULL);                                                                                     \
    calm_down();                                                                                                \
    sleeper->worst = 0;                                                                                         \
    uint64_t rounds = sleeper->rounds, begin = now();                                                           \
    __VA_ARGS__;                                                                                                \
    uint64_t taken = now() - begin;                                                                             \
    nanosleep(&rest, NULL);                                                                                     \
    printf("# %s: %lu instructions, %lu wakes, the worst %lu late\n", what, taken, sleeper->rounds - rounds,    \
           sleeper->worst);                                                                                     \
    if (sleeper->worst > ceiling)                                                                               \
      check_failed(__FILE__, __LINE__, "%s: a sleeper was %lu late", what, sleeper->worst);                     \
  } while (0)
