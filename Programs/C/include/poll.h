// poll.h: poll(2) and ppoll(2) (spec kqueue.md, section 8).
#pragma once

#include <signal.h>
#include <sys/cdefs.h>
#include <sys/types.h>

struct timespec;

struct pollfd {
  int fd;
  short events;
  short revents;
};

typedef unsigned int nfds_t;

#define POLLIN 0x0001
#define POLLPRI 0x0002
#define POLLOUT 0x0004
#define POLLWRNORM POLLOUT
#define POLLERR 0x0008
#define POLLHUP 0x0010
#define POLLNVAL 0x0020
#define POLLRDNORM 0x0040
#define POLLRDBAND 0x0080
#define POLLWRBAND 0x0100
#define POLLINIGNEOF 0x2000
#define POLLRDHUP 0x4000
#define INFTIM (-1)

__BEGIN_DECLS
int poll(struct pollfd *, nfds_t, int);
int ppoll(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
__END_DECLS
