// costs.h: what things cost in instructions of the emulated machine: the time stamp counter under QEMU's -icount.
#pragma once

#include "check.h"

static inline uint64_t time_stamp(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (uint64_t)high << 32 | low;
}

// The least that the statements take in so many rounds; the cleaning up after them is not counted.
#define LEAST(rounds, statements, afterwards)      \
  ({                                               \
    uint64_t least = UINT64_MAX;                   \
    for (int round = 0; round < (rounds); round++) { \
      uint64_t start = time_stamp();               \
      statements;                                  \
      uint64_t taken = time_stamp() - start;       \
      afterwards;                                  \
      if (taken < least) least = taken;            \
    }                                              \
    least;                                         \
  })

#define CHECK_COST(what, cost, ceiling)                                                                        \
  do {                                                                                                         \
    uint64_t instructions = (cost);                                                                            \
    printf("# %s: %lu instructions\n", what, instructions);                                                    \
    if (instructions > (uint64_t)(ceiling))                                                                              \
      check_failed(__FILE__, __LINE__, "%s takes %lu instructions, more than %lu", what, instructions, (uint64_t)(ceiling)); \
  } while (0)
