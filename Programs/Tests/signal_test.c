// signal_test: handlers, masks, queues, frames, alternate stacks, interrupted and restarted calls (spec signals.md section 1).

#include "shared_memory.h"

#include <sys/resource.h>

static volatile int count, last_signal, last_code, last_pid, last_status, order[16];
static volatile uint64_t last_address, last_value;

static void plain(int signal) {
  last_signal = signal;
  order[count & 15] = signal;
  count++;
}

static void informed(int signal, siginfo_t *information, void *context) {
  (void)context;
  plain(signal);
  last_code = information->si_code;
  last_pid = information->si_pid;
  last_status = information->si_status;
  last_address = (uint64_t)information->si_addr;
  last_value = (uint64_t)information->si_value.sival_ptr;
}

static void catch(int signal, int flags) {
  struct sigaction action = {.sa_sigaction = informed, .sa_flags = SA_SIGINFO | flags};
  CHECK_EQUAL(sigaction(signal, &action, NULL), 0);
}

static sigset_t one(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  return set;
}

static void block(int signal) {
  sigset_t set = one(signal);
  CHECK_EQUAL(sigprocmask(SIG_BLOCK, &set, NULL), 0);
}

static void unblock(int signal) {
  sigset_t set = one(signal);
  CHECK_EQUAL(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
}

TEST(a_handler_runs_before_kill_returns) {
  catch(SIGUSR1, 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(last_signal, SIGUSR1);
  CHECK_EQUAL(last_code, SI_USER);
  CHECK_EQUAL(last_pid, getpid());
}

static volatile long second_argument;
static void with_code(int signal, long code) {
  count = signal;
  second_argument = code;
}

TEST(a_handler_without_siginfo_gets_the_code) {
  struct sigaction action = {.sa_handler = (void (*)(int))(void *)with_code};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, SIGUSR1);
  CHECK_EQUAL(second_argument, SI_USER);
}

TEST(a_blocked_signal_comes_when_it_is_unblocked_each_instance_of_it) {
  catch(SIGUSR1, 0);
  block(SIGUSR1);
  for (int round = 0; round < 3; round++) CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 0);
  sigset_t pending;
  CHECK_EQUAL(sigpending(&pending), 0);
  CHECK(sigismember(&pending, SIGUSR1));
  unblock(SIGUSR1);
  CHECK_EQUAL(count, 3);
  CHECK_EQUAL(sigpending(&pending), 0);
  CHECK(!sigismember(&pending, SIGUSR1));
}

TEST(the_lowest_number_has_its_frame_pushed_first_and_runs_last) {
  catch(SIGUSR1, 0);
  catch(SIGUSR2, 0);
  catch(SIGHUP, 0);
  sigset_t all, old;
  sigfillset(&all);
  CHECK_EQUAL(sigprocmask(SIG_SETMASK, &all, &old), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR2), 0);
  CHECK_EQUAL(kill(getpid(), SIGHUP), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(sigprocmask(SIG_SETMASK, &old, NULL), 0);
  CHECK_EQUAL(count, 3);
  CHECK_EQUAL(order[0], SIGUSR2);
  CHECK_EQUAL(order[1], SIGUSR1);
  CHECK_EQUAL(order[2], SIGHUP);
}

static volatile int depth, deepest;
static void nested(int signal) {
  depth++;
  if (depth > deepest) deepest = depth;
  if (count++ < 3) kill(getpid(), signal);
  depth--;
}

TEST(a_signal_is_held_back_in_its_own_handler_unless_nodefer) {
  struct sigaction action = {.sa_handler = nested};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 4);
  CHECK_EQUAL(deepest, 1);
  count = 0;
  action.sa_flags = SA_NODEFER;
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 4);
  CHECK_EQUAL(deepest, 4);
}

TEST(resethand_makes_the_second_deadly) {
  catch(SIGUSR1, SA_RESETHAND);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 1);
  CHECK_SIGNAL(SIGUSR1, kill(getpid(), SIGUSR1));
}

TEST(every_register_and_vector_register_survives_a_handler) {
  catch(SIGUSR1, 0);
  register uint64_t r12 __asm__("r12") = 0x1212121212121212;
  register uint64_t r15 __asm__("r15") = 0x1515151515151515;
  uint64_t xmm[2] = {0x0123456789abcdef, 0xfedcba9876543210}, out[2];
  uint32_t status = 0x5f80, status_out;
  long result;
  __asm__ volatile(
      "movdqu %[in], %%xmm7\n\t ldmxcsr %[status]\n\t"
      "syscall\n\t"
      "movdqu %%xmm7, %[out]\n\t stmxcsr %[status_out]"
      : "=a"(result), [out] "=m"(out), [status_out] "=m"(status_out), "+r"(r12), "+r"(r15)
      : "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1), [in] "m"(xmm), [status] "m"(status)
      : "rcx", "r11", "rdx", "r8", "r9", "r10", "xmm7", "memory", "cc");
  CHECK_EQUAL(result, 0);
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(out[0], xmm[0]);
  CHECK_EQUAL(out[1], xmm[1]);
  CHECK_EQUAL(status_out, status);
  CHECK_EQUAL(r12, 0x1212121212121212);
  CHECK_EQUAL(r15, 0x1515151515151515);
  status = 0x1f80;
  __asm__ volatile("ldmxcsr %0" : : "m"(status));
}

static volatile uint64_t seen_vector, seen_length, seen_flags;
static volatile uint32_t seen_status;
static void looks_at_state(int signal, siginfo_t *information, void *context) {
  (void)signal;
  (void)information;
  ucontext_t *interrupted = context;
  uint64_t vector[2];
  uint32_t status;
  __asm__ volatile("movdqu %%xmm7, %0\n\t stmxcsr %1" : "=m"(vector), "=m"(status));
  seen_vector = vector[0];
  seen_status = status;
  seen_length = (uint64_t)interrupted->uc_mcontext.mc_len;
  seen_flags = interrupted->uc_mcontext.mc_flags;
  // xmm7 of the interrupted program, which the program will find.
  interrupted->uc_mcontext.mc_fpstate[20 + 14] = 0x7777;
  interrupted->uc_mcontext.mc_rbx = 0x4242;
  count++;
}

TEST(a_handler_begins_with_fresh_vector_registers_and_can_change_the_interrupted_ones) {
  struct sigaction action = {.sa_sigaction = looks_at_state, .sa_flags = SA_SIGINFO};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  uint64_t vector[2] = {5, 6};
  uint64_t rbx = 1;
  long result;
  __asm__ volatile("movdqu %[vector], %%xmm7\n\t movq $1, %%rbx\n\t syscall\n\t movdqu %%xmm7, %[vector]\n\t movq %%rbx, %[rbx]"
                   : "=a"(result), [vector] "+m"(vector), [rbx] "=m"(rbx)
                   : "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1)
                   : "rbx", "rcx", "r11", "rdx", "r8", "r9", "r10", "xmm7", "memory", "cc");
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(seen_vector, 0);
  CHECK_EQUAL(seen_status, 0x1f80);
  CHECK_EQUAL(seen_length, 800);
  CHECK_EQUAL(seen_flags & ~4ul, 1);
  CHECK_EQUAL(vector[0], 0x7777);
  CHECK_EQUAL(vector[1], 6);
  CHECK_EQUAL(rbx, 0x4242);
}

static char stack_for_handlers[65536] __attribute__((aligned(16)));
static volatile uint64_t handler_stack;
static stack_t inner;
static void notes_stack(int signal, siginfo_t *information, void *context) {
  (void)signal;
  (void)information;
  char here;
  handler_stack = (uint64_t)&here;
  CHECK_EQUAL(sigaltstack(NULL, &inner), 0);
  CHECK_ERRNO(EPERM, sigaltstack(&inner, NULL));
  ucontext_t *interrupted = context;
  CHECK_EQUAL(interrupted->uc_stack.ss_flags, 0);
  CHECK_EQUAL((long)interrupted->uc_stack.ss_sp, (long)stack_for_handlers);
  CHECK_EQUAL((long)context % 16, 0);
  count++;
}

TEST(a_handler_runs_on_the_alternate_stack) {
  stack_t stack = {.ss_sp = stack_for_handlers, .ss_size = sizeof stack_for_handlers}, old;
  CHECK_EQUAL(sigaltstack(NULL, &old), 0);
  CHECK_EQUAL(old.ss_flags, SS_DISABLE);
  stack.ss_size = 2047;
  CHECK_ERRNO(ENOMEM, sigaltstack(&stack, NULL));
  stack.ss_size = sizeof stack_for_handlers;
  stack.ss_flags = SS_ONSTACK;
  CHECK_ERRNO(EINVAL, sigaltstack(&stack, NULL));
  stack.ss_flags = 0;
  CHECK_EQUAL(sigaltstack(&stack, NULL), 0);
  struct sigaction action = {.sa_sigaction = notes_stack, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 1);
  CHECK(handler_stack - (uint64_t)stack_for_handlers < sizeof stack_for_handlers);
  CHECK_EQUAL(inner.ss_flags, SS_ONSTACK);
}

static void ends(int signal) { _exit(signal); }

static int endless(volatile char *below) {
  volatile char room[4096];
  room[0] = *below;
  return room[0] == 77 ? 0 : endless(room) + room[1];
}

TEST(an_overflowing_stack_is_reported_on_the_alternate_one) {
  stack_t stack = {.ss_sp = stack_for_handlers, .ss_size = sizeof stack_for_handlers};
  CHECK_EQUAL(sigaltstack(&stack, NULL), 0);
  struct sigaction action = {.sa_handler = ends, .sa_flags = SA_ONSTACK};
  CHECK_EQUAL(sigaction(SIGSEGV, &action, NULL), 0);
  CHECK_EXIT(SIGSEGV, {
    volatile char start = 0;
    endless(&start);
  });
  action.sa_flags = 0;
  CHECK_EQUAL(sigaction(SIGSEGV, &action, NULL), 0);
  CHECK_SIGNAL(SIGILL, {
    volatile char start = 0;
    endless(&start);
  });
}

static void repairs(int signal, siginfo_t *information, void *context) {
  informed(signal, information, context);
  ucontext_t *interrupted = context;
  // Over the instruction, which has two bytes.
  if (signal == SIGILL) interrupted->uc_mcontext.mc_rip += 2;
  if (signal == SIGFPE) interrupted->uc_mcontext.mc_rcx = 1;
}

static void catch_and_repair(int signal) {
  struct sigaction action = {.sa_sigaction = repairs, .sa_flags = SA_SIGINFO};
  CHECK_EQUAL(sigaction(signal, &action, NULL), 0);
}

TEST(exceptions_tell_what_and_where) {
  catch_and_repair(SIGILL);
  uint64_t place;
  __asm__ volatile("leaq 1f(%%rip), %0\n 1: ud2" : "=r"(place));
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(last_code, ILL_PRVOPC);
  CHECK_EQUAL(last_address, place);
  catch_and_repair(SIGFPE);
  uint64_t quotient;
  __asm__ volatile("xorl %%edx, %%edx\n\t movl $6, %%eax\n\t xorl %%ecx, %%ecx\n\t divl %%ecx" : "=a"(quotient) : : "rcx", "rdx");
  CHECK_EQUAL(quotient, 6);
  CHECK_EQUAL(last_code, FPE_INTDIV);
  catch(SIGTRAP, 0);
  __asm__ volatile("int3");
  CHECK_EQUAL(last_signal, SIGTRAP);
  CHECK_EQUAL(last_code, TRAP_BRKPT);
}

static int object;
static void grows(int signal, siginfo_t *information, void *context) {
  informed(signal, information, context);
  CHECK_EQUAL(ftruncate(object, 2 * PAGE_SIZE), 0);
}

TEST(a_handler_sizes_the_object_and_the_access_goes_on) {
  object = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(object >= 0);
  CHECK_EQUAL(ftruncate(object, PAGE_SIZE), 0);
  volatile char *memory = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, object, 0);
  stack_t stack = {.ss_sp = stack_for_handlers, .ss_size = sizeof stack_for_handlers};
  CHECK_EQUAL(sigaltstack(&stack, NULL), 0);
  struct sigaction action = {.sa_sigaction = grows, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  CHECK_EQUAL(sigaction(SIGBUS, &action, NULL), 0);
  memory[PAGE_SIZE + 5] = 9;
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(last_code, BUS_OBJERR);
  CHECK_EQUAL(last_address, (uint64_t)memory + PAGE_SIZE + 5);
  CHECK_EQUAL(memory[PAGE_SIZE + 5], 9);
}

TEST(an_exception_that_is_blocked_or_ignored_is_deadly) {
  CHECK_SIGNAL(SIGSEGV, {
    catch(SIGSEGV, 0);
    block(SIGSEGV);
    *(volatile char *)8 = 1;
  });
  CHECK_SIGNAL(SIGSEGV, {
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigaction(SIGSEGV, &action, NULL);
    *(volatile char *)8 = 1;
  });
}

TEST(a_frame_that_cannot_be_stored_is_deadly) {
  CHECK_SIGNAL(SIGILL, {
    catch(SIGUSR1, 0);
    __asm__ volatile("movq $64, %%rsp\n\t syscall" : : "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1) : "rcx", "r11", "memory");
  });
}

// A child that signals its parent after some time.
static pid_t signal_later(int signal, long milliseconds) {
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

TEST(nanosleep_gives_eintr_and_what_is_left) {
  catch(SIGUSR1, SA_RESTART);
  pid_t child = signal_later(SIGUSR1, 20);
  struct timespec time = {10, 0}, left = {0, 0};
  CHECK_ERRNO(EINTR, nanosleep(&time, &left));
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(left.tv_sec, 9);
  CHECK(left.tv_nsec > 900000000 && left.tv_nsec < 990000000);
  check_wait(child);
}

TEST(a_signal_that_is_ignored_or_blocked_ends_no_sleep) {
  struct sigaction action = {.sa_handler = SIG_IGN};
  CHECK_EQUAL(sigaction(SIGUSR2, &action, NULL), 0);
  block(SIGUSR1);
  catch(SIGUSR1, 0);
  pid_t first = signal_later(SIGUSR1, 10), second = signal_later(SIGUSR2, 15);
  struct timespec time = {0, 50000000};
  CHECK_EQUAL(nanosleep(&time, NULL), 0);
  check_wait(first);
  check_wait(second);
}

TEST(wait4_begins_anew_or_gives_eintr_as_the_action_says) {
  for (int restarts = 0; restarts < 2; restarts++) {
    catch(SIGUSR1, restarts ? SA_RESTART : 0);
    count = 0;
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
      struct timespec time = {0, 20000000};
      nanosleep(&time, NULL);
      kill(parent, SIGUSR1);
      nanosleep(&time, NULL);
      _exit(5);
    }
    int status = 0;
    if (!restarts) CHECK_ERRNO(EINTR, wait4(child, &status, 0, NULL));
    CHECK_EQUAL(wait4(child, &status, 0, NULL), child);
    CHECK_EQUAL(status, 5 << 8);
    CHECK_EQUAL(count, 1);
  }
}

TEST(sigsuspend_ends_with_a_handler_and_the_old_mask) {
  catch(SIGUSR1, 0);
  block(SIGUSR1);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  sigset_t none;
  sigemptyset(&none);
  CHECK_ERRNO(EINTR, sigsuspend(&none));
  CHECK_EQUAL(count, 1);
  pid_t child = signal_later(SIGUSR1, 10);
  CHECK_ERRNO(EINTR, sigsuspend(&none));
  CHECK_EQUAL(count, 2);
  check_wait(child);
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 2);
}

TEST(sigtimedwait_takes_a_signal_without_running_its_handler) {
  catch(SIGUSR1, 0);
  block(SIGUSR1);
  sigset_t set = one(SIGUSR1);
  struct timespec none = {0, 0}, bad = {0, 1000000000}, some = {0, 20000000};
  CHECK_ERRNO(EAGAIN, sigtimedwait(&set, NULL, &none));
  CHECK_ERRNO(EINVAL, sigtimedwait(&set, NULL, &bad));
  CHECK_ERRNO(EAGAIN, sigtimedwait(&set, NULL, &some));
  CHECK_EQUAL(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 77}), 0);
  siginfo_t information;
  CHECK_EQUAL(sigtimedwait(&set, &information, &none), SIGUSR1);
  CHECK_EQUAL(information.si_code, SI_QUEUE);
  CHECK_EQUAL(information.si_value.sival_int, 77);
  CHECK_EQUAL(information.si_pid, getpid());
  pid_t child = signal_later(SIGUSR1, 10);
  int number = 0;
  CHECK_EQUAL(sigwait(&set, &number), 0);
  CHECK_EQUAL(number, SIGUSR1);
  CHECK_EQUAL(count, 0);
  check_wait(child);
  catch(SIGUSR2, SA_RESTART);
  child = signal_later(SIGUSR2, 10);
  CHECK_ERRNO(EINTR, sigwaitinfo(&set, NULL));
  CHECK_EQUAL(count, 1);
  check_wait(child);
}

TEST(a_queue_holds_128_and_sigqueue_says_when_it_is_full) {
  block(SIGRTMIN);
  block(SIGUSR1);
  for (int number = 0; number < 128; number++)
    CHECK_EQUAL(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = number}), 0);
  CHECK_ERRNO(EAGAIN, sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 0}));
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  sigset_t set = one(SIGRTMIN);
  struct timespec none = {0, 0};
  siginfo_t information;
  for (int number = 0; number < 128; number++) {
    CHECK_EQUAL(sigtimedwait(&set, &information, &none), SIGRTMIN);
    CHECK_EQUAL(information.si_value.sival_int, number);
  }
  CHECK_ERRNO(EAGAIN, sigtimedwait(&set, &information, &none));
  set = one(SIGUSR1);
  CHECK_EQUAL(sigtimedwait(&set, &information, &none), SIGUSR1);
  CHECK_EQUAL(information.si_code, 0);
  CHECK_EQUAL(information.si_pid, 0);
}

TEST(sigchld_tells_how_a_child_ended_stopped_and_went_on) {
  catch(SIGCHLD, SA_RESTART);
  pid_t child = fork();
  if (child == 0) {
    struct timespec time = {10, 0};
    nanosleep(&time, NULL);
    _exit(0x1234);
  }
  int status;
  CHECK_EQUAL(kill(child, SIGSTOP), 0);
  CHECK_EQUAL(last_code, CLD_STOPPED);
  CHECK_EQUAL(last_status, SIGSTOP);
  CHECK_EQUAL(last_pid, child);
  CHECK_EQUAL(kill(child, SIGCONT), 0);
  CHECK_EQUAL(last_code, CLD_CONTINUED);
  CHECK_EQUAL(kill(child, SIGTERM), 0);
  CHECK_EQUAL(wait4(child, &status, 0, NULL), child);
  CHECK_EQUAL(last_code, CLD_KILLED);
  CHECK_EQUAL(last_status, SIGTERM);
  child = fork();
  if (child == 0) _exit(0x1234);
  struct timespec time = {1, 0};
  CHECK_ERRNO(EINTR, nanosleep(&time, NULL));
  CHECK_EQUAL(last_code, CLD_EXITED);
  CHECK_EQUAL(last_status, 0x1234);
  CHECK_EQUAL(wait4(child, &status, 0, NULL), child);
}

TEST(a_waited_for_child_takes_its_signal_with_it) {
  catch(SIGCHLD, 0);
  block(SIGCHLD);
  pid_t child = fork();
  if (child == 0) _exit(0);
  check_wait(child);
  sigset_t pending;
  CHECK_EQUAL(sigpending(&pending), 0);
  CHECK(!sigismember(&pending, SIGCHLD));
}

TEST(a_stop_that_was_blocked_acts_when_it_is_unblocked) {
  pid_t child = fork();
  if (child == 0) {
    block(SIGTSTP);
    kill(getpid(), SIGTSTP);
    unblock(SIGTSTP);
    _exit(3);
  }
  int status;
  CHECK_EQUAL(wait4(child, &status, WUNTRACED, NULL), child);
  CHECK_EQUAL(status, SIGTSTP << 8 | 0x7f);
  CHECK_EQUAL(kill(child, SIGCONT), 0);
  CHECK_EQUAL(check_wait(child), 3 << 8);
}

TEST(a_stop_and_its_continuation_end_no_sleep) {
  pid_t child = fork();
  if (child == 0) {
    struct timespec time = {0, 50000000};
    _exit(nanosleep(&time, NULL) == 0 ? 0 : errno);
  }
  struct timespec time = {0, 5000000};
  nanosleep(&time, NULL);
  CHECK_EQUAL(kill(child, SIGSTOP), 0);
  nanosleep(&time, NULL);
  CHECK_EQUAL(kill(child, SIGCONT), 0);
  CHECK_EQUAL(check_wait(child), 0);
}

TEST(actions_are_inherited_and_reset_by_execve) {
  catch(SIGUSR1, 0);
  CHECK_EXIT(0, {
    kill(getpid(), SIGUSR1);
    if (count != 1) _exit(1);
  });
  CHECK_EQUAL(count, 0);
  struct sigaction old;
  struct sigaction none = {.sa_handler = SIG_DFL};
  CHECK_EXIT(0, sigaction(SIGUSR1, &none, NULL));
  CHECK_EQUAL(sigaction(SIGUSR1, NULL, &old), 0);
  CHECK(old.sa_sigaction == informed);
  CHECK_EQUAL(old.sa_flags, SA_SIGINFO);
}

TEST(sigaction_reports_and_refuses_as_freebsd_does) {
  struct sigaction old, action = {.sa_handler = plain, .sa_flags = 0x80};
  CHECK_EQUAL(sigaction(SIGUSR1, NULL, &old), 0);
  CHECK_EQUAL(old.sa_flags, SA_RESTART);
  CHECK_ERRNO(EINVAL, sigaction(SIGUSR1, &action, NULL));
  action.sa_flags = 0;
  CHECK_ERRNO(EINVAL, sigaction(SIGKILL, &action, NULL));
  CHECK_ERRNO(EINVAL, sigaction(0, &action, NULL));
  CHECK_ERRNO(EINVAL, sigaction(129, &action, NULL));
  CHECK_EQUAL(sigaction(128, &action, NULL), 0);
  action.sa_handler = SIG_DFL;
  CHECK_EQUAL(sigaction(SIGSTOP, &action, NULL), 0);
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  CHECK_EQUAL(sigaction(SIGUSR1, NULL, &old), 0);
  CHECK_EQUAL(old.sa_flags, 0);
  CHECK_ERRNO(EINVAL, sigprocmask(4, &old.sa_mask, NULL));
  CHECK_EQUAL(sigprocmask(4, NULL, NULL), 0);
}

TEST(sigreturn_refuses_what_would_be_unsafe) {
  ucontext_t context;
  CHECK_EQUAL(getcontext(&context), 0);
  ucontext_t bad = context;
  bad.uc_mcontext.mc_rflags ^= 0x200;
  CHECK_ERRNO(EINVAL, sigreturn(&bad));
  bad = context;
  bad.uc_mcontext.mc_flags = 8;
  CHECK_ERRNO(EINVAL, sigreturn(&bad));
  CHECK_ERRNO(EFAULT, sigreturn((void *)8));
  CHECK_SIGNAL(SIGBUS, {
    bad = context;
    bad.uc_mcontext.mc_cs = 8;
    sigreturn(&bad);
  });
  CHECK_SIGNAL(SIGBUS, {
    bad = context;
    bad.uc_mcontext.mc_rip = 0x800000000000;
    sigreturn(&bad);
  });
}

TEST(setcontext_goes_back) {
  static ucontext_t context;
  static volatile int passes;
  long result;
  // Not through a function: that would have returned by the second time.
  __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_getcontext), "D"(&context) : "rcx", "r11", "rdx", "r8", "r9", "r10", "memory");
  CHECK_EQUAL(result, 0);
  passes++;
  if (passes < 3) setcontext(&context);
  CHECK_EQUAL(passes, 3);
}

TEST(thr_kill_is_for_one_thread) {
  catch(SIGUSR1, 0);
  long self;
  CHECK_EQUAL(thr_self(&self), 0);
  CHECK_EQUAL(thr_kill(self, SIGUSR1), 0);
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(last_code, SI_LWP);
  CHECK_ERRNO(ESRCH, thr_kill(-1, SIGUSR1));
  CHECK_ERRNO(EINVAL, thr_kill(self, 129));
  CHECK_ERRNO(ESRCH, thr_kill(7, 129));
  CHECK_EQUAL(thr_kill2(getpid(), self, SIGUSR1), 0);
  CHECK_EQUAL(count, 2);
}

TEST(handlers_are_counted) {
  catch(SIGUSR1, 0);
  for (int round = 0; round < 5; round++) kill(getpid(), SIGUSR1);
  struct rusage usage;
  CHECK_EQUAL(getrusage(RUSAGE_SELF, &usage), 0);
  CHECK_EQUAL(usage.ru_nsignals, 5);
}

TEST(a_thousand_signals_interrupt_a_computation_exactly) {
  catch(SIGUSR1, 0);
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    for (int round = 0; round < 1000; round++) {
      kill(parent, SIGUSR1);
      struct timespec time = {0, 100000};
      nanosleep(&time, NULL);
    }
    _exit(0);
  }
  double sum = 0;
  uint64_t product = 1;
  long rounds = 0;
  while (count < 1000) {
    sum += 0.5;
    product = product * 6364136223846793005u + 1442695040888963407u;
    rounds++;
  }
  uint64_t expected = 1;
  for (long round = 0; round < rounds; round++) expected = expected * 6364136223846793005u + 1442695040888963407u;
  CHECK_EQUAL(product, expected);
  CHECK(sum == (double)rounds * 0.5);
  check_wait(child);
}

int sigfastblock(int, void *);
pid_t wait6(int, long, int *, int, void *, siginfo_t *);

TEST(a_word_holds_signals_back_without_a_call) {
  catch(SIGUSR1, 0);
  static volatile uint32_t word;
  CHECK_ERRNO(EINVAL, sigfastblock(1, (char *)&word + 1));
  CHECK_ERRNO(EINVAL, sigfastblock(2, NULL));
  CHECK_EQUAL(sigfastblock(1, (void *)&word), 0);
  CHECK_ERRNO(EBUSY, sigfastblock(1, (void *)&word));
  word = 16;
  CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
  CHECK_EQUAL(count, 0);
  CHECK_EQUAL(word, 17);
  CHECK_ERRNO(EBUSY, sigfastblock(2, NULL));
  word -= 16;
  CHECK_EQUAL(sigfastblock(2, NULL), 0);
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(word, 0);
  CHECK_EQUAL(sigfastblock(3, NULL), 0);
  CHECK_ERRNO(EINVAL, sigfastblock(3, NULL));
}

TEST(wait6_tells_of_children_by_what_they_are) {
  pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    _exit(0x345);
  }
  int status = 0;
  siginfo_t information;
  CHECK_ERRNO(EINVAL, wait6(7, 0, &status, 1, NULL, NULL));
  CHECK_ERRNO(ECHILD, wait6(0, 99999, &status, 16, NULL, NULL));
  // Left as it is, then taken.
  CHECK_EQUAL(wait6(0, child, &status, 16 | 8, NULL, &information), child);
  CHECK_EQUAL(status, 0x45 << 8);
  CHECK_EQUAL(information.si_code, CLD_EXITED);
  CHECK_EQUAL(information.si_status, 0x345);
  CHECK_EQUAL(information.si_pid, child);
  CHECK_EQUAL(wait6(2, child, &status, 16, NULL, NULL), child);
  CHECK_ERRNO(ECHILD, wait6(7, 0, &status, 16, NULL, NULL));
}
