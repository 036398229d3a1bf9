// sys/user.h: what sysctl(3) and fcntl(2) tell of processes, open files and mappings (spec abi.md, "kinfo_file").
#pragma once

#include <sys/param.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>

#ifndef PATH_MAX
#define PATH_MAX 1024
#endif

#define KINFO_PROC_SIZE 1088
#define KINFO_FILE_SIZE 1392
#define KINFO_VMENTRY_SIZE 1160

#define SRUN 2
#define SSLEEP 3
#define SSTOP 4
#define SZOMB 5

struct kinfo_proc {
  int ki_structsize, ki_layout;
  // Addresses in the kernel, which are not told.
  void *ki_args, *ki_paddr, *ki_addr, *ki_tracep, *ki_textvp, *ki_fd, *ki_vmspace;
  const void *ki_wchan;
  pid_t ki_pid, ki_ppid, ki_pgid, ki_tpgid, ki_sid, ki_tsid;
  short ki_jobc, ki_spare_short1;
  uint32_t ki_tdev_freebsd11;
  uint32_t ki_siglist[4], ki_sigmask[4], ki_sigignore[4], ki_sigcatch[4];
  uid_t ki_uid, ki_ruid, ki_svuid;
  gid_t ki_rgid, ki_svgid;
  short ki_ngroups, ki_spare_short2;
  gid_t ki_groups[16];
  uint64_t ki_size;
  int64_t ki_rssize, ki_swrss, ki_tsize, ki_dsize, ki_ssize;
  unsigned short ki_xstat, ki_acflag;
  uint32_t ki_pctcpu;
  u_int ki_estcpu, ki_slptime, ki_swtime, ki_cow;
  uint64_t ki_runtime;
  struct timeval ki_start, ki_childtime;
  long ki_flag, ki_kiflag;
  int ki_traceflag;
  char ki_stat;
  signed char ki_nice;
  char ki_lock, ki_rqindex;
  u_char ki_oncpu_old, ki_lastcpu_old;
  char ki_tdname[17], ki_wmesg[9], ki_login[18], ki_lockname[9], ki_comm[20], ki_emul[17], ki_loginclass[18];
  char ki_moretdname[4], ki_sparestrings[46];
  int ki_spareints[2];
  uint64_t ki_tdev;
  int ki_oncpu, ki_lastcpu, ki_tracer, ki_flag2, ki_fibnum;
  u_int ki_cr_flags;
  int ki_jid, ki_numthreads;
  lwpid_t ki_tid;
  struct priority {
    u_char pri_class, pri_level, pri_native, pri_user;
  } ki_pri;
  struct rusage ki_rusage, ki_rusage_ch;
  void *ki_pcb, *ki_kstack, *ki_udata, *ki_tdaddr, *ki_pd, *ki_spareptrs[5];
  long ki_sparelongs[12];
  long ki_sflag, ki_tdflags;
};
_Static_assert(sizeof(struct kinfo_proc) == KINFO_PROC_SIZE, "kinfo_proc");

#define KF_TYPE_NONE 0
#define KF_TYPE_VNODE 1
#define KF_TYPE_SOCKET 2
#define KF_TYPE_PIPE 3
#define KF_TYPE_FIFO 4
#define KF_TYPE_KQUEUE 5
#define KF_TYPE_SHM 8
#define KF_TYPE_UNKNOWN 255

#define KF_VTYPE_VREG 1
#define KF_VTYPE_VDIR 2
#define KF_VTYPE_VCHR 4

#define KF_FD_TYPE_CWD (-1)
#define KF_FD_TYPE_ROOT (-2)
#define KF_FD_TYPE_TEXT (-5)

#define KF_FLAG_READ 0x1
#define KF_FLAG_WRITE 0x2
#define KF_FLAG_APPEND 0x4
#define KF_FLAG_ASYNC 0x8
#define KF_FLAG_FSYNC 0x10
#define KF_FLAG_NONBLOCK 0x20

#define KF_ATTR_VALID 0x1

// A record of a list ends behind the path's NUL, rounded up to 8 bytes: kf_structsize says how long it is.
struct kinfo_file {
  int kf_structsize, kf_type, kf_fd, kf_ref_count, kf_flags, kf_pad0;
  int64_t kf_offset;
  union {
    struct {
      int kf_vnode_type, kf_sock_domain, kf_sock_type, kf_sock_protocol;
    };
    union {
      struct {
        uint32_t kf_sock_sendq;
        int kf_sock_domain0, kf_sock_type0, kf_sock_protocol0;
        char kf_sa_local[128], kf_sa_peer[128];
        uint64_t kf_sock_pcb, kf_sock_inpcb, kf_sock_unpconn;
        uint16_t kf_sock_snd_sb_state, kf_sock_rcv_sb_state;
        uint32_t kf_sock_recvq;
      } kf_sock;
      struct {
        int kf_file_type, kf_spareint[3];
        uint64_t kf_spareint64[29], kf_file_nlink, kf_file_fsid, kf_file_rdev, kf_file_fileid, kf_file_size;
        uint32_t kf_file_fsid_freebsd11, kf_file_rdev_freebsd11;
        uint16_t kf_file_mode, kf_file_pad0;
        uint32_t kf_file_pad1;
      } kf_file;
      struct {
        uint32_t kf_spareint[4];
        uint64_t kf_spareint64[32], kf_pipe_addr, kf_pipe_peer;
        uint32_t kf_pipe_buffer_cnt, kf_pipe_pad0[3];
      } kf_pipe;
    } kf_un;
  };
  uint16_t kf_status, kf_pad1;
  int _kf_ispare0;
  uint64_t kf_cap_rights[2];
  uint64_t _kf_cap_spare;
  char kf_path[PATH_MAX];
};
_Static_assert(sizeof(struct kinfo_file) == KINFO_FILE_SIZE, "kinfo_file");

#define KVME_TYPE_NONE 0
#define KVME_TYPE_SWAP 3
#define KVME_TYPE_GUARD 9
#define KVME_PROT_READ 0x1
#define KVME_PROT_WRITE 0x2
#define KVME_PROT_EXEC 0x4
#define KVME_FLAG_COW 0x1
#define KVME_FLAG_NEEDS_COPY 0x2
#define KVME_FLAG_NOCOREDUMP 0x4
#define KVME_FLAG_GROWS_DOWN 0x20
#define KVME_FLAG_USER_WIRED 0x40
#define KVME_FLAG_POSIXSHM 0x100

// A record of a list ends behind the path's NUL, rounded up to 8 bytes.
struct kinfo_vmentry {
  int kve_structsize, kve_type;
  uint64_t kve_start, kve_end, kve_offset, kve_vn_fileid;
  uint32_t kve_vn_fsid_freebsd11;
  int kve_flags, kve_resident, kve_private_resident, kve_protection, kve_ref_count, kve_shadow_count, kve_vn_type;
  uint64_t kve_vn_size;
  uint32_t kve_vn_rdev_freebsd11;
  uint16_t kve_vn_mode, kve_status;
  uint64_t kve_vn_fsid, kve_vn_rdev;
  int _kve_ispare[8];
  char kve_path[PATH_MAX];
};
_Static_assert(sizeof(struct kinfo_vmentry) == KINFO_VMENTRY_SIZE, "kinfo_vmentry");
