// sockets.h: what the tests of sockets have in common.
#pragma once

#include "check.h"

#include <sys/event.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/un.h>

static char block[65536] __attribute__((unused)), copy[65536] __attribute__((unused));

static inline void fill(char *bytes, size_t count, unsigned seed) {
  for (size_t index = 0; index < count; index++) bytes[index] = (char)(seed * 31 + index * 7 + (index >> 8));
}

static inline void check_filled(const char *bytes, size_t count, unsigned seed) {
  for (size_t index = 0; index < count; index++)
    if (bytes[index] != (char)(seed * 31 + index * 7 + (index >> 8)))
      check_failed(__FILE__, __LINE__, "byte %zu of %zu differs", index, count);
}

static inline void pair(int type, int ends[2]) { CHECK_EQUAL(socketpair(PF_LOCAL, type, 0, ends), 0); }

static inline void close_both(const int ends[2]) {
  CHECK_EQUAL(close(ends[0]), 0);
  CHECK_EQUAL(close(ends[1]), 0);
}

static inline int asked(int end, unsigned long request) {
  int count = -1;
  CHECK_EQUAL(ioctl(end, request, &count), 0);
  return count;
}

static inline int option(int end, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  CHECK_EQUAL(getsockopt(end, SOL_SOCKET, name, &value, &length), 0);
  CHECK_EQUAL(length, sizeof value);
  return value;
}

static inline void set_option(int end, int name, int value) {
  CHECK_EQUAL(setsockopt(end, SOL_SOCKET, name, &value, sizeof value), 0);
}

static inline struct sockaddr_un address_of(const char *path) {
  struct sockaddr_un address = {.sun_len = sizeof address, .sun_family = AF_UNIX};
  memcpy(address.sun_path, path, strlen(path) + 1);
  return address;
}

static inline int bind_to(int end, const char *path) {
  struct sockaddr_un address = address_of(path);
  return bind(end, (struct sockaddr *)&address, SUN_LEN(&address));
}

static inline int connect_to(int end, const char *path) {
  struct sockaddr_un address = address_of(path);
  return connect(end, (struct sockaddr *)&address, SUN_LEN(&address));
}

static inline const char *path_of_case(const char *name) {
  static char path[64];
  snprintf(path, sizeof path, "/tmp/%s.%d", name, getpid());
  return path;
}

static inline void ignore_broken_connections(void) {
  struct sigaction action = {.sa_handler = SIG_IGN};
  CHECK_EQUAL(sigaction(SIGPIPE, &action, NULL), 0);
}

static inline int listening(int type, const char *path, int backlog) {
  int end = socket(PF_LOCAL, type, 0);
  CHECK(end >= 0);
  CHECK_EQUAL(bind_to(end, path), 0);
  CHECK_EQUAL(listen(end, backlog), 0);
  return end;
}
