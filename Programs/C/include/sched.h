// sched.h: giving up the processor, and policies of scheduling.
#pragma once

#include <sys/cdefs.h>
#include <sys/types.h>
#include <time.h>

#define SCHED_FIFO 1
#define SCHED_OTHER 2
#define SCHED_RR 3

struct sched_param {
  int sched_priority;
};

__BEGIN_DECLS
int sched_yield(void);
int sched_setparam(pid_t, const struct sched_param *);
int sched_getparam(pid_t, struct sched_param *);
int sched_setscheduler(pid_t, int, const struct sched_param *);
int sched_getscheduler(pid_t);
int sched_get_priority_max(int);
int sched_get_priority_min(int);
int sched_rr_get_interval(pid_t, struct timespec *);
__END_DECLS
