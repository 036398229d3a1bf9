// vm/vm_param.h: a swap device, as vm.swap_info tells of it: sysctl({its two numbers, place}, 3).
#pragma once

#include <sys/cdefs.h>
#include <sys/types.h>

#define XSWDEV_VERSION 2

struct xswdev {
  u_int xsw_version;
  dev_t xsw_dev;
  int xsw_flags;
  int xsw_nblks;  // its size in pages
  int xsw_used;   // pages
};
