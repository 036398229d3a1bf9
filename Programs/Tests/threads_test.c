// threads_test: several threads in one process on a real processor: how they begin, what each has of its own while others run,
// and how they end.

#include "threads.h"

enum { count = 6, millisecond = 1000000 };
static struct worker workers[count];

static uint64_t now(void) {
  struct timespec time = {0, 0};
  kernel(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&time, 0, 0, 0);
  return (uint64_t)time.tv_sec * 1000 * millisecond + (uint64_t)time.tv_nsec;
}

static void run_all(void (*run)(struct worker *)) {
  for (long number = 0; number < count; number++) start_worker(&workers[number], number, run);
  for (long number = 0; number < count; number++) join_worker(&workers[number]);
}

static void tells_its_identifier(struct worker *worker) { worker->result = self(); }

TEST(threads_begin_run_and_are_joined) {
  run_all(tells_its_identifier);
  for (int number = 0; number < count; number++) {
    CHECK(workers[number].result > 100000);
    for (int other = 0; other < number; other++) CHECK(workers[number].result != workers[other].result);
  }
  for (int round = 0; round < 200; round++) {
    start_worker(&workers[0], round, tells_its_identifier);
    join_worker(&workers[0]);
  }
}

// What a thread has of its own: the bases, the vector and x87 registers, their control words, and the general ones. Nobody calls
// while it looks, so that only the timer takes the processor away.
static void keeps_its_registers(struct worker *worker) {
  uint64_t mark = 0x1111111111111111u * (uint64_t)(worker->number + 1), seen, vector = mark;
  uint32_t control = 0x1f80u | (uint32_t)(worker->number & 3) << 13, found = 0;
  uint16_t word = (uint16_t)(0x037f | (worker->number & 3) << 10), got = 0;
  __asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(control), "m"(word));
  __asm__ volatile("movq %0, %%xmm15; movq %0, %%xmm0; fildq %0" : : "m"(vector) : "xmm0", "xmm15");
  uint64_t end = now() + 60 * millisecond;
  __asm__ volatile("movq %0, %%xmm15; movq %0, %%xmm0" : : "m"(vector) : "xmm0", "xmm15");
  uint64_t rounds = 0;
  do {
    for (int round = 0; round < 20000; round++) {
      __asm__ volatile("movq %%xmm15, %0" : "=r"(seen));
      if (seen != mark) worker->result |= 1;
      __asm__ volatile("movq %%fs:0, %0" : "=r"(seen));
      if (seen != (uint64_t)worker) worker->result |= 2;
      __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(found), "=m"(got));
      if (found != control) worker->result |= 4;
      if (got != word) worker->result |= 8;
    }
    rounds++;
  } while (now() < end);
  __asm__ volatile("fistpq %0" : "=m"(seen));
  if (seen != mark) worker->result |= 16;
  if (rounds == 0) worker->result |= 32;
}

TEST(each_thread_keeps_its_registers_while_others_run) {
  run_all(keeps_its_registers);
  for (int number = 0; number < count; number++) CHECK_EQUAL(workers[number].result, 0);
}

static uint64_t inherited;

// The first instructions of a thread, before anything of C has run.
__attribute__((naked)) static void begin_with_registers(void *argument) {
  __asm__ volatile("movq %%xmm13, %%rax; movq %%rax, %0; jmp begin_worker_by_name" : "=m"(inherited) : : "rax");
}

__attribute__((used)) static void begin_worker_by_name(void *argument) __asm__("begin_worker_by_name");
static void begin_worker_by_name(void *argument) { begin_worker(argument); }

TEST(a_thread_begins_with_the_vector_registers_of_its_maker) {
  struct worker *worker = &workers[0];
  worker->run = tells_its_identifier;
  worker->stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  struct thr_param parameters = {
      .start_func = begin_with_registers,
      .arg = worker,
      .stack_base = worker->stack,
      .stack_size = stack_size,
      .child_tid = (long *)&worker->identifier,
  };
  uint64_t mark = 0x123456789abcdef;
  __asm__ volatile("movq %0, %%xmm13" : : "r"(mark) : "xmm13");
  long result = kernel(SYS_thr_new, (long)&parameters, sizeof parameters, 0, 0, 0);
  CHECK_EQUAL(result, 0);
  join_worker(worker);
  CHECK_EQUAL(inherited, mark);
}

static int has_base_instructions(void) {
  uint32_t a = 7, b, c = 0, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return b & 1;
}

static uint64_t values[count][64];

// The bases that a thread gives itself without a call, by WRFSBASE and WRGSBASE.
static void changes_its_bases(struct worker *worker) {
  uint64_t end = now() + 60 * millisecond;
  uint64_t *own = values[worker->number];
  for (int index = 0; index < 64; index++) own[index] = (uint64_t)(worker->number << 16 | index);
  do {
    for (uint64_t round = 0; round < 20000; round++) {
      uint64_t index = round & 63, seen, other;
      __asm__ volatile("wrfsbase %2; wrgsbase %3; movq %%fs:0, %0; movq %%gs:0, %1"
                       : "=&r"(seen), "=&r"(other)
                       : "r"(own + index), "r"(own + (63 - index)));
      if (seen != own[index] || other != own[63 - index]) worker->result |= 1;
    }
    // A base is still there behind a call, and after others had the processor.
    uint64_t base, seen;
    __asm__ volatile("wrfsbase %0" : : "r"(own + 7));
    kernel(SYS_sched_yield, 0, 0, 0, 0, 0);
    __asm__ volatile("rdfsbase %0; movq %%fs:0, %1" : "=r"(base), "=r"(seen));
    if (base != (uint64_t)(own + 7) || seen != own[7]) worker->result |= 2;
    kernel(SYS_sysarch, AMD64_GET_FSBASE, (long)&base, 0, 0, 0);
    if (base != (uint64_t)(own + 7)) worker->result |= 4;
  } while (now() < end);
}

TEST(bases_that_a_thread_sets_itself_stay_its_own) {
  if (!has_base_instructions()) return;
  run_all(changes_its_bases);
  for (int number = 0; number < count; number++) CHECK_EQUAL(workers[number].result, 0);
}

static volatile uint32_t never;

static void sleeps(struct worker *worker) {
  worker->result = 1;
  umtx(&never, UMTX_OP_WAIT_UINT_PRIVATE, 0, NULL, NULL);
}

static void spins(struct worker *worker) {
  for (;;) worker->result++;
}

static void exits(struct worker *worker) {
  while (workers[0].result == 0) kernel(SYS_sched_yield, 0, 0, 0, 0, 0);
  kernel(SYS_exit, 40 + worker->number, 0, 0, 0, 0);
}

TEST(exit_of_one_ends_those_who_sleep_and_those_who_compute) {
  pid_t child = fork();
  if (child == 0) {
    start_worker(&workers[0], 0, sleeps);
    start_worker(&workers[1], 1, spins);
    start_worker(&workers[2], 2, exits);
    for (;;) umtx(&never, UMTX_OP_WAIT_UINT, 0, NULL, NULL);
  }
  int status = check_wait(child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

TEST(a_kill_ends_all_threads) {
  pid_t child = fork();
  if (child == 0) {
    start_worker(&workers[0], 0, sleeps);
    start_worker(&workers[1], 1, spins);
    for (;;) umtx(&never, UMTX_OP_WAIT_UINT, 0, NULL, NULL);
  }
  struct timespec shortly = {0, 30 * millisecond};
  nanosleep(&shortly, NULL);
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  int status = check_wait(child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void forks(struct worker *worker) {
  long child = kernel(SYS_fork, 0, 0, 0, 0, 0);
  // Only this thread is there: the others would count.
  static volatile uint64_t before;
  if (child == 0 || worker->result != 0) {
    before = workers[1].result;
    struct timespec shortly = {0, 30 * millisecond};
    kernel(SYS_nanosleep, (long)&shortly, 0, 0, 0, 0);
    kernel(SYS_exit, before == workers[1].result ? 7 : 8, 0, 0, 0, 0);
  }
  worker->result = (uint64_t)child;
}

TEST(a_child_has_only_the_thread_that_forked) {
  pid_t child = fork();
  if (child == 0) {
    start_worker(&workers[1], 1, spins);
    start_worker(&workers[2], 2, forks);
    join_worker(&workers[2]);
    int status = check_wait(WAIT_ANY);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 9);
  }
  int status = check_wait(child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

enum { pages = 64 };
static volatile char *memory;

static void touches(struct worker *worker) {
  for (;; worker->result++) memory[(worker->result % pages) * PAGE_SIZE] = (char)worker->result;
}

TEST(a_fault_of_one_thread_against_the_munmap_of_another) {
  pid_t child = fork();
  if (child == 0) {
    memory = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    for (long number = 0; number < 3; number++) start_worker(&workers[number], number, touches);
    for (int round = 0; round < 300; round++) {
      CHECK_EQUAL(kernel(SYS_mprotect, (long)memory, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, 0, 0), 0);
      kernel(SYS_sched_yield, 0, 0, 0, 0, 0);
      // What takes its place in one step is never missing.
      CHECK_EQUAL(mmap((void *)memory, pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANON | MAP_FIXED, -1, 0),
                  memory);
    }
    munmap((void *)memory, pages * PAGE_SIZE);
    for (;;) kernel(SYS_sched_yield, 0, 0, 0, 0, 0);
  }
  int status = check_wait(child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static volatile uint64_t turns;

static void waits_for_its_turn(struct worker *worker) {
  for (int round = 0; round < 100; round++) {
    while ((turns & 1) != (uint64_t)worker->number) CHECK_EQUAL(kernel(SYS_thr_suspend, 0, 0, 0, 0, 0), 0);
    turns++;
    kernel(SYS_thr_wake, workers[1 - worker->number].identifier, 0, 0, 0, 0);
  }
}

TEST(threads_wake_each_other_by_their_identifiers) {
  start_worker(&workers[0], 0, waits_for_its_turn);
  start_worker(&workers[1], 1, waits_for_its_turn);
  join_worker(&workers[0]);
  join_worker(&workers[1]);
  CHECK_EQUAL(turns, 200);
}
