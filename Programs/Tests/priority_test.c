// priority_test: who gets the processor by class and nice value (rtprio(2), setpriority(2)), beside others that spin. Times are
// those of the machine's clock, so the figures are exact only under QEMU's -icount.

#include "check.h"

#include <sys/resource.h>
#include <sys/thr.h>

enum { microsecond = 1000, millisecond = 1000 * microsecond };

static uint64_t now(void) {
  struct timespec time;
  CHECK_EQUAL(clock_gettime(CLOCK_MONOTONIC, &time), 0);
  return (uint64_t)time.tv_sec * 1000 * millisecond + (uint64_t)time.tv_nsec;
}

static void spin_until(uint64_t end) {
  while (now() < end) continue;
}

static void rest_until(uint64_t end) {
  struct timespec time = {(time_t)(end / 1000 / millisecond), (long)(end % (1000 * (uint64_t)millisecond))};
  CHECK_EQUAL(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL), 0);
}

static void set_class(int process, int type, int level) {
  struct rtprio priority = {(uint16_t)type, (uint16_t)level};
  CHECK_EQUAL(rtprio(RTP_SET, process, &priority), 0);
}

// What children tell: counts and times.
static volatile uint64_t *told;

static void share_memory(void) {
  told = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(told != MAP_FAILED);
}

// A child that counts in its place of `told` from a time to another.
static pid_t count(int place, uint64_t start, uint64_t end, int nice) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK_EQUAL(setpriority(PRIO_PROCESS, 0, nice), 0);
    rest_until(start);
    while (now() < end) told[place]++;
    _exit(0);
  }
  return child;
}

static void wait_all(int count) {
  while (count-- > 0) check_wait(WAIT_ANY);
}

TEST(nice_values_share_the_processor_and_starve_nobody) {
  share_memory();
  uint64_t start = now() + 20 * millisecond, end = start + 500 * (uint64_t)millisecond;
  count(0, start, end, 0);
  count(1, start, end, 20);
  count(2, start, end, 10);
  wait_all(3);
  uint64_t sum = told[0] + told[1] + told[2];
  printf("# nice 0, 10, 20: %lu, %lu, %lu of 1000\n", told[0] * 1000 / sum, told[2] * 1000 / sum, told[1] * 1000 / sum);
  // 1, 0.316 and 0.1.
  CHECK(told[0] * 1000 / sum >= 650 && told[0] * 1000 / sum <= 760);
  CHECK(told[1] * 1000 / sum >= 50 && told[1] * 1000 / sum <= 95);
}

TEST(a_real_time_thread_runs_before_all_others_until_it_waits) {
  share_memory();
  uint64_t start = now() + 20 * millisecond, end = start + 100 * (uint64_t)millisecond;
  count(0, start, end, -20);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    set_class(0, RTP_PRIO_REALTIME, 31);
    rest_until(start + 10 * millisecond);
    uint64_t begin = now(), before = told[0];
    spin_until(begin + 60 * millisecond);
    told[1] = told[0] - before;
    told[2] = begin - (start + 10 * millisecond);
    _exit(0);
  }
  wait_all(2);
  printf("# %lu us late; the other counted to %lu meanwhile, and to %lu in all\n", told[2] / microsecond, told[1], told[0]);
  CHECK_EQUAL(told[1], 0);
  CHECK(told[0] > 0 && told[2] < 30 * microsecond);
}

TEST(real_time_levels_go_in_order_and_threads_of_one_take_turns) {
  share_memory();
  set_class(0, RTP_PRIO_REALTIME, 0);
  uint64_t start = now() + 20 * millisecond, end = start + 100 * (uint64_t)millisecond;
  for (int place = 0; place < 3; place++) set_class(count(place, start, end, 0), RTP_PRIO_REALTIME, place == 2 ? 9 : 8);
  rest_until(end);
  wait_all(3);
  printf("# level 8: %lu and %lu, level 9: %lu\n", told[0], told[1], told[2]);
  CHECK(told[0] < told[1] + told[1] / 3 && told[1] < told[0] + told[0] / 3);
  CHECK(told[2] <= 1);
}

TEST(a_fifo_thread_has_no_end_of_turn) {
  share_memory();
  set_class(0, RTP_PRIO_REALTIME, 0);
  uint64_t start = now() + 20 * millisecond, end = start + 60 * (uint64_t)millisecond;
  for (int place = 0; place < 2; place++) set_class(count(place, start, end, 0), RTP_PRIO_FIFO, 8);
  rest_until(end);
  wait_all(2);
  CHECK((told[0] <= 1) != (told[1] <= 1));
}

TEST(an_idle_thread_runs_only_when_nobody_else_does) {
  share_memory();
  uint64_t start = now() + 20 * millisecond, end = start + 200 * (uint64_t)millisecond;
  pid_t idle = count(0, start, end, 0);
  set_class(idle, RTP_PRIO_IDLE, 0);
  count(1, start, start + 100 * millisecond, 20);
  rest_until(start + 90 * millisecond);
  uint64_t beside = told[0];
  wait_all(2);
  printf("# idle: %lu beside one that spins, %lu in all; that: %lu\n", beside, told[0], told[1]);
  CHECK(beside <= 1 && told[0] > 1000 && told[1] > 1000);
}

TEST(an_idle_process_beside_one_that_spins_ends_when_it_is_killed) {
  share_memory();
  uint64_t start = now() + 5 * millisecond, end = start + 1000 * (uint64_t)millisecond;
  pid_t idle = count(0, start, end, 0);
  set_class(idle, RTP_PRIO_IDLE, 31);
  pid_t spinner = count(1, start, end, 0);
  rest_until(start + 10 * millisecond);
  uint64_t killed = now();
  CHECK_EQUAL(kill(idle, SIGKILL), 0);
  int status;
  CHECK_EQUAL(waitpid(idle, &status, 0), idle);
  CHECK(WIFSIGNALED(status));
  printf("# it was gone after %lu us\n", (now() - killed) / microsecond);
  CHECK(now() - killed < 25 * millisecond);
  CHECK_EQUAL(kill(spinner, SIGKILL), 0);
  wait_all(1);
}

TEST(a_process_of_the_idle_class_lets_go_of_what_others_wait_for) {
  share_memory();
  uint64_t start = now() + 20 * millisecond, end = start + 1000 * (uint64_t)millisecond;
  int object = shm_open(SHM_ANON, O_RDWR, 0600);
  enum { size = 32 << 20 };
  CHECK(object >= 0 && ftruncate(object, size) == 0);
  volatile char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, object, 0);
  for (size_t page = 0; page < size; page += PAGE_SIZE) memory[page] = 1;
  pid_t idle = fork();
  CHECK(idle >= 0);
  if (idle == 0) {
    set_class(0, RTP_PRIO_IDLE, 31);
    told[0] = 1;
    // A long change of the object, which keeps others from it meanwhile.
    CHECK_EQUAL(ftruncate(object, 0), 0);
    _exit(0);
  }
  while (told[0] == 0) rest_until(now() + 100 * microsecond);
  pid_t spinner = count(1, now(), end, 0);
  uint64_t begin = now();
  char byte;
  CHECK_EQUAL(pread(object, &byte, 1, 0), 0);
  printf("# the read waited for %lu us\n", (now() - begin) / microsecond);
  CHECK(now() < start + 500 * (uint64_t)millisecond);
  CHECK_EQUAL(kill(spinner, SIGKILL), 0);
  CHECK_EQUAL(kill(idle, SIGKILL), 0);
  wait_all(2);
}

TEST(an_interactive_sleeper_is_run_at_once_beside_spinners) {
  share_memory();
  uint64_t start = now() + 5 * millisecond, end = start + 300 * (uint64_t)millisecond;
  for (int place = 0; place < 8; place++) count(place, start, end, place % 2 == 0 ? -20 : 0);
  rest_until(start + 20 * millisecond);
  uint64_t worst = 0;
  for (int round = 0; round < 50; round++) {
    uint64_t due = now() + 3 * millisecond;
    rest_until(due);
    uint64_t late = now() - due;
    if (late > worst) worst = late;
    spin_until(now() + 100 * microsecond);
  }
  printf("# at most %lu us late\n", worst / microsecond);
  CHECK(worst < 60 * microsecond);
  wait_all(8);
}

TEST(only_the_superuser_may_hurry) {
  struct rtprio priority = {RTP_PRIO_REALTIME, 0};
  struct sched_param parameter = {0};
  CHECK_EQUAL(setpriority(PRIO_PROCESS, 0, 3), 0);
  CHECK_EQUAL(setuid(1001), 0);
  CHECK_ERRNO(EPERM, rtprio(RTP_SET, 0, &priority));
  CHECK_ERRNO(EPERM, sched_setscheduler(0, SCHED_RR, &parameter));
  CHECK_ERRNO(EACCES, setpriority(PRIO_PROCESS, 0, 2));
  CHECK_ERRNO(EPERM, setpriority(PRIO_PROCESS, 1, 20));
  CHECK_EQUAL(setpriority(PRIO_PROCESS, 0, 4), 0);
  CHECK_EQUAL(getpriority(PRIO_USER, 0), 4);
  CHECK_EQUAL(rtprio(RTP_LOOKUP, 0, &priority), 0);
  CHECK_EQUAL(priority.type, RTP_PRIO_NORMAL);
}
