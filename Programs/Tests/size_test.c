// size_test: shared memory at the sizes it is made for: names, mappings, processes on one object, the largest object there is. What is
// held fast are instructions (cost.h) and bytes of kernel memory.
//
// Arguments: names=N mappings=N processes=N. Without them it is a small instance of the same; `make scale` is the large one.

#include "cost.h"
#include "shared_memory.h"

#include <sys/user.h>

static long size_of(const char *what, long usual) {
  size_t length = strlen(what);
  for (int index = 1; index < check_argument_count; index++)
    if (strncmp(check_arguments[index], what, length) == 0 && check_arguments[index][length] == '=')
      return atol(check_arguments[index] + length + 1);
  return usual;
}

// MARK: Names

static const char *numbered(char mark, long number) {
  static char name[] = "/scale/x0000000";
  name[7] = mark;
  for (int position = 14; position > 7; position--, number /= 10) name[position] = (char)('0' + number % 10);
  return name;
}

static void make_names(long first, long end) {
  for (long number = first; number < end; number++) {
    int descriptor = shm_open(numbered('a', number), O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(descriptor >= 0);
    CHECK_EQUAL(close(descriptor), 0);
  }
}

// What looking one of so many names up takes, as the mean of the least of some rounds over a thousand of them.
static uint64_t mean_lookup(long count) {
  long samples = count < 1000 ? count : 1000;
  uint64_t sum = 0;
  for (long sample = 0; sample < samples; sample++) {
    const char *name = numbered('a', (long)((uint64_t)sample * 7919 * 7919 % (uint64_t)count));
    int descriptor = -1;
    sum += LEAST(3, descriptor = shm_open(name, O_RDWR, 0), CHECK_EQUAL(close(descriptor), 0));
  }
  return sum / (uint64_t)samples;
}

// How many names the list has, and that it is no worse than a record for each.
static long list_names(void) {
  size_t length = 0;
  CHECK_EQUAL(sysctlbyname("kern.ipc.posix_shm_list", NULL, &length, NULL, 0), 0);
  if (length == 0) return 0;
  char *records = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  CHECK(records != MAP_FAILED);
  size_t room = length;
  CHECK_EQUAL(sysctlbyname("kern.ipc.posix_shm_list", records, &length, NULL, 0), 0);
  long count = 0;
  for (size_t position = 0; position < length; count++) {
    struct kinfo_file *file = (struct kinfo_file *)(records + position);
    CHECK(file->kf_structsize > 0 && file->kf_type == KF_TYPE_SHM);
    position += (size_t)file->kf_structsize;
  }
  CHECK_EQUAL(munmap(records, room), 0);
  return count;
}

TEST(names) {
  enum { few = 10, most_bytes = 400 };
  long count = size_of("names", 3000);
  long others = list_names();
  make_names(0, few);
  uint64_t among_few = mean_lookup(few);
  uint64_t free_pages = check_sysctl("vm.stats.vm.v_free_count"), heap = check_sysctl("vm.martlet.heap_bytes");
  uint64_t start = time_stamp();
  make_names(few, count);
  printf("# creating: %lu instructions a name\n", (time_stamp() - start) / (uint64_t)(count - few));
  uint64_t bytes = (free_pages - check_sysctl("vm.stats.vm.v_free_count")) * PAGE_SIZE / (uint64_t)(count - few);
  printf("# %lu bytes of memory for a name and its object, %lu of them in the heap\n", bytes,
         (check_sysctl("vm.martlet.heap_bytes") - heap) / (uint64_t)(count - few));
  uint64_t among_many = mean_lookup(count);
  printf("# looking up: %lu instructions among %d, %lu among %ld\n", among_few, few, among_many, count);
  start = time_stamp();
  for (long number = 0; number < count; number++) {
    char new_name[24];
    strcpy(new_name, numbered('b', number));
    CHECK_EQUAL(shm_rename(numbered('a', number), new_name, SHM_RENAME_NOREPLACE), 0);
  }
  printf("# renaming: %lu instructions a name\n", (time_stamp() - start) / (uint64_t)count);
  CHECK_ERRNO(ENOENT, shm_open(numbered('a', count / 2), O_RDWR, 0));
  start = time_stamp();
  CHECK_EQUAL(list_names(), others + count);
  printf("# listing: %lu instructions a name\n", (time_stamp() - start) / (uint64_t)count);
  start = time_stamp();
  for (long number = 0; number < count; number++) CHECK_EQUAL(shm_unlink(numbered('b', number)), 0);
  printf("# unlinking: %lu instructions a name\n", (time_stamp() - start) / (uint64_t)count);
  CHECK_EQUAL(list_names(), others);
  if (among_many > among_few + among_few / 10)
    check_failed(__FILE__, __LINE__, "looking up: %lu instructions among few, %lu among many", among_few, among_many);
  if (bytes > most_bytes) check_failed(__FILE__, __LINE__, "%lu bytes a name", bytes);
}

// MARK: Mappings

TEST(mappings) {
  enum { few = 10 };
  long count = size_of("mappings", 3000);
  int descriptor = anonymous(PAGE_SIZE);
  volatile char **pages = malloc((size_t)count * sizeof *pages);
  CHECK(pages != NULL);
  memset((void *)pages, 0, (size_t)count * sizeof *pages);
  volatile char *page = NULL;
  uint64_t among_few = 0, among_many = 0;
  uint64_t free_pages = check_sysctl("vm.stats.vm.v_free_count");
  uint64_t start = time_stamp();
  for (long number = 0; number < count; number++) {
    pages[number] = map(descriptor, PAGE_SIZE);
    if (number == few) among_few = LEAST(20, page = map(descriptor, PAGE_SIZE), munmap((void *)page, PAGE_SIZE));
  }
  printf("# mapping: %lu instructions a mapping\n", (time_stamp() - start) / (uint64_t)count);
  // (Less than nothing where the names of the case before left frames that serve mappings, too.)
  printf("# %ld bytes of memory for a mapping\n",
         ((long)free_pages - (long)check_sysctl("vm.stats.vm.v_free_count")) * PAGE_SIZE / count);
  among_many = LEAST(20, page = map(descriptor, PAGE_SIZE), munmap((void *)page, PAGE_SIZE));
  printf("# mapping: %lu instructions among %d, %lu among %ld\n", among_few, few, among_many, count);
  *pages[0] = 7;
  start = time_stamp();
  for (long number = 0; number < count; number++) CHECK_EQUAL(*pages[number], 7);
  printf("# first touch: %lu instructions a mapping\n", (time_stamp() - start) / (uint64_t)count);
  start = time_stamp();
  CHECK_EQUAL(ftruncate(descriptor, 0), 0);
  uint64_t each = (time_stamp() - start) / (uint64_t)count;
  printf("# truncating: %lu instructions a mapping\n", each);
  start = time_stamp();
  for (long number = 0; number < count; number++) CHECK_EQUAL(munmap((void *)pages[number * 7919 % count], PAGE_SIZE), 0);
  printf("# unmapping: %lu instructions a mapping\n", (time_stamp() - start) / (uint64_t)count);
  // A tree of a hundred thousand is some thirteen levels higher than one of ten.
  CHECK(among_many <= 3 * among_few);
}

// MARK: Processes

TEST(processes) {
  // Sixty is the aim; a set of mappings in which any one can be found takes more to be emptied.
  enum { most_instructions = 300 };
  long count = size_of("processes", 1000);
  int descriptor = anonymous(PAGE_SIZE), ready[2];
  volatile char *page = map(descriptor, PAGE_SIZE);
  pid_t *children = malloc((size_t)count * sizeof *children);
  CHECK(children != NULL);
  *page = 7;
  CHECK_EQUAL(pipe(ready), 0);
  for (long number = 0; number < count; number++) {
    children[number] = fork();
    CHECK(children[number] >= 0);
    if (children[number] == 0) {
      char byte = *page;
      *page = byte;
      CHECK_EQUAL(write(ready[1], &byte, 1), 1);
      for (;;) pause();
    }
  }
  for (long number = 0; number < count; number++) {
    char byte;
    CHECK_EQUAL(read(ready[0], &byte, 1), 1);
    CHECK_EQUAL(byte, 7);
  }
  // They all have to be back in pause(2).
  struct timespec moment = {0, 50000000};
  nanosleep(&moment, NULL);
  uint64_t start = time_stamp();
  CHECK_EQUAL(ftruncate(descriptor, 0), 0);
  uint64_t taken = time_stamp() - start;
  start = time_stamp();
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  printf("# a truncate that removes a page of %ld processes: %lu instructions, %lu for each\n", count, taken,
         taken / (uint64_t)count);
  CHECK_EQUAL(*page, 0);
  for (long number = 0; number < count; number++) {
    CHECK_EQUAL(kill(children[number], SIGKILL), 0);
    check_wait(children[number]);
  }
  CHECK(taken <= (uint64_t)(most_instructions * (count + 20)));
}

// MARK: The largest object

enum { end_pages = 4 };
static const off_t largest = INT64_MAX;

// Pages at both ends of an object of a size, and in its middle.
static void fill_ends(int descriptor, off_t size) {
  const off_t starts[] = {0, size / 2 & ~(off_t)(PAGE_SIZE - 1), (size & ~(off_t)(PAGE_SIZE - 1)) - end_pages * PAGE_SIZE};
  for (int place = 0; place < 3; place++)
    for (int page = 0; page < end_pages; page++)
      CHECK_EQUAL(pwrite(descriptor, "x", 1, starts[place] + page * PAGE_SIZE), 1);
}

struct costs {
  uint64_t bytes, punch, truncation, destruction;
};

static struct costs costs_of(off_t size) {
  struct costs costs;
  uint64_t free_pages = check_sysctl("vm.stats.vm.v_free_count");
  int descriptor = anonymous(size);
  fill_ends(descriptor, size);
  uint64_t pages = free_pages - check_sysctl("vm.stats.vm.v_free_count");
  costs.bytes = pages * PAGE_SIZE - 3 * end_pages * PAGE_SIZE;
  CHECK_EQUAL(status_of(descriptor).st_blocks, 3 * end_pages);
  struct spacectl_range range = {end_pages * PAGE_SIZE, size - 3 * end_pages * PAGE_SIZE}, left;
  uint64_t start = time_stamp();
  CHECK_EQUAL(fspacectl(descriptor, SPACECTL_DEALLOC, &range, 0, &left), 0);
  costs.punch = time_stamp() - start;
  CHECK_EQUAL(left.r_len, 0);
  CHECK_EQUAL(status_of(descriptor).st_blocks, 2 * end_pages);
  start = time_stamp();
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  costs.truncation = time_stamp() - start;
  CHECK_EQUAL(status_of(descriptor).st_blocks, 1);
  CHECK_EQUAL(ftruncate(descriptor, size), 0);
  fill_ends(descriptor, size);
  start = time_stamp();
  CHECK_EQUAL(close(descriptor), 0);
  costs.destruction = time_stamp() - start;
  return costs;
}

static void print_costs(const char *what, struct costs costs) {
  printf("# %s: %lu bytes beside its pages; punching %lu instructions, truncating %lu, destroying %lu\n", what, costs.bytes,
         costs.punch, costs.truncation, costs.destruction);
}

TEST(the_largest_object) {
  // The first leaves what is kept for the next.
  costs_of(largest);
  struct costs small = costs_of(16 * end_pages * PAGE_SIZE), large = costs_of(largest);
  print_costs("an object of 64 pages", small);
  print_costs("an object of 8 EiB", large);
  CHECK(large.bytes <= 16384);
  // A path through nine levels instead of one, to each of the three places.
  CHECK(large.punch <= 4 * small.punch && large.truncation <= 4 * small.truncation);
  CHECK(large.destruction <= 4 * small.destruction);
}
