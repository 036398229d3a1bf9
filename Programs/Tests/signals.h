// signals.h: handlers that note what they were told, masks, and signals that come later.
#pragma once

#include "check.h"

static volatile int count, last_signal, last_code, last_pid, last_status, order[16];
static volatile uint64_t last_address, last_value;

static inline void plain(int signal) {
  last_signal = signal;
  order[count & 15] = signal;
  count++;
}

static inline void informed(int signal, siginfo_t *information, void *context) {
  (void)context;
  plain(signal);
  last_code = information->si_code;
  last_pid = information->si_pid;
  last_status = information->si_status;
  last_address = (uint64_t)information->si_addr;
  last_value = (uint64_t)information->si_value.sival_ptr;
}

static inline void catch(int signal, int flags) {
  struct sigaction action = {.sa_sigaction = informed, .sa_flags = SA_SIGINFO | flags};
  CHECK_EQUAL(sigaction(signal, &action, NULL), 0);
}

static inline sigset_t one(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  return set;
}

static inline void block(int signal) {
  sigset_t set = one(signal);
  CHECK_EQUAL(sigprocmask(SIG_BLOCK, &set, NULL), 0);
}

static inline void unblock(int signal) {
  sigset_t set = one(signal);
  CHECK_EQUAL(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
}

// A child that signals its parent after some time.
static inline pid_t signal_later(int signal, long milliseconds) {
  pid_t parent = getpid(), child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    struct timespec time = {0, milliseconds * 1000000};
    nanosleep(&time, NULL);
    kill(parent, signal);
    _exit(0);
  }
  return child;
}
