// unix_seqpacket_test: FreeBSD's own cases for packets, by their names (tests/sys/kern/unix_seqpacket_test.c; spec sockets.md section
// 11). Where they use threads there are processes here.

#include "sockets.h"

static const char data[] = "data";

// A listening socket and one that is connected to it.
static void listen_and_connect(const char *path, int *listener, int *client) {
  *listener = listening(SOCK_SEQPACKET, path, -1);
  *client = socket(PF_LOCAL, SOCK_SEQPACKET, 0);
  CHECK_EQUAL(connect_to(*client, path), 0);
}

static void nonblocking(int end) {
  CHECK_EQUAL(fcntl(end, F_SETFL, O_NONBLOCK), 0);
  CHECK_EQUAL(fcntl(end, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

static void set_buffers(const int ends[2], int send_size, int receive_size) {
  for (int index = 0; index < 2; index++) {
    set_option(ends[index], SO_SNDBUF, send_size);
    set_option(ends[index], SO_RCVBUF, receive_size);
    CHECK_EQUAL(option(ends[index], SO_SNDBUF), send_size);
    CHECK_EQUAL(option(ends[index], SO_RCVBUF), receive_size);
  }
}

TEST(create_socket) { CHECK(socket(PF_LOCAL, SOCK_SEQPACKET, 0) >= 0); }

TEST(create_socketpair) {
  int ends[2];
  pair(SOCK_SEQPACKET, ends);
  CHECK(ends[0] >= 0 && ends[1] >= 0 && ends[0] != ends[1]);
}

TEST(listen_unbound) { CHECK_ERRNO(EDESTADDRREQ, listen(socket(PF_LOCAL, SOCK_SEQPACKET, 0), -1)); }

TEST(bind_) { CHECK_EQUAL(bind_to(socket(PF_LOCAL, SOCK_SEQPACKET, 0), path_of_case("seqbind")), 0); }

TEST(listen_bound) { CHECK(listening(SOCK_SEQPACKET, path_of_case("seqlisten"), -1) >= 0); }

TEST(connect_) {
  int listener, client;
  listen_and_connect(path_of_case("seqconnect"), &listener, &client);
}

TEST(send_before_accept) {
  int listener, client;
  listen_and_connect(path_of_case("seqbefore"), &listener, &client);
  CHECK_EQUAL(send(client, data, sizeof data, MSG_EOR), sizeof data);
}

TEST(send_to_closed) {
  int ends[2];
  pair(SOCK_SEQPACKET, ends);
  ignore_broken_connections();
  CHECK_EQUAL(close(ends[1]), 0);
  CHECK_ERRNO(EPIPE, send(ends[0], data, sizeof data, MSG_EOR));
}

TEST(implied_connect) {
  const char *path = path_of_case("seqimplied");
  int listener = listening(SOCK_SEQPACKET, path, -1), client = socket(PF_LOCAL, SOCK_SEQPACKET, 0);
  struct sockaddr_un address = address_of(path);
  CHECK(listener >= 0);
  CHECK_ERRNO(ENOTCONN, sendto(client, data, sizeof data, MSG_EOR, (struct sockaddr *)&address, SUN_LEN(&address)));
}

TEST(accept_) {
  int listener, client;
  listen_and_connect(path_of_case("seqaccept"), &listener, &client);
  CHECK(accept(listener, NULL, NULL) >= 0);
}

TEST(fcntl_nonblock) {
  int ends[2];
  pair(SOCK_SEQPACKET, ends);
  nonblocking(ends[0]);
  CHECK_ERRNO(EAGAIN, recv(ends[0], copy, 1, 0));
}

TEST(resize_buffers) {
  int end = socket(PF_LOCAL, SOCK_SEQPACKET, 0);
  set_buffers((int[]){end, end}, 65536, 65536 * 2);
}

TEST(resize_connected_buffers) {
  int ends[2];
  pair(SOCK_SEQPACKET, ends);
  set_buffers(ends, 65536, 65536 * 2);
}

TEST(send_recv) {
  int ends[2];
  pair(SOCK_SEQPACKET, ends);
  CHECK_EQUAL(send(ends[0], data, sizeof data, MSG_EOR), sizeof data);
  CHECK_EQUAL(recv(ends[1], copy, 1024, MSG_WAITALL), sizeof data);
  CHECK(memcmp(copy, data, sizeof data) == 0);
}

TEST(sendto_recvfrom) {
  int ends[2];
  struct sockaddr_un from;
  socklen_t length = sizeof from;
  pair(SOCK_SEQPACKET, ends);
  CHECK_EQUAL(sendto(ends[0], data, sizeof data, MSG_EOR, NULL, 0), sizeof data);
  CHECK_EQUAL(recvfrom(ends[1], copy, 1024, MSG_WAITALL, (struct sockaddr *)&from, &length), sizeof data);
  CHECK_EQUAL(from.sun_family, AF_UNIX);
  CHECK_EQUAL(from.sun_path[0], 0);
}

TEST(send_recv_with_connect) {
  int listener, client;
  listen_and_connect(path_of_case("seqboth"), &listener, &client);
  int server = accept(listener, NULL, NULL);
  CHECK_EQUAL(send(client, data, sizeof data, MSG_EOR), sizeof data);
  CHECK_EQUAL(recv(server, copy, 1024, MSG_WAITALL), sizeof data);
}

TEST(shutdown_send) {
  int ends[2];
  pair(SOCK_SEQPACKET, ends);
  CHECK_EQUAL(shutdown(ends[0], SHUT_RDWR), 0);
  CHECK_ERRNO(EPIPE, send(ends[0], data, sizeof data, MSG_EOR | MSG_NOSIGNAL));
}

static volatile int broken_pipes;
static void count_broken_pipe(int number) { broken_pipes += number == SIGPIPE; }

TEST(shutdown_send_sigpipe) {
  int ends[2];
  struct sigaction action = {.sa_handler = count_broken_pipe};
  CHECK_EQUAL(sigaction(SIGPIPE, &action, NULL), 0);
  pair(SOCK_SEQPACKET, ends);
  CHECK_EQUAL(shutdown(ends[0], SHUT_RDWR), 0);
  CHECK_ERRNO(EPIPE, send(ends[0], data, sizeof data, MSG_EOR));
  CHECK_EQUAL(broken_pipes, 1);
}

TEST(send_recv_nonblocking) {
  int ends[2];
  pair(SOCK_SEQPACKET, ends);
  nonblocking(ends[0]);
  nonblocking(ends[1]);
  CHECK_ERRNO(EAGAIN, recv(ends[1], copy, 1024, MSG_WAITALL));
  CHECK_EQUAL(send(ends[0], data, sizeof data, MSG_EOR), sizeof data);
  CHECK_EQUAL(recv(ends[1], copy, 1024, MSG_WAITALL), sizeof data);
}

// Packets until there is no room: all that were taken arrive.
static void eagain(int send_size, int receive_size) {
  int ends[2], sent = 0, size = send_size / 4;
  pair(SOCK_SEQPACKET, ends);
  set_buffers(ends, send_size, receive_size);
  nonblocking(ends[0]);
  nonblocking(ends[1]);
  while (send(ends[0], block, size, MSG_EOR) == size) sent++;
  CHECK_EQUAL(errno, EAGAIN);
  CHECK(sent >= 3);
  for (int index = 0; index < sent; index++) CHECK_EQUAL(recv(ends[1], copy, sizeof copy, MSG_WAITALL), size);
  CHECK_ERRNO(EAGAIN, recv(ends[1], copy, sizeof copy, MSG_WAITALL));
}

TEST(eagain_8k_8k) { eagain(8192, 8192); }
TEST(eagain_8k_128k) { eagain(8192, 131072); }
TEST(eagain_128k_8k) { eagain(131072, 8192); }
TEST(eagain_128k_128k) { eagain(131072, 131072); }

TEST(rcvbuf_oversized) {
  // The receiver's buffer plays no part: a packet larger than it goes through.
  int ends[2];
  pair(SOCK_SEQPACKET, ends);
  set_buffers(ends, 32768, 4096);
  nonblocking(ends[0]);
  CHECK_EQUAL(send(ends[0], block, 16384, MSG_EOR), 16384);
  CHECK_EQUAL(recv(ends[1], copy, sizeof copy, MSG_WAITALL), 16384);
  CHECK_ERRNO(EMSGSIZE, send(ends[0], block, 32769, MSG_EOR));
}

// Packets of random sizes, written and read in turns by one process.
static void pipe_simulator(int send_size, int receive_size) {
  enum { count = 300 };
  int ends[2], sent = 0, received = 0, largest = send_size / 4 < 32768 ? send_size / 4 : 32768;
  uint32_t random = 12345;
  pair(SOCK_SEQPACKET, ends);
  set_buffers(ends, send_size, receive_size);
  nonblocking(ends[0]);
  nonblocking(ends[1]);
  int sizes[count];
  for (int index = 0; index < count; index++) {
    random = random * 1103515245 + 12345;
    sizes[index] = 1 + (int)(random >> 8) % largest;
  }
  while (received < count) {
    random = random * 1103515245 + 12345;
    if ((random >> 16 & 1) && sent < count) {
      fill(block, (size_t)sizes[sent], (unsigned)sent);
      ssize_t result = send(ends[0], block, (size_t)sizes[sent], MSG_EOR);
      if (result >= 0) CHECK_EQUAL(result, sizes[sent++]);
      else CHECK_EQUAL(errno, EAGAIN);
    } else {
      ssize_t result = recv(ends[1], copy, sizeof copy, MSG_WAITALL);
      if (result < 0) {
        CHECK_EQUAL(errno, EAGAIN);
        continue;
      }
      CHECK_EQUAL(result, sizes[received]);
      check_filled(copy, (size_t)result, (unsigned)received++);
    }
  }
}

TEST(pipe_simulator_8k_8k) { pipe_simulator(8192, 8192); }
TEST(pipe_simulator_8k_128k) { pipe_simulator(8192, 131072); }
TEST(pipe_simulator_128k_8k) { pipe_simulator(131072, 8192); }
TEST(pipe_simulator_128k_128k) { pipe_simulator(131072, 131072); }

// Packets from one process to another, which wait for each other.
static void send_to_process(int send_size, int receive_size, int size, int count, int flags) {
  int ends[2];
  pair(SOCK_SEQPACKET, ends);
  if (send_size > 0) set_buffers(ends, send_size, receive_size);
  if (flags & O_NONBLOCK) {
    nonblocking(ends[0]);
    nonblocking(ends[1]);
  }
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    close(ends[1]);
    for (int index = 0; index < count; index++) {
      fill(block, (size_t)size, (unsigned)index);
      while (send(ends[0], block, (size_t)size, MSG_EOR) != size) {
        CHECK(errno == EAGAIN && (flags & O_NONBLOCK));
        sched_yield();
      }
    }
    _exit(0);
  }
  close(ends[0]);
  for (int index = 0; index < count; index++) {
    ssize_t result;
    while ((result = recv(ends[1], copy, sizeof copy, MSG_WAITALL)) < 0) {
      CHECK(errno == EAGAIN && (flags & O_NONBLOCK));
      sched_yield();
    }
    CHECK_EQUAL(result, size);
    check_filled(copy, (size_t)size, (unsigned)index);
  }
  CHECK_EQUAL(check_wait(child), 0);
}

TEST(pipe_8k_8k) { send_to_process(8192, 8192, 2048, 200, 0); }
TEST(pipe_8k_128k) { send_to_process(8192, 131072, 2048, 200, 0); }
TEST(pipe_128k_8k) { send_to_process(131072, 8192, 4096, 200, 0); }
TEST(pipe_128k_128k) { send_to_process(131072, 131072, 32768, 100, 0); }

TEST(sendrecv_8k) { send_to_process(8192, 8192, 8176, 50, 0); }
TEST(sendrecv_16k) { send_to_process(32768, 32768, 16384, 50, 0); }
TEST(sendrecv_32k) { send_to_process(65536, 65536, 32768, 50, 0); }
TEST(sendrecv_64k) { send_to_process(131072, 131072, 65536, 50, 0); }
TEST(sendrecv_128k) {
  // Larger than this program's blocks: in two packets.
  send_to_process(262144, 262144, 65536, 100, 0);
}
TEST(sendrecv_8k_nonblocking) { send_to_process(8192, 8192, 8176, 20, O_NONBLOCK); }
TEST(sendrecv_16k_nonblocking) { send_to_process(32768, 32768, 16384, 20, O_NONBLOCK); }
TEST(sendrecv_32k_nonblocking) { send_to_process(65536, 65536, 32768, 20, O_NONBLOCK); }
TEST(sendrecv_64k_nonblocking) { send_to_process(131072, 131072, 65536, 20, O_NONBLOCK); }
TEST(sendrecv_128k_nonblocking) { send_to_process(262144, 262144, 65536, 40, O_NONBLOCK); }
