// err.h: a message on standard error, with the name of the program in front of it, and an end (err.c).
#pragma once

#include <stdarg.h>
#include <sys/cdefs.h>

__BEGIN_DECLS
// The first of a pair takes its text from errno; the `x` forms have none, the `c` forms are given the number.
void err(int, const char *, ...) __dead2 __printflike(2, 3);
void errc(int, int, const char *, ...) __dead2 __printflike(3, 4);
void errx(int, const char *, ...) __dead2 __printflike(2, 3);
void verr(int, const char *, va_list) __dead2 __printflike(2, 0);
void verrc(int, int, const char *, va_list) __dead2 __printflike(3, 0);
void verrx(int, const char *, va_list) __dead2 __printflike(2, 0);
void warn(const char *, ...) __printflike(1, 2);
void warnc(int, const char *, ...) __printflike(2, 3);
void warnx(const char *, ...) __printflike(1, 2);
void vwarn(const char *, va_list) __printflike(1, 0);
void vwarnc(int, const char *, va_list) __printflike(2, 0);
void vwarnx(const char *, va_list) __printflike(1, 0);
__END_DECLS
