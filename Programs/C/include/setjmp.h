// setjmp.h: leaving functions for one further out (setjmp.S). As on FreeBSD setjmp keeps the mask of signals, and _setjmp does not.
#pragma once

#include <sys/cdefs.h>

// %rip, %rbx, %rsp, %rbp, %r12 to %r15, the control words of both floating-point units, the mask, whether there is one.
typedef struct {
  long _jb[12];
} jmp_buf[1];
typedef jmp_buf sigjmp_buf;

__BEGIN_DECLS
int setjmp(jmp_buf) __returns_twice;
int _setjmp(jmp_buf) __returns_twice;
int sigsetjmp(sigjmp_buf, int) __returns_twice;
void longjmp(jmp_buf, int) __dead2;
void _longjmp(jmp_buf, int) __dead2;
void siglongjmp(sigjmp_buf, int) __dead2;
__END_DECLS
