// cost_test: what calls and faults cost, in instructions of the emulated machine (the time stamp counter under QEMU's
// -icount), as the minimum over some rounds. Two things are held fast: that a cost does not grow with the number of names,
// objects, processes or mappings that exist, and that it stays below a ceiling: what FreeBSD 15-CURRENT needs for the same on
// the same machine, and for what is called most often a little more than it took when it was last made cheaper.

#include "cost.h"
#include "threads.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

static const char *numbered_name(int number) {
  static char name[] = "/cost00000";
  for (int position = 9; position > 4; position--, number /= 10) name[position] = (char)('0' + number % 10);
  return name;
}

static int anonymous(void) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(descriptor >= 0);
  return descriptor;
}

static volatile char *map_shared(int descriptor, size_t byte_count) {
  volatile char *memory = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}

TEST(getpid_is_cheap) {
  uint64_t cost = LEAST(100, getpid(), );
  CHECK_COST("getpid", cost, 256);
}

enum { many_names = 10000 };

static uint64_t cost_of_lookup(const char *name) {
  int descriptor = -1;
  return LEAST(50, descriptor = shm_open(name, O_RDWR, 0), CHECK_EQUAL(close(descriptor), 0));
}

TEST(looking_a_name_up_costs_the_same_among_ten_thousand) {
  CHECK_EQUAL(close(shm_open(numbered_name(0), O_RDWR | O_CREAT | O_EXCL, 0600)), 0);
  uint64_t few = cost_of_lookup(numbered_name(0));
  CHECK_COST("shm_open of an existing name", few, 1475);
  for (int number = 1; number < many_names; number++) {
    int descriptor = shm_open(numbered_name(number), O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(descriptor >= 0);
    CHECK_EQUAL(close(descriptor), 0);
  }
  uint64_t many = 0;
  for (int number = 0; number < many_names; number += 500) {
    uint64_t cost = cost_of_lookup(numbered_name(number));
    if (cost > many) many = cost;
  }
  CHECK_NO_GROWTH("shm_open of an existing name", few, many);
  for (int number = 0; number < many_names; number++) CHECK_EQUAL(shm_unlink(numbered_name(number)), 0);
}

static uint64_t cost_of_anonymous(void) { return LEAST(50, close(shm_open(SHM_ANON, O_RDWR, 0600)), ); }

TEST(an_anonymous_object_costs_the_same_among_a_thousand) {
  uint64_t few = cost_of_anonymous();
  CHECK_COST("shm_open(SHM_ANON) and close", few, 2386);
  // Their descriptors are out of the way: what is looked at is the number of objects and of open files.
  for (int number = 0; number < 1000; number++) {
    int descriptor = anonymous();
    CHECK_EQUAL(fcntl(descriptor, F_DUPFD, 100 + number), 100 + number);
    CHECK_EQUAL(close(descriptor), 0);
  }
  CHECK_NO_GROWTH("shm_open(SHM_ANON) and close", few, cost_of_anonymous());
}

static uint64_t cost_of_zero_fill(void) {
  enum { pages = 128 };
  int descriptor = anonymous();
  CHECK_EQUAL(ftruncate(descriptor, pages * PAGE_SIZE), 0);
  volatile char *memory = map_shared(descriptor, pages * PAGE_SIZE);
  volatile char *page = memory;
  uint64_t least = LEAST(pages, *page = 1, page += PAGE_SIZE);
  CHECK_EQUAL(munmap((void *)memory, pages * PAGE_SIZE), 0);
  CHECK_EQUAL(close(descriptor), 0);
  return least;
}

TEST(a_first_touch_costs_the_same_among_many_objects_and_pages) {
  uint64_t few = cost_of_zero_fill();
  CHECK_COST("the first store to a page", few, 2587);
  enum { objects = 200, pages = 64 };
  for (int number = 0; number < objects; number++) {
    int descriptor = anonymous();
    CHECK_EQUAL(ftruncate(descriptor, pages * PAGE_SIZE), 0);
    volatile char *memory = map_shared(descriptor, pages * PAGE_SIZE);
    for (int page = 0; page < pages; page++) memory[page * PAGE_SIZE] = 1;
    CHECK_EQUAL(close(descriptor), 0);
  }
  CHECK_NO_GROWTH("the first store to a page", few, cost_of_zero_fill());
}

static uint64_t cost_of_child(void) {
  return LEAST(
      20,
      {
        pid_t child = fork();
        if (child == 0) _exit(0);
        waitpid(child, NULL, 0);
      }, );
}

TEST(a_child_costs_the_same_among_a_hundred_processes) {
  uint64_t few = cost_of_child();
  CHECK_COST("fork, _exit and waitpid", few, 32400);
  enum { others = 100 };
  pid_t children[others];
  for (int number = 0; number < others; number++) {
    children[number] = fork();
    CHECK(children[number] >= 0);
    if (children[number] == 0) {
      struct timespec hour = {3600, 0};
      nanosleep(&hour, NULL);
      _exit(0);
    }
  }
  sched_yield();
  uint64_t many = cost_of_child();
  for (int number = 0; number < others; number++) {
    CHECK_EQUAL(kill(children[number], SIGKILL), 0);
    check_wait(children[number]);
  }
  CHECK_NO_GROWTH("fork, _exit and waitpid", few, many);
}

static uint64_t cost_of_byte(const int ends[2]) {
  char byte = 1;
  return LEAST(
      50,
      {
        write(ends[1], &byte, 1);
        read(ends[0], &byte, 1);
      }, );
}

TEST(a_byte_through_a_pipe_costs_the_same_among_a_hundred) {
  int ends[2], others[2];
  CHECK_EQUAL(pipe2(ends, 0), 0);
  uint64_t few = cost_of_byte(ends);
  CHECK_COST("a byte through a pipe", few, 1737);
  for (int number = 0; number < 100; number++) {
    CHECK_EQUAL(pipe2(others, O_NONBLOCK), 0);
    CHECK_EQUAL(write(others[1], others, 1), 1);
  }
  CHECK_NO_GROWTH("a byte through a pipe", few, cost_of_byte(ends));
}

TEST(a_byte_through_a_pair_of_sockets_costs_the_same_among_a_hundred) {
  int ends[2], others[2];
  CHECK_EQUAL(socketpair(PF_UNIX, SOCK_STREAM, 0, ends), 0);
  uint64_t few = cost_of_byte(ends);
  CHECK_COST("a byte through a pair of sockets", few, 1220);
  for (int number = 0; number < 100; number++) {
    CHECK_EQUAL(socketpair(PF_UNIX, SOCK_STREAM, 0, others), 0);
    CHECK_EQUAL(write(others[0], "x", 1), 1);
  }
  CHECK_NO_GROWTH("a byte through a pair of sockets", few, cost_of_byte(ends));
}

static uint64_t cost_of_descriptor(const int ends[2], int passed) {
  char byte = 1;
  struct iovec piece = {&byte, 1};
  char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
  struct cmsghdr *header = (struct cmsghdr *)control;
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control};
  return LEAST(
      50,
      {
        header->cmsg_len = CMSG_LEN(sizeof(int));
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        *(int *)CMSG_DATA(header) = passed;
        message.msg_controllen = sizeof(control);
        sendmsg(ends[0], &message, 0);
        recvmsg(ends[1], &message, 0);
        close(*(int *)CMSG_DATA(header));
      }, );
}

TEST(a_descriptor_through_a_pair_of_sockets_is_cheap_among_a_hundred_too) {
  int ends[2], others[2], passed = anonymous();
  CHECK_EQUAL(socketpair(PF_UNIX, SOCK_STREAM, 0, ends), 0);
  uint64_t few = cost_of_descriptor(ends, passed);
  CHECK_COST("a descriptor through a pair of sockets, and its close", few, 2420);
  for (int number = 0; number < 100; number++) {
    CHECK_EQUAL(socketpair(PF_UNIX, SOCK_STREAM, 0, others), 0);
    CHECK_EQUAL(write(others[0], "x", 1), 1);
  }
  // It is the two hundredth in its table, which is a tree by then.
  CHECK_COST("the same among many", cost_of_descriptor(ends, passed), 3020);
}

// There and back. Of those who sleep at a pipe one is woken, however many there are.
static uint64_t cost_of_answer(int readers) {
  int there[2], back[2];
  CHECK_EQUAL(pipe2(there, 0), 0);
  CHECK_EQUAL(pipe2(back, 0), 0);
  pid_t children[32];
  char byte = 1;
  for (int number = 0; number < readers; number++) {
    children[number] = fork();
    CHECK(children[number] >= 0);
    if (children[number] == 0)
      while (read(there[0], &byte, 1) == 1) write(back[1], &byte, 1);
  }
  for (int turn = 0; turn < 3; turn++) sched_yield();
  uint64_t least = LEAST(
      50,
      {
        write(there[1], &byte, 1);
        read(back[0], &byte, 1);
      }, );
  for (int number = 0; number < readers; number++) {
    CHECK_EQUAL(kill(children[number], SIGKILL), 0);
    check_wait(children[number]);
  }
  return least;
}

TEST(an_answer_through_pipes_costs_the_same_among_many_who_wait) {
  uint64_t few = cost_of_answer(1);
  CHECK_COST("a byte to another process and back", few, 8640);
  CHECK_NO_GROWTH("a byte to another process and back", few, cost_of_answer(32));
}

static uint64_t cost_of_mapping(int descriptor) {
  return LEAST(50, munmap((void *)map_shared(descriptor, PAGE_SIZE), PAGE_SIZE), );
}

// The map is a tree: among ten thousand mappings it is some ten levels higher than among ten, and the gap behind them all, in
// which the new one lies, is known at each.
TEST(a_mapping_costs_little_more_among_ten_thousand) {
  int descriptor = anonymous();
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  uint64_t few = cost_of_mapping(descriptor);
  CHECK_COST("mmap and munmap", few, 5980);
  for (int number = 0; number < 10000; number++) map_shared(descriptor, PAGE_SIZE);
  uint64_t many = cost_of_mapping(descriptor);
  printf("# mmap and munmap: %lu instructions among few, %lu among many\n", few, many);
  CHECK(10 * many <= 23 * few);
}

TEST(what_only_tells_something_is_cheap) {
  struct timeval now;
  struct timespec resolution;
  struct rlimit limit;
  uid_t real, effective, saved;
  gid_t groups[16];
  uint64_t word;
  CHECK_EQUAL(gettimeofday(&now, NULL), 0);
  CHECK_COST("gettimeofday", LEAST(20, gettimeofday(&now, NULL), ), 400);
  CHECK_COST("clock_getres", LEAST(20, clock_getres(CLOCK_MONOTONIC, &resolution), ), 400);
  CHECK_COST("getrlimit", LEAST(20, getrlimit(RLIMIT_NOFILE, &limit), ), 400);
  CHECK_COST("getresuid", LEAST(20, getresuid(&real, &effective, &saved), ), 400);
  CHECK_COST("getgroups", LEAST(20, getgroups(16, groups), ), 400);
  CHECK_COST("a random word", LEAST(20, syscall(SYS_getrandom, &word, sizeof word, 0), ), 400);
}

static volatile int handled;

static void handle(int signal) {
  (void)signal;
  handled++;
}

TEST(signals_are_cheap) {
  struct sigaction action = {.sa_handler = handle};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  pid_t self = getpid();
  CHECK_COST("a signal to oneself, its handler and the return", LEAST(50, kill(self, SIGUSR1), ), 2815);
  CHECK_EQUAL(handled, 50);
  sigset_t set = {{1}}, old;
  CHECK_COST("sigprocmask", LEAST(50, sigprocmask(SIG_BLOCK, &set, &old), ), 615);
}

static struct worker worker;

static void ends(struct worker *worker) { worker->result++; }

TEST(threads_are_cheap) {
  start_worker(&worker, 0, ends);
  join_worker(&worker);
  uint64_t cost = LEAST(
      50,
      {
        start_worker(&worker, 0, ends);
        join_worker(&worker);
      }, );
  CHECK_COST("thr_new, thr_exit and joining", cost, 6575);
}

static volatile uint32_t *words;

static void await(volatile uint32_t *word, uint32_t value) {
  uint32_t seen;
  while ((seen = *word) != value) umtx(word, UMTX_OP_WAIT_UINT, seen, NULL, NULL);
}

static void hand(volatile uint32_t *word, uint32_t value) {
  *word = value;
  umtx(word, UMTX_OP_WAKE, 1, NULL, NULL);
}

TEST(words_are_waited_for_cheaply) {
  words = (volatile uint32_t *)mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(words != MAP_FAILED);
  words[0] = 0;
  CHECK_COST("_umtx_op that wakes nobody, private", LEAST(50, umtx(words, UMTX_OP_WAKE_PRIVATE, 1, NULL, NULL), ), 300);
  CHECK_COST("_umtx_op that wakes nobody, shared", LEAST(50, umtx(words, UMTX_OP_WAKE, 1, NULL, NULL), ), 430);
  struct umutex *mutex = (struct umutex *)(words + 16);
  mutex->m_flags = USYNC_PROCESS_SHARED;
  CHECK_COST("a mutex locked and unlocked by the kernel",
             LEAST(50, umtx(mutex, UMTX_OP_MUTEX_LOCK, 0, NULL, NULL),
                   umtx(mutex, UMTX_OP_MUTEX_UNLOCK, 0, NULL, NULL)),
             640);
  enum { rounds = 50 };
  pid_t child = fork();
  if (child == 0) {
    for (uint32_t round = 1; round <= rounds; round++) {
      await(words, round);
      hand(words + 1, round);
    }
    _exit(0);
  }
  uint32_t number = 0;
  uint64_t cost = LEAST(
      rounds,
      {
        number++;
        hand(words, number);
        await(words + 1, number);
      }, );
  CHECK_EQUAL(check_wait(child), 0);
  CHECK_COST("a word handed to another process and back", cost, 4075);
}

TEST(no_frequent_call_has_become_dearer) {
  enum { pages = 512, size = pages * PAGE_SIZE };
  static char page[PAGE_SIZE];
  struct stat status;
  int descriptor = anonymous(), copy = -1;
  CHECK_EQUAL(ftruncate(descriptor, size), 0);
  volatile char *memory = map_shared(descriptor, size);
  memory[0] = page[0] = 1;
  CHECK_COST("getpid", LEAST(50, getpid(), ), 131);
  CHECK_COST("fstat", LEAST(50, fstat(descriptor, &status), ), 380);
  CHECK_COST("lseek", LEAST(50, lseek(descriptor, 0, SEEK_SET), ), 195);
  CHECK_COST("dup", LEAST(50, copy = dup(descriptor), close(copy)), 202);
  CHECK_COST("pread of a page", LEAST(50, pread(descriptor, page, PAGE_SIZE, 0), ), 1464);
  CHECK_COST("pwrite of a page", LEAST(50, pwrite(descriptor, page, PAGE_SIZE, 0), ), 1473);
  CHECK_COST("ftruncate", LEAST(50, ftruncate(descriptor, size + 1), ftruncate(descriptor, size)), 560);
  CHECK_COST("mprotect",
             LEAST(50, mprotect((void *)memory, PAGE_SIZE, PROT_READ),
                   mprotect((void *)memory, PAGE_SIZE, PROT_READ | PROT_WRITE)),
             1746);
  for (int number = 0; number < pages; number++) memory[number * PAGE_SIZE] = 1;
  volatile char *other = map_shared(descriptor, size);
  volatile char *next = other + 8 * PAGE_SIZE;
  other[0] = 1;
  CHECK_COST("a store to a page that another mapped", LEAST(50, *next = 1, next += PAGE_SIZE), 655);
  CHECK_EQUAL(munmap((void *)other, size), 0);
  CHECK_COST("munmap of 512 pages", LEAST(1, munmap((void *)memory, size), ), 48000);
  CHECK_COST("the last close of 512 pages", LEAST(1, close(descriptor), ), 121000);
}
