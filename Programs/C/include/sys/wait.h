// sys/wait.h: waiting for children (spec abi.md, section 12).
#pragma once

#include <sys/cdefs.h>
#include <sys/resource.h>

#define WNOHANG 1
#define WUNTRACED 2
#define WSTOPPED WUNTRACED
#define WCONTINUED 4
#define WNOWAIT 8
#define WEXITED 16
#define WTRAPPED 32
#define WAIT_ANY (-1)

#define WIFEXITED(status) (((status) & 0177) == 0)
#define WEXITSTATUS(status) (((status) >> 8) & 0377)
#define WIFSTOPPED(status) (((status) & 0177) == 0177)
#define WSTOPSIG(status) (((status) >> 8) & 0377)
#define WIFCONTINUED(status) ((status) == 0x13)
#define WIFSIGNALED(status) (((status) & 0177) != 0 && ((status) & 0177) != 0177 && (status) != 0x13)
#define WTERMSIG(status) ((status) & 0177)
#define WCOREDUMP(status) ((status) & 0200)

__BEGIN_DECLS
pid_t wait4(pid_t, int *, int, struct rusage *);
pid_t waitpid(pid_t, int *, int);
pid_t wait(int *);
__END_DECLS
