// conditions.c: condition variables and barriers (pthread.h).

#include "library.h"

#include <errno.h>

enum { CVWAIT_ABSTIME = 2, CVWAIT_CLOCKID = 4 };

// The kernel lets go of the mutex and waits, in one.
static int wait_for(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
  uint32_t self = (uint32_t)own_record()->identifier;
  if ((mutex->lock.m_owner & ~UMUTEX_CONTESTED) != self) return EPERM;
  if (until && check_time(until) != 0) return EINVAL;
  unsigned depth = mutex->depth;
  mutex->depth = 0;
  begin_robust(&mutex->lock);
  leave_robust_list(&mutex->lock);
  int error = wait_on(&condition->condition, UMTX_OP_CV_WAIT, until ? CVWAIT_ABSTIME | CVWAIT_CLOCKID : 0, &mutex->lock,
                      until);
  // These come before it let go. What else it says, a signal for one, looks like being woken without a reason.
  bool is_refused = error == EINVAL || error == EPERM || error == EFAULT;
  int lock_error = 0;
  if (is_refused) enter_robust_list(&mutex->lock);
  end_robust(&mutex->lock);
  if (!is_refused) lock_error = pthread_mutex_lock(mutex);
  if (lock_error == 0) mutex->depth = depth;
  return lock_error != 0 ? lock_error : is_refused || error == ETIMEDOUT ? error : 0;
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) { return wait_for(condition, mutex, NULL); }

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
  return wait_for(condition, mutex, until);
}

int pthread_cond_signal(pthread_cond_t *condition) {
  if (!condition->condition.c_has_waiters) return 0;
  return wait_on(&condition->condition, UMTX_OP_CV_SIGNAL, 0, NULL, NULL);
}

int pthread_cond_broadcast(pthread_cond_t *condition) {
  if (!condition->condition.c_has_waiters) return 0;
  return wait_on(&condition->condition, UMTX_OP_CV_BROADCAST, 0, NULL, NULL);
}

int pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes) {
  *condition = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
  if (attributes) {
    condition->condition.c_clockid = (uint32_t)attributes->clock;
    if (attributes->is_shared) condition->condition.c_flags = USYNC_PROCESS_SHARED;
  }
  return 0;
}

int pthread_cond_destroy(pthread_cond_t *condition) {
  (void)condition;
  return 0;
}

int pthread_condattr_init(pthread_condattr_t *attributes) {
  *attributes = (pthread_condattr_t){CLOCK_REALTIME, PTHREAD_PROCESS_PRIVATE};
  return 0;
}

int pthread_condattr_destroy(pthread_condattr_t *attributes) {
  (void)attributes;
  return 0;
}

int pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock) {
  if (clock != CLOCK_REALTIME && clock != CLOCK_VIRTUAL && clock != CLOCK_PROF && clock != CLOCK_MONOTONIC) return EINVAL;
  attributes->clock = clock;
  return 0;
}

int pthread_condattr_getclock(const pthread_condattr_t *attributes, clockid_t *clock) {
  *clock = attributes->clock;
  return 0;
}

int pthread_condattr_setpshared(pthread_condattr_t *attributes, int is_shared) {
  if (is_shared != PTHREAD_PROCESS_PRIVATE && is_shared != PTHREAD_PROCESS_SHARED) return EINVAL;
  attributes->is_shared = is_shared;
  return 0;
}

int pthread_condattr_getpshared(const pthread_condattr_t *attributes, int *is_shared) {
  *is_shared = attributes->is_shared;
  return 0;
}

// MARK: Barriers. `leaving` counts those of a round who have yet to go: nobody destroys it under them.

int pthread_barrier_init(pthread_barrier_t *barrier, const pthread_barrierattr_t *attributes, unsigned count) {
  if (count == 0) return EINVAL;
  bool is_shared = attributes && attributes->is_shared;
  pthread_mutexattr_t of_mutex = {PTHREAD_MUTEX_NORMAL, is_shared, PTHREAD_MUTEX_STALLED};
  pthread_condattr_t of_condition = {CLOCK_REALTIME, is_shared};
  *barrier = (pthread_barrier_t){.count = count};
  pthread_mutex_init(&barrier->mutex, &of_mutex);
  return pthread_cond_init(&barrier->condition, &of_condition);
}

int pthread_barrier_destroy(pthread_barrier_t *barrier) {
  pthread_mutex_lock(&barrier->mutex);
  int error = barrier->waiting ? EBUSY : 0;
  while (error == 0 && barrier->leaving) pthread_cond_wait(&barrier->condition, &barrier->mutex);
  pthread_mutex_unlock(&barrier->mutex);
  return error;
}

int pthread_barrier_wait(pthread_barrier_t *barrier) {
  pthread_mutex_lock(&barrier->mutex);
  unsigned cycle = barrier->cycle;
  bool is_last = ++barrier->waiting == barrier->count;
  if (is_last) {
    barrier->cycle++;
    barrier->waiting = 0;
    barrier->leaving += barrier->count - 1;
    pthread_cond_broadcast(&barrier->condition);
  } else {
    while (cycle == barrier->cycle) pthread_cond_wait(&barrier->condition, &barrier->mutex);
    if (--barrier->leaving == 0) pthread_cond_broadcast(&barrier->condition);
  }
  pthread_mutex_unlock(&barrier->mutex);
  return is_last ? PTHREAD_BARRIER_SERIAL_THREAD : 0;
}

int pthread_barrierattr_init(pthread_barrierattr_t *attributes) {
  attributes->is_shared = PTHREAD_PROCESS_PRIVATE;
  return 0;
}

int pthread_barrierattr_destroy(pthread_barrierattr_t *attributes) {
  (void)attributes;
  return 0;
}

int pthread_barrierattr_setpshared(pthread_barrierattr_t *attributes, int is_shared) {
  if (is_shared != PTHREAD_PROCESS_PRIVATE && is_shared != PTHREAD_PROCESS_SHARED) return EINVAL;
  attributes->is_shared = is_shared;
  return 0;
}

int pthread_barrierattr_getpshared(const pthread_barrierattr_t *attributes, int *is_shared) {
  *is_shared = attributes->is_shared;
  return 0;
}
