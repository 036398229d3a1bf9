// stress seed=N [calls=N] [seconds=N] [checkers=N] [wild=N] [user=UID] [root_wild=1] [faults=1|2] [overcommit=N]
// [pressure=PERCENT]: random calls from several processes at once; exits 0 when everything that was checked was right (stress.h).
//
// Kills, stops and continues only processes that it started, calls neither reboot(2) nor anything that outlives it, and ends
// after so many calls or seconds whatever its workers do.

#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <sys/sysctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct options options = {.calls = 20000, .seconds = 60, .checkers = 3, .wild = 2, .overcommit = 2};
struct board *board;
const char *program_path;
int arena_descriptor;
volatile uint64_t *arena;

enum { WILD_USER = 2000, LATE_SECONDS = 60 };

// A worker as its parent sees it. One that takes memory, if there is one, comes first, then checking ones, then wild ones.
static struct worker {
  pid_t process;
  int is_wild, is_stopped;
  uint64_t due;  // milliseconds: when a wild one is killed, or a stopped one continued
} workers[WORKERS_MAXIMUM];
static int worker_count;
static struct generator chances;
static unsigned killed, lost, stops, restarts;

static uint64_t milliseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void limit(int resource, long value) {
  struct rlimit limits = {value, value};
  setrlimit(resource, &limits);
}

// What a wild worker may use up, so that it does not end the others (who is charged is another question).
static void limit_wild(void) {
  limit(RLIMIT_AS, 48 << 20);
  limit(RLIMIT_SWAP, 4 << 20);
  limit(RLIMIT_NPROC, 12);
  limit(RLIMIT_NOFILE, options.root_wild ? 16 : 64);
}

static void start(int index) {
  struct worker *worker = &workers[index];
  uint64_t seed = draw(&chances);
  long calls = 20 + (long)below(&chances, 400);
  pid_t child = fork();
  if (child < 0) return;
  if (child == 0) {
    setpgid(0, 0);
    if (!worker->is_wild) {
      if (options.user && setuid((uid_t)options.user) != 0) _exit(1);
      if (options.pressure && index == 0) hold_without_end(index, seed);
      else check_without_end(index, seed);
      _exit(0);
    }
    limit_wild();
    if (getuid() == 0 && !options.root_wild && setuid((uid_t)(WILD_USER + index)) != 0) _exit(1);
    run_wild(index, seed, calls);
  }
  setpgid(child, child);
  restarts++;
  worker->process = child;
  worker->is_stopped = 0;
  worker->due = milliseconds() + 5 + below(&chances, 200);
}

static void remove_names(int index) {
  char name[64];
  if (workers[index].is_wild)
    for (const char *const *wild = wild_names; *wild; wild++) shm_unlink(*wild);
  else
    for (int number = 0; number < NAMES_PER_WORKER; number++) {
      worker_name(name, sizeof name, index, number);
      shm_unlink(name);
    }
}

// Takes note of how a process ended. Returns 0 when that must not be.
static int take(pid_t process, int status) {
  for (int index = 0; index < worker_count; index++) {
    struct worker *worker = &workers[index];
    if (worker->process != process) continue;
    worker->process = 0;
    if (worker->is_wild) {
      kill(-process, SIGKILL);
      remove_names(index);
      return 1;
    }
    if (status == 0 && board->stop) return 1;
    remove_names(index);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
      // Out of memory; whatever it was in the middle of is gone with it.
      killed++;
      return 1;
    }
    if (options.faults && WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) {
      lost++;
      return 1;
    }
    printf("stress: seed %lu: worker %d ended with status 0x%x: %s\n", options.seed, index, (unsigned)status,
           board->worker[index].failure);
    return 0;
  }
  return 1;  // an orphan of a wild worker
}

static const char *const fail_points[] = {
    "frame", "page_frame", "page_table", "kernel_frame", "heap_reserve", "index_node", "mapping_record", "map_entry",
    "name_record", "descriptor_node", "thread_record", "process_slot", "open_file", "swap_reservation", "swap_block",
    "transfer", "transfer_read", "transfer_write"};

static void set_fail_point(const char *point, const char *what) {
  char name[64], setting[96];
  snprintf(name, sizeof name, "debug.fail_point.%s", point);
  // Not for this process: a page of it that cannot be read would end everything.
  snprintf(setting, sizeof setting, "1000000000*off(0)[pid %d]->%s", getpid(), what);
  const char *text = strcmp(what, "off") == 0 ? "off" : setting;
  sysctlbyname(name, NULL, NULL, text, strlen(text));
}

static void change_fail_points(void) {
  static const char *const settings[] = {"off", "off", "0.05%return", "0.5%return", "3%return", "20%return",
                                         "3*return", "20*off->1*return"};
  if (options.faults != 1 || !chance(&chances, 20)) return;
  set_fail_point(fail_points[below(&chances, nitems(fail_points))], settings[below(&chances, nitems(settings))]);
}

static void clear_fail_points(void) {
  if (options.faults)
    for (size_t index = 0; index < nitems(fail_points); index++) set_fail_point(fail_points[index], "off");
}

// Stops, continues and kills.
static void disturb(void) {
  uint64_t now = milliseconds();
  for (int index = 0; index < worker_count; index++) {
    struct worker *worker = &workers[index];
    if (worker->process == 0) {
      start(index);
    } else if (worker->is_stopped) {
      if (now < worker->due) continue;
      kill(worker->process, SIGCONT);
      worker->is_stopped = 0;
      worker->due = now + 5 + below(&chances, 100);
    } else if (worker->is_wild && now >= worker->due) {
      kill(-worker->process, SIGKILL);
      kill(worker->process, SIGKILL);
    } else if (chance(&chances, 4)) {
      kill(worker->process, SIGSTOP);
      worker->is_stopped = 1;
      worker->due = now + 1 + below(&chances, 20);
      stops++;
    }
  }
  change_fail_points();
}

static uint64_t calls_made(void) {
  static uint64_t wild_seen[WORKERS_MAXIMUM], wild_sum;
  uint64_t sum = 0;
  for (int index = 0; index < worker_count; index++) {
    sum += board->worker[index].calls;
    // A wild worker may have spoilt its count: only what is plausible is counted.
    uint64_t seen = board->wild_calls[index][0], more = seen - wild_seen[index];
    if (more < 100000) wild_sum += more;
    wild_seen[index] = seen;
  }
  return sum + wild_sum;
}

static int collect(void) {
  int status;
  pid_t process;
  while ((process = waitpid(WAIT_ANY, &status, WNOHANG)) > 0)
    if (!take(process, status)) return 0;
  return 1;
}

// Whether everything that was checked was right.
static int run(void) {
  uint64_t end = milliseconds() + (uint64_t)options.seconds * 1000;
  while (calls_made() < (uint64_t)options.calls && milliseconds() < end) {
    if (!collect()) return 0;
    disturb();
    usleep(500 + (unsigned)below(&chances, 4000));
  }
  // From here on nothing fails on purpose, and everybody comes to an end.
  clear_fail_points();
  board->stop = 1;
  uint64_t late = milliseconds() + LATE_SECONDS * 1000;
  for (int left = 1; left;) {
    left = 0;
    for (int index = 0; index < worker_count; index++) {
      if (workers[index].process == 0) continue;
      if (workers[index].is_wild) kill(-workers[index].process, SIGKILL);
      kill(workers[index].process, workers[index].is_wild ? SIGKILL : SIGCONT);
      left++;
    }
    if (!collect()) return 0;
    if (left && milliseconds() > late) {
      printf("stress: seed %lu: %d workers do not come to an end\n", options.seed, left);
      return 0;
    }
    usleep(2000);
  }
  return 1;
}

// The whole kernel inspected by itself.
static int is_sound(void) {
  int value = -1;
  size_t length = sizeof value;
  return getuid() != 0 || (sysctlbyname("vm.martlet.inspect", &value, &length, NULL, 0) == 0 && value == 0);
}

static unsigned pages_out(void) {
  unsigned value = 0;
  size_t length = sizeof value;
  sysctlbyname("vm.stats.vm.v_swappgsout", &value, &length, NULL, 0);
  return value;
}

static int prepare(void) {
  board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  arena_descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  if (board == MAP_FAILED || arena_descriptor < 0 || ftruncate(arena_descriptor, ARENA_PAGES * PAGE_SIZE) != 0) return 0;
  void *mapped = mmap(NULL, ARENA_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, arena_descriptor, 0);
  if (mapped == MAP_FAILED) return 0;
  arena = mapped;
  int overcommit = (int)options.overcommit;
  sysctlbyname("vm.overcommit", NULL, NULL, &overcommit, sizeof overcommit);
  if (options.pressure) options.checkers++;
  worker_count = (int)(options.checkers + options.wild);
  for (int index = 0; index < worker_count; index++) workers[index].is_wild = index >= options.checkers;
  return 1;
}

static int read_options(int count, char **words) {
  static const struct {
    const char *name;
    long *value;
  } known[] = {
      {"calls=", &options.calls},         {"seconds=", &options.seconds}, {"checkers=", &options.checkers},
      {"wild=", &options.wild},           {"user=", &options.user},       {"root_wild=", &options.root_wild},
      {"faults=", &options.faults},       {"overcommit=", &options.overcommit}, {"pressure=", &options.pressure},
      {"seed=", (long *)&options.seed},
  };
  for (int index = 1; index < count; index++) {
    size_t option = 0;
    while (option < nitems(known) && strncmp(words[index], known[option].name, strlen(known[option].name)) != 0) option++;
    if (option == nitems(known)) return 0;
    *known[option].value = strtol(words[index] + strlen(known[option].name), NULL, 0);
  }
  return count > 1 && strncmp(words[1], "seed=", 5) == 0 && options.checkers >= 0 && options.wild >= 0 &&
         options.checkers + options.wild < WORKERS_MAXIMUM;
}

int main(int count, char **words) {
  program_path = words[0];
  if (count == 5 && strcmp(words[1], "verify") == 0) return verify_object(words);
  // A wild worker may start this program too, with any arguments; that must not begin everything anew.
  if (!read_options(count, words)) return 2;
  chances.state = options.seed;
  if (!prepare()) {
    printf("stress: seed %lu: there is not even memory to begin: %s\n", options.seed, strerror(errno));
    return 1;
  }
  int good = run();
  if (good && !is_sound()) {
    printf("stress: seed %lu: the inspection found a violation\n", options.seed);
    good = 0;
  }
  printf("stress: seed %lu: %lu calls, %u workers, %u stops, %u pages out, %u killed for memory, %u lost a page: %s\n",
         options.seed, calls_made(), restarts, stops, pages_out(), killed, lost, good ? "verified" : "FAILED");
  return good ? 0 : 1;
}
