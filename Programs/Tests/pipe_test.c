// pipe_test: pipes between processes (spec sockets.md section 2), with the cases of FreeBSD's tests/sys/kern/pipe.

#include "check.h"

#include <sys/ioctl.h>
#include <sys/uio.h>

static char block[65536], copy[65536];

static size_t smaller(size_t one, size_t other) { return one < other ? one : other; }

static void make(int ends[2], int flags) { CHECK_EQUAL(pipe2(ends, flags), 0); }

static void fill(char *bytes, size_t count, unsigned seed) {
  for (size_t index = 0; index < count; index++) bytes[index] = (char)(seed * 31 + index * 7 + (index >> 8));
}

static void check_filled(const char *bytes, size_t count, unsigned seed) {
  for (size_t index = 0; index < count; index++)
    if (bytes[index] != (char)(seed * 31 + index * 7 + (index >> 8)))
      check_failed(__FILE__, __LINE__, "byte %zu of %zu differs", index, count);
}

static int bytes_to_read(int end) {
  int count = -1;
  CHECK_EQUAL(ioctl(end, FIONREAD, &count), 0);
  return count;
}

// Reads until so many bytes are there, or the end of the file.
static size_t read_whole(int end, char *bytes, size_t count) {
  size_t done = 0;
  while (done < count) {
    ssize_t got = read(end, bytes + done, count - done);
    CHECK(got >= 0);
    if (got == 0) break;
    done += got;
  }
  return done;
}

// big_pipe_test
TEST(a_thousand_frames_of_64_kib) {
  int ends[2];
  make(ends, 0);
  CHECK_EQUAL(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
  for (unsigned frame = 0; frame < 1000; frame += 10) {
    fill(block, sizeof block, frame);
    CHECK_EQUAL(write(ends[1], block, sizeof block), sizeof block);
    CHECK_EQUAL(read_whole(ends[0], copy, sizeof copy), sizeof copy);
    check_filled(copy, sizeof copy, frame);
  }
}

TEST(megabytes_go_from_process_to_process) {
  enum { megabytes = 8 };
  static const size_t sizes[] = {1, 512, 513, 4096, 8191, 8192, 30000, 65536};
  int ends[2];
  make(ends, 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK_EQUAL(close(ends[0]), 0);
    unsigned sum = 0;
    for (size_t sent = 0, turn = 0; sent < (size_t)megabytes << 20; turn++) {
      size_t count = smaller(sizes[turn % nitems(sizes)], ((size_t)megabytes << 20) - sent);
      fill(block, count, (unsigned)turn);
      for (size_t index = 0; index < count; index++) sum = sum * 33 + (unsigned char)block[index];
      CHECK_EQUAL(write(ends[1], block, count), count);
      sent += count;
    }
    CHECK_EQUAL(write(ends[1], &sum, sizeof sum), sizeof sum);
    _exit(0);
  }
  CHECK_EQUAL(close(ends[1]), 0);
  unsigned sum = 0, told = 0;
  for (size_t got = 0, turn = 0; got < (size_t)megabytes << 20; turn++) {
    size_t wanted = smaller(sizes[turn * 3 % nitems(sizes)], ((size_t)megabytes << 20) - got);
    ssize_t count = read(ends[0], copy, wanted);
    CHECK(count > 0);
    for (ssize_t index = 0; index < count; index++) sum = sum * 33 + (unsigned char)copy[index];
    got += count;
  }
  CHECK_EQUAL(read_whole(ends[0], (char *)&told, sizeof told), sizeof told);
  CHECK_EQUAL(sum, told);
  CHECK_EQUAL(read(ends[0], copy, 1), 0);
  check_exit(__FILE__, __LINE__, 0, check_wait(child));
}

// pipe_reverse_test, pipe_reverse2_test
TEST(eight_blocking_writes_of_a_page_fit_both_ways) {
  int ends[2];
  make(ends, 0);
  for (int way = 0; way < 2; way++) {
    for (unsigned page = 0; page < 8; page++) {
      fill(block, 4096, page);
      CHECK_EQUAL(write(ends[1 - way], block, 4096), 4096);
    }
    for (unsigned page = 0; page < 8; page++) {
      CHECK_EQUAL(read_whole(ends[way], copy, 4096), 4096);
      check_filled(copy, 4096, page);
    }
  }
}

// pipe_wraparound_test
TEST(bytes_go_round_the_end_of_the_buffer) {
  int ends[2];
  make(ends, O_NONBLOCK);
  unsigned written = 0, got = 0;
  for (int turn = 0; turn < 300; turn++) {
    fill(block, 4096, written);
    if (write(ends[1], block, 4096) == 4096) written++;
    if (turn % 3 == 0) continue;
    if (read(ends[0], copy, 4096) == 4096) check_filled(copy, 4096, got++);
  }
  CHECK(written > 200 && got >= 200);
}

// pipe_fstat_bug_test
TEST(fstat_and_fionread_tell_what_waits_during_a_large_write) {
  int ends[2];
  struct stat status;
  make(ends, 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK_EQUAL(write(ends[1], block, 32768), 32768);
    _exit(0);
  }
  CHECK_EQUAL(read(ends[0], copy, 1000), 1000);
  int rest = bytes_to_read(ends[0]);
  CHECK(rest > 0 && rest <= 31768);
  CHECK_EQUAL(fstat(ends[0], &status), 0);
  CHECK_EQUAL(status.st_size, rest);
  CHECK_EQUAL(status.st_mode, S_IFIFO);
  CHECK_EQUAL(read_whole(ends[0], copy, 31768), 31768);
  check_exit(__FILE__, __LINE__, 0, check_wait(child));
}

// pipe_ino_test
TEST(every_end_has_a_number_of_its_own) {
  int ends[2], others[2];
  struct stat first, second, third;
  make(ends, 0);
  make(others, 0);
  CHECK_EQUAL(fstat(ends[0], &first), 0);
  CHECK_EQUAL(fstat(ends[1], &second), 0);
  CHECK_EQUAL(fstat(others[0], &third), 0);
  CHECK(first.st_dev != 0 && first.st_dev == second.st_dev);
  CHECK(first.st_ino != second.st_ino && first.st_ino != third.st_ino && second.st_ino != third.st_ino);
}

TEST(the_end_of_the_file_comes_with_the_last_writer) {
  int ends[2];
  make(ends, 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    sched_yield();
    CHECK_EQUAL(write(ends[1], "last", 4), 4);
    _exit(0);
  }
  CHECK_EQUAL(close(ends[1]), 0);
  CHECK_EQUAL(read_whole(ends[0], copy, 100), 4);
  CHECK_EQUAL(read(ends[0], copy, 100), 0);
  CHECK_EQUAL(read(ends[0], copy, 0), 0);
  check_exit(__FILE__, __LINE__, 0, check_wait(child));
}

TEST(a_broken_pipe) {
  int ends[2];
  make(ends, 0);
  CHECK_EQUAL(close(ends[0]), 0);
  CHECK_SIGNAL(SIGPIPE, write(ends[1], "x", 1));
  CHECK_SIGNAL(SIGPIPE, write(ends[1], "x", 0));
  CHECK_SIGNAL(SIGPIPE, {
    struct iovec piece = {block, 5};
    writev(ends[1], &piece, 1);
  });
  // A reader that goes while others wait to write.
  make(ends, 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    close(ends[0]);
    for (int turn = 0; turn < 100; turn++) write(ends[1], block, 4096);
    _exit(0);
  }
  CHECK_EQUAL(close(ends[1]), 0);
  CHECK_EQUAL(read_whole(ends[0], copy, 10), 10);
  for (int turn = 0; turn < 20; turn++) sched_yield();
  CHECK_EQUAL(close(ends[0]), 0);
  check_signal(__FILE__, __LINE__, SIGPIPE, check_wait(child));
}

TEST(a_pipe_that_does_not_wait) {
  int ends[2];
  make(ends, O_NONBLOCK | O_CLOEXEC);
  CHECK_EQUAL(fcntl(ends[0], F_GETFL), O_RDWR | O_NONBLOCK);
  CHECK_EQUAL(fcntl(ends[1], F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(EAGAIN, read(ends[0], copy, 1));
  CHECK_EQUAL(write(ends[1], block, sizeof block), 65536);
  CHECK_ERRNO(EAGAIN, write(ends[1], block, 1));
  CHECK_EQUAL(read(ends[0], copy, 511), 511);
  CHECK_ERRNO(EAGAIN, write(ends[1], block, 512));
  CHECK_EQUAL(write(ends[1], block, 513), 511);
  CHECK_ERRNO(ESPIPE, lseek(ends[0], 0, SEEK_CUR));
  CHECK_ERRNO(ESPIPE, pread(ends[0], copy, 1, 0));
  CHECK_ERRNO(EINVAL, ftruncate(ends[0], 0));
  CHECK_ERRNO(ENODEV, mmap(NULL, 4096, PROT_READ, MAP_SHARED, ends[0], 0));
  CHECK_ERRNO(EINVAL, pipe2(ends, O_APPEND));
  CHECK_ERRNO(EFAULT, pipe2((int *)8, 0));
}

TEST(a_stopped_and_a_killed_reader_hold_nobody_up) {
  int ends[2], status;
  make(ends, 0);
  pid_t children[3];
  for (int number = 0; number < 3; number++) {
    children[number] = fork();
    CHECK(children[number] >= 0);
    if (children[number] == 0) {
      CHECK_EQUAL(read(ends[0], copy, 10), 10);
      _exit(0);
    }
  }
  for (int turn = 0; turn < 10; turn++) sched_yield();
  CHECK_EQUAL(kill(children[0], SIGSTOP), 0);
  CHECK_EQUAL(waitpid(children[0], &status, WUNTRACED), children[0]);
  CHECK_EQUAL(kill(children[1], SIGKILL), 0);
  CHECK_EQUAL(write(ends[1], block, 10), 10);
  check_exit(__FILE__, __LINE__, 0, check_wait(children[2]));
  check_signal(__FILE__, __LINE__, SIGKILL, check_wait(children[1]));
  CHECK_EQUAL(kill(children[0], SIGCONT), 0);
  CHECK_EQUAL(write(ends[1], block, 10), 10);
  check_exit(__FILE__, __LINE__, 0, check_wait(children[0]));
}

TEST(pieces_are_one_write_and_one_read) {
  int ends[2];
  char first[] = "abc", second[] = "defgh", third[8];
  struct iovec out[] = {{first, 3}, {NULL, 0}, {second, 5}}, in[] = {{third, 2}, {third + 2, 6}};
  make(ends, 0);
  CHECK_EQUAL(writev(ends[1], out, 3), 8);
  CHECK_EQUAL(readv(ends[0], in, 2), 8);
  CHECK(memcmp(third, "abcdefgh", 8) == 0);
  CHECK_ERRNO(EINVAL, readv(ends[0], in, 1025));
  CHECK_ERRNO(EFAULT, readv(ends[0], (struct iovec *)8, 1));
  CHECK_ERRNO(EBADF, readv(99, in, 2));
  CHECK_ERRNO(ESPIPE, preadv(ends[0], in, 2, 0));
  CHECK_ERRNO(ESPIPE, pwritev(ends[0], in, 2, 0));
}

// pipe_overcommit1_test, pipe_overcommit2_test
TEST(pipes_without_end_are_refused_and_come_back) {
  enum { most = 4000 };
  static int pipes[most][2];
  uint64_t before = check_sysctl("kern.ipc.pipekva");
  int count = 0;
  while (count < most && pipe2(pipes[count], O_NONBLOCK) == 0) count++;
  CHECK(count > 20);
  CHECK(errno == ENOMEM || errno == EMFILE || errno == ENFILE);
  CHECK(check_sysctl("kern.ipc.pipekva") <= check_sysctl("kern.ipc.maxpipekva"));
  for (int number = 0; number < count; number++) {
    CHECK_EQUAL(write(pipes[number][1], block, 4096), 4096);
    CHECK_EQUAL(bytes_to_read(pipes[number][0]), 4096);
  }
  for (int number = 0; number < count; number++) {
    CHECK_EQUAL(close(pipes[number][0]), 0);
    CHECK_EQUAL(close(pipes[number][1]), 0);
  }
  CHECK_EQUAL(check_sysctl("kern.ipc.pipekva"), before);
}
