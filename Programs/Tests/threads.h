// threads.h: threads and locks of test programs. errno is shared, so calls of threads go through `kernel`, which gives the error
// as a negative number.
#pragma once

#include "check.h"

#include <sys/thr.h>
#include <sys/umtx.h>

static inline long kernel(long number, long first, long second, long third, long fourth, long fifth) {
  long result;
  register long r10 __asm__("r10") = fourth, r8 __asm__("r8") = fifth;
  __asm__ volatile("syscall; jnc 1f; negq %%rax; 1:"
                   : "=a"(result), "+r"(r10), "+r"(r8), "+D"(first), "+S"(second), "+d"(third)
                   : "a"(number)
                   : "rcx", "r9", "r11", "memory", "cc");
  return result;
}

static inline long umtx(volatile void *object, long operation, unsigned long value, const void *third,
                        const void *fourth) {
  return kernel(SYS__umtx_op, (long)object, operation, (long)value, (long)third, (long)fourth);
}

static inline uint32_t self(void) {
  long identifier = 0;
  kernel(SYS_thr_self, (long)&identifier, 0, 0, 0, 0);
  return (uint32_t)identifier;
}

enum { stack_size = 32 << 10 };

struct worker {
  // First: what the base of the fs segment points at.
  struct worker *itself;
  void (*run)(struct worker *);
  volatile long identifier;
  long number;
  volatile uint64_t result;
  char *stack;
};

static void begin_worker(void *argument) {
  struct worker *worker = argument;
  worker->run(worker);
  kernel(SYS_thr_exit, (long)&worker->identifier, 0, 0, 0, 0);
}

static inline void start_worker(struct worker *worker, long number, void (*run)(struct worker *)) {
  worker->itself = worker;
  worker->run = run;
  worker->number = number;
  worker->result = 0;
  if (!worker->stack) worker->stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  worker->identifier = 1;
  struct thr_param parameters = {
      .start_func = begin_worker,
      .arg = worker,
      .stack_base = worker->stack,
      .stack_size = stack_size,
      .tls_base = (char *)worker,
      .child_tid = (long *)&worker->identifier,
      .parent_tid = (long *)&worker->identifier,
  };
  CHECK_EQUAL(kernel(SYS_thr_new, (long)&parameters, sizeof parameters, 0, 0, 0), 0);
}

// pthread_join: the kernel stores 1 when the thread has ended.
static inline void join_worker(struct worker *worker) {
  long identifier;
  while ((identifier = worker->identifier) != 1)
    CHECK_EQUAL(umtx(&worker->identifier, UMTX_OP_WAIT, (unsigned long)identifier, NULL, NULL), 0);
}
