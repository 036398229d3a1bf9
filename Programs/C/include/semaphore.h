// semaphore.h: semaphores without names, made of _umtx_op(2) (semaphores.c). One that is initialised with a second argument other
// than 0 works between processes, in memory that they share. There is no sem_open(3): there is no file system for its names.
#pragma once

#include <limits.h>
#include <sys/umtx.h>

typedef struct {
  struct _usem2 count;
  unsigned int magic;
  unsigned int spare;
} sem_t;

__BEGIN_DECLS
int sem_init(sem_t *, int, unsigned int);
int sem_destroy(sem_t *);
int sem_wait(sem_t *);
int sem_trywait(sem_t *);
int sem_timedwait(sem_t *, const struct timespec *);
int sem_post(sem_t *);
int sem_getvalue(sem_t *, int *);
__END_DECLS
