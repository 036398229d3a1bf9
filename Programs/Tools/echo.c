// echo [COUNT]: writes what it reads from descriptor 0 back to descriptor 1, until it reads a line "exit" or the end of its
// input. With COUNT it says "waiting", and when so many bytes wait for it "full"; a quarter of a second later it begins to read.

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static void wait_for_input(int wanted) {
  struct timespec moment = {0, 1000000};
  write(1, "waiting\n", 8);
  for (int count = 0; count < wanted; nanosleep(&moment, NULL)) ioctl(0, FIONREAD, &count);
  write(1, "full\n", 5);
  moment.tv_nsec = 250000000;
  nanosleep(&moment, NULL);
}

int main(int count, char **words) {
  char bytes[256], line[4];
  size_t length = 0;
  if (count > 1) wait_for_input(atoi(words[1]));
  for (;;) {
    ssize_t taken = read(0, bytes, sizeof bytes);
    if (taken <= 0) return taken == 0 ? 0 : 1;
    write(1, bytes, (size_t)taken);
    for (ssize_t index = 0; index < taken; index++) {
      if (bytes[index] == '\r' || bytes[index] == '\n') {
        if (length == 4 && memcmp(line, "exit", 4) == 0) return 0;
        length = 0;
      } else {
        if (length < sizeof line) line[length] = bytes[index];
        length++;
      }
    }
  }
}
