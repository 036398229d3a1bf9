// descriptors N...: exits 0 when exactly the descriptors of its arguments are open among the first 64, else says which are.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argument_count, char **arguments) {
  int wrong = 0;
  for (int descriptor = 0; descriptor < 64; descriptor++) {
    int expected = 0;
    for (int index = 1; index < argument_count; index++) expected |= atoi(arguments[index]) == descriptor;
    int open = fcntl(descriptor, F_GETFD) != -1;
    if (open != expected) {
      printf("# descriptor %d is %s\n", descriptor, open ? "open" : "closed");
      wrong = 1;
    }
  }
  return wrong;
}
