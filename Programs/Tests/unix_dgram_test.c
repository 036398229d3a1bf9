// unix_dgram_test: FreeBSD's own cases for datagrams and for pairs, by their names (tests/sys/kern/unix_dgram.c, unix_stream.c,
// socket_msg_trunc.c, socket_msg_waitall.c, shutdown_dgram.c; lib/libc/sys/t_socketpair.c; spec sockets.md section 11).

#include "sockets.h"

// A bound receiver and a sender that is connected to it.
static void receiver_and_sender(const char *path, int *receiver, int *sender) {
  *receiver = socket(PF_UNIX, SOCK_DGRAM, 0);
  *sender = socket(PF_UNIX, SOCK_DGRAM, 0);
  CHECK_EQUAL(bind_to(*receiver, path), 0);
  CHECK_EQUAL(connect_to(*sender, path), 0);
}

// MARK: unix_dgram

TEST(basic) {
  int ends[2];
  pair(SOCK_DGRAM, ends);
  int largest = (int)check_sysctl("net.local.dgram.maxdgram"), room = (int)check_sysctl("net.local.dgram.recvspace");
  CHECK_EQUAL(largest, 8192);
  // As large as may be, and not larger.
  fill(block, (size_t)largest, 1);
  CHECK_ERRNO(EMSGSIZE, send(ends[0], block, (size_t)largest + 1, 0));
  CHECK_EQUAL(send(ends[0], block, (size_t)largest, 0), largest);
  CHECK_EQUAL(recv(ends[1], copy, sizeof copy, 0), largest);
  check_filled(copy, (size_t)largest, 1);
  // As many as there is room for.
  int count = 0;
  while (send(ends[0], block, 1000, 0) == 1000) count++;
  CHECK_EQUAL(errno, ENOBUFS);
  CHECK(count > 0 && count <= room / 1000);
  for (int index = 0; index < count; index++) CHECK_EQUAL(recv(ends[1], copy, sizeof copy, MSG_DONTWAIT), 1000);
  CHECK_ERRNO(EAGAIN, recv(ends[1], copy, sizeof copy, MSG_DONTWAIT));
  // A datagram that was cut is gone.
  CHECK_EQUAL(send(ends[0], block, 100, 0), 100);
  CHECK_EQUAL(recv(ends[1], copy, 10, 0), 10);
  CHECK_ERRNO(EAGAIN, recv(ends[1], copy, 10, MSG_DONTWAIT));
}

TEST(one2many) {
  enum { senders = 8 };
  const char *path = path_of_case("one2many");
  int receiver = socket(PF_UNIX, SOCK_DGRAM, 0), ends[senders];
  struct sockaddr_un address = address_of(path);
  CHECK_EQUAL(bind_to(receiver, path), 0);
  // Each that is connected has room of its own.
  for (int index = 0; index < senders; index++) {
    ends[index] = socket(PF_UNIX, SOCK_DGRAM, 0);
    CHECK_EQUAL(connect_to(ends[index], path), 0);
    int count = 0;
    while (send(ends[index], block, 2000, 0) == 2000) count++;
    CHECK_EQUAL(errno, ENOBUFS);
    CHECK_EQUAL(count, 8);
  }
  // Who is not connected shares the receiver's.
  int other = socket(PF_UNIX, SOCK_DGRAM, 0), count = 0;
  while (sendto(other, block, 2000, 0, (struct sockaddr *)&address, SUN_LEN(&address)) == 2000) count++;
  CHECK_EQUAL(errno, ENOBUFS);
  CHECK_EQUAL(count, 8);
  for (int index = 0; index < 8 * senders + count; index++)
    CHECK_EQUAL(recv(receiver, copy, sizeof copy, MSG_DONTWAIT), 2000);
  CHECK_ERRNO(EAGAIN, recv(receiver, copy, 1, MSG_DONTWAIT));
  // One that sent something and went leaves it.
  CHECK_EQUAL(send(ends[0], "x", 1, 0), 1);
  CHECK_EQUAL(close(ends[0]), 0);
  CHECK_EQUAL(recv(receiver, copy, 1, MSG_DONTWAIT), 1);
}

TEST(event) {
  int ends[2], queue = kqueue();
  struct kevent change, events[2];
  struct timespec now = {0, 0};
  pair(SOCK_DGRAM, ends);
  EV_SET(&change, ends[1], EVFILT_READ, EV_ADD, 0, 0, NULL);
  CHECK_EQUAL(kevent(queue, &change, 1, events, 2, &now), 0);
  CHECK_EQUAL(send(ends[0], block, 42, 0), 42);
  CHECK_EQUAL(kevent(queue, NULL, 0, events, 2, &now), 1);
  CHECK_EQUAL(events[0].data, 42);
  CHECK_EQUAL(send(ends[0], block, 8, 0), 8);
  CHECK_EQUAL(kevent(queue, NULL, 0, events, 2, &now), 1);
  CHECK_EQUAL(events[0].data, 50);
  CHECK_EQUAL(recv(ends[1], copy, sizeof copy, 0), 42);
  CHECK_EQUAL(recv(ends[1], copy, sizeof copy, 0), 8);
  CHECK_EQUAL(kevent(queue, NULL, 0, events, 2, &now), 0);
  EV_SET(&change, ends[0], EVFILT_WRITE, EV_ADD, 0, 0, NULL);
  CHECK_EQUAL(kevent(queue, &change, 1, events, 2, &now), 1);
  CHECK_EQUAL(events[0].filter, EVFILT_WRITE);
}

TEST(selfgetpeername) {
  const char *path = path_of_case("selfname");
  int end = socket(PF_UNIX, SOCK_DGRAM, 0);
  struct sockaddr_un address;
  socklen_t length = sizeof address;
  CHECK_EQUAL(bind_to(end, path), 0);
  CHECK_EQUAL(connect_to(end, path), 0);
  CHECK_EQUAL(getpeername(end, (struct sockaddr *)&address, &length), 0);
  CHECK(strncmp(address.sun_path, path, strlen(path)) == 0);
}

// MARK: unix_stream

TEST(getpeereid) {
  int ends[2];
  struct xucred credentials;
  socklen_t length = sizeof credentials;
  pair(SOCK_STREAM, ends);
  CHECK_EQUAL(getsockopt(ends[0], SOL_LOCAL, LOCAL_PEERCRED, &credentials, &length), 0);
  CHECK_EQUAL(credentials.cr_uid, geteuid());
  CHECK_EQUAL(credentials.cr_groups[0], getegid());
}

TEST(send_0) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  CHECK_EQUAL(send(ends[0], block, 0, 0), 0);
  CHECK_EQUAL(close(ends[0]), 0);
  CHECK_EQUAL(recv(ends[1], copy, 1, 0), 0);
}

// MARK: Messages

TEST(recv_trunc_afunix_dgram) {
  int receiver, sender;
  receiver_and_sender(path_of_case("trunc"), &receiver, &sender);
  struct iovec piece = {copy, 8};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  CHECK_EQUAL(send(sender, block, 1000, 0), 1000);
  CHECK_EQUAL(recvmsg(receiver, &message, MSG_TRUNC | MSG_PEEK), 1000);
  CHECK_EQUAL(message.msg_flags & MSG_TRUNC, MSG_TRUNC);
  CHECK_EQUAL(recv(receiver, copy, 8, MSG_TRUNC), 1000);
}

static void close_in_the_middle(int type) {
  int ends[2];
  pair(type, ends);
  CHECK_EQUAL(send(ends[1], "abc", 3, 0), 3);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    close(ends[0]);
    usleep(2000);
    _exit(0);
  }
  close(ends[1]);
  CHECK_EQUAL(recv(ends[0], copy, 10, MSG_WAITALL), 3);
  CHECK_EQUAL(recv(ends[0], copy, 10, MSG_WAITALL), 0);
  CHECK_EQUAL(check_wait(child), 0);
}

TEST(close_unix_stream) { close_in_the_middle(SOCK_STREAM); }
TEST(close_unix_seqpacket) { close_in_the_middle(SOCK_SEQPACKET); }

TEST(unblock) {
  // shutdown_dgram: a receiver that sleeps learns that nothing will come.
  int ends[2];
  pair(SOCK_DGRAM, ends);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    usleep(2000);
    CHECK_EQUAL(shutdown(ends[1], SHUT_RD), 0);
    _exit(0);
  }
  CHECK_EQUAL(recv(ends[1], copy, 1, 0), 0);
  CHECK_EQUAL(check_wait(child), 0);
}

// MARK: t_socketpair

TEST(socketpair_nonblock) {
  int ends[2];
  pair(SOCK_DGRAM | SOCK_NONBLOCK, ends);
  for (int index = 0; index < 2; index++) CHECK_EQUAL(fcntl(ends[index], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

TEST(socketpair_cloexec) {
  int ends[2];
  pair(SOCK_DGRAM | SOCK_CLOEXEC, ends);
  for (int index = 0; index < 2; index++) CHECK_EQUAL(fcntl(ends[index], F_GETFD), FD_CLOEXEC);
}

TEST(socketpair_stream) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  CHECK_EQUAL(write(ends[0], "abc", 3), 3);
  CHECK_EQUAL(read(ends[1], copy, 10), 3);
}

TEST(inet) {
  int ends[2];
  CHECK_EQUAL(socketpair(AF_INET, SOCK_STREAM, 0, ends), -1);
}

TEST(null_sv) { CHECK_ERRNO(EFAULT, socketpair(AF_UNIX, SOCK_DGRAM, 0, NULL)); }
