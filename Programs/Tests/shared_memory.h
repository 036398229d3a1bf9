// shared_memory.h: what the tests of shared memory objects have in common.
#pragma once

#include "check.h"

// fstat(2) into a buffer that was full of something else.
static inline struct stat status_of(int descriptor) {
  struct stat status;
  memset(&status, 0xa5, sizeof status);
  CHECK_EQUAL(fstat(descriptor, &status), 0);
  return status;
}

// A nameless object of a size.
static inline int anonymous(off_t size) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, size), 0);
  return descriptor;
}

// A shared mapping of its first bytes, to be read and written.
static inline char *map(int descriptor, size_t size) {
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}
