# large: a program that ends at once, in a file of 30 MB, of which most is data that it never looks at.

  .text
  .globl _start
_start:
  leaq data(%rip), %rax
  movl $1, %eax
  xorl %edi, %edi
  syscall

  .data
data:
  .fill 30 << 20, 1, 0x5a
