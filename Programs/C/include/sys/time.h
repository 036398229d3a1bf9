// sys/time.h: struct timeval and gettimeofday(2).
#pragma once

#include <sys/_timespec.h>

struct timeval {
  time_t tv_sec;
  suseconds_t tv_usec;
};
struct timezone {
  int tz_minuteswest;
  int tz_dsttime;
};

int gettimeofday(struct timeval *, struct timezone *);
