// mutexes.c: mutexes and spin locks (pthread.h), as FreeBSD's library and kernel share the work: the owner's number is in the
// word, and the kernel is asked only by those who wait and, when somebody does, by the owner who lets go.

#include "library.h"

#include <errno.h>
#include <sched.h>

static uint32_t own_identifier(void) { return (uint32_t)own_record()->identifier; }

// MARK: Robust mutexes. Each stands in a list of its owner's, which the kernel walks when that ends; while a thread is about to
// enter or leave the list the mutex is named besides.

static bool is_robust(const struct umutex *lock) { return lock->m_flags & UMUTEX_ROBUST; }

void begin_robust(struct umutex *lock) {
  if (!is_robust(lock)) return;
  struct pthread *self = own_record();
  if (!self->has_robust_lists) {
    struct umtx_robust_lists_params lists = {
        (uintptr_t)&self->robust_shared, (uintptr_t)&self->robust_private, (uintptr_t)&self->robust_pending};
    self->has_robust_lists = wait_on(NULL, UMTX_OP_ROBUST_LISTS, sizeof lists, &lists, NULL) == 0;
  }
  self->robust_pending = (uintptr_t)lock;
}

void end_robust(struct umutex *lock) {
  if (is_robust(lock)) own_record()->robust_pending = 0;
}

static uintptr_t *robust_list(const struct umutex *lock) {
  struct pthread *self = own_record();
  return lock->m_flags & USYNC_PROCESS_SHARED ? &self->robust_shared : &self->robust_private;
}

void enter_robust_list(struct umutex *lock) {
  if (!is_robust(lock)) return;
  uintptr_t *head = robust_list(lock);
  lock->m_rb_lnk = *head;
  *head = (uintptr_t)lock;
}

void leave_robust_list(struct umutex *lock) {
  if (!is_robust(lock)) return;
  for (uintptr_t *place = robust_list(lock); *place; place = &((struct umutex *)*place)->m_rb_lnk)
    if (*place == (uintptr_t)lock) {
      *place = lock->m_rb_lnk;
      return;
    }
}

// MARK: Locking

// 0 and EOWNERDEAD: the caller has it.
static int take(struct umutex *lock, uint32_t self) {
  uint32_t owner = UMUTEX_UNOWNED;
  if (__atomic_compare_exchange_n(&lock->m_owner, &owner, self, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return 0;
  if (owner == UMUTEX_RB_NOTRECOV) return ENOTRECOVERABLE;
  bool has_died = owner == UMUTEX_RB_OWNERDEAD;
  // Nobody has it, and others may wait.
  if ((owner == UMUTEX_CONTESTED || has_died) &&
      __atomic_compare_exchange_n(&lock->m_owner, &owner, self | UMUTEX_CONTESTED, 0, __ATOMIC_ACQUIRE,
                                  __ATOMIC_RELAXED))
    return has_died ? EOWNERDEAD : 0;
  return EBUSY;
}

static int is_own(const pthread_mutex_t *mutex, uint32_t self) {
  return (mutex->lock.m_owner & ~UMUTEX_CONTESTED) == self;
}

// What a thread gets that locks what it has already. A mutex of type NORMAL waits for ever.
static int take_again(pthread_mutex_t *mutex, int error) {
  if (mutex->type != PTHREAD_MUTEX_RECURSIVE) return error;
  if (mutex->depth == UINT32_MAX) return EAGAIN;
  mutex->depth++;
  return 0;
}

// Notes that the caller has it, if that is what the result says.
static int taken(pthread_mutex_t *mutex, int result) {
  if (result == EOWNERDEAD) {
    mutex->lock.m_flags |= UMUTEX_NONCONSISTENT;
    mutex->depth = 0;
  }
  if (result == 0 || result == EOWNERDEAD) enter_robust_list(&mutex->lock);
  end_robust(&mutex->lock);
  return result;
}

int pthread_mutex_trylock(pthread_mutex_t *mutex) {
  uint32_t self = own_identifier();
  if (is_own(mutex, self)) return take_again(mutex, EBUSY);
  begin_robust(&mutex->lock);
  return taken(mutex, take(&mutex->lock, self));
}

static int lock_until(pthread_mutex_t *mutex, const struct timespec *until) {
  uint32_t self = own_identifier();
  if (is_own(mutex, self) && mutex->type != PTHREAD_MUTEX_NORMAL) return take_again(mutex, EDEADLK);
  begin_robust(&mutex->lock);
  for (;;) {
    int result = take(&mutex->lock, self);
    if (result != EBUSY) return taken(mutex, result);
    // A time that is none matters to those who wait only.
    result = until ? check_time(until) : 0;
    if (result == 0) result = wait_until(&mutex->lock, UMTX_OP_MUTEX_WAIT, 0, CLOCK_REALTIME, until);
    if (result != 0 && result != EINTR) return taken(mutex, result);
  }
}

int pthread_mutex_lock(pthread_mutex_t *mutex) { return lock_until(mutex, NULL); }

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until) { return lock_until(mutex, until); }

int pthread_mutex_unlock(pthread_mutex_t *mutex) {
  if (!is_own(mutex, own_identifier())) return EPERM;
  if (mutex->depth > 0) {
    mutex->depth--;
    return 0;
  }
  begin_robust(&mutex->lock);
  leave_robust_list(&mutex->lock);
  // Once the word is free the mutex may be another's, who may destroy it: it is not looked at any more.
  uint32_t flags = mutex->lock.m_flags, owner = mutex->lock.m_owner;
  uint32_t after = flags & UMUTEX_NONCONSISTENT ? UMUTEX_RB_NOTRECOV : UMUTEX_UNOWNED;
  while (!__atomic_compare_exchange_n(&mutex->lock.m_owner, &owner, after, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
    continue;
  if (owner & UMUTEX_CONTESTED) wait_on(&mutex->lock, UMTX_OP_MUTEX_WAKE2, flags, NULL, NULL);
  if (flags & UMUTEX_ROBUST) own_record()->robust_pending = 0;
  return 0;
}

int pthread_mutex_consistent(pthread_mutex_t *mutex) {
  if (!is_own(mutex, own_identifier()) || !(mutex->lock.m_flags & UMUTEX_NONCONSISTENT)) return EINVAL;
  mutex->lock.m_flags &= ~(uint32_t)UMUTEX_NONCONSISTENT;
  return 0;
}

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
  *mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
  if (attributes) {
    mutex->type = (unsigned)attributes->type;
    if (attributes->is_shared) mutex->lock.m_flags |= USYNC_PROCESS_SHARED;
    if (attributes->is_robust) mutex->lock.m_flags |= UMUTEX_ROBUST;
  }
  return 0;
}

int pthread_mutex_destroy(pthread_mutex_t *mutex) { return mutex->lock.m_owner & ~UMUTEX_CONTESTED ? EBUSY : 0; }

int pthread_mutexattr_init(pthread_mutexattr_t *attributes) {
  *attributes = (pthread_mutexattr_t){PTHREAD_MUTEX_DEFAULT, PTHREAD_PROCESS_PRIVATE, PTHREAD_MUTEX_STALLED};
  return 0;
}

int pthread_mutexattr_destroy(pthread_mutexattr_t *attributes) {
  (void)attributes;
  return 0;
}

int pthread_mutexattr_settype(pthread_mutexattr_t *attributes, int type) {
  if (type < PTHREAD_MUTEX_ERRORCHECK || type > PTHREAD_MUTEX_NORMAL) return EINVAL;
  attributes->type = type;
  return 0;
}

int pthread_mutexattr_gettype(const pthread_mutexattr_t *attributes, int *type) {
  *type = attributes->type;
  return 0;
}

int pthread_mutexattr_setpshared(pthread_mutexattr_t *attributes, int is_shared) {
  if (is_shared != PTHREAD_PROCESS_PRIVATE && is_shared != PTHREAD_PROCESS_SHARED) return EINVAL;
  attributes->is_shared = is_shared;
  return 0;
}

int pthread_mutexattr_getpshared(const pthread_mutexattr_t *attributes, int *is_shared) {
  *is_shared = attributes->is_shared;
  return 0;
}

int pthread_mutexattr_setrobust(pthread_mutexattr_t *attributes, int is_robust) {
  if (is_robust != PTHREAD_MUTEX_STALLED && is_robust != PTHREAD_MUTEX_ROBUST) return EINVAL;
  attributes->is_robust = is_robust;
  return 0;
}

int pthread_mutexattr_getrobust(const pthread_mutexattr_t *attributes, int *is_robust) {
  *is_robust = attributes->is_robust;
  return 0;
}

// MARK: Spin locks. There is one processor: who finds one taken gives the processor up.

int pthread_spin_init(pthread_spinlock_t *lock, int is_shared) {
  (void)is_shared;
  lock->owner = 0;
  return 0;
}

int pthread_spin_destroy(pthread_spinlock_t *lock) {
  (void)lock;
  return 0;
}

int pthread_spin_trylock(pthread_spinlock_t *lock) {
  unsigned owner = 0;
  return __atomic_compare_exchange_n(&lock->owner, &owner, own_identifier(), 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
             ? 0
             : EBUSY;
}

int pthread_spin_lock(pthread_spinlock_t *lock) {
  while (pthread_spin_trylock(lock) != 0) sched_yield();
  return 0;
}

int pthread_spin_unlock(pthread_spinlock_t *lock) {
  __atomic_store_n(&lock->owner, 0, __ATOMIC_RELEASE);
  return 0;
}
