// signal.h: the signals of FreeBSD (spec abi.md, section 11).
#pragma once

#include <sys/cdefs.h>
#include <sys/types.h>

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGEMT 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGBUS 10
#define SIGSEGV 11
#define SIGSYS 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGTERM 15
#define SIGURG 16
#define SIGSTOP 17
#define SIGTSTP 18
#define SIGCONT 19
#define SIGCHLD 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGIO 23
#define SIGXCPU 24
#define SIGXFSZ 25
#define SIGVTALRM 26
#define SIGPROF 27
#define SIGWINCH 28
#define SIGINFO 29
#define SIGUSR1 30
#define SIGUSR2 31
#define SIGTHR 32
#define SIGLIBRT 33
#define SIGRTMIN 65
#define SIGRTMAX 126
#define NSIG 32
#define SIGIOT SIGABRT

#define _SIG_MAXSIG 128

typedef struct {
  unsigned int __bits[4];
} sigset_t;

union sigval {
  int sival_int;
  void *sival_ptr;
};

typedef struct {
  int si_signo;
  int si_errno;
  int si_code;
  int si_pid;
  unsigned int si_uid;
  int si_status;
  void *si_addr;
  union sigval si_value;
  union {
    int si_trapno;
    struct {
      int si_timerid;
      int si_overrun;
    };
    long __spare[5];
  };
} siginfo_t;

struct sigaction {
  union {
    void (*sa_handler)(int);
    void (*sa_sigaction)(int, siginfo_t *, void *);
  };
  int sa_flags;
  sigset_t sa_mask;
};

typedef struct {
  void *ss_sp;
  unsigned long ss_size;
  int ss_flags;
} stack_t;

typedef struct {
  long mc_onstack, mc_rdi, mc_rsi, mc_rdx, mc_rcx, mc_r8, mc_r9, mc_rax, mc_rbx, mc_rbp, mc_r10, mc_r11, mc_r12, mc_r13,
      mc_r14, mc_r15;
  unsigned int mc_trapno;
  unsigned short mc_fs, mc_gs;
  long mc_addr;
  unsigned int mc_flags;
  unsigned short mc_es, mc_ds;
  long mc_err, mc_rip, mc_cs, mc_rflags, mc_rsp, mc_ss, mc_len, mc_fpformat, mc_ownedfp;
  long mc_fpstate[64];
  long mc_fsbase, mc_gsbase, mc_xfpustate, mc_xfpustate_len, mc_spare[4];
} mcontext_t;

typedef struct {
  sigset_t uc_sigmask;
  mcontext_t uc_mcontext;
  void *uc_link;
  stack_t uc_stack;
  int uc_flags;
  int __spare[4];
} ucontext_t;

struct sigevent {
  int sigev_notify;
  int sigev_signo;
  union sigval sigev_value;
  int sigev_notify_thread_id;
  int __pad;
  long __spare[7];
};
__BEGIN_DECLS
_Static_assert(sizeof(struct sigevent) == 80, "struct sigevent has 80 bytes");

#define SIGEV_NONE 0
#define SIGEV_SIGNAL 1
#define SIGEV_THREAD_ID 4

#define SIG_DFL ((void (*)(int))0)
#define SIG_IGN ((void (*)(int))1)
#define SIG_ERR ((void (*)(int))-1)

typedef void (*sig_t)(int);
typedef int sig_atomic_t;

#define SA_ONSTACK 1
#define SA_RESTART 2
#define SA_RESETHAND 4
#define SA_NOCLDSTOP 8
#define SA_NODEFER 0x10
#define SA_NOCLDWAIT 0x20
#define SA_SIGINFO 0x40

#define SIG_BLOCK 1
#define SIG_UNBLOCK 2
#define SIG_SETMASK 3

#define SS_ONSTACK 1
#define SS_DISABLE 4
#define MINSIGSTKSZ 2048
#define SIGSTKSZ 34816

#define SI_USER 0x10001
#define SI_QUEUE 0x10002
#define SI_TIMER 0x10003
#define SI_KERNEL 0x10006
#define SI_LWP 0x10007
#define CLD_EXITED 1
#define CLD_KILLED 2
#define CLD_STOPPED 5
#define CLD_CONTINUED 6
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_OBJERR 3
#define FPE_INTDIV 2
#define ILL_PRVOPC 5
#define TRAP_BRKPT 1

struct timespec;

int kill(pid_t, int);
int raise(int);
// signal(3) of BSD: the handler stays, and calls go on.
void (*signal(int, void (*)(int)))(int);
int sigaction(int, const struct sigaction *, struct sigaction *);
int sigprocmask(int, const sigset_t *, sigset_t *);
int sigpending(sigset_t *);
int sigsuspend(const sigset_t *);
int sigtimedwait(const sigset_t *, siginfo_t *, const struct timespec *);
int sigwaitinfo(const sigset_t *, siginfo_t *);
int sigwait(const sigset_t *, int *);
int sigqueue(pid_t, int, const union sigval);
int sigaltstack(const stack_t *, stack_t *);
int sigreturn(const ucontext_t *);
int getcontext(ucontext_t *);
int setcontext(const ucontext_t *);
int swapcontext(ucontext_t *, const ucontext_t *);
int thr_self(long *);
int thr_kill(long, int);
int thr_kill2(pid_t, long, int);

// EINVAL for a number that no signal has.
int sigemptyset(sigset_t *);
int sigfillset(sigset_t *);
int sigaddset(sigset_t *, int);
int sigdelset(sigset_t *, int);
int sigismember(const sigset_t *, int);
__END_DECLS
