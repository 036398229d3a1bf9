// faults.c: rows of page faults, and of what is mapped in bulk. Each page of a row is a sample, so that the mean of a fault row
// is over every page touched: it is what it is judged by.

#include "benchmark.h"

enum kind { STORE, LOAD };

// A sample for every page of a mapping, or for one of `step`.
static void touch_each(long memory, long first, long count, long step, enum kind kind) {
  for (long page = first; page < count; page += step) {
    uint64_t start = time_stamp();
    if (kind == STORE)
      store(memory + page * PAGE_SIZE);
    else
      load(memory + page * PAGE_SIZE);
    add_sample(time_stamp() - start);
  }
}

// First touches of new objects.
static void measure_zero_fill(const char *row, int rounds, long size, enum kind kind) {
  long signs = 0;
  for (int round = 0; round < rounds; round++) {
    long file = object_of(size), memory = NEED(map_shared(file, size));
    touch_each(memory, 0, size / PAGE_SIZE, 1, kind);
    signs |= unmap(memory, size) | close_file(file);
  }
  end_row(row, 1, signs);
}

static void measure_zero_fills(void) {
  measure_zero_fill("fault_write_zerofill_1M_obj", 16, MiB, STORE);
  measure_zero_fill("fault_write_zerofill_8M_obj", 4, 8 * MiB, STORE);
  measure_zero_fill("fault_read_zerofill_1M_obj", 16, MiB, LOAD);
}

static void measure_private_fill(void) {
  long signs = 0;
  for (int round = 0; round < 16; round++) {
    long memory = NEED(map_private(MiB));
    touch_each(memory, 0, megabyte_pages, 1, STORE);
    signs |= unmap(memory, MiB);
  }
  end_row("fault_write_private_anon_1M", 1, signs);
}

// MARK: Pages that another process has made

// A sample that is the mean over all pages of a mapping.
static void touch_all(long memory, long size) {
  uint64_t start = time_stamp();
  store_pages(memory, size);
  add_sample((time_stamp() - start) / (uint64_t)(size / PAGE_SIZE));
}

struct minor_row {
  const char *name;
  long size;
  // 0: all pages in order, a sample for a pass.
  long step;
  enum kind kind;
};

// In a child, which maps an object all of whose pages are there.
static void touch_resident(const struct minor_row *row, long file) {
  enum { rounds = 40, first_page = 104 };
  long signs = 0;
  for (int round = 0; round < rounds; round++) {
    long memory = NEED(map_shared(file, row->size));
    if (row->step != 0)
      touch_each(memory, first_page, row->size / PAGE_SIZE, row->step, row->kind);
    else
      touch_all(memory, row->size);
    signs |= unmap(memory, row->size);
  }
  end_row(row->name, 1, signs);
}

static void measure_minor_faults(void) {
  static const struct minor_row rows[] = {
      {"fault_minor_2ndproc_write_stride16", MiB, 16, STORE},
      {"fault_minor_2ndproc_read_stride16", MiB, 16, LOAD},
      {"fault_minor_2ndproc_write_seq_per_page", MiB, 0, STORE},
      {"fault_minor_2ndproc_write_seq_16M_per_page", 16 * MiB, 0, STORE},
  };
  for (size_t index = 0; index < sizeof rows / sizeof *rows; index++) {
    long file = object_of(rows[index].size), memory = NEED(map_shared(file, rows[index].size));
    store_pages(memory, rows[index].size);
    long child = NEED(fork_process());
    if (child == 0) {
      touch_resident(&rows[index], file);
      end_process(0);
    }
    NEED(wait_for(child));
    NEED(unmap(memory, rows[index].size) | close_file(file));
  }
}

// MARK: 64 MiB at once

// Every word of a mapping.
static void fill(volatile uint64_t *words, long size) {
  for (uint64_t index = 0; index < (uint64_t)size / sizeof *words; index += 8) {
    words[index] = index;
    words[index + 1] = index;
    words[index + 2] = index;
    words[index + 3] = index;
    words[index + 4] = index;
    words[index + 5] = index;
    words[index + 6] = index;
    words[index + 7] = index;
  }
}

static void sample_filling(long memory, long size) {
  uint64_t start = time_stamp();
  fill((volatile uint64_t *)memory, size);
  add_sample((time_stamp() - start) / (uint64_t)(size / PAGE_SIZE));
}

static void measure_bulk(void) {
  enum { size = 64 * MiB, rounds = 5 };
  long signs = 0;
  for (int round = 0; round < rounds; round++) {
    long file = object_of(size), memory = NEED(map_shared(file, size));
    sample_filling(memory, size);
    signs |= unmap(memory, size) | close_file(file);
  }
  end_row("write_64M_fresh_per_4k", 1, signs);
  long file = object_of(size), memory = NEED(map_shared(file, size));
  fill((volatile uint64_t *)memory, size);
  for (int round = 0; round < rounds; round++) sample_filling(memory, size);
  end_row("write_64M_resident_per_4k", 1, 0);
  uint64_t start = time_stamp();
  signs = unmap(memory, size);
  add_sample(time_stamp() - start);
  end_row("munmap_64M_touched", 1, signs);
  start = time_stamp();
  signs = close_file(file);
  add_sample(time_stamp() - start);
  end_row("close_last_64M_touched", 1, signs);
}

const struct group fault_groups[] = {
    {"fault_write_zerofill_1M_obj fault_write_zerofill_8M_obj fault_read_zerofill_1M_obj", measure_zero_fills},
    {"fault_write_private_anon_1M", measure_private_fill},
    {"fault_minor_2ndproc_write_stride16 fault_minor_2ndproc_read_stride16 fault_minor_2ndproc_write_seq_per_page "
     "fault_minor_2ndproc_write_seq_16M_per_page",
     measure_minor_faults},
    {"write_64M_fresh_per_4k write_64M_resident_per_4k munmap_64M_touched close_last_64M_touched", measure_bulk},
    {NULL, NULL},
};
