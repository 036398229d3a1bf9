// wrappers.c: calls of the C library that are a little more than one system call.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <sys/sysctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int __sysctlbyname(const char *, size_t, void *, size_t *, const void *, size_t);

// FreeBSD's library makes shm_open(3) from shm_open2(2) (spec shm.md, 3.1).
int shm_open(const char *path, int flags, mode_t mode) {
  return shm_open2(path, flags | O_CLOEXEC, mode, 0, NULL);
}

// The same of memfd_create(3) (spec shm.md, 3.5), whose name only other programs see.
int memfd_create(const char *name, unsigned flags) {
  static const char prefix[] = "memfd:";
  if (name == NULL) {
    errno = EBADF;
    return -1;
  }
  bool is_huge = (flags & MFD_HUGETLB) != 0;
  bool is_known = (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_HUGE_MASK)) == 0;
  if (strlen(name) + sizeof prefix - 1 > NAME_MAX || !is_known || (!is_huge && (flags & MFD_HUGE_MASK) != 0)) {
    errno = EINVAL;
    return -1;
  }
  int shm_flags = is_huge ? SHM_LARGEPAGE : SHM_GROW_ON_WRITE;
  if ((flags & MFD_ALLOW_SEALING) != 0) shm_flags |= SHM_ALLOW_SEALING;
  return shm_open2(SHM_ANON, O_RDWR | ((flags & MFD_CLOEXEC) != 0 ? O_CLOEXEC : 0), 0, shm_flags, NULL);
}

pid_t waitpid(pid_t pid, int *status, int options) {
  return wait4(pid, status, options, NULL);
}

pid_t wait(int *status) {
  return wait4(WAIT_ANY, status, 0, NULL);
}

int execv(const char *path, char *const arguments[]) {
  return execve(path, arguments, environ);
}

int raise(int signal) {
  return kill(getpid(), signal);
}

int sysctlbyname(const char *name, void *old, size_t *old_length, const void *new, size_t new_length) {
  return __sysctlbyname(name, strlen(name), old, old_length, new, new_length);
}

int sysctlnametomib(const char *name, int *identifier, size_t *count) {
  const int query[2] = {0, 3};
  size_t byte_count = *count * sizeof(int);
  int result = sysctl(query, 2, identifier, &byte_count, name, strlen(name));
  *count = byte_count / sizeof(int);
  return result;
}

int stat(const char *path, struct stat *status) { return fstatat(AT_FDCWD, path, status, 0); }

int lstat(const char *path, struct stat *status) { return fstatat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW); }

int isatty(int descriptor) {
  char attributes[44];
  return ioctl(descriptor, TIOCGETA, attributes) == 0;
}

ssize_t send(int descriptor, const void *bytes, size_t count, int flags) {
  return sendto(descriptor, bytes, count, flags, NULL, 0);
}

ssize_t recv(int descriptor, void *bytes, size_t count, int flags) {
  return recvfrom(descriptor, bytes, count, flags, NULL, NULL);
}

unsigned sleep(unsigned seconds) {
  struct timespec time = {seconds, 0};
  return nanosleep(&time, &time) == 0 ? 0 : (unsigned)time.tv_sec;
}

int usleep(unsigned microseconds) {
  struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};
  return nanosleep(&time, NULL);
}

_Noreturn void exit(int status) {
  _exit(status);
}

_Noreturn void abort(void) {
  raise(SIGABRT);
  _exit(127);
}

_Noreturn void __assert(const char *function, const char *file, int line, const char *expression) {
  dprintf(2, "assertion failed: (%s), function %s, file %s, line %d\n", expression, function, file, line);
  abort();
}

char *getenv(const char *name) {
  size_t length = strlen(name);
  for (char **variable = environ; *variable; variable++)
    if (strncmp(*variable, name, length) == 0 && (*variable)[length] == '=') return *variable + length + 1;
  return NULL;
}
