// cycles_test: sockets that are made, sent into one another in every way, and dropped, each with an object of 1 MiB: everything comes
// back, and nobody is held up. A number as argument says how many cycles there are; without one there are a few thousand.

#include "passing.h"
#include "sleeper.h"

enum { object_size = 1 << 20, links = 1000 };

static long cycle_count(void) { return check_argument_count > 1 ? atoi(check_arguments[1]) : 4000; }

// An object with one page in it.
static int large_object(void) {
  int file = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(file >= 0);
  CHECK_EQUAL(ftruncate(file, object_size), 0);
  CHECK_EQUAL(pwrite(file, "x", 1, object_size / 2), 1);
  return file;
}

static void send_two(int end, int first, int second) {
  CHECK_EQUAL(send_files(end, (int[]){first, second}, 2, 0), 1);
  CHECK_EQUAL(close(second), 0);
}

// A socket that is sent through itself, with an object.
static void through_itself(int type) {
  int ends[2];
  pair(type, ends);
  send_two(ends[0], ends[1], large_object());
  close_both(ends);
}

// Two pairs, an end of each in the other.
static void through_each_other(int type) {
  int first[2], second[2];
  pair(type, first);
  pair(type, second);
  send_two(first[0], second[1], large_object());
  send_two(second[0], first[1], large_object());
  close_both(first);
  close_both(second);
}

// Pairs in one another, each with an object, and the innermost in the outermost.
static void chain(int type, int count) {
  int inner[2], outer[2];
  pair(type, inner);
  for (int depth = 0; depth < count; depth++) {
    pair(type, outer);
    CHECK_EQUAL(send_files(outer[0], inner, 2, 0), 1);
    int file = large_object();
    send_file(outer[0], file);
    CHECK_EQUAL(close(file), 0);
    close_both(inner);
    memcpy(inner, outer, sizeof inner);
  }
  // A ring, every other time.
  if (count & 1) send_file(outer[1], outer[0]);
  close_both(outer);
}

// What is only in messages goes when the next socket does.
static void close_another(void) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  close_both(ends);
}

static void check_all_came_back(struct state before, uint64_t objects) {
  close_another();
  check_as_before(before);
  CHECK_EQUAL(check_sysctl("vm.martlet.live_objects"), objects);
  CHECK_EQUAL(check_sysctl("net.local.deferred"), 0);
}

TEST(cycles_come_back) {
  long count = cycle_count();
  close_another();
  // The first of everything leaves what is kept for the next.
  through_itself(SOCK_STREAM);
  close_another();
  struct state before = state_now();
  uint64_t objects = check_sysctl("vm.martlet.live_objects"), recycled = check_sysctl("net.local.recycled");
  for (long done = 0, round = 0; done < count; round++) {
    int type = types[round % 3];
    for (int index = 0; index < 500; index++, done++) through_itself(type);
    for (int index = 0; index < 500; index++, done++) through_each_other(type);
    chain(type, links - round % 2);
    done += links;
    check_all_came_back(before, objects);
  }
  printf("# %ld cycles, %lu sockets found\n", count, check_sysctl("net.local.recycled") - recycled);
}

TEST(nobody_is_held_up_by_cycles) {
  close_another();
  start_sleeper();
  CHECK_LATENCY("1,000 cycles", {
    for (int index = 0; index < 500; index++) through_itself(SOCK_STREAM);
    for (int index = 0; index < 500; index++) through_each_other(SOCK_DGRAM);
    close_another();
  });
  stop_sleeper();
}
