// passing_test: descriptors that go through sockets (spec sockets.md section 8, fd.md sections 7 and 8), with the names of
// FreeBSD's own cases where they are the same (tests/sys/kern/unix_passfd_test).

#include "passing.h"

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
  // shows: difference peek
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
