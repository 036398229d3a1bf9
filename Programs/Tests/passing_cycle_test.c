// passing_cycle_test: what becomes of memory and of sockets in messages that nobody receives (spec fd.md section 9), with the names
// of FreeBSD's own cases where they are the same (tools/regression/sockets/unix_gc).

#include "passing.h"

// MARK: Memory

TEST(shared_memory_goes_to_another_process_after_its_sender_closed_it) {
  int ends[2], file = object();
  pair(SOCK_STREAM, ends);
  char *bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  CHECK(bytes != MAP_FAILED);
  strcpy(bytes + 4096, "what was sent");
  send_file(ends[0], file);
  CHECK_EQUAL(close(file), 0);
  CHECK_EQUAL(munmap(bytes, 8192), 0);
  CHECK_EXIT(0, {
    CHECK_EQUAL(close(ends[0]), 0);
    int got = receive_file(ends[1]);
    char *seen = mmap(NULL, 8192, PROT_READ, MAP_SHARED, got, 0);
    CHECK(seen != MAP_FAILED);
    CHECK_EQUAL(close(got), 0);
    CHECK(strcmp(seen + 4096, "what was sent") == 0);
  });
  CHECK_EQUAL(check_sysctl("net.local.inflight"), 0);
}

TEST(shared_memory_that_is_dropped_is_reclaimed_at_once) {
  int ends[2];
  pair(SOCK_STREAM, ends);
  for (int way = 0; way < 3; way++) {
    struct state before = state_now();
    int file = shm_open(SHM_ANON, O_RDWR, 0600);
    CHECK_EQUAL(ftruncate(file, 1 << 20), 0);
    char *bytes = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(bytes != MAP_FAILED);
    memset(bytes, 1, 1 << 20);
    CHECK_EQUAL(munmap(bytes, 1 << 20), 0);
    send_file(ends[0], file);
    CHECK_EQUAL(close(file), 0);
    CHECK_EQUAL(check_sysctl("vm.swap_reserved"), before.reserved + (1 << 20));
    char byte;
    if (way == 0) CHECK_EQUAL(read(ends[1], &byte, 1), 1);
    if (way == 1) CHECK_EQUAL(receive_control(ends[1], &byte, 1, 12, 0), 1);
    if (way == 2) CHECK_EQUAL(shutdown(ends[1], SHUT_RD), 0);
    check_as_before(before);
  }
}

// MARK: Sockets in one another

TEST(unix_gc_through_itself) {
  EVERY_TYPE(type) {
    struct state before = state_now();
    uint64_t recycled = check_sysctl("net.local.recycled");
    int ends[2];
    pair(type, ends);
    send_file(ends[0], ends[0]);
    send_file(ends[1], ends[0]);
    CHECK_EQUAL(close(ends[0]), 0);
    CHECK_EQUAL(check_sysctl("net.local.inflight"), 2);
    CHECK_EQUAL(close(ends[1]), 0);
    check_as_before(before);
    CHECK_EQUAL(check_sysctl("net.local.recycled"), recycled + 1);
  }
}

TEST(unix_gc_two_pairs_and_an_object) {
  // shows: shm 3.29.cycles
  EVERY_TYPE(type) {
    struct state before = state_now();
    uint64_t recycled = check_sysctl("net.local.recycled");
    int first[2], second[2], file = object();
    pair(type, first);
    pair(type, second);
    // Each waits in the other, and the object in both.
    CHECK_EQUAL(send_files(first[0], (int[]){second[1], file}, 2, 0), 1);
    CHECK_EQUAL(send_files(second[0], (int[]){first[1], file}, 2, 0), 1);
    CHECK_EQUAL(close(file), 0);
    CHECK_EQUAL(close(first[1]), 0);
    CHECK_EQUAL(close(second[1]), 0);
    CHECK_EQUAL(check_sysctl("net.local.inflight"), 4);
    close_both((int[]){first[0], second[0]});
    check_as_before(before);
    CHECK_EQUAL(check_sysctl("net.local.recycled"), recycled + 2);
  }
}

TEST(unix_gc_leaves_what_can_be_received) {
  int first[2], second[2];
  pair(SOCK_STREAM, first);
  pair(SOCK_STREAM, second);
  send_file(first[0], second[1]);
  CHECK_EQUAL(close(second[1]), 0);
  send_file(second[0], first[0]);
  int unused[2];
  pair(SOCK_STREAM, unused);
  close_both(unused);
  CHECK_EQUAL(check_sysctl("net.local.inflight"), 2);
  int got = receive_file(first[1]);
  int back = receive_file(got);
  CHECK_EQUAL(identity(back), identity(first[0]));
  CHECK_EQUAL(check_sysctl("net.local.inflight"), 0);
}

TEST(unix_gc_listener_with_connections) {
  struct state before = state_now();
  int listener = socket(PF_LOCAL, SOCK_STREAM, 0), client = socket(PF_LOCAL, SOCK_STREAM, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "/tmp/gc.%d", getpid());
  CHECK_EQUAL(bind(listener, (struct sockaddr *)&address, SUN_LEN(&address)), 0);
  CHECK_EQUAL(listen(listener, 4), 0);
  CHECK_EQUAL(connect(client, (struct sockaddr *)&address, SUN_LEN(&address)), 0);
  // The listener waits in a connection that waits in the listener.
  send_file(client, listener);
  CHECK_EQUAL(close(listener), 0);
  CHECK_EQUAL(check_sysctl("net.local.inflight"), 1);
  int other[2];
  pair(SOCK_STREAM, other);
  close_both(other);
  CHECK_EQUAL(check_sysctl("net.local.inflight"), 0);
  char byte;
  CHECK_ERRNO(ECONNRESET, recv(client, &byte, 1, 0));
  CHECK_EQUAL(close(client), 0);
  check_as_before(before);
}

TEST(a_chain_of_sockets_in_one_another_unwinds) {
  struct state before = state_now();
  int inner[2];
  pair(SOCK_STREAM, inner);
  for (int depth = 0; depth < 1000; depth++) {
    int outer[2];
    pair(SOCK_STREAM, outer);
    send_file(outer[0], inner[0]);
    send_file(outer[0], inner[1]);
    close_both(inner);
    memcpy(inner, outer, sizeof inner);
  }
  CHECK_EQUAL(check_sysctl("net.local.inflight"), 2000);
  close_both(inner);
  check_as_before(before);
}

// Nobody closes a socket afterwards: it stays until somebody does, or the machine ends.
TEST(unix_gc_waits_for_the_next_close) {
  EVERY_TYPE(type) {
    EVERY_TYPE(next) {
      int ends[2];
      pair(type, ends);
      send_file(ends[0], ends[0]);
      send_file(ends[1], ends[1]);
      close_both(ends);
      CHECK_EQUAL(check_sysctl("net.local.inflight"), 2);
      pair(next, ends);
      close_both(ends);
      CHECK_EQUAL(check_sysctl("net.local.inflight"), 0);
    }
  }
}
