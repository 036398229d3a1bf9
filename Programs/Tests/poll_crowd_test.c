// poll_crowd_test: poll(2) and select(2) of many descriptors, and by many processes (spec kqueue.md section 8).

#include "check.h"

#include <poll.h>
#include <sys/select.h>
#include <sys/time.h>

static const struct timeval no_time = {0, 0};

static void make_pipe(int ends[2]) { CHECK_EQUAL(pipe2(ends, O_NONBLOCK), 0); }

enum { many = 1400 };

TEST(many_descriptors_pass_in_several_steps) {
  static struct pollfd entries[many];
  int idle[2], ends[2];
  make_pipe(idle);
  make_pipe(ends);
  for (int index = 0; index < many; index++) {
    // Three of them are the same end of another pipe.
    int descriptor = dup(index == 3 || index == 700 || index == many - 1 ? ends[0] : idle[0]);
    CHECK(descriptor > 0);
    entries[index] = (struct pollfd){descriptor, POLLIN, 3};
  }
  CHECK_EQUAL(poll(entries, many, 0), 0);
  for (int index = 0; index < many; index++) CHECK_EQUAL(entries[index].revents, 0);
  CHECK_EQUAL(write(ends[1], "x", 1), 1);
  CHECK_EQUAL(poll(entries, many, -1), 3);
  for (int index = 0; index < many; index++)
    CHECK_EQUAL(entries[index].revents, index == 3 || index == 700 || index == many - 1 ? POLLIN : 0);
  char byte;
  CHECK_EQUAL(read(ends[0], &byte, 1), 1);
  pid_t child = fork();
  if (child == 0) {
    usleep(20000);
    CHECK_EQUAL(write(ends[1], "x", 1), 1);
    _exit(0);
  }
  CHECK_EQUAL(poll(entries, many, -1), 3);
  CHECK_EQUAL(entries[700].revents, POLLIN);
  check_wait(child);
  CHECK_EQUAL(read(ends[0], &byte, 1), 1);
  // select(2) has no limit of its own.
  static uint64_t set[(many + 127) / 64];
  int last = entries[many - 1].fd + 1;
  for (int index = 0; index < many; index++) set[entries[index].fd / 64] |= 1ul << entries[index].fd % 64;
  struct timeval time = no_time;
  CHECK_EQUAL(select(last, (fd_set *)set, NULL, NULL, &time), 0);
  for (int index = 0; index <= last / 64; index++) CHECK_EQUAL(set[index], 0);
  for (int index = 0; index < many; index++) set[entries[index].fd / 64] |= 1ul << entries[index].fd % 64;
  child = fork();
  if (child == 0) {
    usleep(20000);
    CHECK_EQUAL(write(ends[1], "x", 1), 1);
    _exit(0);
  }
  CHECK_EQUAL(select(last, (fd_set *)set, NULL, NULL, NULL), 3);
  CHECK((set[entries[700].fd / 64] >> entries[700].fd % 64) & 1);
  check_wait(child);
  CHECK_EQUAL(read(ends[0], &byte, 1), 1);
  // Who is killed in the middle leaves nothing behind.
  CHECK_SIGNAL(SIGALRM, {
    struct itimerval timer = {{0, 0}, {0, 10000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    poll(entries, many, -1);
  });
}

TEST(many_processes_wait_for_one_pipe) {
  int ends[2], children[20];
  CHECK_EQUAL(pipe2(ends, 0), 0);
  for (int index = 0; index < 20; index++) {
    if ((children[index] = fork()) == 0) {
      struct pollfd entry = {ends[0], POLLIN, 0};
      CHECK_EQUAL(poll(&entry, 1, -1), 1);
      _exit(0);
    }
  }
  usleep(5000);
  CHECK_EQUAL(write(ends[1], "x", 1), 1);
  for (int index = 0; index < 20; index++) check_exit(__FILE__, __LINE__, 0, check_wait(children[index]));
}
