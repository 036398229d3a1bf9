// support.c: what the Swift runtime asks of its surroundings in ring 3: memory in powers of two (allocate.c), random bytes
// and a stack guard.

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "include/UserlandSupport.h"

extern uint64_t start_record;

uint64_t start_record_address(void) {
  return start_record;
}

// Blocks of malloc are aligned to 16 bytes, which is all that Swift objects ask for; anything stricter is refused.
int posix_memalign(void **result, size_t alignment, size_t size) {
  if (alignment > 16) return EINVAL;
  *result = malloc(size);
  return *result ? 0 : ENOMEM;
}

void arc4random_buf(void *buffer, size_t size) {
  system_call(SYS_getrandom, (uint64_t)buffer, size, 0, 0, 0, 0);
}

uintptr_t __stack_chk_guard = 0x5bd1e995a3c6e4b7;

_Noreturn void __stack_chk_fail(void) {
  abort();
}
