// superpage_test: memory whose pages fill blocks of 2 MiB is mapped as one; nobody sees a difference but in mincore(2) and in
// what things cost (vm.pmap.pde, vm.reserv).

#include <stdbool.h>
#include <sys/wait.h>

#include "check.h"
#include "shared_memory.h"

#define LARGE (2UL << 20)
#define PAGES (LARGE / PAGE_SIZE)

static uint64_t promotions(void) { return check_sysctl("vm.pmap.pde.promotions"); }

static void fill(volatile char *memory, size_t count, char value) {
  for (size_t page = 0; page < count; page++) memory[page * PAGE_SIZE] = value;
}

static void expect(const volatile char *memory, size_t count, char value) {
  for (size_t page = 0; page < count; page++) CHECK_EQUAL(memory[page * PAGE_SIZE], value);
}

// The size of the page that maps an address, as mincore(2) tells it: 0 or 1; less when there is none.
static int size_of_page(const volatile char *memory) {
  char state;
  CHECK_EQUAL(mincore((const void *)memory, PAGE_SIZE, &state), 0);
  return state & MINCORE_INCORE ? (state & MINCORE_SUPER) >> 5 : -1;
}

TEST(shared_memory_is_promoted) {
  int descriptor = anonymous(2 * LARGE);
  volatile char *memory = map(descriptor, 2 * LARGE);
  CHECK_EQUAL((uintptr_t)memory % LARGE, 0);
  uint64_t before = promotions();
  fill(memory, 2 * PAGES - 1, 1);
  CHECK_EQUAL(promotions() - before, 1);
  CHECK_EQUAL(size_of_page(memory), 1);
  CHECK_EQUAL(size_of_page(memory + LARGE), 0);
  fill(memory + LARGE, PAGES, 1);
  CHECK_EQUAL(size_of_page(memory + LARGE), 1);
  // A second view needs one fault for a block.
  volatile char *view = map(descriptor, 2 * LARGE);
  view[5 * PAGE_SIZE] = 2;
  CHECK_EQUAL(size_of_page(view), 1);
  CHECK_EQUAL(memory[5 * PAGE_SIZE], 2);
  CHECK_EQUAL(munmap((void *)view, 2 * LARGE), 0);
  expect(memory + LARGE, PAGES, 1);
  CHECK_EQUAL(munmap((void *)memory, 2 * LARGE), 0);
  CHECK_EQUAL(close(descriptor), 0);
}

TEST(a_part_is_changed) {
  int descriptor = anonymous(LARGE);
  volatile char *memory = map(descriptor, LARGE);
  fill(memory, PAGES, 1);
  CHECK_EQUAL(mprotect((void *)(memory + 8 * PAGE_SIZE), PAGE_SIZE, PROT_READ), 0);
  CHECK_EQUAL(size_of_page(memory), 0);
  expect(memory, PAGES, 1);
  CHECK_EQUAL(mprotect((void *)(memory + 8 * PAGE_SIZE), PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
  memory[8 * PAGE_SIZE] = 1;
  CHECK_EQUAL(size_of_page(memory), 1);
  struct spacectl_range range = {3 * PAGE_SIZE, PAGE_SIZE}, rest;
  CHECK_EQUAL(fspacectl(descriptor, SPACECTL_DEALLOC, &range, 0, &rest), 0);
  CHECK_EQUAL(memory[3 * PAGE_SIZE], 0);
  CHECK_EQUAL(memory[4 * PAGE_SIZE], 1);
  CHECK_EQUAL(munmap((void *)memory, PAGE_SIZE), 0);
  expect(memory + 4 * PAGE_SIZE, PAGES - 4, 1);
  CHECK_EQUAL(ftruncate(descriptor, 100 * PAGE_SIZE), 0);
  expect(memory + 4 * PAGE_SIZE, 96, 1);
  CHECK_EQUAL(munmap((void *)memory, LARGE), 0);
  CHECK_EQUAL(close(descriptor), 0);
}

// What the child stores is its own, whatever maps it; and what the parent stores, too.
TEST(private_memory_is_copied) {
  char *memory = mmap(NULL, 3 * LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  uint64_t before = promotions();
  fill(memory, 3 * PAGES, 1);
  CHECK(promotions() - before >= 2);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    expect(memory, 3 * PAGES, 1);
    for (size_t page = 0; page < 3 * PAGES; page += 3) memory[page * PAGE_SIZE] = 2;
    for (size_t page = 0; page < 3 * PAGES; page++) CHECK_EQUAL(memory[page * PAGE_SIZE], page % 3 == 0 ? 2 : 1);
    _exit(0);
  }
  memory[PAGE_SIZE] = 3;
  int status;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK_EQUAL(status, 0);
  CHECK_EQUAL(memory[PAGE_SIZE], 3);
  expect(memory + 2 * PAGE_SIZE, 3 * PAGES - 2, 1);
  fill(memory, 3 * PAGES, 4);
  expect(memory, 3 * PAGES, 4);
  CHECK_EQUAL(munmap(memory, 3 * LARGE), 0);
}

TEST(unused_frames_count_as_free) {
  enum { groups = 8 };
  int descriptor = anonymous(groups * LARGE);
  volatile char *memory = map(descriptor, groups * LARGE);
  uint64_t before = check_sysctl("vm.stats.vm.v_free_count");
  for (size_t group = 0; group < groups; group++) memory[group * LARGE] = 1;
  CHECK(before - check_sysctl("vm.stats.vm.v_free_count") < 100);
  CHECK_EQUAL(munmap((void *)memory, groups * LARGE), 0);
  CHECK_EQUAL(close(descriptor), 0);
}
