// stdio.h: printing, one write(2) per call and nothing kept back.
#pragma once

#include <stdarg.h>
#include <stddef.h>

// Conversions: %d %i %u %x %X %o %c %s %p %% with flags 0 and -, width (or *), precision for %s, lengths h l ll z j.
int printf(const char *, ...) __attribute__((format(printf, 1, 2)));
int dprintf(int, const char *, ...) __attribute__((format(printf, 2, 3)));
int vdprintf(int, const char *, va_list);
int snprintf(char *, size_t, const char *, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *, size_t, const char *, va_list);
int puts(const char *);
int putchar(int);
void perror(const char *);
int rename(const char *, const char *);
int renameat(int, const char *, int, const char *);
