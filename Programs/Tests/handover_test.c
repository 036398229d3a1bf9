// handover_test [handovers=N]: a mutex, a condition variable, a lock of readers and writers, and semaphores in one shared object,
// which two processes show at different addresses, with four threads each. Each kind is handed over N/4 times from one thread to
// another (40,000 in all unless told otherwise; `make handovers` does a million): none may be lost, nobody may be inside with
// another, and who waits all the time uses no processor time. Best with turns as short as there are (`turn=20`).

#include "threads.h"

#include <sys/time.h>

enum { threads_per_process = 4, processes = 2, all = threads_per_process * processes };

struct shared {
  struct umutex mutex;
  struct ucond conditions[all];
  struct urwlock lock;
  struct _usem2 semaphores[all];
  volatile uint64_t count, inside, violations, turn, last, left, right, over;
  volatile uint64_t entered[all];
  // What is never free while the others run.
  struct umutex held_mutex, outer_mutex;
  struct ucond held_condition;
  struct urwlock held_lock;
  struct _usem2 held_semaphore;
};

static struct shared *shared;
static struct worker workers[threads_per_process];
static uint64_t wanted;

static uint64_t thread_time(void) {
  struct timespec time = {0, 0};
  kernel(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, (long)&time, 0, 0, 0);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void require(int condition) {
  if (!condition) __atomic_add_fetch(&shared->violations, 1, __ATOMIC_SEQ_CST);
}

static void lock(struct umutex *mutex, uint32_t own) {
  for (;;) {
    uint32_t owner = UMUTEX_UNOWNED;
    if (__atomic_compare_exchange_n(&mutex->m_owner, &owner, own, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
    owner = UMUTEX_CONTESTED;
    if (__atomic_compare_exchange_n(&mutex->m_owner, &owner, own | UMUTEX_CONTESTED, 0, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
      return;
    require(umtx(mutex, UMTX_OP_MUTEX_WAIT, 0, NULL, NULL) == 0);
  }
}

static void unlock(struct umutex *mutex) {
  uint32_t owner = mutex->m_owner;
  while (!__atomic_compare_exchange_n(&mutex->m_owner, &owner, UMUTEX_UNOWNED, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
    continue;
  if (owner & UMUTEX_CONTESTED) umtx(mutex, UMTX_OP_MUTEX_WAKE2, mutex->m_flags, NULL, NULL);
}

static void take(struct _usem2 *semaphore) {
  for (;;) {
    uint32_t count = semaphore->_count;
    while ((count & ~USEM_HAS_WAITERS) != 0)
      if (__atomic_compare_exchange_n(&semaphore->_count, &count, count - 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    require(umtx(semaphore, UMTX_OP_SEM2_WAIT, 0, NULL, NULL) == 0);
  }
}

static void give(struct _usem2 *semaphore) {
  uint32_t before = __atomic_fetch_add(&semaphore->_count, 1, __ATOMIC_RELEASE);
  if (before & USEM_HAS_WAITERS) umtx(semaphore, UMTX_OP_SEM2_WAKE, 0, NULL, NULL);
}

static void enter(long number) {
  require(__atomic_add_fetch(&shared->inside, 1, __ATOMIC_SEQ_CST) == 1);
  shared->entered[number]++;
}

static void leave(void) { __atomic_sub_fetch(&shared->inside, 1, __ATOMIC_SEQ_CST); }

// Counts a hand-over if somebody else was inside before; whether there were enough.
static int hand_over(long number) {
  uint64_t count = shared->count;
  if (shared->last != (uint64_t)number + 1) count++;
  shared->last = (uint64_t)number + 1;
  shared->count = count;
  return count >= wanted;
}

static uint64_t next_random(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return *state >> 33;
}

// Any of the others.
static uint64_t choose(uint64_t *state, long number) {
  return ((uint64_t)number + 1 + next_random(state) % (all - 1)) % all;
}

static void yield(void) { kernel(SYS_sched_yield, 0, 0, 0, 0, 0); }

static void by_mutex(struct worker *worker) {
  uint32_t own = self();
  uint64_t random = (uint64_t)worker->number;
  for (int over = 0; !over;) {
    lock(&shared->mutex, own);
    enter(worker->number);
    over = shared->over;
    if (!over && hand_over(worker->number)) shared->over = 1;
    if (next_random(&random) % 4 == 0) yield();
    leave();
    unlock(&shared->mutex);
    if (next_random(&random) % 2 == 0) yield();
  }
}

static void by_condition(struct worker *worker) {
  uint32_t own = self();
  uint64_t random = (uint64_t)worker->number;
  lock(&shared->mutex, own);
  while (!shared->over) {
    if (shared->turn != (uint64_t)worker->number) {
      require(umtx(&shared->conditions[worker->number], UMTX_OP_CV_WAIT, 0, &shared->mutex, NULL) == 0);
      lock(&shared->mutex, own);
      continue;
    }
    enter(worker->number);
    shared->over = (uint64_t)hand_over(worker->number);
    shared->turn = choose(&random, worker->number);
    leave();
    for (uint64_t number = 0; number < all; number++)
      if ((number == shared->turn || shared->over) && shared->conditions[number].c_has_waiters)
        umtx(&shared->conditions[number], UMTX_OP_CV_SIGNAL, 0, NULL, NULL);
  }
  unlock(&shared->mutex);
}

static void by_lock(struct worker *worker) {
  uint64_t random = (uint64_t)worker->number;
  for (int over = 0; !over;) {
    int writes = next_random(&random) % 2 == 0;
    require(umtx(&shared->lock, writes ? UMTX_OP_RW_WRLOCK : UMTX_OP_RW_RDLOCK, 0, NULL, NULL) == 0);
    over = (int)shared->over;
    if (writes) {
      enter(worker->number);
      shared->left++;
      if (!over && hand_over(worker->number)) shared->over = 1;
      if (next_random(&random) % 4 == 0) yield();
      shared->right++;
      leave();
    } else {
      uint64_t left = shared->left;
      if (next_random(&random) % 4 == 0) yield();
      require(left == shared->right && shared->inside == 0);
    }
    require(umtx(&shared->lock, UMTX_OP_RW_UNLOCK, 0, NULL, NULL) == 0);
    if (next_random(&random) % 2 == 0) yield();
  }
}

static void by_semaphore(struct worker *worker) {
  uint64_t random = (uint64_t)worker->number;
  for (;;) {
    take(&shared->semaphores[worker->number]);
    if (shared->over) return;
    enter(worker->number);
    shared->over = (uint64_t)hand_over(worker->number);
    uint64_t next = choose(&random, worker->number);
    leave();
    if (!shared->over) give(&shared->semaphores[next]);
    else
      for (int number = 0; number < all; number++) give(&shared->semaphores[number]);
  }
}

static void run_threads(int process, void (*run)(struct worker *)) {
  for (long number = 0; number < threads_per_process; number++)
    start_worker(&workers[number], process * threads_per_process + number, run);
  for (long number = 0; number < threads_per_process; number++) join_worker(&workers[number]);
}

// MARK: Who waits all the time

static struct worker waiters[4];
static volatile int waiting;

static void waits(struct worker *worker) {
  uint32_t own = self();
  if (worker->number == 1) lock(&shared->outer_mutex, own);
  __atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
  uint64_t before = thread_time();
  switch (worker->number) {
    case 0: require(umtx(&shared->held_mutex, UMTX_OP_MUTEX_LOCK, 0, NULL, NULL) == 0); break;
    case 1: require(umtx(&shared->held_condition, UMTX_OP_CV_WAIT, 0, &shared->outer_mutex, NULL) == 0); break;
    case 2: require(umtx(&shared->held_lock, UMTX_OP_RW_RDLOCK, 0, NULL, NULL) == 0); break;
    default: require(umtx(&shared->held_semaphore, UMTX_OP_SEM2_WAIT, 0, NULL, NULL) == 0);
  }
  worker->result = thread_time() - before;
}

static void begin_waiting(void) {
  CHECK_EQUAL(umtx(&shared->held_mutex, UMTX_OP_MUTEX_LOCK, 0, NULL, NULL), 0);
  CHECK_EQUAL(umtx(&shared->held_lock, UMTX_OP_RW_WRLOCK, 0, NULL, NULL), 0);
  for (long number = 0; number < 4; number++) start_worker(&waiters[number], number, waits);
  struct timespec shortly = {0, 2000000};
  while (waiting < 4) nanosleep(&shortly, NULL);
  nanosleep(&shortly, NULL);
}

static void end_waiting(void) {
  CHECK_EQUAL(umtx(&shared->held_mutex, UMTX_OP_MUTEX_UNLOCK, 0, NULL, NULL), 0);
  CHECK_EQUAL(umtx(&shared->held_condition, UMTX_OP_CV_SIGNAL, 0, NULL, NULL), 0);
  CHECK_EQUAL(umtx(&shared->held_lock, UMTX_OP_RW_UNLOCK, 0, NULL, NULL), 0);
  give(&shared->held_semaphore);
  for (int number = 0; number < 4; number++) {
    join_worker(&waiters[number]);
    if (waiters[number].result > 100000) check_failed(__FILE__, __LINE__, "%lu ns of waiting", waiters[number].result);
  }
}

static void share_flags(void) {
  shared->mutex.m_flags = shared->held_mutex.m_flags = shared->outer_mutex.m_flags = USYNC_PROCESS_SHARED;
  shared->lock.rw_flags = shared->held_lock.rw_flags = shared->held_condition.c_flags = USYNC_PROCESS_SHARED;
  shared->held_semaphore._flags = USYNC_PROCESS_SHARED;
  for (int number = 0; number < all; number++)
    shared->conditions[number].c_flags = shared->semaphores[number]._flags = USYNC_PROCESS_SHARED;
  shared->semaphores[0]._count = 1;
}

static void hand_over_between_two_processes(void (*run)(struct worker *)) {
  wanted = 10000;
  for (int index = 1; index < check_argument_count; index++)
    if (strncmp(check_arguments[index], "handovers=", 10) == 0)
      wanted = (uint64_t)strtoul(check_arguments[index] + 10, NULL, 10) / 4;
  // What is lost leaves everybody asleep.
  struct itimerval limit = {{0, 0}, {3600, 0}};
  CHECK_EQUAL(setitimer(ITIMER_REAL, &limit, NULL), 0);
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, 2 * PAGE_SIZE), 0);
  char *memory = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  shared = (struct shared *)(memory + PAGE_SIZE);
  share_flags();
  begin_waiting();
  pid_t child = fork();
  if (child == 0) {
    struct shared *other = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, PAGE_SIZE);
    CHECK(other != MAP_FAILED && other != shared);
    CHECK_EQUAL(munmap(memory, 2 * PAGE_SIZE), 0);
    shared = other;
    run_threads(1, run);
    _exit(0);
  }
  run_threads(0, run);
  CHECK_EQUAL(check_wait(child), 0);
  end_waiting();
  CHECK_EQUAL(shared->violations, 0);
  CHECK_EQUAL(shared->count, wanted);
  CHECK_EQUAL(shared->left, shared->right);
  for (int number = 0; number < all; number++) CHECK(shared->entered[number] > 0);
}

TEST(a_mutex_is_handed_over) { hand_over_between_two_processes(by_mutex); }

TEST(a_condition_variable_hands_over) { hand_over_between_two_processes(by_condition); }

TEST(a_lock_of_readers_and_writers_is_handed_over) { hand_over_between_two_processes(by_lock); }

TEST(semaphores_hand_over) { hand_over_between_two_processes(by_semaphore); }
