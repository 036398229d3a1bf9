// start_state_test: registers, stack and auxiliary vector at the first instruction (spec abi.md, section 13).

#include <elf.h>

#include "check.h"

// Filled in by _start below before anything else runs.
struct start_state {
  uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, flags;
  uint16_t control_word;
  uint16_t selectors[5];
  uint32_t mxcsr;
  uint8_t vectors[256] __attribute__((aligned(16)));
};
struct start_state start_state = {.rax = 1};
extern const char _start[];
extern uint64_t start_record;

__asm__(
    ".text\n .globl _start\n _start:\n"
    "movq %rax, start_state(%rip)\n movq %rbx, start_state+8(%rip)\n movq %rcx, start_state+16(%rip)\n"
    "movq %rdx, start_state+24(%rip)\n movq %rsi, start_state+32(%rip)\n movq %rdi, start_state+40(%rip)\n"
    "movq %rbp, start_state+48(%rip)\n movq %rsp, start_state+56(%rip)\n movq %r8, start_state+64(%rip)\n"
    "movq %r9, start_state+72(%rip)\n movq %r10, start_state+80(%rip)\n movq %r11, start_state+88(%rip)\n"
    "movq %r12, start_state+96(%rip)\n movq %r13, start_state+104(%rip)\n movq %r14, start_state+112(%rip)\n"
    "movq %r15, start_state+120(%rip)\n pushfq\n popq start_state+128(%rip)\n"
    "fnstcw start_state+136(%rip)\n"
    "movw %ds, start_state+138(%rip)\n movw %es, start_state+140(%rip)\n movw %fs, start_state+142(%rip)\n"
    "movw %gs, start_state+144(%rip)\n stmxcsr start_state+148(%rip)\n"
    "movups %xmm0, start_state+160(%rip)\n movups %xmm1, start_state+176(%rip)\n"
    "movups %xmm2, start_state+192(%rip)\n movups %xmm3, start_state+208(%rip)\n"
    "movups %xmm4, start_state+224(%rip)\n movups %xmm5, start_state+240(%rip)\n"
    "movups %xmm6, start_state+256(%rip)\n movups %xmm7, start_state+272(%rip)\n"
    "movups %xmm8, start_state+288(%rip)\n movups %xmm9, start_state+304(%rip)\n"
    "movups %xmm10, start_state+320(%rip)\n movups %xmm11, start_state+336(%rip)\n"
    "movups %xmm12, start_state+352(%rip)\n movups %xmm13, start_state+368(%rip)\n"
    "movups %xmm14, start_state+384(%rip)\n movups %xmm15, start_state+400(%rip)\n"
    "jmp start_c_program\n");

TEST(general_registers_are_zero) {
  CHECK_EQUAL(start_state.rax, 0);
  CHECK_EQUAL(start_state.rbx, 0);
  CHECK_EQUAL(start_state.rcx, 0);
  CHECK_EQUAL(start_state.rdx, 0);
  CHECK_EQUAL(start_state.rsi, 0);
  CHECK_EQUAL(start_state.rbp, 0);
  CHECK_EQUAL(start_state.r8, 0);
  CHECK_EQUAL(start_state.r9, 0);
  CHECK_EQUAL(start_state.r10, 0);
  CHECK_EQUAL(start_state.r11, 0);
  CHECK_EQUAL(start_state.r12, 0);
  CHECK_EQUAL(start_state.r13, 0);
  CHECK_EQUAL(start_state.r14, 0);
  CHECK_EQUAL(start_state.r15, 0);
}

TEST(flags_are_clean) { CHECK_EQUAL(start_state.flags, 0x202); }

TEST(floating_point_state_is_clean) {
  _Static_assert(offsetof(struct start_state, mxcsr) == 148 && offsetof(struct start_state, vectors) == 160, "");
  CHECK_EQUAL(start_state.control_word, 0x37f);
  CHECK_EQUAL(start_state.mxcsr, 0x1f80);
  for (size_t index = 0; index < sizeof start_state.vectors; index++) CHECK_EQUAL(start_state.vectors[index], 0);
}

TEST(the_stack_is_aligned_as_after_a_call) {
  CHECK_EQUAL(start_state.rsp % 16, 8);
  CHECK_EQUAL(start_state.rsp, ((start_state.rdi - 8) & ~15UL) + 8);
}

static Elf64_Auxinfo *auxiliary_vector(void) {
  char **variable = environ;
  while (*variable) variable++;
  return (Elf64_Auxinfo *)(variable + 1);
}

static uint64_t auxiliary(uint64_t type) {
  for (Elf64_Auxinfo *entry = auxiliary_vector(); entry->a_type != AT_NULL; entry++)
    if (entry->a_type == type) return entry->a_un.a_val;
  check_failed(__FILE__, __LINE__, "no auxiliary vector entry of type %lu", type);
}

TEST(arguments_lie_where_rdi_points) {
  CHECK_EQUAL(start_record, start_state.rdi);
  long *words = (long *)start_state.rdi;
  CHECK_EQUAL(words[0], check_argument_count);
  CHECK((char **)(words + 1) == check_arguments);
  CHECK(check_arguments[check_argument_count] == NULL);
  CHECK(check_argument_count >= 1);
  CHECK(strrchr(check_arguments[0], '_') != NULL);
}

TEST(auxiliary_vector_tells_about_the_program) {
  const Elf64_Phdr *headers = (const Elf64_Phdr *)auxiliary(AT_PHDR);
  CHECK_EQUAL(auxiliary(AT_PHENT), sizeof(Elf64_Phdr));
  int executable = 0;
  for (uint64_t index = 0; index < auxiliary(AT_PHNUM); index++)
    executable |= headers[index].p_type == PT_LOAD && headers[index].p_vaddr <= (uint64_t)_start &&
                  (uint64_t)_start < headers[index].p_vaddr + headers[index].p_memsz;
  CHECK(executable);
  CHECK_EQUAL(auxiliary(AT_PAGESZ), PAGE_SIZE);
  CHECK_EQUAL(auxiliary(AT_ENTRY), _start);
  CHECK_EQUAL(auxiliary(AT_BASE), 0);
  CHECK_EQUAL(auxiliary(AT_FLAGS), 0);
  CHECK_EQUAL(auxiliary(AT_OSRELDATE), 1500026);
  CHECK_EQUAL(auxiliary(AT_NCPUS), 1);
  CHECK_EQUAL(auxiliary(AT_STACKPROT), 3);
}

TEST(auxiliary_vector_points_at_strings_and_vectors) {
  CHECK_EQUAL(auxiliary(AT_CANARYLEN), 64);
  const unsigned char *canary = (const unsigned char *)auxiliary(AT_CANARY);
  int bits = 0;
  for (int index = 0; index < 64; index++) bits |= canary[index];
  CHECK(bits != 0);
  CHECK_EQUAL(*(const uint64_t *)auxiliary(AT_PAGESIZES), PAGE_SIZE);
  CHECK_EQUAL(auxiliary(AT_PAGESIZESLEN), 24);
  CHECK_EQUAL(auxiliary(AT_ARGC), check_argument_count);
  CHECK((char **)auxiliary(AT_ARGV) == check_arguments);
  CHECK((char **)auxiliary(AT_ENVV) == environ);
  const struct ps_strings *strings = (const struct ps_strings *)auxiliary(AT_PS_STRINGS);
  CHECK(strings->ps_argvstr == check_arguments && strings->ps_nargvstr == (uint32_t)check_argument_count);
  CHECK(strings->ps_envstr == environ && strings->ps_nenvstr == auxiliary(AT_ENVC));
  CHECK_EQUAL(auxiliary(AT_USRSTACKLIM), 8 << 20);
  CHECK((uint64_t)strings < auxiliary(AT_USRSTACKBASE) && start_state.rsp < (uint64_t)strings);
}

TEST(entries_stand_in_the_order_of_the_table) {
  static const unsigned char order[] = {3, 4, 5, 6, 8, 9, 7, 24, 15, 18, 16, 17, 19, 20, 21, 22, 23, 27,
                                        28, 29, 30, 31, 32, 33, 34, 35, 36};
  size_t place = 0;
  for (Elf64_Auxinfo *entry = auxiliary_vector(); entry->a_type != AT_NULL; entry++) {
    while (place < sizeof order && order[place] != entry->a_type) place++;
    if (place == sizeof order) check_failed(__FILE__, __LINE__, "type %lu is out of order", entry->a_type);
  }
}

TEST(memory_below_the_start_record_is_zero) {
  const char *bottom = (const char *)(start_state.rsp & ~(uint64_t)PAGE_MASK) - 64 * PAGE_SIZE;
  for (const char *byte = bottom; byte < bottom + 32 * PAGE_SIZE; byte += 8) CHECK_EQUAL(*(const long *)byte, 0);
}
