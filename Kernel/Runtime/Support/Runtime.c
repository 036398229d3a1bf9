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

/* The boot stub gives it a value nobody can know (Boot/Start.asm). */
uint64_t __stack_chk_guard;

_Noreturn void __stack_chk_fail(void) { runtime_failed(runtime_failure_stack_smashed); }

_Static_assert(sizeof(struct slab) == SLAB_HEADER_BYTE_COUNT, "objects begin behind the header");

struct heap_state heap_state = {.quick_limit = 512};
static _Alignas(4096) uint8_t boot_arena[BOOT_ARENA_PAGE_COUNT * 4096];

uint64_t boot_arena_address(void) { return (uint64_t)boot_arena; }
