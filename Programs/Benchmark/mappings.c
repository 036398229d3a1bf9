// mappings.c: rows of mapping, unmapping, protecting and asking about mappings.

#include "benchmark.h"

INLINE long map_at(long file, long size, long offset) {
  return kernel(SYS_mmap, 0, size, READ_WRITE, MAP_SHARED, file, offset);
}

INLINE long protect(long address, long size, int protection) {
  return kernel(SYS_mprotect, address, size, protection);
}

// Maps part of a file, and unmaps it.
#define MAP_AND_UNMAP(size, offset)            \
  {                                            \
    long memory = map_at(file, size, offset);  \
    signs |= memory | unmap(memory, size);     \
  }

static void measure_mapping(void) {
  long file = object_of(MiB);
  MEASURE("mmap_munmap_4k_untouched", 2000, 4, MAP_AND_UNMAP(PAGE_SIZE, 2 * PAGE_SIZE));
  long resident = NEED(map_shared(file, PAGE_SIZE));
  store(resident);
  NEED(unmap(resident, PAGE_SIZE));
  MEASURE("mmap_touch_munmap_4k_resident", 2000, 1, {
    long memory = map_shared(file, PAGE_SIZE);
    if (memory > 0) store(memory);
    signs |= memory | unmap(memory, PAGE_SIZE);
  });
  MEASURE("mmap_munmap_1M_untouched", 1000, 1, MAP_AND_UNMAP(MiB, 0));
}

static void measure_mapping_among_many(void) {
  enum { count = 1000 };
  long file = object_of(16 * PAGE_SIZE);
  for (int number = 0; number < count; number++)
    NEED(kernel(SYS_mmap, 0, PAGE_SIZE, READ_WRITE, number & 1 ? MAP_SHARED : MAP_PRIVATE, file, 0));
  long signs = 0;
  for (int sample = 0; sample < 20; sample++) TIME_CHILD();
  end_row("fork_exit_wait_1000_mappings", 1, signs);
  MEASURE("mmap_munmap_4k_among_1000", 200, 1, MAP_AND_UNMAP(PAGE_SIZE, 0));
}

static void measure_protecting(void) {
  long memory = NEED(map_shared(object_of(MiB), PAGE_SIZE));
  store(memory);
  MEASURE("mprotect_r_rw_pair", 2000, 1, {
    signs |= protect(memory, PAGE_SIZE, PROT_READ);
    signs |= protect(memory, PAGE_SIZE, READ_WRITE);
  });
  MEASURE("mprotect_none_rw_touch", 2000, 1, {
    signs |= protect(memory, PAGE_SIZE, PROT_NONE);
    signs |= protect(memory, PAGE_SIZE, READ_WRITE);
    store(memory);
  });
}

// A program has other mappings, too, behind which lies what is measured next. In a tree of few mappings it makes a difference
// of a level or two how many there are.
static void map_neighbours(int count) {
  while (count-- > 0) NEED(map_shared(object_of(PAGE_SIZE), PAGE_SIZE));
}

static void measure_four_megabytes(void) {
  enum { size = 4 * MiB };
  // As many as put the mapping where it is in the program that FreeBSD was measured with.
  map_neighbours(4);
  long file = object_of(size), memory = NEED(map_shared(file, size));
  store_pages(memory, size);
  MEASURE("mprotect_4M_touched_r_rw_pair", 20, 1, {
    signs |= protect(memory, size, PROT_READ);
    signs |= protect(memory, size, READ_WRITE);
  });
  MEASURE("mprotect_page_in_middle_split_pair", 100, 1, {
    signs |= protect(memory + 2 * PAGE_SIZE, PAGE_SIZE, PROT_READ);
    signs |= protect(memory + 2 * PAGE_SIZE, PAGE_SIZE, READ_WRITE);
  });
  enum { hole = 10 * PAGE_SIZE };
  MEASURE("munmap_hole_and_mapfixed", 100, 1, {
    signs |= unmap(memory + hole, PAGE_SIZE);
    signs |= kernel(SYS_mmap, memory + hole, PAGE_SIZE, READ_WRITE, MAP_SHARED | MAP_FIXED, file, hole);
  });
  char residence[size / PAGE_SIZE];
  MEASURE("mincore_4M", 50, 1, signs |= kernel(SYS_mincore, memory, size, residence););
  NEED(kernel(SYS_madvise, memory, size, MADV_FREE));
  MEASURE("msync_4k", 100, 1, signs |= kernel(SYS_msync, memory, PAGE_SIZE, MS_SYNC););
}

static void measure_private_mappings(void) {
  map_neighbours(1);
  MEASURE("mmap_munmap_anon_16M_untouched", 100, 1, {
    long memory = map_private(16 * MiB);
    signs |= memory | unmap(memory, 16 * MiB);
  });
  MEASURE("mmap_touch_munmap_anon_64k", 100, 1, {
    long memory = map_private(64 * KiB);
    if (memory > 0) store_pages(memory, 64 * KiB);
    signs |= memory | unmap(memory, 64 * KiB);
  });
}

static void measure_sparse(void) {
  enum { touched = 16 };
  long size = GiB, file = object_of(size);
  MEASURE("mmap_1G_sparse_touch16_munmap", 50, 1, {
    long memory = map_shared(file, size);
    if (memory > 0)
      for (long place = 0; place < touched; place++) store(memory + place * (size / touched));
    signs |= memory | unmap(memory, size);
  });
  MEASURE("ftruncate_1G_sparse16_shrink_grow", 50, 1, {
    signs |= set_size(file, 0);
    signs |= set_size(file, size);
  });
}

const struct group mapping_groups[] = {
    {"mmap_munmap_4k_untouched mmap_touch_munmap_4k_resident mmap_munmap_1M_untouched", measure_mapping},
    {"fork_exit_wait_1000_mappings mmap_munmap_4k_among_1000", measure_mapping_among_many},
    {"mprotect_r_rw_pair mprotect_none_rw_touch", measure_protecting},
    {"mprotect_4M_touched_r_rw_pair mprotect_page_in_middle_split_pair munmap_hole_and_mapfixed mincore_4M msync_4k",
     measure_four_megabytes},
    {"mmap_munmap_anon_16M_untouched mmap_touch_munmap_anon_64k", measure_private_mappings},
    {"mmap_1G_sparse_touch16_munmap ftruncate_1G_sparse16_shrink_grow", measure_sparse},
    {NULL, NULL},
};
