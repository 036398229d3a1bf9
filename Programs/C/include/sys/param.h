// sys/param.h: limits of the binary interface (spec abi.md, section 1).
#pragma once

#include <sys/types.h>

#define __FreeBSD_version 1500026
#define MAXPATHLEN 1024
#define PATH_MAX 1024
#define NAME_MAX 255
#define PAGE_SIZE 4096
#define PAGE_MASK (PAGE_SIZE - 1)
#define NGROUPS_MAX 1023
#define OFF_MAX INT64_MAX
#define nitems(array) (sizeof(array) / sizeof((array)[0]))
