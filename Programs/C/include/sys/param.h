// sys/param.h: limits of the binary interface (spec abi.md, section 1).
#pragma once

#include <limits.h>
#include <sys/cdefs.h>
#include <sys/types.h>

#define __FreeBSD_version 1500026
#define MAXPATHLEN 1024
#define PAGE_SIZE 4096
#define PAGE_MASK (PAGE_SIZE - 1)
#define MAXHOSTNAMELEN 256
#define MAXLOGNAME 33
#define MAXCOMLEN 19
#define MIN(left, right) ((left) < (right) ? (left) : (right))
#define MAX(left, right) ((left) > (right) ? (left) : (right))
#define howmany(count, size) (((count) + ((size) - 1)) / (size))
#define roundup(count, size) (((count) + ((size) - 1)) / (size) * (size))
#define roundup2(count, size) (((count) + ((size) - 1)) & ~((size) - 1))
#define rounddown(count, size) ((count) / (size) * (size))
#define powerof2(count) ((((count) - 1) & (count)) == 0)
#define nitems(array) (sizeof(array) / sizeof((array)[0]))
