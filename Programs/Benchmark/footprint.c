// footprint.c: bytes of kernel memory that one of each kind of thing takes: so many of them are made, and the frames that are
// then missing are divided by their number. A first batch is made before that one, so that what is taken for many at a time
// (slabs, pages of tables) evens out. One kind is measured in a boot: what others had taken and given back would not be missing.

#include "benchmark.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/sysctl.h>
#include <sys/thr.h>
#include <unistd.h>

// Makes the thing with this number.
struct kind {
  const char *name;
  long count;
  void (*prepare)(void), (*make)(long number);
  // What of it are pages of the program's own.
  long own_bytes;
};

static long object, base;

static uint64_t node(const char *name) {
  uint64_t value = 0;
  size_t length = sizeof value;
  if (sysctlbyname(name, &value, &length, NULL, 0) != 0) NEED(-1);
  return value;
}

static void prepare_nothing(void) {}
static void prepare_object(void) { object = object_of(PAGE_SIZE); }

static void make_name(long number) {
  char name[24];
  write_name(name, 6, (uint64_t)number);
  NEED(close_file(NEED(create_named(name))));
}

static void make_open_object(long number) {
  (void)number;
  NEED(open_anonymous());
}

static void make_descriptor(long number) {
  (void)number;
  NEED(kernel(SYS_dup, object));
}

static void make_mapping(long number) {
  (void)number;
  NEED(map_shared(object, PAGE_SIZE));
}

static void make_pipe(long number) {
  (void)number;
  int ends[2];
  NEED(kernel(SYS_pipe2, ends, 0));
}

static void make_socket_pair(long number) {
  (void)number;
  int ends[2];
  NEED(kernel(SYS_socketpair, PF_LOCAL, SOCK_STREAM, 0, ends));
}

static void make_queue(long number) {
  (void)number;
  NEED(kernel(SYS_kqueue));
}

// A child that sleeps at once.
static void make_process(long number) {
  (void)number;
  struct timespec hour = {3600, 0};
  if (NEED(fork_process()) == 0) {
    kernel(SYS_nanosleep, &hour, 0);
    end_process(0);
  }
  kernel(SYS_sched_yield);
}

// MARK: Threads

enum { stack_bytes = PAGE_SIZE, most_threads = 700 };

static void prepare_stacks(void) {
  base = NEED(map_private(2 * most_threads * stack_bytes));
  store_pages(base, 2 * most_threads * stack_bytes);
}

static void sleep_long(void *argument) {
  (void)argument;
  struct timespec hour = {3600, 0};
  for (;;) kernel(SYS_nanosleep, &hour, 0);
}

static void make_thread(long number) {
  struct thr_param parameters = {
      .start_func = sleep_long, .stack_base = (char *)base + number * stack_bytes, .stack_size = stack_bytes};
  NEED(kernel(SYS_thr_new, &parameters, sizeof parameters));
  kernel(SYS_sched_yield);
}

// MARK: Pages

static const long far_apart = 2 * MiB;
enum { most_pages = 4000 };

static void prepare_sparse(void) {
  object = NEED(open_anonymous());
  NEED(set_size(object, 2 * most_pages * far_apart));
  base = NEED(map_shared(object, 2 * most_pages * far_apart));
}

// Pages that are there are read through the mapping, which takes pages of tables.
static void prepare_sparse_pages(void) {
  prepare_sparse();
  for (long number = 0; number < 2 * most_pages; number++)
    NEED(kernel(SYS_pwrite, object, "x", 1, number * far_apart));
}

static void make_far_page(long number) { NEED(kernel(SYS_pwrite, object, "x", 1, number * far_apart)); }
static void make_near_page(long number) { NEED(kernel(SYS_pwrite, object, "x", 1, number * PAGE_SIZE)); }
static void map_far_page(long number) { load(base + number * far_apart); }

static void prepare_near_pages(void) {
  prepare_sparse();
  for (long number = 0; number < 2 * most_pages; number++) NEED(kernel(SYS_pwrite, object, "x", 1, number * PAGE_SIZE));
}

static void map_near_page(long number) { load(base + number * PAGE_SIZE); }

static const struct kind kinds[] = {
    {"shared memory object with its name", 20000, prepare_nothing, make_name, 0},
    {"shared memory object without a name, its open file and descriptor", 4000, prepare_nothing, make_open_object, 0},
    {"descriptor", 4000, prepare_object, make_descriptor, 0},
    {"mapping", 20000, prepare_object, make_mapping, 0},
    {"pipe, its two open files and descriptors", 400, prepare_nothing, make_pipe, 0},
    {"pair of sockets, its two open files and descriptors", 1000, prepare_nothing, make_socket_pair, 0},
    {"kqueue, its open file and descriptor", 1000, prepare_nothing, make_queue, 0},
    {"process with the pages of its tables and of its stack", 400, prepare_nothing, make_process, 0},
    {"thread that sleeps", most_threads, prepare_stacks, make_thread, 0},
    {"index of an object, for a page among others", most_pages, prepare_sparse, make_near_page, PAGE_SIZE},
    {"index of an object, for a page alone in its 2 MiB", most_pages, prepare_sparse, make_far_page, PAGE_SIZE},
    {"table entry, for a page among others", most_pages, prepare_near_pages, map_near_page, 0},
    {"page table, for a page alone in its 2 MiB", most_pages, prepare_sparse_pages, map_far_page, 0},
};

static void measure_kind(const struct kind *kind) {
  kind->prepare();
  for (long number = 0; number < kind->count; number++) kind->make(number);
  uint64_t free_pages = node("vm.stats.vm.v_free_count"), heap = node("vm.martlet.heap_bytes");
  for (long number = 0; number < kind->count; number++) kind->make(kind->count + number);
  long pages = (long)(free_pages - node("vm.stats.vm.v_free_count"));
  long heap_bytes = (long)(node("vm.martlet.heap_bytes") - heap);
  printf("| %s | %ld | %ld | %ld |\n", kind->name, kind->count, pages * PAGE_SIZE / kind->count - kind->own_bytes,
         heap_bytes / kind->count);
  fflush(stdout);
}

bool print_footprint(size_t kind) {
  if (kind >= sizeof kinds / sizeof *kinds) return false;
  measure_kind(&kinds[kind]);
  return true;
}
