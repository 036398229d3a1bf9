// stall_test: while the kernel has much to do for somebody, another process' sleep of a millisecond is late by at most three.
// Needs a machine of 1300 MiB, for a gigabyte that is given back at once.

#include "watch.h"

static const size_t gigabyte = 1ul << 30;

static char *touch(size_t byte_count, int flags) {
  char *memory = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, flags | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  for (size_t page = 0; page < byte_count; page += PAGE_SIZE) memory[page] = 1;
  return memory;
}

static uint64_t free_pages(void) { return check_sysctl("vm.stats.vm.v_free_count"); }

TEST(the_end_of_a_process_with_a_gigabyte) {
  begin_watching();
  uint64_t before = free_pages();
  volatile int *go = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    touch(gigabyte, MAP_PRIVATE);
    *go = 1;
    while (*go != 2) usleep(1000);
    _exit(0);
  }
  while (*go != 1) usleep(1000);
  watch_from_here();
  *go = 2;
  check_wait(child);
  // Who has waited for a process has its memory.
  CHECK(free_pages() + 64 > before);
  end_watching("the end of a process with a gigabyte");
}

TEST(munmap_of_a_gigabyte) {
  begin_watching();
  char *memory = touch(gigabyte, MAP_PRIVATE);
  watch_from_here();
  uint64_t before = free_pages();
  CHECK_EQUAL(munmap(memory, gigabyte), 0);
  CHECK(free_pages() >= before + gigabyte / PAGE_SIZE);
  end_watching("munmap of a gigabyte");
}

TEST(a_mapping_over_a_gigabyte) {
  begin_watching();
  char *memory = touch(gigabyte, MAP_PRIVATE);
  watch_from_here();
  CHECK(mmap(memory, gigabyte, PROT_READ, MAP_PRIVATE | MAP_ANON | MAP_FIXED, -1, 0) == memory);
  CHECK_EQUAL(memory[0], 0);
  end_watching("a mapping over a gigabyte");
}

// Fills memory until calls are refused: then every page is looked at, whether it can be reclaimed.
TEST(the_first_call_that_is_refused_for_memory) {
  size_t byte_count = free_pages() * PAGE_SIZE;
  char *memory = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  begin_watching();
  size_t page = 0;
  while (free_pages() > 400)
    for (int count = 0; count < 64; count++, page += PAGE_SIZE) memory[page] = 1;
  while (page < byte_count && mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANON, -1, 0) != MAP_FAILED)
    memory[page] = 1, page += PAGE_SIZE;
  CHECK_EQUAL(errno, ENOMEM);
  end_watching("the first call that is refused for memory");
}

static void sleep_until_due(int number) {
  (void)number;
  uint64_t rest = common->due - now();
  struct timespec sleep = {(long)(rest / (1000 * millisecond)), (long)(rest % (1000 * millisecond))};
  nanosleep(&sleep, NULL);
}

TEST(three_thousand_sleepers_that_are_due_at_once) {
  enum { sleepers = 3000 };
  make_common();
  begin_watching();
  common->due = now() + 4000 * (uint64_t)millisecond;
  CHECK_EQUAL(make_children(sleepers, sleep_until_due), sleepers);
  CHECK(now() + 20 * millisecond < common->due);
  struct timespec almost = {0, 0};
  uint64_t rest = common->due - now() - 10 * millisecond;
  almost.tv_sec = (long)(rest / (1000 * millisecond));
  almost.tv_nsec = (long)(rest % (1000 * millisecond));
  nanosleep(&almost, NULL);
  watch_from_here();
  for (int number = 0; number < sleepers; number++) check_wait(WAIT_ANY);
  end_watching("three thousand sleepers that are due at once");
}

static void wait_for_the_end(int number) {
  if (number == 0) {
    setpgid(0, 0);
    common->due = (uint64_t)getpid();
  }
  while (common->due == 0) usleep(1000);
  setpgid(0, (pid_t)common->due);
  __atomic_add_fetch(&common->started, 1, __ATOMIC_SEQ_CST);
  usleep(1000000000);
}

TEST(two_thousand_processes_that_are_killed_at_once) {
  enum { processes = 2000 };
  make_common();
  begin_watching();
  CHECK_EQUAL(make_children(processes, wait_for_the_end), processes);
  while (common->started < processes) usleep(1000);
  watch_from_here();
  CHECK_EQUAL(kill(-(pid_t)common->due, SIGTERM), 0);
  for (int number = 0; number < processes; number++) check_signal(__FILE__, __LINE__, SIGTERM, check_wait(WAIT_ANY));
  end_watching("two thousand processes that are killed at once");
}

TEST(truncating_pages_that_a_thousand_processes_map) {
  enum { processes = 1000 };
  int descriptor = share_with(processes);
  CHECK_EQUAL(ftruncate(descriptor, 0), 0);
  end_sharing(processes, "truncating pages that a thousand processes map");
}
