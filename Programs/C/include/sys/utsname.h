// sys/utsname.h: the names of the system (wrappers.c).
#pragma once

#include <sys/cdefs.h>

#define SYS_NMLN 256

struct utsname {
  char sysname[SYS_NMLN];
  char nodename[SYS_NMLN];
  char release[SYS_NMLN];
  char version[SYS_NMLN];
  char machine[SYS_NMLN];
};

__BEGIN_DECLS
int uname(struct utsname *);
__END_DECLS
