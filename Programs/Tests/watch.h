// watch.h: how late another process' sleeps of a millisecond are while the kernel has much to do for somebody.
#pragma once

#include "check.h"

enum { microsecond = 1000, millisecond = 1000 * microsecond, limit = 3 * millisecond };

// Nanoseconds of the clock.
static inline uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000 * millisecond + (uint64_t)time.tv_nsec;
}

struct watch {
  volatile uint64_t worst, rounds;
};

static struct watch *watch;
static pid_t watcher;

// The process whose sleeps are watched, in a group of its own. What it waits for after it woke counts, page-in too.
static inline void begin_watching(void) {
  watch = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(watch != MAP_FAILED);
  watcher = fork();
  CHECK(watcher >= 0);
  if (watcher == 0) {
    setpgid(0, 0);
    while (1) {
      struct timespec sleep = {0, millisecond};
      uint64_t start = now();
      nanosleep(&sleep, NULL);
      uint64_t late = now() - start - millisecond;
      if (late > watch->worst) watch->worst = late;
      watch->rounds++;
    }
  }
  usleep(5000);
  watch->worst = 0;
}

// What came before does not count.
static inline void watch_from_here(void) {
  usleep(5000);
  watch->worst = 0;
}

static inline void end_watching(const char *what) {
  uint64_t rounds = watch->rounds;
  while (watch->rounds < rounds + 3) usleep(1000);
  uint64_t worst = watch->worst;
  CHECK_EQUAL(kill(watcher, SIGKILL), 0);
  check_wait(watcher);
  printf("# %s: %lu us late\n", what, worst / microsecond);
  if (worst > limit) check_failed(__FILE__, __LINE__, "%s: %lu ns late", what, worst);
}

// Makes children that do what `child` does once they are told.
static inline int make_children(int count, void (*child)(int number)) {
  int made = 0;
  for (; made < count; made++) {
    pid_t process = fork();
    if (process < 0) break;
    if (process == 0) {
      child(made);
      _exit(0);
    }
  }
  return made;
}

// What the processes of a case have in common.
static volatile struct {
  int started;
  uint64_t due;
} *common;

static inline void make_common(void) {
  common = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(common != MAP_FAILED);
}

enum { shared_pages = 256 };
static volatile char *shared_memory;

static inline void use_shared_memory(int number) {
  (void)number;
  for (int page = 0; page < shared_pages; page++) (void)shared_memory[page * PAGE_SIZE];
  __atomic_add_fetch(&common->started, 1, __ATOMIC_SEQ_CST);
  while (common->due == 0) usleep(50000);
}

// Lets so many processes map and use the pages of one object, and gives its descriptor. The watch begins then.
static inline int share_with(int processes) {
  make_common();
  begin_watching();
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, shared_pages * PAGE_SIZE), 0);
  shared_memory = mmap(NULL, shared_pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(shared_memory != MAP_FAILED);
  memset((void *)shared_memory, 1, shared_pages * PAGE_SIZE);
  CHECK_EQUAL(make_children(processes, use_shared_memory), processes);
  while (common->started < processes) usleep(1000);
  watch_from_here();
  return descriptor;
}

// Ends what `share_with` and `begin_watching` began.
static inline void end_sharing(int processes, const char *what) {
  end_watching(what);
  common->due = 1;
  for (int number = 0; number < processes; number++) check_wait(WAIT_ANY);
}
