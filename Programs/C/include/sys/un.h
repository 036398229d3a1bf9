// sys/un.h: the addresses of sockets in the file system.
#pragma once

#include <sys/socket.h>

struct sockaddr_un {
  uint8_t sun_len;
  sa_family_t sun_family;
  char sun_path[104];
};

#define SUN_LEN(su) (sizeof(*(su)) - sizeof((su)->sun_path) + strlen((su)->sun_path))

// struct xucred of sys/ucred.h: what LOCAL_PEERCRED gives.
struct xucred {
  uint32_t cr_version;
  uid_t cr_uid;
  short cr_ngroups;
  gid_t cr_groups[16];
  union {
    void *cr_unused;
    pid_t cr_pid;
  };
};
