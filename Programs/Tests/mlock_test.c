// mlock_test: cases of FreeBSD's tests/sys/vm/mlock_test (spec tests.md, section 4) under their names, with shared memory for the
// file; the others want a debugger, or large pages. And what locking keeps, and what its limits are.

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/sysctl.h>

#include "check.h"

#define PAGES 8
#define SIZE (PAGES * PAGE_SIZE)

static char *map(int descriptor, int flags) {
  char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}

static unsigned long wired_pages(void) {
  unsigned long count;
  size_t length = sizeof count;
  CHECK_EQUAL(sysctlbyname("vm.stats.vm.v_user_wire_count", &count, &length, NULL, 0), 0);
  return count;
}

static int object(void) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, SIZE), 0);
  return descriptor;
}

TEST(truncate_and_resize) {
  int descriptor = object();
  char *memory = map(descriptor, MAP_SHARED);
  memset(memory, 0x5a, SIZE);
  CHECK_EQUAL(mlock(memory, SIZE), 0);
  CHECK_EQUAL(ftruncate(descriptor, 0), 0);
  CHECK_EQUAL(ftruncate(descriptor, SIZE), 0);
  for (int index = 0; index < SIZE; index++) CHECK_EQUAL(memory[index], 0);
  CHECK_EQUAL(munlock(memory, SIZE), 0);
  CHECK_EQUAL(wired_pages(), 0);
}

TEST(truncate_and_unlock) {
  int descriptor = object();
  char *memory = map(descriptor, MAP_SHARED);
  CHECK_EQUAL(mlock(memory, SIZE), 0);
  CHECK_EQUAL(wired_pages(), PAGES);
  CHECK_EQUAL(ftruncate(descriptor, 0), 0);
  CHECK_EQUAL(munlock(memory, SIZE), 0);
  CHECK_EQUAL(wired_pages(), 0);
}

TEST(a_copy_is_locked_like_the_page_before_it) {
  char *memory = map(-1, MAP_PRIVATE | MAP_ANON);
  memset(memory, 1, SIZE);
  CHECK_EQUAL(mlock(memory, SIZE), 0);
  CHECK_EXIT(0, {
    memset(memory, 2, SIZE);
    CHECK_EQUAL(wired_pages(), PAGES);
  });
  memset(memory, 3, SIZE);
  CHECK_EQUAL(wired_pages(), PAGES);
  CHECK_EQUAL(munmap(memory, SIZE), 0);
  CHECK_EQUAL(wired_pages(), 0);
}

TEST(limits) {
  char *memory = map(-1, MAP_PRIVATE | MAP_ANON);
  CHECK_EXIT(0, {
    struct rlimit limit = {PAGE_SIZE, PAGE_SIZE};
    CHECK_EQUAL(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    CHECK_ERRNO(ENOMEM, mlock(memory, 2 * PAGE_SIZE));
    CHECK_EQUAL(mlock(memory, PAGE_SIZE), 0);
  });
  CHECK_EQUAL(wired_pages(), 0);
  CHECK_ERRNO(ENOMEM, mlock((void *)0x100000, PAGE_SIZE));
  CHECK_ERRNO(EINVAL, mlock(memory, SIZE_MAX));
}

TEST(mlockall_locks_what_is_and_what_comes) {
  CHECK_EXIT(0, {
    CHECK_EQUAL(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
    unsigned before = wired_pages();
    CHECK(before > 0);
    char *memory = map(-1, MAP_PRIVATE | MAP_ANON);
    CHECK_EQUAL(wired_pages(), before + PAGES);
    char bytes[PAGES];
    CHECK_EQUAL(mincore(memory, SIZE, bytes), 0);
    for (int index = 0; index < PAGES; index++) CHECK(bytes[index] & MINCORE_INCORE);
    CHECK_EQUAL(munlockall(), 0);
    CHECK_EQUAL(wired_pages(), 0);
  });
}
