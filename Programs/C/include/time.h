// time.h: clocks and sleeping (spec abi.md, section 17).
#pragma once

#include <sys/_timespec.h>
#include <sys/cdefs.h>

#define CLOCK_REALTIME 0
#define CLOCK_VIRTUAL 1
#define CLOCK_PROF 2
#define CLOCK_MONOTONIC 4
#define CLOCK_UPTIME 5
#define CLOCK_UPTIME_PRECISE 7
#define CLOCK_UPTIME_FAST 8
#define CLOCK_REALTIME_PRECISE 9
#define CLOCK_REALTIME_FAST 10
#define CLOCK_MONOTONIC_PRECISE 11
#define CLOCK_MONOTONIC_FAST 12
#define CLOCK_SECOND 13
#define CLOCK_THREAD_CPUTIME_ID 14
#define CLOCK_PROCESS_CPUTIME_ID 15

int clock_gettime(clockid_t, struct timespec *);
int clock_getres(clockid_t, struct timespec *);
#define TIMER_ABSTIME 1

struct itimerspec {
  struct timespec it_interval;
  struct timespec it_value;
};
struct sigevent;

int clock_settime(clockid_t, const struct timespec *);
// These give their errors as FreeBSD's calls do: the first as its value.
int clock_nanosleep(clockid_t, int, const struct timespec *, struct timespec *);
int ktimer_create(clockid_t, struct sigevent *, int *);
int ktimer_settime(int, int, const struct itimerspec *, struct itimerspec *);
int ktimer_gettime(int, struct itimerspec *);
int ktimer_getoverrun(int);
int ktimer_delete(int);
int nanosleep(const struct timespec *, struct timespec *);

// The calendar (calendar.c). Local time is that of Greenwich: there is nothing that would tell another.
#define CLOCKS_PER_SEC 128

struct tm {
  int tm_sec, tm_min, tm_hour, tm_mday, tm_mon, tm_year, tm_wday, tm_yday, tm_isdst;
  long tm_gmtoff;
  char *tm_zone;
};

__BEGIN_DECLS
time_t time(time_t *);
clock_t clock(void);
double difftime(time_t, time_t);
struct tm *gmtime(const time_t *);
struct tm *gmtime_r(const time_t *, struct tm *);
struct tm *localtime(const time_t *);
struct tm *localtime_r(const time_t *, struct tm *);
// EOVERFLOW for a year that does not fit.
time_t mktime(struct tm *);
time_t timegm(struct tm *);
char *asctime(const struct tm *);
char *asctime_r(const struct tm *, char *);
char *ctime(const time_t *);
char *ctime_r(const time_t *, char *);
size_t strftime(char *, size_t, const char *, const struct tm *);
int timespec_get(struct timespec *, int);
__END_DECLS
#define TIME_UTC 1
