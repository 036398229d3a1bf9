// posixshm2008_test: FreeBSD's tools/regression/posixshm of 2008 (spec tests.md, section 1) through system call 482, and
// what DESIGN.md, "Two generations of shared memory", says differs on descriptors from it.

#include "check.h"

#define open2008 freebsd12_shm_open

static int scribble(const char *path) {
  int descriptor = open2008(path, O_CREAT | O_EXCL | O_RDWR, 0777);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  char *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(page != MAP_FAILED);
  page[0] = '1';
  CHECK_EQUAL(munmap(page, PAGE_SIZE), 0);
  return descriptor;
}

TEST(remap_object) {
  const char *path = check_name();
  int descriptor = scribble(path);
  char *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(page != MAP_FAILED);
  CHECK_EQUAL(page[0], '1');
  CHECK_EQUAL(close(descriptor), 0);
  CHECK_EQUAL(munmap(page, PAGE_SIZE), 0);
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(reopen_object) {
  const char *path = check_name();
  CHECK_EQUAL(close(scribble(path)), 0);
  int descriptor = open2008(path, O_RDONLY, 0777);
  CHECK(descriptor >= 0);
  char *page = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, descriptor, 0);
  CHECK(page != MAP_FAILED);
  CHECK_EQUAL(page[0], '1');
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(rdonly_object) {
  const char *path = check_name();
  int descriptor = open2008(path, O_RDONLY | O_CREAT, 0777);
  CHECK(descriptor >= 0);
  CHECK_ERRNO(EACCES, mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0));
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(open_after_unlink) {
  const char *path = check_name();
  int descriptor = open2008(path, O_RDONLY | O_CREAT, 0777);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(close(descriptor), 0);
  CHECK_EQUAL(shm_unlink(path), 0);
  CHECK_ERRNO(ENOENT, open2008(path, O_RDONLY, 0777));
}

TEST(open_invalid_path) { CHECK_ERRNO(EINVAL, open2008("blah", O_RDONLY, 0777)); }
TEST(open_with_o_wronly) { CHECK_ERRNO(EINVAL, open2008(check_name(), O_WRONLY, 0777)); }
TEST(open_with_extra_flags) { CHECK_ERRNO(EINVAL, open2008(check_name(), O_RDONLY | O_DIRECT, 0777)); }
TEST(open_anonymous_object) { CHECK(open2008(SHM_ANON, O_RDWR, 0777) >= 0); }
TEST(open_shm_anon_with_o_rdonly) { CHECK_ERRNO(EINVAL, open2008(SHM_ANON, O_RDONLY, 0777)); }
TEST(open_bad_path_pointer) { CHECK_ERRNO(EFAULT, open2008((char *)1024, O_RDONLY, 0777)); }

TEST(open_pathname_too_long) {
  static char name[1025];
  memset(name, 'a', 1024);
  CHECK_ERRNO(ENAMETOOLONG, open2008(name, O_RDONLY, 0777));
  name[0] = '/';
  CHECK_ERRNO(ENAMETOOLONG, open2008(name, O_RDONLY | O_CREAT, 0777));
  name[1023] = 0;
  CHECK(open2008(name, O_RDONLY | O_CREAT, 0777) >= 0);
  CHECK_EQUAL(shm_unlink(name), 0);
}

TEST(open_nonexistent_object) { CHECK_ERRNO(ENOENT, open2008("/notreallythere", O_RDONLY, 0777)); }

TEST(o_excl_of_existing_object) {
  // shows: shm 3.1.482
  const char *path = check_name();
  CHECK(open2008(path, O_RDONLY | O_CREAT, 0777) >= 0);
  CHECK_ERRNO(EEXIST, open2008(path, O_RDONLY | O_CREAT | O_EXCL, 0777));
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(o_trunc_resets_size) {
  // shows: shm 3.1.482
  const char *path = check_name();
  struct stat status;
  int descriptor = open2008(path, O_RDWR | O_CREAT, 0777);
  CHECK_EQUAL(ftruncate(descriptor, 1024), 0);
  CHECK_EQUAL(fstat(descriptor, &status), 0);
  CHECK_EQUAL(status.st_size, 1024);
  descriptor = open2008(path, O_RDWR | O_TRUNC, 0777);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(fstat(descriptor, &status), 0);
  CHECK_EQUAL(status.st_size, 0);
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(unlink_bad_path_pointer) { CHECK_ERRNO(EFAULT, shm_unlink((char *)1024)); }

TEST(unlink_pathname_too_long) {
  static char name[1025];
  memset(name, 'a', 1024);
  CHECK_ERRNO(ENAMETOOLONG, shm_unlink(name));
}

// Signals past the end are today's for both generations (DESIGN.md).
TEST(object_resize) {
  int descriptor = open2008(SHM_ANON, O_RDWR, 0777);
  CHECK_EQUAL(ftruncate(descriptor, 2 * PAGE_SIZE), 0);
  volatile char *pages = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(pages != MAP_FAILED);
  pages[0] = '1';
  pages[PAGE_SIZE] = '2';
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  CHECK_SIGNAL(SIGBUS, (void)pages[PAGE_SIZE]);
  CHECK_EQUAL(ftruncate(descriptor, 2 * PAGE_SIZE), 0);
  CHECK_EQUAL(pages[PAGE_SIZE], 0);
  CHECK_EQUAL(pages[0], '1');
}

TEST(input_and_output_are_not_supported) {
  int descriptor = open2008(SHM_ANON, O_RDWR, 0777);
  char bytes[8] = "";
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  CHECK_ERRNO(EOPNOTSUPP, write(descriptor, bytes, sizeof bytes));
  CHECK_ERRNO(EOPNOTSUPP, write(descriptor, bytes, 0));
  CHECK_ERRNO(EOPNOTSUPP, read(descriptor, bytes, sizeof bytes));
  CHECK_EQUAL(read(descriptor, bytes, 0), 0);
  CHECK_ERRNO(ESPIPE, pread(descriptor, bytes, sizeof bytes, 0));
  CHECK_ERRNO(ESPIPE, pwrite(descriptor, bytes, sizeof bytes, 0));
  CHECK_ERRNO(ESPIPE, lseek(descriptor, 0, SEEK_SET));
}

TEST(both_generations_share_the_names) {
  const char *path = check_name();
  int old = scribble(path);
  int new = shm_open(path, O_RDWR, 0);
  CHECK(new >= 0);
  char byte = 0;
  CHECK_EQUAL(pread(new, &byte, 1, 0), 1);
  CHECK_EQUAL(byte, '1');
  struct stat one, other;
  CHECK_EQUAL(fstat(old, &one), 0);
  CHECK_EQUAL(fstat(new, &other), 0);
  CHECK_EQUAL(one.st_ino, other.st_ino);
  CHECK_EQUAL(fcntl(old, F_GETFD), FD_CLOEXEC);
  CHECK_EQUAL(shm_unlink(path), 0);
}
