// stress.h: what the parts of the stressor know of each other.
//
// Several processes make random calls: checking ones (checking.c) know what everything they made must contain, and wild ones
// (wild.c) pass anything to any call. Process 1 of them all (stress.c) starts them, stops, continues and kills them, sets fail
// points, and says in one line how it went. All that is random comes from one seed.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum { WORKERS_MAXIMUM = 16, ARENA_PAGES = 32 };

struct options {
  uint64_t seed;
  long calls;      // system calls, of all workers together
  long seconds;    // of the machine's time; what is not done by then is left out
  long checkers;
  long wild;
  long user;       // whose the checking workers are; 0: the superuser's
  long root_wild;  // whether wild workers are the superuser's (they are bounded less)
  long faults;     // whether fail points are set at random; 2: the kernel's command line sets some
  long overcommit;
  long pressure;   // hundredths of the free memory that one worker more takes; 0: there is none such
};

// What all processes share.
struct board {
  volatile int stop;
  struct {
    volatile uint64_t calls;
    char failure[240];  // what a checking worker found wrong
  } worker[WORKERS_MAXIMUM];
  _Alignas(4096) volatile uint64_t wild_calls[WORKERS_MAXIMUM][512];  // a page for each; wild workers may spoil theirs
};

struct generator {
  uint64_t state;
};

static inline uint64_t mixed(uint64_t value) {
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

static inline uint64_t draw(struct generator *generator) { return mixed(generator->state += 0x9e3779b97f4a7c15); }
static inline uint64_t below(struct generator *generator, uint64_t limit) { return draw(generator) % limit; }
static inline int chance(struct generator *generator, unsigned percent) { return below(generator, 100) < percent; }

static inline size_t whole_pages(size_t length) { return (length + 4095) & ~(size_t)4095; }

extern struct options options;
extern struct board *board;
extern const char *program_path;
// The memory that every checking worker writes to and reads, as a descriptor and mapped.
extern int arena_descriptor;
extern volatile uint64_t *arena;

// A checking worker; returns when it is told to stop. Names of its shared memory objects.
void check_without_end(int worker, uint64_t seed);
void worker_name(char *name, size_t size, int worker, int number);
enum { NAMES_PER_WORKER = 4 };

// A worker that takes memory; returns when it is told to stop.
void hold_without_end(int worker, uint64_t seed);

// What a program started by a checking worker does: verify DESCRIPTOR SIZE HASH. Its exit status.
int verify_object(char **arguments);

// A wild worker: so many calls, then it ends.
_Noreturn void run_wild(int worker, uint64_t seed, long calls);
// Names that wild workers give.
extern const char *const wild_names[];
