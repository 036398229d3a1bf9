/* What the entry code, in assembly, shares with Swift: the processor record, the layout of a thread context, selectors.
   Included by the assembler too; everything but constants is hidden from it. */
#pragma once

/* Byte offsets in a thread context (64-aligned). */
#define CONTEXT_RAX 0
#define CONTEXT_RBX 8
#define CONTEXT_RCX 16
#define CONTEXT_RDX 24
#define CONTEXT_RSI 32
#define CONTEXT_RDI 40
#define CONTEXT_RBP 48
#define CONTEXT_RSP 56
#define CONTEXT_R8 64
#define CONTEXT_R9 72
#define CONTEXT_R10 80
#define CONTEXT_R11 88
#define CONTEXT_R12 96
#define CONTEXT_R13 104
#define CONTEXT_R14 112
#define CONTEXT_R15 120
#define CONTEXT_RIP 128
#define CONTEXT_RFLAGS 136
#define CONTEXT_FS_BASE 144
#define CONTEXT_GS_BASE 152
#define CONTEXT_RETURN_PATH 160
#define CONTEXT_FLOATING_POINT 256
#define CONTEXT_FLOATING_POINT_BYTE_COUNT 832

/* The ways out to ring 3. */
#define RETURN_BY_SYSRET 0
#define RETURN_BY_IRET 1

/* Byte offsets in the processor record. */
#define RECORD_CONTEXT 0
#define RECORD_KERNEL 8
#define RECORD_USER_STACK 16
#define RECORD_IS_IDLE 24
#define RECORD_HAS_BASE_INSTRUCTIONS 32
#define RECORD_DISPATCHER 40
#define RECORD_SYSTEM_CALL 48
#define RECORD_RESUME 56
#define RECORD_TRAP 64
#define RECORD_THREAD 72
#define RECORD_PROCESS 80

/* What `is_idle` says to `wait_for_interrupt`: interrupts that are pending are answered, but none is waited for. */
#define IDLE_WITHOUT_WAITING 2

/* Segment selectors; those of ring 3 have FreeBSD's values. */
#define SELECTOR_KERNEL_CODE 0x20
#define SELECTOR_KERNEL_DATA 0x28
#define SELECTOR_SYSRET_BASE 0x33
#define SELECTOR_USER_DATA 0x3B
#define SELECTOR_USER_CODE 0x43
#define SELECTOR_TASK 0x48

/* The flags that a program may have; everything else is forced (interrupts on, I/O privilege 0). */
#define RFLAGS_USER_MASK 0x254DD5
#define RFLAGS_ALWAYS 0x202

/* User space ends at 2^46. */
#define USER_SPACE_BITS 46

/* Vectors of the machine's own interrupts. */
#define VECTOR_LEGACY_BASE 0x20
#define VECTOR_TIMER 0x30
#define VECTOR_SPURIOUS 0xFF

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

/* Without the attribute the optimiser leaves calls of two instructions. */
#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif

/* The state of the one processor, at a fixed address. */
struct processor_record {
  uint64_t context;    /* the current thread's context, in the direct map; 0 while there is none */
  uint64_t kernel;     /* the object that answers system calls */
  uint64_t user_stack; /* holds the user's stack pointer for the length of a few instructions */
  uint64_t is_idle;    /* 1: the processor waits in `wait_for_interrupt`; an interrupt drops that frame. 2: it is not to wait */
  uint64_t has_base_instructions; /* RDFSBASE and its kin are on, so programs may change their bases themselves */
  uint64_t dispatcher; /* the object that answers everything else */
  /* The functions that the entry code calls, of Events.swift and the kernel itself: the plain ones, or those of a kernel that is watched. */
  uint64_t system_call;
  uint64_t resume;
  uint64_t trap;
  /* The current thread and its process, which the entry code hands along with a system call. */
  uint64_t thread;
  uint64_t process;
};

_Static_assert(offsetof(struct processor_record, context) == RECORD_CONTEXT, "shared with Entry.S");
_Static_assert(offsetof(struct processor_record, kernel) == RECORD_KERNEL, "shared with Entry.S");
_Static_assert(offsetof(struct processor_record, user_stack) == RECORD_USER_STACK, "shared with Entry.S");
_Static_assert(offsetof(struct processor_record, is_idle) == RECORD_IS_IDLE, "shared with Entry.S");
_Static_assert(offsetof(struct processor_record, has_base_instructions) == RECORD_HAS_BASE_INSTRUCTIONS, "see Entry.S");
_Static_assert(offsetof(struct processor_record, dispatcher) == RECORD_DISPATCHER, "shared with Entry.S");
_Static_assert(offsetof(struct processor_record, system_call) == RECORD_SYSTEM_CALL, "shared with Entry.S");
_Static_assert(offsetof(struct processor_record, resume) == RECORD_RESUME, "shared with Entry.S");
_Static_assert(offsetof(struct processor_record, trap) == RECORD_TRAP, "shared with Entry.S");
_Static_assert(offsetof(struct processor_record, thread) == RECORD_THREAD, "shared with Entry.S");
_Static_assert(offsetof(struct processor_record, process) == RECORD_PROCESS, "shared with Entry.S");

extern struct processor_record processor_record;

INLINE uint64_t current_context(void) { return processor_record.context; }
INLINE void set_current_context(uint64_t address) { processor_record.context = address; }
INLINE void set_current_thread(uint64_t thread, uint64_t process) {
  processor_record.thread = thread;
  processor_record.process = process;
}
/* Events.swift and Kernel.swift, in Swift's calling convention; named here for their addresses only. */
extern char kernel_system_call[], machine_resume[], machine_trap[];
extern char machine_monitored_system_call[], machine_monitored_resume[], machine_monitored_trap[];
INLINE void set_event_objects(uint64_t kernel, uint64_t dispatcher, int monitored) {
  processor_record.kernel = kernel;
  processor_record.dispatcher = dispatcher;
  processor_record.system_call = (uint64_t)(monitored ? machine_monitored_system_call : kernel_system_call);
  processor_record.resume = (uint64_t)(monitored ? machine_monitored_resume : machine_resume);
  processor_record.trap = (uint64_t)(monitored ? machine_monitored_trap : machine_trap);
}
INLINE void answer_interrupts_only(void) { processor_record.is_idle = IDLE_WITHOUT_WAITING; }
INLINE void set_has_base_instructions(void) { processor_record.has_base_instructions = 1; }

/* The registers of interrupted kernel code (or of a program, at a machine check), as Entry.S pushes them. */
struct trap_frame {
  uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
  uint64_t vector, error_code, rip, cs, rflags, rsp, ss;
};

INLINE uint64_t context_word(uint64_t context, uint64_t offset) { return *(volatile uint64_t *)(context + offset); }

/* Tables that the processor reads. */
#define DESCRIPTOR_COUNT 11
extern const uint64_t clean_floating_point_area[CONTEXT_FLOATING_POINT_BYTE_COUNT / 8];
INLINE uint64_t clean_floating_point_address(void) { return (uint64_t)clean_floating_point_area; }
extern uint64_t global_descriptors[DESCRIPTOR_COUNT];
extern uint8_t task_state[104];
extern uint64_t interrupt_descriptors[512];
INLINE uint64_t global_descriptors_address(void) { return (uint64_t)global_descriptors; }
INLINE uint64_t task_state_address(void) { return (uint64_t)task_state; }
INLINE uint64_t interrupt_descriptors_address(void) { return (uint64_t)interrupt_descriptors; }

/* Entry.S. The stubs of the 256 vectors stand `TRAP_STUB_STRIDE` bytes apart. */
void system_call_entry(void);
void system_call_entry_with_bases(void);
extern char trap_stubs[];
INLINE uint64_t system_call_entry_address(int stores_bases) {
  return (uint64_t)(stores_bases ? system_call_entry_with_bases : system_call_entry);
}
INLINE uint64_t trap_stubs_address(void) { return (uint64_t)trap_stubs; }
void load_code_segment(void);
/* Leaves for whatever runs next; the stack begins anew. */
_Noreturn void resume(void);

/* Gives the data segments the selector that programs start with, and sets the bases of fs and gs. */
INLINE uint16_t selector_of(int segment) {
  uint16_t value;
  switch (segment) {
    case 0: __asm__ volatile("mov %%ds, %0" : "=r"(value)); break;
    case 1: __asm__ volatile("mov %%es, %0" : "=r"(value)); break;
    case 2: __asm__ volatile("mov %%fs, %0" : "=r"(value)); break;
    default: __asm__ volatile("mov %%gs, %0" : "=r"(value)); break;
  }
  return value;
}

INLINE void reset_data_segments(void) {
  uint16_t selector = SELECTOR_USER_DATA;
  if (selector_of(0) != selector) __asm__ volatile("mov %0, %%ds" : : "r"(selector));
  if (selector_of(1) != selector) __asm__ volatile("mov %0, %%es" : : "r"(selector));
  if (selector_of(2) != selector) __asm__ volatile("mov %0, %%fs" : : "r"(selector));
  if (selector_of(3) != selector) __asm__ volatile("mov %0, %%gs" : : "r"(selector));
}

INLINE void load_bases_by_instruction(uint64_t fs, uint64_t gs) {
  __asm__ volatile("wrfsbase %0; wrgsbase %1" : : "r"(fs), "r"(gs));
}
#endif

#define TRAP_STUB_STRIDE 16
