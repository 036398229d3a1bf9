// support.c: what the Swift runtime asks of its surroundings in ring 3 beside memory and random bytes, which the C library has.

#include <stdlib.h>

#include "include/UserlandSupport.h"

extern uint64_t start_record;

uint64_t start_record_address(void) {
  return start_record;
}

uintptr_t __stack_chk_guard = 0x5bd1e995a3c6e4b7;

_Noreturn void __stack_chk_fail(void) {
  abort();
}
