// socket_name_test: names of sockets and connections (spec sockets.md sections 3.2 to 3.5).

#include "sockets.h"

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
