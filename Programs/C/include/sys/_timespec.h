// sys/_timespec.h: struct timespec (spec abi.md, section 5).
#pragma once

#include <sys/types.h>

struct timespec {
  time_t tv_sec;
  long tv_nsec;
};
