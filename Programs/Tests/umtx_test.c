// umtx_test: locks in one shared object that two processes, with several threads each, show at different addresses. Every
// hand-over is counted: none may be lost, and nobody may be inside with another.

#include "threads.h"

enum { threads_per_process = 3, processes = 2, rounds = 300, slots = 4 };

struct shared {
  struct umutex mutex;
  struct umutex kernel_mutex;
  struct ucond condition;
  struct urwlock lock;
  struct _usem2 filled, empty;
  volatile uint64_t count, inside, violations, ready;
  volatile uint64_t turn;
  volatile uint64_t produced, consumed;
  volatile uint64_t left, right;
};

static struct shared *shared;
static struct worker workers[threads_per_process];

// As libthr does it: compare and exchange, and the kernel where others are in the way.
static void lock(struct umutex *mutex) {
  uint32_t own = self();
  for (;;) {
    uint32_t owner = UMUTEX_UNOWNED;
    if (__atomic_compare_exchange_n(&mutex->m_owner, &owner, own, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
    owner = UMUTEX_CONTESTED;
    if (__atomic_compare_exchange_n(&mutex->m_owner, &owner, own | UMUTEX_CONTESTED, 0, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
      return;
    umtx(mutex, UMTX_OP_MUTEX_WAIT, 0, NULL, NULL);
  }
}

static void unlock(struct umutex *mutex) {
  uint32_t owner = mutex->m_owner;
  while (!__atomic_compare_exchange_n(&mutex->m_owner, &owner, UMUTEX_UNOWNED, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
    continue;
  if (owner & UMUTEX_CONTESTED) umtx(mutex, UMTX_OP_MUTEX_WAKE2, mutex->m_flags, NULL, NULL);
}

// Some time inside, long enough that others meet it.
static void linger(uint64_t round) {
  if (round % 7 == 0) kernel(SYS_sched_yield, 0, 0, 0, 0, 0);
}

static void enter(void) {
  if (__atomic_add_fetch(&shared->inside, 1, __ATOMIC_SEQ_CST) != 1) shared->violations++;
}

static void leave(void) { __atomic_sub_fetch(&shared->inside, 1, __ATOMIC_SEQ_CST); }

static void uses_mutex(struct worker *worker) {
  for (uint64_t round = 0; round < rounds; round++) {
    lock(&shared->mutex);
    enter();
    uint64_t count = shared->count;
    linger(round + (uint64_t)worker->number);
    shared->count = count + 1;
    leave();
    unlock(&shared->mutex);
  }
}

static void uses_kernel_mutex(struct worker *worker) {
  for (uint64_t round = 0; round < rounds; round++) {
    if (umtx(&shared->kernel_mutex, UMTX_OP_MUTEX_LOCK, 0, NULL, NULL) != 0) shared->violations++;
    enter();
    uint64_t count = shared->count;
    linger(round + (uint64_t)worker->number);
    shared->count = count + 1;
    leave();
    if (umtx(&shared->kernel_mutex, UMTX_OP_MUTEX_UNLOCK, 0, NULL, NULL) != 0) shared->violations++;
  }
}

// Everybody has a turn in order; who has it gives it to the next.
static void takes_turns(struct worker *worker) {
  for (uint64_t round = 0; round < rounds / 3; round++) {
    lock(&shared->mutex);
    while (shared->turn % (processes * threads_per_process) != (uint64_t)worker->number) {
      long error = umtx(&shared->condition, UMTX_OP_CV_WAIT, 0, &shared->mutex, NULL);
      if (error != 0) shared->violations++;
      lock(&shared->mutex);
    }
    shared->turn++;
    shared->count++;
    if (shared->condition.c_has_waiters) umtx(&shared->condition, UMTX_OP_CV_BROADCAST, 0, NULL, NULL);
    unlock(&shared->mutex);
  }
}

static void reads_and_writes(struct worker *worker) {
  for (uint64_t round = 0; round < rounds; round++) {
    if ((round + (uint64_t)worker->number) % 3 == 0) {
      if (umtx(&shared->lock, UMTX_OP_RW_WRLOCK, 0, NULL, NULL) != 0) shared->violations++;
      enter();
      shared->left++;
      linger(round);
      shared->right++;
      shared->count++;
      leave();
    } else {
      if (umtx(&shared->lock, UMTX_OP_RW_RDLOCK, 0, NULL, NULL) != 0) shared->violations++;
      uint64_t left = shared->left;
      linger(round);
      if (left != shared->right) shared->violations++;
    }
    if (umtx(&shared->lock, UMTX_OP_RW_UNLOCK, 0, NULL, NULL) != 0) shared->violations++;
  }
}

static void take(struct _usem2 *semaphore) {
  for (;;) {
    uint32_t count = semaphore->_count;
    while ((count & ~USEM_HAS_WAITERS) != 0)
      if (__atomic_compare_exchange_n(&semaphore->_count, &count, count - 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    if (umtx(semaphore, UMTX_OP_SEM2_WAIT, 0, NULL, NULL) != 0) shared->violations++;
  }
}

static void give(struct _usem2 *semaphore) {
  uint32_t before = __atomic_fetch_add(&semaphore->_count, 1, __ATOMIC_RELEASE);
  if (before & USEM_HAS_WAITERS) umtx(semaphore, UMTX_OP_SEM2_WAKE, 0, NULL, NULL);
}

// The threads of the first process fill, those of the second empty.
static void fills_or_empties(struct worker *worker) {
  for (uint64_t round = 0; round < rounds; round++) {
    if (worker->number < threads_per_process) {
      take(&shared->empty);
      __atomic_add_fetch(&shared->produced, 1, __ATOMIC_SEQ_CST);
      give(&shared->filled);
    } else {
      take(&shared->filled);
      uint64_t consumed = __atomic_add_fetch(&shared->consumed, 1, __ATOMIC_SEQ_CST);
      if (consumed > shared->produced) shared->violations++;
      give(&shared->empty);
    }
    __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
  }
}

static void run_threads(int process, void (*run)(struct worker *)) {
  for (long number = 0; number < threads_per_process; number++)
    start_worker(&workers[number], process * threads_per_process + number, run);
  for (long number = 0; number < threads_per_process; number++) join_worker(&workers[number]);
}

// Runs the threads of both processes, and checks how often they were inside.
static void run_in_two_processes(void (*run)(struct worker *), uint64_t expected) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, 2 * PAGE_SIZE), 0);
  char *memory = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  shared = (struct shared *)(memory + PAGE_SIZE);
  shared->mutex.m_flags = shared->kernel_mutex.m_flags = USYNC_PROCESS_SHARED;
  shared->condition.c_flags = shared->lock.rw_flags = USYNC_PROCESS_SHARED;
  shared->filled._flags = shared->empty._flags = USYNC_PROCESS_SHARED;
  shared->empty._count = slots;
  pid_t child = fork();
  if (child == 0) {
    // The same object from another page on, elsewhere.
    struct shared *other = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, PAGE_SIZE);
    CHECK(other != MAP_FAILED && other != shared);
    CHECK_EQUAL(munmap(memory, 2 * PAGE_SIZE), 0);
    shared = other;
    run_threads(1, run);
    _exit(0);
  }
  run_threads(0, run);
  CHECK_EQUAL(check_wait(child), 0);
  CHECK_EQUAL(shared->violations, 0);
  CHECK_EQUAL(shared->count, expected);
}

enum { all = processes * threads_per_process };

TEST(a_mutex_of_two_processes) { run_in_two_processes(uses_mutex, all * rounds); }

TEST(a_mutex_that_the_kernel_locks) { run_in_two_processes(uses_kernel_mutex, all * rounds); }

TEST(turns_by_a_condition_variable) { run_in_two_processes(takes_turns, all * (rounds / 3)); }

TEST(readers_and_writers) { run_in_two_processes(reads_and_writes, all * (rounds / 3)); }

TEST(filled_and_empty_slots) { run_in_two_processes(fills_or_empties, all * rounds); }

static void dies(struct worker *worker) {
  static struct umutex *first;
  static struct umtx_robust_lists_params lists;
  first = &shared->mutex;
  lists.robust_list_offset = (uintptr_t)&first;
  worker->result = (uint64_t)umtx(NULL, UMTX_OP_ROBUST_LISTS, sizeof lists, &lists, NULL);
  if (umtx(&shared->mutex, UMTX_OP_MUTEX_LOCK, 0, NULL, NULL) != 0) worker->result |= 2;
  shared->ready = 1;
  for (;;) kernel(SYS_sched_yield, 0, 0, 0, 0, 0);
}

TEST(the_owner_of_a_robust_mutex_is_killed) {
  shared = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  shared->mutex.m_flags = USYNC_PROCESS_SHARED | UMUTEX_ROBUST;
  pid_t child = fork();
  if (child == 0) {
    start_worker(&workers[0], 0, dies);
    join_worker(&workers[0]);
  }
  while (!shared->ready) sched_yield();
  struct timespec shortly = {0, 20000000};
  CHECK_EQUAL(umtx(&shared->mutex, UMTX_OP_MUTEX_LOCK, 0, (void *)sizeof shortly, &shortly), -ETIMEDOUT);
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  CHECK_EQUAL(umtx(&shared->mutex, UMTX_OP_MUTEX_LOCK, 0, NULL, NULL), -EOWNERDEAD);
  CHECK_EQUAL(shared->mutex.m_owner, self() | UMUTEX_CONTESTED);
  check_wait(child);
}

static volatile uint32_t word;

static void wakes_later(struct worker *worker) {
  struct timespec shortly = {0, 20000000};
  kernel(SYS_nanosleep, (long)&shortly, 0, 0, 0, 0);
  word = 1;
  umtx(&word, UMTX_OP_WAKE_PRIVATE, 1, NULL, NULL);
  worker->result = 1;
}

TEST(a_sleeper_uses_no_processor_time) {
  start_worker(&workers[0], 0, wakes_later);
  struct timespec before, after;
  CHECK_EQUAL(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before), 0);
  CHECK_EQUAL(umtx(&word, UMTX_OP_WAIT_UINT_PRIVATE, 0, NULL, NULL), 0);
  CHECK_EQUAL(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after), 0);
  CHECK_EQUAL(word, 1);
  CHECK(after.tv_sec == before.tv_sec && after.tv_nsec - before.tv_nsec < 2000000);
  join_worker(&workers[0]);
}
