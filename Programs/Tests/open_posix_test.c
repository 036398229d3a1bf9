// open_posix_test: assertions of the Open POSIX Test Suite for mmap, munmap, mlock, mlockall, munlock, munlockall and msync that
// mapping_test, shared_object_test and mlock_test have no case for, by their numbers (spec tests.md, sections 6.3 and 6.4); where
// FreeBSD answers otherwise than the suite wants, so do these. The files of a file system that it maps are those of /bin here.

#include <sys/resource.h>

#include "shared_memory.h"

enum { READ_WRITE = PROT_READ | PROT_WRITE, ANONYMOUS = MAP_ANON | MAP_PRIVATE };

static void limit(int which, rlim_t most) {
  struct rlimit limit = {most, most};
  CHECK_EQUAL(setrlimit(which, &limit), 0);
}

static char *pages(size_t count) {
  char *memory = mmap(NULL, count * PAGE_SIZE, READ_WRITE, ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}

// The program's own file, and its size.
static int program(off_t *size) {
  char path[64];
  size_t length = sizeof path;
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1};
  CHECK_EQUAL(sysctl(name, 4, path, &length, NULL, 0), 0);
  int file = open(path, O_RDONLY);
  CHECK(file >= 0);
  *size = status_of(file).st_size;
  return file;
}

// MARK: mmap

TEST(mmap_1_1_a_file_is_mapped) {
  off_t size;
  int file = program(&size);
  char *memory = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, file, 0);
  CHECK(memory != MAP_FAILED);
  char bytes[512];
  for (off_t offset = 0; offset < size; offset += 9973) {
    ssize_t count = pread(file, bytes, sizeof bytes, offset);
    CHECK(count > 0);
    CHECK(memcmp(memory + offset, bytes, (size_t)count) == 0);
  }
  CHECK_EQUAL(close(file), 0);
  CHECK_EQUAL(memory[1], 'E');
}

TEST(mmap_5_1_all_protections) {
  static const int protections[] = {PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC, PROT_READ | PROT_WRITE,
                                    PROT_READ | PROT_EXEC, PROT_WRITE | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC};
  int descriptor = anonymous(PAGE_SIZE);
  for (size_t index = 0; index < nitems(protections); index++) {
    CHECK(mmap(NULL, PAGE_SIZE, protections[index], MAP_SHARED, descriptor, 0) != MAP_FAILED);
    CHECK(mmap(NULL, PAGE_SIZE, protections[index], MAP_PRIVATE, descriptor, 0) != MAP_FAILED);
  }
}

TEST(mmap_6_6_what_cannot_be_read_is_not_mapped_to_be_read) {
  off_t size;
  int readable = program(&size);
  CHECK_ERRNO(EACCES, mmap(NULL, PAGE_SIZE, READ_WRITE, MAP_SHARED, readable, 0));
  CHECK(mmap(NULL, PAGE_SIZE, READ_WRITE, MAP_PRIVATE, readable, 0) != MAP_FAILED);
}

TEST(mmap_10_1_never_at_address_zero) {
  int descriptor = anonymous(PAGE_SIZE);
  for (int count = 0; count < 1000; count++) {
    void *memory = mmap(NULL, PAGE_SIZE, READ_WRITE, MAP_SHARED, descriptor, 0);
    CHECK(memory != MAP_FAILED && memory != NULL);
  }
}

TEST(mmap_11_2_beyond_the_last_page_of_a_file) {
  off_t size;
  int file = program(&size);
  size_t whole = ((size_t)size + PAGE_SIZE - 1) & ~(size_t)PAGE_MASK;
  volatile char *memory = mmap(NULL, whole + PAGE_SIZE, PROT_READ, MAP_SHARED, file, 0);
  CHECK(memory != MAP_FAILED);
  CHECK_EXIT(0, (void)memory[whole - 1]);
  CHECK_SIGNAL(SIGBUS, (void)memory[whole]);
}

TEST(mmap_11_4_and_11_6_the_rest_of_the_last_page_is_zero_and_nobody_elses) {
  off_t size;
  int file = program(&size);
  size_t whole = ((size_t)size + PAGE_SIZE - 1) & ~(size_t)PAGE_MASK;
  char *memory = mmap(NULL, whole, READ_WRITE, MAP_PRIVATE, file, 0);
  char *other = mmap(NULL, whole, PROT_READ, MAP_SHARED, file, 0);
  CHECK(memory != MAP_FAILED && other != MAP_FAILED);
  for (size_t offset = (size_t)size; offset < whole; offset++) CHECK_EQUAL(memory[offset], 0);
  if ((size_t)size < whole) memory[size] = 1;
  for (size_t offset = (size_t)size; offset < whole; offset++) CHECK_EQUAL(other[offset], 0);
  CHECK_EQUAL(status_of(file).st_size, size);
}

TEST(mmap_18_1_what_would_be_locked_beyond_the_limit) {
  int descriptor = anonymous(16 * PAGE_SIZE);
  CHECK_EQUAL(mlockall(MCL_FUTURE), 0);
  limit(RLIMIT_MEMLOCK, 2 * PAGE_SIZE);
  // POSIX has EAGAIN for this.
  CHECK_ERRNO(ENOMEM, mmap(NULL, 16 * PAGE_SIZE, READ_WRITE, MAP_SHARED, descriptor, 0));
  CHECK(mmap(NULL, PAGE_SIZE, READ_WRITE, MAP_SHARED, descriptor, 0) != MAP_FAILED);
}

TEST(mmap_19_1_no_descriptor) {
  int descriptor = anonymous(PAGE_SIZE);
  CHECK_EQUAL(close(descriptor), 0);
  CHECK_ERRNO(EBADF, mmap(NULL, PAGE_SIZE, READ_WRITE, MAP_SHARED, descriptor, 0));
  CHECK_ERRNO(EBADF, mmap(NULL, PAGE_SIZE, READ_WRITE, MAP_SHARED, -1, 0));
  CHECK_ERRNO(EBADF, mmap(NULL, PAGE_SIZE, READ_WRITE, MAP_PRIVATE, 1 << 20, 0));
}

TEST(mmap_23_1_a_pipe_has_no_memory) {
  int ends[2];
  CHECK_EQUAL(pipe(ends), 0);
  CHECK_ERRNO(ENODEV, mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, ends[0], 0));
}

TEST(mmap_24_1_until_the_address_space_is_full) {
  int descriptor = anonymous(PAGE_SIZE);
  size_t size = (size_t)1 << 43;
  int count = 0;
  while (mmap(NULL, size, READ_WRITE, MAP_SHARED, descriptor, 0) != MAP_FAILED) count++;
  CHECK_EQUAL(errno, ENOMEM);
  // What there is of it is 2^46.
  CHECK(count >= 4 && count < 8);
  CHECK(mmap(NULL, PAGE_SIZE, READ_WRITE, MAP_SHARED, descriptor, 0) != MAP_FAILED);
}

TEST(mmap_24_2_more_than_the_address_space_may_be) {
  int descriptor = anonymous(PAGE_SIZE);
  void *place = mmap(NULL, PAGE_SIZE, READ_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(place != MAP_FAILED);
  CHECK_EXIT(0, {
    limit(RLIMIT_AS, (rlim_t)1 << 30);
    CHECK_ERRNO(ENOMEM, mmap(place, (size_t)2 << 30, READ_WRITE, MAP_SHARED | MAP_FIXED, descriptor, 0));
    CHECK_ERRNO(ENOMEM, mmap(NULL, (size_t)2 << 30, READ_WRITE, MAP_SHARED, descriptor, 0));
    *(volatile char *)place = 1;
  });
}

TEST(mmap_27_1_private_at_a_fixed_address) {
  int descriptor = anonymous(PAGE_SIZE);
  CHECK_EQUAL(pwrite(descriptor, "a", 1, 0), 1);
  char *place = pages(1);
  char *memory = mmap(place, PAGE_SIZE, READ_WRITE, MAP_PRIVATE | MAP_FIXED, descriptor, 0);
  CHECK(memory == place && *memory == 'a');
}

// MARK: munmap

TEST(munmap_5_1_locks_go_with_the_mapping) {
  char *memory = pages(4);
  uint64_t before = check_sysctl("vm.stats.vm.v_user_wire_count");
  CHECK_EQUAL(mlock(memory, 4 * PAGE_SIZE), 0);
  CHECK_EQUAL(check_sysctl("vm.stats.vm.v_user_wire_count"), before + 4);
  CHECK_EQUAL(munmap(memory, 4 * PAGE_SIZE), 0);
  CHECK_EQUAL(check_sysctl("vm.stats.vm.v_user_wire_count"), before);
  CHECK(mmap(memory, 4 * PAGE_SIZE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) == memory);
  CHECK_EQUAL(check_sysctl("vm.stats.vm.v_user_wire_count"), before);
}

// MARK: mlock and munlock

TEST(mlock_5_1_and_munlock_7_1_a_page_is_locked_and_unlocked) {
  char *memory = pages(1);
  CHECK_EQUAL(mlock(memory, PAGE_SIZE), 0);
  CHECK_EQUAL(munlock(memory, PAGE_SIZE), 0);
}

TEST(mlock_7_1_and_munlock_10_1_what_is_not_mapped) {
  char *memory = pages(3);
  CHECK_EQUAL(munmap(memory + PAGE_SIZE, PAGE_SIZE), 0);
  CHECK_ERRNO(ENOMEM, mlock(memory, 3 * PAGE_SIZE));
  CHECK_ERRNO(ENOMEM, munlock(memory, 3 * PAGE_SIZE));
  CHECK_ERRNO(ENOMEM, mlock((void *)(1UL << 46), PAGE_SIZE));
}

TEST(mlock_8_1_and_munlock_11_1_an_address_within_a_page) {
  char *memory = pages(2);
  uint64_t before = check_sysctl("vm.stats.vm.v_user_wire_count");
  CHECK_EQUAL(mlock(memory + 1, PAGE_SIZE), 0);
  CHECK_EQUAL(check_sysctl("vm.stats.vm.v_user_wire_count"), before + 2);
  CHECK_EQUAL(munlock(memory + 1, PAGE_SIZE), 0);
  CHECK_EQUAL(check_sysctl("vm.stats.vm.v_user_wire_count"), before);
}

TEST(mlock_12_1_limits) {
  char *memory = pages(8);
  // Of one process ...
  CHECK_EXIT(0, {
    limit(RLIMIT_MEMLOCK, 3 * PAGE_SIZE);
    CHECK_ERRNO(ENOMEM, mlock(memory, 4 * PAGE_SIZE));
    CHECK_EQUAL(mlock(memory, 3 * PAGE_SIZE), 0);
    CHECK_ERRNO(ENOMEM, mlock(memory + 4 * PAGE_SIZE, 1));
    CHECK_EQUAL(munlock(memory, PAGE_SIZE), 0);
    CHECK_EQUAL(mlock(memory + 4 * PAGE_SIZE, 1), 0);
  });
  // ... and of all.
  unsigned long most, few = check_sysctl("vm.stats.vm.v_user_wire_count") + 4;
  size_t length = sizeof most;
  CHECK_EQUAL(sysctlbyname("vm.max_user_wired", &most, &length, &few, sizeof few), 0);
  CHECK(length == sizeof most && most > 4);
  CHECK_ERRNO(ENOMEM, mlock(memory, 5 * PAGE_SIZE));
  CHECK_EQUAL(mlock(memory, 3 * PAGE_SIZE), 0);
  CHECK_EXIT(0, {
    CHECK_ERRNO(ENOMEM, mlock(memory + 4 * PAGE_SIZE, 2 * PAGE_SIZE));
    CHECK_EQUAL(mlock(memory + 4 * PAGE_SIZE, PAGE_SIZE), 0);
  });
  CHECK_EQUAL(munlock(memory, PAGE_SIZE), 0);
  CHECK_EQUAL(mlock(memory + 4 * PAGE_SIZE, 2 * PAGE_SIZE), 0);
  CHECK_EQUAL(sysctlbyname("vm.max_user_wired", NULL, NULL, &most, sizeof most), 0);
  CHECK_EXIT(0, {
    CHECK_EQUAL(setuid(1001), 0);
    CHECK_ERRNO(EPERM, sysctlbyname("vm.max_user_wired", NULL, NULL, &few, sizeof few));
  });
}

// MARK: mlockall and munlockall

TEST(mlockall_3_6_and_munlockall_5_1_what_is_mapped_is_locked_and_unlocked) {
  CHECK_EXIT(0, {
    uint64_t before = check_sysctl("vm.stats.vm.v_user_wire_count");
    CHECK_EQUAL(mlockall(MCL_CURRENT), 0);
    CHECK(check_sysctl("vm.stats.vm.v_user_wire_count") > before);
    uint64_t locked = check_sysctl("vm.stats.vm.v_user_wire_count");
    pages(4);
    CHECK_EQUAL(check_sysctl("vm.stats.vm.v_user_wire_count"), locked);
    CHECK_EQUAL(munlockall(), 0);
    CHECK_EQUAL(check_sysctl("vm.stats.vm.v_user_wire_count"), before);
  });
}

TEST(mlockall_3_7_what_is_mapped_later_is_locked) {
  CHECK_EXIT(0, {
    CHECK_EQUAL(mlockall(MCL_FUTURE), 0);
    uint64_t before = check_sysctl("vm.stats.vm.v_user_wire_count");
    pages(4);
    CHECK_EQUAL(check_sysctl("vm.stats.vm.v_user_wire_count"), before + 4);
    CHECK_EQUAL(munlockall(), 0);
    pages(4);
    CHECK_EQUAL(check_sysctl("vm.stats.vm.v_user_wire_count"), before);
  });
}

TEST(mlockall_13_1_flags) {
  CHECK_ERRNO(EINVAL, mlockall(0));
  CHECK_ERRNO(EINVAL, mlockall(~(MCL_CURRENT | MCL_FUTURE)));
}

TEST(mlockall_15_1_more_than_the_limit) {
  CHECK_EXIT(0, {
    limit(RLIMIT_MEMLOCK, PAGE_SIZE);
    CHECK_ERRNO(ENOMEM, mlockall(MCL_CURRENT));
    CHECK_EQUAL(munlockall(), 0);
  });
}

// MARK: msync

TEST(msync_1_what_was_stored_is_seen_by_all) {
  int descriptor = anonymous(2 * PAGE_SIZE);
  char *memory = map(descriptor, 2 * PAGE_SIZE);
  static const int flags[] = {MS_SYNC, MS_ASYNC, MS_INVALIDATE, MS_SYNC | MS_INVALIDATE};
  for (size_t index = 0; index < nitems(flags); index++) {
    memset(memory, 'a' + (int)index, 2 * PAGE_SIZE);
    CHECK_EQUAL(msync(memory, 2 * PAGE_SIZE, flags[index]), 0);
    char byte;
    CHECK_EQUAL(pread(descriptor, &byte, 1, PAGE_SIZE), 1);
    CHECK_EQUAL(byte, 'a' + (int)index);
  }
}

TEST(msync_2_errors) {
  char *memory = pages(3);
  CHECK_ERRNO(EINVAL, msync(memory, PAGE_SIZE, MS_ASYNC | MS_INVALIDATE));
  CHECK_ERRNO(EINVAL, msync(memory + PAGE_SIZE, (size_t)-PAGE_SIZE * 2, MS_SYNC));
  CHECK_EQUAL(mlock(memory, PAGE_SIZE), 0);
  CHECK_ERRNO(EBUSY, msync(memory, PAGE_SIZE, MS_INVALIDATE));
  CHECK_EQUAL(msync(memory, PAGE_SIZE, MS_SYNC), 0);
  CHECK_EQUAL(munmap(memory + PAGE_SIZE, PAGE_SIZE), 0);
  CHECK_ERRNO(ENOMEM, msync(memory, 3 * PAGE_SIZE, MS_SYNC));
}
