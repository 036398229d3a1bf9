// limits.h: the compiler's, and those of the system (spec abi.md, section 1).
#pragma once

#include_next <limits.h>

#define PATH_MAX 1024
#define NAME_MAX 255
#define PIPE_BUF 512
#define IOV_MAX 1024
#define NGROUPS_MAX 1023
#define ARG_MAX 524288
#define SSIZE_MAX LONG_MAX
#define SIZE_T_MAX ULONG_MAX
#define OFF_MAX LONG_MAX
#define UID_MAX UINT_MAX
#define GID_MAX UINT_MAX
#define LINE_MAX 2048
#define PTHREAD_KEYS_MAX 128
#define PTHREAD_DESTRUCTOR_ITERATIONS 4
#define PTHREAD_STACK_MIN 16384
#define SEM_VALUE_MAX INT_MAX
#define MB_LEN_MAX 1
#define _POSIX_PATH_MAX 256
#define _POSIX_NAME_MAX 14
#define _POSIX_PIPE_BUF 512
