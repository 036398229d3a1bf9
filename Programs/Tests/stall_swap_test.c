// stall_swap_test: page-out holds nobody up, however many processes map what is paged out. Needs swap.

#include "watch.h"

enum { shared_pages = 256, processes = 500 };
static volatile char *shared_memory;

static void use_shared_memory(int number) {
  (void)number;
  for (int page = 0; page < shared_pages; page++) (void)shared_memory[page * PAGE_SIZE];
  __atomic_add_fetch(&common->started, 1, __ATOMIC_SEQ_CST);
  while (common->due == 0) usleep(50000);
}

TEST(paging_out_what_five_hundred_processes_map) {
  make_common();
  begin_watching();
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, shared_pages * PAGE_SIZE), 0);
  shared_memory = mmap(NULL, shared_pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(shared_memory != MAP_FAILED);
  memset((void *)shared_memory, 1, shared_pages * PAGE_SIZE);
  CHECK_EQUAL(make_children(processes, use_shared_memory), processes);
  while (common->started < processes) usleep(1000);
  watch_from_here();
  uint64_t before = check_sysctl("vm.stats.vm.v_swappgsout");
  // More than there is.
  CHECK_EXIT(0, {
    size_t byte_count = (check_sysctl("vm.stats.vm.v_free_count") + 2 * shared_pages) * PAGE_SIZE;
    volatile char *memory = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (memory == MAP_FAILED) _exit(2);
    for (size_t page = 0; page < byte_count; page += PAGE_SIZE) memory[page] = 1;
  });
  CHECK(check_sysctl("vm.stats.vm.v_swappgsout") > before + shared_pages);
  end_watching("paging out what five hundred processes map");
  common->due = 1;
  for (int number = 0; number < processes; number++) check_wait(WAIT_ANY);
}
