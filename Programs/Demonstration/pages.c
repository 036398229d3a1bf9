// pages.c: memory while it is used. What mmap, the first touches, fork, a store and an exit take, counted in free pages.

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sysctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 1000, PAGE_BYTES = 4096 };

static int free_pages(void) {
  int count = 0;
  size_t length = sizeof count;
  sysctlbyname("vm.stats.vm.v_free_count", &count, &length, NULL, 0);
  return count;
}

static void report(const char *what) {
  static int last;
  int now = free_pages();
  if (last) printf("%-44s %5d pages %s\n", what, now > last ? now - last : last - now, now > last ? "came back" : "taken");
  last = now;
}

int main(void) {
  report("");
  char *memory = mmap(NULL, PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (memory == MAP_FAILED) return 1;
  report("map 1000 pages:");
  for (int page = 0; page < PAGES; page++) memory[page * PAGE_BYTES] = 1;
  report("touch them:");
  volatile int *shared = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  shared[0] = 0;
  report("map and touch a shared page:");
  pid_t child = fork();
  if (child == 0) {
    while (shared[0] == 0) usleep(1000);
    for (int page = 0; page < PAGES / 10; page++) memory[page * PAGE_BYTES] = 2;
    shared[1] = 1;
    for (;;) sleep(1000);
  }
  usleep(5000);
  report("fork; the child shares all of it:");
  shared[0] = 1;
  while (shared[1] == 0) usleep(1000);
  report("the child stores into 100 of them:");
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  report("the child ends:");
  munmap(memory, PAGES * PAGE_BYTES);
  report("unmap:");
  return 0;
}
