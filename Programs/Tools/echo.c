// echo: writes what it reads from descriptor 0 back to descriptor 1, until it reads a line "exit" or the end of its input.

#include <string.h>
#include <unistd.h>

int main(void) {
  char bytes[256], line[4];
  size_t length = 0;
  for (;;) {
    ssize_t count = read(0, bytes, sizeof bytes);
    if (count <= 0) return count == 0 ? 0 : 1;
    write(1, bytes, (size_t)count);
    for (ssize_t index = 0; index < count; index++) {
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
