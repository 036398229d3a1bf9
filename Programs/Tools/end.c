// end HOW: ends the way its argument says: "exit N", "signal N", "poweroff", "halt", "loop" (never),
// "orphans" (exits 0 and leaves two children, a name and a mapping behind).

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <unistd.h>

static void leave_orphans(void) {
  int descriptor = shm_open("/left-behind", O_RDWR | O_CREAT, 0600);
  ftruncate(descriptor, 65536);
  char *memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  memory[0] = memory[40000] = 1;
  if (fork() == 0)
    for (;;) sleep(1000);
  if (fork() == 0)
    for (;;) memory[1]++;
  usleep(5000);
}

// A page that nothing but the program's own use makes: fail points that refuse pages are met, whatever the start has made.
static volatile char untouched[2 * 4096];

int main(int argument_count, char **arguments) {
  untouched[4096] = 1;
  const char *how = argument_count > 1 ? arguments[1] : "exit";
  int number = argument_count > 2 ? atoi(arguments[2]) : 0;
  if (strcmp(how, "exit") == 0) return number;
  if (strcmp(how, "signal") == 0) raise(number);
  if (strcmp(how, "poweroff") == 0) reboot(RB_POWEROFF);
  if (strcmp(how, "halt") == 0) reboot(RB_HALT);
  if (strcmp(how, "loop") == 0)
    for (;;) {}
  if (strcmp(how, "orphans") == 0) {
    leave_orphans();
    return 0;
  }
  printf("end: \"%s\" came back\n", how);
  return 99;
}
