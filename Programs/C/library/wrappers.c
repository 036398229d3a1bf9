// wrappers.c: calls of the C library that are a little more than one system call.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int __sysctlbyname(const char *, size_t, void *, size_t *, const void *, size_t);

// FreeBSD's library makes shm_open(3) from shm_open2(2) (spec shm.md, 3.1).
int shm_open(const char *path, int flags, mode_t mode) {
  return shm_open2(path, flags | O_CLOEXEC, mode, 0, NULL);
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

int isatty(int descriptor) {
  char attributes[44];
  return ioctl(descriptor, TIOCGETA, attributes) == 0;
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
