// semaphores.c: semaphores without names (semaphore.h).

#include "library.h"

#include <errno.h>
#include <semaphore.h>

enum { MAGIC = 0x73656d31 };

static int fail(int error) {
  errno = error;
  return -1;
}

int sem_init(sem_t *semaphore, int is_shared, unsigned int value) {
  if (value > SEM_VALUE_MAX) return fail(EINVAL);
  *semaphore = (sem_t){{value, is_shared ? USYNC_PROCESS_SHARED : 0}, MAGIC, 0};
  return 0;
}

int sem_destroy(sem_t *semaphore) {
  if (semaphore->magic != MAGIC) return fail(EINVAL);
  semaphore->magic = 0;
  return 0;
}

int sem_getvalue(sem_t *semaphore, int *value) {
  if (semaphore->magic != MAGIC) return fail(EINVAL);
  *value = (int)(semaphore->count._count & ~USEM_HAS_WAITERS);
  return 0;
}

int sem_trywait(sem_t *semaphore) {
  if (semaphore->magic != MAGIC) return fail(EINVAL);
  uint32_t count = semaphore->count._count;
  while ((count & ~USEM_HAS_WAITERS) != 0)
    if (__atomic_compare_exchange_n(&semaphore->count._count, &count, count - 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      return 0;
  return fail(EAGAIN);
}

static int take_until(sem_t *semaphore, const struct timespec *until) {
  for (;;) {
    if (sem_trywait(semaphore) == 0) return 0;
    if (errno != EAGAIN) return -1;
    if (until && check_time(until) != 0) return fail(EINVAL);
    int error = wait_until(&semaphore->count, UMTX_OP_SEM2_WAIT, 0, CLOCK_REALTIME, until);
    if (error != 0) return fail(error);
  }
}

int sem_wait(sem_t *semaphore) { return take_until(semaphore, NULL); }

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
  return take_until(semaphore, until);
}

int sem_post(sem_t *semaphore) {
  if (semaphore->magic != MAGIC) return fail(EINVAL);
  uint32_t count = semaphore->count._count;
  do
    if ((count & ~USEM_HAS_WAITERS) == SEM_VALUE_MAX) return fail(EOVERFLOW);
  while (!__atomic_compare_exchange_n(&semaphore->count._count, &count, count + 1, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
  if (count & USEM_HAS_WAITERS) wait_on(&semaphore->count, UMTX_OP_SEM2_WAKE, 0, NULL, NULL);
  return 0;
}
