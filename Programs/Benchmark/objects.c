// objects.c: rows of shared memory objects: making, naming, finding, sizing, reading and writing them.

#include "benchmark.h"

#include <sys/uio.h>

static char name[24], other_name[24], buffer[MiB] __attribute__((aligned(PAGE_SIZE)));

static void measure_opening(void) {
  MEASURE("shm_anon_open_close", 2000, 8, {
    long file = open_anonymous();
    signs |= file | close_file(file);
  });
  write_name(name, 6, 1);
  MEASURE("shm_create_close_unlink", 2000, 4, {
    long file = create_named(name);
    signs |= file | close_file(file);
    signs |= kernel(SYS_shm_unlink, name);
  });
  NEED(close_file(NEED(create_named(name))));
  MEASURE("shm_open_existing_close", 2000, 8, {
    long file = open_named(name, O_RDWR);
    signs |= file | close_file(file);
  });
  NEED(kernel(SYS_shm_unlink, name));
}

// An object that is sized, mapped, stored to, unmapped and closed.
INLINE long use_page(long file) {
  long signs = file | set_size(file, PAGE_SIZE);
  long memory = map_shared(file, PAGE_SIZE);
  if (memory < 0) return memory;
  store(memory);
  signs |= unmap(memory, PAGE_SIZE);
  return signs | close_file(file);
}

static void measure_full_cycles(void) {
  write_name(name, 6, 1);
  MEASURE("shm_named_full_cycle_4k", 2000, 1, {
    signs |= use_page(create_named(name));
    signs |= kernel(SYS_shm_unlink, name);
  });
  MEASURE("shm_anon_full_cycle_4k", 2000, 1, signs |= use_page(open_anonymous()););
}

static void measure_sizes(void) {
  long file = object_of(0), signs = 0;
  for (int sample = 0; sample < 2000; sample++) {
    uint64_t start = time_stamp();
    signs |= set_size(file, MiB);
    add_sample(time_stamp() - start);
    signs |= set_size(file, 0);
  }
  end_row("ftruncate_grow_0_1M", 1, signs);
  signs = 0;
  for (int sample = 0; sample < 2000; sample++) {
    signs |= set_size(file, MiB);
    uint64_t start = time_stamp();
    signs |= set_size(file, 0);
    add_sample(time_stamp() - start);
  }
  end_row("ftruncate_shrink_1M_0_untouched", 1, signs);
  MEASURE("ftruncate_same", 200, 8, signs |= set_size(file, 0););
}

// Taking 256 pages away, which somebody still maps or nobody does any more.
static void measure_shrinking(const char *row, bool stays_mapped) {
  long file = object_of(0), signs = 0;
  for (int sample = 0; sample < 200; sample++) {
    signs |= set_size(file, MiB);
    long memory = NEED(map_shared(file, MiB));
    store_pages(memory, MiB);
    if (!stays_mapped) signs |= unmap(memory, MiB);
    uint64_t start = time_stamp();
    signs |= set_size(file, 0);
    add_sample(time_stamp() - start);
    if (stays_mapped) signs |= unmap(memory, MiB);
  }
  end_row(row, 1, signs);
}

static void measure_shrinkings(void) {
  measure_shrinking("ftruncate_shrink_1M_0_256pages", false);
  measure_shrinking("ftruncate_shrink_1M_0_256pages_mapped", true);
}

// A short transfer is a failure, too: the result is compared with what was asked for.
static void measure_transfers(void) {
  long file = object_of(MiB);
  // Few buffers of programs begin at a page.
  char *across = buffer + PAGE_SIZE / 2;
  MEASURE("pwrite_4k", 2000, 1, signs |= kernel(SYS_pwrite, file, across, PAGE_SIZE, 0) - PAGE_SIZE;);
  MEASURE("pread_4k", 2000, 1, signs |= kernel(SYS_pread, file, across, PAGE_SIZE, 0) - PAGE_SIZE;);
  for (int offset = 0; offset < MiB; offset += PAGE_SIZE) buffer[offset] = 1;
  MEASURE("pwrite_1M", 20, 1, signs |= kernel(SYS_pwrite, file, buffer, MiB, 0) - MiB;);
  MEASURE("pread_1M", 20, 1, signs |= kernel(SYS_pread, file, buffer, MiB, 0) - MiB;);
  MEASURE("pread_1byte", 200, 8, signs |= kernel(SYS_pread, file, buffer, 1, 0) - 1;);
  long small_file = object_of(PAGE_SIZE);
  const struct iovec pieces[] = {{buffer, 16}, {buffer + 64, 16}, {buffer + 128, 16}, {buffer + 256, 16}};
  MEASURE("pwritev_4x16", 100, 4, signs |= kernel(SYS_pwritev, small_file, pieces, 4, 0) - 64;);
}

static void measure_renaming(void) {
  write_name(name, 8, 5);
  write_name(other_name, 8, 6);
  NEED(close_file(NEED(create_named(name))));
  MEASURE("shm_rename_pair", 100, 1, {
    signs |= kernel(SYS_shm_rename, name, other_name, 0);
    signs |= kernel(SYS_shm_rename, other_name, name, 0);
  });
  NEED(kernel(SYS_shm_unlink, name));
}

// MARK: Many names

static uint32_t next_random(uint32_t *state) { return (*state = *state * 1103515245 + 12345) >> 8; }

static void measure_lookups(int count, const char *found_row, const char *missed_row, uint32_t *random) {
  long signs = 0;
  for (int sample = 0; sample < 4000; sample++) {
    write_name(name, 6, next_random(random) % (uint32_t)count);
    uint64_t start = time_stamp();
    long file = open_named(name, O_RDWR);
    add_sample(time_stamp() - start);
    signs |= file | close_file(file);
  }
  end_row(found_row, 1, signs);
  signs = 0;
  for (int sample = 0; sample < 2000; sample++) {
    write_name(name, 6, 0x800000 + next_random(random) % 100000);
    uint64_t start = time_stamp();
    long file = open_named(name, O_RDWR);
    add_sample(time_stamp() - start);
    signs |= ~file;
  }
  end_row(missed_row, 1, signs);
}

static void measure_names(void) {
  static const struct {
    int count;
    const char *found, *missed;
  } steps[] = {{1, "shm_open_lookup_1", "shm_open_miss_1"},
               {1000, "shm_open_lookup_1000", "shm_open_miss_1000"},
               {10000, "shm_open_lookup_10000", "shm_open_miss_10000"}};
  uint32_t random = 12345;
  int made = 0;
  for (size_t step = 0; step < sizeof steps / sizeof *steps; step++) {
    for (; made < steps[step].count; made++) {
      write_name(name, 6, (uint64_t)made);
      NEED(close_file(NEED(create_named(name))));
    }
    measure_lookups(made, steps[step].found, steps[step].missed, &random);
  }
  long signs = 0;
  while (made-- > 0) {
    write_name(name, 6, (uint64_t)made);
    uint64_t start = time_stamp();
    signs |= kernel(SYS_shm_unlink, name);
    add_sample(time_stamp() - start);
  }
  end_row("shm_unlink_from_10000", 1, signs);
}

// The writing of the names is part of these.
static void measure_hundred_thousand_names(void) {
  enum { count = 100000 };
  long signs = 0;
  uint64_t start = time_stamp();
  for (uint64_t number = 0; number < count; number++) {
    write_name(name, 8, number);
    long file = create_named(name);
    signs |= file | close_file(file);
  }
  end_row_of_mean("names_create_close_100000", time_stamp() - start, count, signs);
  signs = 0;
  start = time_stamp();
  for (uint64_t number = 0; number < count; number++) {
    write_name(name, 8, number * 7919 % count);
    long file = open_named(name, O_RDWR);
    signs |= file | close_file(file);
  }
  end_row_of_mean("names_lookup_close_among_100000", time_stamp() - start, count, signs);
  signs = 0;
  start = time_stamp();
  for (uint64_t number = 0; number < count; number++) {
    write_name(name, 8, number);
    signs |= kernel(SYS_shm_unlink, name);
  }
  end_row_of_mean("names_unlink_100000", time_stamp() - start, count, signs);
}

const struct group object_groups[] = {
    {"shm_anon_open_close shm_create_close_unlink shm_open_existing_close", measure_opening},
    {"shm_named_full_cycle_4k shm_anon_full_cycle_4k", measure_full_cycles},
    {"ftruncate_grow_0_1M ftruncate_shrink_1M_0_untouched ftruncate_same", measure_sizes},
    {"ftruncate_shrink_1M_0_256pages ftruncate_shrink_1M_0_256pages_mapped", measure_shrinkings},
    {"pwrite_4k pread_4k pwrite_1M pread_1M pread_1byte pwritev_4x16", measure_transfers},
    {"shm_rename_pair", measure_renaming},
    {"shm_open_lookup_1 shm_open_miss_1 shm_open_lookup_1000 shm_open_miss_1000 shm_open_lookup_10000 shm_open_miss_10000 "
     "shm_unlink_from_10000",
     measure_names},
    {"names_create_close_100000 names_lookup_close_among_100000 names_unlink_100000", measure_hundred_thousand_names},
    {NULL, NULL},
};
