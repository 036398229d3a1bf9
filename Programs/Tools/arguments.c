// arguments: prints its arguments and environment, one per line; "status N" as arguments makes N the exit status.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argument_count, char **arguments) {
  for (int index = 0; index < argument_count; index++) printf("argument %d: %s\n", index, arguments[index]);
  for (char **variable = environ; *variable; variable++) printf("environment: %s\n", *variable);
  if (argument_count == 3 && strcmp(arguments[1], "status") == 0) return atoi(arguments[2]);
  return 0;
}
