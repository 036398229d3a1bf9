// passing.c: rows of pipes, sockets, descriptors sent through them, and poll(2).

#include "benchmark.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char byte[1], page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

INLINE long write_bytes(int end, const char *bytes, long count) { return kernel(SYS_write, end, bytes, count) - count; }
INLINE long read_bytes(int end, char *bytes, long count) { return kernel(SYS_read, end, bytes, count) - count; }

static void measure_pipe(void) {
  int there[2], back[2];
  NEED(kernel(SYS_pipe2, there, 0));
  NEED(kernel(SYS_pipe2, back, 0));
  MEASURE("pipe_write_read_1byte", 500, 8, {
    signs |= write_bytes(there[1], byte, 1);
    signs |= read_bytes(there[0], byte, 1);
  });
  MEASURE("pipe_write_read_4k", 200, 4, {
    signs |= write_bytes(there[1], page, PAGE_SIZE);
    signs |= read_bytes(there[0], page, PAGE_SIZE);
  });
  long child = NEED(fork_process());
  if (child == 0) {
    close_file(there[1]);
    while (read_bytes(there[0], byte, 1) == 0) write_bytes(back[1], byte, 1);
    end_process(0);
  }
  MEASURE("pipe_pingpong_2proc", 300, 4, {
    signs |= write_bytes(there[1], byte, 1);
    signs |= read_bytes(back[0], byte, 1);
  });
  NEED(close_file(there[1]));
  NEED(wait_for(child));
}

static void measure_poll(void) {
  enum { count = 100 };
  static struct pollfd entries[count];
  for (int index = 0; index < count; index++) entries[index] = (struct pollfd){(int)NEED(open_anonymous()), POLLIN, 0};
  MEASURE("poll_100_ready", 200, 1, signs |= kernel(SYS_poll, entries, count, 0) - count;);
  MEASURE("poll_1", 200, 8, signs |= kernel(SYS_poll, entries, 1, 0) - 1;);
}

// MARK: Descriptors in messages

// A message of one byte with room for one descriptor.
struct message {
  struct iovec piece;
  struct {
    struct cmsghdr header;
    _Alignas(8) int descriptor;
  } control;
  struct msghdr header;
};

INLINE void prepare(struct message *message, int descriptor) {
  message->piece = (struct iovec){byte, sizeof byte};
  message->control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  message->control.descriptor = descriptor;
  message->header = (struct msghdr){.msg_iov = &message->piece,
                                    .msg_iovlen = 1,
                                    .msg_control = &message->control,
                                    .msg_controllen = sizeof message->control};
}

INLINE long send_descriptor(int end, long descriptor) {
  struct message message;
  prepare(&message, (int)descriptor);
  return kernel(SYS_sendmsg, end, &message.header, 0) - 1;
}

// The descriptor that came, or an error.
INLINE long receive_descriptor(int end) {
  struct message message;
  prepare(&message, -1);
  long result = kernel(SYS_recvmsg, end, &message.header, 0);
  return result < 0 ? result : message.control.descriptor;
}

static void answer_descriptors(const int ends[2]) {
  close_file(ends[0]);
  for (;;) {
    long file = receive_descriptor(ends[1]);
    if (file < 0 || send_descriptor(ends[1], file) < 0) return;
    close_file(file);
  }
}

static void measure_sockets(void) {
  int ends[2];
  long sent = object_of(0);
  NEED(kernel(SYS_socketpair, PF_LOCAL, SOCK_STREAM, 0, ends));
  MEASURE("socketpair_1byte_send_recv", 1000, 4, {
    signs |= write_bytes(ends[0], byte, 1);
    signs |= read_bytes(ends[1], byte, 1);
  });
  MEASURE("scm_rights_send_recv_close_1proc", 1000, 4, {
    signs |= send_descriptor(ends[0], sent);
    long came = receive_descriptor(ends[1]);
    signs |= came | close_file(came);
  });
  long child = NEED(fork_process());
  if (child == 0) {
    answer_descriptors(ends);
    end_process(0);
  }
  MEASURE("scm_rights_pingpong_2proc", 1000, 1, {
    signs |= send_descriptor(ends[0], sent);
    long came = receive_descriptor(ends[0]);
    signs |= came | close_file(came);
  });
  NEED(kernel(SYS_kill, child, SIGKILL));
  NEED(wait_for(child));
}

const struct group passing_groups[] = {
    {"pipe_write_read_1byte pipe_write_read_4k pipe_pingpong_2proc", measure_pipe},
    {"poll_100_ready poll_1", measure_poll},
    {"socketpair_1byte_send_recv scm_rights_send_recv_close_1proc scm_rights_pingpong_2proc", measure_sockets},
    {NULL, NULL},
};
