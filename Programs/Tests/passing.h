// passing.h: what the tests of passing descriptors have in common.
#pragma once

#include "check.h"

#include <sys/event.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static const int types[] __attribute__((unused)) = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
#define EVERY_TYPE(type) for (int type##_index = 0, type; type##_index < 3 && (type = types[type##_index], 1); type##_index++)

static _Alignas(8) char control[4096] __attribute__((unused));

static inline void pair(int type, int ends[2]) { CHECK_EQUAL(socketpair(PF_LOCAL, type, 0, ends), 0); }

static inline void close_both(const int ends[2]) {
  CHECK_EQUAL(close(ends[0]), 0);
  CHECK_EQUAL(close(ends[1]), 0);
}

static inline int object(void) {
  int file = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(file >= 0);
  CHECK_EQUAL(ftruncate(file, 8192), 0);
  return file;
}

static inline ino_t identity(int file) {
  struct stat status;
  CHECK_EQUAL(fstat(file, &status), 0);
  return status.st_ino;
}

// Adds a control message with descriptors behind `length` bytes of others; gives how many there are then.
static inline size_t add_rights(size_t length, const int *files, int count) {
  struct cmsghdr *header = (struct cmsghdr *)(control + length);
  memset(header, 0, CMSG_SPACE(sizeof(int) * count));
  header->cmsg_len = CMSG_LEN(sizeof(int) * count);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  if (count > 0) memcpy(CMSG_DATA(header), files, sizeof(int) * count);
  return length + CMSG_SPACE(sizeof(int) * count);
}

static inline ssize_t send_control(int end, size_t length, const void *bytes, size_t count, int flags) {
  struct iovec piece = {(void *)bytes, count};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = length};
  return sendmsg(end, &message, flags);
}

static inline ssize_t send_files(int end, const int *files, int count, int flags) {
  return send_control(end, add_rights(0, files, count), "x", 1, flags);
}

static inline void send_file(int end, int file) { CHECK_EQUAL(send_files(end, &file, 1, 0), 1); }

static struct msghdr received __attribute__((unused));

static inline ssize_t receive_control(int end, void *bytes, size_t count, size_t room, int flags) {
  static struct iovec piece;
  piece = (struct iovec){bytes, count};
  received = (struct msghdr){.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
  return recvmsg(end, &received, flags);
}

// Receives a byte and so many descriptors in one control message.
static inline void receive_files(int end, int *files, int count, int flags) {
  char byte;
  CHECK_EQUAL(receive_control(end, &byte, 1, CMSG_SPACE(sizeof(int) * count), flags), 1);
  struct cmsghdr *header = CMSG_FIRSTHDR(&received);
  CHECK(header != NULL);
  CHECK_EQUAL(header->cmsg_len, CMSG_LEN(sizeof(int) * count));
  CHECK_EQUAL(header->cmsg_level, SOL_SOCKET);
  CHECK_EQUAL(header->cmsg_type, SCM_RIGHTS);
  CHECK_EQUAL(received.msg_controllen, CMSG_SPACE(sizeof(int) * count));
  CHECK_EQUAL(received.msg_flags & (MSG_CTRUNC | MSG_TRUNC), 0);
  memcpy(files, CMSG_DATA(header), sizeof(int) * count);
}

static inline int receive_file(int end) {
  int file;
  receive_files(end, &file, 1, 0);
  return file;
}

// What may not be more in the end than in the beginning.
struct state {
  uint64_t files, reserved, inflight, sockets;
};

static inline struct state state_now(void) {
  return (struct state){check_sysctl("kern.openfiles"), check_sysctl("vm.swap_reserved"),
                        check_sysctl("net.local.inflight"), check_sysctl("net.local.sockcount")};
}

static inline void check_as_before(struct state before) {
  struct state now = state_now();
  CHECK_EQUAL(now.files, before.files);
  CHECK_EQUAL(now.reserved, before.reserved);
  CHECK_EQUAL(now.inflight, before.inflight);
  CHECK_EQUAL(now.sockets, before.sockets);
}
