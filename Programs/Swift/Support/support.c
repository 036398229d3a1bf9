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

// What dictionaries and sets ask for, to know how many places they need.
double ceil(double value) {
  if (!(__builtin_fabs(value) < 0x1p52)) return value;
  double whole = (double)(int64_t)value;
  return __builtin_copysign(whole < value ? whole + 1 : whole, value);
}
