// socket_credential_test: who sent a message and when (spec sockets.md section 6), with the names of FreeBSD's own cases
// (tools/regression/sockets/unix_cmsg), and the signal to the owner of a socket (SIGIO).

#include "sockets.h"

static _Alignas(8) char control[512];
static struct msghdr received;

static ssize_t receive(int end) {
  static struct iovec piece = {copy, 100};
  received = (struct msghdr){.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  return recvmsg(end, &received, MSG_DONTWAIT);
}

// Sends a byte and asks for a kind of control message, with a payload of so many bytes.
static void ask_for(int end, int type, size_t count) {
  memset(control, 0, sizeof control);
  struct cmsghdr *header = (struct cmsghdr *)control;
  header->cmsg_len = CMSG_LEN(count);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = type;
  struct iovec piece = {"x", 1};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(count)};
  CHECK_EQUAL(sendmsg(end, &message, 0), 1);
}

static struct cmsghdr *check_header(int type, size_t count) {
  struct cmsghdr *header = CMSG_FIRSTHDR(&received);
  CHECK(header != NULL);
  CHECK_EQUAL(header->cmsg_level, SOL_SOCKET);
  CHECK_EQUAL(header->cmsg_type, type);
  CHECK_EQUAL(header->cmsg_len, CMSG_LEN(count));
  CHECK_EQUAL(received.msg_controllen, CMSG_SPACE(count));
  return header;
}

static void wish(int end, int name) { CHECK_EQUAL(setsockopt(end, SOL_LOCAL, name, &(int){1}, sizeof(int)), 0); }

static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};

static void check_socket_credentials(void) {
  struct sockcred *told = (struct sockcred *)CMSG_DATA(check_header(SCM_CREDS, SOCKCREDSIZE(1)));
  CHECK(told->sc_uid == getuid() && told->sc_euid == geteuid() && told->sc_gid == getgid() && told->sc_egid == getegid());
  CHECK(told->sc_ngroups == 1 && told->sc_groups[0] == getegid());
}

TEST(cmsgcred) {
  for (int index = 0; index < 3; index++) {
    int ends[2];
    pair(types[index], ends);
    ask_for(ends[0], SCM_CREDS, index == 0 ? 0 : sizeof(struct cmsgcred));
    CHECK_EQUAL(receive(ends[1]), 1);
    struct cmsgcred *told = (struct cmsgcred *)CMSG_DATA(check_header(SCM_CREDS, sizeof(struct cmsgcred)));
    CHECK_EQUAL(told->cmcred_pid, getpid());
    CHECK(told->cmcred_uid == getuid() && told->cmcred_euid == geteuid() && told->cmcred_gid == getgid());
    CHECK(told->cmcred_ngroups == 1 && told->cmcred_groups[0] == getegid());
  }
}

TEST(sockcred_on_listener_and_accepted) {
  for (int way = 0; way < 2; way++) {
    char path[80];
    snprintf(path, sizeof path, "%s.%d", path_of_case("sockcred"), way);
    int listener = listening(SOCK_STREAM, path, 3), client = socket(PF_LOCAL, SOCK_STREAM, 0);
    if (way == 0) wish(listener, LOCAL_CREDS);
    CHECK_EQUAL(connect_to(client, path), 0);
    int server = accept(listener, NULL, NULL);
    if (way == 1) wish(server, LOCAL_CREDS);
    for (int round = 0; round < 2; round++) {
      CHECK_EQUAL(send(client, "x", 1, 0), 1);
      CHECK_EQUAL(receive(server), 1);
      // Once.
      if (round == 0) check_socket_credentials();
      else CHECK_EQUAL(received.msg_controllen, 0);
    }
  }
}

TEST(sockcred_of_every_datagram) {
  int ends[2];
  pair(SOCK_DGRAM, ends);
  wish(ends[1], LOCAL_CREDS);
  for (int round = 0; round < 3; round++) {
    CHECK_EQUAL(send(ends[0], "x", 1, 0), 1);
    CHECK_EQUAL(receive(ends[1]), 1);
    check_socket_credentials();
  }
}

TEST(cmsgcred_sockcred) {
  // What the receiver wants takes the place of what the sender asked for.
  for (int index = 0; index < 3; index++) {
    int ends[2];
    pair(types[index], ends);
    wish(ends[1], LOCAL_CREDS);
    ask_for(ends[0], SCM_CREDS, sizeof(struct cmsgcred));
    CHECK_EQUAL(receive(ends[1]), 1);
    check_socket_credentials();
  }
}

TEST(sockcred2) {
  for (int index = 0; index < 3; index++) {
    int ends[2];
    pair(types[index], ends);
    wish(ends[1], LOCAL_CREDS_PERSISTENT);
    for (int round = 0; round < 3; round++) CHECK_EQUAL(send(ends[0], "xyz", 3, 0), 3);
    for (int round = 0; round < 3; round++) {
      CHECK_EQUAL(receive(ends[1]), 3);
      struct sockcred2 *told = (struct sockcred2 *)CMSG_DATA(check_header(SCM_CREDS2, SOCKCRED2SIZE(1)));
      CHECK_EQUAL(told->sc_version, 0);
      CHECK_EQUAL(told->sc_pid, getpid());
      CHECK(told->sc_uid == getuid() && told->sc_groups[0] == getegid());
    }
  }
}

TEST(timestamps) {
  static const int kinds[] = {SCM_TIMESTAMP, SCM_BINTIME, SCM_REALTIME, SCM_MONOTONIC};
  int ends[2];
  pair(SOCK_STREAM, ends);
  for (int index = 0; index < 4; index++) {
    struct timespec before, after;
    clockid_t clock = kinds[index] == SCM_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME;
    clock_gettime(clock, &before);
    ask_for(ends[0], kinds[index], 16);
    clock_gettime(clock, &after);
    usleep(1000);
    CHECK_EQUAL(receive(ends[1]), 1);
    int64_t *told = (int64_t *)CMSG_DATA(check_header(kinds[index], 16));
    CHECK(told[0] >= before.tv_sec && told[0] <= after.tv_sec);
    uint64_t nanoseconds = (uint64_t)told[1];
    if (kinds[index] == SCM_TIMESTAMP) nanoseconds = nanoseconds * 1000 + 999;
    if (kinds[index] == SCM_BINTIME) nanoseconds = ((nanoseconds >> 32) * 1000000000 >> 32) + 1;
    if (before.tv_sec == after.tv_sec) CHECK((long)nanoseconds >= before.tv_nsec && (long)nanoseconds <= after.tv_nsec + 1000);
  }
}

TEST(peercred) {
  const char *path = path_of_case("peercred");
  int listener = listening(SOCK_STREAM, path, 3);
  CHECK_EXIT(0, {
    CHECK_EQUAL(chmod(path, 0777), 0);
    CHECK_EQUAL(setuid(9), 0);
    int client = socket(PF_LOCAL, SOCK_STREAM, 0);
    CHECK_EQUAL(connect_to(client, path), 0);
  });
  int server = accept(listener, NULL, NULL);
  struct xucred credentials;
  socklen_t length = sizeof credentials;
  CHECK_EQUAL(getsockopt(server, SOL_LOCAL, LOCAL_PEERCRED, &credentials, &length), 0);
  CHECK_EQUAL(credentials.cr_uid, 9);
}

// MARK: SIGIO

static volatile int signals;
static void count_signal(int number) { signals += number == SIGIO; }

TEST(the_owner_is_signalled) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
  CHECK_EQUAL(sigaction(SIGIO, &action, NULL), 0);
  CHECK_EQUAL(fcntl(ends[0], F_SETOWN, getpid()), 0);
  CHECK_EQUAL(write(ends[1], "x", 1), 1);
  CHECK_EQUAL(signals, 0);
  CHECK_EQUAL(fcntl(ends[0], F_SETFL, O_ASYNC), 0);
  CHECK_EQUAL(write(ends[1], "x", 1), 1);
  CHECK_EQUAL(signals, 1);
  CHECK_EXIT(0, CHECK_EQUAL(write(ends[1], "y", 1), 1));
  CHECK_EQUAL(signals, 2);
  // A process that has ended owns nothing.
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) _exit(0);
  CHECK_EQUAL(fcntl(ends[0], F_SETOWN, child), 0);
  CHECK_EQUAL(check_wait(child), 0);
  CHECK_EQUAL(fcntl(ends[0], F_GETOWN), 0);
  CHECK_ERRNO(ESRCH, fcntl(ends[0], F_SETOWN, child));
}
