// kqueue_process_test: what kevent(2) tells of signals and processes (spec kqueue.md sections 7.3 and 7.4).

#include "queues.h"

static void ignore(int signal) { (void)signal; }

TEST(signals_are_counted_whatever_becomes_of_them) {
  int queue = make_queue();
  struct kevent event;
  struct sigaction action = {.sa_handler = SIG_IGN};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  CHECK_EQUAL(change(queue, SIGUSR1, EVFILT_SIGNAL, EV_ADD, 0, 0, 0), 0);
  CHECK_EQUAL(collect(queue, &event, 1), 0);
  for (int round = 0; round < 3; round++) CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(collect(queue, &event, 1), 1);
  CHECK_EQUAL(event.data, 3);
  CHECK_EQUAL(event.flags & EV_CLEAR, EV_CLEAR);
  CHECK_EQUAL(collect(queue, &event, 1), 0);
}

TEST(a_caught_signal_ends_the_wait) {
  int queue = make_queue();
  struct kevent event;
  struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    struct timespec time = {0, 10000000};
    nanosleep(&time, NULL);
    kill(parent, SIGUSR1);
    _exit(0);
  }
  CHECK_ERRNO(EINTR, kevent(queue, NULL, 0, &event, 1, NULL));
  check_wait(child);
}

TEST(the_end_of_a_process_is_told_before_it_is_waited_for) {
  int queue = make_queue();
  struct kevent event;
  pid_t child = fork();
  if (child == 0) {
    struct timespec time = {0, 10000000};
    nanosleep(&time, NULL);
    if (fork() == 0) _exit(0);
    _exit(9);
  }
  CHECK_EQUAL(change(queue, (uint64_t)child, EVFILT_PROC, EV_ADD, NOTE_EXIT | NOTE_FORK, 0, 0), 0);
  CHECK_EQUAL(kevent(queue, NULL, 0, &event, 1, NULL), 1);
  CHECK_EQUAL(event.fflags, NOTE_FORK);
  CHECK_EQUAL(kevent(queue, NULL, 0, &event, 1, NULL), 1);
  CHECK_EQUAL(event.fflags, NOTE_EXIT);
  CHECK_EQUAL(event.data, 9 << 8);
  CHECK_EQUAL(event.flags & EV_EOF, EV_EOF);
  CHECK_EQUAL(check_wait(child), 9 << 8);
  CHECK_ERRNO(ENOENT, change(queue, (uint64_t)child, EVFILT_PROC, EV_DELETE, 0, 0, 0));
}

TEST(children_of_a_process_are_tracked) {
  int queue = make_queue();
  struct kevent events[8];
  int gate[2];
  CHECK_EQUAL(pipe2(gate, 0), 0);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    read(gate[0], &byte, 1);
    pid_t grandchild = fork();
    if (grandchild == 0) _exit(3);
    int status;
    waitpid(grandchild, &status, 0);
    _exit(4);
  }
  CHECK_EQUAL(change(queue, (uint64_t)child, EVFILT_PROC, EV_ADD, NOTE_TRACK | NOTE_EXIT | NOTE_FORK, 0, 77), 0);
  CHECK_EQUAL(write(gate[1], "x", 1), 1);
  int exits = 0, forks = 0, children = 0;
  pid_t grandchild = 0;
  while (exits < 2) {
    int count = kevent(queue, NULL, 0, events, 8, NULL);
    CHECK(count > 0);
    for (int index = 0; index < count; index++) {
      CHECK_EQUAL((long)events[index].udata, 77);
      if (events[index].fflags & NOTE_FORK) {
        CHECK_EQUAL(events[index].ident, child);
        forks++;
      }
      if (events[index].fflags & NOTE_CHILD) {
        CHECK_EQUAL(events[index].fflags, NOTE_CHILD);
        CHECK_EQUAL(events[index].data, child);
        grandchild = (pid_t)events[index].ident;
        children++;
      }
      if (events[index].fflags & NOTE_EXIT) {
        CHECK_EQUAL(events[index].data, events[index].ident == (uint64_t)child ? 4 << 8 : 3 << 8);
        exits++;
      }
    }
  }
  CHECK_EQUAL(forks, 1);
  CHECK_EQUAL(children, 1);
  CHECK(grandchild > child);
  CHECK_EQUAL(collect(queue, events, 8), 0);
  check_wait(child);
}
