// control NAME…: prints the value of each integer that sysctl(3) knows by that name, one per line.

#include <stdint.h>
#include <stdio.h>
#include <sys/sysctl.h>

int main(int argument_count, char **arguments) {
  int failed = 0;
  for (int index = 1; index < argument_count; index++) {
    uint64_t value = 0;
    size_t length = sizeof value;
    if (sysctlbyname(arguments[index], &value, &length, NULL, 0) != 0) {
      printf("%s: unknown\n", arguments[index]);
      failed = 1;
      continue;
    }
    if (length == 4) value = (uint32_t)value;
    printf("%s: %lu\n", arguments[index], (unsigned long)value);
  }
  return failed;
}
