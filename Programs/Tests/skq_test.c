// skq_test: queues that know threads apart (FKQMULTI), under the names of libkqueue's read_m.c and close_m.c as SKQ has them
// (spec kqueue.md sections 10 to 14).

#include "queues.h"
#include "threads.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

enum { most_sockets = 512, most_threads = 16 };
enum { random_ = 0, queue0 = 0x001, cpu0 = 0x002, cpu2 = 0x202, queue2 = 0x201, best2 = 0x204, stealing = 0x01010000 };

static int queue, near[most_sockets], far[most_sockets];
static struct worker workers[most_threads];
static volatile int handled[most_sockets], busy[most_sockets], told_twice, ended;
static volatile long total, failures;
static const struct timespec short_while = {0, 5000000};

static void prepare(int policy, int sockets, int flags) {
  queue = make_queue();
  CHECK_EQUAL(ioctl(queue, FKQMULTI, &policy), 0);
  for (int number = 0; number < sockets; number++) {
    int ends[2];
    CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    near[number] = ends[0];
    far[number] = ends[1];
    int class = flags & EV_REALTIME && number % 2 ? flags & ~EV_REALTIME : flags;
    CHECK_EQUAL(change(queue, (uint64_t)ends[0], EVFILT_READ, EV_ADD | class, 0, 0, number), 0);
  }
}

static void send_packet(int number) { CHECK_EQUAL(write(far[number], "x", 1), 1); }

static void wait_for(long packets) {
  for (int round = 0; total < packets && round < 5000; round++) usleep(1000);
  CHECK_EQUAL(total, packets);
}

// Takes one packet from each connection that the thread was told of; nobody else may have been told of it.
static void handle(struct kevent *events, long count) {
  for (long index = 0; index < count; index++) {
    long number = (long)events[index].udata;
    if (__atomic_exchange_n(&busy[number], 1, __ATOMIC_SEQ_CST)) told_twice = 1;
    char byte;
    if (kernel(SYS_read, near[number], (long)&byte, 1, 0, 0) != 1) __atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&handled[number], 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&total, 1, __ATOMIC_SEQ_CST);
  }
}

static void come_back(struct kevent *events, long count) {
  for (long index = 0; index < count; index++) busy[(long)events[index].udata] = 0;
}

static void serves(struct worker *worker) {
  struct kevent events[8];
  while (!ended) {
    long count = thread_kevent(queue, NULL, 0, events, 8, &short_while);
    if (count < 0) break;
    handle(events, count);
    if (count > 0) worker->result++;
    // Some take longer than others.
    for (volatile long spin = 0; spin < worker->number * 200 && count > 0; spin++) continue;
    come_back(events, count);
  }
}

static void start(int threads, void (*run)(struct worker *)) {
  for (int number = 0; number < threads; number++) start_worker(&workers[number], number, run);
  usleep(2000);
}

static void finish(int threads) {
  ended = 1;
  for (int number = 0; number < threads; number++) join_worker(&workers[number]);
  CHECK_EQUAL(failures, 0);
  CHECK_EQUAL(told_twice, 0);
  CHECK_EQUAL(close(queue), 0);
}

static void packets_one_at_a_time(int policy, int threads, int packets, int sockets) {
  prepare(policy, sockets, 0);
  start(threads, serves);
  for (int number = 0; number < packets; number++) {
    send_packet(number % sockets);
    if (number % 16 == 15) sched_yield();
  }
  wait_for(packets);
  finish(threads);
  int busy_threads = 0;
  for (int number = 0; number < threads; number++) busy_threads += workers[number].result > 0;
  CHECK(busy_threads > threads / 2);
}

// [Multi]kevent(EVFILT_READ), [Multi][BON]kevent, [Multi][Queue]kevent(EVFILT_READ): on one processor there is one leaf.
TEST(multi_kevent_read) { packets_one_at_a_time(random_, 16, 1600, 16); }
TEST(multi_bon_kevent) { packets_one_at_a_time(best2, 16, 1600, 16); }
TEST(multi_queue_kevent_read) { packets_one_at_a_time(queue0, 4, 1000, 8); }

static void takes_one_and_stays(struct worker *worker) {
  struct kevent event;
  worker->result = (uint64_t)thread_kevent(queue, NULL, 0, &event, 1, NULL);
  while (!ended) umtx(&worker->result, UMTX_OP_WAIT_UINT_PRIVATE, worker->result, (void *)sizeof short_while, &short_while);
}

// [Multi][WS]kevent(evfilt)
TEST(multi_ws_kevent) {
  prepare(stealing | random_, 128, 0);
  start_worker(&workers[0], 0, takes_one_and_stays);
  usleep(2000);
  send_packet(0);
  while (!workers[0].result) usleep(100);
  CHECK_EQUAL(workers[0].result, 1);
  start_worker(&workers[1], 1, serves);
  for (int packet = 0; packet < 50; packet++) {
    for (int number = 1; number < 128; number++) send_packet(number);
    usleep(500);
  }
  wait_for(127 * 50);
  for (int number = 1; number < 128; number++) CHECK_EQUAL(handled[number], 50);
  finish(2);
}

// [Multi][WS]kevent_timeout(evfilt)
TEST(multi_ws_kevent_timeout) {
  prepare(stealing | best2, 1, 0);
  start(1, serves);
  for (long length = 1000000000; length >= 1000; length /= 10) {
    struct timespec time = {length / 1000000000, length % 1000000000};
    struct kevent event;
    long before = now();
    CHECK_EQUAL(kevent(queue, NULL, 0, &event, 1, &time), 0);
    long taken = now() - before;
    CHECK(taken >= length && taken < length + 3000000);
  }
  finish(1);
}

// kevent(realtime)
TEST(realtime) {
  queue = make_queue();
  int ends[8][2];
  for (int number = 0; number < 8; number++) {
    CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[number]), 0);
    CHECK_EQUAL(change(queue, (uint64_t)ends[number][0], EVFILT_READ, EV_ADD | (number < 4 ? EV_REALTIME : 0), 0, 0, number), 0);
    CHECK_EQUAL(write(ends[number][1], "x", 1), 1);
  }
  for (int share = 1; share <= 100; share++) {
    int word = FKQ_RTSHARE | share << 16;
    CHECK_EQUAL(ioctl(queue, FKQTUNE, &word), 0);
    struct kevent events[4];
    CHECK_EQUAL(collect(queue, events, 4), 4);
    int first = (4 * share + 99) / 100;
    for (int index = 0; index < 4; index++) CHECK_EQUAL(!!(events[index].flags & EV_REALTIME), index < first);
  }
  const int bad[] = {FKQ_RTSHARE, FKQ_RTSHARE | 101 << 16, 0, 3 | 1 << 16};
  for (int index = 0; index < 4; index++) CHECK_ERRNO(EINVAL, ioctl(queue, FKQTUNE, &bad[index]));
  int policy = random_;
  CHECK_ERRNO(EINVAL, ioctl(queue, FKQMULTI, &policy));
}

static void exits_now_and_then(struct worker *worker) {
  struct kevent events[8];
  uint64_t seed = (uint64_t)(worker->number * 7919 + (long)worker->result + total);
  while (!ended) {
    long count = thread_kevent(queue, NULL, 0, events, 1 + (int)(seed >> 33) % 8, &short_while);
    if (count < 0) break;
    handle(events, count);
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    if (count > 0 && (seed >> 40) % 16 == 0) sched_yield();
    come_back(events, count);
    // It goes with what it was told of.
    if (count > 0 && (seed >> 45) % 64 == 0) break;
  }
}

static void be_brutal(int policy) {
  enum { threads = 8, rounds = 20 };
  prepare(policy, most_sockets, EV_REALTIME);
  for (int number = 0; number < threads; number++) workers[number].identifier = 1;
  uint64_t seed = (uint64_t)policy + 1;
  for (int packet = 0; packet < most_sockets * rounds; packet++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    send_packet(packet % most_sockets);
    if (packet % 8 == 0) {
      struct worker *worker = &workers[(seed >> 33) % threads];
      if (worker->identifier == 1) start_worker(worker, packet % 50, exits_now_and_then);
    }
    if (packet % 32 == 0) {
      int frequency = FKQ_FREQ | (int)(1 + (seed >> 33) % 10000) << 16, share = FKQ_RTSHARE | (int)(1 + (seed >> 50) % 100) << 16;
      CHECK_EQUAL(ioctl(queue, FKQTUNE, &frequency), 0);
      CHECK_EQUAL(ioctl(queue, FKQTUNE, &share), 0);
      sched_yield();
    }
  }
  for (int round = 0; total < most_sockets * rounds && round < 20000; round++) {
    for (int number = 0; number < threads; number++)
      if (workers[number].identifier == 1) start_worker(&workers[number], number, exits_now_and_then);
    usleep(1000);
  }
  CHECK_EQUAL(total, most_sockets * rounds);
  for (int number = 0; number < most_sockets; number++) CHECK_EQUAL(handled[number], rounds);
  finish(threads);
}

// [Multi]kevent(brutal)
TEST(multi_brutal_rand) { be_brutal(random_); }
TEST(multi_brutal_queue0) { be_brutal(queue0); }
TEST(multi_brutal_queue2) { be_brutal(queue2); }
TEST(multi_brutal_queue2_ws) { be_brutal(queue2 | stealing); }
TEST(multi_brutal_cpu0) { be_brutal(cpu0); }
TEST(multi_brutal_cpu2) { be_brutal(cpu2); }
TEST(multi_brutal_best2) { be_brutal(best2); }
TEST(multi_brutal_ws1) { be_brutal(stealing); }

static void reads_what_there_is(struct worker *worker) {
  struct kevent events[8];
  (void)worker;
  while (!ended) {
    long count = thread_kevent(queue, NULL, 0, events, 8, &short_while);
    if (count < 0) break;
    for (long index = 0; index < count; index++) {
      char byte;
      // The descriptor may mean another connection by now, on which nothing has come, or none.
      kernel(SYS_read, (long)events[index].ident, (long)&byte, 1, 0, 0);
      __atomic_fetch_add(&total, 1, __ATOMIC_SEQ_CST);
    }
  }
}

// [Multi]kevent(close)
TEST(multi_close_cpu2) {
  enum { threads = 8, sockets = 64 };
  prepare(cpu2, sockets, 0);
  for (int number = 0; number < sockets; number++) CHECK_EQUAL(fcntl(near[number], F_SETFL, O_NONBLOCK), 0);
  start(threads, reads_what_there_is);
  uint64_t seed = 1;
  for (int round = 0; round < 3000; round++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    int number = (int)(seed >> 33) % sockets;
    send_packet(number);
    if (round % 3 == 0) {
      int ends[2];
      CHECK_EQUAL(close(near[number]), 0);
      CHECK_EQUAL(close(far[number]), 0);
      CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
      near[number] = ends[0];
      far[number] = ends[1];
      CHECK_EQUAL(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
      CHECK_EQUAL(change(queue, (uint64_t)ends[0], EVFILT_READ, EV_ADD, 0, 0, number), 0);
    }
    if (round % 16 == 0) sched_yield();
  }
  long before = total;
  for (int number = 0; number < sockets; number++) send_packet(number);
  for (int round = 0; total < before + sockets && round < 1000; round++) usleep(1000);
  CHECK(total >= before + sockets);
  finish(threads);
}

static uint64_t sum(const char *text, const char *name) {
  uint64_t result = 0;
  for (const char *place = text; *place; place++) {
    if (strncmp(place, name, strlen(name)) != 0) continue;
    uint64_t value = 0;
    for (place += strlen(name) + 1; *place >= '0' && *place <= '9'; place++) value = 10 * value + (uint64_t)(*place - '0');
    result += value;
  }
  return result;
}

TEST(counters_are_exact) {
  prepare(best2, 16, EV_CLEAR);
  start(4, serves);
  for (int packet = 0; packet < 500; packet++) {
    send_packet(packet % 16);
    wait_for(packet + 1);
  }
  static char text[(1 << 20) + 1];
  char *place = text;
  CHECK_EQUAL(ioctl(queue, FKQMPRNT, &place), 0);
  CHECK_EQUAL(sum(text, " total_events="), 500);
  CHECK_EQUAL(sum(text, " total_sched="), 500);
  CHECK_EQUAL(sum(text, " total_realtime="), 0);
  CHECK_EQUAL(strncmp(text, "<kq_dump ptr=", 13), 0);
  finish(4);
}

static volatile int is_mine;

static void waits_for_its_own(struct worker *worker) {
  struct kevent event;
  EV_SET(&event, 77, EVFILT_USER, EV_ADD | EV_CLEAR | EV_AFFINITY, 0, 0, 0);
  worker->result = (uint64_t)thread_kevent(queue, &event, 1, NULL, 0, NULL) + 1;
  while (thread_kevent(queue, NULL, 0, &event, 1, &short_while) == 0 && !ended) continue;
  if (!ended) is_mine = (int)event.ident;
}

TEST(affinity) {
  prepare(stealing | best2, 1, 0);
  start(4, serves);
  start_worker(&workers[4], 4, waits_for_its_own);
  while (!workers[4].result) usleep(100);
  CHECK_EQUAL(workers[4].result, 1);
  usleep(20000);
  CHECK_EQUAL(change(queue, 77, EVFILT_USER, 0, NOTE_TRIGGER, 0, 0), 0);
  for (int round = 0; !is_mine && round < 1000; round++) usleep(1000);
  CHECK_EQUAL(is_mine, 77);
  CHECK_EQUAL(total, 0);
  finish(5);
}
