# start.S: where a C program begins. The kernel enters with %rdi pointing at argc (spec abi.md, section 13) and %rsp as
# after a call. The note tells the kernel which release of the interface the program was built for.

        .section .note.tag, "a", @note
        .p2align 2
        .long 8, 4, 1
        .asciz "FreeBSD"
        .long 1500026

        .text
        .weak   _start                          # a test of the start state has its own and goes on here
        .globl  start_c_program
        .type   start_c_program, @function
_start:
start_c_program:
        xorl    %ebp, %ebp
        movq    %rdi, start_record(%rip)
        movq    %rdi, %rax
        movq    (%rax), %rdi                    # argc
        leaq    8(%rax), %rsi                   # argv
        leaq    16(%rax,%rdi,8), %rdx           # envp, behind the NULL of argv
        movq    %rdx, environ(%rip)
        andq    $-16, %rsp
        # What has to run before main: thread-local variables, the constructors of C++, and functions that ask for it.
        movq    %rdi, %r12
        movq    %rsi, %r13
        movq    %rdx, %r14
        callq   prepare_thread_storage
        leaq    __init_array_start(%rip), %rbx
.Linitialize:
        leaq    __init_array_end(%rip), %rax
        cmpq    %rax, %rbx
        jae     .Linitialized
        callq   *(%rbx)
        addq    $8, %rbx
        jmp     .Linitialize
.Linitialized:
        movq    %r12, %rdi
        movq    %r13, %rsi
        movq    %r14, %rdx
        callq   main
        movl    %eax, %edi
        callq   exit
        ud2
        .size   start_c_program, . - start_c_program

        .bss
        .globl  environ
        .p2align 3
environ:
        .quad   0
        .globl  start_record
start_record:
        .quad   0

        .section .note.GNU-stack, "", @progbits
