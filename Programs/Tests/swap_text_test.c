// swap_text_test [MIB]: three processes share pages of text and have some of their own, more than the machine has memory
// (200 MiB); all are dirtied in random order, some of them again, and every byte is verified at the end. With a swap device that
// keeps pages compressed (kernel option swap=compressed:SIZE) a machine without a disk holds them.

#include "check.h"

enum { PROCESSES = 3 };

static const char *const vocabulary[] = {
    "the", "of", "and", "a", "to", "in", "is", "that", "it", "was", "for", "on", "are", "with", "as", "be", "at", "one",
    "have", "this", "from", "by", "not", "but", "what", "all", "were", "when", "we", "there", "can", "an", "your", "which",
    "page", "memory", "kernel", "process", "shared", "object", "mapping", "descriptor", "address", "system", "thread",
    "signal", "buffer", "device", "transfer", "reclaim", "because", "between", "through", "without", "another", "important",
    "different", "following", "something", "together", "question", "children", "complete", "beginning"};

static const char *const phrases[] = {
    "the end of the ", "there is no such ", "in the memory of ", "a page of the object that ", "the kernel looks at ",
    "when the process ends, ", "it is not known whether ", "for the first time, ", "as well as the ", "one of the other ",
    "the address of the mapping ", "that was not there before ", "an error of the device, ", "until the transfer is over.\n",
    "must not be shared with ", "and so on.\n"};

static uint64_t next(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

// The text that a page holds after so many changes.
static void write_text(char *page, uint64_t number, uint64_t version) {
  uint64_t state = (number + 1) * 0x9e3779b97f4a7c15 ^ (version + 1) * 0xbf58476d1ce4e5b9;
  size_t length = 0;
  while (length < PAGE_SIZE) {
    uint64_t draw = next(&state);
    for (int piece = 0; piece < 4 && length < PAGE_SIZE; piece++, draw >>= 16) {
      // One piece in four is a phrase; of the words those in front are more frequent.
      size_t index = (draw & 63) * (draw >> 6 & 63) / 64 % nitems(vocabulary);
      int is_phrase = (draw >> 12 & 3) == 0;
      for (const char *letter = is_phrase ? phrases[draw & 15] : vocabulary[index]; *letter && length < PAGE_SIZE; letter++)
        page[length++] = *letter;
      if (!is_phrase && length < PAGE_SIZE) page[length++] = (draw >> 14 & 3) == 0 && (draw & 3) == 0 ? '\n' : ' ';
    }
  }
}

static char expected[PAGE_SIZE];

static void verify(const char *page, uint64_t number, uint64_t version) {
  write_text(expected, number, version);
  if (memcmp(page, expected, PAGE_SIZE) != 0) check_failed(__FILE__, __LINE__, "page %lu is wrong", number);
}

// Dirties pages in random order: those of a range, and a third of them once more.
struct pages {
  char *memory;
  uint64_t first, count;
  uint8_t *versions;
};

static void dirty(struct pages *pages, uint64_t seed) {
  uint64_t state = seed * 0x9e3779b97f4a7c15 + 1;
  // A step that has no divisor in common with the number of pages comes to all of them.
  uint64_t step = next(&state) % pages->count | 1;
  for (;; step += 2) {
    uint64_t left = step, right = pages->count;
    while (right) {
      uint64_t rest = left % right;
      left = right;
      right = rest;
    }
    if (left == 1) break;
  }
  uint64_t position = next(&state) % pages->count;
  for (uint64_t number = 0; number < pages->count + pages->count / 3; number++) {
    position = (position + step) % pages->count;
    write_text(pages->memory + position * PAGE_SIZE, pages->first + position, ++pages->versions[position]);
  }
}

static void verify_all(struct pages *pages) {
  for (uint64_t number = 0; number < pages->count; number++)
    verify(pages->memory + number * PAGE_SIZE, pages->first + number, pages->versions[number]);
}

static uint8_t versions[3][1 << 16];

static uint64_t own_first(int process, uint64_t shared, uint64_t own) { return shared + (uint64_t)process * own; }

static int work(int process, char *shared, uint64_t shared_count, uint64_t own_count) {
  char *own = mmap(NULL, own_count * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (own == MAP_FAILED) return 1;
  uint64_t part = shared_count / PROCESSES;
  struct pages both[2] = {{shared + (uint64_t)process * part * PAGE_SIZE, (uint64_t)process * part, part, versions[0]},
                          {own, own_first(process, shared_count, own_count), own_count, versions[1]}};
  dirty(&both[0], (uint64_t)process + 1);
  dirty(&both[1], (uint64_t)process + 11);
  verify_all(&both[1]);
  verify_all(&both[0]);
  return 0;
}

static uint64_t time_stamp(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}

TEST(three_processes_share_and_dirty_more_text_than_there_is_memory) {
  uint64_t total = (check_argument_count > 1 ? (uint64_t)atoi(check_arguments[1]) : 200) << 8;
  uint64_t shared_count = total / 2 / PROCESSES * PROCESSES, own_count = total / 2 / PROCESSES;
  CHECK(own_count < nitems(versions[0]) && shared_count / PROCESSES < nitems(versions[0]));
  printf("# %lu pages free, %lu to hold\n", check_sysctl("vm.stats.vm.v_free_count"), shared_count + PROCESSES * own_count);
  uint64_t start = time_stamp();
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, (off_t)(shared_count * PAGE_SIZE)), 0);
  char *shared = mmap(NULL, shared_count * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(shared != MAP_FAILED);
  // All three hold all that is theirs at the same time: each waits for the others with its pages in place.
  int ready[2], go[2];
  CHECK(pipe2(ready, 0) == 0 && pipe2(go, 0) == 0);
  for (int process = 0; process < PROCESSES; process++) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      CHECK_EQUAL(close(go[1]), 0);
      int status = work(process, shared, shared_count, own_count);
      char byte = (char)status;
      if (write(ready[1], &byte, 1) != 1) _exit(2);
      // Until the others are done.
      if (read(go[0], &byte, 1) != 0) _exit(3);
      _exit(status);
    }
  }
  for (int process = 0; process < PROCESSES; process++) {
    char byte = 1;
    CHECK_EQUAL(read(ready[0], &byte, 1), 1);
    CHECK_EQUAL(byte, 0);
  }
  printf("# %lu pages free, %lu pages in by %lu transfers, %lu pages out by %lu\n", check_sysctl("vm.stats.vm.v_free_count"),
         check_sysctl("vm.stats.vm.v_swappgsin"), check_sysctl("vm.stats.vm.v_swapin"),
         check_sysctl("vm.stats.vm.v_swappgsout"), check_sysctl("vm.stats.vm.v_swapout"));
  printf("# compressed: %lu pages, %lu of zeros, %lu bytes, %lu frames, %lu refused\n",
         check_sysctl("vm.martlet.compressed_pages"), check_sysctl("vm.martlet.compressed_zero_pages"),
         check_sysctl("vm.martlet.compressed_bytes"), check_sysctl("vm.martlet.compressed_frames"),
         check_sysctl("vm.martlet.compressed_refusals"));
  printf("# %lu million instructions\n", (time_stamp() - start) / 1000000);
  // What the others wrote to the shared pages is there, too.
  static uint8_t seen[1 << 16];
  for (uint64_t number = 0; number < shared_count; number += 7) {
    // Once or twice: the text says which.
    write_text(expected, number, 1);
    seen[number] = memcmp(shared + number * PAGE_SIZE, expected, PAGE_SIZE) == 0 ? 1 : 2;
    verify(shared + number * PAGE_SIZE, number, seen[number]);
  }
  CHECK_EQUAL(close(go[1]), 0);
  for (int process = 0; process < PROCESSES; process++) CHECK_EQUAL(check_wait(WAIT_ANY), 0);
  CHECK_EQUAL(munmap(shared, shared_count * PAGE_SIZE), 0);
  CHECK_EQUAL(close(descriptor), 0);
}

