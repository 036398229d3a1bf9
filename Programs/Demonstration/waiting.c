// waiting.c: a thread that waits for a mutex and a child that waits for a pipe, to be looked at with `make gdb` (README).

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *wait_for_mutex(void *argument) {
  pthread_mutex_lock(&mutex);
  return argument;
}

static int add(int left, int right) {
  int sum = left + right;
  return sum;
}

int main(void) {
  pthread_t thread;
  int ends[2];
  char byte;
  char *memory = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  memory[0] = 1;
  pipe(ends);
  pthread_mutex_lock(&mutex);
  pthread_create(&thread, NULL, wait_for_mutex, NULL);
  if (fork() == 0) {
    memory[4096] = 1;
    read(ends[0], &byte, 1);
    _exit(0);
  }
  // Both have had the time to begin waiting.
  usleep(50000);
  printf("%d\n", add(40, 2));
  write(ends[1], "x", 1);
  wait(NULL);
  pthread_mutex_unlock(&mutex);
  pthread_join(thread, NULL);
  return 0;
}
