// ending.c: the ways in which a program ends (stdlib.h, assert.h).

#include "library.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 32 };

// What runs at the end, in pieces; the newest first.
static struct piece {
  struct {
    void (*run)(void *);
    void *argument;
  } entries[PIECE];
  int count;
  struct piece *before;
} first, *newest = &first;

static struct library_lock lock;

// A program that has no streams has nothing of them in it.
__attribute__((weak)) int flush_all_streams(void);

// Functions that ask to run at the end by themselves (the linker makes the list).
extern void (*const __fini_array_start[])(void), (*const __fini_array_end[])(void);

// What C++ registers the ends of static objects with; everything is in one program, so whose they are does not matter.
void *__dso_handle;
int __cxa_atexit(void (*run)(void *), void *argument, void *owner) {
  (void)owner;
  bool is_locked = lock_shared(&lock);
  int result = 0;
  if (newest->count == PIECE) {
    struct piece *piece = calloc(1, sizeof *piece);
    if (piece) {
      piece->before = newest;
      newest = piece;
    } else {
      result = -1;
    }
  }
  if (result == 0) {
    newest->entries[newest->count].run = run;
    newest->entries[newest->count++].argument = argument;
  }
  unlock_shared(&lock, is_locked);
  return result;
}

static void call(void *function) { ((void (*)(void))function)(); }

int atexit(void (*run)(void)) { return __cxa_atexit(call, (void *)run, NULL); }

void exit(int status) {
  while (newest) {
    if (newest->count == 0) {
      newest = newest->before;
      continue;
    }
    int last = --newest->count;
    newest->entries[last].run(newest->entries[last].argument);
  }
  for (void (*const *function)(void) = __fini_array_end; function > __fini_array_start;) (*--function)();
  if (flush_all_streams) flush_all_streams();
  _exit(status);
}

void _Exit(int status) { _exit(status); }
void quick_exit(int status) { _exit(status); }

// Nobody's handler comes back from it.
void abort(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGABRT);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  raise(SIGABRT);
  sigaction(SIGABRT, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
  raise(SIGABRT);
  _exit(127);
}

void __assert(const char *function, const char *file, int line, const char *expression) {
  dprintf(2, "assertion failed: (%s), function %s, file %s, line %d\n", expression, function, file, line);
  abort();
}
