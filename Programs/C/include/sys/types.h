// sys/types.h: the base types of FreeBSD/amd64 (spec abi.md, section 1).
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef int64_t ssize_t;
typedef int64_t off_t;
typedef int64_t time_t;
typedef int64_t blkcnt_t;
typedef int64_t rlim_t;
typedef int64_t suseconds_t;
typedef int64_t register_t;
typedef uint64_t dev_t;
typedef uint64_t ino_t;
typedef uint64_t nlink_t;
typedef uint16_t mode_t;
typedef uint32_t uid_t;
typedef uint32_t gid_t;
typedef uint32_t id_t;
typedef uint32_t fflags_t;
typedef uint32_t socklen_t;
typedef int32_t blksize_t;
typedef int32_t pid_t;
typedef int32_t lwpid_t;
typedef int32_t clockid_t;
typedef unsigned char u_char;
typedef unsigned short u_short;
typedef unsigned int u_int;
typedef unsigned long u_long;
typedef uint8_t u_int8_t;
typedef uint16_t u_int16_t;
typedef uint32_t u_int32_t;
typedef uint64_t u_int64_t;
typedef uint32_t useconds_t;
typedef int32_t clock_t;
typedef int32_t key_t;
typedef char *caddr_t;
