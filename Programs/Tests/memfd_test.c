// memfd_test: the cases of FreeBSD's tests/sys/posixshm/memfd_test (spec tests.md, section 3) under their names, and the
// arguments of memfd_create(3) (shm.md, 3.5).

#include <stdbool.h>

#include "check.h"

static int sealable(void) {
  int descriptor = memfd_create("test", MFD_ALLOW_SEALING);
  CHECK(descriptor >= 0);
  return descriptor;
}

static void *map(int descriptor, int protection, int flags) {
  void *memory = mmap(NULL, PAGE_SIZE, protection, flags, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}

static off_t size_of(int descriptor) {
  struct stat status;
  CHECK_EQUAL(fstat(descriptor, &status), 0);
  return status.st_size;
}

#define CHECK_NO_SHARED_WRITING(descriptor) \
  CHECK_ERRNO(EACCES, mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0))

TEST(basic) {
  // shows: shm 3.5.call
  int descriptor = memfd_create("test", 0);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(write(descriptor, "12345678", 8), 8);
  CHECK_EQUAL(size_of(descriptor), 8);
  CHECK_EQUAL(ftruncate(descriptor, 14), 0);
  CHECK_EQUAL(size_of(descriptor), 14);
  CHECK_EQUAL(write(descriptor, "12345678", 8), 8);
  CHECK_EQUAL(size_of(descriptor), 16);
}

TEST(cloexec) {
  // shows: shm 3.5.call
  CHECK_EQUAL(fcntl(memfd_create("test", 0), F_GETFD), 0);
  CHECK_EQUAL(fcntl(memfd_create("test", MFD_CLOEXEC), F_GETFD), FD_CLOEXEC);
}

TEST(disallowed_sealing) {
  int descriptor = memfd_create("test", 0);
  CHECK_EQUAL(fcntl(descriptor, F_GET_SEALS), F_SEAL_SEAL);
  CHECK_ERRNO(EPERM, fcntl(descriptor, F_ADD_SEALS, F_SEAL_WRITE));
}

TEST(write_seal) {
  int descriptor = sealable();
  CHECK_EQUAL(ftruncate(descriptor, 1024), 0);
  char bytes[128] = {1};
  CHECK_EQUAL(write(descriptor, bytes, sizeof bytes), (long)sizeof bytes);
  CHECK_EQUAL(lseek(descriptor, 0, SEEK_SET), 0);
  map(descriptor, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  CHECK_EQUAL(fcntl(descriptor, F_ADD_SEALS, F_SEAL_WRITE), 0);
  CHECK_ERRNO(EPERM, write(descriptor, bytes, sizeof bytes));
  CHECK_NO_SHARED_WRITING(descriptor);
}

TEST(mmap_write_seal) {
  int descriptor = sealable();
  CHECK_EQUAL(ftruncate(descriptor, 1024), 0);
  void *shared = map(descriptor, PROT_READ | PROT_WRITE, MAP_SHARED);
  map(descriptor, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  void *reading = map(descriptor, PROT_READ, MAP_SHARED);
  CHECK_ERRNO(EBUSY, fcntl(descriptor, F_ADD_SEALS, F_SEAL_WRITE));
  CHECK_EQUAL(munmap(shared, PAGE_SIZE), 0);
  CHECK_ERRNO(EBUSY, fcntl(descriptor, F_ADD_SEALS, F_SEAL_WRITE));
  CHECK_EQUAL(munmap(reading, PAGE_SIZE), 0);
  CHECK_EQUAL(fcntl(descriptor, F_ADD_SEALS, F_SEAL_WRITE), 0);
  CHECK_NO_SHARED_WRITING(descriptor);
  map(descriptor, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  CHECK_ERRNO(EACCES, mprotect(map(descriptor, PROT_READ, MAP_SHARED), PAGE_SIZE, PROT_READ | PROT_WRITE));
}

static void check_resizing(int seals, off_t length, bool may_grow, bool may_shrink) {
  int descriptor = sealable();
  CHECK_EQUAL(ftruncate(descriptor, length), 0);
  CHECK_EQUAL(fcntl(descriptor, F_ADD_SEALS, seals), 0);
  CHECK_EQUAL(ftruncate(descriptor, length), 0);
  if (may_grow) {
    CHECK_EQUAL(ftruncate(descriptor, 2 * length), 0);
  } else {
    CHECK_ERRNO(EPERM, ftruncate(descriptor, 2 * length));
    CHECK_EQUAL(size_of(descriptor), length);
  }
  if (may_shrink) {
    CHECK_EQUAL(ftruncate(descriptor, length / 2), 0);
  } else {
    CHECK_ERRNO(EPERM, ftruncate(descriptor, length / 2));
  }
}

TEST(truncate_seals) {
  check_resizing(F_SEAL_GROW, 4, false, true);
  check_resizing(F_SEAL_SHRINK, 8, true, false);
  check_resizing(F_SEAL_GROW | F_SEAL_SHRINK, 4 * PAGE_SIZE, false, false);
}

TEST(get_seals) {
  // shows: shm 3.5.call
  int descriptor = sealable();
  CHECK_EQUAL(fcntl(descriptor, F_GET_SEALS), 0);
  CHECK_EQUAL(fcntl(descriptor, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW), 0);
  CHECK_EQUAL(fcntl(descriptor, F_GET_SEALS), F_SEAL_WRITE | F_SEAL_GROW);
}

TEST(dup_seals) {
  int descriptor = sealable();
  CHECK_EQUAL(ftruncate(descriptor, 1024), 0);
  int other = dup(descriptor);
  CHECK_EQUAL(fcntl(descriptor, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW), 0);
  CHECK_EQUAL(fcntl(other, F_GET_SEALS), F_SEAL_WRITE | F_SEAL_GROW);
  CHECK_ERRNO(EPERM, write(other, "1", 1));
  CHECK_NO_SHARED_WRITING(other);
}

TEST(immutable_seals) {
  int descriptor = sealable();
  CHECK_EQUAL(fcntl(descriptor, F_ADD_SEALS, F_SEAL_SEAL), 0);
  CHECK_ERRNO(EPERM, fcntl(descriptor, F_ADD_SEALS, F_SEAL_GROW));
  descriptor = sealable();
  CHECK_EQUAL(fcntl(descriptor, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SEAL), 0);
  CHECK_ERRNO(EPERM, fcntl(descriptor, F_ADD_SEALS, F_SEAL_GROW));
}

TEST(arguments_of_memfd_create) {
  // shows: shm 3.5.null, 3.5.long, 3.5.flags, 3.5.huge-bits, 3.5.enotty
  char name[NAME_MAX + 1];
  memset(name, 'n', sizeof name);
  CHECK_ERRNO(EBADF, memfd_create(NULL, 0));
  name[250] = 0;
  CHECK_ERRNO(EINVAL, memfd_create(name, 0));
  name[249] = 0;
  CHECK(memfd_create(name, 0) >= 0);
  CHECK(memfd_create("", MFD_CLOEXEC | MFD_ALLOW_SEALING) >= 0);
  static const unsigned bad[] = {8, 0x100, ~0u, 0x80000000, ~MFD_CLOEXEC, ~MFD_ALLOW_SEALING};
  for (size_t index = 0; index < nitems(bad); index++) CHECK_ERRNO(EINVAL, memfd_create("test", bad[index]));
  // shows: shm 3.5.hugetlb
  CHECK(memfd_create("test", MFD_HUGETLB) >= 0);
  CHECK_ERRNO(EOPNOTSUPP, memfd_create("test", MFD_HUGETLB | 30u << MFD_HUGE_SHIFT));
}
