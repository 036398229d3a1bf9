// socket_test: sockets of the family AF_UNIX (spec sockets.md sections 3 to 7), with the names of FreeBSD's own cases where they
// are the same (tests/sys/kern, tools/regression/sockets, the NetBSD set).

#include "check.h"

#include <sys/event.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/un.h>

static char block[65536], copy[65536];

static void fill(char *bytes, size_t count, unsigned seed) {
  for (size_t index = 0; index < count; index++) bytes[index] = (char)(seed * 31 + index * 7 + (index >> 8));
}

static void check_filled(const char *bytes, size_t count, unsigned seed) {
  for (size_t index = 0; index < count; index++)
    if (bytes[index] != (char)(seed * 31 + index * 7 + (index >> 8)))
      check_failed(__FILE__, __LINE__, "byte %zu of %zu differs", index, count);
}

static void pair(int type, int ends[2]) { CHECK_EQUAL(socketpair(PF_LOCAL, type, 0, ends), 0); }

static void close_both(const int ends[2]) {
  CHECK_EQUAL(close(ends[0]), 0);
  CHECK_EQUAL(close(ends[1]), 0);
}

static int asked(int end, unsigned long request) {
  int count = -1;
  CHECK_EQUAL(ioctl(end, request, &count), 0);
  return count;
}

static int option(int end, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  CHECK_EQUAL(getsockopt(end, SOL_SOCKET, name, &value, &length), 0);
  CHECK_EQUAL(length, sizeof value);
  return value;
}

static void set_option(int end, int name, int value) {
  CHECK_EQUAL(setsockopt(end, SOL_SOCKET, name, &value, sizeof value), 0);
}

static struct sockaddr_un address_of(const char *path) {
  struct sockaddr_un address = {.sun_len = sizeof address, .sun_family = AF_UNIX};
  memcpy(address.sun_path, path, strlen(path) + 1);
  return address;
}

static int bind_to(int end, const char *path) {
  struct sockaddr_un address = address_of(path);
  return bind(end, (struct sockaddr *)&address, SUN_LEN(&address));
}

static int connect_to(int end, const char *path) {
  struct sockaddr_un address = address_of(path);
  return connect(end, (struct sockaddr *)&address, SUN_LEN(&address));
}

static const char *path_of_case(const char *name) {
  static char path[64];
  snprintf(path, sizeof path, "/tmp/%s.%d", name, getpid());
  return path;
}

static void ignore_broken_connections(void) {
  struct sigaction action = {.sa_handler = SIG_IGN};
  CHECK_EQUAL(sigaction(SIGPIPE, &action, NULL), 0);
}

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

// MARK: Ends

TEST(sigpipe) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  CHECK_EQUAL(close(ends[1]), 0);
  CHECK_SIGNAL(SIGPIPE, write(ends[0], "x", 1));
  CHECK_SIGNAL(SIGPIPE, send(ends[0], "x", 1, 0));
  CHECK_EXIT(EPIPE, send(ends[0], "x", 1, MSG_NOSIGNAL); _exit(errno));
  CHECK_EXIT(EPIPE, set_option(ends[0], SO_NOSIGPIPE, 1); write(ends[0], "x", 1); _exit(errno));
  CHECK_EQUAL(option(ends[0], SO_NOSIGPIPE), SO_NOSIGPIPE);
  CHECK_EXIT(0, struct iovec piece = {"x", 1}; CHECK_ERRNO(EPIPE, writev(ends[0], &piece, 1)));
}

TEST(what_was_sent_before_the_end_is_read) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  CHECK_EQUAL(write(ends[0], "abc", 3), 3);
  CHECK_EQUAL(close(ends[0]), 0);
  CHECK_EQUAL(read(ends[1], copy, 10), 3);
  CHECK_EQUAL(read(ends[1], copy, 10), 0);
  CHECK_EQUAL(read(ends[1], copy, 10), 0);
  socklen_t length = sizeof copy;
  CHECK_ERRNO(ENOTCONN, getpeername(ends[1], (struct sockaddr *)copy, &length));
  CHECK_ERRNO(ENOTCONN, shutdown(ends[1], SHUT_RD));
}

TEST(shutdown_of_both_directions) {
  int ends[2];
  ignore_broken_connections();
  pair(SOCK_STREAM, ends);
  CHECK_EQUAL(write(ends[0], "abc", 3), 3);
  CHECK_EQUAL(shutdown(ends[0], SHUT_WR), 0);
  CHECK_ERRNO(EPIPE, write(ends[0], "x", 1));
  CHECK_EQUAL(read(ends[1], copy, 2), 2);
  CHECK_EQUAL(write(ends[1], "back", 4), 4);
  CHECK_EQUAL(read(ends[0], copy, 10), 4);
  CHECK_EQUAL(read(ends[1], copy, 10), 1);
  CHECK_EQUAL(read(ends[1], copy, 10), 0);
  // Who does not want to receive drops what there is; the other may go on.
  CHECK_EQUAL(write(ends[1], "lost", 4), 4);
  CHECK_EQUAL(shutdown(ends[0], SHUT_RD), 0);
  CHECK_EQUAL(read(ends[0], copy, 10), 0);
  CHECK_EQUAL(option(ends[0], SO_RCVBUF), 0);
  CHECK_EQUAL(write(ends[1], "more", 4), 4);
  CHECK_EQUAL(read(ends[0], copy, 10), 4);
}

TEST(a_sleeping_sender_learns_that_nobody_will_read) {
  int ends[2];
  ignore_broken_connections();
  pair(SOCK_STREAM, ends);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    close(ends[1]);
    CHECK_ERRNO(EPIPE, write(ends[0], block, 20000));
    _exit(0);
  }
  close(ends[0]);
  CHECK_EQUAL(read(ends[1], copy, 1), 1);
  usleep(2000);
  CHECK_EQUAL(close(ends[1]), 0);
  CHECK_EQUAL(check_wait(child), 0);
}

static volatile int caught;
static void catch(int number) { caught = number; }

TEST(sleeping_calls_are_interrupted_or_begin_anew) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  struct sigaction action = {.sa_handler = catch};
  CHECK_EQUAL(sigaction(SIGALRM, &action, NULL), 0);
  struct itimerval soon = {.it_value = {0, 5000}};
  CHECK_EQUAL(setitimer(ITIMER_REAL, &soon, NULL), 0);
  CHECK_ERRNO(EINTR, recv(ends[0], copy, 1, 0));
  CHECK_EQUAL(caught, SIGALRM);
  CHECK_EQUAL(setitimer(ITIMER_REAL, &soon, NULL), 0);
  CHECK_EQUAL(write(ends[1], block, 20000), 8192);
  // What a receive has by then is its result.
  CHECK_EQUAL(setitimer(ITIMER_REAL, &soon, NULL), 0);
  CHECK_EQUAL(recv(ends[0], copy, 20000, MSG_WAITALL), 8192);
}

TEST(timeouts) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  struct timeval time = {0, 20000}, told;
  CHECK_EQUAL(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time), 0);
  CHECK_EQUAL(setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time), 0);
  socklen_t length = sizeof told;
  CHECK_EQUAL(getsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &told, &length), 0);
  CHECK(told.tv_sec == 0 && told.tv_usec == 20000);
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  CHECK_ERRNO(EAGAIN, read(ends[0], copy, 1));
  CHECK_EQUAL(write(ends[0], block, 20000), 8192);
  CHECK_ERRNO(EAGAIN, write(ends[0], block, 20000));
  CHECK_EQUAL(write(ends[1], "abc", 3), 3);
  CHECK_EQUAL(recv(ends[0], copy, 10, MSG_WAITALL), 3);
  clock_gettime(CLOCK_MONOTONIC, &after);
  long passed = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
  CHECK(passed >= 80000000 && passed < 400000000);
  time.tv_usec = 1000000;
  CHECK_ERRNO(EDOM, setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
}

// MARK: Packets and datagrams

TEST(unix_seqpacket_send_recv) {
  int ends[2];
  pair(SOCK_SEQPACKET, ends);
  CHECK_EQUAL(send(ends[0], "first", 5, MSG_EOR), 5);
  CHECK_EQUAL(send(ends[0], "second", 6, 0), 6);
  CHECK_EQUAL(send(ends[0], "", 0, 0), 0);
  CHECK_EQUAL(send(ends[0], "fourth", 6, 0), 6);
  struct iovec piece = {copy, 100};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  CHECK_EQUAL(recvmsg(ends[1], &message, 0), 5);
  CHECK_EQUAL(message.msg_flags, MSG_EOR);
  piece.iov_len = 3;
  CHECK_EQUAL(recvmsg(ends[1], &message, 0), 3);
  CHECK_EQUAL(message.msg_flags, MSG_TRUNC);
  CHECK_EQUAL(recvmsg(ends[1], &message, 0), 0);
  CHECK_EQUAL(message.msg_flags, 0);
  CHECK_EQUAL(recv(ends[1], copy, 2, MSG_TRUNC | MSG_PEEK), 6);
  CHECK_EQUAL(recv(ends[1], copy, 2, MSG_TRUNC), 6);
  CHECK_EQUAL(recv(ends[1], copy, 2, MSG_DONTWAIT), -1);
}

static int packets_of(int type, int size) {
  int ends[2], count = 0;
  pair(type | SOCK_NONBLOCK, ends);
  while (send(ends[0], block, size, 0) == size) count++;
  CHECK_EQUAL(errno, type == SOCK_DGRAM ? ENOBUFS : EAGAIN);
  close_both(ends);
  return count;
}

TEST(how_many_messages_fit) {
  CHECK_EQUAL(packets_of(SOCK_SEQPACKET, 1), 128);
  CHECK_EQUAL(packets_of(SOCK_SEQPACKET, 100), 26);
  CHECK_EQUAL(packets_of(SOCK_SEQPACKET, 8176), 1);
  CHECK_EQUAL(packets_of(SOCK_DGRAM, 8192), 1);
  CHECK_EQUAL(packets_of(SOCK_DGRAM, 8150), 2);
  CHECK_EQUAL(packets_of(SOCK_DGRAM, 100), 51);
  CHECK_EQUAL(packets_of(SOCK_DGRAM, 48), 256);
  CHECK_EQUAL(packets_of(SOCK_DGRAM, 0), 256);
  int ends[2];
  pair(SOCK_SEQPACKET, ends);
  CHECK_ERRNO(EMSGSIZE, send(ends[0], block, 8193, 0));
  close_both(ends);
  pair(SOCK_DGRAM, ends);
  CHECK_ERRNO(EMSGSIZE, send(ends[0], block, 8193, 0));
  set_option(ends[0], SO_SNDBUF, 100);
  CHECK_ERRNO(ENOBUFS, send(ends[0], block, 100, 0));
  CHECK_EQUAL(send(ends[0], block, 50, 0), 50);
}

TEST(unix_dgram_basic) {
  const char *path = path_of_case("dgram");
  int receiver = socket(PF_LOCAL, SOCK_DGRAM, 0), sender = socket(PF_LOCAL, SOCK_DGRAM, 0);
  struct sockaddr_un address = address_of(path), from;
  socklen_t length = SUN_LEN(&address);
  CHECK_EQUAL(bind_to(receiver, path), 0);
  CHECK_ERRNO(EDESTADDRREQ, send(sender, "x", 1, 0));
  CHECK_EQUAL(sendto(sender, "one", 3, 0, (struct sockaddr *)&address, length), 3);
  socklen_t room = sizeof from;
  CHECK_EQUAL(recvfrom(receiver, copy, 100, 0, (struct sockaddr *)&from, &room), 3);
  CHECK_EQUAL(room, 16);
  CHECK_EQUAL(from.sun_family, AF_UNIX);
  char own[64];
  snprintf(own, sizeof own, "%s.own", path);
  CHECK_EQUAL(bind_to(sender, own), 0);
  CHECK_EQUAL(connect_to(sender, path), 0);
  CHECK_EQUAL(send(sender, "two", 3, 0), 3);
  CHECK_ERRNO(EISCONN, sendto(sender, "x", 1, 0, (struct sockaddr *)&address, length));
  room = sizeof from;
  CHECK_EQUAL(recvfrom(receiver, copy, 100, 0, (struct sockaddr *)&from, &room), 3);
  CHECK_EQUAL(room, 2 + strlen(own));
  CHECK(strncmp(from.sun_path, own, strlen(own)) == 0);
  // The receiver goes: the error comes once.
  CHECK_EQUAL(close(receiver), 0);
  CHECK_ERRNO(ECONNRESET, send(sender, "x", 1, 0));
  CHECK_ERRNO(EDESTADDRREQ, send(sender, "x", 1, 0));
  CHECK_ERRNO(ECONNREFUSED, sendto(sender, "x", 1, 0, (struct sockaddr *)&address, length));
  CHECK_ERRNO(EAGAIN, recv(sender, copy, 1, MSG_DONTWAIT));
}

TEST(unix_dgram_one2many_and_their_order) {
  const char *path = path_of_case("many");
  int receiver = socket(PF_LOCAL, SOCK_DGRAM, 0);
  CHECK_EQUAL(bind_to(receiver, path), 0);
  int first = socket(PF_LOCAL, SOCK_DGRAM, 0), second = socket(PF_LOCAL, SOCK_DGRAM, 0);
  CHECK_EQUAL(connect_to(first, path), 0);
  CHECK_EQUAL(connect_to(second, path), 0);
  CHECK_EQUAL(send(first, "1", 1, 0), 1);
  CHECK_EQUAL(send(first, "2", 1, 0), 1);
  CHECK_EQUAL(send(second, "3", 1, 0), 1);
  CHECK_EQUAL(send(first, "4", 1, 0), 1);
  CHECK_EQUAL(asked(receiver, FIONREAD), 4);
  for (int index = 0; index < 4; index++) CHECK_EQUAL(recv(receiver, copy + index, 1, 0), 1);
  CHECK(memcmp(copy, "3124", 4) == 0);
}

TEST(unix_dgram_selfgetpeername) {
  const char *path = path_of_case("self");
  int end = socket(PF_LOCAL, SOCK_DGRAM, 0);
  CHECK_EQUAL(bind_to(end, path), 0);
  CHECK_EQUAL(connect_to(end, path), 0);
  struct sockaddr_un address;
  socklen_t length = sizeof address;
  CHECK_EQUAL(getpeername(end, (struct sockaddr *)&address, &length), 0);
  CHECK(strncmp(address.sun_path, path, strlen(path)) == 0);
  CHECK_EQUAL(send(end, "x", 1, 0), 1);
  CHECK_EQUAL(recv(end, copy, 1, 0), 1);
}

TEST(shutdown_dgram) {
  int ends[2];
  ignore_broken_connections();
  pair(SOCK_DGRAM, ends);
  CHECK_EQUAL(send(ends[0], "x", 1, 0), 1);
  CHECK_EQUAL(shutdown(ends[1], SHUT_RD), 0);
  CHECK_EQUAL(recv(ends[1], copy, 1, 0), 0);
  CHECK_EQUAL(send(ends[0], "y", 1, 0), 1);
  CHECK_EQUAL(recv(ends[1], copy, 1, 0), 1);
  CHECK_EQUAL(shutdown(ends[0], SHUT_WR), 0);
  CHECK_ERRNO(EPIPE, send(ends[0], "y", 1, 0));
  int alone = socket(PF_LOCAL, SOCK_DGRAM, 0);
  CHECK_ERRNO(ENOTCONN, shutdown(alone, SHUT_WR));
  CHECK_ERRNO(EPIPE, send(alone, "y", 1, 0));
}

// MARK: Names and connections

TEST(names_and_their_errors) {
  const char *path = path_of_case("name");
  int end = socket(PF_LOCAL, SOCK_STREAM, 0), other = socket(PF_LOCAL, SOCK_STREAM, 0);
  struct sockaddr_un address = address_of(path);
  struct sockaddr *place = (struct sockaddr *)&address;
  CHECK_ERRNO(ENAMETOOLONG, bind(99, place, 256));
  CHECK_ERRNO(EINVAL, bind(99, place, 1));
  CHECK_ERRNO(EFAULT, bind(99, (struct sockaddr *)8, 8));
  CHECK_ERRNO(EBADF, bind(99, place, sizeof address));
  CHECK_ERRNO(EINVAL, bind(end, place, 107));
  CHECK_ERRNO(EINVAL, bind(end, place, 2));
  address.sun_family = AF_INET;
  CHECK_ERRNO(EAFNOSUPPORT, bind(end, place, sizeof address));
  address = address_of("");
  CHECK_ERRNO(ENOENT, bind(end, place, 3));
  CHECK_ERRNO(ENOENT, bind_to(end, "/missing/x"));
  CHECK_ERRNO(ENOENT, bind_to(end, "/tmp/missing/"));
  CHECK_ERRNO(ENOTDIR, bind_to(end, "/dev/null/x"));
  CHECK_ERRNO(EADDRINUSE, bind_to(end, "/dev/null"));
  CHECK_ERRNO(EADDRINUSE, bind_to(end, "/tmp"));
  CHECK_ERRNO(EROFS, bind_to(end, "/x"));
  CHECK_EQUAL(bind_to(end, path), 0);
  CHECK_ERRNO(EINVAL, bind_to(end, path));
  CHECK_ERRNO(EADDRINUSE, bind_to(other, path));
  CHECK_EQUAL(close(end), 0);
  // The name outlives the socket.
  CHECK_ERRNO(EADDRINUSE, bind_to(other, path));
  CHECK_ERRNO(ECONNREFUSED, connect_to(other, path));
  CHECK_ERRNO(ENOENT, connect_to(other, "/tmp/missing"));
  CHECK_ERRNO(ENOTSOCK, connect_to(other, "/dev/null"));
  CHECK_ERRNO(EOPNOTSUPP, open(path, O_RDWR));
  int datagram = socket(PF_LOCAL, SOCK_DGRAM, 0);
  char datagram_path[64];
  snprintf(datagram_path, sizeof datagram_path, "%s.dgram", path);
  CHECK_EQUAL(bind_to(datagram, datagram_path), 0);
  CHECK_ERRNO(EPROTOTYPE, connect_to(other, datagram_path));
}

TEST(getsockname_unix) {
  const char *path = path_of_case("sockname");
  int end = socket(PF_LOCAL, SOCK_STREAM, 0);
  struct sockaddr_un address;
  socklen_t length = sizeof address;
  CHECK_EQUAL(getsockname(end, (struct sockaddr *)&address, &length), 0);
  CHECK_EQUAL(length, 16);
  CHECK_EQUAL(address.sun_len, 16);
  CHECK_EQUAL(bind_to(end, path), 0);
  length = 5;
  CHECK_EQUAL(getsockname(end, (struct sockaddr *)&address, &length), 0);
  CHECK_EQUAL(length, strlen(path) + 2);
  CHECK_EQUAL(address.sun_len, strlen(path) + 2);
  length = 0;
  CHECK_EQUAL(getsockname(end, NULL, &length), 0);
  CHECK_ERRNO(EFAULT, getsockname(99, NULL, (socklen_t *)8));
  CHECK_ERRNO(EBADF, getsockname(99, NULL, &length));
}

static int listening(int type, const char *path, int backlog) {
  int end = socket(PF_LOCAL, type, 0);
  CHECK(end >= 0);
  CHECK_EQUAL(bind_to(end, path), 0);
  CHECK_EQUAL(listen(end, backlog), 0);
  return end;
}

TEST(unix_seqpacket_accept_and_send_before_accept) {
  static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
  for (int index = 0; index < 2; index++) {
    char path[64];
    snprintf(path, sizeof path, "%s.%d", path_of_case("accept"), index);
    int listener = listening(types[index], path, 3), client = socket(PF_LOCAL, types[index], 0);
    CHECK_EQUAL(option(listener, SO_ACCEPTCONN), SO_ACCEPTCONN);
    CHECK_EQUAL(option(listener, SO_LISTENQLIMIT), 3);
    CHECK_EQUAL(connect_to(client, path), 0);
    CHECK_EQUAL(option(listener, SO_LISTENQLEN), 1);
    CHECK_ERRNO(EISCONN, connect_to(client, path));
    CHECK_EQUAL(send(client, "early", 5, 0), 5);
    struct sockaddr_un address;
    socklen_t length = sizeof address;
    int server = accept(listener, (struct sockaddr *)&address, &length);
    CHECK(server >= 0);
    CHECK_EQUAL(length, 16);
    CHECK_EQUAL(recv(server, copy, 100, 0), 5);
    CHECK_EQUAL(send(server, "reply", 5, 0), 5);
    CHECK_EQUAL(recv(client, copy, 100, 0), 5);
    length = sizeof address;
    CHECK_EQUAL(getpeername(client, (struct sockaddr *)&address, &length), 0);
    CHECK(strncmp(address.sun_path, path, strlen(path)) == 0);
    struct xucred credentials;
    length = sizeof credentials;
    CHECK_EQUAL(getsockopt(client, SOL_LOCAL, LOCAL_PEERCRED, &credentials, &length), 0);
    CHECK_EQUAL(length, 88);
    CHECK_EQUAL(credentials.cr_pid, getpid());
    CHECK_EQUAL(credentials.cr_ngroups, 1);
    CHECK_EQUAL(close(server), 0);
    CHECK_EQUAL(recv(client, copy, 100, 0), 0);
  }
}

TEST(unix_seqpacket_listen_unbound) {
  int end = socket(PF_LOCAL, SOCK_SEQPACKET, 0), ends[2];
  CHECK_ERRNO(EDESTADDRREQ, listen(end, 1));
  CHECK_ERRNO(EOPNOTSUPP, listen(socket(PF_LOCAL, SOCK_DGRAM, 0), 1));
  pair(SOCK_STREAM, ends);
  CHECK_ERRNO(EINVAL, listen(ends[0], 1));
  CHECK_ERRNO(EINVAL, accept(ends[0], NULL, NULL));
  CHECK_ERRNO(ENOTCONN, send(end, "x", 1, 0));
  CHECK_ERRNO(ENOTCONN, recv(end, copy, 1, 0));
  CHECK_ERRNO(ENOTCONN, shutdown(end, SHUT_RD));
}

TEST(listen_backlog) {
  static const int backlogs[][2] = {{0, 1}, {1, 2}, {2, 4}, {3, 5}, {5, 8}, {10, 16}};
  for (int index = 0; index < 6; index++) {
    char path[64];
    snprintf(path, sizeof path, "%s.%d", path_of_case("backlog"), index);
    int listener = listening(SOCK_STREAM, path, backlogs[index][0]), count = 0, last, clients[32];
    for (;;) {
      last = socket(PF_LOCAL, SOCK_STREAM, 0);
      if (connect_to(last, path) != 0) break;
      clients[count++] = last;
    }
    CHECK_EQUAL(errno, ECONNREFUSED);
    CHECK_EQUAL(count, backlogs[index][1]);
    CHECK_EQUAL(close(listener), 0);
    ignore_broken_connections();
    for (int client = 0; client < count; client++) {
      CHECK_ERRNO(EPIPE, send(clients[client], "x", 1, 0));
      CHECK_ERRNO(ECONNRESET, recv(clients[client], copy, 1, 0));
      CHECK_EQUAL(recv(clients[client], copy, 1, 0), 0);
      CHECK_EQUAL(close(clients[client]), 0);
    }
    CHECK_EQUAL(close(last), 0);
  }
}

TEST(accept_waits_inherits_and_fails_in_order) {
  const char *path = path_of_case("inherit");
  int listener = listening(SOCK_STREAM, path, 5), clients[3];
  CHECK_ERRNO(EINVAL, accept4(99, NULL, NULL, 1));
  CHECK_ERRNO(EFAULT, accept(99, (struct sockaddr *)copy, (socklen_t *)8));
  CHECK_EQUAL(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
  CHECK_ERRNO(EAGAIN, accept(listener, NULL, NULL));
  for (int index = 0; index < 3; index++) {
    clients[index] = socket(PF_LOCAL, SOCK_STREAM, 0);
    CHECK_EQUAL(connect_to(clients[index], path), 0);
  }
  int one = accept(listener, NULL, NULL), two = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  CHECK_EQUAL(fcntl(one, F_GETFL), O_RDWR | O_NONBLOCK);
  CHECK_EQUAL(fcntl(one, F_GETFD), 0);
  CHECK_EQUAL(fcntl(two, F_GETFL), O_RDWR);
  CHECK_EQUAL(fcntl(two, F_GETFD), FD_CLOEXEC);
  // A name that cannot be stored costs the connection.
  socklen_t length = 16;
  CHECK_ERRNO(EFAULT, accept(listener, (struct sockaddr *)8, &length));
  CHECK_EQUAL(recv(clients[2], copy, 1, 0), 0);
  CHECK_EQUAL(fcntl(listener, F_SETFL, 0), 0);
  CHECK_ERRNO(ENOTCONN, shutdown(listener, SHUT_RD));
  CHECK_ERRNO(ECONNABORTED, accept(listener, NULL, NULL));
  CHECK_ERRNO(ENOTCONN, read(listener, copy, 1));
  CHECK_ERRNO(ENOTCONN, write(listener, copy, 1));
  int count;
  CHECK_ERRNO(EINVAL, ioctl(listener, FIONREAD, &count));
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    usleep(2000);
    int client = socket(PF_LOCAL, SOCK_STREAM, 0);
    CHECK_EQUAL(connect_to(client, path), 0);
    _exit(0);
  }
  CHECK(accept(listener, NULL, NULL) >= 0);
  CHECK_EQUAL(check_wait(child), 0);
}

// MARK: What sockets tell

TEST(fstat_tells_what_can_be_done) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  struct stat status;
  CHECK_EQUAL(fstat(ends[0], &status), 0);
  CHECK_EQUAL(status.st_mode, 0140666);
  CHECK_EQUAL(status.st_blksize, 8192);
  CHECK_EQUAL(status.st_nlink, 0);
  CHECK_EQUAL(write(ends[1], "abc", 3), 3);
  CHECK_EQUAL(fstat(ends[0], &status), 0);
  CHECK_EQUAL(status.st_size, 3);
  CHECK_EQUAL(shutdown(ends[0], SHUT_WR), 0);
  CHECK_EQUAL(fstat(ends[0], &status), 0);
  CHECK_EQUAL(status.st_mode, 0140444);
  CHECK_EQUAL(close(ends[1]), 0);
  CHECK_EQUAL(fstat(ends[0], &status), 0);
  CHECK_EQUAL(status.st_mode, 0140444);
  CHECK_EQUAL(read(ends[0], copy, 3), 3);
  CHECK_EQUAL(fstat(ends[0], &status), 0);
  CHECK_EQUAL(status.st_mode, 0140000);
  CHECK_ERRNO(ESPIPE, lseek(ends[0], 0, SEEK_SET));
  CHECK_ERRNO(EINVAL, ftruncate(ends[0], 0));
  CHECK_ERRNO(EINVAL, fchmod(ends[0], 0600));
  CHECK_ERRNO(EINVAL, fsync(ends[0]));
  CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, ends[0], 0) == MAP_FAILED && errno == ENODEV);
  CHECK(!isatty(ends[0]) && errno == EOPNOTSUPP);
  CHECK_EQUAL(fcntl(ends[0], F_SETOWN, getpid()), 0);
  CHECK_EQUAL(fcntl(ends[0], F_GETOWN), getpid());
}

TEST(options_and_their_errors) {
  int end = socket(PF_LOCAL, SOCK_STREAM, 0), value = 1;
  socklen_t length = sizeof value;
  CHECK_EQUAL(option(end, SO_SNDBUF), 8192);
  CHECK_EQUAL(option(end, SO_RCVBUF), 8192);
  CHECK_EQUAL(option(end, SO_SNDLOWAT), 2048);
  CHECK_EQUAL(option(end, SO_RCVLOWAT), 1);
  CHECK_EQUAL(option(socket(PF_LOCAL, SOCK_DGRAM, 0), SO_SNDBUF), 16384);
  set_option(end, SO_REUSEADDR, 7);
  CHECK_EQUAL(option(end, SO_REUSEADDR), SO_REUSEADDR);
  set_option(end, SO_SNDBUF, 1000);
  CHECK_EQUAL(option(end, SO_SNDLOWAT), 1000);
  set_option(end, SO_RCVLOWAT, 100000);
  CHECK_EQUAL(option(end, SO_RCVLOWAT), 8192);
  CHECK_ERRNO(EINVAL, setsockopt(end, SOL_SOCKET, SO_SNDBUF, &(int){0}, sizeof value));
  CHECK_ERRNO(ENOBUFS, setsockopt(end, SOL_SOCKET, SO_SNDBUF, &(int){1864136}, sizeof value));
  CHECK_EQUAL(setsockopt(end, SOL_SOCKET, SO_SNDBUF, &(int){1864135}, sizeof value), 0);
  CHECK_ERRNO(EINVAL, setsockopt(end, SOL_SOCKET, SO_REUSEADDR, &value, 3));
  CHECK_ERRNO(EFAULT, setsockopt(99, SOL_SOCKET, SO_REUSEADDR, NULL, 4));
  CHECK_ERRNO(EINVAL, setsockopt(99, SOL_SOCKET, SO_REUSEADDR, &value, -1));
  CHECK_ERRNO(EBADF, setsockopt(99, SOL_SOCKET, SO_REUSEADDR, &value, 4));
  CHECK_ERRNO(ENOPROTOOPT, setsockopt(end, SOL_SOCKET, 0x7777, &value, 4));
  CHECK_ERRNO(ENOPROTOOPT, getsockopt(end, SOL_SOCKET, 0x7777, &value, &length));
  CHECK_ERRNO(EINVAL, getsockopt(end, 6, 1, &value, &length));
  CHECK_ERRNO(ENOTCONN, getsockopt(end, SOL_LOCAL, LOCAL_PEERCRED, copy, &length));
  struct linger linger = {1, 65536};
  CHECK_ERRNO(EDOM, setsockopt(end, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
  linger.l_linger = 65535;
  CHECK_EQUAL(setsockopt(end, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
  length = sizeof linger;
  CHECK_EQUAL(getsockopt(end, SOL_SOCKET, SO_LINGER, &linger, &length), 0);
  CHECK(linger.l_onoff == SO_LINGER && linger.l_linger == -1);
  length = 2;
  CHECK_EQUAL(getsockopt(end, SOL_SOCKET, SO_TYPE, &value, &length), 0);
  CHECK_EQUAL(length, 2);
}

TEST(kqueue_sees_what_happens) {
  int ends[2], queue = kqueue();
  pair(SOCK_STREAM, ends);
  struct kevent changes[2], event;
  struct timespec now = {0, 0};
  EV_SET(&changes[0], ends[0], EVFILT_READ, EV_ADD, 0, 0, NULL);
  CHECK_EQUAL(kevent(queue, changes, 1, &event, 1, &now), 0);
  CHECK_EQUAL(write(ends[1], "abc", 3), 3);
  CHECK_EQUAL(kevent(queue, NULL, 0, &event, 1, &now), 1);
  CHECK(event.ident == (uintptr_t)ends[0] && event.data == 3 && (event.flags & EV_EOF) == 0);
  CHECK_EQUAL(read(ends[0], copy, 3), 3);
  CHECK_EQUAL(kevent(queue, NULL, 0, &event, 1, &now), 0);
  EV_SET(&changes[0], ends[0], EVFILT_READ, EV_DELETE, 0, 0, NULL);
  EV_SET(&changes[1], ends[0], EVFILT_WRITE, EV_ADD, 0, 0, NULL);
  CHECK_EQUAL(kevent(queue, changes, 2, &event, 1, &now), 1);
  CHECK(event.filter == EVFILT_WRITE && event.data == 8192);
  CHECK_EQUAL(write(ends[0], block, 8192), 8192);
  CHECK_EQUAL(kevent(queue, NULL, 0, &event, 1, &now), 0);
  CHECK_EQUAL(read(ends[1], copy, 1), 1);
  CHECK_EQUAL(kevent(queue, NULL, 0, &event, 1, &now), 1);
  CHECK_EQUAL(close(ends[1]), 0);
  EV_SET(&changes[0], ends[0], EVFILT_READ, EV_ADD, 0, 0, NULL);
  struct kevent events[4];
  CHECK_EQUAL(kevent(queue, changes, 1, events, 4, &now), 2);
  CHECK((events[0].flags & EV_EOF) && (events[1].flags & EV_EOF));
  // A listening socket is ready when somebody waits.
  const char *path = path_of_case("kqueue");
  int listener = listening(SOCK_STREAM, path, 5), client = socket(PF_LOCAL, SOCK_STREAM, 0);
  int other = kqueue();
  EV_SET(&changes[0], listener, EVFILT_READ, EV_ADD, 0, 0, NULL);
  CHECK_EQUAL(kevent(other, changes, 1, &event, 1, &now), 0);
  CHECK_EQUAL(connect_to(client, path), 0);
  CHECK_EQUAL(kevent(other, NULL, 0, &event, 1, &now), 1);
  CHECK_EQUAL(event.data, 1);
}

TEST(errors_of_sendmsg_and_recvmsg_in_their_order) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  struct iovec piece = {block, 1};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  CHECK_ERRNO(EFAULT, sendmsg(99, (struct msghdr *)8, 0));
  message.msg_iovlen = 1025;
  CHECK_ERRNO(EMSGSIZE, sendmsg(99, &message, 0));
  CHECK_ERRNO(EMSGSIZE, recvmsg(99, &message, 0));
  message.msg_iovlen = 1;
  message.msg_iov = (struct iovec *)8;
  CHECK_ERRNO(EFAULT, sendmsg(99, &message, 0));
  CHECK_ERRNO(EFAULT, recvmsg(99, &message, 0));
  message.msg_iov = &piece;
  message.msg_name = copy;
  message.msg_namelen = 256;
  CHECK_ERRNO(ENAMETOOLONG, sendmsg(99, &message, 0));
  message.msg_name = NULL;
  message.msg_control = copy;
  message.msg_controllen = 11;
  CHECK_ERRNO(EINVAL, sendmsg(99, &message, 0));
  message.msg_controllen = 2049;
  CHECK_ERRNO(EMSGSIZE, sendmsg(99, &message, 0));
  message.msg_control = (void *)8;
  message.msg_controllen = 16;
  CHECK_ERRNO(EFAULT, sendmsg(99, &message, 0));
  message.msg_control = NULL;
  CHECK_ERRNO(EBADF, sendmsg(99, &message, 0));
  CHECK_ERRNO(EBADF, recvmsg(99, &message, 0));
  CHECK_EQUAL(sendmsg(ends[0], &message, MSG_DONTWAIT), 1);
  message.msg_flags = 12345;
  CHECK_EQUAL(recvmsg(ends[1], &message, MSG_DONTWAIT), 1);
  CHECK_EQUAL(message.msg_flags, MSG_DONTWAIT);
}

TEST(listenclose_and_close_of_thousands) {
  enum { count = 1500 };
  int ends[2];
  uint64_t before = check_sysctl("kern.openfiles");
  for (int index = 0; index < count; index++) {
    pair(SOCK_STREAM, ends);
    CHECK_EQUAL(write(ends[0], block, 100), 100);
  }
  CHECK_EQUAL(check_sysctl("kern.openfiles"), before + 2 * count);
  syscall(SYS_closefrom, 3);
  CHECK_EQUAL(check_sysctl("kern.openfiles"), before);
}
