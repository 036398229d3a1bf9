// thread_storage.c: the record that a thread has of its own, with its thread-local variables, and the locks of the library.
//
// Invariants: a program without threads and thread-local variables has no record, no value in %fs and one errno. A record
// lies behind its thread's variables, as the ABI of the processor has it (variant II); its address is aligned as they ask.

#include "library.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/thr.h>
#include <unistd.h>

int threads_have_records;
int is_threaded;
volatile unsigned thread_count = 1;
struct library_lock allocator_lock;

extern uint64_t *start_record;
pid_t __fork(void);

// What the program initialises its thread-local variables with.
static const char *image;
static size_t image_size, variable_size, variable_alignment = 1, record_alignment = 16;

static struct pthread first_record;

// Finds the segment of thread-local variables through the auxiliary vector.
static void find_variables(void) {
  uint64_t *word = start_record;
  if (!word) return;
  word += 1 + *word + 1;
  while (*word) word++;
  const Elf64_Phdr *headers = NULL;
  size_t count = 0;
  for (word++; word[0] != AT_NULL; word += 2) {
    if (word[0] == AT_PHDR) headers = (const Elf64_Phdr *)word[1];
    if (word[0] == AT_PHNUM) count = word[1];
  }
  for (size_t index = 0; headers && index < count; index++)
    if (headers[index].p_type == PT_TLS) {
      image = (const char *)headers[index].p_vaddr;
      image_size = headers[index].p_filesz;
      variable_size = headers[index].p_memsz;
      if (headers[index].p_align) variable_alignment = headers[index].p_align;
      if (variable_alignment > record_alignment) record_alignment = variable_alignment;
    }
}

// Bytes in front of a record: the variables, at the distance that the linker counts on.
static size_t size_in_front(void) {
  return (variable_size + variable_alignment - 1) & ~(variable_alignment - 1);
}

struct pthread *make_record(void) {
  size_t front = size_in_front();
  char *storage = calloc(1, front + record_alignment + sizeof(struct pthread));
  if (!storage) return NULL;
  uintptr_t address = ((uintptr_t)storage + front + record_alignment - 1) & ~(record_alignment - 1);
  struct pthread *record = (struct pthread *)address;
  if (variable_size) memcpy((char *)record - front, image, image_size);
  record->itself = record;
  record->storage = storage;
  return record;
}

static void use_first_record(struct pthread *record) {
  record->itself = record;
  record->error = errno;
  long identifier = 0;
  thr_self(&identifier);
  record->identifier = identifier;
  if (sysarch(AMD64_SET_FSBASE, &record) != 0) abort();
  threads_have_records = 1;
}

// Before main: a program with thread-local variables has them from the start (start.S).
void prepare_thread_storage(void) {
  find_variables();
  if (!variable_size) return;
  struct pthread *record = make_record();
  if (!record) abort();
  use_first_record(record);
}

struct pthread *own_record(void) {
  if (!threads_have_records) use_first_record(&first_record);
  struct pthread *record;
  __asm__("movq %%fs:0, %0" : "=r"(record));
  return record;
}

// The child has one thread, with another number. Memory is not being handed out while it is made. A child of a program without
// threads looks at nothing: it would be the first page that it has to fetch.
pid_t fork(void) {
  bool has_records = threads_have_records;
  bool is_locked = lock_shared(&allocator_lock);
  pid_t child = __fork();
  unlock_shared(&allocator_lock, is_locked);
  if (child == 0 && has_records) {
    long identifier = 0;
    thr_self(&identifier);
    struct pthread *self = own_record();
    self->identifier = identifier;
    // What its parent had locked is not its own.
    self->robust_shared = self->robust_private = self->robust_pending = 0;
    thread_count = 1;
    is_threaded = 0;
  }
  return child;
}

int wait_on(volatile void *object, int operation, unsigned long value, const void *third, const void *fourth) {
  int kept = errno;
  int error = _umtx_op((void *)object, operation, value, (void *)third, (void *)fourth) == 0 ? 0 : errno;
  errno = kept;
  return error;
}

int wait_until(volatile void *object, int operation, unsigned long value, clockid_t clock, const struct timespec *until) {
  if (!until) return wait_on(object, operation, value, NULL, NULL);
  struct _umtx_time time = {._timeout = *until, ._flags = UMTX_ABSTIME, ._clockid = (uint32_t)clock};
  return wait_on(object, operation, value, (const void *)sizeof time, &time);
}

int check_time(const struct timespec *time) {
  return time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= 1000000000 ? EINVAL : 0;
}

void wait_for_lock(struct library_lock *lock) {
  while (__atomic_exchange_n(&lock->state, 2, __ATOMIC_ACQUIRE) != 0)
    wait_on(&lock->state, UMTX_OP_WAIT_UINT_PRIVATE, 2, NULL, NULL);
}

void wake_for_lock(struct library_lock *lock) {
  wait_on(&lock->state, UMTX_OP_WAKE_PRIVATE, 1, NULL, NULL);
}
