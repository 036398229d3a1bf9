// passing_test: descriptors that go through sockets (spec sockets.md section 8, fd.md sections 7 to 9), with the names of
// FreeBSD's own cases where they are the same (tests/sys/kern/unix_passfd_test, tools/regression/sockets/unix_gc).

#include "check.h"

#include <sys/event.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
#define EVERY_TYPE(type) for (int type##_index = 0, type; type##_index < 3 && (type = types[type##_index], 1); type##_index++)

static _Alignas(8) char control[4096];

static void pair(int type, int ends[2]) { CHECK_EQUAL(socketpair(PF_LOCAL, type, 0, ends), 0); }

static void close_both(const int ends[2]) {
  CHECK_EQUAL(close(ends[0]), 0);
  CHECK_EQUAL(close(ends[1]), 0);
}

static int object(void) {
  int file = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(file >= 0);
  CHECK_EQUAL(ftruncate(file, 8192), 0);
  return file;
}

static ino_t identity(int file) {
  struct stat status;
  CHECK_EQUAL(fstat(file, &status), 0);
  return status.st_ino;
}

// Adds a control message with descriptors behind `length` bytes of others; gives how many there are then.
static size_t add_rights(size_t length, const int *files, int count) {
  struct cmsghdr *header = (struct cmsghdr *)(control + length);
  memset(header, 0, CMSG_SPACE(sizeof(int) * count));
  header->cmsg_len = CMSG_LEN(sizeof(int) * count);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  if (count > 0) memcpy(CMSG_DATA(header), files, sizeof(int) * count);
  return length + CMSG_SPACE(sizeof(int) * count);
}

static ssize_t send_control(int end, size_t length, const void *bytes, size_t count, int flags) {
  struct iovec piece = {(void *)bytes, count};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = length};
  return sendmsg(end, &message, flags);
}

static ssize_t send_files(int end, const int *files, int count, int flags) {
  return send_control(end, add_rights(0, files, count), "x", 1, flags);
}

static void send_file(int end, int file) { CHECK_EQUAL(send_files(end, &file, 1, 0), 1); }

static struct msghdr received;

static ssize_t receive_control(int end, void *bytes, size_t count, size_t room, int flags) {
  static struct iovec piece;
  piece = (struct iovec){bytes, count};
  received = (struct msghdr){.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
  return recvmsg(end, &received, flags);
}

// Receives a byte and so many descriptors in one control message.
static void receive_files(int end, int *files, int count, int flags) {
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

static int receive_file(int end) {
  int file;
  receive_files(end, &file, 1, 0);
  return file;
}

// What may not be more in the end than in the beginning.
static struct state {
  uint64_t files, reserved, inflight, sockets;
} state_now(void) {
  return (struct state){check_sysctl("kern.openfiles"), check_sysctl("vm.swap_reserved"),
                        check_sysctl("net.local.inflight"), check_sysctl("net.local.sockcount")};
}

static void check_as_before(struct state before) {
  struct state now = state_now();
  CHECK_EQUAL(now.files, before.files);
  CHECK_EQUAL(now.reserved, before.reserved);
  CHECK_EQUAL(now.inflight, before.inflight);
  CHECK_EQUAL(now.sockets, before.sockets);
}

// MARK: unix_passfd_test

TEST(simple_send_fd) {
  struct state before = state_now();
  EVERY_TYPE(type) {
    int ends[2], file = object();
    pair(type, ends);
    send_file(ends[0], file);
    CHECK_EQUAL(check_sysctl("net.local.inflight"), 1);
    int got = receive_file(ends[1]);
    CHECK(got != file);
    CHECK_EQUAL(identity(got), identity(file));
    CHECK_EQUAL(fcntl(got, F_GETFD), 0);
    CHECK_EQUAL(close(got), 0);
    CHECK_EQUAL(close(file), 0);
    close_both(ends);
  }
  check_as_before(before);
}

TEST(simple_send_fd_msg_cmsg_cloexec) {
  EVERY_TYPE(type) {
    int ends[2], file = object(), got;
    pair(type, ends);
    send_file(ends[0], file);
    receive_files(ends[1], &got, 1, MSG_CMSG_CLOEXEC);
    CHECK_EQUAL(fcntl(got, F_GETFD), FD_CLOEXEC);
    CHECK_EQUAL(identity(got), identity(file));
  }
}

TEST(send_and_close) {
  EVERY_TYPE(type) {
    int ends[2], file = object();
    pair(type, ends);
    ino_t number = identity(file);
    send_file(ends[0], file);
    CHECK_EQUAL(close(file), 0);
    int got = receive_file(ends[1]);
    CHECK_EQUAL(identity(got), number);
  }
}

TEST(send_and_cancel) {
  struct state before = state_now();
  EVERY_TYPE(type) {
    int ends[2], file = object();
    pair(type, ends);
    send_file(ends[0], file);
    CHECK_EQUAL(close(file), 0);
    close_both(ends);
    check_as_before(before);
  }
}

TEST(send_and_shutdown) {
  EVERY_TYPE(type) {
    int ends[2], file = object();
    pair(type, ends);
    struct state before = state_now();
    int other = object();
    send_file(ends[0], other);
    CHECK_EQUAL(close(other), 0);
    CHECK_EQUAL(shutdown(ends[1], SHUT_RD), 0);
    check_as_before(before);
    close_both(ends);
    CHECK_EQUAL(close(file), 0);
  }
}

TEST(send_a_lot) {
  EVERY_TYPE(type) {
    int ends[2], files[255], got[254], file = object();
    pair(type, ends);
    struct state before = state_now();
    for (int index = 0; index < 255; index++) files[index] = file;
    CHECK_ERRNO(EMSGSIZE, send_files(ends[0], files, 255, 0));
    CHECK_EQUAL(send_files(ends[0], files, 254, 0), 1);
    CHECK_EQUAL(check_sysctl("net.local.inflight"), 254);
    receive_files(ends[1], got, 254, 0);
    for (int index = 0; index < 254; index++) {
      if (index > 0) CHECK_EQUAL(got[index], got[index - 1] + 1);
      CHECK_EQUAL(identity(got[index]), identity(file));
      CHECK_EQUAL(close(got[index]), 0);
    }
    // One number too few: nothing is left of the descriptors.
    CHECK_EQUAL(send_files(ends[0], files, 254, 0), 1);
    struct rlimit limit = {got[253], 4096}, old;
    CHECK_EQUAL(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit.rlim_max = old.rlim_max;
    CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
    char byte;
    CHECK_ERRNO(EMFILE, receive_control(ends[1], &byte, 1, CMSG_SPACE(254 * sizeof(int)), 0));
    CHECK_ERRNO(EBADF, fcntl(got[0], F_GETFD));
    CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &old), 0);
    if (type == SOCK_STREAM) {
      CHECK_EQUAL(send(ends[0], "y", 1, 0), 1);
      char bytes[4];
      CHECK_EQUAL(receive_control(ends[1], bytes, 4, 100, 0), 2);
      CHECK_EQUAL(received.msg_controllen, 0);
    } else {
      CHECK_ERRNO(EAGAIN, recv(ends[1], &byte, 1, MSG_DONTWAIT));
    }
    check_as_before(before);
    CHECK_EQUAL(close(file), 0);
    close_both(ends);
  }
}

TEST(send_overflow) {
  // The errors of a full buffer leave nothing in flight.
  EVERY_TYPE(type) {
    int ends[2], file = object(), count = 0;
    pair(type, ends);
    while (send_files(ends[0], &file, 1, MSG_DONTWAIT) == 1) count++;
    CHECK_EQUAL(errno, type == SOCK_DGRAM ? ENOBUFS : EAGAIN);
    CHECK_EQUAL(count, type == SOCK_DGRAM ? 170 : type == SOCK_STREAM ? 128 : count);
    CHECK_EQUAL(check_sysctl("net.local.inflight"), count);
    CHECK_EQUAL(close(ends[1]), 0);
    CHECK_EQUAL(check_sysctl("net.local.inflight"), 0);
    CHECK_EQUAL(close(ends[0]), 0);
  }
}

TEST(two_files) {
  EVERY_TYPE(type) {
    int ends[2], files[2] = {object(), object()};
    pair(type, ends);
    send_file(ends[0], files[0]);
    send_file(ends[0], files[1]);
    int first = receive_file(ends[1]), second = receive_file(ends[1]);
    CHECK_EQUAL(identity(first), identity(files[0]));
    CHECK_EQUAL(identity(second), identity(files[1]));
  }
}

TEST(bundle) {
  EVERY_TYPE(type) {
    int ends[2], files[3] = {object(), object(), object()}, got[3];
    pair(type, ends);
    CHECK_EQUAL(send_files(ends[0], files, 3, 0), 1);
    for (int index = 0; index < 3; index++) CHECK_EQUAL(close(files[index]), 0);
    receive_files(ends[1], got, 3, 0);
    CHECK(identity(got[0]) < identity(got[1]) && identity(got[1]) < identity(got[2]));
  }
}

TEST(bundle_cancel) {
  struct state before = state_now();
  EVERY_TYPE(type) {
    int ends[2], files[30];
    pair(type, ends);
    for (int index = 0; index < 30; index++) files[index] = object();
    CHECK_EQUAL(send_files(ends[0], files, 30, 0), 1);
    for (int index = 0; index < 30; index++) CHECK_EQUAL(close(files[index]), 0);
    close_both(ends);
    check_as_before(before);
  }
}

TEST(empty_rights_message) {
  EVERY_TYPE(type) {
    int ends[2], file = object();
    char bytes[8];
    pair(type, ends);
    // No control arrives, and in a stream no boundary.
    CHECK_EQUAL(send_files(ends[0], NULL, 0, 0), 1);
    CHECK_EQUAL(send_files(ends[0], NULL, 0, 0), 1);
    CHECK_EQUAL(receive_control(ends[1], bytes, 8, 100, 0), type == SOCK_STREAM ? 2 : 1);
    CHECK_EQUAL(received.msg_controllen, 0);
    if (type != SOCK_STREAM) CHECK_EQUAL(recv(ends[1], bytes, 8, 0), 1);
    if (type == SOCK_STREAM) {
      CHECK_EQUAL(send_control(ends[0], add_rights(0, NULL, 0), NULL, 0, 0), 0);
      CHECK_ERRNO(EAGAIN, recv(ends[1], bytes, 8, MSG_DONTWAIT));
    }
    // Beside another only that one arrives.
    CHECK_EQUAL(send_control(ends[0], add_rights(add_rights(0, NULL, 0), &file, 1), "x", 1, 0), 1);
    CHECK_EQUAL(identity(receive_file(ends[1])), identity(file));
  }
}

TEST(truncated_rights) {
  EVERY_TYPE(type) {
    int ends[2], files[4] = {object(), object(), object(), object()};
    char byte;
    pair(type, ends);
    struct state before = state_now();
    // Two messages of 24 and 32 bytes.
    static const struct {
      size_t room, stored;
    } cases[] = {{12, 0}, {23, 0}, {24, 24}, {55, 24}, {56, 56}, {100, 56}};
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
      CHECK_EQUAL(send_control(ends[0], add_rights(add_rights(0, files, 1), files + 1, 3), "x", 1, 0), 1);
      CHECK_EQUAL(receive_control(ends[1], &byte, 1, cases[index].room, 0), 1);
      CHECK_EQUAL(received.msg_controllen, cases[index].stored);
      CHECK_EQUAL(received.msg_flags & MSG_CTRUNC, cases[index].stored < 56 ? MSG_CTRUNC : 0);
      size_t offset = 0;
      while (offset < cases[index].stored) {
        struct cmsghdr *header = (struct cmsghdr *)(control + offset);
        int *got = (int *)CMSG_DATA(header);
        int count = (int)(header->cmsg_len - CMSG_LEN(0)) / 4;
        CHECK_EQUAL(count, offset == 0 ? 1 : 3);
        for (int number = 0; number < count; number++) CHECK_EQUAL(close(got[number]), 0);
        offset += CMSG_SPACE(4 * count);
      }
      check_as_before(before);
    }
    // Who does not ask gets none, and is not told.
    send_file(ends[0], files[0]);
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_controllen = 77};
    CHECK_EQUAL(recvmsg(ends[1], &message, 0), 1);
    CHECK_EQUAL(message.msg_controllen, 77);
    CHECK_EQUAL(message.msg_flags, 0);
    send_file(ends[0], files[0]);
    CHECK_EQUAL(read(ends[1], &byte, 1), 1);
    check_as_before(before);
  }
}

TEST(copyout_rights_error) {
  EVERY_TYPE(type) {
    int ends[2], files[2] = {object(), object()};
    char byte;
    pair(type, ends);
    struct state before = state_now();
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_ANON | MAP_PRIVATE, -1, 0);
    CHECK(page != MAP_FAILED);
    CHECK_EQUAL(mprotect(page + 4096, 4096, PROT_READ), 0);
    before = state_now();
    for (int index = 0; index < 3; index++) {
      CHECK_EQUAL(send_files(ends[0], files, 2, 0), 1);
      struct iovec piece = {&byte, 1};
      void *place = index == 0 ? (void *)8 : index == 1 ? page + 4096 : page + 4096 - 16;
      struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = place, .msg_controllen = 64};
      CHECK_ERRNO(EFAULT, recvmsg(ends[1], &message, 0));
      check_as_before(before);
    }
    CHECK_ERRNO(EAGAIN, recv(ends[1], &byte, 1, MSG_DONTWAIT));
  }
}

TEST(control_creates_records) {
  int ends[2], file = object();
  char bytes[32];
  pair(SOCK_STREAM, ends);
  CHECK_EQUAL(send(ends[0], "ab", 2, 0), 2);
  CHECK_EQUAL(send_control(ends[0], add_rights(0, &file, 1), "cd", 2, 0), 2);
  CHECK_EQUAL(send(ends[0], "efg", 3, 0), 3);
  CHECK_EQUAL(receive_control(ends[1], bytes, 32, 100, 0), 2);
  CHECK_EQUAL(received.msg_controllen, 0);
  CHECK_EQUAL(receive_control(ends[1], bytes, 32, 100, 0), 5);
  CHECK_EQUAL(received.msg_controllen, CMSG_SPACE(sizeof(int)));
  CHECK(memcmp(bytes, "cdefg", 5) == 0);
  // With the first byte only.
  CHECK_EQUAL(send_control(ends[0], add_rights(0, &file, 1), "cd", 2, 0), 2);
  CHECK_EQUAL(receive_control(ends[1], bytes, 1, 100, 0), 1);
  CHECK_EQUAL(received.msg_controllen, CMSG_SPACE(sizeof(int)));
  CHECK_EQUAL(receive_control(ends[1], bytes, 32, 100, 0), 1);
  CHECK_EQUAL(received.msg_controllen, 0);
  // Without bytes.
  CHECK_EQUAL(send_control(ends[0], add_rights(0, &file, 1), NULL, 0, 0), 0);
  CHECK_EQUAL(receive_control(ends[1], bytes, 32, 100, 0), 0);
  CHECK_EQUAL(received.msg_controllen, CMSG_SPACE(sizeof(int)));
}

// MARK: Errors of sending

TEST(errors_of_sending) {
  EVERY_TYPE(type) {
    int ends[2], file = object(), queue = kqueue();
    char byte;
    pair(type, ends);
    struct state before = state_now();
    CHECK_ERRNO(EBADF, send_files(ends[0], (int[]){file, 99, queue}, 3, 0));
    CHECK_ERRNO(EOPNOTSUPP, send_files(ends[0], (int[]){file, queue, 99}, 3, 0));
    CHECK_ERRNO(EBADF, send_files(ends[0], (int[]){-1}, 1, 0));
    size_t length = add_rights(0, &file, 1);
    CHECK_EQUAL(send_control(ends[0], CMSG_LEN(4), "x", 1, 0), 1);
    CHECK_EQUAL(recv(ends[1], &byte, 1, 0), 1);
    memset(control + length, 0, 64);
    CHECK_ERRNO(EINVAL, send_control(ends[0], length + 4, "x", 1, 0));
    CHECK_ERRNO(EINVAL, send_control(ends[0], length + 16, "x", 1, 0));
    CHECK_ERRNO(EINVAL, send_control(ends[0], 11, "x", 1, 0));
    CHECK_ERRNO(EMSGSIZE, send_control(ends[0], 2049, "x", 1, 0));
    struct cmsghdr *header = (struct cmsghdr *)control;
    header->cmsg_level = 0;
    CHECK_ERRNO(EINVAL, send_control(ends[0], length, "x", 1, 0));
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = 99;
    CHECK_ERRNO(EINVAL, send_control(ends[0], length, "x", 1, 0));
    header->cmsg_type = SCM_RIGHTS;
    for (int wrong = 0; wrong < 4; wrong++) {
      header->cmsg_len = (int[]){0, 12, 15, (int)length + 1}[wrong];
      CHECK_ERRNO(EINVAL, send_control(ends[0], length, "x", 1, 0));
    }
    // Whole descriptors count.
    header->cmsg_len = 23;
    CHECK_EQUAL(send_control(ends[0], length, "x", 1, 0), 1);
    CHECK_EQUAL(close(receive_file(ends[1])), 0);
    CHECK_ERRNO(EAGAIN, recv(ends[1], &byte, 1, MSG_DONTWAIT));
    check_as_before(before);
  }
}

TEST(looking_only_takes_no_descriptors) {
  EVERY_TYPE(type) {
    int ends[2], file = object();
    char byte;
    pair(type, ends);
    send_file(ends[0], file);
    CHECK_EQUAL(receive_control(ends[1], &byte, 1, 100, MSG_PEEK), 1);
    CHECK_EQUAL(received.msg_controllen, 0);
    CHECK_EQUAL(identity(receive_file(ends[1])), identity(file));
  }
}

// MARK: Memory

TEST(shared_memory_goes_to_another_process_after_its_sender_closed_it) {
  int ends[2], file = object();
  pair(SOCK_STREAM, ends);
  char *bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  CHECK(bytes != MAP_FAILED);
  strcpy(bytes + 4096, "what was sent");
  send_file(ends[0], file);
  CHECK_EQUAL(close(file), 0);
  CHECK_EQUAL(munmap(bytes, 8192), 0);
  CHECK_EXIT(0, {
    CHECK_EQUAL(close(ends[0]), 0);
    int got = receive_file(ends[1]);
    char *seen = mmap(NULL, 8192, PROT_READ, MAP_SHARED, got, 0);
    CHECK(seen != MAP_FAILED);
    CHECK_EQUAL(close(got), 0);
    CHECK(strcmp(seen + 4096, "what was sent") == 0);
  });
  CHECK_EQUAL(check_sysctl("net.local.inflight"), 0);
}

TEST(shared_memory_that_is_dropped_is_reclaimed_at_once) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  for (int way = 0; way < 3; way++) {
    struct state before = state_now();
    int file = shm_open(SHM_ANON, O_RDWR, 0600);
    CHECK_EQUAL(ftruncate(file, 1 << 20), 0);
    char *bytes = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(bytes != MAP_FAILED);
    memset(bytes, 1, 1 << 20);
    CHECK_EQUAL(munmap(bytes, 1 << 20), 0);
    send_file(ends[0], file);
    CHECK_EQUAL(close(file), 0);
    CHECK_EQUAL(check_sysctl("vm.swap_reserved"), before.reserved + (1 << 20));
    char byte;
    if (way == 0) CHECK_EQUAL(read(ends[1], &byte, 1), 1);
    if (way == 1) CHECK_EQUAL(receive_control(ends[1], &byte, 1, 12, 0), 1);
    if (way == 2) CHECK_EQUAL(shutdown(ends[1], SHUT_RD), 0);
    check_as_before(before);
  }
}

// MARK: Sockets in one another

TEST(unix_gc_through_itself) {
  EVERY_TYPE(type) {
    struct state before = state_now();
    uint64_t recycled = check_sysctl("net.local.recycled");
    int ends[2];
    pair(type, ends);
    send_file(ends[0], ends[0]);
    send_file(ends[1], ends[0]);
    CHECK_EQUAL(close(ends[0]), 0);
    CHECK_EQUAL(check_sysctl("net.local.inflight"), 2);
    CHECK_EQUAL(close(ends[1]), 0);
    check_as_before(before);
    CHECK_EQUAL(check_sysctl("net.local.recycled"), recycled + 1);
  }
}

TEST(unix_gc_two_pairs_and_an_object) {
  EVERY_TYPE(type) {
    struct state before = state_now();
    uint64_t recycled = check_sysctl("net.local.recycled");
    int first[2], second[2], file = object();
    pair(type, first);
    pair(type, second);
    // Each waits in the other, and the object in both.
    CHECK_EQUAL(send_files(first[0], (int[]){second[1], file}, 2, 0), 1);
    CHECK_EQUAL(send_files(second[0], (int[]){first[1], file}, 2, 0), 1);
    CHECK_EQUAL(close(file), 0);
    CHECK_EQUAL(close(first[1]), 0);
    CHECK_EQUAL(close(second[1]), 0);
    CHECK_EQUAL(check_sysctl("net.local.inflight"), 4);
    close_both((int[]){first[0], second[0]});
    check_as_before(before);
    CHECK_EQUAL(check_sysctl("net.local.recycled"), recycled + 2);
  }
}

TEST(unix_gc_leaves_what_can_be_received) {
  int first[2], second[2];
  pair(SOCK_STREAM, first);
  pair(SOCK_STREAM, second);
  send_file(first[0], second[1]);
  CHECK_EQUAL(close(second[1]), 0);
  send_file(second[0], first[0]);
  int unused[2];
  pair(SOCK_STREAM, unused);
  close_both(unused);
  CHECK_EQUAL(check_sysctl("net.local.inflight"), 2);
  int got = receive_file(first[1]);
  int back = receive_file(got);
  CHECK_EQUAL(identity(back), identity(first[0]));
  CHECK_EQUAL(check_sysctl("net.local.inflight"), 0);
}

TEST(unix_gc_listener_with_connections) {
  struct state before = state_now();
  int listener = socket(PF_LOCAL, SOCK_STREAM, 0), client = socket(PF_LOCAL, SOCK_STREAM, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "/tmp/gc.%d", getpid());
  CHECK_EQUAL(bind(listener, (struct sockaddr *)&address, SUN_LEN(&address)), 0);
  CHECK_EQUAL(listen(listener, 4), 0);
  CHECK_EQUAL(connect(client, (struct sockaddr *)&address, SUN_LEN(&address)), 0);
  // The listener waits in a connection that waits in the listener.
  send_file(client, listener);
  CHECK_EQUAL(close(listener), 0);
  CHECK_EQUAL(check_sysctl("net.local.inflight"), 1);
  int other[2];
  pair(SOCK_STREAM, other);
  close_both(other);
  CHECK_EQUAL(check_sysctl("net.local.inflight"), 0);
  char byte;
  CHECK_ERRNO(ECONNRESET, recv(client, &byte, 1, 0));
  CHECK_EQUAL(close(client), 0);
  check_as_before(before);
}

TEST(a_chain_of_sockets_in_one_another_unwinds) {
  struct state before = state_now();
  int inner[2];
  pair(SOCK_STREAM, inner);
  for (int depth = 0; depth < 1000; depth++) {
    int outer[2];
    pair(SOCK_STREAM, outer);
    send_file(outer[0], inner[0]);
    send_file(outer[0], inner[1]);
    close_both(inner);
    memcpy(inner, outer, sizeof inner);
  }
  CHECK_EQUAL(check_sysctl("net.local.inflight"), 2000);
  close_both(inner);
  check_as_before(before);
}

// Nobody closes a socket afterwards: it stays until somebody does, or the machine ends.
TEST(unix_gc_waits_for_the_next_close) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  send_file(ends[0], ends[0]);
  send_file(ends[1], ends[1]);
  close_both(ends);
  CHECK_EQUAL(check_sysctl("net.local.inflight"), 2);
  pair(SOCK_STREAM, ends);
  close_both(ends);
  CHECK_EQUAL(check_sysctl("net.local.inflight"), 0);
}
