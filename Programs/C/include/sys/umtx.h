// sys/umtx.h: waiting for words of memory (spec signals.md, section 3).
#pragma once

#include <stdint.h>
#include <sys/cdefs.h>
#include <time.h>

#define UMTX_OP_WAIT 2
#define UMTX_OP_WAKE 3
#define UMTX_OP_MUTEX_TRYLOCK 4
#define UMTX_OP_MUTEX_LOCK 5
#define UMTX_OP_MUTEX_UNLOCK 6
#define UMTX_OP_SET_CEILING 7
#define UMTX_OP_CV_WAIT 8
#define UMTX_OP_CV_SIGNAL 9
#define UMTX_OP_CV_BROADCAST 10
#define UMTX_OP_WAIT_UINT 11
#define UMTX_OP_RW_RDLOCK 12
#define UMTX_OP_RW_WRLOCK 13
#define UMTX_OP_RW_UNLOCK 14
#define UMTX_OP_WAIT_UINT_PRIVATE 15
#define UMTX_OP_WAKE_PRIVATE 16
#define UMTX_OP_MUTEX_WAIT 17
#define UMTX_OP_MUTEX_WAKE 18
#define UMTX_OP_NWAKE_PRIVATE 21
#define UMTX_OP_MUTEX_WAKE2 22
#define UMTX_OP_SEM2_WAIT 23
#define UMTX_OP_SEM2_WAKE 24
#define UMTX_OP_SHM 25
#define UMTX_OP_ROBUST_LISTS 26
#define UMTX_OP_GET_MIN_TIMEOUT 27
#define UMTX_OP_SET_MIN_TIMEOUT 28

#define UMTX_SHM_CREAT 1
#define UMTX_SHM_LOOKUP 2
#define UMTX_SHM_DESTROY 4
#define UMTX_SHM_ALIVE 8

#define USYNC_PROCESS_SHARED 1

#define UMUTEX_UNOWNED 0
#define UMUTEX_CONTESTED 0x80000000u
#define UMUTEX_ROBUST 0x10
#define UMUTEX_NONCONSISTENT 0x20
#define UMUTEX_RB_OWNERDEAD (UMUTEX_CONTESTED | 0x10)
#define UMUTEX_RB_NOTRECOV (UMUTEX_CONTESTED | 0x11)

struct umutex {
  volatile uint32_t m_owner;
  uint32_t m_flags;
  uint32_t m_ceilings[2];
  uintptr_t m_rb_lnk;
  uint32_t m_spare[2];
};

struct ucond {
  volatile uint32_t c_has_waiters;
  uint32_t c_flags, c_clockid, c_spare;
};

#define URWLOCK_WRITE_OWNER 0x80000000u
#define URWLOCK_WRITE_WAITERS 0x40000000u
#define URWLOCK_READ_WAITERS 0x20000000u

struct urwlock {
  volatile uint32_t rw_state;
  uint32_t rw_flags, rw_blocked_readers, rw_blocked_writers, rw_spare[4];
};

#define USEM_HAS_WAITERS 0x80000000u

struct _usem2 {
  volatile uint32_t _count;
  uint32_t _flags;
};

struct _umtx_time {
  struct timespec _timeout;
  uint32_t _flags, _clockid;
};

#define UMTX_ABSTIME 1

struct umtx_robust_lists_params {
  uintptr_t robust_list_offset, robust_priv_list_offset, robust_inact_offset;
};

__BEGIN_DECLS
int _umtx_op(void *, int, unsigned long, void *, void *);
__END_DECLS
