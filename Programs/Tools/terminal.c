// terminal WHAT: uses the console as a program does whose other end is slow, early or late. The alphabet below is a to z,
// round and round.
//   read MILLISECONDS COUNT   sleeps, then reads COUNT bytes of the alphabet, and says "received COUNT"
//   write COUNT PIECE         writes COUNT bytes of the alphabet, PIECE of them at a time
//   try COUNT                 writes COUNT bytes of the alphabet without waiting, as often as there is room; says "refused"
//                             if there ever was none, and how much TIOCOUTQ told after TIOCDRAIN
//   lines COUNT               two processes write COUNT lines each, "first N" and "second N"
//   beside COUNT              writes COUNT bytes of the alphabet while another process sleeps a millisecond again and again;
//                             says how often, and the longest time that one of these sleeps took
//   panic COUNT               writes COUNT bytes of the alphabet and makes the kernel panic
//   cost                      says what writing to the console costs, in nanoseconds for a write of 1 and of 65536 bytes

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char bytes[26 * 10000];

static void fill_alphabet(void) {
  for (size_t index = 0; index < sizeof bytes; index++) bytes[index] = (char)('a' + index % 26);
}

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000 + time.tv_nsec;
}

static void sleep_milliseconds(long milliseconds) {
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static int read_alphabet(long milliseconds, long wanted) {
  sleep_milliseconds(milliseconds);
  long received = 0;
  while (received < wanted) {
    size_t room = wanted - received < 3000 ? (size_t)(wanted - received) : 3000;
    ssize_t count = read(0, bytes, room);
    if (count <= 0) return 1;
    for (ssize_t index = 0; index < count; index++, received++) {
      if (bytes[index] == 'a' + received % 26) continue;
      printf("byte %ld is %d\n", received, bytes[index]);
      return 2;
    }
  }
  printf("received %ld\n", received);
  return 0;
}

static int write_alphabet(long wanted, long piece) {
  for (long written = 0; written < wanted;) {
    long count = wanted - written < piece ? wanted - written : piece;
    if (write(1, bytes + written % 26, (size_t)count) != count) return 1;
    written += count;
  }
  return 0;
}

static int try_alphabet(long wanted) {
  int refusals = 0, waiting = -1;
  fcntl(1, F_SETFL, O_NONBLOCK);
  for (long written = 0; written < wanted;) {
    size_t count = wanted - written < 5000 ? (size_t)(wanted - written) : 5000;
    ssize_t result = write(1, bytes + written % 26, count);
    if (result > 0) {
      written += result;
    } else if (result < 0 && errno == EAGAIN) {
      refusals++;
      sleep_milliseconds(1);
    } else {
      return 1;
    }
  }
  fcntl(1, F_SETFL, 0);
  if (ioctl(1, TIOCDRAIN) != 0 || ioctl(1, TIOCOUTQ, &waiting) != 0) return 2;
  printf("\n%s, %d waiting\n", refusals > 0 ? "refused" : "never refused", waiting);
  return 0;
}

static int write_lines(long count) {
  pid_t child = fork();
  for (long number = 0; number < count; number++) {
    char line[64];
    int length = snprintf(line, sizeof line, "%s %ld\n", child == 0 ? "second" : "first", number);
    if (write(1, line, (size_t)length) != length) return 1;
  }
  if (child == 0) _exit(0);
  int status;
  return waitpid(child, &status, 0) == child ? status : 2;
}

static int write_beside(long count) {
  struct shared {
    volatile long sleeps, longest, is_over;
  } *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  pid_t child = fork();
  if (child == 0) {
    while (!shared->is_over) {
      long start = now();
      sleep_milliseconds(1);
      long took = now() - start;
      if (took > shared->longest) shared->longest = took;
      shared->sleeps++;
    }
    _exit(0);
  }
  int result = write_alphabet(count, 26000);
  shared->is_over = 1;
  waitpid(child, NULL, 0);
  printf("\n%ld sleeps, the longest %ld us\n", shared->sleeps, shared->longest / 1000);
  return result;
}

static int write_and_panic(long count) {
  if (write_alphabet(count, 20000) != 0) return 1;
  const char setting[] = "panic";
  sysctlbyname("debug.fail_point.page_frame", NULL, NULL, setting, sizeof setting);
  char *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  for (int page = 0; page < 256; page++) memory[page * 4096] = 1;
  return 3;
}

static int tell_cost(void) {
  write(1, "-", 1);
  long start = now();
  for (int round = 0; round < 100; round++) write(1, "-", 1);
  long one = (now() - start) / 100;
  start = now();
  write(1, bytes, 65536);
  long many = now() - start;
  printf("\nwriting 1 byte: %ld ns, 65536 bytes: %ld ns\n", one, many);
  return 0;
}

int main(int argument_count, char **arguments) {
  const char *what = argument_count > 1 ? arguments[1] : "";
  long first = argument_count > 2 ? atoi(arguments[2]) : 0;
  long second = argument_count > 3 ? atoi(arguments[3]) : 0;
  fill_alphabet();
  if (strcmp(what, "read") == 0) return read_alphabet(first, second);
  if (strcmp(what, "write") == 0) return write_alphabet(first, second);
  if (strcmp(what, "try") == 0) return try_alphabet(first);
  if (strcmp(what, "lines") == 0) return write_lines(first);
  if (strcmp(what, "beside") == 0) return write_beside(first);
  if (strcmp(what, "panic") == 0) return write_and_panic(first);
  if (strcmp(what, "cost") == 0) return tell_cost();
  return 99;
}
