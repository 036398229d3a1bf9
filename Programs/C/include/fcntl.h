// fcntl.h: opening files and commands on descriptors (spec abi.md, section 6).
#pragma once

#include <sys/cdefs.h>
#include <sys/types.h>

#define AT_FDCWD -100
#define AT_EACCESS 0x100
#define AT_SYMLINK_NOFOLLOW 0x200
#define AT_REMOVEDIR 0x800
#define AT_EMPTY_PATH 0x4000

#define O_RDONLY 0x0
#define O_WRONLY 0x1
#define O_RDWR 0x2
#define O_ACCMODE 0x3
#define O_NONBLOCK 0x4
#define O_APPEND 0x8
#define O_SHLOCK 0x10
#define O_EXLOCK 0x20
#define O_ASYNC 0x40
#define O_SYNC 0x80
#define O_FSYNC O_SYNC
#define O_NOFOLLOW 0x100
#define O_CREAT 0x200
#define O_TRUNC 0x400
#define O_EXCL 0x800
#define O_NOCTTY 0x8000
#define O_DIRECT 0x10000
#define O_DIRECTORY 0x20000
#define O_EXEC 0x40000
#define O_CLOEXEC 0x100000

#define F_DUPFD 0
#define F_GETFD 1
#define F_SETFD 2
#define F_GETFL 3
#define F_SETFL 4
#define F_GETOWN 5
#define F_SETOWN 6
#define F_DUP2FD 10
#define F_GETLK 11
#define F_SETLK 12
#define F_SETLKW 13
#define F_RDAHEAD 16
#define F_DUPFD_CLOEXEC 17
#define F_KINFO 22
#define F_DUP2FD_CLOEXEC 18
#define F_ADD_SEALS 19
#define F_GET_SEALS 20
#define FD_CLOEXEC 1
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#define F_SEAL_WRITE 8

__BEGIN_DECLS
int open(const char *, int, ...);
int fcntl(int, int, ...);

#define SPACECTL_DEALLOC 1
struct spacectl_range {
  off_t r_offset;
  off_t r_len;
};
int posix_fallocate(int, off_t, off_t);
int fspacectl(int, int, const struct spacectl_range *, int, struct spacectl_range *);
__END_DECLS
