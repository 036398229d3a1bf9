// socket_test: sockets of the family AF_UNIX (spec sockets.md sections 3 and 4): how they are made, and streams, with the names of
// FreeBSD's own cases where they are the same (tests/sys/kern, tools/regression/sockets, the NetBSD set).

#include "sockets.h"

// MARK: socketpair

TEST(socketpair_basic) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  for (int index = 0; index < 3; index++) {
    int ends[2];
    pair(types[index], ends);
    CHECK_EQUAL(fcntl(ends[0], F_GETFD), 0);
    CHECK_EQUAL(fcntl(ends[0], F_GETFL), O_RDWR);
    CHECK_EQUAL(option(ends[0], SO_TYPE), types[index]);
    CHECK_EQUAL(option(ends[0], SO_DOMAIN), AF_UNIX);
    CHECK_EQUAL(option(ends[0], SO_PROTOCOL), 0);
    CHECK_EQUAL(send(ends[0], "data", 4, 0), 4);
    CHECK_EQUAL(recv(ends[1], copy, sizeof copy, 0), 4);
    CHECK(memcmp(copy, "data", 4) == 0);
    close_both(ends);
  }
}

TEST(socketpair_nonblock_and_cloexec) {
  int ends[2];
  pair(SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, ends);
  for (int index = 0; index < 2; index++) {
    CHECK_EQUAL(fcntl(ends[index], F_GETFD), FD_CLOEXEC);
    CHECK_EQUAL(fcntl(ends[index], F_GETFL), O_RDWR | O_NONBLOCK);
    CHECK_ERRNO(EAGAIN, read(ends[index], copy, 1));
  }
}

TEST(errors_of_socket_and_socketpair) {
  int ends[2];
  CHECK_ERRNO(EAFNOSUPPORT, socketpair(99, SOCK_STREAM, 0, ends));
  CHECK_ERRNO(EAFNOSUPPORT, socket(AF_INET, SOCK_STREAM, 0));
  CHECK_ERRNO(EPROTOTYPE, socket(PF_UNIX, SOCK_RAW, 0));
  CHECK_ERRNO(EPROTONOSUPPORT, socket(PF_UNIX, SOCK_RAW, 1));
  CHECK_ERRNO(EPROTONOSUPPORT, socket(PF_UNIX, 0, 0));
  CHECK_ERRNO(EPROTOTYPE, socket(PF_UNIX, 0x40000001, 0));
  CHECK_EQUAL(close(socket(PF_UNIX, SOCK_STREAM, 6)), 0);
  CHECK_ERRNO(EFAULT, socketpair(PF_UNIX, SOCK_STREAM, 0, (int *)8));
  struct rlimit limit = {4, 4};
  CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
  CHECK_ERRNO(EMFILE, socketpair(PF_UNIX, SOCK_STREAM, 0, ends));
  CHECK_ERRNO(EPROTOTYPE, socketpair(PF_UNIX, SOCK_RAW, 0, ends));
  CHECK_EQUAL(socket(PF_UNIX, SOCK_STREAM, 0), 3);
  CHECK_ERRNO(EMFILE, socket(99, SOCK_STREAM, 0));
}

TEST(socket_calls_on_what_is_no_socket) {
  int ends[2];
  CHECK_EQUAL(pipe2(ends, 0), 0);
  CHECK_ERRNO(ENOTSOCK, send(ends[0], "x", 1, 0));
  CHECK_ERRNO(ENOTSOCK, recv(ends[0], copy, 1, 0));
  CHECK_ERRNO(ENOTSOCK, listen(ends[0], 1));
  CHECK_ERRNO(ENOTSOCK, shutdown(ends[0], SHUT_RD));
  CHECK_ERRNO(EBADF, shutdown(77, SHUT_RD));
  CHECK_ERRNO(EINVAL, shutdown(77, 3));
  CHECK_ERRNO(EBADF, accept(77, NULL, NULL));
}

// MARK: Streams

TEST(unix_socketpair_stream_bytes_both_ways) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  fill(block, 5000, 1);
  CHECK_EQUAL(write(ends[0], block, 5000), 5000);
  CHECK_EQUAL(write(ends[1], block, 100), 100);
  CHECK_EQUAL(asked(ends[1], FIONREAD), 5000);
  CHECK_EQUAL(asked(ends[1], FIONWRITE), 0);
  CHECK_EQUAL(asked(ends[1], FIONSPACE), 8192);
  CHECK_EQUAL(asked(ends[1], SIOCATMARK), 0);
  CHECK_EQUAL(read(ends[1], copy, 1000), 1000);
  CHECK_EQUAL(read(ends[1], copy + 1000, sizeof copy - 1000), 4000);
  check_filled(copy, 5000, 1);
  CHECK_EQUAL(read(ends[0], copy, sizeof copy), 100);
  check_filled(copy, 100, 1);
}

// How much writes of one size put into a stream before they would wait.
static int capacity_for(int size) {
  int ends[2], total = 0;
  ssize_t count;
  pair(SOCK_STREAM | SOCK_NONBLOCK, ends);
  while ((count = write(ends[0], block, size)) > 0) total += count;
  CHECK_EQUAL(errno, EAGAIN);
  CHECK_EQUAL(asked(ends[1], FIONREAD), total);
  close_both(ends);
  return total;
}

TEST(a_sender_is_stopped_when_it_has_queued_its_buffer) {
  CHECK_EQUAL(capacity_for(20000), 8192);
  CHECK_EQUAL(capacity_for(8192), 8192);
  CHECK_EQUAL(capacity_for(100), 8200);
  CHECK_EQUAL(capacity_for(1000), 9000);
  CHECK_EQUAL(capacity_for(8000), 16000);
  CHECK_EQUAL(capacity_for(1), 8192);
  int ends[2];
  pair(SOCK_STREAM | SOCK_NONBLOCK, ends);
  CHECK_EQUAL(write(ends[0], block, 8191), 8191);
  CHECK_EQUAL(write(ends[0], block, 20000), 8192);
  CHECK_EQUAL(asked(ends[0], FIONSPACE), 0);
  CHECK_EQUAL(read(ends[1], copy, 8191), 8191);
  CHECK_ERRNO(EAGAIN, write(ends[0], block, 1));
  CHECK_EQUAL(read(ends[1], copy, 1), 1);
  CHECK_EQUAL(write(ends[0], block, 1), 1);
  // A send of nothing succeeds although the sender is stopped.
  CHECK_ERRNO(EAGAIN, write(ends[0], block, 1));
  CHECK_EQUAL(write(ends[0], block, 0), 0);
}

TEST(megabytes_go_from_process_to_process) {
  static const size_t sizes[] = {1, 192, 193, 4096, 8191, 8192, 30000, 65536};
  enum { rounds = 40 };
  int ends[2];
  pair(SOCK_STREAM, ends);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    close(ends[1]);
    for (unsigned round = 0; round < rounds; round++) {
      size_t size = sizes[round % 8];
      fill(block, size, round);
      CHECK_EQUAL(write(ends[0], block, size), size);
    }
    _exit(0);
  }
  close(ends[0]);
  for (unsigned round = 0; round < rounds; round++) {
    size_t size = sizes[round % 8];
    CHECK_EQUAL(recv(ends[1], copy, size, MSG_WAITALL), size);
    check_filled(copy, size, round);
  }
  CHECK_EQUAL(read(ends[1], copy, 1), 0);
  CHECK_EQUAL(check_wait(child), 0);
}

TEST(peek_waitall_dontwait) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  CHECK_ERRNO(EAGAIN, recv(ends[0], copy, 4, MSG_DONTWAIT));
  CHECK_EQUAL(recv(ends[0], copy, 0, 0), 0);
  CHECK_EQUAL(send(ends[1], "abcdef", 6, 0), 6);
  CHECK_EQUAL(recv(ends[0], copy, 4, MSG_PEEK), 4);
  CHECK_EQUAL(recv(ends[0], copy, 10, MSG_PEEK), 6);
  CHECK(memcmp(copy, "abcdef", 6) == 0);
  CHECK_EQUAL(recv(ends[0], copy, 10, MSG_WAITALL | MSG_DONTWAIT), 6);
  CHECK_ERRNO(EOPNOTSUPP, recv(ends[0], copy, 10, MSG_OOB));
  CHECK_ERRNO(EOPNOTSUPP, send(ends[0], copy, 10, MSG_OOB));
  CHECK_ERRNO(EINVAL, send(ends[0], copy, 10, MSG_EOR));
}

TEST(unix_stream_send_0) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  CHECK_EQUAL(send(ends[0], block, 0, 0), 0);
  CHECK_ERRNO(EAGAIN, recv(ends[1], copy, 1, MSG_DONTWAIT));
  CHECK_EQUAL(close(ends[1]), 0);
  ignore_broken_connections();
  CHECK_ERRNO(EPIPE, send(ends[0], block, 0, 0));
}

TEST(low_water_mark_of_receives) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  set_option(ends[0], SO_RCVLOWAT, 4);
  CHECK_EQUAL(write(ends[1], "ab", 2), 2);
  CHECK_EQUAL(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  CHECK_ERRNO(EAGAIN, read(ends[0], copy, 10));
  CHECK_EQUAL(read(ends[0], copy, 2), 2);
  CHECK_EQUAL(write(ends[1], "ab", 2), 2);
  CHECK_EQUAL(recv(ends[0], copy, 10, MSG_DONTWAIT), 2);
}

TEST(socket_msg_waitall_close_unix_stream) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    close(ends[0]);
    CHECK_EQUAL(send(ends[1], "abc", 3, 0), 3);
    usleep(2000);
    _exit(0);
  }
  close(ends[1]);
  CHECK_EQUAL(recv(ends[0], copy, 10, MSG_WAITALL), 3);
  CHECK_EQUAL(check_wait(child), 0);
}

TEST(vectors_go_through_sockets) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  struct iovec pieces[] = {{"abc", 3}, {NULL, 0}, {"defg", 4}};
  CHECK_EQUAL(writev(ends[0], pieces, 3), 7);
  struct iovec parts[] = {{copy, 2}, {copy + 100, 50}};
  CHECK_EQUAL(readv(ends[1], parts, 2), 7);
  CHECK(memcmp(copy, "ab", 2) == 0 && memcmp(copy + 100, "cdefg", 5) == 0);
}

TEST(a_fault_loses_no_byte_of_a_stream) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  CHECK_EQUAL(write(ends[0], "abc", 3), 3);
  CHECK_ERRNO(EFAULT, read(ends[1], (void *)8, 3));
  CHECK_EQUAL(asked(ends[1], FIONREAD), 3);
  CHECK_ERRNO(EFAULT, write(ends[0], (void *)8, 3));
  CHECK_EQUAL(asked(ends[1], FIONREAD), 3);
  CHECK_EQUAL(read(ends[1], copy, 3), 3);
}
