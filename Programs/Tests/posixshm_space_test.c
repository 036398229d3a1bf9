// posixshm_space_test: the cases of FreeBSD's tests/sys/posixshm/posixshm_test (spec tests.md, section 2) that rename objects and
// change what they hold, under their names. (posixshm_test has those before them; those of large pages are missing.)

#include <stdbool.h>

#include "check.h"

// Creates an object of one page with a character in its first byte, and closes it.
static void scribble_object(const char *path, char character) {
  int descriptor = shm_open(path, O_CREAT | O_EXCL | O_RDWR, 0777);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  char *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(page != MAP_FAILED);
  page[0] = character;
  CHECK_EQUAL(munmap(page, PAGE_SIZE), 0);
  CHECK_EQUAL(close(descriptor), 0);
}

static char first_byte(const char *path) {
  int descriptor = shm_open(path, O_RDONLY, 0777);
  CHECK(descriptor >= 0);
  char *page = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, descriptor, 0);
  CHECK(page != MAP_FAILED);
  char byte = page[0];
  CHECK_EQUAL(munmap(page, PAGE_SIZE), 0);
  CHECK_EQUAL(close(descriptor), 0);
  return byte;
}

// Two names that nobody else uses.
static void two_names(char first[64], char second[64]) {
  strlcpy(first, check_name(), 64);
  strlcpy(second, first, 64);
  strlcpy(second + strlen(second), ".second", 16);
}

TEST(rename_from_anon) { CHECK_ERRNO(EINVAL, shm_rename(SHM_ANON, check_name(), 0)); }

TEST(rename_bad_path_pointer) {
  char first[64], second[64];
  two_names(first, second);
  scribble_object(first, 'g');
  CHECK_ERRNO(EINVAL, shm_rename(first, (char *)1, 0));
  CHECK_ERRNO(EINVAL, shm_rename((char *)1, second, 0));
  CHECK_ERRNO(EFAULT, shm_rename(first, (char *)1024, 0));
  CHECK_ERRNO(EFAULT, shm_rename((char *)1024, second, 0));
  CHECK_EQUAL(shm_unlink(first), 0);
}

TEST(rename_from_nonexisting) {
  char first[64], second[64];
  two_names(first, second);
  CHECK_ERRNO(ENOENT, shm_rename(first, second, 0));
}

TEST(rename_to_anon) {
  const char *path = check_name();
  scribble_object(path, 'g');
  CHECK_ERRNO(EINVAL, shm_rename(path, SHM_ANON, 0));
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(rename_to_replace) {
  char first[64], second[64];
  two_names(first, second);
  scribble_object(first, 'g');
  scribble_object(second, 'h');
  CHECK_EQUAL(shm_rename(first, second, 0), 0);
  CHECK_EQUAL(first_byte(second), 'g');
  CHECK_ERRNO(ENOENT, shm_unlink(first));
  CHECK_EQUAL(shm_unlink(second), 0);
}

TEST(rename_to_noreplace) {
  char first[64], second[64];
  two_names(first, second);
  scribble_object(first, 'g');
  scribble_object(second, 'h');
  CHECK_ERRNO(EEXIST, shm_rename(first, second, SHM_RENAME_NOREPLACE));
  CHECK_EQUAL(first_byte(second), 'h');
  CHECK_EQUAL(shm_unlink(first), 0);
  CHECK_EQUAL(shm_unlink(second), 0);
}

TEST(rename_to_exchange) {
  char first[64], second[64];
  two_names(first, second);
  scribble_object(first, 'g');
  scribble_object(second, 'h');
  CHECK_EQUAL(shm_rename(first, second, SHM_RENAME_EXCHANGE), 0);
  CHECK_EQUAL(first_byte(first), 'h');
  CHECK_EQUAL(first_byte(second), 'g');
  CHECK_EQUAL(shm_unlink(first), 0);
  CHECK_EQUAL(shm_unlink(second), 0);
}

TEST(rename_to_exchange_nonexisting) {
  char first[64], second[64];
  two_names(first, second);
  scribble_object(first, 'g');
  CHECK_EQUAL(shm_rename(first, second, SHM_RENAME_EXCHANGE), 0);
  CHECK_EQUAL(first_byte(second), 'g');
  CHECK_ERRNO(ENOENT, shm_unlink(first));
  CHECK_EQUAL(shm_unlink(second), 0);
}

TEST(rename_to_self) {
  const char *path = check_name();
  scribble_object(path, 'g');
  CHECK_EQUAL(shm_rename(path, path, 0), 0);
  CHECK_EQUAL(first_byte(path), 'g');
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(rename_bad_flag) {
  char first[64], second[64];
  two_names(first, second);
  scribble_object(first, 'g');
  CHECK_ERRNO(EINVAL, shm_rename(first, second, (int)0x80000000));
  CHECK_EQUAL(shm_unlink(first), 0);
}

TEST(fallocate) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, 32), 0);
  struct stat status;
  static const struct { off_t offset, length, size; } steps[] = {{0, 64, 64}, {0, 32, 64}, {64, 64, 128}};
  for (size_t index = 0; index < nitems(steps); index++) {
    CHECK_EQUAL(posix_fallocate(descriptor, steps[index].offset, steps[index].length), 0);
    CHECK_EQUAL(fstat(descriptor, &status), 0);
    CHECK_EQUAL(status.st_size, steps[index].size);
  }
}

#define HOLE_PAGES 32

static void fill(int descriptor) {
  static char page[PAGE_SIZE];
  memset(page, 0x5f, sizeof page);
  for (int index = 0; index < HOLE_PAGES; index++) {
    CHECK_EQUAL(pwrite(descriptor, page, PAGE_SIZE, (off_t)index * PAGE_SIZE), PAGE_SIZE);
  }
}

static void punch(int descriptor, off_t offset, off_t length) {
  struct spacectl_range range = {offset, length};
  off_t size = HOLE_PAGES * PAGE_SIZE;
  off_t end = length > size - offset ? size : offset + length;
  fill(descriptor);
  CHECK_EQUAL(fspacectl(descriptor, SPACECTL_DEALLOC, &range, 0, &range), 0);
  CHECK_EQUAL(range.r_offset, end);
  CHECK_EQUAL(range.r_len, 0);
  struct stat status;
  CHECK_EQUAL(fstat(descriptor, &status), 0);
  CHECK_EQUAL(status.st_size, size);
  static unsigned char page[PAGE_SIZE];
  for (off_t position = 0; position < size; position += PAGE_SIZE) {
    CHECK_EQUAL(pread(descriptor, page, PAGE_SIZE, position), PAGE_SIZE);
    for (off_t index = 0; index < PAGE_SIZE; index++) {
      bool is_hole = position + index >= offset && position + index < end;
      CHECK_EQUAL(page[index], is_hole ? 0 : 0x5f);
    }
  }
}

TEST(fspacectl) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, HOLE_PAGES * PAGE_SIZE), 0);
  punch(descriptor, PAGE_SIZE, (HOLE_PAGES - 2) * PAGE_SIZE);
  punch(descriptor, PAGE_SIZE / 2, (HOLE_PAGES - 1) * PAGE_SIZE);
  punch(descriptor, PAGE_SIZE, OFF_MAX - PAGE_SIZE);
  punch(descriptor, PAGE_SIZE / 2, OFF_MAX - PAGE_SIZE / 2);
  punch(descriptor, PAGE_SIZE, HOLE_PAGES * PAGE_SIZE);
  punch(descriptor, PAGE_SIZE / 2, HOLE_PAGES * PAGE_SIZE + PAGE_SIZE / 2);
}

TEST(accounting) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, HOLE_PAGES * PAGE_SIZE), 0);
  struct stat status;
  CHECK_EQUAL(fstat(descriptor, &status), 0);
  CHECK_EQUAL(status.st_blocks, 0);
  fill(descriptor);
  CHECK_EQUAL(fstat(descriptor, &status), 0);
  CHECK_EQUAL(status.st_blocks * status.st_blksize, status.st_size);
  struct spacectl_range range = {PAGE_SIZE, (HOLE_PAGES - 2) * PAGE_SIZE};
  CHECK_EQUAL(fspacectl(descriptor, SPACECTL_DEALLOC, &range, 0, NULL), 0);
  CHECK_EQUAL(fstat(descriptor, &status), 0);
  CHECK_EQUAL(status.st_blocks * status.st_blksize, status.st_size - (HOLE_PAGES - 2) * PAGE_SIZE);
}
