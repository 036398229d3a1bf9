// poll_test: poll(2), ppoll(2), select(2), pselect(2) on pipes, queues of events, shared memory, devices (spec kqueue.md section 8).

#include "threads.h"

#include <poll.h>
#include <sys/event.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>

enum { all_bits = POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRBAND };
static const struct timespec at_once = {0, 0};
static const struct timeval no_time = {0, 0};

static void make_pipe(int ends[2]) { CHECK_EQUAL(pipe2(ends, O_NONBLOCK), 0); }

static long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000 + now.tv_nsec;
}

static int ready(int descriptor, int events) {
  struct pollfd entry = {descriptor, (short)events, -1};
  int count = poll(&entry, 1, 0);
  CHECK_EQUAL(count, entry.revents != 0);
  CHECK_EQUAL(entry.fd, descriptor);
  CHECK_EQUAL(entry.events, events);
  return entry.revents;
}

TEST(errors_of_poll_come_in_their_order) {
  struct pollfd entry = {0, 0, 0};
  CHECK_ERRNO(EINVAL, poll((struct pollfd *)8, 1, -2));
  unsigned most = (unsigned)check_sysctl("kern.maxfilesperproc");
  CHECK_ERRNO(EINVAL, poll((struct pollfd *)8, (most > 1024 ? most : 1024) + 1, 0));
  CHECK_ERRNO(EFAULT, poll((struct pollfd *)8, 1, 0));
  CHECK_EQUAL(poll((struct pollfd *)8, 0, 0), 0);
  struct timespec bad = {0, 1000000000}, negative = {-1, 0};
  CHECK_ERRNO(EFAULT, ppoll((struct pollfd *)8, 1u << 31, (struct timespec *)8, NULL));
  CHECK_ERRNO(EFAULT, ppoll((struct pollfd *)8, 1u << 31, &bad, (sigset_t *)8));
  CHECK_ERRNO(EINVAL, ppoll((struct pollfd *)8, 1u << 31, &bad, NULL));
  CHECK_ERRNO(EFAULT, ppoll((struct pollfd *)8, 1, &bad, NULL));
  CHECK_ERRNO(EINVAL, ppoll(&entry, 1, &bad, NULL));
  CHECK_ERRNO(EINVAL, ppoll(&entry, 1, &negative, NULL));
  // What was found is stored, so it has to be possible.
  struct pollfd *constant = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  CHECK_EQUAL(mprotect(constant, 4096, PROT_READ), 0);
  CHECK_ERRNO(EFAULT, poll(constant, 1, 0));
}

TEST(what_is_not_open_is_invalid_and_negative_descriptors_are_left_out) {
  struct pollfd entries[4] = {{-1, POLLIN, 7}, {500, POLLIN, 7}, {-500, POLLIN, 7}, {1 << 20, 0, 7}};
  CHECK_EQUAL(poll(entries, 4, -1), 2);
  CHECK_EQUAL(entries[0].revents, 0);
  CHECK_EQUAL(entries[1].revents, POLLNVAL);
  CHECK_EQUAL(entries[2].revents, 0);
  CHECK_EQUAL(entries[3].revents, POLLNVAL);
}

TEST(pipes_say_what_they_can) {
  int ends[2];
  char bytes[4096];
  memset(bytes, 0, sizeof bytes);
  make_pipe(ends);
  CHECK_EQUAL(ready(ends[0], all_bits), POLLOUT);
  CHECK_EQUAL(ready(ends[1], all_bits), POLLOUT);
  CHECK_EQUAL(write(ends[1], bytes, 1), 1);
  CHECK_EQUAL(ready(ends[0], all_bits), POLLIN | POLLRDNORM | POLLOUT);
  CHECK_EQUAL(ready(ends[0], POLLIN), POLLIN);
  while (write(ends[1], bytes, sizeof bytes) > 0) {
  }
  CHECK_EQUAL(ready(ends[1], all_bits), 0);
  while (read(ends[0], bytes, sizeof bytes) > 0) {
  }
  CHECK_EQUAL(ready(ends[1], all_bits), POLLOUT);
  CHECK_EQUAL(write(ends[1], bytes, 3), 3);
  CHECK_EQUAL(close(ends[1]), 0);
  CHECK_EQUAL(ready(ends[0], all_bits), POLLIN | POLLRDNORM | POLLHUP);
  CHECK_EQUAL(ready(ends[0], 0), POLLHUP);
  CHECK_EQUAL(ready(ends[0], POLLIN | POLLINIGNEOF), POLLIN);
  CHECK_EQUAL(read(ends[0], bytes, 100), 3);
  CHECK_EQUAL(ready(ends[0], all_bits), POLLIN | POLLRDNORM | POLLHUP);
  CHECK_EQUAL(ready(ends[0], POLLIN | POLLINIGNEOF), 0);
}

TEST(files_that_are_always_ready) {
  int object = shm_open(SHM_ANON, O_RDWR, 0600), null = open("/dev/null", O_RDWR);
  CHECK_EQUAL(ready(object, 0x1ff), POLLIN | POLLOUT | POLLRDNORM);
  CHECK_EQUAL(ready(object, POLLINIGNEOF | POLLIN), POLLNVAL);
  CHECK_EQUAL(ready(null, POLLIN | POLLOUT), POLLIN | POLLOUT);
  int old = (int)kernel(SYS_freebsd12_shm_open, (long)SHM_ANON, O_RDWR, 0600, 0, 0);
  CHECK_EQUAL(ready(old, 0), 0x2d);
  fd_set sets[3];
  for (int set = 0; set < 3; set++) {
    FD_ZERO(&sets[set]);
    FD_SET(object, &sets[set]);
    FD_SET(old, &sets[set]);
  }
  struct timeval time = no_time;
  CHECK_EQUAL(select(old + 1, &sets[0], &sets[1], &sets[2], &time), 5);
  CHECK(FD_ISSET(object, &sets[0]) && FD_ISSET(object, &sets[1]) && !FD_ISSET(object, &sets[2]));
  CHECK(FD_ISSET(old, &sets[0]) && FD_ISSET(old, &sets[1]) && FD_ISSET(old, &sets[2]));
}

TEST(a_queue_is_readable_when_an_event_is_there) {
  int queue = kqueue();
  CHECK_EQUAL(ready(queue, all_bits), 0);
  struct kevent event;
  EV_SET(&event, 1, EVFILT_USER, EV_ADD, 0, 0, 0);
  CHECK_EQUAL(kevent(queue, &event, 1, NULL, 0, NULL), 0);
  pid_t parent = getpid();
  EV_SET(&event, SIGURG, EVFILT_SIGNAL, EV_ADD, 0, 0, 0);
  CHECK_EQUAL(kevent(queue, &event, 1, NULL, 0, NULL), 0);
  pid_t child = fork();
  if (child == 0) {
    usleep(5000);
    kill(parent, SIGURG);
    _exit(0);
  }
  struct pollfd entry = {queue, POLLIN, 0};
  CHECK_EQUAL(poll(&entry, 1, -1), 1);
  CHECK_EQUAL(entry.revents, POLLIN);
  check_wait(child);
}

TEST(a_time_limit_is_kept_and_nothing_is_a_sleep) {
  int ends[2];
  make_pipe(ends);
  struct pollfd entry = {ends[0], POLLIN, 9};
  long before = nanoseconds();
  CHECK_EQUAL(poll(&entry, 1, 20), 0);
  long taken = nanoseconds() - before;
  CHECK(taken >= 20000000 && taken < 25000000);
  CHECK_EQUAL(entry.revents, 0);
  before = nanoseconds();
  CHECK_EQUAL(poll(NULL, 0, 10), 0);
  CHECK(nanoseconds() - before >= 10000000);
  struct timespec time = {0, 3000000};
  before = nanoseconds();
  CHECK_EQUAL(ppoll(&entry, 1, &time, NULL), 0);
  CHECK(nanoseconds() - before >= 3000000);
  struct timeval short_time = {0, 4000};
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  before = nanoseconds();
  CHECK_EQUAL(select(ends[0] + 1, &set, NULL, NULL, &short_time), 0);
  CHECK(nanoseconds() - before >= 4000000);
  CHECK_EQUAL(short_time.tv_usec, 4000);
  CHECK(!FD_ISSET(ends[0], &set));
  // Less than a microsecond is no time at all.
  struct timespec hardly = {0, 500};
  CHECK_EQUAL(pselect(0, NULL, NULL, NULL, &hardly, NULL), 0);
}

TEST(a_write_wakes_who_polls_the_other_end) {
  int ends[2];
  make_pipe(ends);
  pid_t child = fork();
  if (child == 0) {
    usleep(5000);
    CHECK_EQUAL(write(ends[1], "x", 1), 1);
    usleep(5000);
    _exit(0);
  }
  CHECK_EQUAL(close(ends[1]), 0);
  struct pollfd entry = {ends[0], POLLIN, 0};
  CHECK_EQUAL(poll(&entry, 1, -1), 1);
  CHECK_EQUAL(entry.revents, POLLIN);
  char byte;
  CHECK_EQUAL(read(ends[0], &byte, 1), 1);
  // Whatever is asked, the end is told.
  entry.events = 0;
  CHECK_EQUAL(poll(&entry, 1, -1), 1);
  CHECK_EQUAL(entry.revents, POLLHUP);
  check_wait(child);
}

TEST(what_is_of_no_interest_does_not_end_the_wait) {
  int ends[2];
  make_pipe(ends);
  char bytes[4096];
  memset(bytes, 0, sizeof bytes);
  while (write(ends[1], bytes, sizeof bytes) > 0) {
  }
  pid_t child = fork();
  if (child == 0) {
    // Less than 512 bytes: that is no room yet.
    usleep(3000);
    CHECK_EQUAL(read(ends[0], bytes, 100), 100);
    usleep(3000);
    CHECK_EQUAL(read(ends[0], bytes, 1000), 1000);
    _exit(0);
  }
  struct pollfd entries[2] = {{ends[1], POLLOUT, 0}, {ends[1], POLLIN, 5}};
  long before = nanoseconds();
  CHECK_EQUAL(poll(entries, 2, -1), 1);
  CHECK_EQUAL(entries[0].revents, POLLOUT);
  CHECK_EQUAL(entries[1].revents, 0);
  CHECK(nanoseconds() - before >= 6000000);
  check_wait(child);
}

static volatile int handled;
static volatile int blocked_in_handler;

static void handler(int signal) {
  (void)signal;
  handled++;
  sigset_t mask;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  blocked_in_handler = sigismember(&mask, SIGUSR2);
}

static void catch(int number, int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  CHECK_EQUAL(sigaction(number, &action, NULL), 0);
}

TEST(a_handler_ends_the_wait_whatever_its_action_says) {
  catch(SIGUSR1, SA_RESTART);
  int ends[2];
  make_pipe(ends);
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    for (int round = 0; round < 3; round++) {
      usleep(3000);
      kill(parent, SIGUSR1);
    }
    _exit(0);
  }
  struct pollfd entry = {ends[0], POLLIN, 9};
  CHECK_ERRNO(EINTR, poll(&entry, 1, -1));
  CHECK_EQUAL(entry.revents, 9);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  CHECK_ERRNO(EINTR, select(ends[0] + 1, &set, NULL, NULL, NULL));
  CHECK(FD_ISSET(ends[0], &set));
  CHECK_ERRNO(EINTR, poll(NULL, 0, -1));
  CHECK_EQUAL(handled, 3);
  check_wait(child);
}

static void check_mask(int usr1, int usr2) {
  sigset_t mask;
  CHECK_EQUAL(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
  CHECK_EQUAL(sigismember(&mask, SIGUSR1), usr1);
  CHECK_EQUAL(sigismember(&mask, SIGUSR2), usr2);
}

TEST(masks_hold_as_long_as_the_call) {
  catch(SIGUSR1, 0);
  sigset_t usr1, usr2;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  CHECK_EQUAL(sigprocmask(SIG_SETMASK, &usr1, NULL), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(handled, 0);
  // Nothing is ready: the call fails without sleeping, and the handler has the call's mask.
  CHECK_ERRNO(EINTR, ppoll(NULL, 0, NULL, &usr2));
  CHECK_EQUAL(handled, 1);
  CHECK_EQUAL(blocked_in_handler, 1);
  check_mask(1, 0);
  // No time: 0, and the handler has run.
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(ppoll(NULL, 0, &at_once, &usr2), 0);
  CHECK_EQUAL(handled, 2);
  check_mask(1, 0);
  // Ready: the count, and the handler has run.
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  int null = open("/dev/null", O_RDWR);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(null, &set);
  CHECK_EQUAL(pselect(null + 1, &set, NULL, NULL, NULL, &usr2), 1);
  CHECK_EQUAL(handled, 3);
  CHECK_EQUAL(blocked_in_handler, 1);
  check_mask(1, 0);
  // Errors put it back as well. pselect(2) has installed it by then, ppoll(2) has not.
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  struct timespec bad = {-1, 0};
  CHECK_ERRNO(EINVAL, ppoll(NULL, 0, &bad, &usr2));
  CHECK_EQUAL(handled, 3);
  CHECK_ERRNO(EINVAL, pselect(0, NULL, NULL, NULL, &bad, &usr2));
  CHECK_EQUAL(handled, 4);
  check_mask(1, 0);
  // A time that passes.
  struct timespec little = {0, 2000000};
  CHECK_EQUAL(ppoll(NULL, 0, &little, &usr2), 0);
  check_mask(1, 0);
}

TEST(errors_of_select_come_in_their_order) {
  fd_set *nowhere = (fd_set *)8;
  struct timeval bad = {0, 1000000}, time = no_time;
  fd_set set;
  FD_ZERO(&set);
  CHECK_ERRNO(EFAULT, select(-1, nowhere, NULL, NULL, (struct timeval *)8));
  CHECK_ERRNO(EINVAL, select(-1, nowhere, NULL, NULL, &bad));
  CHECK_ERRNO(EFAULT, select(1, nowhere, NULL, NULL, &bad));
  CHECK_ERRNO(EINVAL, select(1, &set, NULL, NULL, &bad));
  FD_SET(63, &set);
  CHECK_ERRNO(EINVAL, select(64, &set, NULL, NULL, &bad));
  CHECK_ERRNO(EBADF, select(64, &set, NULL, NULL, &time));
  CHECK(FD_ISSET(63, &set));
  CHECK_EQUAL(select(63, &set, NULL, NULL, &time), 0);
  // Whole words are stored.
  CHECK(!FD_ISSET(63, &set));
  FD_SET(900, &set);
  CHECK_ERRNO(EBADF, select(901, &set, NULL, NULL, &bad));
  CHECK_EQUAL(select(900, &set, NULL, NULL, &time), 0);
  CHECK_ERRNO(EFAULT, select(1 << 30, &set, NULL, NULL, &time));
}

TEST(duplicates_are_told_each_for_itself) {
  int ends[2];
  make_pipe(ends);
  struct pollfd entries[3] = {{ends[1], POLLOUT, 0}, {ends[1], POLLOUT | POLLIN, 0}, {ends[1], POLLIN, 0}};
  CHECK_EQUAL(poll(entries, 3, -1), 2);
  CHECK_EQUAL(entries[0].revents, POLLOUT);
  CHECK_EQUAL(entries[1].revents, POLLOUT);
}

static int shared_ends[2];

static void close_later(struct worker *worker) {
  struct timespec time = {0, 5000000};
  kernel(SYS_nanosleep, (long)&time, 0, 0, 0, 0);
  worker->result = (uint64_t)kernel(SYS_close, shared_ends[worker->number], 0, 0, 0, 0);
}

TEST(a_descriptor_that_another_thread_closes_becomes_invalid_with_its_file) {
  static struct worker worker;
  CHECK_EQUAL(pipe2(shared_ends, 0), 0);
  start_worker(&worker, 0, close_later);
  struct pollfd entry = {shared_ends[0], POLLIN, 0};
  CHECK_EQUAL(poll(&entry, 1, -1), 1);
  CHECK_EQUAL(entry.revents, POLLNVAL);
  // The other end is told of the end meanwhile.
  CHECK_EQUAL(ready(shared_ends[1], POLLOUT), POLLHUP);
  // While somebody else has the file, nothing happens.
  CHECK_EQUAL(pipe2(shared_ends, 0), 0);
  int copy = dup(shared_ends[0]);
  start_worker(&worker, 0, close_later);
  entry = (struct pollfd){shared_ends[0], POLLIN, 0};
  CHECK_EQUAL(poll(&entry, 1, 20), 0);
  CHECK_EQUAL(close(copy), 0);
}
