// check.c: runs the cases of a test program (check.h).

#include "check.h"

#include <stdarg.h>

extern const struct test_case __start_test_cases[], __stop_test_cases[];

int check_argument_count;
char **check_arguments;

void check_failed(const char *file, int line, const char *text, ...) {
  char reason[256];
  va_list arguments;
  va_start(arguments, text);
  vsnprintf(reason, sizeof reason, text, arguments);
  va_end(arguments);
  printf("# %s:%d: %s\n", file, line, reason);
  _exit(1);
}

int check_wait(pid_t child) {
  int status = -1;
  pid_t found = waitpid(child, &status, 0);
  if (child == WAIT_ANY ? found <= 0 : found != child)
    check_failed(__FILE__, __LINE__, "waitpid(%d) gave %d (%s)", child, found, strerror(errno));
  return status;
}

void check_signal(const char *file, int line, int number, int status) {
  if (!WIFSIGNALED(status) || WTERMSIG(status) != number || WCOREDUMP(status))
    check_failed(file, line, "child ended with status 0x%x, expected signal %d", (unsigned)status, number);
}

void check_exit(const char *file, int line, int code, int status) {
  if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
    check_failed(file, line, "child ended with status 0x%x, expected exit code %d", (unsigned)status, code);
}

uint64_t check_sysctl(const char *name) {
  uint64_t value = 0;
  size_t length = sizeof value;
  if (sysctlbyname(name, &value, &length, NULL, 0) != 0 || (length != 4 && length != 8))
    check_failed(__FILE__, __LINE__, "sysctl %s: length %lu, %s", name, length, strerror(errno));
  return value;
}

static const char *program_name(void) {
  const char *slash = strrchr(check_arguments[0], '/');
  return slash ? slash + 1 : check_arguments[0];
}

void check_module(const char *name) {
  char path[128];
  snprintf(path, sizeof path, "/bin/%s", name);
  int descriptor = open(path, O_RDONLY);
  if (descriptor >= 0) {
    close(descriptor);
    return;
  }
  // Injected failures have errors of their own.
  if (errno != ENOENT) return;
  printf("# %s is not there: make run PROGRAM=build/programs/%s WITH=\"build/programs/%s …\"\n", path, program_name(),
         name);
  _exit(1);
}

const char *check_name(void) {
  static char name[48];
  static int count;
  snprintf(name, sizeof name, "/test.%d.%d", getpid(), count++);
  return name;
}

int main(int argument_count, char **arguments) {
  check_argument_count = argument_count;
  check_arguments = arguments;
  const char *program = program_name();
  const char *only = NULL;
  for (int index = 1; index < argument_count; index++)
    if (strncmp(arguments[index], "only=", 5) == 0) only = arguments[index] + 5;
  int passed = 0, failed = 0;
  for (const struct test_case *test = __start_test_cases; test < __stop_test_cases; test++) {
    if (only && strcmp(only, test->name) != 0) continue;
    pid_t child = fork();
    if (child == 0) {
      test->run();
      _exit(0);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child) {
      printf("# fork or waitpid: %s\n", strerror(errno));
      status = -1;
    }
    if (status == 0) passed++;
    else failed++;
    printf("%s %s.%s", status == 0 ? "ok" : "not ok", program, test->name);
    if (status != 0 && WIFSIGNALED(status)) printf(" # signal %d", WTERMSIG(status));
    printf("\n");
  }
  printf("# %s: %d passed, %d failed\n", program, passed, failed);
  return failed == 0 ? 0 : 1;
}
