// Threads of the C library (pthread.h): their beginning and end, what is each one's own, and the rest of the library among them.

#include "pthread_check.h"

// MARK: Threads

static void *give_back(void *argument) { return (char *)argument + 1; }

TEST(joining_gives_the_result) {
  pthread_t threads[THREADS];
  for (long number = 0; number < THREADS; number++)
    CHECK_EQUAL(pthread_create(&threads[number], NULL, give_back, (void *)number), 0);
  for (int number = THREADS - 1; number >= 0; number--) {
    void *result;
    CHECK_EQUAL(pthread_join(threads[number], &result), 0);
    CHECK_EQUAL(result, number + 1);
  }
  CHECK_EQUAL(pthread_join(pthread_self(), NULL), EDEADLK);
  CHECK(pthread_equal(pthread_self(), pthread_self()));
}

static void *use_errno(void *argument) {
  for (int round = 0; round < 50; round++) {
    if (close(-1) != -1 || errno != EBADF) return (void *)1;
    errno = (int)(long)argument + 1000;
    sched_yield();
    if (errno != (int)(long)argument + 1000) return (void *)2;
  }
  return NULL;
}

TEST(errno_is_each_threads_own) {
  errno = 5;
  run_all(THREADS, use_errno);
  CHECK_EQUAL(errno, 5);
}

static volatile int ended;
static void *end_alone(void *argument) {
  (void)argument;
  __atomic_add_fetch(&ended, 1, __ATOMIC_RELAXED);
  return NULL;
}

TEST(detached_threads_give_back_what_they_had) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  CHECK_EQUAL(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED), 0);
  CHECK_EQUAL(pthread_attr_setstacksize(&attributes, 100), EINVAL);
  uint64_t free_pages = 0;
  for (int round = 0; round < 300; round++) {
    pthread_t thread;
    CHECK_EQUAL(pthread_create(&thread, &attributes, end_alone, NULL), 0);
    if (round % 2) CHECK_EQUAL(pthread_join(thread, NULL), EINVAL);
    while (ended <= round) sched_yield();
    if (round == 50) free_pages = check_sysctl("vm.stats.vm.v_free_count");
  }
  uint64_t at_end = check_sysctl("vm.stats.vm.v_free_count");
  if (at_end + 50 < free_pages) check_failed(__FILE__, __LINE__, "%lu pages are gone", free_pages - at_end);
  pthread_t thread;
  CHECK_EQUAL(pthread_create(&thread, NULL, end_alone, NULL), 0);
  CHECK_EQUAL(pthread_detach(thread), 0);
}

static void *say(void *argument) {
  pthread_join(*(pthread_t *)argument, NULL);
  exit(9);
}

TEST(the_first_thread_may_end_before_others) {
  CHECK_EXIT(9, {
    static pthread_t self, other;
    self = pthread_self();
    pthread_create(&other, NULL, say, &self);
    pthread_exit(NULL);
  });
  CHECK_EXIT(0, pthread_exit(NULL));
}

static void *overflow(void *argument) {
  volatile char bytes[4096];
  bytes[0] = *(char *)argument;
  return bytes[0] ? NULL : (char *)overflow((void *)bytes) + bytes[0];
}

TEST(a_stack_ends_in_a_page_that_nobody_may_touch) {
  CHECK_SIGNAL(SIGSEGV, {
    pthread_t thread;
    pthread_create(&thread, NULL, overflow, "");
    pthread_join(thread, NULL);
  });
}

// MARK: Variables and values of a thread's own

static _Thread_local long local = 7;
static _Thread_local char zeros[100];
static _Thread_local __attribute__((aligned(64))) int aligned_local = 3;

static void *use_local(void *argument) {
  if (local != 7 || zeros[50] != 0 || aligned_local != 3 || (uintptr_t)&aligned_local % 64) return (void *)1;
  local = (long)argument;
  zeros[50] = 1;
  sched_yield();
  return local == (long)argument ? NULL : (void *)2;
}

TEST(thread_local_variables) {
  CHECK_EQUAL(local, 7);
  local = 8;
  run_all(THREADS, use_local);
  CHECK_EQUAL(local, 8);
  CHECK_EXIT(8, _exit((int)local));
}

static pthread_key_t key;
static volatile long destroyed;
static void destroy(void *value) {
  destroyed += (long)value;
  // Once more, for a value that is set while values are destroyed.
  if ((long)value == 100) pthread_setspecific(key, (void *)1000);
}

static void *use_key(void *argument) {
  if (pthread_getspecific(key)) return (void *)1;
  pthread_setspecific(key, argument ? (void *)1 : (void *)100);
  sched_yield();
  return pthread_getspecific(key) == (argument ? (void *)1 : (void *)100) ? NULL : (void *)2;
}

TEST(values_under_keys) {
  CHECK_EQUAL(pthread_key_create(&key, destroy), 0);
  run_all(4, use_key);
  CHECK_EQUAL(destroyed, 1103);
  CHECK_EQUAL(pthread_setspecific(key, &key), 0);
  CHECK_EQUAL(pthread_key_delete(key), 0);
  CHECK_EQUAL(pthread_setspecific(key, &key), EINVAL);
  pthread_key_t again;
  CHECK_EQUAL(pthread_key_create(&again, NULL), 0);
  CHECK(pthread_getspecific(again) == NULL);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void count_once(void) {
  usleep(1000);
  shared++;
}
static void *call_once(void *argument) {
  (void)argument;
  pthread_once(&once, count_once);
  return shared == 1 ? NULL : (void *)1;
}

TEST(once_and_no_more) {
  run_all(THREADS, call_once);
  CHECK_EQUAL(shared, 1);
}

static void clean(void *argument) { shared += (long)argument; }
static void *leave_early(void *argument) {
  (void)argument;
  pthread_cleanup_push(clean, (void *)1);
  pthread_cleanup_push(clean, (void *)10);
  pthread_cleanup_push(clean, (void *)100);
  pthread_cleanup_pop(0);
  pthread_exit(NULL);
  pthread_cleanup_pop(0);
  pthread_cleanup_pop(0);
}

TEST(what_is_to_be_cleaned_up) {
  run_all(1, leave_early);
  CHECK_EQUAL(shared, 11);
}

// MARK: The library among threads

static void *use_library(void *argument) {
  char *blocks[16] = {0};
  for (int round = 0; round < 200; round++) {
    int place = (round * 7 + (int)(long)argument) % 16;
    free(blocks[place]);
    blocks[place] = malloc((size_t)(round % 50) * 20 + 16);
    if (!blocks[place]) return (void *)1;
    memset(blocks[place], (int)(long)argument, 16);
    if (round % 20 == 0) sched_yield();
    for (int index = 0; index < 16; index++)
      if (blocks[index] && blocks[index][15] != (char)(long)argument) return (void *)2;
  }
  for (int index = 0; index < 16; index++) free(blocks[index]);
  return NULL;
}

static FILE *stream;
static void *write_lines(void *argument) {
  for (int round = 0; round < 100; round++)
    fprintf(stream, "%c%0*d\n", (char)('a' + (long)argument), 40, (int)(long)argument);
  return NULL;
}

TEST(memory_and_streams_are_shared_by_threads) {
  run_all(THREADS, use_library);
  stream = fdopen(shm_open2(SHM_ANON, O_RDWR, 0600, SHM_GROW_ON_WRITE, NULL), "w+");
  CHECK(stream);
  run_all(THREADS, write_lines);
  rewind(stream);
  char line[64];
  int lines = 0;
  for (; fgets(line, sizeof line, stream); lines++) {
    CHECK_EQUAL(strlen(line), 42);
    CHECK_EQUAL(atoi(line + 1), line[0] - 'a');
  }
  CHECK_EQUAL(lines, THREADS * 100);
}

static void *sleep_on(void *argument) {
  (void)argument;
  for (;;) pause();
}

TEST(a_child_of_threads_has_one) {
  pthread_t thread;
  CHECK_EQUAL(pthread_create(&thread, NULL, sleep_on, NULL), 0);
  CHECK_EXIT(4, {
    free(malloc(100));
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    run_all(2, use_library);
    _exit(4);
  });
}
