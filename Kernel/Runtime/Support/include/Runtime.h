/* What the runtime's C and Swift halves know of each other. */
#pragma once

#include <stdint.h>

/* Without the attribute the optimiser leaves calls of two instructions. */
#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif

/* Panics; implemented by Machine (`@c`), which stands above this module. The kinds name the message. */
enum runtime_failure {
  runtime_failure_stack_smashed = 0,
  runtime_failure_heap_empty = 1,
  runtime_failure_heap_misused = 2,
  runtime_failure_heap_size = 3,
  runtime_failure_heap_overrun = 4,
  runtime_failure_heap_used_after_release = 5,
};

_Noreturn void runtime_failed(uint32_t kind);

/* A page that holds objects of one size, as its first bytes describe it; objects fill it from its end down. A large
   allocation's first page begins with one too, with `object_byte_count` and `fresh` 0; checked pages are described in
   CheckedSlab.swift. */
struct slab {
  struct slab *_Nullable next, *_Nullable previous; /* among the pages of this size that have room */
  uint64_t free;                /* the first object that was used and released, each holding the next one's address; 0 */
  uint16_t fresh;               /* offset of the lowest object handed out so far */
  uint16_t used;
  uint16_t object_byte_count;
  uint16_t capacity;            /* objects; pages, for a large allocation */
};

#define SLAB_HEADER_BYTE_COUNT 32
#define SLAB_CLASS_COUNT 39
#define BOOT_ARENA_PAGE_COUNT 128

/* All state of the heap; zero when the kernel starts, but for `quick_limit`. */
struct heap_state {
  struct slab *_Nullable partial[SLAB_CLASS_COUNT]; /* pages with room, by class of size */
  uint64_t reserve;                       /* free frames, each holding the next one's address; 0 */
  uint64_t reserve_count;
  uint64_t boot_reserve;                  /* the same for pages of the boot arena, which stay for ever */
  uint64_t boot_reserve_count;
  uint64_t boot_pages_used;               /* of the boot arena, which is part of the reserve */
  uint64_t allocation_count;              /* all objects ever handed out */
  uint64_t allocated_byte_count;          /* and their bytes; with those that came back it gives what is alive */
  uint64_t released_byte_count;
  uint64_t frame_count;                   /* frames taken from the frame allocator, reserve included */
  uint64_t quick_limit;                   /* what is below is served at once: 512; 0 when objects are checked */
  struct slab *_Nullable checked[SLAB_CLASS_COUNT];      /* checked pages with room, by class of size */
  struct slab *_Nullable checked_full[SLAB_CLASS_COUNT]; /* and those without */
  struct slab *_Nullable large;           /* checked large allocations; `free` is the number of bytes asked for */
};

extern struct heap_state heap_state;
INLINE struct heap_state *_Nonnull heap_state_pointer(void) { return &heap_state; }
/* The lists of checked pages, by class of size. */
INLINE struct slab *_Nullable *_Nonnull checked_pages(void) { return heap_state.checked; }
INLINE struct slab *_Nullable *_Nonnull checked_full_pages(void) { return heap_state.checked_full; }

/* The pages that the heap lives on until the frame allocator exists, and first of all later. */
uint64_t boot_arena_address(void);
