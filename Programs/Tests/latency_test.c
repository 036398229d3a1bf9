// latency_test: how late the worst wake of a sleeper is while another process is in a long call. The clock counts instructions
// under QEMU's -icount, where the figures are exact.

#include "sleeper.h"

static volatile char *map(size_t byte_count) {
  volatile char *memory = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}

static void touch(volatile char *memory, size_t byte_count) {
  for (size_t offset = 0; offset < byte_count; offset += PAGE_SIZE) memory[offset] = 1;
}

enum { large = 64 << 20 };

TEST(munmap_of_much_memory) {
  start_sleeper();
  volatile char *memory = map(large);
  CHECK_LATENCY("64 MiB of first touches", touch(memory, large));
  CHECK_LATENCY("mprotect of 64 MiB", CHECK_EQUAL(mprotect((void *)memory, large, PROT_READ), 0));
  CHECK_LATENCY("munmap of 64 MiB", CHECK_EQUAL(munmap((void *)memory, large), 0));
  stop_sleeper();
}

TEST(fork_and_exit_with_much_memory) {
  volatile char *memory = map(large);
  touch(memory, large);
  start_sleeper();
  pid_t child = -1;
  CHECK_LATENCY("fork with 64 MiB and its end", {
    child = fork();
    CHECK(child >= 0);
    if (child == 0) _exit(0);
    check_wait(child);
  });
  child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    touch(memory, large);
    for (;;) sched_yield();
  }
  struct timespec rest = {0, 400000000};
  nanosleep(&rest, NULL);
  CHECK_LATENCY("the end of a killed process with 64 MiB", {
    CHECK_EQUAL(kill(child, SIGKILL), 0);
    check_wait(child);
  });
  stop_sleeper();
}

TEST(fork_of_many_mappings) {
  enum { mappings = 10000 };
  volatile char *memory = map((size_t)mappings * 2 * PAGE_SIZE);
  for (size_t number = 0; number < mappings; number++) {
    memory[number * 2 * PAGE_SIZE] = 1;
    CHECK_EQUAL(mprotect((void *)(memory + number * 2 * PAGE_SIZE), PAGE_SIZE, PROT_READ), 0);
  }
  start_sleeper();
  CHECK_LATENCY("fork of 10,000 mappings, and the end of the child", {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) _exit(0);
    check_wait(child);
  });
  CHECK_LATENCY("munmap of 10,000 mappings", CHECK_EQUAL(munmap((void *)memory, mappings * 2 * PAGE_SIZE), 0));
  stop_sleeper();
}

TEST(ftruncate_of_a_large_object) {
  enum { size = 256 << 20 };
  int object = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(object >= 0);
  CHECK_EQUAL(ftruncate(object, size), 0);
  volatile char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, object, 0);
  CHECK(memory != MAP_FAILED);
  touch(memory, size);
  start_sleeper();
  CHECK_LATENCY("ftruncate of 256 MiB to nothing", CHECK_EQUAL(ftruncate(object, 0), 0));
  stop_sleeper();
}

TEST(long_transfers) {
  enum { size = 16 << 20 };
  int object = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(object >= 0);
  CHECK_EQUAL(ftruncate(object, size), 0);
  volatile char *memory = map(size);
  touch(memory, size);
  start_sleeper();
  CHECK_LATENCY("write of 16 MiB", CHECK_EQUAL(write(object, (void *)memory, size), size));
  CHECK_LATENCY("pread of 16 MiB", CHECK_EQUAL(pread(object, (void *)memory, size, 0), size));
  stop_sleeper();
}

TEST(execution_of_a_large_program) {
  start_sleeper();
  CHECK_LATENCY("execve of a file of 30 MB, and its end", {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      char *arguments[] = {"/bin/large", NULL};
      execve("/bin/large", arguments, NULL);
      _exit(1);
    }
    CHECK_EQUAL(check_wait(child), 0);
  });
  stop_sleeper();
}
