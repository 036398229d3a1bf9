# system_calls.S: one entry per system call. Success leaves the carry flag clear; failure sets it, with the error number
# in %rax, which goes to errno while the caller gets -1 (spec abi.md, section 2). A function of the same name that a program
# or the rest of the library defines stands in its place.

        .macro  entry name, number
        .section .text.\name, "ax", @progbits
        .weak   \name
        .type   \name, @function
        .p2align 4
\name:
        movl    $\number, %eax
        movq    %rcx, %r10
        syscall
        jc      failed
        retq
        .size   \name, . - \name
        .endm

        .text
        .type   failed, @function
failed:
        # Once threads have records errno is in them (library.h, struct pthread).
        cmpl    $0, threads_have_records(%rip)
        jne     1f
        movl    %eax, errno_value(%rip)
        jmp     2f
1:      movl    %eax, %fs:16
2:      movq    $-1, %rax
        movq    $-1, %rdx
        retq
        .size   failed, . - failed

        # syscall(number, ...): the number goes to %rax, the arguments move down by one; the sixth is on the stack.
        .globl  syscall
        .type   syscall, @function
syscall:
        movq    %rdi, %rax
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        movq    %rcx, %rdx
        movq    %r8, %r10
        movq    %r9, %r8
        movq    8(%rsp), %r9
        syscall
        jc      failed
        retq
        .size   syscall, . - syscall

        .globl  __error
        .type   __error, @function
__error:
        leaq    errno_value(%rip), %rax
        cmpl    $0, threads_have_records(%rip)
        je      1f
        movq    %fs:0, %rax
        addq    $16, %rax
1:      retq
        .size   __error, . - __error

        .bss
        .p2align 2
errno_value:
        .long   0

        # These have other names in C.
        entry   _exit, 1
        entry   __fork, 2
        entry   sysctl, 202
        # All that sys/syscall.h numbers (Programs/programs.mk makes the list).
#include "system_calls.list"

        .section .note.GNU-stack, "", @progbits
