// wrappers.c: calls of the C library that are a little more than one system call.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <sys/sysctl.h>
#include <sys/time.h>
#include <sys/utsname.h>
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
  int descriptor = shm_open2(SHM_ANON, O_RDWR | ((flags & MFD_CLOEXEC) != 0 ? O_CLOEXEC : 0), 0, shm_flags, NULL);
  if (descriptor == -1 || (flags & MFD_HUGE_MASK) == 0) return descriptor;
  size_t sizes[4];
  int count = getpagesizes(sizes, 4), index = 0;
  while (index < count && sizes[index] >> ((flags & MFD_HUGE_MASK) >> MFD_HUGE_SHIFT) != 1) index++;
  struct shm_largepage_conf configuration = {.psind = index, .alloc_policy = SHM_LARGEPAGE_ALLOC_DEFAULT};
  if (index == count) {
    errno = EOPNOTSUPP;
  } else if (ioctl(descriptor, FIOSSHMLPGCNF, &configuration) == 0) {
    return descriptor;
  }
  int error = errno;
  close(descriptor);
  errno = error;
  return -1;
}

int shm_create_largepage(const char *path, int flags, int index, int policy, mode_t mode) {
  int descriptor = shm_open2(path, flags | O_CREAT, mode, SHM_LARGEPAGE, NULL);
  if (descriptor == -1) return -1;
  struct shm_largepage_conf configuration = {.psind = index, .alloc_policy = policy};
  if (ioctl(descriptor, FIOSSHMLPGCNF, &configuration) == 0) return descriptor;
  int error = errno;
  close(descriptor);
  errno = error;
  return -1;
}

// The sizes of pages, or only how many there are.
int getpagesizes(size_t *sizes, int count) {
  if (count < 0 || (sizes == NULL && count != 0)) {
    errno = EINVAL;
    return -1;
  }
  size_t known[4] = {0}, length = sizeof known;
  if (sysctlbyname("hw.pagesizes", known, &length, NULL, 0) != 0) return -1;
  int found = 0;
  while (found < (int)(length / sizeof known[0]) && known[found] != 0) {
    if (found < count) sizes[found] = known[found];
    found++;
  }
  return sizes == NULL || found < count ? found : count;
}

pid_t waitpid(pid_t pid, int *status, int options) {
  return wait4(pid, status, options, NULL);
}

// As POSIX has it: the caller does not hear of the child's end, nor of what is typed to stop it.
int system(const char *command) {
  if (!command) return access("/bin/sh", X_OK) == 0;
  struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
  sigset_t children, before;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, &before);
  sigaction(SIGINT, &ignore, &interrupt);
  sigaction(SIGQUIT, &ignore, &quit);
  int status = -1;
  pid_t child = fork();
  if (child == 0) {
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
  }
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  sigaction(SIGINT, &interrupt, NULL);
  sigaction(SIGQUIT, &quit, NULL);
  sigprocmask(SIG_SETMASK, &before, NULL);
  return status;
}

pid_t wait(int *status) {
  return wait4(WAIT_ANY, status, 0, NULL);
}

int execv(const char *path, char *const arguments[]) {
  return execve(path, arguments, environ);
}

int execvp(const char *name, char *const arguments[]) {
  char path[PATH_MAX] = "/bin/";
  if (strchr(name, '/') || !*name) return execv(name, arguments);
  if (strlcat(path, name, sizeof path) < sizeof path) return execv(path, arguments);
  errno = ENAMETOOLONG;
  return -1;
}

// Starts a program with the words of a call, whose last is NULL.
static int execute_words(int (*execute)(const char *, char *const[]), const char *path, const char *first,
                         va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  size_t count = 1;
  for (const char *word = first; word; word = va_arg(again, const char *)) count++;
  va_end(again);
  const char *words[count];
  words[0] = first;
  for (size_t index = 1; index < count; index++) words[index] = va_arg(arguments, const char *);
  return execute(path, (char *const *)words);
}

int execl(const char *path, const char *first, ...) {
  va_list arguments;
  va_start(arguments, first);
  int result = execute_words(execv, path, first, arguments);
  va_end(arguments);
  return result;
}

int execlp(const char *name, const char *first, ...) {
  va_list arguments;
  va_start(arguments, first);
  int result = execute_words(execvp, name, first, arguments);
  va_end(arguments);
  return result;
}

// To the thread itself: whoever waits for it has it when this comes back.
int raise(int signal) {
  long thread = 0;
  thr_self(&thread);
  return thr_kill(thread, signal);
}

void (*signal(int number, void (*handler)(int)))(int) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;
  return sigaction(number, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

// Whether there is such a signal.
static bool is_signal(int number) {
  if (number > 0 && number <= _SIG_MAXSIG) return true;
  errno = EINVAL;
  return false;
}

int sigemptyset(sigset_t *set) {
  *set = (sigset_t){{0}};
  return 0;
}

int sigfillset(sigset_t *set) {
  *set = (sigset_t){{~0u, ~0u, ~0u, ~0u}};
  return 0;
}

int sigaddset(sigset_t *set, int number) {
  if (!is_signal(number)) return -1;
  set->__bits[(number - 1) / 32] |= 1u << (number - 1) % 32;
  return 0;
}

int sigdelset(sigset_t *set, int number) {
  if (!is_signal(number)) return -1;
  set->__bits[(number - 1) / 32] &= ~(1u << (number - 1) % 32);
  return 0;
}

int sigismember(const sigset_t *set, int number) {
  return is_signal(number) ? set->__bits[(number - 1) / 32] >> (number - 1) % 32 & 1 : -1;
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

unsigned alarm(unsigned seconds) {
  struct itimerval timer = {{0, 0}, {seconds, 0}}, before;
  if (setitimer(ITIMER_REAL, &timer, &before) != 0) return 0;
  return (unsigned)before.it_value.tv_sec + (before.it_value.tv_usec != 0);
}

int pause(void) {
  sigset_t blocked;
  sigprocmask(SIG_BLOCK, NULL, &blocked);
  return sigsuspend(&blocked);
}

int pipe(int descriptors[2]) { return pipe2(descriptors, 0); }

int getpagesize(void) { return PAGE_SIZE; }

static long system_value(const char *name) {
  unsigned long value = 0;
  size_t length = sizeof value;
  return sysctlbyname(name, &value, &length, NULL, 0) == 0 ? (long)value : -1;
}

long sysconf(int name) {
  switch (name) {
    case _SC_PAGESIZE: return PAGE_SIZE;
    case _SC_ARG_MAX: return ARG_MAX;
    case _SC_CLK_TCK: return 128;
    case _SC_OPEN_MAX: return getdtablesize();
    case _SC_NGROUPS_MAX: return system_value("kern.ngroups");
    case _SC_NPROCESSORS_CONF:
    case _SC_NPROCESSORS_ONLN: return system_value("hw.ncpu");
    case _SC_PHYS_PAGES: return system_value("hw.physmem") / PAGE_SIZE;
    default: errno = EINVAL; return -1;
  }
}

// A text of sysctl(3); empty where there is none.
static void system_text(const char *name, char text[SYS_NMLN]) {
  size_t length = SYS_NMLN - 1;
  memset(text, 0, SYS_NMLN);
  if (sysctlbyname(name, text, &length, NULL, 0) != 0) text[0] = 0;
}

int uname(struct utsname *names) {
  system_text("kern.ostype", names->sysname);
  system_text("kern.hostname", names->nodename);
  system_text("kern.osrelease", names->release);
  system_text("kern.version", names->version);
  system_text("hw.machine", names->machine);
  return 0;
}

int gethostname(char *name, size_t size) {
  char text[SYS_NMLN];
  system_text("kern.hostname", text);
  if (strlcpy(name, text, size) < size) return 0;
  errno = ENAMETOOLONG;
  return -1;
}
