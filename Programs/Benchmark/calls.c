// calls.c: rows of calls that do little: what entering the kernel and finding a descriptor or a process costs.

#include "benchmark.h"

#include <sys/stat.h>
#include <sys/wait.h>

static void measure_getpid(void) {
  MEASURE("getpid", 2000, 64, signs |= kernel(SYS_getpid););
  MEASURE("getuid", 200, 16, signs |= kernel(SYS_getuid););
  MEASURE("umask", 200, 16, signs |= kernel(SYS_umask, 022););
}

static void measure_clock(void) {
  struct timespec now, none = {0, 0};
  MEASURE("clock_gettime_syscall", 2000, 16, signs |= kernel(SYS_clock_gettime, CLOCK_MONOTONIC, &now););
  MEASURE("nanosleep_0", 100, 4, signs |= kernel(SYS_nanosleep, &none, 0););
}

static void measure_descriptor(void) {
  long file = object_of(MiB);
  struct stat status;
  MEASURE("fstat", 2000, 16, signs |= kernel(SYS_fstat, file, &status););
  MEASURE("dup_close", 2000, 16, {
    long copy = kernel(SYS_dup, file);
    signs |= copy | close_file(copy);
  });
  MEASURE("lseek", 2000, 16, signs |= kernel(SYS_lseek, file, 0, 0););
  MEASURE("fcntl_getfd", 2000, 16, signs |= kernel(SYS_fcntl, file, F_GETFD, 0););
  MEASURE("fchmod", 200, 8, signs |= kernel(SYS_fchmod, file, 0600););
}

// Calls that have to fail: a result that is not negative fails the row.
static void measure_refusals(void) {
  MEASURE("close_bad", 200, 16, signs |= ~close_file(-1););
  int status;
  MEASURE("wait4_nochild_echild", 200, 8, signs |= ~kernel(SYS_wait4, -1, &status, WNOHANG, 0););
}

static volatile int handled;

static void count_signal(int signal) { handled += signal != 0; }

static void measure_signals(void) {
  struct sigaction action = {.sa_handler = count_signal};
  NEED(kernel(SYS_sigaction, SIGUSR1, &action, 0));
  long self = kernel(SYS_getpid);
  NEED(kernel(SYS_kill, self, SIGUSR1));
  NEED(handled - 1);
  MEASURE("signal_to_self_handler", 300, 4, signs |= kernel(SYS_kill, self, SIGUSR1););
  MEASURE("kill_0_self", 300, 8, signs |= kernel(SYS_kill, kernel(SYS_getpid), 0););
  sigset_t none = {{0}};
  MEASURE("sigprocmask", 300, 8, signs |= kernel(SYS_sigprocmask, SIG_BLOCK, &none, 0););
}

static void measure_sysctl(void) {
  static const char name[] = "hw.physmem";
  uint64_t value, length;
  MEASURE("sysctlbyname_physmem", 200, 4, {
    length = sizeof value;
    signs |= kernel(SYS___sysctlbyname, name, sizeof name - 1, &value, &length, 0, 0);
  });
}

static char page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static void measure_devices(void) {
  long zero = NEED(kernel(SYS_open, "/dev/zero", O_RDONLY, 0));
  MEASURE("read_dev_zero_4k", 200, 4, signs |= kernel(SYS_read, zero, page, PAGE_SIZE););
  long null = NEED(kernel(SYS_open, "/dev/null", O_WRONLY, 0));
  MEASURE("write_dev_null_1", 200, 8, signs |= kernel(SYS_write, null, page, 1););
  MEASURE("open_close_dev_null", 200, 4, {
    long file = kernel(SYS_open, "/dev/null", O_WRONLY, 0);
    signs |= file | close_file(file);
  });
}

const struct group call_groups[] = {
    {"getpid getuid umask", measure_getpid},
    {"clock_gettime_syscall nanosleep_0", measure_clock},
    {"fstat dup_close lseek fcntl_getfd fchmod", measure_descriptor},
    {"close_bad wait4_nochild_echild", measure_refusals},
    {"signal_to_self_handler kill_0_self sigprocmask", measure_signals},
    {"sysctlbyname_physmem", measure_sysctl},
    {"read_dev_zero_4k write_dev_null_1 open_close_dev_null", measure_devices},
    {NULL, NULL},
};
