// memcpy, memmove, memset and memcmp, as the compiler expects them: System V calling convention, direction flag clear.
//
// Short sizes are moved by overlapping words without a loop; from 33 bytes on the string instructions cost one counted
// instruction for each word. All loads of an overlapping move come before its first store, so it serves memmove too.

.intel_syntax noprefix
.section .text.memory_functions, "ax"

.macro function name
  .globl \name
  .hidden \name
  .type \name, @function
  .balign 16
\name:
.endm

function memmove
  mov rax, rdi
  sub rax, rsi
  cmp rax, rdx
  jb .Lmove_backward            // the destination starts inside the source
function memcpy
  mov rax, rdi
  cmp rdx, 16
  jb .Lcopy_short
  cmp rdx, 32
  ja .Lcopy_long
.Lcopy_medium:
  mov rcx, [rsi]
  mov r8, [rsi + 8]
  mov r9, [rsi + rdx - 16]
  mov r10, [rsi + rdx - 8]
  mov [rdi], rcx
  mov [rdi + 8], r8
  mov [rdi + rdx - 16], r9
  mov [rdi + rdx - 8], r10
  ret
.Lcopy_long:
  mov r8, [rsi + rdx - 8]
  lea r9, [rdi + rdx - 8]
  mov rcx, rdx
  shr rcx, 3
  rep movsq
  mov [r9], r8
  ret
.Lcopy_short:
  cmp edx, 8
  jb .Lcopy_below_8
  mov rcx, [rsi]
  mov r8, [rsi + rdx - 8]
  mov [rdi], rcx
  mov [rdi + rdx - 8], r8
  ret
.Lcopy_below_8:
  cmp edx, 4
  jb .Lcopy_below_4
  mov ecx, [rsi]
  mov r8d, [rsi + rdx - 4]
  mov [rdi], ecx
  mov [rdi + rdx - 4], r8d
  ret
.Lcopy_below_4:
  test edx, edx
  jz .Lcopy_done
  mov r10d, edx
  shr r10d, 1
  mov cl, [rsi]
  mov r8b, [rsi + r10]
  mov r9b, [rsi + rdx - 1]
  mov [rdi], cl
  mov [rdi + r10], r8b
  mov [rdi + rdx - 1], r9b
.Lcopy_done:
  ret

.Lmove_backward:
  mov rax, rdi
  cmp rdx, 16
  jb .Lcopy_short
  cmp rdx, 32
  jbe .Lcopy_medium
  mov r8, [rsi]                 // the head, below the words that are moved from the end down
  mov rcx, rdx
  shr rcx, 3
  lea rsi, [rsi + rdx - 8]
  lea rdi, [rdi + rdx - 8]
  std
  rep movsq
  cld
  mov [rax], r8
  ret

function memset
  mov r9, rdi
  movzx eax, sil
  mov rcx, 0x0101010101010101
  imul rax, rcx
  cmp rdx, 16
  jb .Lset_short
  cmp rdx, 32
  ja .Lset_long
  mov [rdi], rax
  mov [rdi + 8], rax
  mov [rdi + rdx - 16], rax
  mov [rdi + rdx - 8], rax
  mov rax, r9
  ret
.Lset_long:
  mov [rdi + rdx - 8], rax
  mov rcx, rdx
  shr rcx, 3
  rep stosq
  mov rax, r9
  ret
.Lset_short:
  cmp edx, 8
  jb .Lset_below_8
  mov [rdi], rax
  mov [rdi + rdx - 8], rax
  mov rax, r9
  ret
.Lset_below_8:
  cmp edx, 4
  jb .Lset_below_4
  mov [rdi], eax
  mov [rdi + rdx - 4], eax
  mov rax, r9
  ret
.Lset_below_4:
  test edx, edx
  jz .Lset_done
  mov r10d, edx
  shr r10d, 1
  mov [rdi], al
  mov [rdi + r10], al
  mov [rdi + rdx - 1], al
.Lset_done:
  mov rax, r9
  ret

function memcmp
  xor ecx, ecx
  mov r8, rdx
  and r8, -8
.Lcompare_words:
  cmp rcx, r8
  je .Lcompare_bytes
  mov r9, [rdi + rcx]
  mov r10, [rsi + rcx]
  add rcx, 8
  cmp r9, r10
  je .Lcompare_words
  bswap r9                      // the first byte becomes the most significant
  bswap r10
  cmp r9, r10
  sbb eax, eax
  or eax, 1
  ret
.Lcompare_bytes:
  cmp rcx, rdx
  je .Lcompare_equal
  movzx eax, byte ptr [rdi + rcx]
  movzx r9d, byte ptr [rsi + rcx]
  inc rcx
  sub eax, r9d
  jz .Lcompare_bytes
  ret
.Lcompare_equal:
  xor eax, eax
  ret
