// threads.c: making, ending and joining threads, and values of their own (pthread.h).
//
// Invariants: a record is given back by whoever joins its thread; that of a detached thread lies in `ended` from its end until
// the next thread is made, for a thread cannot give back the stack that it runs on. `lock` guards is_detached, joiner, `ended`
// and the keys. A record's stack may be given back when the kernel stored 1 as its identifier.

#include "library.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/thr.h>

enum { DEFAULT_STACK_SIZE = 256 << 10, HAS_ENDED = 1 };

static struct library_lock lock;
static struct pthread *ended;

static struct {
  bool is_used;
  // Counts the keys that had this place.
  unsigned generation;
  void (*destroy)(void *);
} keys[PTHREAD_KEYS_MAX];

// MARK: Records and stacks

static void give_back(struct pthread *record) {
  if (record->stack) munmap(record->stack, record->stack_size);
  free(record->storage);
}

// Gives back what detached threads left that are gone by now.
static void collect(void) {
  struct pthread *gone = NULL;
  lock_always(&lock);
  for (struct pthread **place = &ended; *place;) {
    struct pthread *record = *place;
    if (record->identifier != HAS_ENDED) {
      place = &record->next;
      continue;
    }
    *place = record->next;
    record->next = gone;
    gone = record;
  }
  unlock_always(&lock);
  while (gone) {
    struct pthread *record = gone;
    gone = gone->next;
    give_back(record);
  }
}

// MARK: Beginning and ending

static void begin(void *argument) {
  struct pthread *self = argument;
  pthread_exit(self->run(self->argument));
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
  pthread_attr_t given;
  pthread_attr_init(&given);
  if (attributes) given = *attributes;
  own_record();
  collect();
  struct pthread *record = make_record();
  if (!record) return EAGAIN;
  record->run = run;
  record->argument = argument;
  record->is_detached = given.detach_state == PTHREAD_CREATE_DETACHED;
  char *stack = given.stack;
  if (!stack) {
    size_t guard = roundup2(given.guard_size, PAGE_SIZE);
    record->stack_size = roundup2(given.stack_size, PAGE_SIZE) + guard;
    char *memory = mmap(NULL, record->stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (memory == MAP_FAILED) {
      free(record->storage);
      return EAGAIN;
    }
    record->stack = memory;
    if (guard && mprotect(memory, guard, PROT_NONE) != 0) {
      give_back(record);
      return EAGAIN;
    }
    stack = memory + guard;
  }
  *thread = record;
  is_threaded = 1;
  __atomic_add_fetch(&thread_count, 1, __ATOMIC_RELAXED);
  struct thr_param parameters = {
      .start_func = begin,
      .arg = record,
      .stack_base = stack,
      .stack_size = given.stack ? given.stack_size : record->stack_size - (size_t)(stack - record->stack),
      .tls_base = (char *)record,
      .child_tid = (long *)&record->identifier,
      .parent_tid = (long *)&record->identifier,
  };
  if (thr_new(&parameters, sizeof parameters) == 0) return 0;
  __atomic_sub_fetch(&thread_count, 1, __ATOMIC_RELAXED);
  give_back(record);
  return EAGAIN;
}

static void destroy_values(struct pthread *self) {
  for (int round = 0; self->values && round < PTHREAD_DESTRUCTOR_ITERATIONS; round++) {
    bool has_found = false;
    for (int key = 0; key < PTHREAD_KEYS_MAX; key++) {
      void *value = pthread_getspecific(key);
      void (*destroy)(void *) = keys[key].destroy;
      self->values[key].pointer = NULL;
      if (!value || !destroy) continue;
      destroy(value);
      has_found = true;
    }
    if (!has_found) break;
  }
  free(self->values);
  self->values = NULL;
}

void pthread_exit(void *result) {
  struct pthread *self = own_record();
  while (self->cleanups) {
    struct pthread_cleanup *cleanup = self->cleanups;
    self->cleanups = cleanup->outer;
    cleanup->run(cleanup->argument);
  }
  destroy_values(self);
  if (__atomic_sub_fetch(&thread_count, 1, __ATOMIC_ACQ_REL) == 0) exit(0);
  lock_always(&lock);
  self->result = result;
  self->has_ended = 1;
  if (self->is_detached && self->storage) {
    self->next = ended;
    ended = self;
  }
  unlock_always(&lock);
  thr_exit((long *)&self->identifier);
  abort();
}

int pthread_join(pthread_t thread, void **result) {
  struct pthread *self = own_record();
  if (thread == self) return EDEADLK;
  lock_always(&lock);
  int error = thread->joiner ? ENOTSUP : thread->is_detached ? EINVAL : 0;
  if (error == 0) thread->joiner = self;
  unlock_always(&lock);
  if (error) return error;
  for (long identifier; (identifier = thread->identifier) != HAS_ENDED;)
    wait_on(&thread->identifier, UMTX_OP_WAIT, (unsigned long)identifier, NULL, NULL);
  if (result) *result = thread->result;
  give_back(thread);
  return 0;
}

int pthread_detach(pthread_t thread) {
  lock_always(&lock);
  int error = thread->is_detached || thread->joiner ? EINVAL : 0;
  if (error == 0) {
    thread->is_detached = 1;
    // One that has ended did not put itself there.
    if (thread->has_ended && thread->storage) {
      thread->next = ended;
      ended = thread;
    }
  }
  unlock_always(&lock);
  return error;
}

// MARK: Who it is

pthread_t pthread_self(void) { return own_record(); }
int pthread_equal(pthread_t left, pthread_t right) { return left == right; }
int pthread_getthreadid_np(void) { return (int)own_record()->identifier; }
void pthread_yield(void) { sched_yield(); }

int pthread_kill(pthread_t thread, int signal) {
  long identifier = thread->identifier;
  if (identifier == HAS_ENDED) return ESRCH;
  return thr_kill(identifier, signal) == 0 ? 0 : errno;
}

int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) { return sigprocmask(how, set, old) == 0 ? 0 : errno; }

int pthread_setname_np(pthread_t thread, const char *name) {
  return thr_set_name(thread->identifier, name) == 0 ? 0 : errno;
}

void pthread_set_name_np(pthread_t thread, const char *name) { thr_set_name(thread->identifier, name); }

void __pthread_cleanup_enter(struct pthread_cleanup *cleanup) {
  struct pthread *self = own_record();
  cleanup->outer = self->cleanups;
  self->cleanups = cleanup;
}

void __pthread_cleanup_leave(struct pthread_cleanup *cleanup, int is_run) {
  own_record()->cleanups = cleanup->outer;
  if (is_run) cleanup->run(cleanup->argument);
}

// MARK: Attributes

int pthread_attr_init(pthread_attr_t *attributes) {
  *attributes = (pthread_attr_t){DEFAULT_STACK_SIZE, PAGE_SIZE, NULL, PTHREAD_CREATE_JOINABLE};
  return 0;
}

int pthread_attr_destroy(pthread_attr_t *attributes) {
  (void)attributes;
  return 0;
}

int pthread_attr_setdetachstate(pthread_attr_t *attributes, int state) {
  if (state != PTHREAD_CREATE_JOINABLE && state != PTHREAD_CREATE_DETACHED) return EINVAL;
  attributes->detach_state = state;
  return 0;
}

int pthread_attr_getdetachstate(const pthread_attr_t *attributes, int *state) {
  *state = attributes->detach_state;
  return 0;
}

int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t size) {
  if (size < PTHREAD_STACK_MIN) return EINVAL;
  attributes->stack_size = size;
  return 0;
}

int pthread_attr_getstacksize(const pthread_attr_t *attributes, size_t *size) {
  *size = attributes->stack_size;
  return 0;
}

int pthread_attr_setguardsize(pthread_attr_t *attributes, size_t size) {
  attributes->guard_size = size;
  return 0;
}

int pthread_attr_getguardsize(const pthread_attr_t *attributes, size_t *size) {
  *size = attributes->guard_size;
  return 0;
}

int pthread_attr_setstack(pthread_attr_t *attributes, void *stack, size_t size) {
  if (size < PTHREAD_STACK_MIN) return EINVAL;
  attributes->stack = stack;
  attributes->stack_size = size;
  return 0;
}

int pthread_attr_getstack(const pthread_attr_t *attributes, void **stack, size_t *size) {
  *stack = attributes->stack;
  *size = attributes->stack_size;
  return 0;
}

// MARK: Values of a thread's own

int pthread_key_create(pthread_key_t *key, void (*destroy)(void *)) {
  int error = EAGAIN;
  lock_always(&lock);
  for (int index = 0; index < PTHREAD_KEYS_MAX && error; index++) {
    if (keys[index].is_used) continue;
    keys[index].is_used = true;
    keys[index].generation++;
    keys[index].destroy = destroy;
    *key = index;
    error = 0;
  }
  unlock_always(&lock);
  return error;
}

// What threads have under it is not destroyed any more.
int pthread_key_delete(pthread_key_t key) {
  if (key < 0 || key >= PTHREAD_KEYS_MAX) return EINVAL;
  lock_always(&lock);
  int error = keys[key].is_used ? 0 : EINVAL;
  keys[key].is_used = false;
  unlock_always(&lock);
  return error;
}

void *pthread_getspecific(pthread_key_t key) {
  if (key < 0 || key >= PTHREAD_KEYS_MAX || !keys[key].is_used) return NULL;
  struct pthread *self = own_record();
  return self->values && self->values[key].generation == keys[key].generation ? self->values[key].pointer : NULL;
}

int pthread_setspecific(pthread_key_t key, const void *value) {
  if (key < 0 || key >= PTHREAD_KEYS_MAX || !keys[key].is_used) return EINVAL;
  struct pthread *self = own_record();
  if (!self->values && !(self->values = calloc(PTHREAD_KEYS_MAX, sizeof *self->values))) return ENOMEM;
  self->values[key] = (struct value){(void *)(uintptr_t)value, keys[key].generation};
  return 0;
}

enum { ONCE_NEVER, ONCE_RUNNING, ONCE_AWAITED, ONCE_DONE };

int pthread_once(pthread_once_t *once, void (*run)(void)) {
  for (;;) {
    unsigned state = ONCE_NEVER;
    if (__atomic_compare_exchange_n(&once->state, &state, ONCE_RUNNING, 0, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
      run();
      if (__atomic_exchange_n(&once->state, ONCE_DONE, __ATOMIC_RELEASE) == ONCE_AWAITED)
        wait_on(&once->state, UMTX_OP_WAKE_PRIVATE, INT_MAX, NULL, NULL);
      return 0;
    }
    if (state == ONCE_DONE) return 0;
    if (state == ONCE_RUNNING &&
        !__atomic_compare_exchange_n(&once->state, &state, ONCE_AWAITED, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
      continue;
    wait_on(&once->state, UMTX_OP_WAIT_UINT_PRIVATE, ONCE_AWAITED, NULL, NULL);
  }
}
