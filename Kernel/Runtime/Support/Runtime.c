/* The symbols that compiled Swift and C expect of their surroundings. posix_memalign and free pass on to Swift functions of
   other names, so that the compiler's knowledge of the well-known names cannot turn them into calls of themselves. */
#include "Runtime.h"

#include <stddef.h>

void *martlet_heap_allocate(size_t alignment, size_t size);
void martlet_heap_release(void *memory);

int posix_memalign(void **result, size_t alignment, size_t size);
void free(void *memory);
_Noreturn void __stack_chk_fail(void);

int posix_memalign(void **result, size_t alignment, size_t size) {
  *result = martlet_heap_allocate(alignment, size);
  return 0;
}

void free(void *memory) {
  if (memory) martlet_heap_release(memory);
}

uint64_t __stack_chk_guard = 0x7a3c91e5d2b80f00;

__attribute__((no_stack_protector)) void seed_stack_guard(uint64_t value) {
  __stack_chk_guard = value & ~(uint64_t)0xff; /* a zero byte stops string overruns */
}

_Noreturn void __stack_chk_fail(void) { runtime_failed(runtime_failure_stack_smashed); }

static _Alignas(4096) uint8_t boot_arena[BOOT_ARENA_BYTE_COUNT];

uint64_t boot_arena_address(void) { return (uint64_t)boot_arena; }
