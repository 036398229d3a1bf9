// socket_end_test: how connections end, what sleeps and times out, and what sockets tell (spec sockets.md sections 3.6, 6 and 7).

#include "sockets.h"

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
