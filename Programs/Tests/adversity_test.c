// adversity_test [ROUNDS]: does everything that can be done with shared memory, for a kernel in which a part of all
// allocations and transfers fails on purpose (kernel option fail=). Whatever fails has to fail with an error of its manual,
// and what does not fail has to be right.

#include "check.h"

enum { PAGES = 24 };

static long failure_count;

static int is_one_of(int error, const int *errors) {
  for (; *errors; errors++)
    if (error == *errors) return 1;
  return 0;
}

// Whether a call succeeded; ends the case when it failed with an error that it must not give.
static int allowed(const char *call, long result, const int *errors) {
  if (result != -1) return 1;
  failure_count++;
  if (!is_one_of(errno, errors)) check_failed(__FILE__, __LINE__, "%s failed with %s", call, strerror(errno));
  return 0;
}

#define ALLOWED(call, ...) allowed(#call, (long)(call), (const int[]){__VA_ARGS__, 0})

// A page that cannot be read from swap ends the child with SIGBUS; the child exits 0 or 1.
static void reap(pid_t child) {
  int status = check_wait(child);
  if (status == SIGBUS) failure_count++;
  else if (status != 0) check_failed(__FILE__, __LINE__, "a child ended with status 0x%x", (unsigned)status);
}

static void use_object(int descriptor, long round) {
  if (!ALLOWED(ftruncate(descriptor, PAGES * PAGE_SIZE), ENOMEM)) return;
  volatile long *shared = mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (!allowed("mmap", (long)shared, (const int[]){ENOMEM, 0})) return;
  for (long page = 0; page < PAGES; page++) shared[page * 512] = round + page;
  volatile long *private = mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0);
  if (allowed("mmap", (long)private, (const int[]){ENOMEM, 0})) {
    for (long page = 0; page < PAGES; page += 2) private[page * 512] = -1;
    for (long page = 0; page < PAGES; page++) CHECK_EQUAL(shared[page * 512], round + page);
    ALLOWED(mprotect((void *)(private + 512), PAGE_SIZE, PROT_READ), ENOMEM);
  }
  pid_t child = fork();
  if (child == 0) {
    for (long page = 0; page < PAGES; page++)
      if (shared[page * 512] != round + page) _exit(1);
    for (long page = 1; page < PAGES; page += 3) shared[page * 512 + 1] = page;
    _exit(0);
  }
  if (ALLOWED(child, ENOMEM, EAGAIN)) {
    reap(child);
    for (long page = 0; page < PAGES; page++) CHECK_EQUAL(shared[page * 512], round + page);
  }
  long words[1024];
  ssize_t count = pread(descriptor, words, sizeof words, PAGE_SIZE);
  if (ALLOWED(count, EIO, EFAULT, ENOMEM)) {
    CHECK_EQUAL(count, sizeof words);
    CHECK_EQUAL(words[0], round + 1);
    CHECK_EQUAL(words[512], round + 2);
  }
  words[0] = -round;
  if (ALLOWED(pwrite(descriptor, words, 8, 3 * PAGE_SIZE), EIO, EFAULT, ENOMEM)) CHECK_EQUAL(shared[3 * 512], -round);
  if (ALLOWED(ftruncate(descriptor, PAGE_SIZE + 100), ENOMEM, EIO)) {
    if (ALLOWED(ftruncate(descriptor, 2 * PAGE_SIZE), ENOMEM)) CHECK_EQUAL(shared[512 + 20], 0);
  }
}

static void one_round(long round) {
  char name[32];
  snprintf(name, sizeof name, "/adversity-%ld", round % 5);
  int descriptor = shm_open(name, O_RDWR | O_CREAT, 0600);
  if (!ALLOWED(descriptor, ENFILE, EMFILE, ENOMEM)) return;
  use_object(descriptor, round);
  ALLOWED(dup(descriptor), EMFILE, ENFILE, ENOMEM);
  ALLOWED(dup2(descriptor, 300), EMFILE, ENFILE, ENOMEM);
  ALLOWED(shm_unlink(name), EFAULT, EIO);
  uint32_t groups[40] = {0};
  ALLOWED(setgroups(40, groups), ENOMEM);
  if (round % 16 == 0) {
    char *const arguments[] = {"/bin/end", "exit", "0", NULL};
    pid_t child = fork();
    if (child == 0) {
      ALLOWED(execve("/bin/end", arguments, environ), ENOMEM, EFAULT, EIO);
      _exit(0);
    }
    if (ALLOWED(child, ENOMEM, EAGAIN)) reap(child);
  }
}

// Every round in a child, so that what it leaves behind goes with it, and that a page lost on the device ends only that.
static void all_rounds(void) {
  check_module("end");
  long rounds = check_argument_count > 1 ? atoi(check_arguments[1]) : 300;
  long started = 0;
  for (long round = 0; round < rounds; round++) {
    pid_t child = fork();
    if (child == 0) {
      one_round(round);
      _exit(failure_count > 0 ? 2 : 0);
    }
    if (!ALLOWED(child, ENOMEM, EAGAIN)) continue;
    started++;
    int status = check_wait(child);
    if (status == SIGBUS || status == 2 << 8) failure_count++;
    else if (status != 0) check_failed(__FILE__, __LINE__, "round %ld ended with status 0x%x", round, (unsigned)status);
  }
  printf("# %ld rounds, %ld begun, %ld met a failure\n", rounds, started, failure_count);
  CHECK(started > rounds / 2);
}

TEST(rounds_in_adversity) { all_rounds(); }

// The same while somebody else holds nearly all memory, so that pages have to go to swap and come back. Run with swap; the
// holder may be the one that a lost page or the want of memory ends.
TEST(rounds_with_memory_taken) {
  uint64_t pages = check_sysctl("vm.stats.vm.v_free_count");
  pid_t holder;
  while ((holder = fork()) == -1) CHECK(errno == ENOMEM || errno == EAGAIN);
  if (holder == 0) {
    volatile char *memory;
    do
      memory = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    while (memory == MAP_FAILED);
    for (;;) {
      for (uint64_t page = 0; page < pages; page++) memory[page * PAGE_SIZE]++;
      usleep(20000);
    }
  }
  // What this process needs stays in memory: a page of it that is lost would end the case.
  while (mlockall(MCL_CURRENT) != 0) CHECK(errno == ENOMEM || errno == EAGAIN || errno == EIO);
  usleep(200000);
  all_rounds();
  kill(holder, SIGKILL);
  int status = check_wait(holder);
  CHECK(status == SIGKILL || status == SIGBUS);
  printf("# %lu pages written to swap, %lu read\n", check_sysctl("vm.stats.vm.v_swappgsout"),
         check_sysctl("vm.stats.vm.v_swappgsin"));
}
