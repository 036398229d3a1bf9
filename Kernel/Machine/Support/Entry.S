// The ways into the kernel and out of it.
//
// Invariants
// - In ring 3 the processor record's `context` is the current thread's context. Every way in stores the user's registers
//   there and nowhere else, and goes on at the top of the one kernel stack. So events nest in nothing: when Swift has
//   answered one, this code leaves by the current context, which need not be the one it came from.
// - The kernel runs with interrupts off. They are on in ring 3 and in `wait_for_interrupt`, whose frame an
//   interrupt simply drops.
// - Flags on entry: `syscall` clears IF, TF, DF, AC and NT by its mask; the gates' stubs load clean flags (`push 2; popfq`
//   is cld, clac and the rest at once, on processors without clac too).
// - No swapgs: the record has a fixed address. #DB, NMI, #DF and #MC arrive on stacks of their own (Linker/kernel.ld).
// - Swift is called in its own convention: a method's `self` in r13, which it may change; rbx, r12, r14 and r15 it keeps.
// - `sysret` is used only to addresses up to 2^46, so it cannot fault in ring 0 (Intel SDM volume 2, SYSRET): a call that goes
//   on at once goes on behind its instruction, or has set the return path together with the address.

#include "ProcessorRecord.h"

.intel_syntax noprefix
.section .text.entry, "ax"

.macro procedure name
  .globl \name
  .hidden \name
  .type \name, @function
  .balign 16
\name:
.endm

// Stores what a program may have changed with WRFSBASE or WRGSBASE. In: \context. Changes \scratch.
.macro store_bases context, scratch
  rdfsbase \scratch
  mov [\context + CONTEXT_FS_BASE], \scratch
  rdgsbase \scratch
  mov [\context + CONTEXT_GS_BASE], \scratch
.endm

// syscall: rcx is the return address, r11 the flags; the stack pointer is still the program's, whatever it may be. There are
// two of them, for processors with and without the instructions that change the bases.
.macro system_call_procedure name, stores_bases
procedure \name
  mov [rip + processor_record + RECORD_USER_STACK], rsp
  mov rsp, [rip + processor_record + RECORD_CONTEXT]
  mov [rsp + CONTEXT_RIP], rcx
  mov [rsp + CONTEXT_RFLAGS], r11
  mov rcx, [rip + processor_record + RECORD_USER_STACK]
  mov [rsp + CONTEXT_RSP], rcx
  mov [rsp + CONTEXT_RAX], rax
  mov [rsp + CONTEXT_RBX], rbx
  mov [rsp + CONTEXT_RDX], rdx
  mov [rsp + CONTEXT_RSI], rsi
  mov [rsp + CONTEXT_RDI], rdi
  mov [rsp + CONTEXT_RBP], rbp
  mov [rsp + CONTEXT_R8], r8
  mov [rsp + CONTEXT_R9], r9
  mov [rsp + CONTEXT_R10], r10
  mov [rsp + CONTEXT_R12], r12
  mov [rsp + CONTEXT_R13], r13
  mov [rsp + CONTEXT_R14], r14
  mov [rsp + CONTEXT_R15], r15
  mov dword ptr [rsp + CONTEXT_RETURN_PATH], RETURN_BY_SYSRET
  .if \stores_bases
  store_bases rsp, rcx
  .endif
  mov r13, [rip + processor_record + RECORD_KERNEL]
  mov rdi, [rip + processor_record + RECORD_THREAD]
  mov rsi, [rip + processor_record + RECORD_PROCESS]
  lea rsp, [rip + kernel_stack_top]
  xor ebp, ebp
  call [rip + processor_record + RECORD_SYSTEM_CALL]
  test al, al
  jz resume
  // The same thread goes on: what the call has kept is still the thread's own, unless it has set every register.
  mov rsp, [rip + processor_record + RECORD_CONTEXT]
  cmp dword ptr [rsp + CONTEXT_RETURN_PATH], RETURN_BY_SYSRET
  .if \stores_bases
  jne resume_all_of_call
  .else
  // A base may be another than the context says.
  jne resume
  .endif
  mov rcx, [rsp + CONTEXT_RIP]
  mov r13, [rsp + CONTEXT_R13]
  mov rbp, [rsp + CONTEXT_RBP]
  jmp .Lsysret
.endm

system_call_procedure system_call_entry, 0
system_call_procedure system_call_entry_with_bases, 1

// Decides what runs next and goes there.
procedure resume
  lea rsp, [rip + kernel_stack_top]
  xor ebp, ebp
  mov r13, [rip + processor_record + RECORD_DISPATCHER]
  call [rip + processor_record + RECORD_RESUME]
  test al, al
  jz wait_for_interrupt
  mov rsp, [rip + processor_record + RECORD_CONTEXT]
  cmp dword ptr [rsp + CONTEXT_RETURN_PATH], RETURN_BY_SYSRET
  jne resume_all
  mov rcx, [rsp + CONTEXT_RIP]
  mov r8, rcx
  shr r8, USER_SPACE_BITS
  jnz resume_all
  mov rbx, [rsp + CONTEXT_RBX]
  mov rbp, [rsp + CONTEXT_RBP]
  mov r12, [rsp + CONTEXT_R12]
  mov r13, [rsp + CONTEXT_R13]
  mov r14, [rsp + CONTEXT_R14]
  mov r15, [rsp + CONTEXT_R15]
// The end of a system call: rcx is the return address, checked; r8, r9 and r10 come back zero (spec abi.md section 2).
.Lsysret:
  mov r11, [rsp + CONTEXT_RFLAGS]
  and r11, RFLAGS_USER_MASK
  or r11, RFLAGS_ALWAYS
  mov rax, [rsp + CONTEXT_RAX]
  mov rdx, [rsp + CONTEXT_RDX]
  mov rsi, [rsp + CONTEXT_RSI]
  mov rdi, [rsp + CONTEXT_RDI]
  xor r8d, r8d
  xor r9d, r9d
  xor r10d, r10d
  mov rsp, [rsp + CONTEXT_RSP]
  sysretq

// A call of the thread itself has set every register but the bases, which are loaded; the address is one of ring 3. What the
// program has in the data segments is its own, and a handler's are the usual ones.
procedure resume_all_of_call
  mov eax, SELECTOR_USER_DATA
  mov ds, eax
  mov es, eax

// Everything from the context at rsp. Swift has checked that the address is canonical (`machine_resume`).
procedure resume_all
  mov rax, rsp
  lea rsp, [rip + kernel_stack_top]
  push SELECTOR_USER_DATA
  push [rax + CONTEXT_RSP]
  mov rcx, [rax + CONTEXT_RFLAGS]
  and rcx, RFLAGS_USER_MASK
  or rcx, RFLAGS_ALWAYS
  push rcx
  push SELECTOR_USER_CODE
  push [rax + CONTEXT_RIP]
  mov rbx, [rax + CONTEXT_RBX]
  mov rcx, [rax + CONTEXT_RCX]
  mov rdx, [rax + CONTEXT_RDX]
  mov rsi, [rax + CONTEXT_RSI]
  mov rdi, [rax + CONTEXT_RDI]
  mov rbp, [rax + CONTEXT_RBP]
  mov r8, [rax + CONTEXT_R8]
  mov r9, [rax + CONTEXT_R9]
  mov r10, [rax + CONTEXT_R10]
  mov r11, [rax + CONTEXT_R11]
  mov r12, [rax + CONTEXT_R12]
  mov r13, [rax + CONTEXT_R13]
  mov r14, [rax + CONTEXT_R14]
  mov r15, [rax + CONTEXT_R15]
  mov rax, [rax + CONTEXT_RAX]
  iretq

// Nothing can run: an interrupt comes back through `trap`, which drops this frame.
procedure wait_for_interrupt
  lea rsp, [rip + kernel_stack_top]
  cmp dword ptr [rip + processor_record + RECORD_IS_IDLE], IDLE_WITHOUT_WAITING
  mov dword ptr [rip + processor_record + RECORD_IS_IDLE], 1
  je 1f
  sti
0:
  hlt
  jmp 0b
// Work goes on at once unless an interrupt is pending. `sti` takes effect behind the instruction that follows it.
1:
  sti
  nop
  nop
  cli
  mov dword ptr [rip + processor_record + RECORD_IS_IDLE], 0
  jmp resume

// All vectors. On the stack: vector, error code (0 where the processor pushes none), rip, cs, rflags, rsp, ss.
procedure trap
  test byte ptr [rsp + 24], 3
  jz .Lfrom_kernel
  push 2
  popfq
  push rax
  mov rax, [rip + processor_record + RECORD_CONTEXT]
  mov [rax + CONTEXT_RBX], rbx
  mov [rax + CONTEXT_RCX], rcx
  mov [rax + CONTEXT_RDX], rdx
  mov [rax + CONTEXT_RSI], rsi
  mov [rax + CONTEXT_RDI], rdi
  mov [rax + CONTEXT_RBP], rbp
  mov [rax + CONTEXT_R8], r8
  mov [rax + CONTEXT_R9], r9
  mov [rax + CONTEXT_R10], r10
  mov [rax + CONTEXT_R11], r11
  mov [rax + CONTEXT_R12], r12
  mov [rax + CONTEXT_R13], r13
  mov [rax + CONTEXT_R14], r14
  mov [rax + CONTEXT_R15], r15
  pop [rax + CONTEXT_RAX]
  pop rdi                               // the vector
  pop rsi                               // the error code
  pop [rax + CONTEXT_RIP]
  pop rcx                               // cs: ring 3's
  pop [rax + CONTEXT_RFLAGS]
  pop [rax + CONTEXT_RSP]
  mov dword ptr [rax + CONTEXT_RETURN_PATH], RETURN_BY_IRET
  cmp dword ptr [rip + processor_record + RECORD_HAS_BASE_INSTRUCTIONS], 0
  je .Lanswer
  store_bases rax, rcx
.Lanswer:
  lea rsp, [rip + kernel_stack_top]
  xor ebp, ebp
  mov r13, [rip + processor_record + RECORD_DISPATCHER]
  call [rip + processor_record + RECORD_TRAP]
  test al, al
  jz resume
  // The same thread goes on with the registers in its context.
  mov rsp, [rip + processor_record + RECORD_CONTEXT]
  jmp resume_all

.Lfrom_kernel:
  cmp dword ptr [rsp], 32
  jb .Lfault
  cmp dword ptr [rip + processor_record + RECORD_IS_IDLE], 0
  je .Lfault
  mov dword ptr [rip + processor_record + RECORD_IS_IDLE], 0
  mov rdi, [rsp]
  xor esi, esi
  jmp .Lanswer

// A fault of the kernel itself, or a trap flag that slipped in: a single step in the kernel is switched off and forgotten.
.Lfault:
  cmp dword ptr [rsp], 1
  je .Lstep
// NMI, double fault and machine check come here from ring 3 too.
procedure panic_trap
  push rax
  push rbx
  push rcx
  push rdx
  push rsi
  push rdi
  push rbp
  push r8
  push r9
  push r10
  push r11
  push r12
  push r13
  push r14
  push r15
  push 2
  popfq
  mov rdi, rsp
  and rsp, -16
  call machine_panic_trap
  ud2
.Lstep:
  and dword ptr [rsp + 32], ~0x100      // TF of the saved flags
  push rax
  xor eax, eax
  mov dr6, rax
  pop rax
  add rsp, 16
  iretq

// One stub for each vector.
.globl trap_stubs
.hidden trap_stubs
.balign TRAP_STUB_STRIDE
trap_stubs:
.set vector, 0
.rept 256
  .balign TRAP_STUB_STRIDE
  .if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
  push 0
  .endif
  push vector
  .if vector == 2 || vector == 8 || vector == 18
  jmp panic_trap
  .else
  jmp trap
  .endif
  .set vector, vector + 1
.endr

// Loads the kernel's code and data selectors after the descriptor table was exchanged.
procedure load_code_segment
  mov eax, SELECTOR_KERNEL_DATA
  mov ss, eax
  xor eax, eax
  mov ds, eax
  mov es, eax
  mov fs, eax
  mov gs, eax
  pop rax
  push SELECTOR_KERNEL_CODE
  push rax
  retfq
