// signal_frame_test: what handlers begin with and leave behind: frames, registers, alternate stacks, exceptions, contexts (spec
// signals.md sections 1.11 to 1.15).

#include "shared_memory.h"
#include "signals.h"

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
