// holding.c: a worker that takes a share of the free memory and uses it at random, so that pages of everybody go out and come
// back; what it stored must be there again. It is the first to be killed when memory runs out.

#include "checked.h"

#include <sys/sysctl.h>

enum { ROUND = 200 };

static uint64_t free_pages(void) {
  uint32_t count = 0;
  size_t length = sizeof count;
  sysctlbyname("vm.stats.vm.v_free_count", &count, &length, NULL, 0);
  return count;
}

// Uses so many pages for some rounds.
static void hold(uint64_t pages, struct generator *generator) {
  uint64_t *memory = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (!allowed("mmap", (long)memory)) {
    usleep(5000);
    return;
  }
  uint64_t key = draw(generator) | 1;
  // The first word of a page says which it is, the last one how often it was used.
  for (uint64_t round = 0, rounds = pages / 50 + below(generator, 100); round < rounds && !board->stop; round++) {
    uint64_t first = below(generator, pages), dense = below(generator, 2);
    for (int step = 0; step < ROUND; step++) {
      uint64_t page = dense ? (first + (uint64_t)step) % pages : below(generator, pages);
      uint64_t *words = memory + page * 512;
      if (words[0] != 0 && (words[0] != (key ^ page) || words[511] != mixed(words[256] + page)))
        wrong("held page %lu: %lx, %lx, %lx", page, words[0] ^ key, words[256], words[511]);
      if (words[0] == 0 && (words[256] != 0 || words[511] != 0)) wrong("held page %lu lost its beginning", page);
      words[0] = key ^ page;
      words[256]++;
      words[511] = mixed(words[256] + page);
    }
    usleep((unsigned)below(generator, 3000));
  }
  ALLOWED(munmap(memory, pages * PAGE_SIZE));
}

void hold_without_end(int worker, uint64_t seed) {
  struct generator generator = {seed};
  this_worker = worker;
  while (!board->stop) hold(16 + free_pages() * (uint64_t)options.pressure / 100, &generator);
}
