// wild.c: a worker that passes anything to any call: half of the time numbers and addresses from the edges of what there is,
// half of the time arguments that nearly make sense. It may end in any way; it must not disturb anybody but itself.
//
// Left out: exit, vfork and rfork (which share the caller's stack), reboot, and, for the superuser, what changes the machine
// for all (the clock, settings, locked memory, other sessions). Signals go to its own children only.

#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CALL_NUMBERS = 600, AREA_PAGES = 16, RECENT = 16, CHILDREN = 8, DEPTH = 2, CHILD_CALLS = 40 };

const char *const wild_names[] = {"/wild", "/wild/b", "/w", "/wild-with-a-longer-name-than-the-others-have-got", NULL};

static const char *const paths[] = {"/wild", "/wild/b", "/w", "/wild-with-a-longer-name-than-the-others-have-got",
                                    "/bin/stress", "/bin/nothing", "/dev/null", "/dev/zero", "/dev", "/bin", "/", "",
                                    "stress", "//", "/dev/random", "/dev/fd/3", "vm.overcommit", "kern.osrelease",
                                    "vm.stats.vm.v_free_count", "debug.fail_point.frame", "kern.ipc.posix_shm_list"};

// Calls and what their arguments mean: d descriptor, b memory, l length, o offset, p path, f flags, a address, P protection,
// t struct timespec, i small number, s signal, c child, u user, w status word, z zero.
static const struct {
  short number;
  const char *arguments;
} shapes[] = {
    {SYS_read, "dbl"},        {SYS_write, "dbl"},         {SYS_open, "pff"},          {SYS_close, "d"},
    {SYS_wait4, "cwib"},      {SYS_break, "a"},           {SYS_dup, "d"},             {SYS_ioctl, "dfb"},
    {SYS_execve, "pbb"},      {SYS_umask, "f"},           {SYS_munmap, "al"},         {SYS_mprotect, "alP"},
    {SYS_madvise, "ali"},     {SYS_mincore, "alb"},       {SYS_getgroups, "ib"},      {SYS_setgroups, "ib"},
    {SYS_dup2, "dd"},         {SYS_fcntl, "dib"},         {SYS_fcntl, "did"},         {SYS_fsync, "d"},
    {SYS_gettimeofday, "bb"}, {SYS_getrusage, "ib"},      {SYS_fchown, "duu"},        {SYS_fchmod, "df"},
    {SYS_getrlimit, "ib"},    {SYS_setrlimit, "ib"},      {SYS___sysctl, "biblbl"},   {SYS_clock_gettime, "ib"},
    {SYS_nanosleep, "tb"},    {SYS_minherit, "ali"},      {SYS_getresuid, "bbb"},     {SYS_setresuid, "uuu"},
    {SYS_mlock, "al"},        {SYS_munlock, "al"},        {SYS_sigaction, "sbb"},     {SYS_sigprocmask, "ibb"},
    {SYS_pread, "dblo"},      {SYS_pwrite, "dblo"},       {SYS_mmap, "alPfdo"},       {SYS_lseek, "doi"},
    {SYS_ftruncate, "do"},    {SYS_shm_unlink, "p"},      {SYS_openat, "dpff"},       {SYS_closefrom, "d"},
    {SYS_fstat, "db"},        {SYS_getrandom, "blf"},     {SYS___sysctlbyname, "plblbl"},
    {SYS_shm_open2, "pfffp"}, {SYS_shm_open2, "zfffp"},   {SYS_freebsd12_shm_open, "pff"},
    {SYS_close_range, "ddf"}, {SYS_shm_rename, "ppf"},    {SYS_posix_fallocate, "doo"}, {SYS_msync, "alf"},
    {SYS_sysarch, "ib"},      {SYS_socketpair, "iiib"},   {SYS_pipe2, "bf"},          {SYS_poll, "bii"},
    {SYS_kqueue, ""},         {SYS_writev, "dbi"},        {SYS_readv, "dbi"},         {SYS_fspacectl, "dibfb"},
};

static unsigned char area[AREA_PAGES * PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned char read_only[PAGE_SIZE] __attribute__((aligned(4096)));
static uint64_t recent[RECENT];
static pid_t children[CHILDREN];
static struct generator random_state;
static volatile uint64_t *calls_counted;
static int depth;
static int is_superuser;

static uint64_t edge_number(void) {
  uint64_t bit = (uint64_t)1 << below(&random_state, 64);
  switch (below(&random_state, 8)) {
    case 0: return bit;
    case 1: return bit - 1;
    case 2: return -bit;
    case 3: return below(&random_state, 20) - 3;
    case 4: return draw(&random_state);
    case 5: return (uint32_t)draw(&random_state);
    case 6: return below(&random_state, 64) * PAGE_SIZE;
    default: return recent[below(&random_state, RECENT)];
  }
}

static uint64_t address(void) {
  uint64_t inside = (uint64_t)area + below(&random_state, sizeof area - 4096);
  switch (below(&random_state, 12)) {
    case 0: return (uint64_t)area + sizeof area - below(&random_state, 64);
    case 1: return (uint64_t)read_only + below(&random_state, 4096);
    case 2: return (uint64_t)&run_wild + below(&random_state, 4096);
    case 3: return (uint64_t)__builtin_frame_address(0) - below(&random_state, 64) * 4096;
    case 4: return 0x400000000000 - below(&random_state, 3) * 8;
    case 5: return 0x7f8000000000 + below(&random_state, 3) * 0x1000;
    case 6: return edge_number();
    case 7: return recent[below(&random_state, RECENT)] & ~(uint64_t)4095;
    case 8: return 0x100000000 + below(&random_state, 32) * PAGE_SIZE;
    default: return inside & ~(uint64_t)7;
  }
}

static uint64_t own_child(void) { return (uint64_t)children[below(&random_state, CHILDREN)]; }

// Where the superuser is not limited, lengths and offsets are.
static uint64_t bounded(uint64_t value, uint64_t most) { return is_superuser ? value % most : value; }

static uint64_t argument(char kind) {
  if (kind != 'c' && kind != 's' && chance(&random_state, 12)) return kind == 'l' || kind == 'o' ? bounded(edge_number(), 1 << 20) : edge_number();
  switch (kind) {
    case 'd': return chance(&random_state, 80) ? below(&random_state, 16) : recent[below(&random_state, RECENT)];
    case 'b': return address();
    case 'a': return address() & (chance(&random_state, 80) ? ~(uint64_t)4095 : ~(uint64_t)0);
    case 'l': return bounded(below(&random_state, 4) ? below(&random_state, 9000) : below(&random_state, 64) * PAGE_SIZE, 1 << 20);
    case 'o': return bounded(below(&random_state, 64) * PAGE_SIZE + (chance(&random_state, 30) ? below(&random_state, 4096) : 0), 1 << 20);
    case 'p': return (uint64_t)paths[below(&random_state, nitems(paths))];
    case 'f': return below(&random_state, 3) ? (uint64_t)1 << below(&random_state, 22) : below(&random_state, 0x2000);
    case 'P': return below(&random_state, 8);
    case 't': {
      struct timespec *time = (struct timespec *)(void *)area;
      time->tv_sec = 0;
      time->tv_nsec = (long)below(&random_state, 2000000);
      return (uint64_t)time;
    }
    case 'i': return below(&random_state, 24);
    case 's': return below(&random_state, 34);
    case 'c': return own_child();
    case 'u': return chance(&random_state, 50) ? 2000 + below(&random_state, 8) : (uint64_t)-1;
    case 'w': return chance(&random_state, 50) ? (uint64_t)area : address();
    default: return 0;
  }
}

static void forked(void) {
  if (depth >= DEPTH) return;
  pid_t child = fork();
  if (child > 0) children[below(&random_state, CHILDREN)] = child;
  if (child != 0) return;
  depth++;
  for (int index = 0; index < CHILDREN; index++) children[index] = 0;
  random_state.state ^= draw(&random_state) + (uint64_t)getpid();
  run_wild(-1, draw(&random_state), 1 + (long)below(&random_state, CHILD_CALLS));
}

// Whether a call with this number and these arguments disturbs nobody else; arguments that name processes are replaced.
static int is_harmless(uint64_t number, uint64_t *arguments) {
  switch (number) {
    case SYS_exit: case SYS_fork: case SYS_vfork: case SYS_rfork: case SYS_pdfork: case SYS_reboot: case SYS_swapon:
    case SYS_swapoff: case SYS_jail: case SYS_ktrace: case SYS_abort2: return 0;
    case SYS_kill: case SYS_sigqueue: case SYS_thr_kill2: {
      uint64_t child = own_child();
      if (child == 0) return 0;
      arguments[0] = child;
      return 1;
    }
    case SYS_thr_kill: return 0;
    case SYS_setpgid: case SYS_setsid: case SYS_clock_settime: case SYS_mlock: case SYS_mlockall: case SYS_procctl:
    case SYS_setitimer: return !is_superuser;
    case SYS___sysctl: if (is_superuser) arguments[4] = 0; return 1;
    case SYS___sysctlbyname: if (is_superuser) arguments[4] = 0; return 1;
    // A wait without WNOHANG may last; somebody kills this worker then.
    case SYS_wait4: if (chance(&random_state, 90)) arguments[2] |= WNOHANG; return 1;
    default: return 1;
  }
}

static void one_call(void) {
  uint64_t number, arguments[6] = {0};
  int shape = -1;
  if (chance(&random_state, 3)) return forked();
  if (chance(&random_state, 3)) {
    kill((pid_t)own_child() ?: getpid(), own_child() ? (int)below(&random_state, 33) : 0);
    return;
  }
  if (chance(&random_state, 75)) {
    shape = (int)below(&random_state, nitems(shapes));
    number = (uint64_t)shapes[shape].number;
    for (int index = 0; shapes[shape].arguments[index]; index++) arguments[index] = argument(shapes[shape].arguments[index]);
    // An object without a name.
    if (number == SYS_shm_open2 && shapes[shape].arguments[0] == 'z') arguments[0] = 1;
  } else {
    number = chance(&random_state, 95) ? below(&random_state, CALL_NUMBERS) : edge_number();
    for (int index = 0; index < 6; index++)
      arguments[index] = chance(&random_state, 50) ? bounded(edge_number(), 1 << 20) : address();
  }
  // Through syscall or __syscall: the arguments move by one.
  if (number == SYS_syscall || number == SYS___syscall) arguments[0] = below(&random_state, CALL_NUMBERS);
  uint64_t meant = number;
  for (int level = 0; level < 2 && (meant == SYS_syscall || meant == SYS___syscall); level++) meant = arguments[0];
  if (meant == SYS_syscall || meant == SYS___syscall) return;
  if (!is_harmless((uint32_t)meant, meant == number ? arguments : arguments + 1)) return;
  long result = syscall((long)number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
  ++*calls_counted;
  if (result != -1) recent[below(&random_state, RECENT)] = (uint64_t)result;
}

_Noreturn void run_wild(int worker, uint64_t seed, long calls) {
  random_state.state = seed;
  is_superuser = getuid() == 0;
  if (worker >= 0) {
    // Nothing of the others stays within reach: neither the board nor the arena, nor the console.
    calls_counted = board->wild_calls[worker];
    uintptr_t start = (uintptr_t)board, counter = (uintptr_t)calls_counted;
    munmap((void *)start, counter - start);
    munmap((void *)(counter + PAGE_SIZE), whole_pages(start + sizeof *board) - counter - PAGE_SIZE);
    munmap((void *)(uintptr_t)arena, ARENA_PAGES * PAGE_SIZE);
    close(arena_descriptor);
    int null = open("/dev/null", O_RDWR);
    for (int descriptor = 0; descriptor < 3; descriptor++)
      if (null < 0 || dup2(null, descriptor) < 0) close(descriptor);
    mprotect(read_only, sizeof read_only, PROT_READ);
  }
  for (long index = 0; index < calls; index++) one_call();
  _exit(0);
}
