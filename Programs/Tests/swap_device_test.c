// swap_device_test: swapon(2) and swapoff(2) with their errors, also under load; how few transfers and instructions it costs to
// read what was paged out in order; and transfers that fail. For a machine with two disks, kernel options swap=SIZE swap=SIZE.

#include <vm/vm_param.h>

#include "check.h"

int swapon(const char *device);
int swapoff(const char *device, unsigned flags);

static const char first[] = "/dev/md0", second[] = "/dev/md1";

static int set(const char *point, const char *setting) {
  char text[64];
  snprintf(text, sizeof text, "debug.fail_point.%s", point);
  return sysctlbyname(text, NULL, NULL, setting, strlen(setting));
}

static uint64_t time_stamp(void) {
  uint32_t low, high;
  __asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
  return (uint64_t)high << 32 | low;
}

static volatile uint64_t *map(uint64_t pages) {
  void *memory = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}

static void unmap(volatile uint64_t *memory, uint64_t pages) { CHECK_EQUAL(munmap((void *)memory, pages * PAGE_SIZE), 0); }

static void fill(volatile uint64_t *memory, uint64_t pages, uint64_t seed) {
  for (uint64_t page = 0; page < pages; page++) memory[page * 512] = memory[page * 512 + 511] = page * 7 + seed;
}

static void verify(volatile uint64_t *memory, uint64_t pages, uint64_t seed) {
  for (uint64_t page = 0; page < pages; page++)
    if (memory[page * 512] != page * 7 + seed || memory[page * 512 + 511] != page * 7 + seed)
      check_failed(__FILE__, __LINE__, "page %lu holds 0x%lx", page, memory[page * 512]);
}

static uint64_t unused(void) { return check_sysctl("vm.stats.vm.v_free_count"); }

// Takes all that is free and some, so that what was used before goes to swap, and gives it back.
static void push_out(uint64_t pages) {
  CHECK_EXIT(0, {
    uint64_t count = unused() + pages;
    volatile uint64_t *filler = map(count);
    fill(filler, count, 1);
    fill(filler, count, 2);
  });
}

TEST(calls_have_the_errors_of_their_manual) {
  CHECK_ERRNO(EBUSY, swapon(first));
  CHECK_ERRNO(ENOENT, swapon("/dev/md7"));
  CHECK_ERRNO(ENOENT, swapon(""));
  CHECK_ERRNO(ENOTDIR, swapon("/dev/null/md0"));
  CHECK_ERRNO(ENOTBLK, swapon("/dev/null"));
  CHECK_ERRNO(EFAULT, swapon((const char *)16));
  CHECK_ERRNO(EINVAL, swapoff("/dev/null", 0));
  CHECK_ERRNO(ENOENT, swapoff("/dev/md7", 0));
  CHECK_ERRNO(EINVAL, swapoff(first, 2));
  CHECK_ERRNO(EFAULT, swapoff((const char *)16, 1));
  char name[1100];
  memset(name, 'a', sizeof name);
  name[0] = '/';
  name[sizeof name - 1] = 0;
  CHECK_ERRNO(ENAMETOOLONG, swapoff(name, 0));
  CHECK_EQUAL(seteuid(7), 0);
  CHECK_ERRNO(EPERM, swapon(first));
  CHECK_ERRNO(EPERM, swapoff(first, 2));
  CHECK_ERRNO(EPERM, swapoff((const char *)16, 0));
  CHECK_ERRNO(EPERM, syscall(424, first));
}

TEST(the_total_follows) {
  uint64_t total = check_sysctl("vm.swap_total");
  CHECK_EQUAL(swapoff(second, 0), 0);
  uint64_t less = check_sysctl("vm.swap_total");
  CHECK(less < total && less > 0);
  CHECK_ERRNO(EINVAL, swapoff(second, 0));
  CHECK_EQUAL(swapon(second), 0);
  CHECK_EQUAL(check_sysctl("vm.swap_total"), total);
  CHECK_ERRNO(EBUSY, swapon(second));
  // The call of before there were flags.
  CHECK_EQUAL(syscall(424, second), 0);
  CHECK_EQUAL(check_sysctl("vm.swap_total"), less);
  CHECK_EQUAL(swapon(second), 0);
}

// The error of asking for the device at a place, or 0.
static int tell(int place, struct xswdev *device) {
  int name[3] = {0};
  size_t count = 2, size = sizeof *device;
  CHECK_EQUAL(sysctlnametomib("vm.swap_info", name, &count), 0);
  CHECK_EQUAL(count, 2);
  name[2] = place;
  return sysctl(name, 3, device, &size, NULL, 0) == 0 && size == sizeof *device ? 0 : errno;
}

TEST(each_is_told_of) {
  struct xswdev device, other;
  uint64_t total = check_sysctl("vm.swap_total");
  CHECK_EQUAL(tell(0, &device), 0);
  CHECK_EQUAL(tell(1, &other), 0);
  CHECK_EQUAL(tell(2, &device), ENOENT);
  CHECK(device.xsw_version == XSWDEV_VERSION && other.xsw_version == XSWDEV_VERSION);
  CHECK(device.xsw_dev != other.xsw_dev && device.xsw_flags == 0 && device.xsw_used >= 0);
  CHECK(device.xsw_nblks == other.xsw_nblks && device.xsw_nblks >= (int)(total / PAGE_SIZE / 2));
  // The second is the first when the first is off.
  CHECK_EQUAL(swapoff(first, 0), 0);
  CHECK_EQUAL(tell(0, &device), 0);
  CHECK_EQUAL(device.xsw_dev, other.xsw_dev);
  CHECK_EQUAL(tell(1, &device), ENOENT);
  CHECK_EQUAL(swapon(first), 0);
  // What is on it is counted.
  volatile uint64_t *memory = map(500);
  fill(memory, 500, 9);
  push_out(500);
  CHECK_EQUAL(tell(0, &device), 0);
  CHECK_EQUAL(tell(1, &other), 0);
  CHECK(device.xsw_used + other.xsw_used > 100);
  verify(memory, 500, 9);
  unmap(memory, 500);
}

TEST(everything_comes_back) {
  enum { pages = 2500 };
  volatile uint64_t *memory = map(pages);
  fill(memory, pages, 3);
  push_out(1000);
  uint64_t in = check_sysctl("vm.stats.vm.v_swappgsin");
  CHECK_EQUAL(swapoff(first, 0), 0);
  CHECK(check_sysctl("vm.stats.vm.v_swappgsin") > in);
  // The other device holds the rest; then none does.
  CHECK_EQUAL(swapoff(second, 1), 0);
  in = check_sysctl("vm.stats.vm.v_swapin");
  verify(memory, pages, 3);
  CHECK_EQUAL(check_sysctl("vm.stats.vm.v_swapin"), in);
  CHECK_EQUAL(check_sysctl("vm.swap_total"), 0);
  CHECK_EQUAL(swapon(second), 0);
  CHECK_EQUAL(swapon(first), 0);
  push_out(1000);
  verify(memory, pages, 3);
  unmap(memory, pages);
}

TEST(what_does_not_fit_is_refused) {
  uint64_t pages = unused() + check_sysctl("vm.swap_total") / PAGE_SIZE / 3 * 2;
  volatile uint64_t *memory = map(pages);
  fill(memory, pages, 4);
  uint64_t total = check_sysctl("vm.swap_total");
  CHECK_ERRNO(ENOMEM, swapoff(first, 0));
  CHECK_EQUAL(check_sysctl("vm.swap_total"), total);
  verify(memory, pages, 4);
  unmap(memory, pages);
}

TEST(under_load_nothing_is_lost) {
  enum { processes = 3, removals = 6 };
  volatile uint64_t *rounds = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(rounds != MAP_FAILED);
  uint64_t pages = (unused() + 1200) / processes;
  for (int process = 0; process < processes; process++) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      volatile uint64_t *memory = map(pages);
      // Until enough has been done; the last word says so.
      while (!rounds[511]) {
        uint64_t seed = rounds[process] * 3 + (uint64_t)process;
        fill(memory, pages, seed);
        verify(memory, pages, seed);
        rounds[process]++;
      }
      _exit(0);
    }
  }
  uint64_t out = check_sysctl("vm.stats.vm.v_swappgsout");
  int done = 0, refused = 0;
  while (done < removals && done + refused < 100) {
    // What is both in memory and in swap counts twice, so that it may be refused although it fits: every other is forced.
    if (swapoff(second, (unsigned)(done + refused) % 2) == 0) {
      done++;
      CHECK_EQUAL(swapon(second), 0);
    } else {
      CHECK_EQUAL(errno, ENOMEM);
      refused++;
    }
    struct timespec pause = {0, 20000000};
    nanosleep(&pause, NULL);
  }
  printf("# swapoff under load: %d times, refused %d times; %lu, %lu and %lu rounds, %lu pages out\n", done, refused, rounds[0],
         rounds[1], rounds[2], check_sysctl("vm.stats.vm.v_swappgsout") - out);
  CHECK_EQUAL(done, removals);
  rounds[511] = 1;
  for (int process = 0; process < processes; process++) CHECK_EQUAL(check_wait(WAIT_ANY), 0);
}

TEST(a_page_that_is_read_in_order_costs_a_sixteenth_of_a_transfer) {
  enum { pages = 4096 };
  volatile uint64_t *memory = map(pages);
  fill(memory, pages, 5);
  push_out(pages);
  uint64_t transfers = check_sysctl("vm.stats.vm.v_swapin"), in = check_sysctl("vm.stats.vm.v_swappgsin");
  uint64_t start = time_stamp(), sum = 0;
  for (uint64_t page = 0; page < pages; page++) sum += memory[page * 512];
  uint64_t instructions = (time_stamp() - start) / pages;
  transfers = check_sysctl("vm.stats.vm.v_swapin") - transfers;
  in = check_sysctl("vm.stats.vm.v_swappgsin") - in;
  printf("# 16 MiB in order: %lu of %d pages in by %lu transfers, %lu instructions a page\n", in, pages, transfers, instructions);
  CHECK(sum > 0 && in >= pages * 3 / 4);
  CHECK(transfers <= pages / 8);
  CHECK(instructions <= 1500);
  verify(memory, pages, 5);
  unmap(memory, pages);
}

TEST(a_read_that_fails_is_the_error_of_who_needs_the_page) {
  enum { pages = 64 };
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, pages * PAGE_SIZE), 0);
  volatile uint64_t *memory = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  fill(memory, pages, 6);
  push_out(1000);
  CHECK_SIGNAL(SIGBUS, {
    char setting[64];
    snprintf(setting, sizeof setting, "return(1)[pid %d]", getpid());
    CHECK_EQUAL(set("transfer_read", setting), 0);
    (void)memory[20 * 512];
  });
  // It fails for nobody else: the point is still set.
  CHECK_EXIT(0, verify(memory, 16, 6));
  CHECK_EQUAL(set("transfer_read", "off"), 0);
  push_out(1000);
  CHECK_EXIT(0, {
    char setting[64], buffer[64];
    snprintf(setting, sizeof setting, "return(1)[pid %d]", getpid());
    CHECK_EQUAL(set("transfer_read", setting), 0);
    CHECK_ERRNO(EIO, pread(descriptor, buffer, sizeof buffer, 40 * PAGE_SIZE));
  });
  CHECK_EQUAL(set("transfer_read", "off"), 0);
  verify(memory, pages, 6);
}

TEST(writes_that_fail_lose_nothing) {
  uint64_t pages = unused() + 500;
  volatile uint64_t *memory = map(pages);
  CHECK_EQUAL(set("transfer_write", "30%return"), 0);
  fill(memory, pages, 8);
  verify(memory, pages, 8);
  CHECK_EQUAL(set("transfer_write", "off"), 0);
  verify(memory, pages, 8);
  unmap(memory, pages);
}
