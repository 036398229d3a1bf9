// sys/time.h: struct timeval, gettimeofday(2), setitimer(2).
#pragma once

#include <sys/_timespec.h>
#include <sys/cdefs.h>

struct timeval {
  time_t tv_sec;
  suseconds_t tv_usec;
};
struct timezone {
  int tz_minuteswest;
  int tz_dsttime;
};

#define ITIMER_REAL 0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF 2

#define timerclear(time) ((time)->tv_sec = (time)->tv_usec = 0)
#define timerisset(time) ((time)->tv_sec || (time)->tv_usec)
#define timercmp(left, right, order) \
  ((left)->tv_sec == (right)->tv_sec ? (left)->tv_usec order(right)->tv_usec : (left)->tv_sec order(right)->tv_sec)
#define timeradd(left, right, sum)                              \
  do {                                                          \
    (sum)->tv_sec = (left)->tv_sec + (right)->tv_sec;           \
    (sum)->tv_usec = (left)->tv_usec + (right)->tv_usec;        \
    if ((sum)->tv_usec >= 1000000) {                            \
      (sum)->tv_sec++;                                          \
      (sum)->tv_usec -= 1000000;                                \
    }                                                           \
  } while (0)
#define timersub(left, right, difference)                       \
  do {                                                          \
    (difference)->tv_sec = (left)->tv_sec - (right)->tv_sec;    \
    (difference)->tv_usec = (left)->tv_usec - (right)->tv_usec; \
    if ((difference)->tv_usec < 0) {                            \
      (difference)->tv_sec--;                                   \
      (difference)->tv_usec += 1000000;                         \
    }                                                           \
  } while (0)

struct itimerval {
  struct timeval it_interval;
  struct timeval it_value;
};

__BEGIN_DECLS
int gettimeofday(struct timeval *, struct timezone *);
int settimeofday(const struct timeval *, const struct timezone *);
int getitimer(int, struct itimerval *);
int setitimer(int, const struct itimerval *, struct itimerval *);
__END_DECLS
