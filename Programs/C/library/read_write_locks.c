// read_write_locks.c: locks for many who read or one who writes (pthread.h). The kernel holds readers back while a writer waits.

#include "library.h"

#include <errno.h>

enum { READER_MAX = 0x1fffffff };

static uint32_t own_identifier(void) { return (uint32_t)own_record()->identifier; }

int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock) {
  uint32_t state = lock->lock.rw_state;
  while (!(state & (URWLOCK_WRITE_OWNER | URWLOCK_WRITE_WAITERS))) {
    if ((state & READER_MAX) == READER_MAX) return EAGAIN;
    if (__atomic_compare_exchange_n(&lock->lock.rw_state, &state, state + 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      return 0;
  }
  return EBUSY;
}

int pthread_rwlock_trywrlock(pthread_rwlock_t *lock) {
  uint32_t state = lock->lock.rw_state;
  while (!(state & (URWLOCK_WRITE_OWNER | READER_MAX)))
    if (__atomic_compare_exchange_n(&lock->lock.rw_state, &state, state | URWLOCK_WRITE_OWNER, 0, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED)) {
      lock->writer = own_identifier();
      return 0;
    }
  return EBUSY;
}

static int lock_until(pthread_rwlock_t *lock, int operation, const struct timespec *until) {
  if (lock->writer == own_identifier()) return EDEADLK;
  if (until && check_time(until) != 0) return EINVAL;
  int error;
  do error = wait_until(&lock->lock, operation, 0, CLOCK_REALTIME, until);
  while (error == EINTR);
  return error;
}

static int lock_for_reading(pthread_rwlock_t *lock, const struct timespec *until) {
  int error = pthread_rwlock_tryrdlock(lock);
  return error == EBUSY ? lock_until(lock, UMTX_OP_RW_RDLOCK, until) : error;
}

static int lock_for_writing(pthread_rwlock_t *lock, const struct timespec *until) {
  if (pthread_rwlock_trywrlock(lock) == 0) return 0;
  int error = lock_until(lock, UMTX_OP_RW_WRLOCK, until);
  if (error == 0) lock->writer = own_identifier();
  return error;
}

int pthread_rwlock_rdlock(pthread_rwlock_t *lock) { return lock_for_reading(lock, NULL); }
int pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct timespec *until) {
  return lock_for_reading(lock, until);
}
int pthread_rwlock_wrlock(pthread_rwlock_t *lock) { return lock_for_writing(lock, NULL); }
int pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct timespec *until) {
  return lock_for_writing(lock, until);
}

int pthread_rwlock_unlock(pthread_rwlock_t *lock) {
  uint32_t state = lock->lock.rw_state;
  if (state & URWLOCK_WRITE_OWNER) {
    if (lock->writer != own_identifier()) return EPERM;
    lock->writer = 0;
  }
  for (;;) {
    if (!(state & (URWLOCK_WRITE_OWNER | READER_MAX))) return EPERM;
    // The kernel is asked when somebody waits, and this lets the last one go.
    if (state & (URWLOCK_WRITE_WAITERS | URWLOCK_READ_WAITERS))
      return wait_on(&lock->lock, UMTX_OP_RW_UNLOCK, 0, NULL, NULL);
    uint32_t after = state & URWLOCK_WRITE_OWNER ? state & ~URWLOCK_WRITE_OWNER : state - 1;
    if (__atomic_compare_exchange_n(&lock->lock.rw_state, &state, after, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) return 0;
  }
}

int pthread_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attributes) {
  *lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
  if (attributes && attributes->is_shared) lock->lock.rw_flags = USYNC_PROCESS_SHARED;
  return 0;
}

int pthread_rwlock_destroy(pthread_rwlock_t *lock) {
  return lock->lock.rw_state & (URWLOCK_WRITE_OWNER | READER_MAX) ? EBUSY : 0;
}

int pthread_rwlockattr_init(pthread_rwlockattr_t *attributes) {
  attributes->is_shared = PTHREAD_PROCESS_PRIVATE;
  return 0;
}

int pthread_rwlockattr_destroy(pthread_rwlockattr_t *attributes) {
  (void)attributes;
  return 0;
}

int pthread_rwlockattr_setpshared(pthread_rwlockattr_t *attributes, int is_shared) {
  if (is_shared != PTHREAD_PROCESS_PRIVATE && is_shared != PTHREAD_PROCESS_SHARED) return EINVAL;
  attributes->is_shared = is_shared;
  return 0;
}

int pthread_rwlockattr_getpshared(const pthread_rwlockattr_t *attributes, int *is_shared) {
  *is_shared = attributes->is_shared;
  return 0;
}
