// unistd.h: processes, descriptors and credentials.
#pragma once

#include <sys/cdefs.h>
#include <sys/types.h>

#define STDIN_FILENO 0
#define STDOUT_FILENO 1
#define STDERR_FILENO 2
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
#define F_OK 0
#define X_OK 1
#define W_OK 2
#define R_OK 4

#define _SC_ARG_MAX 1
#define _SC_CLK_TCK 3
#define _SC_NGROUPS_MAX 4
#define _SC_OPEN_MAX 5
#define _SC_PAGESIZE 47
#define _SC_PAGE_SIZE _SC_PAGESIZE
#define _SC_NPROCESSORS_CONF 57
#define _SC_NPROCESSORS_ONLN 58
#define _SC_PHYS_PAGES 121

extern char **environ;

__BEGIN_DECLS
_Noreturn void _exit(int);
pid_t fork(void);
int execve(const char *, char *const[], char *const[]);
int execv(const char *, char *const[]);
// A name without a slash is looked for in /bin, whatever PATH says.
int execvp(const char *, char *const[]);
int execl(const char *, const char *, ...);
int execlp(const char *, const char *, ...);
pid_t getpid(void);
pid_t getppid(void);
pid_t getpgrp(void);
int setpgid(pid_t, pid_t);
pid_t setsid(void);

ssize_t read(int, void *, size_t);
ssize_t write(int, const void *, size_t);
ssize_t pread(int, void *, size_t, off_t);
ssize_t pwrite(int, const void *, size_t, off_t);
off_t lseek(int, off_t, int);
int close(int);
int dup(int);
int dup2(int, int);
int ftruncate(int, off_t);
int fsync(int);
int fdatasync(int);
int fchown(int, uid_t, gid_t);
int chown(const char *, uid_t, gid_t);
int lchown(const char *, uid_t, gid_t);
int fchownat(int, const char *, uid_t, gid_t, int);
int access(const char *, int);
int eaccess(const char *, int);
int faccessat(int, const char *, int, int);
int unlink(const char *);
int unlinkat(int, const char *, int);
int getdtablesize(void);
int isatty(int);
int pipe(int[2]);
int pipe2(int[2], int);

uid_t getuid(void);
uid_t geteuid(void);
gid_t getgid(void);
gid_t getegid(void);
int setuid(uid_t);
int seteuid(uid_t);
int setgid(gid_t);
int setegid(gid_t);
int setreuid(uid_t, uid_t);
int setregid(gid_t, gid_t);
int setresuid(uid_t, uid_t, uid_t);
int setresgid(gid_t, gid_t, gid_t);
int getresuid(uid_t *, uid_t *, uid_t *);
int getresgid(gid_t *, gid_t *, gid_t *);
int getgroups(int, gid_t *);
int setgroups(int, const gid_t *);
int issetugid(void);

unsigned sleep(unsigned);
int usleep(unsigned);
unsigned alarm(unsigned);
int pause(void);
long sysconf(int);
int getpagesize(void);
int gethostname(char *, size_t);

// Options in words: see getopt.h, which has the long ones too.
extern char *optarg;
extern int optind, opterr, optopt, optreset;
int getopt(int, char *const[], const char *);

// Any system call by its number; sets errno and gives -1 where it fails. Six arguments at most.
long syscall(long, ...);
__END_DECLS
