// sys/sysctl.h: what the kernel tells and takes by name (spec abi.md, section 17).
#pragma once

#include <sys/cdefs.h>
#include <sys/types.h>

#define CTL_MAXNAME 24
#define CTL_KERN 1
#define CTL_VM 2
#define CTL_DEBUG 5
#define CTL_HW 6
#define KERN_OSTYPE 1
#define KERN_OSRELEASE 2
#define KERN_OSREV 3
#define KERN_VERSION 4
#define KERN_MAXPROC 6
#define KERN_MAXFILES 7
#define KERN_ARGMAX 8
#define KERN_HOSTNAME 10
#define KERN_PROC 14
#define KERN_NGROUPS 18
#define KERN_OSRELDATE 24
#define KERN_MAXFILESPERPROC 27
#define KERN_PROC_ALL 0
#define KERN_PROC_PID 1
#define KERN_PROC_PGRP 2
#define KERN_PROC_SESSION 3
#define KERN_PROC_UID 5
#define KERN_PROC_RUID 6
#define KERN_PROC_ARGS 7
#define KERN_PROC_PROC 8
#define KERN_PROC_SV_NAME 9
#define KERN_PROC_RGID 10
#define KERN_PROC_GID 11
#define KERN_PROC_INC_THREAD 0x10
#define KERN_PROC_PATHNAME 12
#define KERN_PROC_VMMAP 32
#define KERN_PROC_FILEDESC 33
#define KERN_PROC_ENV 35
#define KERN_PROC_AUXV 36
#define KERN_PROC_PS_STRINGS 38
#define KERN_PROC_UMASK 39
#define KERN_PROC_OSREL 40
#define KERN_PROC_SIGTRAMP 41
#define KERN_PROC_NFDS 43
#define HW_MACHINE 1
#define HW_NCPU 3
#define HW_PHYSMEM 5
#define HW_PAGESIZE 7

__BEGIN_DECLS
int sysctl(const int *, u_int, void *, size_t *, const void *, size_t);
int sysctlbyname(const char *, void *, size_t *, const void *, size_t);
int sysctlnametomib(const char *, int *, size_t *);
__END_DECLS
