// exhaustion_test: programs that take without end (issue 2, acceptance 4): memory, processes, descriptors, mappings, names.
// After each the test itself still works and the kernel has its memory back. Best run with 64 MiB.

#include "check.h"

static uint64_t free_pages(void) { return check_sysctl("vm.stats.vm.v_free_count"); }

// Tables may stay grown, but no more than this; what a greedy child took itself is back.
enum { KEPT_PAGES = 256 };

static void check_recovered(uint64_t before) {
  for (int tries = 0; tries < 100 && free_pages() + KEPT_PAGES < before; tries++) usleep(1000);
  uint64_t after = free_pages();
  if (after + KEPT_PAGES < before)
    check_failed(__FILE__, __LINE__, "%lu free pages before, %lu after", before, after);
  CHECK_EXIT(9, _exit(9));
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, 64 * PAGE_SIZE), 0);
  char *memory = mmap(NULL, 64 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  memset(memory, 1, 64 * PAGE_SIZE);
}

TEST(touching_all_memory) {
  uint64_t before = free_pages(), pages = check_sysctl("vm.stats.vm.v_page_count");
  CHECK_SIGNAL(SIGKILL, {
    volatile char *memory = mmap(NULL, 4 * pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (memory == MAP_FAILED) _exit(2);
    for (uint64_t page = 0; page < 4 * pages; page++) memory[page * PAGE_SIZE] = 1;
  });
  check_recovered(before);
}

TEST(filling_a_shared_object) {
  uint64_t before = free_pages(), pages = check_sysctl("vm.stats.vm.v_page_count");
  CHECK_SIGNAL(SIGKILL, {
    int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
    ftruncate(descriptor, (off_t)(4 * pages * PAGE_SIZE));
    volatile char *memory = mmap(NULL, 4 * pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED) _exit(2);
    for (uint64_t page = 0; page < 4 * pages; page++) memory[page * PAGE_SIZE] = 1;
  });
  check_recovered(before);
}

// The killer exists before the bomb does, so that it needs no free place.
TEST(a_fork_bomb) {
  uint64_t before = free_pages();
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  volatile int *shared = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  pid_t killer = fork();
  CHECK(killer >= 0);
  if (killer == 0) {
    while (!shared[0]) usleep(1000);
    setuid(1001);
    int quiet = 0;
    for (int round = 0; round < 10000 && quiet < 3; round++) {
      quiet = kill(-1, SIGKILL) == -1 ? quiet + 1 : 0;
      sched_yield();
    }
    _exit(quiet == 3 ? 0 : 1);
  }
  pid_t bomb = fork();
  CHECK(bomb >= 0);
  if (bomb == 0) {
    setuid(1001);
    for (;;)
      if (fork() == -1) {
        shared[1] = errno;
        sched_yield();
      }
  }
  for (int tries = 0; tries < 2000 && !shared[1]; tries++) usleep(1000);
  int error = shared[1];
  shared[0] = 1;
  check_exit(__FILE__, __LINE__, 0, check_wait(killer));
  check_signal(__FILE__, __LINE__, SIGKILL, check_wait(bomb));
  CHECK(error == EAGAIN || error == ENOMEM);
  check_recovered(before);
}

TEST(descriptors_without_end) {
  uint64_t before = free_pages(), files = check_sysctl("kern.openfiles");
  CHECK_EXIT(0, {
    long count = 0;
    while (shm_open(SHM_ANON, O_RDWR, 0) >= 0) count++;
    CHECK(errno == EMFILE || errno == ENFILE || errno == ENOMEM);
    CHECK(count > 50);
    while (dup(0) >= 0) {}
    CHECK(errno == EMFILE || errno == ENOMEM);
  });
  CHECK_EQUAL(check_sysctl("kern.openfiles"), files);
  check_recovered(before);
}

// Every other mapping is read only, so that neighbours do not become one.
TEST(mappings_without_end) {
  uint64_t before = free_pages();
  int status = IN_CHILD({
    int descriptor = shm_open(SHM_ANON, O_RDWR, 0);
    ftruncate(descriptor, PAGE_SIZE);
    for (long index = 0;; index++) {
      int protection = index % 2 ? PROT_READ : PROT_READ | PROT_WRITE;
      if (mmap(NULL, PAGE_SIZE, protection, MAP_SHARED, descriptor, 0) == MAP_FAILED) break;
    }
    CHECK_EQUAL(errno, ENOMEM);
  });
  if (status != 0 && status != SIGKILL) check_failed(__FILE__, __LINE__, "status 0x%x", (unsigned)status);
  check_recovered(before);
}

TEST(names_without_end) {
  uint64_t before = free_pages();
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  volatile long *count = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  char path[256];
  int status = IN_CHILD({
    for (;; ++*count) {
      snprintf(path, sizeof path, "/%0200ld", *count);
      int object = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
      if (object < 0) break;
      close(object);
    }
    CHECK(errno == ENOMEM || errno == ENFILE || errno == ENOSPC);
  });
  if (status != 0 && status != SIGKILL) check_failed(__FILE__, __LINE__, "status 0x%x", (unsigned)status);
  CHECK(*count > 1000);
  for (long name = 0; name < *count; name++) {
    snprintf(path, sizeof path, "/%0200ld", name);
    CHECK_EQUAL(shm_unlink(path), 0);
  }
  snprintf(path, sizeof path, "/%0200ld", *count);
  shm_unlink(path);
  check_recovered(before);
}
