// page_fault_signal_test: the cases of FreeBSD's tests/sys/vm/page_fault_signal_test (spec tests.md, section 5) under their
// names, as far as a program without signal handlers can see.

#include "shared_memory.h"

enum { READ_WRITE = PROT_READ | PROT_WRITE, ANONYMOUS = MAP_ANON | MAP_PRIVATE };

static volatile char *must_map(size_t size, int protection, int flags, int descriptor) {
  void *memory = mmap(NULL, size, protection, flags, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}

TEST(segv_maperr_1) {
  volatile char *memory = must_map(PAGE_SIZE, READ_WRITE, ANONYMOUS, -1);
  CHECK_EQUAL(munmap((void *)memory, PAGE_SIZE), 0);
  CHECK_SIGNAL(SIGSEGV, *memory = 1);
}

TEST(segv_accerr_1) {
  volatile char *memory = must_map(PAGE_SIZE, PROT_READ, ANONYMOUS, -1);
  CHECK_EQUAL(*memory, 0);
  CHECK_SIGNAL(SIGSEGV, *memory = 1);
}

TEST(segv_accerr_2) {
  CHECK_SIGNAL(SIGSEGV, (void)*must_map(PAGE_SIZE, PROT_NONE, ANONYMOUS, -1));
}

TEST(bus_objerr_1) {
  CHECK_SIGNAL(SIGBUS, *must_map(PAGE_SIZE, READ_WRITE, MAP_SHARED, anonymous(0)) = 1);
}

TEST(bus_objerr_2) {
  volatile char *memory = must_map(2 * PAGE_SIZE, READ_WRITE, MAP_SHARED, anonymous(PAGE_SIZE));
  memory[0] = 1;
  CHECK_SIGNAL(SIGBUS, memory[PAGE_SIZE] = 1);
  CHECK_SIGNAL(SIGBUS, (void)memory[PAGE_SIZE]);
}
