// bad_arguments_test: every system call number with every argument pointing at unmapped, kernel, non-canonical and partly
// mapped memory (issue 2, acceptance 4). What the calls answer is nobody's business here; that the kernel goes on, that
// other processes keep what is theirs, and that nothing is left behind is.

#include "check.h"

enum { NUMBERS = 601, BUFFER = 4 * PAGE_SIZE };

// Makes a call with six arguments; errors come back as their number.
static uint64_t call(uint64_t number, const uint64_t arguments[6]) {
  register uint64_t r10 __asm__("r10") = arguments[3];
  register uint64_t r8 __asm__("r8") = arguments[4];
  register uint64_t r9 __asm__("r9") = arguments[5];
  uint64_t result, rdx = arguments[2];
  __asm__ volatile("syscall"
                   : "=a"(result), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9)
                   : "a"(number), "D"(arguments[0]), "S"(arguments[1])
                   : "rcx", "r11", "memory", "cc");
  return result;
}

// Ends a process that a call has made, whatever call it was.
static void only(pid_t self) {
  if (getpid() != self) _exit(0);
}

static void attack(uint64_t number) {
  pid_t self = getpid();
  for (int descriptor = 0; descriptor < 3; descriptor++) close(descriptor);
  int object = shm_open(SHM_ANON, O_RDWR, 0600);
  ftruncate(object, BUFFER);
  char *buffer = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  munmap(buffer + 2 * PAGE_SIZE, PAGE_SIZE);
  uint64_t good = (uint64_t)buffer, partly = good + 2 * PAGE_SIZE - 4;
  const uint64_t values[] = {
      0,
      1,
      8,
      good + 2 * PAGE_SIZE,  // unmapped
      partly,
      good + 4 * PAGE_SIZE - 1,
      0x3ffffffffffc,  // over the end of user space
      0x400000000000,
      0x7f8000000000,  // the kernel's text
      0x800000000000,  // not canonical
      0x8000000000000000,
      0xffff800000000000,
      -4096UL,
      -1UL,
      0x7fffffffffffffff,
      0x80000000,
  };
  const uint64_t backgrounds[][6] = {
      {(uint64_t)object, good, 64, 0, 0, 0},
      {good, 64, (uint64_t)object, good, good, 0},
      {(uint64_t)object, partly, PAGE_SIZE, partly, partly, 0},
      {good, partly, -1UL, partly, partly, -1UL},
  };
  for (size_t value = 0; value < nitems(values); value++) {
    const uint64_t all[6] = {values[value], values[value], values[value], values[value], values[value], values[value]};
    call(number, all);
    only(self);
    for (size_t background = 0; background < nitems(backgrounds); background++)
      for (int position = 0; position < 6; position++) {
        uint64_t arguments[6];
        memcpy(arguments, backgrounds[background], sizeof arguments);
        arguments[position] = values[value];
        call(number, arguments);
        only(self);
      }
  }
}

// Runs the attack as an ordinary user in a process group of its own; one that waits for something is killed in the end.
static int attack_in_child(uint64_t number, int privileged) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    if (!privileged) setuid(1001);
    attack(number);
    _exit(0);
  }
  int status = -1;
  for (int tries = 0; tries < 50; tries++) {
    pid_t found = waitpid(child, &status, WNOHANG | WUNTRACED);
    CHECK(found >= 0);
    if (found == child && !WIFSTOPPED(status)) return status;
    usleep(tries < 10 ? 500 : 5000);
  }
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  return check_wait(child);
}

static volatile uint64_t *shared_witness, *private_witness;

static void prepare_witnesses(void) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  shared_witness = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  private_witness = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  for (int word = 0; word < PAGE_SIZE / 8; word++) private_witness[word] = (uint64_t)word * 0x9e3779b97f4a7c15;
}

static void check_witnesses(void) {
  for (int word = 0; word < PAGE_SIZE / 8; word++) CHECK_EQUAL(private_witness[word], (uint64_t)word * 0x9e3779b97f4a7c15);
  CHECK_EXIT(0, {
    volatile int *local = malloc(sizeof *local);
    *local = 5;
    CHECK_EQUAL(*local, 5);
  });
}

static void attack_every_number(int privileged, const uint64_t *spared, size_t spared_count) {
  prepare_witnesses();
  int survived = 0, unknown = 0;
  uint64_t files = check_sysctl("kern.openfiles");
  for (uint64_t number = 0; number < NUMBERS; number++) {
    int spare = 0;
    for (size_t index = 0; index < spared_count; index++) spare |= spared[index] == number;
    if (spare) continue;
    int status = attack_in_child(number, privileged);
    survived += status == 0;
    unknown += status == SIGSYS;
    if (number % 50 == 0) check_witnesses();
  }
  check_witnesses();
  CHECK_EQUAL(check_sysctl("kern.openfiles"), files);
  printf("# bad_arguments: %d numbers survived every argument, %d are unknown\n", survived, unknown);
}

TEST(every_call_as_an_ordinary_user) { attack_every_number(0, NULL, 0); }

// A privileged process may stop the machine, kill everyone and take swap away: those calls are left out.
TEST(every_call_as_the_superuser) {
  static const uint64_t spared[] = {SYS_reboot, SYS_kill, SYS_sigqueue, SYS_thr_kill2, SYS_syscall, SYS___syscall};
  attack_every_number(1, spared, nitems(spared));
}

TEST(numbers_outside_the_table) {
  static const uint64_t numbers[] = {601, 1000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, -1UL, 1UL << 63};
  for (size_t index = 0; index < nitems(numbers); index++)
    CHECK_EQUAL(attack_in_child(numbers[index], 0), SIGSYS);
}

// A length and a pointer that are right by themselves and wrong together.
TEST(buffers_over_the_edge_of_a_mapping) {
  char *buffer = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  CHECK_EQUAL(munmap(buffer + PAGE_SIZE, PAGE_SIZE), 0);
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, BUFFER), 0);
  for (int before = 0; before < 300; before++) {
    char *edge = buffer + PAGE_SIZE - before;
    if (before < 224) CHECK_ERRNO(EFAULT, fstat(descriptor, (struct stat *)edge));
    else CHECK_EQUAL(fstat(descriptor, (struct stat *)edge), 0);
    if (before < 16) CHECK_ERRNO(EFAULT, clock_gettime(CLOCK_MONOTONIC, (struct timespec *)edge));
    else CHECK_EQUAL(clock_gettime(CLOCK_MONOTONIC, (struct timespec *)edge), 0);
    memset(edge, '/', (size_t)before);
    CHECK_ERRNO(EFAULT, shm_unlink(edge));
    CHECK_ERRNO(EFAULT, open(edge, O_RDONLY));
    if (before == 0) continue;
    edge[before - 1] = 0;
    CHECK(shm_unlink(edge) == -1 && errno != EFAULT);
  }
}
