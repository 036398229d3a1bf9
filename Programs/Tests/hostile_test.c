// hostile_test: programs that try to harm (issue 2, acceptance 4). Every case runs the hostile code in a child and looks at
// how the child ended; that the parent lives to look is half of the test, its own checks at the end are the other half.

#include "check.h"

// Runs instructions in a child; they must end it with the signal (spec abi.md, "Processor exceptions of ring 3").
#define CHECK_INSTRUCTION(signal, code) CHECK_SIGNAL(signal, __asm__ volatile(code::: "memory"))

// Assembly that passes the time of several timer ticks without touching memory. Uses %rax, %rcx and %rdx.
#define PASS_TIME "rdtsc; movl %%eax, %%ecx; 1: rdtsc; subl %%ecx, %%eax; cmpl $12000000, %%eax; jb 1b;"

// What a child of these tests must not have changed.
static volatile uint64_t witness = 0x1234567890abcdef;
static void check_unharmed(void) {
  CHECK_EQUAL(witness, 0x1234567890abcdef);
  CHECK_EXIT(7, _exit(7));
  double value = 1.0;
  for (int index = 0; index < 10; index++) value *= 2.0;
  CHECK(value == 1024.0);
}

static const uint64_t kernel_addresses[] = {
    0x400000000000,      // the first address above user space: the direct map
    0x400000001000,      0x4000fffff000, 0x7f0000000000,     0x7f8000000000, 0x7f8000100000,
    0x7fffffffe000,      0x7ffffffff000, 0xffff800000000000, 0xffffffff80000000,
    0xfffffffffffff000,
};

TEST(privileged_instructions) {
  CHECK_INSTRUCTION(SIGBUS, "hlt");
  CHECK_INSTRUCTION(SIGBUS, "cli");
  CHECK_INSTRUCTION(SIGBUS, "sti");
  CHECK_INSTRUCTION(SIGBUS, "inb $0x60, %%al");
  CHECK_INSTRUCTION(SIGBUS, "outb %%al, $0xf4");
  CHECK_INSTRUCTION(SIGBUS, "movw $0x3f8, %%dx; outb %%al, %%dx");
  CHECK_INSTRUCTION(SIGBUS, "movw $0x3f8, %%dx; rep outsb");
  CHECK_INSTRUCTION(SIGBUS, "lgdt (%%rsp)");
  CHECK_INSTRUCTION(SIGBUS, "lidt (%%rsp)");
  CHECK_INSTRUCTION(SIGBUS, "xorl %%eax, %%eax; lldt %%ax");
  CHECK_INSTRUCTION(SIGBUS, "xorl %%eax, %%eax; ltr %%ax");
  CHECK_INSTRUCTION(SIGBUS, "movq %%cr0, %%rax");
  CHECK_INSTRUCTION(SIGBUS, "movq %%rax, %%cr0");
  CHECK_INSTRUCTION(SIGBUS, "movq %%cr2, %%rax");
  CHECK_INSTRUCTION(SIGBUS, "movq %%rax, %%cr3");
  CHECK_INSTRUCTION(SIGBUS, "movq %%rax, %%cr4");
  CHECK_INSTRUCTION(SIGBUS, "movq %%rax, %%cr8");
  CHECK_INSTRUCTION(SIGBUS, "movq %%rax, %%dr7");
  CHECK_INSTRUCTION(SIGBUS, "movq %%dr6, %%rax");
  CHECK_INSTRUCTION(SIGBUS, "movl $0xc0000080, %%ecx; rdmsr");
  CHECK_INSTRUCTION(SIGBUS, "movl $0xc0000080, %%ecx; wrmsr");
  CHECK_INSTRUCTION(SIGBUS, "invlpg (%%rsp)");
  CHECK_INSTRUCTION(SIGBUS, "invd");
  CHECK_INSTRUCTION(SIGBUS, "wbinvd");
  CHECK_INSTRUCTION(SIGBUS, "clts");
  CHECK_INSTRUCTION(SIGBUS, "lmsw %%ax");
  CHECK_INSTRUCTION(SIGBUS, "swapgs");
  CHECK_INSTRUCTION(SIGBUS, "xorl %%ecx, %%ecx; rdpmc");
  CHECK_INSTRUCTION(SIGBUS, "sysretq");
  CHECK_INSTRUCTION(SIGBUS, "int $0x80");
  CHECK_INSTRUCTION(SIGBUS, "int $0x0e");
  CHECK_INSTRUCTION(SIGBUS, "int $0x20");
  CHECK_INSTRUCTION(SIGBUS, "int $0xff");
  check_unharmed();
}

TEST(invalid_instructions) {
  CHECK_INSTRUCTION(SIGILL, "ud2");
  CHECK_INSTRUCTION(SIGILL, ".byte 0xce");        // into
  CHECK_INSTRUCTION(SIGILL, ".byte 0x0f, 0xff");  // ud0
  CHECK_INSTRUCTION(SIGILL, ".byte 0xd6");        // salc
  check_unharmed();
}

// Whether the processor has these or not decides between two signals; either way the program is gone.
TEST(instructions_of_other_modes) {
#define CHECK_GONE(code)                                                          \
  do {                                                                            \
    int status = IN_CHILD(__asm__ volatile(code::: "memory"));                    \
    if (!WIFSIGNALED(status) || (WTERMSIG(status) != SIGILL && WTERMSIG(status) != SIGBUS)) \
      check_failed(__FILE__, __LINE__, "%s: status 0x%x", code, (unsigned)status); \
  } while (0)
  CHECK_GONE("sysenter");
  CHECK_GONE("sysexit");
  CHECK_GONE("vmcall");
  CHECK_GONE("vmmcall; hlt");
  CHECK_GONE(".byte 0x0f, 0x01, 0xd1");  // xsetbv
  CHECK_GONE("monitor");
  CHECK_GONE(".byte 0x0f, 0x01, 0xca");  // clac
  CHECK_GONE(".byte 0x0f, 0x01, 0xcb");  // stac
  CHECK_GONE("rsm");
  check_unharmed();
}

TEST(segment_registers) {
  for (int selector = 0; selector < 256; selector++) {
    int status = IN_CHILD({
      __asm__ volatile("movw %w0, %%gs; movw %w0, %%fs; movw %w0, %%ds; movw %w0, %%es" ::"r"(selector));
      usleep(1000);
      (void)getpid();
    });
    if (status != 0 && status != SIGBUS && status != SIGSEGV)
      check_failed(__FILE__, __LINE__, "selector %d: status 0x%x", selector, (unsigned)status);
  }
  CHECK_INSTRUCTION(SIGBUS, "movw $0x08, %%ax; movw %%ax, %%ss");
  CHECK_INSTRUCTION(SIGBUS, "movw $0x10, %%ax; movw %%ax, %%ss");
  CHECK_INSTRUCTION(SIGBUS, "xorl %%eax, %%eax; movw %%ax, %%ss");
  // Far returns and interrupt returns to kernel selectors, to other rings and to places that are none.
  CHECK_INSTRUCTION(SIGBUS, "pushq $0x08; pushq $0x200000; lretq");
  CHECK_INSTRUCTION(SIGBUS, "pushq $0x10; pushq $0; pushq $2; pushq $0x08; pushq $0x200000; iretq");
  CHECK_INSTRUCTION(SIGBUS, "pushq $0; pushq $0; pushq $0x3202; pushq $0; pushq $0; iretq");
  check_unharmed();
}

TEST(null_and_kernel_addresses_are_read_written_and_jumped_to) {
  static const uint64_t low[] = {0, 8, 0xfff};
  for (size_t index = 0; index < nitems(low) + nitems(kernel_addresses); index++) {
    uint64_t address = index < nitems(low) ? low[index] : kernel_addresses[index - nitems(low)];
    CHECK_SIGNAL(SIGSEGV, (void)*(volatile char *)address);
    CHECK_SIGNAL(SIGSEGV, *(volatile char *)address = 1);
    CHECK_SIGNAL(SIGSEGV, ((void (*)(void))address)());
  }
  check_unharmed();
}

TEST(non_canonical_addresses) {
  static const uint64_t addresses[] = {0x800000000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffff7fffffffffff};
  for (size_t index = 0; index < nitems(addresses); index++) {
    uint64_t address = addresses[index];
    CHECK_SIGNAL(SIGBUS, (void)*(volatile char *)address);
    CHECK_SIGNAL(SIGBUS, *(volatile char *)address = 1);
    CHECK_SIGNAL(SIGBUS, __asm__ volatile("jmpq *%0" ::"r"(address)));
    CHECK_SIGNAL(SIGBUS, __asm__ volatile("pushq %0; retq" ::"r"(address)));
    CHECK_SIGNAL(SIGBUS, __asm__ volatile("movq %0, %%rsp; popq %%rax" ::"r"(address)));
    CHECK_SIGNAL(SIGBUS, __asm__ volatile("pushq $0x3b; pushq %0; pushq $2; pushq $0x43; pushq %0; iretq" ::"r"(address)));
  }
  check_unharmed();
}

// The system call instruction as the last of user space: the return address is the first of the kernel's.
TEST(a_system_call_returns_to_the_end_of_user_space) {
  unsigned char *page = mmap((void *)0x3ffffffff000, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_FIXED,
                             -1, 0);
  CHECK(page != MAP_FAILED);
  page[PAGE_SIZE - 2] = 0x0f;
  page[PAGE_SIZE - 1] = 0x05;
  CHECK_EQUAL(mprotect(page, PAGE_SIZE, PROT_READ | PROT_EXEC), 0);
  CHECK_SIGNAL(SIGSEGV, __asm__ volatile("jmpq *%0" ::"r"(page + PAGE_SIZE - 2), "a"(SYS_getpid)));
  CHECK_SIGNAL(SIGSEGV, __asm__ volatile("jmpq *%0" ::"r"(page + PAGE_SIZE - 2), "a"(SYS_sched_yield)));
  CHECK_SIGNAL(SIGSEGV, __asm__ volatile("jmpq *%0" ::"r"(page + PAGE_SIZE - 2), "a"(SYS_fork)));
  check_unharmed();
}

static const uint64_t bad_stacks[] = {0, 8, 0x1000, 0x400000000000, 0x7f8000000000, 0x7f8000100000, 0x7ffffffff000,
                                      0x800000000000, 0x8000000000000000, 0xffffffff80000000, 0xfffffffffffffff8};

TEST(a_bad_stack_pointer_in_a_system_call) {
  for (size_t index = 0; index < nitems(bad_stacks); index++) {
    uint64_t result, saved;
    __asm__ volatile("movq %%rsp, %1; movq %3, %%rsp; syscall; movq %1, %%rsp"
                     : "=a"(result), "=&r"(saved)
                     : "a"(SYS_getpid), "r"(bad_stacks[index])
                     : "rcx", "r11", "r8", "r9", "r10", "memory");
    CHECK_EQUAL(result, getpid());
    // Seven arguments: one is to come from the stack.
    uint64_t call = SYS___syscall, first = SYS_mmap;
    __asm__ volatile("movq %%rsp, %1; movq %3, %%rsp; syscall; movq %1, %%rsp"
                     : "+a"(call), "=&r"(saved), "+D"(first)
                     : "r"(bad_stacks[index]), "S"(0), "d"(4096)
                     : "rcx", "r11", "r8", "r9", "r10", "memory");
    CHECK_EQUAL(call, EFAULT);
  }
  check_unharmed();
}

TEST(a_bad_stack_pointer_when_an_interrupt_arrives) {
  for (size_t index = 0; index < nitems(bad_stacks); index++) {
    uint64_t saved;
    __asm__ volatile("movq %%rsp, %0; movq %1, %%rsp;" PASS_TIME "movq %0, %%rsp"
                     : "=&r"(saved)
                     : "r"(bad_stacks[index])
                     : "rax", "rcx", "rdx", "memory");
  }
  check_unharmed();
}

TEST(a_bad_stack_pointer_when_a_fault_arrives) {
  for (size_t index = 0; index < nitems(bad_stacks); index++) {
    uint64_t stack = bad_stacks[index];
    CHECK_SIGNAL(SIGILL, __asm__ volatile("movq %0, %%rsp; ud2" ::"r"(stack)));
    CHECK_SIGNAL(SIGTRAP, __asm__ volatile("movq %0, %%rsp; int3" ::"r"(stack)));
    CHECK_SIGNAL(SIGSEGV, __asm__ volatile("movq %0, %%rsp; movb $1, 0" ::"r"(stack)));
    CHECK_SIGNAL(SIGBUS, __asm__ volatile("movq %0, %%rsp; hlt" ::"r"(stack)));
  }
  check_unharmed();
}

TEST(arithmetic_faults) {
  CHECK_INSTRUCTION(SIGFPE, "xorl %%ecx, %%ecx; movl $1, %%eax; cltd; idivl %%ecx");
  CHECK_INSTRUCTION(SIGFPE, "movl $0x80000000, %%eax; cltd; movl $-1, %%ecx; idivl %%ecx");
  // An emulator may not raise what an unmasked SIMD exception asks for.
  int status = IN_CHILD({
    uint32_t unmasked = 0x1f80 & ~(1u << 9);
    volatile double zero = 0;
    __asm__ volatile("ldmxcsr %0" ::"m"(unmasked));
    zero = 1.0 / zero;
  });
  CHECK(status == 0 || status == SIGFPE);
  CHECK_SIGNAL(SIGFPE, {
    uint16_t unmasked = 0x37e;
    __asm__ volatile("fldcw %0; fld1; fchs; fsqrt; fwait" ::"m"(unmasked));
  });
  check_unharmed();
}

TEST(single_step_and_breakpoints) {
  CHECK_INSTRUCTION(SIGTRAP, "int3");
  CHECK_INSTRUCTION(SIGTRAP, "pushfq; orl $0x100, (%%rsp); popfq; nop; nop");
  // The trap flag over a system call, over a fault, and over the load of a stack segment, which delays it.
  CHECK_SIGNAL(SIGTRAP, __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; syscall; nop; nop" ::"a"(SYS_getpid) : "rcx"));
  CHECK_INSTRUCTION(SIGTRAP, "pushfq; orl $0x100, (%%rsp); movw %%ss, %%ax; popfq; movw %%ax, %%ss; nop; nop");
  int status = IN_CHILD(__asm__ volatile("movw %%ss, %%ax; pushfq; orl $0x100, (%%rsp); popfq; movw %%ax, %%ss; int3; nop" ::: "rax"));
  CHECK_EQUAL(status, SIGTRAP);
  status = IN_CHILD({
    __asm__ volatile("movw %%ss, %%bx; pushfq; orl $0x100, (%%rsp); popfq; movw %%bx, %%ss; syscall; nop"
                     :
                     : "a"(SYS_getpid)
                     : "rbx", "rcx", "r11", "r8", "r9", "r10", "memory");
  });
  CHECK_EQUAL(status, SIGTRAP);
  check_unharmed();
}

// Sets a flag, makes a call that copies both ways, waits for interrupts, faults in pages, and goes on.
static void with_flag(uint64_t flag) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, 4 * PAGE_SIZE), 0);
  volatile char *memory = mmap(NULL, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  static char text[64] = "something to be copied";
  uint64_t result, after;
  __asm__ volatile(
      "pushfq; orq %2, (%%rsp); popfq;" PASS_TIME
      "movb $1, (%3); movb $2, 4096(%3)\n"
      "movl $476, %%eax; movl $64, %%edx; xorl %%r10d, %%r10d; syscall\n"
      "pushfq; popq %1; pushq $2; popfq\n"
      : "=&a"(result), "=&r"(after)
      : "r"(flag), "r"(memory + PAGE_SIZE), "D"(descriptor), "S"(text)
      : "rcx", "rdx", "r11", "r8", "r9", "r10", "memory", "cc");
  CHECK_EQUAL(result, sizeof text);
  CHECK_EQUAL(after & flag, flag);
  CHECK(memory[PAGE_SIZE] == 1 && memory[2 * PAGE_SIZE] == 2);
  int status = IN_CHILD(__asm__ volatile("pushfq; orq %0, (%%rsp); popfq; ud2" ::"r"(flag)));
  CHECK_EQUAL(status, SIGILL);
  status = IN_CHILD(__asm__ volatile("pushfq; orq %0, (%%rsp); popfq; int3" ::"r"(flag)));
  CHECK_EQUAL(status, SIGTRAP);
}

TEST(alignment_check_flag) { with_flag(1 << 18); }
TEST(nested_task_flag) { with_flag(1 << 14); }
TEST(direction_flag) { with_flag(1 << 10); }

TEST(misaligned_access_with_alignment_checking) {
  int status = IN_CHILD({
    volatile char bytes[16] = "";
    __asm__ volatile("pushfq; orl $0x40000, (%%rsp); popfq; movl 1(%0), %%eax" ::"r"((uintptr_t)bytes & ~7UL) : "rax");
    __asm__ volatile("pushq $2; popfq");
  });
  if (status != 0 && status != SIGBUS) check_failed(__FILE__, __LINE__, "status 0x%x", (unsigned)status);
  check_unharmed();
}

TEST(privileged_flags_cannot_be_set) {
  uint64_t flags;
  __asm__ volatile("pushq $0x3202; popfq; pushfq; popq %0; pushq $0x2; popfq" : "=r"(flags));
  CHECK_EQUAL(flags & 0x3000, 0);
  __asm__ volatile("pushq $0; popfq; pushfq; popq %0" : "=r"(flags));
  CHECK_EQUAL(flags & 0x200, 0x200);
  check_unharmed();
}

TEST(a_killed_loop_leaves_its_parent_running) {
  pid_t child = fork();
  if (child == 0) __asm__ volatile("1: jmp 1b");
  usleep(30000);
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  check_signal(__FILE__, __LINE__, SIGKILL, check_wait(child));
  check_unharmed();
}

TEST(the_stack_overflows) {
  CHECK_SIGNAL(SIGSEGV, __asm__ volatile("1: pushq $0; jmp 1b"));
  check_unharmed();
}
