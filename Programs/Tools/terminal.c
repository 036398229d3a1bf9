// terminal WHAT: uses the console as a program does whose other end is slow, early or late.
//   read MILLISECONDS COUNT   sleeps, then reads COUNT bytes, each of which must follow the one before in the alphabet
//                             (a to z, round and round), and says "received COUNT"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void sleep_milliseconds(long milliseconds) {
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static int read_alphabet(long milliseconds, long wanted) {
  static char bytes[3000];
  sleep_milliseconds(milliseconds);
  long received = 0;
  while (received < wanted) {
    size_t room = (size_t)(wanted - received) < sizeof bytes ? (size_t)(wanted - received) : sizeof bytes;
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

int main(int argument_count, char **arguments) {
  const char *what = argument_count > 1 ? arguments[1] : "";
  long first = argument_count > 2 ? atoi(arguments[2]) : 0;
  long second = argument_count > 3 ? atoi(arguments[3]) : 0;
  if (strcmp(what, "read") == 0) return read_alphabet(first, second);
  return 99;
}
