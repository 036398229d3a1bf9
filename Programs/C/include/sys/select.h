// sys/select.h: select(2) and pselect(2) (spec kqueue.md, section 8).
#pragma once

#include <signal.h>
#include <stdint.h>
#include <sys/cdefs.h>
#include <sys/types.h>

struct timespec;
struct timeval;

#define FD_SETSIZE 1024

typedef struct {
  uint64_t fds_bits[FD_SETSIZE / 64];
} fd_set;

#define FD_SET(n, set) ((set)->fds_bits[(n) / 64] |= 1ul << (n) % 64)
#define FD_CLR(n, set) ((set)->fds_bits[(n) / 64] &= ~(1ul << (n) % 64))
#define FD_ISSET(n, set) (((set)->fds_bits[(n) / 64] >> (n) % 64) & 1)
#define FD_ZERO(set) (*(set) = (fd_set){{0}})

__BEGIN_DECLS
int select(int, fd_set *, fd_set *, fd_set *, struct timeval *);
int pselect(int, fd_set *, fd_set *, fd_set *, const struct timespec *, const sigset_t *);
__END_DECLS
