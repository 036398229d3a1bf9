// sys/event.h: kqueue(2) and kevent(2) (spec kqueue.md, section 1).
#pragma once

#include <stdint.h>
#include <sys/cdefs.h>
#include <sys/types.h>

struct timespec;

struct kevent {
  uint64_t ident;
  int16_t filter;
  uint16_t flags;
  uint32_t fflags;
  int64_t data;
  void *udata;
  uint64_t ext[4];
};

#define EV_SET(event, a, b, c, d, e, f) \
  (*(event) = (struct kevent){(uint64_t)(a), (int16_t)(b), (uint16_t)(c), (uint32_t)(d), (int64_t)(e), (void *)(f), {0}})

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_AIO (-3)
#define EVFILT_VNODE (-4)
#define EVFILT_PROC (-5)
#define EVFILT_SIGNAL (-6)
#define EVFILT_TIMER (-7)
#define EVFILT_USER (-11)
#define EVFILT_SENDFILE (-12)
#define EVFILT_EMPTY (-13)

#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ENABLE 0x0004
#define EV_DISABLE 0x0008
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_RECEIPT 0x0040
#define EV_DISPATCH 0x0080
#define EV_FORCEONESHOT 0x0100
#define EV_KEEPUDATA 0x0200
#define EV_AFFINITY 0x0200
#define EV_REALTIME 0x0400
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

#define NOTE_EXIT 0x80000000
#define NOTE_FORK 0x40000000
#define NOTE_EXEC 0x20000000
#define NOTE_TRACK 1
#define NOTE_TRACKERR 2
#define NOTE_CHILD 4
#define NOTE_LOWAT 1
#define NOTE_SECONDS 1
#define NOTE_MSECONDS 2
#define NOTE_USECONDS 4
#define NOTE_NSECONDS 8
#define NOTE_ABSTIME 0x10
#define NOTE_TRIGGER 0x01000000
#define NOTE_FFNOP 0
#define NOTE_FFAND 0x40000000
#define NOTE_FFOR 0x80000000
#define NOTE_FFCOPY 0xc0000000

#define KQUEUE_CLOEXEC 1

// Requests of ioctl(2), and the objects of FKQTUNE (spec kqueue.md, section 10).
#define FKQMULTI 0x80046659UL
#define FKQTUNE 0x8004665aUL
#define FKQMPRNT 0x8008665bUL
#define FKQ_FREQ 1
#define FKQ_RTSHARE 2

__BEGIN_DECLS
int kqueue(void);
int kqueuex(unsigned int);
int kevent(int, const struct kevent *, int, struct kevent *, int, const struct timespec *);
__END_DECLS
