# setjmp.S: keeping the place where a function is, and going back to it (setjmp.h).

        .set    SYS_sigprocmask, 340
        .set    SIG_SETMASK, 3

        .text
        .globl  setjmp, _setjmp, sigsetjmp, longjmp, _longjmp, siglongjmp
        .type   setjmp, @function
        .type   _setjmp, @function
        .type   sigsetjmp, @function
        .type   longjmp, @function
        .type   _longjmp, @function
        .type   siglongjmp, @function
        .p2align 4
setjmp:
        movl    $1, %esi
sigsetjmp:
        movq    $0, 88(%rdi)
        testl   %esi, %esi
        jz      .Lkeep
        # The mask lies in two words; behind it stands that it is there.
        movq    %rdi, %r9
        leaq    72(%rdi), %rdx
        xorl    %esi, %esi
        movl    $SIG_SETMASK, %edi
        pushq   %r9
        movl    $SYS_sigprocmask, %eax
        syscall
        popq    %rdi
        movq    $1, 88(%rdi)
        jmp     .Lkeep
_setjmp:
        movq    $0, 88(%rdi)
.Lkeep:
        movq    (%rsp), %rax
        movq    %rax, 0(%rdi)
        movq    %rbx, 8(%rdi)
        movq    %rsp, 16(%rdi)
        movq    %rbp, 24(%rdi)
        movq    %r12, 32(%rdi)
        movq    %r13, 40(%rdi)
        movq    %r14, 48(%rdi)
        movq    %r15, 56(%rdi)
        fnstcw  64(%rdi)
        stmxcsr 68(%rdi)
        xorl    %eax, %eax
        retq

        .p2align 4
longjmp:
_longjmp:
siglongjmp:
        movl    %esi, %ebx                      # it is restored below, from what was kept
        movq    %rdi, %rbp
        cmpq    $0, 88(%rdi)
        je      .Lrestore
        leaq    72(%rdi), %rsi
        xorl    %edx, %edx
        movl    $SIG_SETMASK, %edi
        movl    $SYS_sigprocmask, %eax
        syscall
.Lrestore:
        movl    %ebx, %eax
        movq    %rbp, %rdi
        testl   %eax, %eax
        jnz     .Lvalue
        movl    $1, %eax                        # setjmp gives 0 itself only
.Lvalue:
        fnclex
        fldcw   64(%rdi)
        # The flags of the exceptions that happened stay.
        stmxcsr -4(%rsp)
        movl    68(%rdi), %edx
        andl    $0x3f, -4(%rsp)
        andl    $~0x3f, %edx
        orl     %edx, -4(%rsp)
        ldmxcsr -4(%rsp)
        movq    0(%rdi), %rcx
        movq    8(%rdi), %rbx
        movq    16(%rdi), %rsp
        movq    24(%rdi), %rbp
        movq    32(%rdi), %r12
        movq    40(%rdi), %r13
        movq    48(%rdi), %r14
        movq    56(%rdi), %r15
        movq    %rcx, (%rsp)
        retq

        .section .note.GNU-stack, "", @progbits
