// descriptor_test: descriptors, their flags, console, devices and boot files (spec abi.md, section 6; shm.md, 3.22 to 3.27;
// tests.md, section 7). Needs /bin/arguments.

#include <sys/ioctl.h>
#include <sys/uio.h>

#include "check.h"

static int object(void) {
  int descriptor = shm_open2(SHM_ANON, O_RDWR, 0600, 0, NULL);
  CHECK(descriptor >= 0);
  return descriptor;
}

TEST(dup_gives_the_lowest_free_number) {
  int descriptor = object();
  int one = dup(descriptor), two = dup(descriptor), three = dup(descriptor);
  CHECK(one == descriptor + 1 && two == one + 1 && three == two + 1);
  CHECK_EQUAL(close(one), 0);
  CHECK_EQUAL(close(two), 0);
  CHECK_EQUAL(dup(descriptor), one);
  CHECK_EQUAL(dup(three), two);
  CHECK_ERRNO(EBADF, dup(999));
  CHECK_ERRNO(EBADF, dup(-1));
}

TEST(dup2_replaces) {
  int descriptor = object(), other = object();
  CHECK_EQUAL(ftruncate(descriptor, 10), 0);
  CHECK_EQUAL(dup2(descriptor, other), other);
  CHECK_EQUAL(lseek(other, 0, SEEK_END), 10);
  CHECK_EQUAL(dup2(descriptor, descriptor), descriptor);
  CHECK_EQUAL(dup2(descriptor, 40), 40);
  CHECK_EQUAL(lseek(40, 0, SEEK_CUR), 10);
  // What is replaced takes its flag with it.
  CHECK_EQUAL(fcntl(other, F_SETFD, FD_CLOEXEC), 0);
  CHECK_EQUAL(dup2(descriptor, other), other);
  CHECK_EQUAL(fcntl(other, F_GETFD), 0);
  CHECK_ERRNO(EBADF, dup2(999, 3));
  CHECK_ERRNO(EBADF, dup2(descriptor, -1));
  CHECK_ERRNO(EBADF, dup2(descriptor, 1 << 30));
  CHECK_ERRNO(EBADF, dup2(60, 60));
}

TEST(close_errors) {
  int descriptor = object();
  CHECK_EQUAL(close(descriptor), 0);
  CHECK_ERRNO(EBADF, close(descriptor));
  CHECK_ERRNO(EBADF, close(-1));
  CHECK_ERRNO(EBADF, close(1 << 30));
}

TEST(fcntl_duplicates) {
  int descriptor = object();
  CHECK_EQUAL(fcntl(descriptor, F_DUPFD, 30), 30);
  CHECK_EQUAL(fcntl(descriptor, F_DUPFD, 30), 31);
  CHECK_EQUAL(fcntl(30, F_GETFD), 0);
  CHECK_EQUAL(fcntl(descriptor, F_DUPFD_CLOEXEC, 30), 32);
  CHECK_EQUAL(fcntl(32, F_GETFD), FD_CLOEXEC);
  CHECK_EQUAL(fcntl(descriptor, F_DUP2FD, 50), 50);
  CHECK_EQUAL(fcntl(descriptor, F_DUP2FD_CLOEXEC, 51), 51);
  CHECK_EQUAL(fcntl(51, F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(EINVAL, fcntl(descriptor, F_DUPFD, -1));
  CHECK_ERRNO(EINVAL, fcntl(descriptor, F_DUPFD, 1 << 30));
  CHECK_ERRNO(EBADF, fcntl(999, F_DUPFD, 0));
  CHECK_ERRNO(EINVAL, fcntl(descriptor, 99, 0));
}

TEST(close_on_exec_belongs_to_the_descriptor) {
  int descriptor = object(), twin = dup(descriptor);
  CHECK_EQUAL(fcntl(descriptor, F_SETFD, FD_CLOEXEC), 0);
  CHECK_EQUAL(fcntl(descriptor, F_GETFD), FD_CLOEXEC);
  CHECK_EQUAL(fcntl(twin, F_GETFD), 0);
  CHECK_EQUAL(ioctl(twin, FIOCLEX), 0);
  CHECK_EQUAL(fcntl(twin, F_GETFD), FD_CLOEXEC);
  CHECK_EQUAL(ioctl(twin, FIONCLEX), 0);
  CHECK_EQUAL(fcntl(twin, F_GETFD), 0);
  CHECK_EQUAL(fcntl(dup(descriptor), F_GETFD), 0);
}

TEST(status_flags_belong_to_the_file) {
  int descriptor = object(), twin = dup(descriptor);
  CHECK_EQUAL(fcntl(descriptor, F_SETFL, O_NONBLOCK | O_APPEND), 0);
  CHECK_EQUAL(fcntl(twin, F_GETFL), O_RDWR | O_NONBLOCK | O_APPEND);
  CHECK_EQUAL(fcntl(twin, F_SETFL, 0), 0);
  CHECK_EQUAL(fcntl(descriptor, F_GETFL), O_RDWR);
}

TEST(the_table_is_copied_by_fork) {
  int descriptor = object();
  CHECK_EXIT(0, {
    CHECK_EQUAL(close(descriptor), 0);
    CHECK_EQUAL(close(0), 0);
  });
  CHECK_EQUAL(ftruncate(descriptor, 1), 0);
  CHECK(fcntl(0, F_GETFD) >= 0);
}

TEST(the_limit_of_descriptors) {
  struct rlimit limit = {20, 20}, found;
  CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
  CHECK_EQUAL(getrlimit(RLIMIT_NOFILE, &found), 0);
  CHECK(found.rlim_cur == 20 && found.rlim_max == 20);
  CHECK_EQUAL(getdtablesize(), 20);
  int descriptor = object();
  CHECK_ERRNO(EBADF, dup2(descriptor, 20));
  CHECK_EQUAL(dup2(descriptor, 19), 19);
  CHECK_ERRNO(EINVAL, fcntl(descriptor, F_DUPFD, 20));
  while (dup(descriptor) >= 0) {}
  CHECK_EQUAL(errno, EMFILE);
  CHECK_ERRNO(EMFILE, open("/dev/null", O_RDWR));
  CHECK_ERRNO(ENOENT, open("/dev/nothing", O_RDWR));
}

TEST(standard_descriptors_are_the_console) {
  for (int descriptor = 0; descriptor < 3; descriptor++) {
    struct stat status;
    CHECK_EQUAL(fstat(descriptor, &status), 0);
    CHECK(S_ISCHR(status.st_mode));
    CHECK(isatty(descriptor));
  }
  struct winsize size;
  CHECK_EQUAL(ioctl(1, TIOCGWINSZ, &size), 0);
  CHECK(size.ws_row == 24 && size.ws_col == 80);
  int console = open("/dev/console", O_RDWR);
  CHECK(console > 2);
  CHECK_EQUAL(write(console, "# ", 2), 2);
  CHECK_EQUAL(write(console, "console\n", 8), 8);
  CHECK_EQUAL(write(1, "", 0), 0);
  CHECK_ERRNO(EFAULT, write(1, (void *)8, 1));
}

TEST(dev_null) {
  int null = open("/dev/null", O_RDWR);
  char byte = 1;
  CHECK(null >= 0);
  CHECK_EQUAL(read(null, &byte, 1), 0);
  CHECK_EQUAL(write(null, &byte, 1), 1);
  CHECK(!isatty(null));
  CHECK_EQUAL(errno, ENOTTY);
  struct stat status;
  CHECK_EQUAL(fstat(null, &status), 0);
  CHECK(S_ISCHR(status.st_mode));
  CHECK_EQUAL(fcntl(null, F_GETFL), O_RDWR);
}

TEST(dev_zero) {
  int zero = open("/dev/zero", O_RDWR);
  static char bytes[3 * PAGE_SIZE];
  memset(bytes, 1, sizeof bytes);
  CHECK_EQUAL(read(zero, bytes, sizeof bytes), sizeof bytes);
  for (size_t index = 0; index < sizeof bytes; index++) CHECK_EQUAL(bytes[index], 0);
  CHECK_EQUAL(write(zero, bytes, 100), 100);
}

// What answers on a device although it has nothing to do there, and what does not.
TEST(devices_answer) {
  int null = open("/dev/null", O_RDWR), type = -1, one = 1;
  CHECK_EQUAL(ftruncate(null, 5), 0);
  CHECK_EQUAL(ftruncate(1, 5), 0);
  CHECK_EQUAL(fsync(null), 0);
  CHECK_EQUAL(fdatasync(1), 0);
  CHECK_EQUAL(ioctl(null, FIODTYPE, &type), 0);
  CHECK_EQUAL(type, 0);
  CHECK_EQUAL(ioctl(1, FIODTYPE, &type), 0);
  CHECK_EQUAL(type, D_TTY);
  CHECK_ERRNO(EINVAL, ioctl(null, FIOASYNC, &one));
  CHECK_ERRNO(EINVAL, fcntl(null, F_SETFL, O_ASYNC));
  CHECK_ERRNO(ENOTTY, fcntl(null, F_RDAHEAD, 1));
  CHECK_EQUAL(ioctl(1, TIOCGETD, &type), 0);
  CHECK_EQUAL(type, 0);
  CHECK_ERRNO(EPERM, ioctl(1, TIOCSCTTY, 0));
  CHECK(mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, 1, 0) == MAP_FAILED);
  CHECK_EQUAL(errno, EINVAL);
  CHECK_ERRNO(ENXIO, open("/dev/tty", O_RDWR));
}

TEST(dev_full_and_dev_random) {
  int full = open("/dev/full", O_RDWR);
  char bytes[256] = {1}, more[256] = {0};
  CHECK_EQUAL(read(full, bytes, sizeof bytes), sizeof bytes);
  CHECK(memcmp(bytes, more, sizeof bytes) == 0);
  CHECK_ERRNO(ENOSPC, write(full, "x", 1));
  int random = open("/dev/random", O_RDWR), urandom = open("/dev/urandom", O_RDONLY);
  CHECK_EQUAL(read(random, bytes, sizeof bytes), sizeof bytes);
  CHECK_EQUAL(read(urandom, more, sizeof more), sizeof more);
  CHECK(memcmp(bytes, more, sizeof bytes) != 0);
  CHECK_EQUAL(write(random, bytes, sizeof bytes), sizeof bytes);
}

TEST(dev_fd_is_another_descriptor) {
  int file = object(), copy = open("/dev/fd/3", O_RDWR);
  CHECK(file == 3 && copy == 4);
  CHECK_EQUAL(ftruncate(file, 10), 0);
  CHECK_EQUAL(lseek(file, 7, SEEK_SET), 7);
  CHECK_EQUAL(lseek(copy, 0, SEEK_CUR), 7);
  CHECK_EQUAL(write(open("/dev/stdout", O_WRONLY), "# stdout\n", 9), 9);
  CHECK_ERRNO(EBADF, open("/dev/fd/99", O_RDONLY));
  int reading = open("/dev/null", O_RDONLY);
  CHECK_EQUAL(reading, 6);
  CHECK_ERRNO(EACCES, open("/dev/fd/6", O_WRONLY));
}

TEST(open_errors_and_modes) {
  CHECK_ERRNO(ENOENT, open("/dev/nothing", O_RDONLY));
  CHECK_ERRNO(EOPNOTSUPP, open("/dev/nothing", O_RDWR | O_CREAT, 0600));
  CHECK_ERRNO(EROFS, open("/bin/nothing", O_RDWR | O_CREAT, 0600));
  CHECK_ERRNO(EROFS, open("/nothing", O_RDWR | O_CREAT, 0600));
  CHECK_ERRNO(ENOENT, open("", O_RDONLY));
  CHECK_ERRNO(EFAULT, open((char *)8, O_RDONLY));
  CHECK_ERRNO(EBADF, write(open("/dev/null", O_RDONLY), "x", 1));
  char byte;
  CHECK_ERRNO(EBADF, read(open("/dev/null", O_WRONLY), &byte, 1));
  CHECK_EQUAL(fcntl(open("/dev/null", O_RDONLY | O_CLOEXEC), F_GETFD), FD_CLOEXEC);
  CHECK_EQUAL(fcntl(open("/dev/null", O_RDONLY), F_GETFD), 0);
}

TEST(boot_files_are_read_only) {
  int file = open("/bin/arguments", O_RDONLY);
  CHECK(file >= 0);
  char bytes[64], again[64];
  CHECK_EQUAL(read(file, bytes, sizeof bytes), sizeof bytes);
  CHECK(memcmp(bytes, "\177ELF", 4) == 0);
  CHECK_EQUAL(lseek(file, 0, SEEK_CUR), 64);
  struct stat status;
  CHECK_EQUAL(fstat(file, &status), 0);
  CHECK(S_ISREG(status.st_mode) && status.st_size > 1000);
  CHECK_EQUAL(lseek(file, 0, SEEK_END), status.st_size);
  CHECK_EQUAL(read(file, bytes, 1), 0);
  CHECK_EQUAL(lseek(file, 0, SEEK_SET), 0);
  CHECK_EQUAL(read(file, again, sizeof again), sizeof again);
  CHECK(memcmp(again, "\177ELF", 4) == 0);
  CHECK_ERRNO(EBADF, write(file, "x", 1));
  CHECK(open("/bin/arguments", O_RDWR) == -1);
  CHECK_ERRNO(EINVAL, ftruncate(file, 0));
}
