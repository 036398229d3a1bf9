// shared_shadow_inval_test: FreeBSD's tests/sys/vm/shared_shadow_inval_test (spec tests.md, section 4): memory of which a process
// has a copy that it shares with another, while a third has the original; and what a program tells of its memory.

#include <stdbool.h>
#include <sys/wait.h>

#include "check.h"

#define PAGES 8
#define SIZE (PAGES * PAGE_SIZE)

static void wait_for_success(pid_t child) {
  int status;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK_EQUAL(status, 0);
}

static void expect(const char *memory, int modified) {
  for (int page = 0; page < PAGES; page++) CHECK_EQUAL(memory[page * PAGE_SIZE], page < modified ? 'B' : 'A');
}

// P1 has shared memory, P2 a copy of it that it shares with P3, which stores to the first pages. With `touched`, P2 has its own
// pages already; with `alone`, P1 has gone before, so that nobody else sees the object behind.
static void run(int modified, bool touched, bool alone) {
  char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  for (int page = 0; page < PAGES; page++) memory[page * PAGE_SIZE] = 'A';
  CHECK_EQUAL(minherit(memory, SIZE, INHERIT_COPY), 0);
  pid_t second = fork();
  CHECK(second >= 0);
  if (second == 0) {
    expect(memory, 0);
    if (touched) {
      for (int page = 0; page < PAGES; page++) memory[page * PAGE_SIZE] = 'A';
    }
    CHECK_EQUAL(minherit(memory, SIZE, INHERIT_SHARE), 0);
    pid_t third = fork();
    CHECK(third >= 0);
    if (third == 0) {
      expect(memory, 0);
      for (int page = 0; page < modified; page++) memory[page * PAGE_SIZE] = 'B';
      _exit(0);
    }
    wait_for_success(third);
    expect(memory, modified);
    _exit(0);
  }
  if (alone) CHECK_EQUAL(munmap(memory, SIZE), 0);
  wait_for_success(second);
  if (alone) return;
  expect(memory, 0);
  CHECK_EQUAL(munmap(memory, SIZE), 0);
}

TEST(lazy_cow) {
  run(PAGES, false, false);
  run(PAGES / 2, false, false);
  run(PAGES, false, true);
  run(PAGES / 2, false, true);
}

TEST(eager_cow) {
  run(PAGES, true, false);
  run(PAGES / 2, true, false);
  run(PAGES, true, true);
  run(PAGES / 2, true, true);
}

TEST(minherit_none_leaves_a_hole) {
  char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  CHECK_EQUAL(minherit(memory + PAGE_SIZE, PAGE_SIZE, INHERIT_NONE), 0);
  CHECK_EXIT(0, {
    char byte;
    CHECK_EQUAL(mincore(memory, PAGE_SIZE, &byte), 0);
    CHECK_ERRNO(ENOMEM, mincore(memory, SIZE, &byte));
  });
}

TEST(minherit_zero_is_fresh) {
  char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  memory[0] = 1;
  CHECK_EQUAL(minherit(memory, SIZE, INHERIT_ZERO), 0);
  CHECK_EXIT(0, {
    CHECK_EQUAL(memory[0], 0);
    memory[0] = 2;
  });
  CHECK_EQUAL(memory[0], 1);
}

TEST(madvise_keeps_what_is_shared) {
  char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  memset(memory, 7, SIZE);
  static const int advice[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE};
  for (size_t index = 0; index < nitems(advice); index++) {
    CHECK_EQUAL(madvise(memory, SIZE, advice[index]), 0);
    for (int position = 0; position < SIZE; position += 97) CHECK_EQUAL(memory[position], 7);
  }
  CHECK_ERRNO(EINVAL, madvise(memory, SIZE, 11));
}

TEST(madvise_free_gives_memory_back) {
  char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  memset(memory, 7, SIZE);
  CHECK_EQUAL(madvise(memory + PAGE_SIZE, PAGE_SIZE, MADV_FREE), 0);
  CHECK_EQUAL(memory[0], 7);
  CHECK(memory[PAGE_SIZE] == 0 || memory[PAGE_SIZE] == 7);
  CHECK_EQUAL(memory[2 * PAGE_SIZE], 7);
}

TEST(msync_keeps_and_knows_holes) {
  char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  memset(memory, 7, SIZE);
  static const int flags[] = {MS_SYNC, MS_ASYNC, MS_INVALIDATE};
  for (size_t index = 0; index < nitems(flags); index++) {
    CHECK_EQUAL(msync(memory, SIZE, flags[index]), 0);
    for (int position = 0; position < SIZE; position += 97) CHECK_EQUAL(memory[position], 7);
  }
  CHECK_ERRNO(EINVAL, msync(memory, SIZE, MS_ASYNC | MS_INVALIDATE));
  CHECK_EQUAL(munmap(memory + PAGE_SIZE, PAGE_SIZE), 0);
  CHECK_ERRNO(ENOMEM, msync(memory, SIZE, MS_SYNC));
}
