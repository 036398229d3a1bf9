// sys/uio.h: transfers in pieces.
#pragma once

#include <sys/cdefs.h>
#include <sys/types.h>

struct iovec {
  void *iov_base;
  size_t iov_len;
};

__BEGIN_DECLS
ssize_t readv(int, const struct iovec *, int);
ssize_t writev(int, const struct iovec *, int);
ssize_t preadv(int, const struct iovec *, int, off_t);
ssize_t pwritev(int, const struct iovec *, int, off_t);
__END_DECLS
