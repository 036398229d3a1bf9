// What tests measure costs with, in instructions of the emulated machine (the time stamp counter under QEMU's -icount).
#ifndef COST_H
#define COST_H

#include "check.h"

#include <stdint.h>
#include <stdio.h>

static uint64_t time_stamp(void) {
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

// Among many, a thing may cost an eighth more than among few: they share cache lines and pages of tables, no more.
#define CHECK_NO_GROWTH(what, few, many)                                                                       \
  do {                                                                                                         \
    printf("# %s: %lu instructions among few, %lu among many\n", what, few, many);                             \
    if ((many) > (few) + (few) / 8)                                                                            \
      check_failed(__FILE__, __LINE__, "%s takes %lu instructions among few, %lu among many", what, few, many); \
  } while (0)

#endif
