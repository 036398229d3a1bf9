// sys/thr.h: threads (spec signals.md, section 2).
#pragma once

#include <stdint.h>
#include <sys/cdefs.h>
#include <sys/types.h>
#include <time.h>

struct rtprio {
  uint16_t type, prio;
};

#define RTP_LOOKUP 0
#define RTP_SET 1
#define RTP_PRIO_REALTIME 2
#define RTP_PRIO_NORMAL 3
#define RTP_PRIO_IDLE 4
#define RTP_PRIO_FIFO 10

struct thr_param {
  void (*start_func)(void *);
  void *arg;
  char *stack_base;
  size_t stack_size;
  char *tls_base;
  size_t tls_size;
  long *child_tid, *parent_tid;
  int flags;
  struct rtprio *rtp;
  void *spare[3];
};

__BEGIN_DECLS
int thr_new(struct thr_param *, int);
void thr_exit(long *);
int thr_self(long *);
int thr_suspend(const struct timespec *);
int thr_wake(long);
int thr_set_name(long, const char *);
int rtprio(int, pid_t, struct rtprio *);
int rtprio_thread(int, int, struct rtprio *);
int sysarch(int, void *);

#define AMD64_GET_FSBASE 128
#define AMD64_SET_FSBASE 129
#define AMD64_GET_GSBASE 130
#define AMD64_SET_GSBASE 131
__END_DECLS
