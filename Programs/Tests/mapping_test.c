// mapping_test: mmap, munmap, mprotect and page faults (spec shm.md, 3.11 to 3.14; tests.md, sections 5, 6.3 and 6.4, whose
// case names and numbers stand in the names here).

#include "check.h"

enum { READ_WRITE = PROT_READ | PROT_WRITE, ANONYMOUS = MAP_ANON | MAP_PRIVATE };

static int object(off_t size) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, size), 0);
  return descriptor;
}

static volatile char *must_map(size_t size, int protection, int flags, int descriptor) {
  void *memory = mmap(NULL, size, protection, flags, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}

static volatile char *anonymous(size_t pages) { return must_map(pages * PAGE_SIZE, READ_WRITE, ANONYMOUS, -1); }

TEST(mmap__map_at_zero) {
  static const uintptr_t bad[] = {0, 1, PAGE_SIZE - 1, -1UL, -(uintptr_t)PAGE_SIZE, -1UL - PAGE_SIZE, -2UL - PAGE_SIZE};
  for (size_t index = 0; index < nitems(bad); index++)
    CHECK(mmap((void *)bad[index], PAGE_SIZE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
  CHECK(mmap((void *)PAGE_SIZE, PAGE_SIZE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) == (void *)PAGE_SIZE);
  void *other = (void *)(0x1000UL * PAGE_SIZE);
  CHECK(mmap(other, PAGE_SIZE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) == other);
}

TEST(mmap__bad_arguments) {
  int descriptor = object(PAGE_SIZE);
  must_map(PAGE_SIZE, READ_WRITE, MAP_SHARED, descriptor);
  must_map(PAGE_SIZE, READ_WRITE, MAP_PRIVATE, descriptor);
  must_map(PAGE_SIZE, READ_WRITE, MAP_ANON | MAP_SHARED, -1);
  must_map(PAGE_SIZE, READ_WRITE, MAP_ANON | MAP_PRIVATE, -1);
#define BAD(expected, protection, flags, descriptor) \
  CHECK_ERRNO(expected, mmap(NULL, PAGE_SIZE, protection, flags, descriptor, 0))
  BAD(EINVAL, READ_WRITE | 0x100000, MAP_ANON | MAP_PRIVATE, -1);
  BAD(EINVAL, 0xffff, MAP_SHARED, descriptor);
  BAD(EINVAL, READ_WRITE, 0x80 | MAP_ANON | MAP_PRIVATE, -1);
  BAD(EINVAL, READ_WRITE, 0x100 | MAP_SHARED, descriptor);
  BAD(EINVAL, READ_WRITE, MAP_SHARED | MAP_PRIVATE | MAP_ANON, -1);
  BAD(EINVAL, READ_WRITE, MAP_SHARED | MAP_PRIVATE, descriptor);
  BAD(EINVAL, READ_WRITE, 0, descriptor);
  BAD(EINVAL, READ_WRITE, MAP_ANON | MAP_PRIVATE, 0);
  BAD(EINVAL, READ_WRITE, MAP_EXCL | MAP_ANON | MAP_PRIVATE, -1);
  BAD(EINVAL, READ_WRITE, MAP_STACK | MAP_PRIVATE, descriptor);
  BAD(EINVAL, PROT_READ, MAP_STACK | MAP_PRIVATE, -1);
  BAD(EINVAL, READ_WRITE, MAP_ANON | MAP_PRIVATE | MAP_ALIGNED(11), -1);
  BAD(EINVAL, READ_WRITE, MAP_ANON | MAP_PRIVATE | MAP_ALIGNED(64), -1);
  BAD(ENOTSUP, READ_WRITE | PROT_MAX(PROT_READ), MAP_ANON | MAP_PRIVATE, -1);
  BAD(EBADF, READ_WRITE, MAP_SHARED, 999);
  BAD(EBADF, READ_WRITE, MAP_SHARED, -1);
  CHECK_ERRNO(EINVAL, mmap(NULL, PAGE_SIZE, READ_WRITE, MAP_ANON | MAP_PRIVATE, -1, PAGE_SIZE));
  CHECK_ERRNO(ENOMEM, mmap(NULL, -1UL, READ_WRITE, MAP_ANON | MAP_PRIVATE, -1, 0));
  CHECK_ERRNO(ENOMEM, mmap(NULL, 1UL << 46, READ_WRITE, MAP_ANON | MAP_PRIVATE, -1, 0));
  int null = open("/dev/null", O_RDWR);
  CHECK(null >= 0);
  CHECK(mmap(NULL, PAGE_SIZE, READ_WRITE, MAP_PRIVATE, null, 0) == MAP_FAILED);
}

// Mappings of /dev/zero are memory of their own each, even shared ones.
static void check_dev_zero(int flags) {
  int zero = open("/dev/zero", O_RDWR);
  CHECK(zero >= 0);
  volatile char *maps[3];
  for (int index = 0; index < 3; index++) {
    maps[index] = must_map(PAGE_SIZE, READ_WRITE, flags, zero);
    for (int byte = 0; byte < PAGE_SIZE; byte++) CHECK_EQUAL(maps[index][byte], 0);
    maps[index][5] = (char)(index + 1);
  }
  for (int index = 0; index < 3; index++) CHECK_EQUAL(maps[index][5], index + 1);
}

TEST(mmap__dev_zero_private) {
  check_dev_zero(MAP_PRIVATE);
  int zero = open("/dev/zero", O_RDONLY);
  must_map(PAGE_SIZE, READ_WRITE, MAP_PRIVATE, zero)[0] = 1;
  CHECK_ERRNO(EACCES, mmap(NULL, PAGE_SIZE, READ_WRITE, MAP_SHARED, zero, 0));
}

TEST(mmap__dev_zero_shared) { check_dev_zero(MAP_SHARED); }

// A hint that is too high counts for nothing.
TEST(mmap_map_32bit) {
  for (int index = 0; index < 4; index++) {
    void *hint = index % 2 == 0 ? NULL : (void *)0x3000000000;
    char *memory = mmap(hint, 5 * PAGE_SIZE, READ_WRITE, ANONYMOUS | MAP_32BIT, -1, 0);
    CHECK(memory != MAP_FAILED && (uintptr_t)memory + 5 * PAGE_SIZE <= 1UL << 31);
    memory[5 * PAGE_SIZE - 1] = 1;
  }
  CHECK_ERRNO(EINVAL, mmap((void *)(1UL << 31), PAGE_SIZE, READ_WRITE, ANONYMOUS | MAP_32BIT | MAP_FIXED, -1, 0));
}

TEST(mmap__write_only) {
  must_map(PAGE_SIZE, PROT_WRITE, ANONYMOUS, -1)[0] = 1;
}

TEST(mmap__maxprot_basic) {
  void *memory = (void *)must_map(PAGE_SIZE, PROT_READ | PROT_MAX(PROT_READ), ANONYMOUS, -1);
  CHECK_ERRNO(EACCES, mprotect(memory, PAGE_SIZE, PROT_WRITE));
  CHECK_ERRNO(EACCES, mprotect(memory, PAGE_SIZE, READ_WRITE));
  CHECK_ERRNO(EACCES, mprotect(memory, PAGE_SIZE, PROT_READ | PROT_EXEC));
  CHECK_EQUAL(mprotect(memory, PAGE_SIZE, PROT_NONE), 0);
  CHECK_EQUAL(mprotect(memory, PAGE_SIZE, PROT_READ), 0);
}

TEST(mmap__maxprot_shm) {
  int descriptor = object(PAGE_SIZE);
  for (int flag = MAP_SHARED; flag <= MAP_PRIVATE; flag++) {
    void *memory = (void *)must_map(PAGE_SIZE, PROT_READ | PROT_MAX(PROT_READ), flag, descriptor);
    CHECK_ERRNO(EACCES, mprotect(memory, PAGE_SIZE, PROT_WRITE));
    CHECK_ERRNO(EACCES, mprotect(memory, PAGE_SIZE, READ_WRITE));
    CHECK_ERRNO(EACCES, mprotect(memory, PAGE_SIZE, PROT_READ | PROT_EXEC));
  }
}

TEST(mmap_11_3_whole_pages_past_the_end) {
  volatile char *memory = must_map(2 * PAGE_SIZE, READ_WRITE, MAP_SHARED, object(PAGE_SIZE / 2));
  memory[PAGE_SIZE - 1] = 1;
  CHECK_SIGNAL(SIGBUS, memory[PAGE_SIZE] = 1);
}

TEST(mmap_1_2_four_mebibytes) {
  int descriptor = object(4 << 20);
  volatile char *memory = must_map(4 << 20, READ_WRITE, MAP_SHARED, descriptor);
  for (int offset = 0; offset < 4 << 20; offset += PAGE_SIZE) memory[offset] = (char)(offset >> 12);
  for (int offset = 0; offset < 4 << 20; offset += PAGE_SIZE) CHECK_EQUAL(memory[offset], (char)(offset >> 12));
  struct stat status;
  CHECK_EQUAL(fstat(descriptor, &status), 0);
  CHECK_EQUAL(status.st_blocks, 1024);
}

TEST(mmap_3_1_fixed_replaces) {
  volatile char *memory = anonymous(3);
  memory[PAGE_SIZE] = 1;
  memory[0] = memory[2 * PAGE_SIZE] = 3;
  void *middle = (void *)(memory + PAGE_SIZE);
  CHECK(mmap(middle, PAGE_SIZE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) == middle);
  CHECK_EQUAL(memory[PAGE_SIZE], 0);
  CHECK(memory[0] == 3 && memory[2 * PAGE_SIZE] == 3);
  CHECK_ERRNO(ENOMEM, mmap(middle, PAGE_SIZE, READ_WRITE, ANONYMOUS | MAP_FIXED | MAP_EXCL, -1, 0));
  CHECK_EQUAL(munmap(middle, PAGE_SIZE), 0);
  CHECK(mmap(middle, PAGE_SIZE, READ_WRITE, ANONYMOUS | MAP_FIXED | MAP_EXCL, -1, 0) == middle);
}

TEST(mmap_6_protections) {
  int descriptor = object(PAGE_SIZE);
  CHECK_SIGNAL(SIGSEGV, *must_map(PAGE_SIZE, PROT_READ, MAP_SHARED, descriptor) = 1);
  CHECK_SIGNAL(SIGSEGV, (void)*must_map(PAGE_SIZE, PROT_NONE, MAP_SHARED, descriptor));
  CHECK_SIGNAL(SIGSEGV, *must_map(PAGE_SIZE, PROT_NONE, MAP_SHARED, descriptor) = 1);
}

TEST(data_is_not_executable) {
  volatile char *memory = anonymous(1);
  memory[0] = (char)0xc3;
  CHECK_SIGNAL(SIGSEGV, ((void (*)(void))(uintptr_t)memory)());
  CHECK_SIGNAL(SIGSEGV, {
    volatile char stack = (char)0xc3;
    ((void (*)(void))(uintptr_t)&stack)();
  });
  CHECK_EXIT(0, {
    CHECK_EQUAL(mprotect((void *)memory, PAGE_SIZE, PROT_READ | PROT_EXEC), 0);
    ((void (*)(void))(uintptr_t)memory)();
  });
}

TEST(the_program_text_is_not_writable) {
  CHECK_SIGNAL(SIGSEGV, *(volatile char *)(uintptr_t)&must_map = 1);
}

TEST(mmap_7_1_and_7_2_shared_and_private) {
  int descriptor = object(PAGE_SIZE);
  volatile char *shared = must_map(PAGE_SIZE, READ_WRITE, MAP_SHARED, descriptor);
  volatile char *private = must_map(PAGE_SIZE, READ_WRITE, MAP_PRIVATE, descriptor);
  shared[0] = 1;
  CHECK_EQUAL(private[0], 1);
  private[0] = 2;
  CHECK_EQUAL(shared[0], 1);
  char byte;
  CHECK_EQUAL(pread(descriptor, &byte, 1, 0), 1);
  CHECK_EQUAL(byte, 1);
  shared[0] = 3;
  CHECK_EQUAL(private[0], 2);
}

TEST(mmap_7_3_private_changes_are_inherited_but_not_shared) {
  int descriptor = object(PAGE_SIZE);
  volatile char *private = must_map(PAGE_SIZE, READ_WRITE, MAP_PRIVATE, descriptor);
  private[0] = 7;
  CHECK_EXIT(0, {
    CHECK_EQUAL(private[0], 7);
    private[0] = 8;
    private[1] = 9;
  });
  CHECK(private[0] == 7 && private[1] == 0);
  char bytes[2];
  CHECK_EQUAL(read(descriptor, bytes, 2), 2);
  CHECK(bytes[0] == 0 && bytes[1] == 0);
}

TEST(mmap_9_1_unaligned_fixed_address) {
  CHECK_ERRNO(EINVAL, mmap((void *)0x10001, PAGE_SIZE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0));
  CHECK_ERRNO(EINVAL, mmap((void *)(1UL << 46), PAGE_SIZE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0));
  CHECK_ERRNO(EINVAL, mmap((void *)((1UL << 46) - PAGE_SIZE), 2 * PAGE_SIZE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0));
}

TEST(mmap_11_1_unaligned_offset_is_legal) {
  int descriptor = object(2 * PAGE_SIZE);
  CHECK_EQUAL(pwrite(descriptor, "hello", 5, PAGE_SIZE + 100), 5);
  char *memory = mmap(NULL, 5, PROT_READ, MAP_SHARED, descriptor, PAGE_SIZE + 100);
  CHECK(memory != MAP_FAILED);
  CHECK_EQUAL((uintptr_t)memory % PAGE_SIZE, 100);
  CHECK(memcmp(memory, "hello", 5) == 0);
  CHECK_ERRNO(EINVAL, mmap(NULL, 2 * PAGE_SIZE, PROT_READ, MAP_SHARED, descriptor, OFF_MAX & ~(off_t)PAGE_MASK));
}

TEST(mmap_12_1_mapping_outlives_close_and_unlink) {
  const char *path = check_name();
  int descriptor = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  volatile char *memory = must_map(PAGE_SIZE, READ_WRITE, MAP_SHARED, descriptor);
  CHECK_EQUAL(close(descriptor), 0);
  CHECK_EQUAL(shm_unlink(path), 0);
  memory[0] = 1;
  CHECK_EQUAL(memory[0], 1);
}

TEST(mmap_32_1_zero_length) { CHECK_ERRNO(EINVAL, mmap(NULL, 0, READ_WRITE, ANONYMOUS, -1, 0)); }

TEST(hints_are_followed_where_the_place_is_free) {
  void *hint = (void *)0x3000000000;
  CHECK(mmap(hint, PAGE_SIZE, READ_WRITE, ANONYMOUS, -1, 0) == hint);
  void *other = mmap(hint, PAGE_SIZE, READ_WRITE, ANONYMOUS, -1, 0);
  CHECK(other != MAP_FAILED && other != hint);
  // Even below the program; but not between it and where its data may reach one day.
  CHECK(mmap((void *)(4UL * PAGE_SIZE), PAGE_SIZE, READ_WRITE, ANONYMOUS, -1, 0) == (void *)(4UL * PAGE_SIZE));
  extern char _end[];
  uintptr_t in_reach = ((uintptr_t)_end & -(uintptr_t)PAGE_SIZE) + (31UL << 30);
  CHECK((uintptr_t)mmap((void *)in_reach, PAGE_SIZE, READ_WRITE, ANONYMOUS, -1, 0) > in_reach);
}

TEST(munmap_1_1_access_afterwards) {
  volatile char *memory = anonymous(3);
  memory[0] = memory[PAGE_SIZE] = memory[2 * PAGE_SIZE] = 1;
  CHECK_EQUAL(munmap((void *)(memory + PAGE_SIZE), PAGE_SIZE), 0);
  CHECK(memory[0] == 1 && memory[2 * PAGE_SIZE] == 1);
  CHECK_SIGNAL(SIGSEGV, (void)memory[PAGE_SIZE]);
  CHECK_SIGNAL(SIGSEGV, memory[PAGE_SIZE] = 1);
}

TEST(munmap_2_1_holes_are_fine) {
  volatile char *memory = anonymous(4);
  CHECK_EQUAL(munmap((void *)(memory + PAGE_SIZE), PAGE_SIZE), 0);
  CHECK_EQUAL(munmap((void *)memory, 4 * PAGE_SIZE), 0);
  CHECK_EQUAL(munmap((void *)memory, 4 * PAGE_SIZE), 0);
}

TEST(munmap_3_1_unaligned_addresses_are_rounded_down) {
  volatile char *memory = anonymous(2);
  memory[PAGE_SIZE] = 5;
  CHECK_EQUAL(munmap((void *)(memory + 100), 1), 0);
  CHECK_EQUAL(memory[PAGE_SIZE], 5);
  CHECK_SIGNAL(SIGSEGV, (void)memory[0]);
}

TEST(munmap_4_1_private_changes_are_discarded) {
  int descriptor = object(PAGE_SIZE);
  volatile char *memory = must_map(PAGE_SIZE, READ_WRITE, MAP_PRIVATE, descriptor);
  memory[0] = 1;
  CHECK_EQUAL(munmap((void *)memory, PAGE_SIZE), 0);
  CHECK_EQUAL(must_map(PAGE_SIZE, PROT_READ, MAP_PRIVATE, descriptor)[0], 0);
}

TEST(munmap_8_1_and_9_1_errors) {
  CHECK_ERRNO(EINVAL, munmap((void *)anonymous(1), 0));
  CHECK_ERRNO(EINVAL, munmap((void *)-PAGE_SIZE, 2 * PAGE_SIZE));
  CHECK_ERRNO(EINVAL, munmap((void *)(1UL << 46), PAGE_SIZE));
  // Rounded up, that is nothing.
  CHECK_EQUAL(munmap((void *)0x10000, -1UL), 0);
}

TEST(mprotect_follows_the_maximum_protection) {
  const char *path = check_name();
  CHECK_EQUAL(ftruncate(shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600), PAGE_SIZE), 0);
  int descriptor = shm_open(path, O_RDONLY, 0);
  CHECK_EQUAL(shm_unlink(path), 0);
  void *shared = (void *)must_map(PAGE_SIZE, PROT_READ, MAP_SHARED, descriptor);
  CHECK_ERRNO(EACCES, mprotect(shared, PAGE_SIZE, READ_WRITE));
  CHECK_EQUAL(mprotect(shared, PAGE_SIZE, PROT_READ | PROT_EXEC), 0);
  volatile char *private = must_map(PAGE_SIZE, PROT_READ, MAP_PRIVATE, descriptor);
  CHECK_EQUAL(mprotect((void *)private, PAGE_SIZE, READ_WRITE), 0);
  private[0] = 1;
  int writable = object(PAGE_SIZE);
  volatile char *later = must_map(PAGE_SIZE, PROT_READ, MAP_SHARED, writable);
  CHECK_EQUAL(mprotect((void *)later, PAGE_SIZE, READ_WRITE), 0);
  later[0] = 1;
}

TEST(mprotect_takes_effect_at_once_and_in_parts) {
  volatile char *memory = anonymous(3);
  memory[0] = memory[PAGE_SIZE] = memory[2 * PAGE_SIZE] = 1;
  CHECK_EQUAL(mprotect((void *)(memory + PAGE_SIZE), PAGE_SIZE, PROT_READ), 0);
  CHECK_EQUAL(memory[PAGE_SIZE], 1);
  CHECK_SIGNAL(SIGSEGV, memory[PAGE_SIZE] = 2);
  memory[0] = memory[2 * PAGE_SIZE] = 2;
  CHECK_EQUAL(mprotect((void *)memory, 3 * PAGE_SIZE, PROT_NONE), 0);
  CHECK_SIGNAL(SIGSEGV, (void)memory[0]);
  CHECK_EQUAL(mprotect((void *)memory, 3 * PAGE_SIZE, READ_WRITE), 0);
  CHECK(memory[0] == 2 && memory[PAGE_SIZE] == 1 && memory[2 * PAGE_SIZE] == 2);
  memory[PAGE_SIZE] = 3;
  CHECK_ERRNO(EINVAL, mprotect((void *)memory, PAGE_SIZE, 8));
  CHECK_EQUAL(mprotect((void *)memory, 0, PROT_READ), 0);
}

TEST(system_calls_respect_the_protection) {
  int descriptor = object(PAGE_SIZE);
  void *constant = (void *)must_map(PAGE_SIZE, PROT_READ, ANONYMOUS, -1);
  CHECK_ERRNO(EFAULT, pread(descriptor, constant, 1, 0));
  CHECK_EQUAL(pwrite(descriptor, constant, 1, 0), 1);
  void *nothing = (void *)must_map(PAGE_SIZE, PROT_NONE, ANONYMOUS, -1);
  CHECK_ERRNO(EFAULT, pwrite(descriptor, nothing, 1, 0));
  void *past = (void *)must_map(PAGE_SIZE, READ_WRITE, MAP_SHARED, object(0));
  CHECK_ERRNO(EFAULT, pwrite(descriptor, past, 1, 0));
  CHECK_ERRNO(EFAULT, pread(descriptor, past, 1, 0));
}

TEST(fork_copies_private_memory_both_ways) {
  enum { PAGES = 64 };
  volatile char *memory = anonymous(PAGES);
  for (int page = 0; page < PAGES; page++) memory[page * PAGE_SIZE] = (char)page;
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    usleep(1000);
    for (int page = 0; page < PAGES; page++) CHECK_EQUAL(memory[page * PAGE_SIZE], page);
    for (int page = 0; page < PAGES; page++) memory[page * PAGE_SIZE] = 77;
    _exit(0);
  }
  for (int page = 0; page < PAGES; page += 2) memory[page * PAGE_SIZE] = 99;
  check_exit(__FILE__, __LINE__, 0, check_wait(child));
  for (int page = 0; page < PAGES; page++) CHECK_EQUAL(memory[page * PAGE_SIZE], page % 2 ? page : 99);
}

// The child has an object of its own by the first store; the second page lies in the one behind it, and is only read at first.
TEST(a_page_of_the_object_behind_is_not_stored_to) {
  volatile char *memory = anonymous(2);
  memory[0] = memory[PAGE_SIZE] = 1;
  CHECK_EXIT(0, {
    memory[0] = 2;
    CHECK_EQUAL(memory[PAGE_SIZE], 1);
    memory[PAGE_SIZE] = 2;
    CHECK(memory[0] == 2 && memory[PAGE_SIZE] == 2);
  });
  CHECK(memory[0] == 1 && memory[PAGE_SIZE] == 1);
}

TEST(generations_of_copies) {
  volatile char *memory = anonymous(4);
  for (int generation = 0; generation < 50; generation++) {
    memory[(generation % 4) * PAGE_SIZE] = (char)generation;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child > 0) {
      check_exit(__FILE__, __LINE__, 0, check_wait(child));
      CHECK_EQUAL(memory[(generation % 4) * PAGE_SIZE], generation);
      _exit(0);
    }
  }
  CHECK_EQUAL(memory[1 * PAGE_SIZE], 49);
  CHECK_EQUAL(memory[0], 48);
}

TEST(the_stack_grows_to_its_limit) {
  CHECK_EXIT(0, {
    volatile char *top = __builtin_frame_address(0);
    for (long depth = 0; depth < 7 << 20; depth += PAGE_SIZE) top[-depth] = 1;
  });
}

TEST(many_mappings) {
  int descriptor = object(PAGE_SIZE);
  enum { COUNT = 2000 };
  static volatile char *places[COUNT];
  for (int index = 0; index < COUNT; index++) {
    places[index] = must_map(PAGE_SIZE, index % 2 ? PROT_READ : READ_WRITE, MAP_SHARED, descriptor);
    for (int other = 0; other < 3 && other < index; other++) CHECK(places[index] != places[other]);
  }
  places[0][0] = 5;
  for (int index = 0; index < COUNT; index++) CHECK_EQUAL(places[index][0], 5);
  for (int index = 0; index < COUNT; index += 3) CHECK_EQUAL(munmap((void *)places[index], PAGE_SIZE), 0);
  for (int index = 1; index < COUNT; index += 3) CHECK_EQUAL(places[index][0], 5);
}
