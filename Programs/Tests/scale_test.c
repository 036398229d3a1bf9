// scale_test: costs that must not grow with what others have, have had, or did before. Each was once the cost of something that
// a program can make large; the ceilings are what FreeBSD 15-CURRENT needs on the same machine, where it needs more.

#include "cost.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/event.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int anonymous(size_t byte_count) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, (off_t)byte_count), 0);
  return descriptor;
}

static volatile char *map(int descriptor, size_t byte_count) {
  int flags = descriptor < 0 ? MAP_PRIVATE | MAP_ANON : MAP_SHARED;
  volatile char *memory = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, flags, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}

static uint64_t cost_of_child(void) {
  return LEAST(
      10,
      {
        pid_t child = fork();
        if (child == 0) _exit(0);
        waitpid(child, NULL, 0);
      }, );
}

static pid_t sleeping_child(void) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    struct timespec hour = {3600, 0};
    nanosleep(&hour, NULL);
    _exit(0);
  }
  return child;
}

static void end(pid_t child) {
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  check_wait(child);
}

TEST(equal_neighbours_are_one_mapping) {
  enum { pages = 2000 };
  uint64_t few = cost_of_child();
  volatile char *memory = map(-1, pages * PAGE_SIZE);
  for (int page = 0; page < pages; page++) {
    CHECK_EQUAL(mprotect((void *)(memory + page * PAGE_SIZE), PAGE_SIZE, PROT_READ), 0);
    CHECK_EQUAL(mprotect((void *)(memory + page * PAGE_SIZE), PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
  }
  for (int page = 0; page < pages; page++) map(-1, PAGE_SIZE);
  CHECK_NO_GROWTH("fork, _exit and waitpid after 2000 changes of protection and 2000 mappings", few, cost_of_child());
}

enum { places = 1000 };

// The one page of an object, mapped so often: neighbours that show the same are not merged.
static volatile char *shown[places];

static void show(int descriptor) {
  for (int place = 0; place < places; place++) {
    shown[place] = map(descriptor, PAGE_SIZE);
    *shown[place] = 1;
  }
}

TEST(a_page_that_is_mapped_a_thousand_times_stays_mapped) {
  int descriptor = anonymous(PAGE_SIZE);
  show(descriptor);
  uint64_t most = 0;
  for (int place = 0; place < places; place++) {
    uint64_t cost = LEAST(1, *shown[place] = 2, );
    if (cost > most) most = cost;
  }
  CHECK_COST("a store to a page that a thousand mappings show", most, 30);
  for (int place = 0; place < places; place++) CHECK_EQUAL(munmap((void *)shown[place], PAGE_SIZE), 0);
  CHECK_EQUAL(close(descriptor), 0);
}

TEST(mappings_of_one_page_go_in_any_order) {
  int descriptor = anonymous(PAGE_SIZE);
  for (int order = 0; order < 2; order++) {
    show(descriptor);
    uint64_t most = 0;
    for (int number = 0; number < places; number++) {
      int place = order == 0 ? number : places - 1 - number;
      uint64_t cost = LEAST(1, munmap((void *)shown[place], PAGE_SIZE), );
      if (cost > most) most = cost;
    }
    CHECK_COST(order == 0 ? "munmap where a thousand go, the first first" : "munmap where a thousand go, the last first",
               most, 4500);
  }
  CHECK_EQUAL(close(descriptor), 0);
}

TEST(a_store_costs_the_same_with_many_children) {
  enum { pages = 8, children = 200 };
  static pid_t child[children];
  volatile char *memory = map(-1, pages * PAGE_SIZE);
  for (int page = 0; page < pages; page++) memory[page * PAGE_SIZE] = 1;
  uint64_t costs[2];
  for (int round = 0, number = 0; round < 2; round++) {
    for (; number < (round == 0 ? 4 : children); number++) {
      memory[0] = memory[PAGE_SIZE] = 1;
      child[number] = sleeping_child();
    }
    sched_yield();
    memory[0] = 1;
    volatile char *place = memory + (2 + round) * PAGE_SIZE;
    costs[round] = LEAST(1, *place = 1, );
  }
  for (int number = 0; number < children; number++) end(child[number]);
  CHECK_COST("a store to a page that 200 children have not copied", costs[1], 3076);
  CHECK_NO_GROWTH("a store to a page that children share", costs[0], costs[1]);
}

TEST(descriptors_are_copied_and_closed_cheaply) {
  enum { count = 1000 };
  int descriptor = anonymous(PAGE_SIZE);
  uint64_t few = cost_of_child();
  for (int number = 0; number < count; number++) CHECK(dup(descriptor) >= 0);
  uint64_t many = cost_of_child();
  CHECK_COST("what each of 1000 descriptors adds to fork, _exit and waitpid", (many - few) / count, 195);
  CHECK_COST("close_range of 1000 descriptors",
             LEAST(1, syscall(SYS_close_range, descriptor + 1, descriptor + count, 0), ), 118492);
  CHECK_EQUAL(close(descriptor), 0);
}

TEST(a_child_gets_a_thousand_mappings_cheaply) {
  int descriptor = anonymous(16 * PAGE_SIZE);
  uint64_t few = cost_of_child();
  for (int number = 0; number < places; number++)
    CHECK(mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, descriptor, (off_t)(number & 7) * 2 * PAGE_SIZE) != MAP_FAILED);
  CHECK_COST("what each of 1000 mappings adds to fork, _exit and waitpid", (cost_of_child() - few) / places, 912);
}

TEST(a_signal_to_all_costs_what_there_are) {
  enum { children = 10 };
  pid_t child[children];
  for (int number = 0; number < children; number++) child[number] = sleeping_child();
  sched_yield();
  CHECK_COST("kill(-1, 0) with ten processes", LEAST(10, kill(-1, 0), ), 2263);
  for (int number = 0; number < children; number++) end(child[number]);
}

TEST(poll_costs_what_it_asks_about) {
  enum { most = 1000 };
  static struct pollfd entries[most];
  int idle[2], ready[2];
  CHECK_EQUAL(pipe2(idle, 0), 0);
  CHECK_EQUAL(pipe2(ready, 0), 0);
  CHECK_EQUAL(write(ready[1], "x", 1), 1);
  for (int index = 0; index < most; index++) entries[index] = (struct pollfd){dup(idle[0]), POLLIN, 0};
  const int counts[] = {1, 100, most};
  const int ceilings[] = {930, 22800, 320000};
  for (int index = 0; index < 3; index++) {
    int last = counts[index] - 1;
    int kept = entries[last].fd;
    entries[last].fd = ready[0];
    char what[64] = "poll of 1 that is ready";
    if (index == 1) memcpy(what, "poll of 100, the last is ready", 31);
    if (index == 2) memcpy(what, "poll of 1000, the last is ready", 32);
    CHECK_COST(what, LEAST(20, poll(entries, (nfds_t)counts[index], -1), ), ceilings[index]);
    entries[last].fd = kept;
  }
  fd_set set;
  FD_ZERO(&set);
  struct timeval time = {0, 0};
  CHECK_COST("select of 64 descriptors, one is ready",
             LEAST(20, select(64, &set, NULL, NULL, &time), FD_SET(ready[0], &set)), 2000);
}

TEST(an_event_costs_the_same_among_ten_thousand_notes) {
  int queue = kqueue(), ends[2];
  CHECK_EQUAL(pipe2(ends, 0), 0);
  CHECK_EQUAL(write(ends[1], "x", 1), 1);
  struct kevent event, found;
  uint64_t costs[2], again[2];
  const struct timespec at_once = {0, 0};
  for (int round = 0, number = 0; round < 2; round++) {
    for (; number < (round == 0 ? 9 : 9999); number++) {
      EV_SET(&event, number, EVFILT_USER, EV_ADD, 0, 0, 0);
      CHECK_EQUAL(kevent(queue, &event, 1, NULL, 0, NULL), 0);
    }
    EV_SET(&event, ends[0], EVFILT_READ, EV_ADD, 0, 0, 0);
    CHECK_EQUAL(kevent(queue, &event, 1, NULL, 0, NULL), 0);
    costs[round] = LEAST(50, kevent(queue, NULL, 0, &found, 1, &at_once), );
    again[round] = LEAST(50, kevent(queue, &event, 1, &found, 1, &at_once), );
  }
  CHECK_NO_GROWTH("kevent, one is ready", costs[0], costs[1]);
  CHECK_NO_GROWTH("kevent that changes the one that is ready", again[0], again[1]);
  CHECK(costs[1] <= costs[0] + costs[0] / 20 && again[1] <= again[0] + again[0] / 20);
}
