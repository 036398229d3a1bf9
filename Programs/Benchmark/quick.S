# quick.S: the program that the row fork_exec_exit_wait executes: it ends at its first instructions, so that the kernel is
# measured and not the start of a library. It is as large as the one that FreeBSD was measured with, as loading a program takes
# the longer the larger it is: a page of constants, nine pages of code, 1.03 MiB of zeroes.

        .section .note.tag, "a", @note
        .p2align 2
        .long 8, 4, 1
        .asciz "FreeBSD"
        .long 1500026

        .section .rodata, "a", @progbits
        .space  2000

        .text
        .globl  _start
_start:
        pushq   %rdi                            # what any program does: use its stack
        xorl    %edi, %edi
        movl    $1, %eax                        # exit(2)
        syscall
        ud2
        .space  0x8540

        .bss
        .space  0x107170

        .section .note.GNU-stack, "", @progbits
