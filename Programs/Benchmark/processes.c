// processes.c: rows of making processes, and of handing the processor from one to another.

#include "benchmark.h"

#include <sys/umtx.h>

static void measure_small_child(void) {
  long signs = 0;
  for (int sample = 0; sample < 400; sample++) TIME_CHILD();
  end_row("fork_exit_wait_small", 1, signs);
}

static void measure_shared_child(void) {
  enum { size = 16 * MiB };
  long memory = NEED(map_shared(object_of(size), size));
  store_pages(memory, size);
  long signs = 0;
  for (int sample = 0; sample < 400; sample++) TIME_CHILD();
  end_row("fork_exit_wait_16M_shm_touched", 1, signs);
  signs = 0;
  // The child finds the address on its stack, as programs of some size do.
  volatile long address = memory;
  for (int sample = 0; sample < 100; sample++) TIME_CHILD(store_pages(address, size));
  end_row("fork_touch16M_exit_wait", 1, signs);
}

// Private memory that is stored to between two children, and then while a child has it, too.
static void measure_private_child(void) {
  enum { size = 16 * MiB, copied_pages = 1024 };
  long memory = NEED(map_private(size)), signs = 0;
  store_pages(memory, size);
  for (int sample = 0; sample < 20; sample++) {
    TIME_CHILD();
    store_pages(memory, size);
  }
  end_row("fork_exit_wait_16M_private_dirty", 1, signs);
  long child = NEED(fork_process());
  if (child == 0) {
    struct timespec long_time = {100, 0};
    kernel(SYS_nanosleep, &long_time, 0);
    end_process(0);
  }
  for (long page = 0; page < copied_pages; page++) {
    uint64_t start = time_stamp();
    store(memory + page * PAGE_SIZE);
    add_sample(time_stamp() - start);
  }
  end_row("fault_cow_copy", 1, 0);
  NEED(kernel(SYS_kill, child, SIGKILL));
  NEED(wait_for(child));
  uint64_t start = time_stamp();
  signs = unmap(memory, size);
  add_sample(time_stamp() - start);
  end_row("munmap_16M_private_touched", 1, signs);
}

static void measure_many_descriptors(void) {
  long file = object_of(16 * PAGE_SIZE), signs = 0;
  for (int number = 0; number < 1000; number++) NEED(kernel(SYS_dup, file));
  for (int sample = 0; sample < 20; sample++) TIME_CHILD();
  end_row("fork_exit_wait_1000_descriptors", 1, signs);
  uint64_t start = time_stamp();
  signs = kernel(SYS_close_range, file + 1, UINT32_MAX, 0);
  add_sample(time_stamp() - start);
  end_row("close_range_1000", 1, signs);
}

// A program that ends at its first instructions (quick.S).
static void measure_execution(void) {
  const char *words[] = {"quick", NULL}, *environment[] = {NULL};
  long signs = 0;
  for (int sample = -1; sample < 60; sample++) {
    uint64_t start = time_stamp();
    long child = fork_process();
    if (child == 0) {
      kernel(SYS_execve, "/bin/benchmark-quick", words, environment);
      end_process(9);
    }
    int status = 0;
    signs |= child | kernel(SYS_wait4, child, &status, 0, 0);
    if (sample >= 0) add_sample(time_stamp() - start);
    if (status != 0) signs = -1;
  }
  end_row("fork_exec_exit_wait", 1, signs);
}

// MARK: Two processes

// Words that both see, in cache lines of their own.
struct board {
  _Alignas(64) volatile uint32_t end;
  _Alignas(64) volatile uint32_t head;
  _Alignas(64) volatile uint32_t tail;
};

INLINE long yield(void) { return kernel(SYS_sched_yield); }

static struct board *new_board(void) { return (struct board *)NEED(map_shared(object_of(PAGE_SIZE), PAGE_SIZE)); }

static void measure_yielding(void) {
  MEASURE("sched_yield_alone", 500, 16, signs |= kernel(SYS_sched_yield););
  struct board *board = new_board();
  long child = NEED(fork_process());
  if (child == 0) {
    while (board->end == 0) yield();
    end_process(0);
  }
  yield();
  yield();
  enum { yields = 8 };
  long signs = 0;
  for (int sample = 0; sample < 500; sample++) {
    uint64_t start = time_stamp();
    for (int time = 0; time < yields; time++) signs |= yield();
    add_sample(time_stamp() - start);
  }
  end_row("yield_pingpong_2proc_per_switch", 2 * yields, signs);
  board->end = 1;
  NEED(wait_for(child));
}

// What one puts into a ring, the other takes out; both yield while they have nothing to do.
static void measure_ring(void) {
  struct board *board = new_board();
  long child = NEED(fork_process());
  if (child == 0) {
    for (;;) {
      while (board->tail == board->head) {
        if (board->end) end_process(0);
        yield();
      }
      board->tail++;
    }
  }
  enum { handovers = 16 };
  long signs = 0;
  for (int sample = 0; sample < 200; sample++) {
    uint64_t start = time_stamp();
    for (int time = 0; time < handovers; time++) {
      board->head++;
      while (board->tail != board->head) signs |= yield();
    }
    add_sample(time_stamp() - start);
  }
  end_row("ring_handover_roundtrip_by_yield", handovers, signs);
  board->end = 1;
  NEED(wait_for(child));
}

INLINE long await(volatile uint32_t *word, uint32_t value) {
  return kernel(SYS__umtx_op, word, UMTX_OP_WAIT_UINT, value, 0, 0);
}

INLINE long wake(volatile uint32_t *word) { return kernel(SYS__umtx_op, word, UMTX_OP_WAKE, 1, 0, 0); }

static void answer_words(struct board *board) {
  for (uint32_t seen = 0; seen != UINT32_MAX;) {
    while (board->head == seen) await(&board->head, seen);
    seen = board->head;
    board->tail = seen;
    wake(&board->tail);
  }
}

static void measure_words(void) {
  struct board *board = new_board();
  NEED(wake(&board->end));
  long child = NEED(fork_process());
  if (child == 0) {
    answer_words(board);
    end_process(0);
  }
  enum { round_trips = 8 };
  long signs = 0;
  for (int sample = 0; sample < 200; sample++) {
    uint64_t start = time_stamp();
    for (int time = 0; time < round_trips; time++) {
      uint32_t next = board->head + 1;
      board->head = next;
      signs |= wake(&board->head);
      while (board->tail != next) signs |= await(&board->tail, next - 1);
    }
    add_sample(time_stamp() - start);
  }
  end_row("umtx_pingpong_2proc_roundtrip", round_trips, signs);
  board->head = UINT32_MAX;
  wake(&board->head);
  NEED(wait_for(child));
}

const struct group process_groups[] = {
    {"fork_exit_wait_small", measure_small_child},
    {"fork_exit_wait_16M_shm_touched fork_touch16M_exit_wait", measure_shared_child},
    {"fork_exit_wait_16M_private_dirty fault_cow_copy munmap_16M_private_touched", measure_private_child},
    {"fork_exit_wait_1000_descriptors close_range_1000", measure_many_descriptors},
    {"fork_exec_exit_wait", measure_execution},
    {"sched_yield_alone yield_pingpong_2proc_per_switch", measure_yielding},
    {"ring_handover_roundtrip_by_yield", measure_ring},
    {"umtx_pingpong_2proc_roundtrip", measure_words},
    {NULL, NULL},
};
