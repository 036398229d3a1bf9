// echo: writes what it reads from descriptor 0 back to descriptor 1, until it reads a line "exit" or the end of its input.

#include <string.h>
#include <unistd.h>

int main(void) {
  char line[256];
  size_t length = 0;
  for (;;) {
    ssize_t count = read(0, line + length, sizeof line - length);
    if (count <= 0) return count == 0 ? 0 : 1;
    write(1, line + length, (size_t)count);
    length += (size_t)count;
    char *end = line + length - 1;
    if (*end == '\r' || *end == '\n' || length == sizeof line) {
      if (length == 5 && memcmp(line, "exit", 4) == 0) return 0;
      length = 0;
    }
  }
}
