// library.h: what the parts of the library know of one another.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/umtx.h>

// MARK: Threads (thread_storage.c)

// What a thread has under a key; it counts while the key is the one that it was set for.
struct value {
  void *pointer;
  unsigned generation;
};

// A thread's own record. %fs points at it, and what is _Thread_local lies in front of it; the assembly knows the first three
// members. `identifier` is the kernel's number; the kernel stores 1 when the thread has ended.
struct pthread {
  struct pthread *itself;
  void *reserved;
  int error;
  int is_detached, has_ended;
  volatile long identifier;
  void *(*run)(void *);
  void *argument, *result;
  struct pthread_cleanup *cleanups;
  struct pthread *next;
  pthread_t joiner;
  // What the library mapped for it, and the record with what is thread-local (none of the first thread's is given back).
  char *stack;
  size_t stack_size;
  void *storage;
  // What the kernel looks at when the thread ends: the robust mutexes that it has, shared and private ones, and the one that it is
  // about to get or to give back.
  uintptr_t robust_shared, robust_private, robust_pending;
  int has_robust_lists;
  // One for each key, from when the first is set.
  struct value *values;
};

// Set when the first thread has a record, and %fs with it: from then on errno is every thread's own.
extern int threads_have_records;
// Set when there is a second thread: from then on the library locks what it shares.
extern int is_threaded;

// A record with a copy of what the program initialises its thread-local variables with; NULL without memory.
struct pthread *make_record(void);
// The caller's record; makes that of the first thread.
struct pthread *own_record(void);
// How many threads there are.
extern volatile unsigned thread_count;

// MARK: Locks of the library: 0 free, 1 taken, 2 taken and somebody may wait.

struct library_lock {
  volatile uint32_t state;
};

void wait_for_lock(struct library_lock *);
void wake_for_lock(struct library_lock *);

static inline void lock_always(struct library_lock *lock) {
  uint32_t expected = 0;
  if (!__atomic_compare_exchange_n(&lock->state, &expected, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
    wait_for_lock(lock);
}
static inline void unlock_always(struct library_lock *lock) {
  if (__atomic_exchange_n(&lock->state, 0, __ATOMIC_RELEASE) == 2) wake_for_lock(lock);
}
// While there is one thread nothing needs a lock; who took none as the second came gives none back.
static inline bool lock_shared(struct library_lock *lock) {
  bool is_needed = is_threaded;
  if (is_needed) lock_always(lock);
  return is_needed;
}
static inline void unlock_shared(struct library_lock *lock, bool was_needed) {
  if (was_needed) unlock_always(lock);
}

// Robust mutexes (mutexes.c): what a thread does before and behind getting or giving back one, and the list of those it has.
void begin_robust(struct umutex *);
void end_robust(struct umutex *);
void enter_robust_list(struct umutex *);
void leave_robust_list(struct umutex *);

extern struct library_lock allocator_lock;

// _umtx_op(2) that gives the error and leaves errno alone.
int wait_on(volatile void *object, int operation, unsigned long value, const void *third, const void *fourth);
// The same until a time of a clock; for ever without one.
int wait_until(volatile void *object, int operation, unsigned long value, clockid_t clock, const struct timespec *time);
// 0, or EINVAL for a time that is none.
int check_time(const struct timespec *);

// MARK: Formatting (print.c, floating.c)

// Where text goes: `drain`, where there is one, is called with the bytes when they have no more room, and at the end.
struct sink {
  char *bytes;
  size_t size, used, total;
  void (*drain)(struct sink *);
  void *context;
  bool has_failed;
};

struct conversion {
  int width, precision;
  bool is_left, is_zero_padded, has_sign, has_space, is_alternate;
};

void put(struct sink *, char);
// Digits with what stands in front of them: padded with zeros between the two, or with blanks around them.
void put_padded(struct sink *, const char *prefix, const char *text, size_t length, const struct conversion *);
void format_text(struct sink *, const char *, va_list);
void format_floating(struct sink *, double, char kind, const struct conversion *);

// The body of a function with arguments behind `text`, of one that takes a list of them.
#define WITH_ARGUMENTS(...)        \
  va_list arguments;               \
  va_start(arguments, text);       \
  int count = __VA_ARGS__;         \
  va_end(arguments);               \
  return count

// MARK: Streams (streams.c)

enum { PUSHED_BACK_MAX = 8 };

struct stream {
  int descriptor;
  bool is_readable, is_writable, is_appending, has_end, has_failed, is_line_buffered, is_unbuffered, owns_buffer, is_text;
  // Bytes that were read and not yet taken are start..<end; bytes that are not yet written are the first `pending`.
  unsigned char *buffer;
  size_t size, start, end, pending;
  struct stream *next;
  struct library_lock lock;
  struct pthread *volatile owner;
  unsigned depth;
};

// 0, or EOF without memory.
int stream_make_buffer(struct stream *);
int stream_get(struct stream *);
// How many of the bytes were taken.
size_t stream_put(struct stream *, const void *, size_t);
int stream_flush(struct stream *);
// Writes what all streams keep back; what exit(3) calls.
int flush_all_streams(void);
