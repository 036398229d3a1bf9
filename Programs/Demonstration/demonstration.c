// demonstration.c: a shared memory object from shm_open(2) to its end, shared by two processes.

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 8192 };

// What the two processes share. `turn` says whose turn it is to write.
struct shared {
  _Atomic int turn;
  char question[64];
  char answer[64];
};
enum { PARENT_ASKS, CHILD_ANSWERS, ANSWERED };

static void fail(const char *what) {
  printf("demonstration-c: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void child(struct shared *shared) {
  while (shared->turn != CHILD_ANSWERS) sched_yield();
  printf("child %d: read \"%s\"\n", getpid(), shared->question);
  strlcpy(shared->answer, "and here is the answer", sizeof shared->answer);
  shared->turn = ANSWERED;
  exit(0);
}

int main(void) {
  const char *name = "/demonstration-c";
  int descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (descriptor < 0) fail("shm_open");
  if (ftruncate(descriptor, SIZE) != 0) fail("ftruncate");
  struct stat status;
  if (fstat(descriptor, &status) != 0) fail("fstat");
  printf("parent %d: %s is descriptor %d, %ld bytes, mode 0%o\n", getpid(), name, descriptor, status.st_size,
         status.st_mode & 0777u);

  struct shared *shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (shared == MAP_FAILED) fail("mmap");
  printf("parent %d: mapped at %p\n", getpid(), (void *)shared);

  pid_t other = fork();
  if (other < 0) fail("fork");
  if (other == 0) child(shared);

  strlcpy(shared->question, "a message through shared memory", sizeof shared->question);
  shared->turn = CHILD_ANSWERS;
  int result;
  if (waitpid(other, &result, 0) != other) fail("waitpid");
  if (result != 0 || shared->turn != ANSWERED) {
    printf("demonstration-c: the child ended with status 0x%x\n", (unsigned)result);
    return 1;
  }
  printf("parent %d: child %d answered \"%s\"\n", getpid(), other, shared->answer);

  if (shm_unlink(name) != 0) fail("shm_unlink");
  if (shm_open(name, O_RDWR, 0) != -1 || errno != ENOENT) fail("shm_open after shm_unlink");
  if (munmap(shared, SIZE) != 0 || close(descriptor) != 0) fail("munmap, close");
  printf("parent %d: unlinked, unmapped and closed\n", getpid());
  return 0;
}
