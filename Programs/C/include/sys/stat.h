// sys/stat.h: struct stat in today's layout and in that of 2008 (spec abi.md, section 5).
#pragma once

#include <sys/_timespec.h>
#include <sys/cdefs.h>

#define S_IFMT 0170000
#define S_IFIFO 0010000
#define S_IFCHR 0020000
#define S_IFDIR 0040000
#define S_IFBLK 0060000
#define S_IFREG 0100000
#define S_IFLNK 0120000
#define S_IFSOCK 0140000
#define S_ISUID 04000
#define S_ISGID 02000
#define S_ISVTX 01000
#define S_IRWXU 0700
#define S_IRUSR 0400
#define S_IWUSR 0200
#define S_IRWXG 0070
#define S_IRWXO 0007
#define S_ISREG(mode) (((mode) & S_IFMT) == S_IFREG)
#define S_ISSOCK(mode) (((mode) & S_IFMT) == S_IFSOCK)
#define S_ISDIR(mode) (((mode) & S_IFMT) == S_IFDIR)
#define S_ISCHR(mode) (((mode) & S_IFMT) == S_IFCHR)

struct stat {
  dev_t st_dev;
  ino_t st_ino;
  nlink_t st_nlink;
  mode_t st_mode;
  int16_t st_padding0;
  uid_t st_uid;
  gid_t st_gid;
  int32_t st_padding1;
  dev_t st_rdev;
  struct timespec st_atim;
  struct timespec st_mtim;
  struct timespec st_ctim;
  struct timespec st_birthtim;
  off_t st_size;
  blkcnt_t st_blocks;
  blksize_t st_blksize;
  fflags_t st_flags;
  uint64_t st_gen;
  uint64_t st_spare[10];
};
__BEGIN_DECLS
_Static_assert(sizeof(struct stat) == 224, "struct stat has 224 bytes");

struct freebsd11_stat {
  uint32_t st_dev;
  uint32_t st_ino;
  mode_t st_mode;
  uint16_t st_nlink;
  uid_t st_uid;
  gid_t st_gid;
  uint32_t st_rdev;
  struct timespec st_atim;
  struct timespec st_mtim;
  struct timespec st_ctim;
  off_t st_size;
  blkcnt_t st_blocks;
  uint32_t st_blksize;
  fflags_t st_flags;
  uint32_t st_gen;
  int32_t st_lspare;
  struct timespec st_birthtim;
};
_Static_assert(sizeof(struct freebsd11_stat) == 120, "struct freebsd11_stat has 120 bytes");

int fstat(int, struct stat *);
int freebsd11_fstat(int, struct freebsd11_stat *);
int stat(const char *, struct stat *);
int lstat(const char *, struct stat *);
int fstatat(int, const char *, struct stat *, int);
int chmod(const char *, mode_t);
int lchmod(const char *, mode_t);
int fchmodat(int, const char *, mode_t, int);
int fchmod(int, mode_t);
mode_t umask(mode_t);
__END_DECLS
