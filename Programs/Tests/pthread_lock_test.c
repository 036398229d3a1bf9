// Locks of the C library: pthread.h and semaphore.h, within a process and between processes.

#include "pthread_check.h"

static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static struct timespec after(clockid_t clock, long milliseconds) {
  struct timespec time;
  clock_gettime(clock, &time);
  time.tv_nsec += milliseconds * 1000000;
  time.tv_sec += time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

// MARK: Mutexes

static void *count_up(void *argument) {
  for (int round = 0; round < ROUNDS; round++) {
    pthread_mutex_lock(&mutex);
    long value = shared;
    if (round % 16 == (long)argument) sched_yield();
    shared = value + 1;
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

TEST(a_mutex_lets_one_thread_in) {
  run_all(THREADS, count_up);
  CHECK_EQUAL(shared, THREADS * ROUNDS);
}

static void *try_it(void *argument) {
  pthread_mutex_t *lock = argument;
  struct timespec soon = after(CLOCK_REALTIME, 5), none = {0, 1000000000};
  if (pthread_mutex_trylock(lock) != EBUSY) return (void *)1;
  if (pthread_mutex_unlock(lock) != EPERM) return (void *)2;
  if (pthread_mutex_timedlock(lock, &none) != EINVAL) return (void *)3;
  return pthread_mutex_timedlock(lock, &soon) == ETIMEDOUT ? NULL : (void *)4;
}

static void check_taken(pthread_mutex_t *lock) {
  pthread_t thread;
  void *result;
  CHECK_EQUAL(pthread_create(&thread, NULL, try_it, lock), 0);
  CHECK_EQUAL(pthread_join(thread, &result), 0);
  CHECK_EQUAL(result, 0);
}

TEST(types_of_mutexes) {
  pthread_mutexattr_t attributes;
  pthread_mutex_t recursive, normal, checked = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutexattr_init(&attributes);
  CHECK_EQUAL(pthread_mutexattr_settype(&attributes, 77), EINVAL);
  CHECK_EQUAL(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE), 0);
  CHECK_EQUAL(pthread_mutex_init(&recursive, &attributes), 0);
  CHECK_EQUAL(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_NORMAL), 0);
  CHECK_EQUAL(pthread_mutex_init(&normal, &attributes), 0);

  for (int round = 0; round < 3; round++) CHECK_EQUAL(pthread_mutex_lock(&recursive), 0);
  CHECK_EQUAL(pthread_mutex_trylock(&recursive), 0);
  for (int round = 0; round < 3; round++) CHECK_EQUAL(pthread_mutex_unlock(&recursive), 0);
  check_taken(&recursive);
  CHECK_EQUAL(pthread_mutex_destroy(&recursive), EBUSY);
  CHECK_EQUAL(pthread_mutex_unlock(&recursive), 0);
  CHECK_EQUAL(pthread_mutex_unlock(&recursive), EPERM);
  CHECK_EQUAL(pthread_mutex_destroy(&recursive), 0);

  CHECK_EQUAL(pthread_mutex_lock(&checked), 0);
  CHECK_EQUAL(pthread_mutex_lock(&checked), EDEADLK);
  CHECK_EQUAL(pthread_mutex_trylock(&checked), EBUSY);
  check_taken(&checked);

  CHECK_EQUAL(pthread_mutex_lock(&normal), 0);
  struct timespec soon = after(CLOCK_REALTIME, 5);
  CHECK_EQUAL(pthread_mutex_timedlock(&normal, &soon), ETIMEDOUT);
}

// MARK: Condition variables, barriers, locks, semaphores

static void *wait_for_turn(void *argument) {
  pthread_mutex_lock(&mutex);
  while (shared != (long)argument) pthread_cond_wait(&condition, &mutex);
  shared++;
  pthread_cond_broadcast(&condition);
  pthread_mutex_unlock(&mutex);
  return NULL;
}

TEST(condition_variables) {
  run_all(THREADS, wait_for_turn);
  CHECK_EQUAL(shared, THREADS);
  pthread_condattr_t attributes;
  pthread_cond_t monotonic;
  pthread_condattr_init(&attributes);
  CHECK_EQUAL(pthread_condattr_setclock(&attributes, 99), EINVAL);
  CHECK_EQUAL(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC), 0);
  CHECK_EQUAL(pthread_cond_init(&monotonic, &attributes), 0);
  struct timespec soon = after(CLOCK_MONOTONIC, 10), now;
  CHECK_EQUAL(pthread_cond_timedwait(&monotonic, &mutex, &soon), EPERM);
  pthread_mutex_lock(&mutex);
  CHECK_EQUAL(pthread_cond_timedwait(&monotonic, &mutex, &soon), ETIMEDOUT);
  clock_gettime(CLOCK_MONOTONIC, &now);
  CHECK(now.tv_sec > soon.tv_sec || (now.tv_sec == soon.tv_sec && now.tv_nsec >= soon.tv_nsec));
  CHECK_EQUAL(pthread_mutex_unlock(&mutex), 0);
}

static pthread_barrier_t barrier;
static volatile int last;
static void *meet(void *argument) {
  (void)argument;
  for (int round = 1; round <= 20; round++) {
    __atomic_add_fetch(&shared, 1, __ATOMIC_RELAXED);
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) last++;
    if (shared < round * THREADS) return (void *)1;
    pthread_barrier_wait(&barrier);
  }
  return NULL;
}

TEST(barriers) {
  CHECK_EQUAL(pthread_barrier_init(&barrier, NULL, 0), EINVAL);
  CHECK_EQUAL(pthread_barrier_init(&barrier, NULL, THREADS), 0);
  run_all(THREADS, meet);
  CHECK_EQUAL(last, 20);
  CHECK_EQUAL(pthread_barrier_destroy(&barrier), 0);
}

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static volatile int inside, writers;
static void *read_or_write(void *argument) {
  for (int round = 0; round < 100; round++) {
    if ((long)argument % 4 == 0) {
      pthread_rwlock_wrlock(&lock);
      if (inside || writers++) return (void *)1;
      if (round % 10 == 0) sched_yield();
      if (inside || --writers) return (void *)2;
    } else {
      pthread_rwlock_rdlock(&lock);
      __atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED);
      if (round % 10 == 0) sched_yield();
      if (writers) return (void *)3;
      __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
    }
    if (pthread_rwlock_unlock(&lock) != 0) return (void *)4;
  }
  return NULL;
}

TEST(locks_of_readers_and_writers) {
  run_all(THREADS, read_or_write);
  CHECK_EQUAL(pthread_rwlock_unlock(&lock), EPERM);
  CHECK_EQUAL(pthread_rwlock_wrlock(&lock), 0);
  CHECK_EQUAL(pthread_rwlock_wrlock(&lock), EDEADLK);
  CHECK_EQUAL(pthread_rwlock_rdlock(&lock), EDEADLK);
  CHECK_EQUAL(pthread_rwlock_tryrdlock(&lock), EBUSY);
  CHECK_EQUAL(pthread_rwlock_destroy(&lock), EBUSY);
  CHECK_EQUAL(pthread_rwlock_unlock(&lock), 0);
  CHECK_EQUAL(pthread_rwlock_rdlock(&lock), 0);
  CHECK_EQUAL(pthread_rwlock_tryrdlock(&lock), 0);
  struct timespec soon = after(CLOCK_REALTIME, 5);
  CHECK_EQUAL(pthread_rwlock_timedwrlock(&lock, &soon), ETIMEDOUT);
}

static pthread_spinlock_t spin;
static void *spin_up(void *argument) {
  for (int round = 0; round < 100; round++) {
    pthread_spin_lock(&spin);
    long value = shared;
    if (round % 16 == (long)argument) sched_yield();
    shared = value + 1;
    pthread_spin_unlock(&spin);
  }
  return NULL;
}

TEST(spin_locks) {
  run_all(THREADS, spin_up);
  CHECK_EQUAL(shared, THREADS * 100);
}

static sem_t items, places;
static void *produce_or_consume(void *argument) {
  for (int round = 0; round < 100; round++) {
    sem_t *taken = (long)argument % 2 ? &items : &places, *given = (long)argument % 2 ? &places : &items;
    if (sem_wait(taken) != 0 || sem_post(given) != 0) return (void *)1;
  }
  return NULL;
}

TEST(semaphores) {
  CHECK_EQUAL(sem_init(&items, 0, 0), 0);
  CHECK_EQUAL(sem_init(&places, 0, 3), 0);
  run_all(THREADS, produce_or_consume);
  int value = -1;
  CHECK_EQUAL(sem_getvalue(&places, &value), 0);
  CHECK_EQUAL(value, 3);
  CHECK_ERRNO(EAGAIN, sem_trywait(&items));
  struct timespec soon = after(CLOCK_REALTIME, 5), none = {0, -1};
  CHECK_ERRNO(ETIMEDOUT, sem_timedwait(&items, &soon));
  CHECK_ERRNO(EINVAL, sem_timedwait(&items, &none));
  CHECK_EQUAL(sem_destroy(&items), 0);
  CHECK_ERRNO(EINVAL, sem_post(&items));
  CHECK_ERRNO(EINVAL, sem_init(&items, 0, 1u << 31));
}

// MARK: Between processes

struct common {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  pthread_rwlock_t lock;
  pthread_barrier_t barrier;
  sem_t semaphore;
  volatile long count, guarded;
  volatile int turn;
};

TEST(everything_works_between_processes) {
  struct common *common = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(common != MAP_FAILED);
  pthread_mutexattr_t of_mutex;
  pthread_condattr_t of_condition;
  pthread_rwlockattr_t of_lock;
  pthread_barrierattr_t of_barrier;
  pthread_mutexattr_init(&of_mutex);
  pthread_condattr_init(&of_condition);
  pthread_rwlockattr_init(&of_lock);
  pthread_barrierattr_init(&of_barrier);
  CHECK_EQUAL(pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED), 0);
  CHECK_EQUAL(pthread_condattr_setpshared(&of_condition, PTHREAD_PROCESS_SHARED), 0);
  CHECK_EQUAL(pthread_rwlockattr_setpshared(&of_lock, PTHREAD_PROCESS_SHARED), 0);
  CHECK_EQUAL(pthread_barrierattr_setpshared(&of_barrier, PTHREAD_PROCESS_SHARED), 0);
  pthread_mutex_init(&common->mutex, &of_mutex);
  pthread_cond_init(&common->condition, &of_condition);
  pthread_rwlock_init(&common->lock, &of_lock);
  pthread_barrier_init(&common->barrier, &of_barrier, 2);
  sem_init(&common->semaphore, 1, 0);
  pid_t child = fork();
  CHECK(child >= 0);
  int self = child == 0;
  for (int round = 0; round < 50; round++) {
    pthread_mutex_lock(&common->mutex);
    while (common->turn != self) pthread_cond_wait(&common->condition, &common->mutex);
    long count = common->count;
    sched_yield();
    common->count = count + 1;
    common->turn = !self;
    pthread_cond_signal(&common->condition);
    pthread_mutex_unlock(&common->mutex);
    pthread_rwlock_wrlock(&common->lock);
    count = common->guarded;
    sched_yield();
    common->guarded = count + 1;
    pthread_rwlock_unlock(&common->lock);
    pthread_barrier_wait(&common->barrier);
    if (child == 0) sem_post(&common->semaphore);
    else CHECK_EQUAL(sem_wait(&common->semaphore), 0);
  }
  if (child == 0) _exit(0);
  CHECK_EQUAL(check_wait(child), 0);
  CHECK_EQUAL(common->count, 100);
  CHECK_EQUAL(common->guarded, 100);
}

static pthread_mutex_t *make_robust(int is_shared) {
  pthread_mutexattr_t attributes;
  pthread_mutex_t *robust = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  pthread_mutexattr_init(&attributes);
  CHECK_EQUAL(pthread_mutexattr_setrobust(&attributes, 7), EINVAL);
  CHECK_EQUAL(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
  CHECK_EQUAL(pthread_mutexattr_setpshared(&attributes, is_shared), 0);
  for (int index = 0; index < 3; index++) CHECK_EQUAL(pthread_mutex_init(&robust[index], &attributes), 0);
  return robust;
}

static void *die_with_locks(void *argument) {
  pthread_mutex_t *robust = argument;
  for (int index = 0; index < 3; index++) pthread_mutex_lock(&robust[index]);
  pthread_mutex_unlock(&robust[1]);
  return NULL;
}

static void check_inherited(pthread_mutex_t *robust) {
  CHECK_EQUAL(pthread_mutex_lock(&robust[1]), 0);
  CHECK_EQUAL(pthread_mutex_consistent(&robust[1]), EINVAL);
  CHECK_EQUAL(pthread_mutex_unlock(&robust[1]), 0);
  // One is put in order, the other is not.
  CHECK_EQUAL(pthread_mutex_lock(&robust[0]), EOWNERDEAD);
  CHECK_EQUAL(pthread_mutex_consistent(&robust[0]), 0);
  CHECK_EQUAL(pthread_mutex_unlock(&robust[0]), 0);
  CHECK_EQUAL(pthread_mutex_lock(&robust[0]), 0);
  CHECK_EQUAL(pthread_mutex_unlock(&robust[0]), 0);
  CHECK_EQUAL(pthread_mutex_trylock(&robust[2]), EOWNERDEAD);
  CHECK_EQUAL(pthread_mutex_unlock(&robust[2]), 0);
  CHECK_EQUAL(pthread_mutex_lock(&robust[2]), ENOTRECOVERABLE);
  CHECK_EQUAL(pthread_mutex_trylock(&robust[2]), ENOTRECOVERABLE);
}

TEST(robust_mutexes_of_threads_that_ended) {
  pthread_mutex_t *robust = make_robust(PTHREAD_PROCESS_PRIVATE);
  pthread_t thread;
  CHECK_EQUAL(pthread_create(&thread, NULL, die_with_locks, robust), 0);
  CHECK_EQUAL(pthread_join(thread, NULL), 0);
  check_inherited(robust);
}

TEST(robust_mutexes_of_processes_that_were_killed) {
  pthread_mutex_t *robust = make_robust(PTHREAD_PROCESS_SHARED);
  sem_t *ready = (sem_t *)(robust + 3);
  CHECK_EQUAL(sem_init(ready, 1, 0), 0);
  pid_t child = fork();
  if (child == 0) {
    die_with_locks(robust);
    sem_post(ready);
    for (;;) pause();
  }
  CHECK_EQUAL(sem_wait(ready), 0);
  // Somebody waits for it when its owner is killed.
  pid_t waiter = fork();
  if (waiter == 0) _exit(pthread_mutex_lock(&robust[0]) == EOWNERDEAD && pthread_mutex_consistent(&robust[0]) == 0 ? 0 : 1);
  usleep(20000);
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  check_wait(child);
  CHECK_EQUAL(check_wait(waiter), 0);
  // The waiter ended with it.
  check_inherited(robust);
}

static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static void *wait_and_die(void *argument) {
  struct timespec soon = after(CLOCK_REALTIME, 5);
  pthread_mutex_t *robust = argument;
  if (pthread_mutex_lock(robust) != 0) return (void *)1;
  return pthread_cond_timedwait(&never, robust, &soon) == ETIMEDOUT ? NULL : (void *)2;
}

TEST(a_robust_mutex_waits_for_conditions) {
  pthread_mutex_t *robust = make_robust(PTHREAD_PROCESS_PRIVATE);
  pthread_t thread;
  void *result;
  CHECK_EQUAL(pthread_create(&thread, NULL, wait_and_die, robust), 0);
  CHECK_EQUAL(pthread_join(thread, &result), 0);
  CHECK_EQUAL(result, 0);
  CHECK_EQUAL(pthread_mutex_lock(robust), EOWNERDEAD);
}
