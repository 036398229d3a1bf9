// libthr_test: the cases of FreeBSD's lib/libthr/tests about what threads wait for, under their names, over calls like those of
// libthr (pthreads.h). Documentation/Testing.md says which cases are not here, and why.

#include "pthreads.h"

// MARK: t_barrier

static struct barrier place;
static volatile int after_barrier;
static void meets(struct worker *worker) {
  __atomic_add_fetch(&shared, 1, __ATOMIC_SEQ_CST);
  int is_last = barrier_wait(&place);
  REQUIRE(shared == count);
  if (is_last) after_barrier++;
}

TEST(barrier) {
  place.count = count;
  run_all(count, meets);
  check_results(count);
  CHECK_EQUAL(after_barrier, 1);
}

// MARK: t_cond

static void signals_late(struct worker *worker) {
  REQUIRE(mutex_lock(&mutex) == 0);
  shared = 1;
  REQUIRE(mutex_unlock(&mutex) == 0);
  cond_signal(&condition);
}

static void signal_case(void (*run)(struct worker *)) {
  CHECK_EQUAL(mutex_lock(&mutex), 0);
  start_worker(&workers[0], 0, run);
  if (run == signals_late) pause_for(20);
  while (!shared) CHECK_EQUAL(cond_wait(&condition, &mutex), 0);
  CHECK_EQUAL(mutex.m_owner & ~UMUTEX_CONTESTED, self());
  CHECK_EQUAL(mutex_unlock(&mutex), 0);
  join_worker(&workers[0]);
  check_results(1);
}

static void signals_inside(struct worker *worker) {
  REQUIRE(mutex_lock(&mutex) == 0);
  shared = 1;
  cond_signal(&condition);
  REQUIRE(mutex_unlock(&mutex) == 0);
}

TEST(signal_delay_wait) { signal_case(signals_late); }
TEST(signal_before_unlock) { signal_case(signals_inside); }

TEST(signal_before_unlock_static_init) {
  mutex = (struct umutex){0};
  condition = (struct ucond){0};
  signal_case(signals_inside);
}

enum { exchanges = 1000 };
static void answers(struct worker *worker) {
  REQUIRE(mutex_lock(&mutex) == 0);
  for (int round = 0; round < exchanges; round++) {
    while (shared % 2 == 0) REQUIRE(cond_wait(&condition, &mutex) == 0);
    shared++;
    cond_signal(&condition);
  }
  REQUIRE(mutex_unlock(&mutex) == 0);
}

TEST(signal_wait_race) {
  start_worker(&workers[0], 0, answers);
  CHECK_EQUAL(mutex_lock(&mutex), 0);
  for (int round = 0; round < exchanges; round++) {
    shared++;
    cond_signal(&condition);
    while (shared % 2 == 1) CHECK_EQUAL(cond_wait(&condition, &mutex), 0);
  }
  CHECK_EQUAL(mutex_unlock(&mutex), 0);
  join_worker(&workers[0]);
  check_results(1);
  CHECK_EQUAL(shared, 2 * exchanges);
}

static void waits_shortly(struct worker *worker) {
  REQUIRE(mutex_lock(&mutex) == 0);
  struct timespec until = after(CLOCK_REALTIME, 10);
  int error = 0;
  while (!shared && error == 0) error = cond_timedwait(&condition, &mutex, &until);
  REQUIRE(error == 0 || error == ETIMEDOUT);
  REQUIRE((mutex.m_owner & ~UMUTEX_CONTESTED) == self());
  REQUIRE(mutex_unlock(&mutex) == 0);
}

TEST(cond_timedwait_race) {
  for (int round = 0; round < 20; round++) {
    shared = 0;
    start_worker(&workers[0], 0, waits_shortly);
    // About when its time is over.
    struct timespec time = {0, 9900000 + round * 10000};
    nanosleep(&time, NULL);
    CHECK_EQUAL(mutex_lock(&mutex), 0);
    shared = 1;
    cond_signal(&condition);
    CHECK_EQUAL(mutex_unlock(&mutex), 0);
    join_worker(&workers[0]);
    check_results(1);
    CHECK_EQUAL(condition.c_has_waiters, 0);
  }
}

static void waits_for_all(struct worker *worker) {
  REQUIRE(mutex_lock(&mutex) == 0);
  done++;
  while (!shared) REQUIRE(cond_wait(&condition, &mutex) == 0);
  REQUIRE(mutex_unlock(&mutex) == 0);
}

TEST(broadcast) {
  for (long number = 0; number < count; number++) start_worker(&workers[number], number, waits_for_all);
  while (done < count) sched_yield();
  CHECK_EQUAL(mutex_lock(&mutex), 0);
  shared = 1;
  cond_broadcast(&condition);
  CHECK_EQUAL(mutex_unlock(&mutex), 0);
  for (long number = 0; number < count; number++) join_worker(&workers[number]);
  check_results(count);
}

TEST(bogus_timedwaits) {
  struct timespec negative = {0, -1}, large = {0, 1000000000}, past = {-1, 0}, long_ago = {1, 0};
  CHECK_EQUAL(mutex_lock(&mutex), 0);
  CHECK_EQUAL(cond_timedwait(&condition, &mutex, &negative), EINVAL);
  CHECK_EQUAL(cond_timedwait(&condition, &mutex, &large), EINVAL);
  CHECK_EQUAL(cond_timedwait(&condition, &mutex, &past), EINVAL);
  // Libraries look at the mutex: what was refused has unlocked it, as FreeBSD's kernel does, or has not.
  if (mutex.m_owner == 0) CHECK_EQUAL(mutex_lock(&mutex), 0);
  CHECK_EQUAL(cond_timedwait(&condition, &mutex, &long_ago), ETIMEDOUT);
  CHECK_EQUAL(mutex_unlock(&mutex), 0);
}

// MARK: t_condwait

static void wait_by(clockid_t clock) {
  condition.c_clockid = (uint32_t)clock;
  CHECK_EQUAL(mutex_lock(&mutex), 0);
  struct timespec until = after(clock, 30), now;
  CHECK_EQUAL(cond_timedwait(&condition, &mutex, &until), ETIMEDOUT);
  CHECK_EQUAL(clock_gettime(clock, &now), 0);
  long late = (now.tv_sec - until.tv_sec) * 1000000000 + now.tv_nsec - until.tv_nsec;
  CHECK(late >= 0 && late < 20000000);
}

TEST(cond_wait_real) { wait_by(CLOCK_REALTIME); }
TEST(cond_wait_mono) { wait_by(CLOCK_MONOTONIC); }

// MARK: t_mutex

static int is_timed;
static int lock_as_asked(void) {
  struct timespec until = after(CLOCK_REALTIME, 3600000);
  return mutex_timedlock(&mutex, is_timed ? &until : NULL);
}

static void adds(struct worker *worker) {
  for (int round = 0; round < 500; round++) {
    REQUIRE(lock_as_asked() == 0);
    int value = shared;
    if (round % 10 == 0) kernel(SYS_sched_yield, 0, 0, 0, 0, 0);
    shared = value + 1;
    REQUIRE(mutex_unlock(&mutex) == 0);
  }
}

static void wakes_the_holder(struct worker *worker) {
  REQUIRE(lock_as_asked() == 0);
  shared = 4;
  REQUIRE(mutex_unlock(&mutex) == 0);
}

static void one_waits(void) {
  CHECK_EQUAL(lock_as_asked(), 0);
  start_worker(&workers[0], 0, wakes_the_holder);
  pause_for(5);
  shared = 2;
  CHECK_EQUAL(mutex_unlock(&mutex), 0);
  join_worker(&workers[0]);
  check_results(1);
  CHECK_EQUAL(shared, 4);
}

static void all_add(void) {
  run_all(count, adds);
  check_results(count);
  CHECK_EQUAL(shared, count * 500);
  CHECK_EQUAL(mutex.m_owner & ~UMUTEX_CONTESTED, 0);
}

static void tries(struct worker *worker) { REQUIRE(mutex_trylock(&mutex) == EBUSY && mutex_unlock(&mutex) == EPERM); }

static void locks_once(void) {
  CHECK_EQUAL(lock_as_asked(), 0);
  run_all(2, tries);
  check_results(2);
  CHECK_EQUAL(mutex_unlock(&mutex), 0);
  CHECK_EQUAL(mutex_unlock(&mutex), EPERM);
}

TEST(mutex1) { locks_once(); }
TEST(mutex2) { all_add(); }
TEST(mutex3) {
  mutex = (struct umutex){0};
  all_add();
}
TEST(mutex4) { one_waits(); }
TEST(timedmutex1) { is_timed = 1, locks_once(); }
TEST(timedmutex2) { is_timed = 1, all_add(); }
TEST(timedmutex3) {
  struct timespec soon = after(CLOCK_REALTIME, 20), bad = {0, 1000000000};
  CHECK_EQUAL(mutex_lock(&mutex), 0);
  CHECK_EQUAL(mutex_timedlock(&mutex, &soon), ETIMEDOUT);
  CHECK_EQUAL(mutex_timedlock(&mutex, &bad), EINVAL);
}
TEST(timedmutex4) { is_timed = 1, one_waits(); }

// MARK: t_rwlock

static struct urwlock rwlock;
static void reads_then_writes(struct worker *worker) {
  struct timespec soon = after(CLOCK_REALTIME, 20);
  REQUIRE(lock_timed(&rwlock, UMTX_OP_RW_WRLOCK, &soon) == ETIMEDOUT);
  REQUIRE(lock_read(&rwlock) == 0);
  REQUIRE(lock_unlock(&rwlock) == 0);
}

TEST(rwlock1) {
  CHECK_EQUAL(lock_read(&rwlock), 0);
  CHECK_EQUAL(lock_read(&rwlock), 0);
  run_all(1, reads_then_writes);
  check_results(1);
  CHECK_EQUAL(lock_unlock(&rwlock), 0);
  CHECK_EQUAL(lock_unlock(&rwlock), 0);
  CHECK_EQUAL(lock_unlock(&rwlock), EPERM);
  CHECK_EQUAL(umtx(&rwlock, UMTX_OP_RW_WRLOCK, 0, NULL, NULL), 0);
  struct timespec soon = after(CLOCK_REALTIME, 20);
  CHECK_EQUAL(lock_timed(&rwlock, UMTX_OP_RW_RDLOCK, &soon), ETIMEDOUT);
  CHECK_EQUAL(lock_timed(&rwlock, UMTX_OP_RW_WRLOCK, &soon), ETIMEDOUT);
  CHECK_EQUAL(lock_unlock(&rwlock), 0);
}

TEST(rwlock_static) {
  rwlock = (struct urwlock){0};
  CHECK_EQUAL(lock_read(&rwlock), 0);
  CHECK_EQUAL(lock_unlock(&rwlock), 0);
}

// MARK: t_sem

static struct _usem2 semaphore;
static void takes_one(struct worker *worker) {
  REQUIRE(sem_wait(&semaphore) == 0);
  __atomic_add_fetch(&shared, 1, __ATOMIC_SEQ_CST);
}

static void post_to(int number_of_threads) {
  for (long number = 0; number < number_of_threads; number++) start_worker(&workers[number], number, takes_one);
  for (int number = 0; number < number_of_threads; number++) {
    pause_for(2);
    CHECK_EQUAL(shared, number);
    sem_post(&semaphore);
    while (shared == number) sched_yield();
  }
  for (long number = 0; number < number_of_threads; number++) join_worker(&workers[number]);
  check_results(number_of_threads);
  CHECK_EQUAL(sem_trywait(&semaphore), EAGAIN);
}

TEST(unnamed) {
  semaphore._count = 1;
  CHECK_EQUAL(sem_wait(&semaphore), 0);
  CHECK_EQUAL(sem_trywait(&semaphore), EAGAIN);
  sem_post(&semaphore);
  CHECK_EQUAL(sem_trywait(&semaphore), 0);
}
TEST(before_start_one_thread) { post_to(1); }
TEST(before_start_multiple_threads) { post_to(count); }

// MARK: umtx_op_test

static volatile uint32_t batch[count];
static void waits_for_its_word(struct worker *worker) {
  __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
  while (batch[worker->number] == 0) umtx(&batch[worker->number], UMTX_OP_WAIT_UINT_PRIVATE, 0, NULL, NULL);
}

TEST(batching) {
  volatile void *places[count];
  for (long number = 0; number < count; number++) {
    places[number] = &batch[number];
    start_worker(&workers[number], number, waits_for_its_word);
  }
  while (done < count) sched_yield();
  pause_for(5);
  for (int number = 0; number < count; number++) batch[number] = 1;
  CHECK_EQUAL(umtx(places, UMTX_OP_NWAKE_PRIVATE, count, NULL, NULL), 0);
  for (long number = 0; number < count; number++) join_worker(&workers[number]);
}
