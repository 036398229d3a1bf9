// shortage_test: what a user takes without end, and what is left for the superuser meanwhile (issue 14, acceptance 3): three
// small processes of root fork, open, map, kill and unlink again and again while somebody without privileges takes memory in
// every way there is. None of root's calls may fail; the guilty one is refused or killed; everything comes back. Best run
// with 64 MiB, with swap and without.

#include "check.h"

#include <sys/resource.h>

enum { WORKERS = 3, ROUNDS = 10, PAGES = 4, USER = 1001, KEPT_PAGES = 384, WRITERS = 6, COMMON_SIZE = 4 << 20 };

// An object of the user's that everybody may write to.
static const char common_name[] = "/user.common";

static volatile struct {
  int is_over;
  // The guilty one has got what there is: a call was refused, or so many pages are gone.
  int is_full;
  long rounds[WORKERS];
  // The line that failed, and its errno.
  long failed_line[WORKERS];
  long failed_errno[WORKERS];
} * shared;

static uint64_t free_pages(void) { return check_sysctl("vm.stats.vm.v_free_count"); }

#define WORKS(condition)                    \
  do {                                      \
    if (!(condition)) {                     \
      shared->failed_errno[worker] = errno; \
      shared->failed_line[worker] = __LINE__; \
      _exit(1);                             \
    }                                       \
  } while (0)

// One round of what root has to be able to do.
static void work(int worker) {
  pid_t child = fork();
  if (child == 0)
    for (;;) usleep(100000);
  WORKS(child > 0);
  char name[32];
  snprintf(name, sizeof name, "/shortage.%d", worker);
  int object = shm_open(name, O_RDWR | O_CREAT, 0600);
  WORKS(object >= 0);
  WORKS(ftruncate(object, PAGES * PAGE_SIZE) == 0);
  volatile char *memory = mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, object, 0);
  WORKS(memory != MAP_FAILED);
  for (int page = 0; page < PAGES; page++) memory[page * PAGE_SIZE] = (char)(page + 1);
  for (int page = 0; page < PAGES; page++) WORKS(memory[page * PAGE_SIZE] == page + 1);
  WORKS(munmap((void *)memory, PAGES * PAGE_SIZE) == 0);
  WORKS(shm_unlink(name) == 0);
  WORKS(close(object) == 0);
  int null = open("/dev/null", O_RDWR);
  WORKS(null >= 0);
  WORKS(close(null) == 0);
  WORKS(kill(child, SIGKILL) == 0);
  int status = 0;
  WORKS(waitpid(child, &status, 0) == child);
  WORKS(status == SIGKILL);
  int common = shm_open(common_name, O_RDWR, 0);
  if (common >= 0) {
    char byte = 0;
    struct stat status;
    WORKS(fstat(common, &status) == 0);
    if (status.st_size != 0) {
      WORKS(pwrite(common, "r", 1, 5) == 1);
      WORKS(pread(common, &byte, 1, 5) == 1);
    }
    WORKS(close(common) == 0);
  }
  shared->rounds[worker]++;
}

// What went wrong before the guilty one is to be cleared away, so that a failed case leaves nothing behind.
static void kill_users_processes(void) {
  pid_t killer = fork();
  CHECK(killer >= 0);
  if (killer == 0) {
    setuid(USER);
    int quiet = 0;
    for (int round = 0; round < 100000 && quiet < 3; round++) {
      quiet = kill(-1, SIGKILL) == -1 ? quiet + 1 : 0;
      sched_yield();
    }
    _exit(0);
  }
  check_wait(killer);
}

// Removes the user's names as root can: it sees them in the list, of which as much is given as there is room for. Returns how many
// there were.
static long unlink_users_names(void) {
  static char list[256 * 1024];
  long count = 0;
  for (long found = 1; found != 0;) {
    size_t length = sizeof list;
    if (sysctlbyname("kern.ipc.posix_shm_list", list, &length, NULL, 0) != 0) CHECK_EQUAL(errno, ENOMEM);
    found = 0;
    for (size_t offset = 0; offset + 4 <= length;) {
      int size;
      memcpy(&size, list + offset, 4);
      CHECK(size > 368);
      if (offset + (size_t)size > length) break;
      const char *path = list + offset + 368;
      if (strncmp(path, "/user.", 6) == 0) {
        CHECK_EQUAL(shm_unlink(path), 0);
        found++;
      }
      offset += (size_t)size;
    }
    count += found;
  }
  return count;
}

static void check_all_worked(const long *before) {
  for (int worker = 0; worker < WORKERS; worker++) {
    if (shared->failed_line[worker])
      check_failed(__FILE__, (int)shared->failed_line[worker], "worker %d failed in round %ld: %s", worker,
                   shared->rounds[worker], strerror((int)shared->failed_errno[worker]));
    if (shared->rounds[worker] < before[worker] + ROUNDS)
      check_failed(__FILE__, __LINE__, "worker %d made %ld rounds", worker, shared->rounds[worker] - before[worker]);
  }
}

// Runs the guilty one against root's three; `taker` returns when everything it asks for is refused.
static void withstand(void (*taker)(void)) {
  shared = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(shared != MAP_FAILED);
  shared->is_over = 0;
  uint64_t pages_before = free_pages();
  pid_t workers[WORKERS];
  for (int worker = 0; worker < WORKERS; worker++) {
    workers[worker] = fork();
    CHECK(workers[worker] >= 0);
    if (workers[worker] == 0) {
      while (!shared->is_over) {
        work(worker);
        usleep(2000);
      }
      _exit(0);
    }
  }
  pid_t guilty = fork();
  CHECK(guilty >= 0);
  if (guilty == 0) {
    if (setuid(USER) != 0) _exit(2);
    taker();
    shared->is_full = 1;
    for (;;) usleep(1000000);
  }
  // Until it has what there is, or is dead.
  int is_dead = 0, status = 0;
  for (int tries = 0; tries < 20000 && !shared->is_full && !is_dead; tries++) {
    usleep(1000);
    is_dead = waitpid(guilty, &status, WNOHANG) == guilty;
  }
  int is_full = shared->is_full;
  long before[WORKERS];
  for (int worker = 0; worker < WORKERS; worker++) before[worker] = shared->rounds[worker];
  for (int tries = 0; tries < 20000; tries++) {
    int done = 1;
    for (int worker = 0; worker < WORKERS; worker++)
      done &= shared->rounds[worker] >= before[worker] + ROUNDS || shared->failed_line[worker] != 0;
    if (done) break;
    usleep(1000);
  }
  shared->is_over = 1;
  kill_users_processes();
  for (int worker = 0; worker < WORKERS; worker++) check_wait(workers[worker]);
  if (!is_dead) status = check_wait(guilty);
  check_all_worked(before);
  check_signal(__FILE__, __LINE__, SIGKILL, status);
  if (!is_dead && !is_full) check_failed(__FILE__, __LINE__, "the guilty one neither died nor was refused");
  unlink_users_names();
  for (int tries = 0; tries < 2000 && free_pages() + KEPT_PAGES < pages_before; tries++) usleep(1000);
  uint64_t pages_after = free_pages();
  if (pages_after + KEPT_PAGES < pages_before)
    check_failed(__FILE__, __LINE__, "%lu free pages before, %lu after", pages_before, pages_after);
}

static void fill_object(void) {
  static char bytes[16 * PAGE_SIZE];
  int object = shm_open(SHM_ANON, O_RDWR, 0600);
  if (ftruncate(object, 1L << 40) != 0) return;
  for (off_t offset = 0; pwrite(object, bytes, sizeof bytes, offset) > 0; offset += sizeof bytes) {}
}

TEST(an_object_filled_by_pwrite) { withstand(fill_object); }

// Several objects by several processes, so that none of them is the largest of all.
static void fill_objects(void) {
  for (int process = 0; process < 6; process++)
    if (fork() == 0) break;
  fill_object();
}

TEST(objects_filled_by_many_small_processes) { withstand(fill_objects); }

static void map_without_end(void) {
  for (long index = 0;; index++) {
    int protection = index % 2 ? PROT_READ : PROT_READ | PROT_WRITE;
    if (mmap(NULL, PAGE_SIZE, protection, MAP_SHARED | MAP_ANON, -1, 0) == MAP_FAILED) return;
  }
}

TEST(mappings_without_end) { withstand(map_without_end); }

static void touch_sparsely(void) {
  uint64_t count = 4 * check_sysctl("vm.stats.vm.v_page_count");
  volatile char *memory = mmap(NULL, count << 21, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (memory == MAP_FAILED) return;
  for (uint64_t index = 0; index < count; index++) memory[index << 21] = 1;
}

TEST(one_page_in_every_two_mebibytes) { withstand(touch_sparsely); }

static void punch_holes(void) {
  uint64_t count = 64 * check_sysctl("vm.stats.vm.v_page_count");
  char *memory = mmap(NULL, count * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (memory == MAP_FAILED) return;
  for (uint64_t index = 1; index < count; index += 2)
    if (munmap(memory + index * PAGE_SIZE, PAGE_SIZE) != 0) return;
}

TEST(holes_without_end) { withstand(punch_holes); }

static void open_objects(void) {
  // Descriptors of several processes, so that no limit of one process helps.
  for (int process = 0; process < 3; process++)
    if (fork() == 0) break;
  for (;;) {
    int object = shm_open(SHM_ANON, O_RDWR, 0600);
    if (object < 0) return;
    if (ftruncate(object, PAGE_SIZE) != 0 || pwrite(object, "x", 1, 0) != 1) return;
  }
}

TEST(objects_opened_without_end) { withstand(open_objects); }

static void make_names(void) {
  char name[64];
  for (long number = 0;; number++) {
    snprintf(name, sizeof name, "/user.%d.%ld", getpid(), number);
    int object = shm_open(name, O_RDWR | O_CREAT, 0600);
    if (object < 0) return;
    close(object);
  }
}

TEST(names_without_end) { withstand(make_names); }

// Every process that there is forks as often as it may.
static void fork_without_end(void) {
  for (;;)
    if (fork() < 0) return;
}

TEST(forks_without_end) { withstand(fork_without_end); }

static void leave_zombies(void) {
  for (;;) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    if (child < 0) return;
  }
}

TEST(children_nobody_waits_for) { withstand(leave_zombies); }

// Each process waits for its child, which does the same; the last one that there can be says that it was refused.
static void wait_without_end(void) {
  for (;;) {
    pid_t child = fork();
    if (child < 0) return;
    if (child > 0)
      for (;;)
        if (waitpid(child, NULL, 0) != child) usleep(1000);
  }
}

TEST(waiting_without_end) { withstand(wait_without_end); }

// Processes that write to an object which root uses too are stopped in the middle of that all the time.
static void stop_in_calls(void) {
  char *bytes = mmap(NULL, COMMON_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  int common = shm_open(common_name, O_RDWR | O_CREAT, 0600);
  if (bytes == MAP_FAILED || common < 0 || fchmod(common, 0666) != 0 || ftruncate(common, COMMON_SIZE) != 0) _exit(3);
  memset(bytes, 'u', COMMON_SIZE);
  pid_t writers[WRITERS];
  for (int writer = 0; writer < WRITERS; writer++) {
    writers[writer] = fork();
    if (writers[writer] == 0)
      for (;;) {
        if (writer % 3 == 2) {
          ftruncate(common, PAGE_SIZE);
          ftruncate(common, COMMON_SIZE);
        } else if (writer % 3 == 1) {
          pread(common, bytes, COMMON_SIZE, 0);
        } else {
          pwrite(common, bytes, COMMON_SIZE, 0);
        }
      }
  }
  for (unsigned round = 0;; round++) {
    kill(writers[round % WRITERS], SIGSTOP);
    usleep(700);
    // All of them are stopped now and then.
    if (round % (3 * WRITERS) >= WRITERS) kill(writers[(round + 1) % WRITERS], SIGCONT);
    if (round == 100) shared->is_full = 1;
  }
}

TEST(stops_in_the_middle_of_calls) { withstand(stop_in_calls); }

// Everything at once, by as many processes as the user may have: forks, objects, names, descriptors, waiting, and stopping each
// other in the middle of calls.
static void take_everything(void) {
  static char bytes[8 * PAGE_SIZE];
  // More would only take longer.
  struct rlimit limit = {48, 48};
  setrlimit(RLIMIT_NPROC, &limit);
  unsigned seed = (unsigned)getpid();
  long refused = 0;
  int object = -1;
  for (;;) {
    seed = seed * 1103515245 + 12345;
    unsigned choice = seed >> 16 & 7;
    int failed = 0;
    if (choice <= 1) {
      pid_t child = fork();
      failed = child < 0;
      if (child == 0) seed = (unsigned)getpid() * 7919, refused = 0;
    } else if (choice == 2) {
      char name[64];
      snprintf(name, sizeof name, "/user.%d.%u", getpid(), seed);
      object = seed >> 28 & 1 ? shm_open(name, O_RDWR | O_CREAT, 0600) : shm_open(SHM_ANON, O_RDWR, 0600);
      failed = object < 0;
      if (object >= 0) ftruncate(object, 1L << 30);
    } else if (choice == 3 && object >= 0) {
      failed = pwrite(object, bytes, sizeof bytes, (off_t)(seed >> 8 & 0x3ff) * PAGE_SIZE) <= 0;
    } else if (choice == 4) {
      failed = dup(0) < 0;
    } else if (choice == 5) {
      kill(getpid() + 1, SIGSTOP);
      kill(getpid() - 1, SIGCONT);
    } else if (choice == 6) {
      failed = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED | MAP_ANON, -1, 0) == MAP_FAILED;
    } else {
      waitpid(-1, NULL, WNOHANG);
      usleep(500);
    }
    if (failed) {
      shared->is_full = 1;
      usleep(++refused > 20 ? 50000 : 1000);
    }
  }
}

TEST(forks_and_all_else_without_end) { withstand(take_everything); }

// What names hold outlives those who made them. Root sees it, and takes it away.
TEST(memory_that_only_names_hold) {
  uint64_t before = free_pages();
  int status = IN_CHILD({
    setuid(USER);
    static char bytes[16 * PAGE_SIZE];
    char name[32];
    for (int number = 0; number < 8; number++) {
      snprintf(name, sizeof name, "/user.%d", number);
      int object = shm_open(name, O_RDWR | O_CREAT, 0600);
      if (object < 0 || ftruncate(object, 1L << 40) != 0) _exit(1);
      for (off_t offset = 0; offset < (off_t)(before / 8 * PAGE_SIZE); offset += sizeof bytes)
        if (pwrite(object, bytes, sizeof bytes, offset) <= 0) _exit(1);
      close(object);
    }
  });
  if (status != 0 && status != SIGKILL) check_failed(__FILE__, __LINE__, "status 0x%x", (unsigned)status);
  CHECK(free_pages() < before / 4);
  shared = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(shared != MAP_FAILED);
  for (int round = 0; round < ROUNDS; round++) {
    work(0);
    CHECK_EQUAL(shared->rounds[0], round + 1);
  }
  CHECK(unlink_users_names() > 0);
  for (int tries = 0; tries < 1000 && free_pages() + KEPT_PAGES < before; tries++) usleep(1000);
  CHECK(free_pages() + KEPT_PAGES >= before);
}
