// pthread.h: threads and what they wait for, made of thr_new(2) and _umtx_op(2) (threads.c, mutexes.c, conditions.c …).
//
// The types are this library's own, and not those of FreeBSD's libthr, whose locks are pointers: they lie where the program puts
// them, and work between processes, in memory that they share, when their attributes say so. There is no pthread_cancel(3), no
// priority protocol and no pthread_atfork(3). A thread's stack has 256 KiB unless its attributes say otherwise.
// As on FreeBSD, a mutex of no other type gives EDEADLK to a thread that owns it already.
#pragma once

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/cdefs.h>
#include <sys/umtx.h>
#include <time.h>

typedef struct pthread *pthread_t;
typedef int pthread_key_t;

typedef struct {
  size_t stack_size, guard_size;
  void *stack;
  int detach_state;
} pthread_attr_t;

typedef struct {
  volatile unsigned int state;
} pthread_once_t;

typedef struct {
  struct umutex lock;
  unsigned int type;
  // How often its owner locked it beyond the first time.
  unsigned int depth;
} pthread_mutex_t;

typedef struct {
  int type, is_shared, is_robust;
} pthread_mutexattr_t;

typedef struct {
  struct ucond condition;
} pthread_cond_t;

typedef struct {
  clockid_t clock;
  int is_shared;
} pthread_condattr_t;

typedef struct {
  struct urwlock lock;
  // The thread that has it for writing, or 0.
  volatile unsigned int writer;
  unsigned int spare;
} pthread_rwlock_t;

typedef struct {
  int is_shared;
} pthread_rwlockattr_t;

typedef struct {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  unsigned int count, waiting, cycle, leaving;
} pthread_barrier_t;

typedef struct {
  int is_shared;
} pthread_barrierattr_t;

typedef struct {
  volatile unsigned int owner;
} pthread_spinlock_t;

#define PTHREAD_CREATE_JOINABLE 0
#define PTHREAD_CREATE_DETACHED 1
#define PTHREAD_PROCESS_PRIVATE 0
#define PTHREAD_PROCESS_SHARED 1
#define PTHREAD_MUTEX_ERRORCHECK 1
#define PTHREAD_MUTEX_RECURSIVE 2
#define PTHREAD_MUTEX_NORMAL 3
#define PTHREAD_MUTEX_DEFAULT PTHREAD_MUTEX_ERRORCHECK
#define PTHREAD_MUTEX_STALLED 0
#define PTHREAD_MUTEX_ROBUST 1
#define PTHREAD_BARRIER_SERIAL_THREAD (-1)

#define PTHREAD_ONCE_INIT {0}
#define PTHREAD_MUTEX_INITIALIZER {{0, 0, {0, 0}, 0, {0, 0}}, PTHREAD_MUTEX_DEFAULT, 0}
#define PTHREAD_COND_INITIALIZER {{0, 0, 0, 0}}
#define PTHREAD_RWLOCK_INITIALIZER {{0, 0, 0, 0, {0, 0, 0, 0}}, 0, 0}

// What runs when a thread ends between the two.
struct pthread_cleanup {
  void (*run)(void *);
  void *argument;
  struct pthread_cleanup *outer;
};
#define pthread_cleanup_push(function, value)                                       \
  {                                                                                 \
    struct pthread_cleanup pthread_cleanup_entry = {(function), (value), NULL};     \
    __pthread_cleanup_enter(&pthread_cleanup_entry)
#define pthread_cleanup_pop(is_run)                       \
  __pthread_cleanup_leave(&pthread_cleanup_entry, (is_run)); \
  }

__BEGIN_DECLS
int pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
void pthread_exit(void *) __dead2;
int pthread_join(pthread_t, void **);
int pthread_detach(pthread_t);
pthread_t pthread_self(void);
int pthread_equal(pthread_t, pthread_t);
int pthread_getthreadid_np(void);
int pthread_setname_np(pthread_t, const char *);
void pthread_set_name_np(pthread_t, const char *);
int pthread_kill(pthread_t, int);
int pthread_sigmask(int, const sigset_t *, sigset_t *);
void pthread_yield(void);
void __pthread_cleanup_enter(struct pthread_cleanup *);
void __pthread_cleanup_leave(struct pthread_cleanup *, int);

int pthread_attr_init(pthread_attr_t *);
int pthread_attr_destroy(pthread_attr_t *);
int pthread_attr_setdetachstate(pthread_attr_t *, int);
int pthread_attr_getdetachstate(const pthread_attr_t *, int *);
int pthread_attr_setstacksize(pthread_attr_t *, size_t);
int pthread_attr_getstacksize(const pthread_attr_t *, size_t *);
int pthread_attr_setguardsize(pthread_attr_t *, size_t);
int pthread_attr_getguardsize(const pthread_attr_t *, size_t *);
int pthread_attr_setstack(pthread_attr_t *, void *, size_t);
int pthread_attr_getstack(const pthread_attr_t *, void **, size_t *);

int pthread_once(pthread_once_t *, void (*)(void));
int pthread_key_create(pthread_key_t *, void (*)(void *));
int pthread_key_delete(pthread_key_t);
void *pthread_getspecific(pthread_key_t);
int pthread_setspecific(pthread_key_t, const void *);

int pthread_mutex_init(pthread_mutex_t *, const pthread_mutexattr_t *);
int pthread_mutex_destroy(pthread_mutex_t *);
int pthread_mutex_lock(pthread_mutex_t *);
int pthread_mutex_trylock(pthread_mutex_t *);
int pthread_mutex_timedlock(pthread_mutex_t *, const struct timespec *);
int pthread_mutex_unlock(pthread_mutex_t *);
int pthread_mutexattr_init(pthread_mutexattr_t *);
int pthread_mutexattr_destroy(pthread_mutexattr_t *);
int pthread_mutexattr_settype(pthread_mutexattr_t *, int);
int pthread_mutexattr_gettype(const pthread_mutexattr_t *, int *);
int pthread_mutexattr_setpshared(pthread_mutexattr_t *, int);
int pthread_mutexattr_getpshared(const pthread_mutexattr_t *, int *);
// A robust mutex whose owner ended while it had it gives EOWNERDEAD to the next, who has it then, and may say that what it guards
// is in order again; otherwise nobody gets it any more (ENOTRECOVERABLE).
int pthread_mutexattr_setrobust(pthread_mutexattr_t *, int);
int pthread_mutexattr_getrobust(const pthread_mutexattr_t *, int *);
int pthread_mutex_consistent(pthread_mutex_t *);

int pthread_cond_init(pthread_cond_t *, const pthread_condattr_t *);
int pthread_cond_destroy(pthread_cond_t *);
int pthread_cond_wait(pthread_cond_t *, pthread_mutex_t *);
int pthread_cond_timedwait(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
int pthread_cond_signal(pthread_cond_t *);
int pthread_cond_broadcast(pthread_cond_t *);
int pthread_condattr_init(pthread_condattr_t *);
int pthread_condattr_destroy(pthread_condattr_t *);
int pthread_condattr_setclock(pthread_condattr_t *, clockid_t);
int pthread_condattr_getclock(const pthread_condattr_t *, clockid_t *);
int pthread_condattr_setpshared(pthread_condattr_t *, int);
int pthread_condattr_getpshared(const pthread_condattr_t *, int *);

int pthread_rwlock_init(pthread_rwlock_t *, const pthread_rwlockattr_t *);
int pthread_rwlock_destroy(pthread_rwlock_t *);
int pthread_rwlock_rdlock(pthread_rwlock_t *);
int pthread_rwlock_tryrdlock(pthread_rwlock_t *);
int pthread_rwlock_timedrdlock(pthread_rwlock_t *, const struct timespec *);
int pthread_rwlock_wrlock(pthread_rwlock_t *);
int pthread_rwlock_trywrlock(pthread_rwlock_t *);
int pthread_rwlock_timedwrlock(pthread_rwlock_t *, const struct timespec *);
int pthread_rwlock_unlock(pthread_rwlock_t *);
int pthread_rwlockattr_init(pthread_rwlockattr_t *);
int pthread_rwlockattr_destroy(pthread_rwlockattr_t *);
int pthread_rwlockattr_setpshared(pthread_rwlockattr_t *, int);
int pthread_rwlockattr_getpshared(const pthread_rwlockattr_t *, int *);

int pthread_barrier_init(pthread_barrier_t *, const pthread_barrierattr_t *, unsigned);
int pthread_barrier_destroy(pthread_barrier_t *);
int pthread_barrier_wait(pthread_barrier_t *);
int pthread_barrierattr_init(pthread_barrierattr_t *);
int pthread_barrierattr_destroy(pthread_barrierattr_t *);
int pthread_barrierattr_setpshared(pthread_barrierattr_t *, int);
int pthread_barrierattr_getpshared(const pthread_barrierattr_t *, int *);

int pthread_spin_init(pthread_spinlock_t *, int);
int pthread_spin_destroy(pthread_spinlock_t *);
int pthread_spin_lock(pthread_spinlock_t *);
int pthread_spin_trylock(pthread_spinlock_t *);
int pthread_spin_unlock(pthread_spinlock_t *);
__END_DECLS
