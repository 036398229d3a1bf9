// storm_test [seed=N] [steps=N]: 200 processes with ten threads each at once, which sleep, wait for each other, signal each other,
// end and are replaced, while their parent signals, stops, continues and kills them at random. No child may be lost, no thread
// stay behind, nobody may be stuck, and what the kernel holds must be the same before and after.

#include "threads.h"

#include <sys/time.h>

enum { processes = 200, threads = 10, words = 8 };

struct common {
  volatile uint32_t started, over;
};

static struct common *common;
static uint64_t seed = 1, steps = 3000;

static uint64_t next_random(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return *state >> 33;
}

// MARK: In the children

static struct worker workers[threads];
static volatile uint32_t word[words];
static volatile int signals;
static struct umutex mutex;
static volatile uint64_t guarded, guarded_too;

static void count_signal(int number) {
  (void)number;
  __atomic_add_fetch(&signals, 1, __ATOMIC_SEQ_CST);
}

static void pause_for(long nanoseconds) {
  struct timespec time = {0, nanoseconds};
  kernel(SYS_nanosleep, (long)&time, 0, 0, 0, 0);
}

static void use_mutex(uint64_t random) {
  if (umtx(&mutex, UMTX_OP_MUTEX_LOCK, 0, NULL, NULL) != 0) kernel(SYS_exit, 3, 0, 0, 0, 0);
  guarded++;
  if (random % 4 == 0) kernel(SYS_sched_yield, 0, 0, 0, 0, 0);
  guarded_too++;
  if (guarded != guarded_too) kernel(SYS_exit, 4, 0, 0, 0, 0);
  if (umtx(&mutex, UMTX_OP_MUTEX_UNLOCK, 0, NULL, NULL) != 0) kernel(SYS_exit, 5, 0, 0, 0, 0);
}

static void lives(struct worker *worker) {
  uint64_t state = seed * 7919 + (uint64_t)worker->identifier * 31;
  __atomic_add_fetch(&common->started, 1, __ATOMIC_SEQ_CST);
  while (!common->over) {
    uint64_t random = next_random(&state);
    switch (next_random(&state) % 8) {
      case 0: pause_for((long)(random % 30 + 1) * 1000000); break;
      case 1: {
        struct timespec time = {0, (long)(random % 50 + 1) * 1000000};
        umtx(&word[random % words], UMTX_OP_WAIT_UINT_PRIVATE, 0, (void *)sizeof time, &time);
        break;
      }
      case 2: umtx(&word[random % words], UMTX_OP_WAKE_PRIVATE, 2, NULL, NULL); break;
      case 3: kernel(SYS_thr_kill, workers[random % threads].identifier, SIGUSR2, 0, 0, 0); break;
      case 4: kernel(SYS_sched_yield, 0, 0, 0, 0, 0); break;
      case 5: use_mutex(random); break;
      case 6: for (volatile uint64_t round = 0; round < random % 500; round++) {} break;
      default: if (random % 4 == 0) return;
    }
  }
}

// Before there are children: they are signalled from their beginning.
static void catch_signals(void) {
  struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  action.sa_flags = 0;
  CHECK_EQUAL(sigaction(SIGUSR2, &action, NULL), 0);
  CHECK_EQUAL(sigaction(SIGRTMIN, &action, NULL), 0);
}

_Noreturn static void live(void) {
  // The first thread is the tenth: it replaces those that end.
  __atomic_add_fetch(&common->started, 1, __ATOMIC_SEQ_CST);
  for (long number = 0; number < threads - 1; number++) start_worker(&workers[number], number, lives);
  workers[threads - 1].identifier = self();
  for (uint64_t number = 0; !common->over; number = (number + 1) % (threads - 1)) {
    pause_for(10000000);
    if (workers[number].identifier == 1) start_worker(&workers[number], (long)number, lives);
  }
  for (long number = 0; number < threads - 1; number++) {
    long identifier;
    // A signal may end the wait.
    while ((identifier = workers[number].identifier) != 1)
      umtx(&workers[number].identifier, UMTX_OP_WAIT, (unsigned long)identifier, NULL, NULL);
  }
  _exit(0);
}

// MARK: In the parent

static pid_t children[processes];
static int is_stopped[processes];
static uint64_t made, ended, killed;

static void make_child(int number) {
  pid_t child = fork();
  if (child == 0) live();
  if (child < 0) check_failed(__FILE__, __LINE__, "fork: %s", strerror(errno));
  children[number] = child;
  is_stopped[number] = 0;
  made++;
}

static void bury(int number, int is_killed) {
  int status = check_wait(children[number]);
  if (is_killed ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL : status != 0)
    check_failed(__FILE__, __LINE__, "child %d ended with status 0x%x", children[number], (unsigned)status);
  ended++;
  killed += (uint64_t)is_killed;
}

static void step(uint64_t *state) {
  int number = (int)(next_random(state) % processes), status = 0;
  pid_t child = children[number];
  switch (next_random(state) % 8) {
    case 0:
    case 1: CHECK_EQUAL(kill(child, SIGUSR1), 0); break;
    case 2:
      // A stopped process takes no more than there is room for.
      if (sigqueue(child, SIGRTMIN, (union sigval){.sival_int = number}) != 0) CHECK_EQUAL(errno, EAGAIN);
      break;
    case 3:
    case 4:
      CHECK_EQUAL(kill(child, is_stopped[number] ? SIGCONT : SIGSTOP), 0);
      CHECK_EQUAL(waitpid(child, &status, WUNTRACED | WCONTINUED), child);
      CHECK(is_stopped[number] ? WIFCONTINUED(status) : WIFSTOPPED(status));
      is_stopped[number] = !is_stopped[number];
      break;
    case 5:
      CHECK_EQUAL(kill(child, SIGKILL), 0);
      bury(number, 1);
      make_child(number);
      break;
    default: usleep((unsigned)(next_random(state) % 500));
  }
}

static void storm(void) {
  uint64_t state = seed;
  common->started = common->over = 0;
  made = ended = killed = 0;
  for (int number = 0; number < processes; number++) make_child(number);
  while (common->started < processes * threads) usleep(10000);
  for (uint64_t done = 0; done < steps; done++) step(&state);
  // A part is killed where it is, the others are asked to end.
  for (int number = 0; number < processes; number++) {
    if (number % 4 == 0) CHECK_EQUAL(kill(children[number], SIGKILL), 0);
    else if (is_stopped[number]) CHECK_EQUAL(kill(children[number], SIGCONT), 0);
  }
  common->over = 1;
  for (int number = 0; number < processes; number++) bury(number, number % 4 == 0);
  CHECK_EQUAL(ended, made);
  CHECK_ERRNO(ECHILD, waitpid(WAIT_ANY, NULL, 0));
  // What the last of them owned is torn down.
  usleep(100000);
}

static const char *const counters[] = {
    "vm.stats.vm.v_free_count", "vm.swap_reserved", "kern.openfiles", "vm.martlet.heap_bytes", "vm.martlet.live_objects",
};

TEST(nothing_and_nobody_is_left_of_two_thousand_threads) {
  for (int index = 1; index < check_argument_count; index++) {
    if (strncmp(check_arguments[index], "seed=", 5) == 0) seed = strtoul(check_arguments[index] + 5, NULL, 10);
    if (strncmp(check_arguments[index], "steps=", 6) == 0) steps = strtoul(check_arguments[index] + 6, NULL, 10);
  }
  catch_signals();
  // Who is stuck is stuck for ever.
  struct itimerval limit = {{0, 0}, {600, 0}};
  CHECK_EQUAL(setitimer(ITIMER_REAL, &limit, NULL), 0);
  common = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(common != MAP_FAILED);
  uint64_t all_steps = steps, before[nitems(counters)];
  // What is kept for the next time is there after the first.
  steps = 100;
  storm();
  for (size_t which = 0; which < nitems(counters); which++) before[which] = check_sysctl(counters[which]);
  steps = all_steps;
  storm();
  printf("# seed=%lu: %lu steps, %lu processes, %lu of them killed\n", seed, steps, made, killed);
  for (size_t which = 0; which < nitems(counters); which++) {
    uint64_t after = check_sysctl(counters[which]);
    printf("# %s: %lu before, %lu after\n", counters[which], before[which], after);
    // Pools of records keep an empty frame each.
    if (after + (which == 0 ? 4 : 0) < before[which] || (which != 0 && after != before[which]))
      check_failed(__FILE__, __LINE__, "%s: %lu before, %lu after", counters[which], before[which], after);
  }
  // Every frame belongs to somebody, and every count is right.
  CHECK_EQUAL(check_sysctl("vm.martlet.inspect"), 0);
}
