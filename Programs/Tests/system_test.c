// system_test: what sysctl(3) tells (issue 2's list), unknown calls, and the results that calls leave in registers
// (spec abi.md, sections 2 and 17).

#include "check.h"

static void check_text(const char *name, const char *expected) {
  char text[256];
  size_t length = sizeof text;
  CHECK_EQUAL(sysctlbyname(name, text, &length, NULL, 0), 0);
  CHECK_EQUAL(text[length - 1], 0);
  CHECK_EQUAL(strlen(text), length - 1);
  if (expected && strcmp(text, expected) != 0) check_failed(__FILE__, __LINE__, "%s is \"%s\"", name, text);
}

TEST(sysctl_numbers) {
  check_text("kern.ostype", NULL);
  check_text("kern.osrelease", NULL);
  CHECK_EQUAL(check_sysctl("kern.osreldate"), 1500026);
  CHECK_EQUAL(check_sysctl("hw.pagesize"), PAGE_SIZE);
  CHECK_EQUAL(check_sysctl("hw.ncpu"), 1);
  CHECK_EQUAL(check_sysctl("kern.features.posix_shm"), 1);
  CHECK_EQUAL(check_sysctl("kern.signosys"), 1);
  CHECK_EQUAL(check_sysctl("vm.overcommit"), 0);
  uint64_t pages = check_sysctl("vm.stats.vm.v_page_count"), unused = check_sysctl("vm.stats.vm.v_free_count");
  CHECK(unused > 1000 && unused < pages);
  CHECK(check_sysctl("hw.physmem") >= pages * PAGE_SIZE);
  check_sysctl("vm.stats.vm.v_swappgsin");
  check_sysctl("vm.stats.vm.v_swappgsout");
  check_sysctl("vm.swap_total");
}

TEST(sysctl_counts_what_happens) {
  uint64_t files = check_sysctl("kern.openfiles"), reserved = check_sysctl("vm.swap_reserved");
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(check_sysctl("kern.openfiles"), files + 1);
  CHECK_EQUAL(check_sysctl("vm.swap_reserved"), reserved);
  CHECK_EQUAL(ftruncate(descriptor, 10 * PAGE_SIZE), 0);
  CHECK_EQUAL(check_sysctl("vm.swap_reserved"), reserved + 10 * PAGE_SIZE);
  uint64_t unused = check_sysctl("vm.stats.vm.v_free_count");
  volatile char *memory = mmap(NULL, 10 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  for (int page = 0; page < 10; page++) memory[page * PAGE_SIZE] = 1;
  CHECK(check_sysctl("vm.stats.vm.v_free_count") <= unused - 10);
  CHECK_EQUAL(close(descriptor), 0);
  CHECK_EQUAL(check_sysctl("kern.openfiles"), files);
  CHECK_EQUAL(munmap((void *)memory, 10 * PAGE_SIZE), 0);
  CHECK_EQUAL(check_sysctl("vm.swap_reserved"), reserved);
}

TEST(sysctl_by_number) {
  int name[CTL_MAXNAME] = {CTL_HW, HW_PAGESIZE};
  int value = 0;
  size_t length = sizeof value;
  CHECK_EQUAL(sysctl(name, 2, &value, &length, NULL, 0), 0);
  CHECK_EQUAL(value, PAGE_SIZE);
  size_t count = CTL_MAXNAME;
  CHECK_EQUAL(sysctlnametomib("kern.osreldate", name, &count), 0);
  CHECK(count == 2 && name[0] == CTL_KERN && name[1] == KERN_OSRELDATE);
  count = CTL_MAXNAME;
  CHECK_EQUAL(sysctlnametomib("vm.stats.vm.v_free_count", name, &count), 0);
  length = sizeof value;
  CHECK_EQUAL(sysctl(name, (u_int)count, &value, &length, NULL, 0), 0);
  CHECK(value > 0);
}

TEST(sysctl_errors) {
  int value = 0;
  size_t length = sizeof value;
  CHECK_ERRNO(ENOENT, sysctlbyname("kern.nothing", &value, &length, NULL, 0));
  length = 2;
  CHECK_ERRNO(ENOMEM, sysctlbyname("hw.pagesize", &value, &length, NULL, 0));
  length = 0;
  CHECK_EQUAL(sysctlbyname("hw.pagesize", NULL, &length, NULL, 0), 0);
  CHECK_EQUAL(length, 4);
  length = sizeof value;
  CHECK_ERRNO(EFAULT, sysctlbyname("hw.pagesize", (void *)8, &length, NULL, 0));
  CHECK_ERRNO(EFAULT, sysctlbyname("hw.pagesize", &value, (size_t *)8, NULL, 0));
  CHECK_ERRNO(EFAULT, syscall(SYS___sysctlbyname, 8, 11, &value, &length, NULL, 0));
  CHECK_ERRNO(EPERM, sysctlbyname("hw.pagesize", NULL, NULL, &value, sizeof value));
}

TEST(unknown_calls_are_bad_system_calls) {
  CHECK_SIGNAL(SIGSYS, syscall(599));
  CHECK_SIGNAL(SIGSYS, syscall(-1));
  CHECK_SIGNAL(SIGSYS, syscall(1L << 20));
  CHECK_SIGNAL(SIGSYS, syscall(0, 599));
}

TEST(indirect_calls) {
  CHECK_EQUAL(syscall(SYS_syscall, SYS_getpid), getpid());
  CHECK_EQUAL(syscall(SYS___syscall, SYS_getpid), getpid());
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(syscall(SYS_syscall, SYS_ftruncate, descriptor, 77L), 0);
  CHECK_EQUAL(syscall(SYS___syscall, SYS_lseek, descriptor, 0L, SEEK_END), 77);
  // mmap has six arguments: through __syscall the sixth comes from the stack.
  char *memory;
  register long r10 __asm__("r10") = PROT_READ;
  register long r8 __asm__("r8") = MAP_SHARED;
  register long r9 __asm__("r9") = descriptor;
  __asm__ volatile("pushq $4096; pushq $0; syscall; leaq 16(%%rsp), %%rsp"
                   : "=a"(memory), "+r"(r10), "+r"(r8), "+r"(r9)
                   : "a"(SYS___syscall), "D"(SYS_mmap), "S"(0), "d"(PAGE_SIZE)
                   : "rcx", "r11", "memory");
  CHECK((uintptr_t)memory > PAGE_SIZE && (uintptr_t)memory % PAGE_SIZE == 0);
}

// What stands in the registers after a call, in the order that record_call stores it.
struct registers {
  uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, flags;
};
void record_call(struct registers *result, uint64_t number, uint64_t first);
extern const char after_record_call[];
__asm__(
    ".text\n record_call:\n"
    "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n pushq %rdi\n"
    "movq %rsi, %rax\n movq %rdx, %rdi\n"
    "movl $0xb, %ebx\n movl $0xc, %ecx\n movl $0xd, %edx\n movl $0x51, %esi\n movl $0xb9, %ebp\n"
    "movl $0x8, %r8d\n movl $0x9, %r9d\n movl $0x10, %r10d\n movl $0x11, %r11d\n movl $0x12, %r12d\n"
    "movl $0x13, %r13d\n movl $0x14, %r14d\n movl $0x15, %r15d\n"
    "syscall\n after_record_call:\n"
    "pushfq\n xchgq %rax, 8(%rsp)\n"
    "movq %rbx, 8(%rax)\n movq %rcx, 16(%rax)\n movq %rdx, 24(%rax)\n movq %rsi, 32(%rax)\n movq %rdi, 40(%rax)\n"
    "movq %rbp, 48(%rax)\n movq %r8, 56(%rax)\n movq %r9, 64(%rax)\n movq %r10, 72(%rax)\n movq %r11, 80(%rax)\n"
    "movq %r12, 88(%rax)\n movq %r13, 96(%rax)\n movq %r14, 104(%rax)\n movq %r15, 112(%rax)\n"
    "popq 120(%rax)\n popq 0(%rax)\n"
    "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n retq\n");

static void check_registers(uint64_t number, uint64_t first, uint64_t expected, int failed) {
  struct registers registers;
  record_call(&registers, number, first);
  CHECK_EQUAL(registers.rax, expected);
  CHECK_EQUAL(registers.flags & 1, failed);
  CHECK_EQUAL(registers.rcx, after_record_call);
  CHECK_EQUAL(registers.r11 & ~1UL, registers.flags & ~1UL);
  CHECK_EQUAL(registers.r8 | registers.r9 | registers.r10, 0);
  CHECK_EQUAL(registers.rdx, 0xd);
  CHECK_EQUAL(registers.rsi, 0x51);
  CHECK_EQUAL(registers.rdi, first);
  CHECK(registers.rbx == 0xb && registers.rbp == 0xb9 && registers.r12 == 0x12 && registers.r13 == 0x13);
  CHECK(registers.r14 == 0x14 && registers.r15 == 0x15);
}

TEST(registers_after_a_call) {
  check_registers(SYS_getpid, 0, (uint64_t)getpid(), 0);
  check_registers(SYS_close, 999, EBADF, 1);
  check_registers(SYS_shm_unlink, 8, EFAULT, 1);
  check_registers(SYS_sched_yield, 0, 0, 0);
}

TEST(registers_after_fork) {
  struct registers registers;
  record_call(&registers, SYS_fork, 0);
  CHECK_EQUAL(registers.flags & 1, 0);
  CHECK(registers.rbx == 0xb && registers.rbp == 0xb9 && registers.r12 == 0x12 && registers.r15 == 0x15);
  CHECK_EQUAL(registers.r8 | registers.r9 | registers.r10, 0);
  if (registers.rax == 0) {
    CHECK_EQUAL(registers.rdx, 1);
    _exit(0);
  }
  CHECK_EQUAL(registers.rdx, 0);
  check_exit(__FILE__, __LINE__, 0, check_wait((pid_t)registers.rax));
}
