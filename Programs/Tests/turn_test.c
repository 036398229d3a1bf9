// turn_test: who gets the processor. Two programs that always want it share it evenly, whatever they do with it, and each is
// charged for what it used; who sleeps beside others that compute wakes in time. Times are those of the machine's clock, so the
// figures are exact only under QEMU's -icount.

#include "check.h"

#include <sys/resource.h>

enum { microsecond = 1000, millisecond = 1000 * microsecond };

static uint64_t now(void) {
  struct timespec time;
  CHECK_EQUAL(clock_gettime(CLOCK_MONOTONIC, &time), 0);
  return (uint64_t)time.tv_sec * 1000 * millisecond + (uint64_t)time.tv_nsec;
}

static uint64_t time_stamp(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (uint64_t)high << 32 | low;
}

static uint64_t stamps_per_millisecond;

static void measure_time_stamps(void) {
  uint64_t start = now(), stamps = time_stamp();
  while (now() - start < 2 * millisecond) continue;
  stamps_per_millisecond = (time_stamp() - stamps) * millisecond / (now() - start);
}

// Computes for some time of the clock on the wall, without a system call.
static void spin(uint64_t nanoseconds) {
  uint64_t end = time_stamp() + nanoseconds * stamps_per_millisecond / millisecond;
  while (time_stamp() < end) continue;
}

// Behaviours: each does a little of what it does.

static void spins(void) { spin(100 * microsecond); }

static void yields_before_its_turn_ends(void) {
  spin(9900 * microsecond);
  sched_yield();
}

static void sleeps_for_a_nanosecond(void) {
  struct timespec shortest = {0, 1};
  spin(700 * microsecond);
  nanosleep(&shortest, NULL);
}

static void yields(void) { sched_yield(); }

static void calls(void) {
  for (int count = 0; count < 100; count++) getpid();
}

enum { large = 4 << 20 };
static char *large_memory;

static void calls_long(void) {
  static int protection = PROT_READ;
  if (!large_memory) {
    large_memory = mmap(NULL, large, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    CHECK(large_memory != MAP_FAILED);
    for (size_t page = 0; page < large; page += PAGE_SIZE) large_memory[page] = 1;
  }
  CHECK_EQUAL(mprotect(large_memory, large, protection), 0);
  protection ^= PROT_WRITE;
}

static void forks(void) {
  if (fork() == 0) _exit(0);
  check_wait(WAIT_ANY);
}

static void forks_spinners(void) {
  if (fork() == 0) {
    spin(3 * millisecond);
    _exit(0);
  }
  check_wait(WAIT_ANY);
}

struct behaviour {
  const char *name;
  void (*some)(void);
};

static const struct behaviour behaviours[] = {
    {"spins", spins},
    {"yields before its turn ends", yields_before_its_turn_ends},
    {"sleeps for a nanosecond", sleeps_for_a_nanosecond},
    {"yields", yields},
    {"makes short calls", calls},
    {"makes long calls", calls_long},
    {"forks children that end", forks},
    {"forks children that spin", forks_spinners},
};
enum { behaviour_count = sizeof behaviours / sizeof behaviours[0] };

static pid_t begin(const struct behaviour *behaviour, uint64_t start, uint64_t end) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    struct timespec rest = {0, (long)(start - now())};
    if (behaviour->some == calls_long) calls_long();
    if (start > now()) nanosleep(&rest, NULL);
    while (now() < end) behaviour->some();
    _exit(0);
  }
  return child;
}

static uint64_t used(const struct rusage *usage) {
  return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000 * millisecond +
         (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * microsecond;
}

static void check_share(const struct behaviour *first, const struct behaviour *second) {
  enum { duration = 200 };
  uint64_t start = now() + 60 * millisecond, end = start + duration * (uint64_t)millisecond;
  pid_t one = begin(first, start, end), other = begin(second, start, end);
  uint64_t times[2] = {0, 0};
  for (int number = 0; number < 2; number++) {
    struct rusage usage;
    pid_t ended = wait4(WAIT_ANY, NULL, 0, &usage);
    CHECK(ended == one || ended == other);
    times[ended == other] = used(&usage);
  }
  uint64_t sum = times[0] + times[1], share = times[0] * 1000 / sum;
  printf("# %s, %s: %lu.%lu %%\n", first->name, second->name, share / 10, share % 10);
  if (share < 450 || share > 550)
    check_failed(__FILE__, __LINE__, "%s beside %s: %lu of 1000", first->name, second->name, share);
  // What was charged is the time that there was, and what they took to begin.
  CHECK(sum > 95 * (duration * (uint64_t)millisecond) / 100);
}

TEST(every_behaviour_shares_evenly_with_one_that_spins) {
  measure_time_stamps();
  for (int number = 0; number < behaviour_count; number++) check_share(&behaviours[number], &behaviours[0]);
}

TEST(behaviours_share_evenly_with_each_other) {
  measure_time_stamps();
  for (int number = 1; number < behaviour_count; number++)
    check_share(&behaviours[number], &behaviours[number + 1 < behaviour_count ? number + 1 : 1]);
}

// How late the worst of some sleeps of a millisecond is beside so many processes, in nanoseconds.
static uint64_t worst_lateness(int count, void (*some)(void)) {
  pid_t others[16];
  for (int number = 0; number < count; number++) {
    others[number] = fork();
    CHECK(others[number] >= 0);
    while (others[number] == 0) some();
  }
  uint64_t worst = 0;
  for (int round = 0; round < 80; round++) {
    struct timespec sleep = {0, millisecond};
    uint64_t start = now();
    CHECK_EQUAL(nanosleep(&sleep, NULL), 0);
    uint64_t late = now() - start - millisecond;
    if (late > worst) worst = late;
  }
  for (int number = 0; number < count; number++) {
    CHECK_EQUAL(kill(others[number], SIGKILL), 0);
    check_wait(others[number]);
  }
  return worst;
}

TEST(a_sleeper_beside_ten_others_wakes_in_time) {
  measure_time_stamps();
  for (int number = 0; number < behaviour_count; number++) {
    uint64_t worst = worst_lateness(10, behaviours[number].some);
    printf("# beside ten of which each %s: %lu us late\n", behaviours[number].name, worst / microsecond);
    if (worst > 1500 * microsecond)
      check_failed(__FILE__, __LINE__, "beside ten of which each %s: %lu ns", behaviours[number].name, worst);
  }
}

// Waking often gives no time: nobody is kept from the processor by others that sleep and compute by turns.
TEST(a_spinner_among_many_that_wake_gets_its_share) {
  measure_time_stamps();
  enum { others = 10 };
  uint64_t end = now() + 660 * (uint64_t)millisecond;
  pid_t spinner = begin(&behaviours[0], now(), end);
  for (int number = 0; number < others; number++) begin(&behaviours[2], now(), end);
  uint64_t spinners = 0, sum = 0;
  for (int number = 0; number <= others; number++) {
    struct rusage usage;
    pid_t ended = wait4(WAIT_ANY, NULL, 0, &usage);
    CHECK(ended > 0);
    if (ended == spinner) spinners = used(&usage);
    sum += used(&usage);
  }
  printf("# one of eleven: %lu of 1000\n", spinners * 1000 / sum);
  CHECK(spinners * 1000 / sum >= 75);
}

TEST(a_process_is_charged_for_what_it_uses) {
  measure_time_stamps();
  struct rusage before, after;
  CHECK_EQUAL(getrusage(RUSAGE_SELF, &before), 0);
  spin(5 * millisecond);
  CHECK_EQUAL(getrusage(RUSAGE_SELF, &after), 0);
  uint64_t charged = used(&after) - used(&before);
  CHECK(charged >= 4900 * microsecond && charged < 6 * millisecond);
  // Asleep it is charged nothing.
  usleep(20000);
  CHECK_EQUAL(getrusage(RUSAGE_SELF, &before), 0);
  CHECK(used(&before) - used(&after) < millisecond);
  struct timespec cpu_time;
  CHECK_EQUAL(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_time), 0);
  CHECK((uint64_t)cpu_time.tv_nsec >= used(&before) % (1000 * millisecond));
}
