// swap_test: issue 2, acceptance 7. With 64 MiB of memory and 24 MiB of swap, a shared object of one and a half times the
// memory that was free is written, verified in order and at random, and given back.

#include "check.h"

static uint64_t pattern(uint64_t page, uint64_t word) { return (page + 1) * 0x9e3779b97f4a7c15 ^ (word << 40 | page); }

static void check_page(volatile uint64_t *memory, uint64_t page) {
  static const uint64_t words[] = {0, 1, 63, 255, 511};
  for (size_t index = 0; index < nitems(words); index++)
    if (memory[page * 512 + words[index]] != pattern(page, words[index]))
      check_failed(__FILE__, __LINE__, "page %lu, word %lu is 0x%lx", page, words[index],
                   memory[page * 512 + words[index]]);
}

TEST(one_and_a_half_times_the_free_memory) {
  uint64_t unused = check_sysctl("vm.stats.vm.v_free_count"), pages = unused + unused / 2;
  uint64_t in = check_sysctl("vm.stats.vm.v_swappgsin"), out = check_sysctl("vm.stats.vm.v_swappgsout");
  uint64_t reserved = check_sysctl("vm.swap_reserved");
  printf("# swap: %lu pages free, writing %lu, swap %lu bytes\n", unused, pages, check_sysctl("vm.swap_total"));
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, (off_t)(pages * PAGE_SIZE)), 0);
  volatile uint64_t *memory = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  for (uint64_t page = 0; page < pages; page++)
    for (uint64_t word = 0; word < 512; word += word == 0 || word == 511 ? 1 : word == 1 ? 62 : word == 63 ? 192 : 256)
      memory[page * 512 + word] = pattern(page, word);
  struct stat status;
  CHECK_EQUAL(fstat(descriptor, &status), 0);
  CHECK_EQUAL(status.st_blocks, pages);
  CHECK_EQUAL(check_sysctl("vm.swap_reserved"), reserved + pages * PAGE_SIZE);

  for (uint64_t page = 0; page < pages; page++) check_page(memory, page);
  uint32_t state = 12345;
  for (int index = 0; index < 3000; index++) {
    state = state * 1103515245 + 12345;
    uint64_t page = (state >> 8) % pages;
    check_page(memory, page);
    if (index % 3 == 0) memory[page * 512 + 100] = page;
  }
  // Through read(2) too, which pages in as a fault does, and in a child.
  static uint64_t words[512];
  for (uint64_t page = 0; page < pages; page += 37) {
    CHECK_EQUAL(pread(descriptor, words, PAGE_SIZE, (off_t)(page * PAGE_SIZE)), PAGE_SIZE);
    CHECK_EQUAL(words[63], pattern(page, 63));
  }
  CHECK_EXIT(0, for (uint64_t page = 0; page < pages; page += 11) check_page(memory, page));

  uint64_t paged_in = check_sysctl("vm.stats.vm.v_swappgsin") - in;
  uint64_t paged_out = check_sysctl("vm.stats.vm.v_swappgsout") - out;
  printf("# swap: %lu pages in, %lu pages out\n", paged_in, paged_out);
  CHECK(paged_in > 0 && paged_out > 0);
  CHECK_EQUAL(munmap((void *)memory, pages * PAGE_SIZE), 0);
  CHECK_EQUAL(close(descriptor), 0);
  CHECK_EQUAL(check_sysctl("vm.swap_reserved"), reserved);
  uint64_t after = check_sysctl("vm.stats.vm.v_free_count");
  printf("# swap: %lu pages free at the end\n", after);
  CHECK(after + 64 >= unused);
}

TEST(truncation_of_what_is_swapped_out) {
  uint64_t unused = check_sysctl("vm.stats.vm.v_free_count"), pages = unused + unused / 3;
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, (off_t)(pages * PAGE_SIZE)), 0);
  volatile uint64_t *memory = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  for (uint64_t page = 0; page < pages; page++) memory[page * 512] = memory[page * 512 + 511] = page + 1;
  // Most pages have been paged out by now; the tail of the new last one must be zero when it comes back.
  CHECK_EQUAL(ftruncate(descriptor, 10 * PAGE_SIZE + 100), 0);
  CHECK_EQUAL(ftruncate(descriptor, (off_t)(pages * PAGE_SIZE)), 0);
  CHECK(memory[10 * 512] == 11 && memory[10 * 512 + 511] == 0);
  for (uint64_t page = 11; page < pages; page += 13) CHECK_EQUAL(memory[page * 512], 0);
  for (uint64_t page = 0; page < 10; page++) CHECK_EQUAL(memory[page * 512 + 511], page + 1);
}

TEST(private_memory_is_swapped_too) {
  uint64_t pages = check_sysctl("vm.stats.vm.v_free_count") * 5 / 4;
  volatile uint64_t *memory = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  for (uint64_t page = 0; page < pages; page++) memory[page * 512] = pattern(page, 0);
  CHECK_EXIT(0, {
    for (uint64_t page = 0; page < pages; page += 5) CHECK_EQUAL(memory[page * 512], pattern(page, 0));
    memory[0] = 1;
  });
  for (uint64_t page = 0; page < pages; page++) CHECK_EQUAL(memory[page * 512], pattern(page, 0));
}

// Pages that are in memory as they are in swap, until somebody stores to them through a mapping that is gone before they go out.
TEST(a_store_goes_out_again_when_its_mapping_has_gone) {
  enum { WINDOW = 64 };
  uint64_t pages = check_sysctl("vm.stats.vm.v_free_count") * 5 / 4 & ~(uint64_t)(WINDOW - 1);
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, (off_t)(pages * PAGE_SIZE)), 0);
  for (uint64_t round = 0; round < 4; round++) {
    // The second and the last round only look; they leave pages behind that are clean.
    int stores = round % 2 == 0;
    for (uint64_t start = 0; start < pages; start += WINDOW) {
      volatile uint64_t *memory = mmap(NULL, WINDOW * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor,
                                       (off_t)(start * PAGE_SIZE));
      CHECK(memory != MAP_FAILED);
      for (uint64_t page = 0; page < WINDOW; page++) {
        CHECK_EQUAL(memory[page * 512], round == 0 ? 0 : pattern(start + page, (round - 1) / 2));
        if (stores) memory[page * 512] = pattern(start + page, round / 2);
      }
      CHECK_EQUAL(munmap((void *)memory, WINDOW * PAGE_SIZE), 0);
    }
  }
}
