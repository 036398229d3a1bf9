// interruption_test: stops and kills in the middle of long calls on shared memory. What has begun to change an object
// finishes first, so nobody sees it half done and nobody is held up (spec shm.md, 2.4); and what it costs when many processes
// wait for the same object.

#include "shared_memory.h"

enum { page = 4096, object_size = 8 << 20 };

// What a child does in its long call, and what it has done: 0 not begun, 1 begun, 2 returned.
struct progress {
  volatile int state;
};

static struct progress *shared_progress(void) {
  struct progress *progress = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(progress != MAP_FAILED);
  return progress;
}

static char *private_memory(size_t size, char byte) {
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  memset(memory, byte, size);
  return memory;
}

enum call { call_pwrite, call_write, call_pread, call_read, call_truncate, call_count };
enum want { want_pwrite, want_pread, want_truncate, want_lseek, want_seal, want_count };

static void perform(enum call call, int descriptor, char *memory) {
  switch (call) {
    case call_pwrite: CHECK_EQUAL(pwrite(descriptor, memory, object_size, 0), object_size); break;
    case call_write: CHECK_EQUAL(write(descriptor, memory, object_size), object_size); break;
    case call_pread: CHECK_EQUAL(pread(descriptor, memory, object_size, 0), object_size); break;
    case call_read: CHECK_EQUAL(read(descriptor, memory, object_size), object_size); break;
    default: CHECK_EQUAL(ftruncate(descriptor, page), 0);
  }
}

static void wish(enum want want, int descriptor) {
  char byte = 0;
  switch (want) {
    case want_pwrite: CHECK_EQUAL(pwrite(descriptor, &byte, 1, 5), 1); break;
    case want_pread: CHECK_EQUAL(pread(descriptor, &byte, 1, 5), 1); break;
    case want_truncate: CHECK_EQUAL(ftruncate(descriptor, object_size + page), 0); break;
    case want_lseek: CHECK(lseek(descriptor, 0, SEEK_CUR) >= 0); break;
    default: CHECK_EQUAL(fcntl(descriptor, F_ADD_SEALS, F_SEAL_GROW), 0);
  }
}

// An object full of 1s; a child of the caller is in the middle of the call when this returns, if it is long enough.
static pid_t begin(enum call call, int descriptor, char *memory, struct progress *progress) {
  progress->state = 0;
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    progress->state = 1;
    perform(call, descriptor, memory);
    progress->state = 2;
    _exit(0);
  }
  while (progress->state == 0) sched_yield();
  return child;
}

static int filled(const char *memory) {
  int descriptor = shm_open2(SHM_ANON, O_RDWR, 0600, SHM_ALLOW_SEALING, NULL);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, object_size), 0);
  CHECK_EQUAL(pwrite(descriptor, memory, object_size, 0), object_size);
  return descriptor;
}

TEST(a_process_that_is_stopped_in_a_call_holds_nobody_up) {
  struct progress *progress = shared_progress();
  char *ones = private_memory(object_size, 1), *memory = private_memory(object_size, 2);
  int inside = 0;
  for (int call = 0; call < call_count; call++)
    for (int want = 0; want < want_count; want++) {
      int descriptor = filled(ones), status;
      pid_t child = begin(call, descriptor, memory, progress);
      CHECK_EQUAL(kill(child, SIGSTOP), 0);
      if (progress->state == 1) inside++;
      wish(want, descriptor);
      CHECK_EQUAL(waitpid(child, &status, WUNTRACED), child);
      CHECK(WIFSTOPPED(status) || WIFEXITED(status));
      if (WIFSTOPPED(status)) {
        CHECK_EQUAL(kill(child, SIGCONT), 0);
        CHECK_EQUAL(check_wait(child), 0);
      }
      CHECK_EQUAL(close(descriptor), 0);
    }
  printf("# %d of %d were stopped in the middle\n", inside, call_count * want_count);
  CHECK(inside >= call_count * want_count / 2);
}

TEST(a_process_that_is_stopped_while_it_waits_lets_those_behind_it_pass) {
  struct progress *progress = shared_progress();
  char *ones = private_memory(object_size, 1), *memory = private_memory(object_size, 2);
  for (int want = 0; want < want_count; want++) {
    int descriptor = filled(ones), status;
    pid_t writer = begin(call_write, descriptor, memory, progress);
    pid_t waiter = fork();
    if (waiter == 0) {
      wish(want, descriptor);
      _exit(0);
    }
    sched_yield();
    CHECK_EQUAL(kill(waiter, SIGSTOP), 0);
    CHECK_EQUAL(pwrite(descriptor, ones, page, 0), page);
    CHECK_EQUAL(lseek(descriptor, 0, SEEK_SET), 0);
    CHECK_EQUAL(check_wait(writer), 0);
    CHECK_EQUAL(waitpid(waiter, &status, WUNTRACED), waiter);
    if (WIFSTOPPED(status)) {
      CHECK_EQUAL(kill(waiter, SIGCONT), 0);
      CHECK_EQUAL(check_wait(waiter), 0);
    }
    CHECK_EQUAL(close(descriptor), 0);
  }
}

TEST(a_kill_does_not_tear_a_call) {
  struct progress *progress = shared_progress();
  char *ones = private_memory(object_size, 1), *memory = private_memory(object_size, 2);
  int inside = 0;
  for (int call = 0; call < call_count; call++)
    for (int yields = 0; yields < 6; yields++) {
      int descriptor = filled(ones);
      pid_t child = begin(call, descriptor, memory, progress);
      for (int count = 0; count < yields; count++) sched_yield();
      CHECK_EQUAL(kill(child, SIGKILL), 0);
      check_wait(child);
      if (progress->state == 1) inside++;
      struct stat status = status_of(descriptor);
      char first, last = 0;
      if (call == call_truncate) {
        CHECK(status.st_size == object_size || status.st_size == page);
        CHECK_EQUAL(status.st_blocks, status.st_size / page);
      } else {
        CHECK_EQUAL(status.st_size, object_size);
        CHECK_EQUAL(pread(descriptor, &first, 1, 0), 1);
        CHECK_EQUAL(pread(descriptor, &last, 1, object_size - 1), 1);
        CHECK_EQUAL(first, last);
        off_t offset = lseek(descriptor, 0, SEEK_CUR);
        CHECK(offset == 0 || offset == object_size);
        if (call == call_write) CHECK_EQUAL(offset, first == 2 ? object_size : 0);
      }
      CHECK_EQUAL(close(descriptor), 0);
    }
  printf("# %d of %d were killed in the middle\n", inside, call_count * 6);
  CHECK(inside >= call_count * 6 / 2);
}

TEST(nobody_sees_a_size_that_nobody_set) {
  char *ones = private_memory(object_size, 1);
  struct progress *progress = shared_progress();
  int descriptor = filled(ones), looks = 0;
  volatile char *memory = map(descriptor, object_size);
  pid_t child = fork();
  if (child == 0) {
    for (int round = 0; round < 8; round++) {
      CHECK_EQUAL(ftruncate(descriptor, object_size), 0);
      CHECK_EQUAL(pwrite(descriptor, ones, object_size, 0), object_size);
      for (int offset = 0; offset < object_size; offset += page) (void)memory[offset];
      CHECK_EQUAL(ftruncate(descriptor, 1), 0);
    }
    progress->state = 2;
    _exit(0);
  }
  while (progress->state != 2) {
    struct stat status = status_of(descriptor);
    CHECK(status.st_size == object_size || status.st_size == 1);
    if (status.st_size == 1) CHECK(status.st_blocks <= 1);
    looks++;
    sched_yield();
  }
  CHECK_EQUAL(check_wait(child), 0);
  printf("# %d looks\n", looks);
  CHECK(looks > 20);
}

static uint64_t time_stamp(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (uint64_t)high << 32 | low;
}

// What a write takes when so many processes write the same object at the same time, each long enough to be cut.
static uint64_t cost_of_a_write(int count) {
  enum { size = 80 * page };
  static pid_t children[1000];
  char *memory = private_memory(size, 1);
  int descriptor = anonymous(size), status;
  pid_t group = 0;
  for (int index = 0; index < count; index++) {
    children[index] = fork();
    CHECK(children[index] >= 0);
    if (children[index] == 0) {
      setpgid(0, group);
      kill(getpid(), SIGSTOP);
      long moved = pwrite(descriptor, memory, size, 0);
      kill(getpid(), SIGSTOP);
      _exit(moved == size ? 0 : 1);
    }
    if (group == 0) group = children[index];
    CHECK_EQUAL(waitpid(children[index], &status, WUNTRACED), children[index]);
    CHECK(WIFSTOPPED(status));
  }
  uint64_t start = time_stamp();
  CHECK_EQUAL(kill(-group, SIGCONT), 0);
  for (int index = 0; index < count; index++) CHECK_EQUAL(waitpid(children[index], &status, WUNTRACED), children[index]);
  uint64_t taken = time_stamp() - start;
  CHECK_EQUAL(kill(-group, SIGCONT), 0);
  for (int index = 0; index < count; index++) CHECK_EQUAL(check_wait(children[index]), 0);
  CHECK_EQUAL(close(descriptor), 0);
  CHECK_EQUAL(munmap(memory, size), 0);
  return taken / count;
}

TEST(a_write_costs_the_same_however_many_wait_for_the_object) {
  uint64_t few = cost_of_a_write(20), many = cost_of_a_write(700);
  printf("# a write among 20 writers takes %lu instructions, among 700 %lu\n", few, many);
  if (many > few + few / 4)
    check_failed(__FILE__, __LINE__, "a write takes %lu instructions among few, %lu among many", few, many);
}
