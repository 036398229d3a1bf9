// stall_swap_test: page-out holds nobody up, however many processes map what is paged out. Needs swap.

#include "watch.h"

// A process that uses so many pages more than there are.
static void use_more_than_there_is(size_t pages) {
  CHECK_EXIT(0, {
    size_t byte_count = (check_sysctl("vm.stats.vm.v_free_count") + pages) * PAGE_SIZE;
    volatile char *memory = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (memory == MAP_FAILED) _exit(2);
    for (size_t page = 0; page < byte_count; page += PAGE_SIZE) memory[page] = 1;
  });
}

TEST(paging_out_what_five_hundred_processes_map) {
  enum { processes = 500 };
  share_with(processes);
  for (size_t pages = 2 * shared_pages; pages <= 8 * shared_pages; pages *= 2) use_more_than_there_is(pages);
  // They are paged out indeed.
  uint64_t before = check_sysctl("vm.stats.vm.v_swappgsin");
  for (int page = 0; page < shared_pages; page++) CHECK_EQUAL(shared_memory[page * PAGE_SIZE], 1);
  CHECK(check_sysctl("vm.stats.vm.v_swappgsin") >= before + shared_pages / 2);
  end_sharing(processes, "paging out what five hundred processes map");
}
