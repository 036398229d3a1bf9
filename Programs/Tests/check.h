// check.h: the frame of the user-side tests.
//
// A test program is a list of cases. Each case runs in a process of its own, so that a case that dies takes nothing with
// it; the program prints a line per case, exactly what failed, and exits 0 when everything passed. The argument only=NAME
// runs a single case.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct test_case {
  const char *name;
  void (*run)(void);
};

#define TEST(identifier)                                                                                        \
  static void test_##identifier(void);                                                                          \
  static const struct test_case case_##identifier __attribute__((section("test_cases"), used, retain)) = {      \
      #identifier, test_##identifier};                                                                          \
  static void test_##identifier(void)

// Ends the case as failed, saying where and what.
_Noreturn void check_failed(const char *file, int line, const char *text, ...) __attribute__((format(printf, 3, 4)));

#define CHECK(condition) \
  ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, "%s is false (errno %s)", #condition, strerror(errno)))

#define CHECK_EQUAL(actual, expected)                                                                           \
  do {                                                                                                          \
    long check_actual = (long)(actual), check_expected = (long)(expected);                                      \
    if (check_actual != check_expected)                                                                         \
      check_failed(__FILE__, __LINE__, "%s is %ld (0x%lx), expected %ld (0x%lx)", #actual, check_actual,        \
                   (unsigned long)check_actual, check_expected, (unsigned long)check_expected);                 \
  } while (0)

// The call must fail with this error.
#define CHECK_ERRNO(expected, call)                                                                             \
  do {                                                                                                          \
    errno = 0;                                                                                                  \
    long check_result = (long)(call);                                                                           \
    int check_errno = errno;                                                                                    \
    if (check_result != -1)                                                                                     \
      check_failed(__FILE__, __LINE__, "%s gave %ld, expected to fail with %s", #call, check_result,            \
                   strerror(expected));                                                                         \
    if (check_errno != (expected))                                                                              \
      check_failed(__FILE__, __LINE__, "%s failed with %s, expected %s", #call, strerror(check_errno),          \
                   strerror(expected));                                                                         \
  } while (0)

// Runs statements in a child and gives its wait status; the child exits 0 when it gets to their end.
#define IN_CHILD(...)                   \
  ({                                    \
    pid_t check_child = fork();         \
    if (check_child == 0) {             \
      __VA_ARGS__;                      \
      _exit(0);                         \
    }                                   \
    CHECK(check_child > 0);             \
    check_wait(check_child);            \
  })
#define CHECK_SIGNAL(number, ...) check_signal(__FILE__, __LINE__, number, IN_CHILD(__VA_ARGS__))
#define CHECK_EXIT(code, ...) check_exit(__FILE__, __LINE__, code, IN_CHILD(__VA_ARGS__))

// Waits for the child (any, for WAIT_ANY) and gives its status.
int check_wait(pid_t child);
void check_signal(const char *file, int line, int number, int status);
void check_exit(const char *file, int line, int code, int status);

// A 4- or 8-byte sysctl as a number; ends the case when there is none.
uint64_t check_sysctl(const char *name);

// Ends the case unless /bin/NAME is there, and says how to run the program so that it is.
void check_module(const char *name);

// A shared memory name of this process that no other case uses.
const char *check_name(void);

// The command line of the program, for tests that take a size.
extern int check_argument_count;
extern char **check_arguments;
