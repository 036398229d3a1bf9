/* What the runtime's C and Swift halves know of each other. */
#pragma once

#include <stdint.h>

/* Panics; implemented by Machine (`@c`), which stands above this module. The kinds name the message. */
enum runtime_failure {
  runtime_failure_stack_smashed = 0,
  runtime_failure_heap_empty = 1,
  runtime_failure_heap_misused = 2,
  runtime_failure_heap_size = 3,
};

_Noreturn void runtime_failed(uint32_t kind);

/* Seeds the stack protector. The caller's own frame must never return. */
void seed_stack_guard(uint64_t value);

/* Start and byte count of the pages that the heap lives on until the frame allocator exists. */
#define BOOT_ARENA_BYTE_COUNT (512 * 1024)
uint64_t boot_arena_address(void);

static inline uint64_t heap_read64(uint64_t address) { return *(volatile uint64_t *)address; }
