// pthread_check.h: what the tests of threads of the C library have in common.
#pragma once

#include "check.h"

#include <pthread.h>
#include <semaphore.h>

enum { THREADS = 8, ROUNDS = 500 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile long shared;

// Runs so many threads, each with its number; their results must be NULL.
static inline void run_all(int count, void *(*run)(void *)) {
  pthread_t threads[THREADS];
  for (long number = 0; number < count; number++)
    CHECK_EQUAL(pthread_create(&threads[number], NULL, run, (void *)number), 0);
  for (int number = 0; number < count; number++) {
    void *result;
    CHECK_EQUAL(pthread_join(threads[number], &result), 0);
    CHECK_EQUAL(result, 0);
  }
}
