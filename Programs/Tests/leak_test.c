// leak_test [ROUNDS]: the loops of issue 2, acceptance 6. What the kernel tells about itself after the first hundred rounds
// and after all of them (10,000 unless told otherwise) must be the same.

#include "check.h"

static const char *const counters[] = {
    "vm.stats.vm.v_free_count",
    "vm.swap_reserved",
    "kern.openfiles",
    "vm.martlet.heap_bytes",
    "vm.martlet.live_objects",
};

static void repeat(void (*round)(void)) {
  long rounds = check_argument_count > 1 ? atoi(check_arguments[1]) : 10000;
  uint64_t early[nitems(counters)];
  for (long index = 0; index < rounds; index++) {
    if (index == 100)
      for (size_t which = 0; which < nitems(counters); which++) early[which] = check_sysctl(counters[which]);
    round();
  }
  for (size_t which = 0; which < nitems(counters); which++) {
    uint64_t late = check_sysctl(counters[which]);
    if (late != early[which])
      check_failed(__FILE__, __LINE__, "%s: %lu after 100 rounds, %lu after %ld", counters[which], early[which], late,
                   rounds);
  }
}

static void fork_map_exchange_exit(void) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, 2 * PAGE_SIZE), 0);
  volatile long *words = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(words != MAP_FAILED);
  words[0] = 41;
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    words[512] = words[0] + 1;
    _exit(0);
  }
  check_exit(__FILE__, __LINE__, 0, check_wait(child));
  CHECK_EQUAL(words[512], 42);
  CHECK_EQUAL(munmap((void *)words, 2 * PAGE_SIZE), 0);
  CHECK_EQUAL(close(descriptor), 0);
}

static void create_size_map_touch_unmap_close_unlink(void) {
  int descriptor = shm_open("/leak", O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, 3 * PAGE_SIZE), 0);
  volatile char *memory = mmap(NULL, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  memory[0] = memory[2 * PAGE_SIZE] = 1;
  CHECK_EQUAL(munmap((void *)memory, 3 * PAGE_SIZE), 0);
  CHECK_EQUAL(close(descriptor), 0);
  CHECK_EQUAL(shm_unlink("/leak"), 0);
}

// A child that dies in the middle of everything: of a signal, with mappings and descriptors of its own.
static void die_in_the_middle(void) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    volatile char *memory = mmap(NULL, 8 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    memory[PAGE_SIZE] = 1;
    shm_open(SHM_ANON, O_RDWR, 0600);
    mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    __asm__ volatile("ud2");
  }
  check_signal(__FILE__, __LINE__, SIGILL, check_wait(child));
  CHECK_EQUAL(close(descriptor), 0);
}

static void fail_in_every_way(void) {
  CHECK_ERRNO(ENOENT, shm_open("/not-there", O_RDWR, 0));
  CHECK_ERRNO(EFAULT, shm_open((char *)8, O_RDWR | O_CREAT, 0));
  CHECK_ERRNO(EINVAL, shm_open("no-slash", O_RDWR | O_CREAT, 0));
  CHECK_ERRNO(EINVAL, shm_open(SHM_ANON, O_RDONLY, 0));
  CHECK_ERRNO(EACCES, mmap(NULL, PAGE_SIZE, PROT_WRITE, MAP_SHARED, open("/dev/zero", O_RDONLY), 0));
  CHECK_EQUAL(close(3), 0);
  char *arguments[] = {"x", NULL};
  CHECK_ERRNO(ENOENT, execve("/bin/not-there", arguments, environ));
}

TEST(fork_map_exchange_exit_rounds) { repeat(fork_map_exchange_exit); }
TEST(shared_object_rounds) { repeat(create_size_map_touch_unmap_close_unlink); }
TEST(dying_child_rounds) { repeat(die_in_the_middle); }
TEST(failing_call_rounds) { repeat(fail_in_every_way); }
