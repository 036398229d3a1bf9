// run-tests: runs the programs that its arguments name, one after the other, each as /bin/NAME, and says how each ended.
// Between two of them the kernel must be as it was before: no open file, shared memory object or process stays behind.
// "NAME:WORD:WORD" passes arguments. Exits 0 when every program exited 0.

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysctl.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t open_files(void) {
  int value = 0;
  size_t length = sizeof value;
  sysctlbyname("kern.openfiles", &value, &length, NULL, 0);
  return (uint64_t)value;
}

// Splits "NAME:WORD:WORD" in place into a path and an argument vector, and runs it.
static int run(char *specification) {
  char *words[16];
  int count = 0;
  for (char *word = specification; word && count < 15;) {
    char *colon = strchr(word, ':');
    if (colon) *colon++ = 0;
    words[count++] = word;
    word = colon;
  }
  words[count] = NULL;
  char path[128];
  snprintf(path, sizeof path, "/bin/%s", words[0]);
  pid_t child = fork();
  if (child == 0) {
    execv(path, words);
    printf("# %s: %s\n", path, strerror(errno));
    _exit(127);
  }
  int status = -1;
  if (child < 0 || waitpid(child, &status, 0) != child) {
    printf("# %s: %s\n", path, strerror(errno));
    return -1;
  }
  return status;
}

int main(int argument_count, char **arguments) {
  int failures = 0;
  uint64_t files_before = open_files();
  for (int index = 1; index < argument_count; index++) {
    char *name = arguments[index];
    int status = run(name);
    uint64_t files = open_files();
    int left_open = files != files_before;
    if (left_open) printf("# %s: %lu open files before, %lu after\n", name, files_before, files);
    files_before = files;
    int orphans = 0;
    while (waitpid(WAIT_ANY, NULL, WNOHANG) > 0) orphans++;
    if (orphans) printf("# %s: left %d processes behind\n", name, orphans);
    int passed = status == 0 && !left_open;
    failures += !passed;
    printf("%s program %s", passed ? "ok" : "not ok", name);
    if (status > 0 && WIFEXITED(status)) printf(" # exit %d", WEXITSTATUS(status));
    if (status > 0 && WIFSIGNALED(status)) printf(" # signal %d", WTERMSIG(status));
    printf("\n");
  }
  printf("# run-tests: %d programs, %d failed\n", argument_count - 1, failures);
  return failures ? 1 : 0;
}
