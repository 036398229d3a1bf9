// socket_message_test: packets and datagrams (spec sockets.md sections 4.2, 4.4 and 5).

#include "sockets.h"

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
