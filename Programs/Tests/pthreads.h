// pthreads.h: mutexes, condition variables, barriers, locks and semaphores as FreeBSD's libthr makes them of _umtx_op(2), so far as
// its tests need them. Calls give an error, or 0.
#pragma once

#include "threads.h"

// A time of a clock, so many milliseconds from now.
static inline struct timespec after(clockid_t clock, long milliseconds) {
  struct timespec time = {0, 0};
  kernel(SYS_clock_gettime, clock, (long)&time, 0, 0, 0);
  time.tv_nsec += milliseconds % 1000 * 1000000;
  time.tv_sec += milliseconds / 1000 + time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

static inline void pause_for(long milliseconds) {
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  kernel(SYS_nanosleep, (long)&time, 0, 0, 0, 0);
}

static inline int mutex_trylock(struct umutex *mutex) {
  uint32_t owner = UMUTEX_UNOWNED;
  if (__atomic_compare_exchange_n(&mutex->m_owner, &owner, self(), 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return 0;
  owner = UMUTEX_CONTESTED;
  return __atomic_compare_exchange_n(&mutex->m_owner, &owner, self() | UMUTEX_CONTESTED, 0, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED)
             ? 0
             : EBUSY;
}

// Until a time of CLOCK_REALTIME, or for ever.
static inline int mutex_timedlock(struct umutex *mutex, const struct timespec *until) {
  struct _umtx_time time = {._flags = UMTX_ABSTIME, ._clockid = CLOCK_REALTIME};
  if (until) time._timeout = *until;
  for (;;) {
    if (mutex_trylock(mutex) == 0) return 0;
    long error = umtx(mutex, UMTX_OP_MUTEX_WAIT, 0, until ? (void *)sizeof time : NULL, until ? &time : NULL);
    if (error != 0 && error != -EINTR) return (int)-error;
  }
}

static inline int mutex_lock(struct umutex *mutex) { return mutex_timedlock(mutex, NULL); }

static inline int mutex_unlock(struct umutex *mutex) {
  uint32_t owner = mutex->m_owner;
  if ((owner & ~UMUTEX_CONTESTED) != self()) return EPERM;
  while (!__atomic_compare_exchange_n(&mutex->m_owner, &owner, UMUTEX_UNOWNED, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
    continue;
  if (owner & UMUTEX_CONTESTED) umtx(mutex, UMTX_OP_MUTEX_WAKE2, mutex->m_flags, NULL, NULL);
  return 0;
}

enum { wait_until = 2, wait_by_clock = 4 };

// Until a time of the variable's clock, or for ever.
static inline int cond_timedwait(struct ucond *condition, struct umutex *mutex, const struct timespec *until) {
  long error =
      umtx(condition, UMTX_OP_CV_WAIT, until ? wait_until | wait_by_clock : 0, mutex, until);
  if (error == -EINVAL || error == -EPERM || error == -EFAULT) return (int)-error;
  mutex_lock(mutex);
  // Anything else looks like a wake without a reason.
  return error == -ETIMEDOUT ? ETIMEDOUT : 0;
}

static inline int cond_wait(struct ucond *condition, struct umutex *mutex) {
  return cond_timedwait(condition, mutex, NULL);
}

static inline void cond_signal(struct ucond *condition) {
  if (condition->c_has_waiters) umtx(condition, UMTX_OP_CV_SIGNAL, 0, NULL, NULL);
}

static inline void cond_broadcast(struct ucond *condition) {
  if (condition->c_has_waiters) umtx(condition, UMTX_OP_CV_BROADCAST, 0, NULL, NULL);
}

struct barrier {
  struct umutex mutex;
  struct ucond condition;
  int count, waiting, cycle;
};

// Whether the caller is the one who came last.
static inline int barrier_wait(struct barrier *barrier) {
  mutex_lock(&barrier->mutex);
  int cycle = barrier->cycle, is_last = ++barrier->waiting == barrier->count;
  if (is_last) {
    barrier->cycle++;
    barrier->waiting = 0;
    cond_broadcast(&barrier->condition);
  }
  while (cycle == barrier->cycle) cond_wait(&barrier->condition, &barrier->mutex);
  mutex_unlock(&barrier->mutex);
  return is_last;
}

static inline int lock_read(struct urwlock *lock) { return (int)-umtx(lock, UMTX_OP_RW_RDLOCK, 0, NULL, NULL); }
static inline int lock_unlock(struct urwlock *lock) { return (int)-umtx(lock, UMTX_OP_RW_UNLOCK, 0, NULL, NULL); }

static inline int lock_timed(struct urwlock *lock, long operation, const struct timespec *until) {
  struct _umtx_time time = {._flags = UMTX_ABSTIME, ._clockid = CLOCK_REALTIME, ._timeout = *until};
  return (int)-umtx(lock, operation, 0, (void *)sizeof time, &time);
}

static inline int sem_trywait(struct _usem2 *semaphore) {
  uint32_t count = semaphore->_count;
  while ((count & ~USEM_HAS_WAITERS) != 0)
    if (__atomic_compare_exchange_n(&semaphore->_count, &count, count - 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      return 0;
  return EAGAIN;
}

static inline int sem_wait(struct _usem2 *semaphore) {
  while (sem_trywait(semaphore) != 0) {
    long error = umtx(semaphore, UMTX_OP_SEM2_WAIT, 0, NULL, NULL);
    if (error != 0) return (int)-error;
  }
  return 0;
}

static inline void sem_post(struct _usem2 *semaphore) {
  uint32_t before = __atomic_fetch_add(&semaphore->_count, 1, __ATOMIC_RELEASE);
  if (before & USEM_HAS_WAITERS) umtx(semaphore, UMTX_OP_SEM2_WAKE, 0, NULL, NULL);
}

// MARK: What the tests have in common

enum { count = 8 };
static struct worker workers[count];
static struct umutex mutex;
static struct ucond condition;
static volatile int shared, done;

static inline void run_all(int number_of_threads, void (*run)(struct worker *)) {
  for (long number = 0; number < number_of_threads; number++) start_worker(&workers[number], number, run);
  for (long number = 0; number < number_of_threads; number++) join_worker(&workers[number]);
}

// Threads share errno and the frame of the tests: what they find is told by their result.
#define REQUIRE(condition) \
  do {                     \
    if (!(condition)) worker->result = __LINE__; \
  } while (0)

static inline void check_results(int number_of_threads) {
  for (int number = 0; number < number_of_threads; number++)
    if (workers[number].result) check_failed(__FILE__, (int)workers[number].result, "of thread %d", number);
}
