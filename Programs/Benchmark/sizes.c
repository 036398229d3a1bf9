// sizes.c: cost against size: points of lines, each "LINE SIZE INSTRUCTIONS OPERATIONS". Where one operation at a time can be
// repeated, a point is the least of some samples; where all are done at once, it is what they take together.

#include "benchmark.h"

static uint64_t least_of(uint64_t least, uint64_t start) {
  uint64_t taken = time_stamp() - start;
  return taken < least ? taken : least;
}

// Looking a name up, among so many.
static void plot_names(void) {
  static char name[24];
  long made = 0;
  for (long size = 1; size <= 100000; size *= 10) {
    for (; made < size; made++) {
      write_name(name, 6, (uint64_t)made);
      NEED(close_file(NEED(create_named(name))));
    }
    // The mean over names, of the least for each of them.
    enum { names = 200 };
    uint64_t sum = 0;
    long signs = 0;
    for (uint64_t number = 0; number < names; number++) {
      write_name(name, 6, number * 7919 * 7919 % (uint64_t)size);
      uint64_t least = UINT64_MAX;
      for (int sample = 0; sample < 3; sample++) {
        uint64_t start = time_stamp();
        long file = open_named(name, O_RDWR);
        least = least_of(least, start);
        signs |= file | close_file(file);
      }
      sum += least;
    }
    print_point("name", size, sum, names, signs);
  }
  while (made-- > 0) {
    write_name(name, 6, (uint64_t)made);
    NEED(kernel(SYS_shm_unlink, name));
  }
}

// mmap and munmap of a page, among so many mappings.
static void plot_mappings(void) {
  long file = object_of(PAGE_SIZE), made = 0;
  for (long size = 1; size <= 100000; size *= 10) {
    for (; made < size; made++) NEED(map_shared(file, PAGE_SIZE));
    uint64_t least = UINT64_MAX;
    long signs = 0;
    for (int sample = 0; sample < 50; sample++) {
      uint64_t start = time_stamp();
      long memory = map_shared(file, PAGE_SIZE);
      signs |= memory | unmap(memory, PAGE_SIZE);
      least = least_of(least, start);
    }
    print_point("mapping", size, least, 1, signs);
  }
}

static uint64_t least_child(long *signs) {
  uint64_t least = UINT64_MAX;
  for (int sample = 0; sample < 10; sample++) {
    uint64_t start = time_stamp();
    long child = fork_process();
    if (child == 0) end_process(0);
    *signs |= child | wait_for(child);
    least = least_of(least, start);
  }
  return least;
}

// What a descriptor adds to fork, exit and wait.
static void plot_descriptors(void) {
  long file = object_of(PAGE_SIZE), made = 0, signs = 0;
  uint64_t none = least_child(&signs);
  for (long size = 10; size <= 10000; size *= 10) {
    for (; made < size; made++) NEED(kernel(SYS_dup, file));
    uint64_t many = least_child(&signs);
    print_point("descriptor", size, many > none ? many - none : 0, size, signs);
  }
}

static struct crowd {
  volatile uint64_t arrived, instructions;
} *crowd;
static long children[1000];

// Makes children up to a number of them, which run something and then sleep.
static void gather(long made, long size, void (*run)(long), long argument) {
  struct timespec hour = {3600, 0};
  for (long number = made; number < size; number++) {
    children[number] = NEED(fork_process());
    if (children[number] == 0) {
      run(argument);
      crowd->arrived++;
      kernel(SYS_nanosleep, &hour, 0);
      end_process(0);
    }
    while (crowd->arrived <= (uint64_t)number) kernel(SYS_sched_yield);
  }
}

static void disperse(long size) {
  for (long number = 0; number < size; number++) {
    NEED(kernel(SYS_kill, children[number], SIGKILL));
    NEED(wait_for(children[number]));
  }
}

static void make_crowd(void) {
  crowd = (struct crowd *)NEED(map_shared(object_of(PAGE_SIZE), PAGE_SIZE));
}

static void do_nothing(long argument) { (void)argument; }

// fork, exit and wait, among so many processes.
static void plot_processes(void) {
  make_crowd();
  long made = 0, signs = 0;
  for (long size = 1; size <= 1000; size *= 10) {
    gather(made, size, do_nothing, 0);
    made = size;
    print_point("process", size, least_child(&signs), 1, signs);
  }
  disperse(made);
}

enum { shared_pages = 16 };

// Every sharer touches all pages; what it takes is kept in the crowd's words.
static void touch_shared(long memory) {
  uint64_t start = time_stamp();
  store_pages(memory, shared_pages * PAGE_SIZE);
  crowd->instructions = time_stamp() - start;
}

// The first touch of a page, by the last of so many sharers; and taking it away from them all, for each of them.
static void plot_sharers(void) {
  make_crowd();
  for (long size = 1; size <= 1000; size *= 10) {
    long file = object_of(shared_pages * PAGE_SIZE), memory = NEED(map_shared(file, shared_pages * PAGE_SIZE));
    store_pages(memory, shared_pages * PAGE_SIZE);
    crowd->arrived = 0;
    gather(0, size, touch_shared, memory);
    print_point("sharer", size, crowd->instructions, shared_pages, 0);
    uint64_t start = time_stamp();
    long signs = set_size(file, 0);
    print_point("taking-away", size, time_stamp() - start, shared_pages * (size + 1), signs);
    disperse(size);
    NEED(unmap(memory, shared_pages * PAGE_SIZE) | close_file(file));
  }
}

// The pages of an object, each: touched first, unmapped, and destroyed.
static void plot_pages(void) {
  for (long size = 1; size <= 100000; size *= 10) {
    long bytes = size * PAGE_SIZE, file = object_of(bytes), memory = NEED(map_shared(file, bytes));
    uint64_t start = time_stamp();
    store_pages(memory, bytes);
    print_point("first-touch", size, time_stamp() - start, size, 0);
    start = time_stamp();
    long signs = unmap(memory, bytes);
    print_point("unmapping", size, time_stamp() - start, size, signs);
    start = time_stamp();
    signs = close_file(file);
    print_point("destruction", size, time_stamp() - start, size, signs);
  }
}

const struct group size_groups[] = {
    {"name", plot_names},
    {"mapping", plot_mappings},
    {"descriptor", plot_descriptors},
    {"process", plot_processes},
    {"sharer taking-away", plot_sharers},
    {"first-touch unmapping destruction", plot_pages},
    {NULL, NULL},
};
