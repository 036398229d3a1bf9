// stdio.h: streams (streams.c), printing (print.c) and reading (scan.c).
//
// Standard output is kept back until a line is complete, wherever it goes; standard error is not; files are written in pieces of
// BUFSIZ bytes. dprintf(3) keeps nothing back.
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <sys/cdefs.h>
#include <sys/types.h>

#define EOF (-1)
#define BUFSIZ 1024
#define FILENAME_MAX 1024
#define FOPEN_MAX 20
#define L_tmpnam 32
#define TMP_MAX 2147483647
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
#define _IOFBF 0
#define _IOLBF 1
#define _IONBF 2

typedef struct stream FILE;
typedef off_t fpos_t;

__BEGIN_DECLS
extern FILE *const stdin, *const stdout, *const stderr;
#define stdin stdin
#define stdout stdout
#define stderr stderr

// Conversions: %d %i %u %x %X %o %c %s %p %n %% %f %F %e %E %g %G with flags - 0 + space #, width and precision (also *), and
// lengths hh h l ll z j t. A long double is rounded to a double; there is no %a, and there are no positions (%1$d).
int printf(const char *, ...) __printflike(1, 2);
int vprintf(const char *, va_list) __printflike(1, 0);
int fprintf(FILE *, const char *, ...) __printflike(2, 3);
int vfprintf(FILE *, const char *, va_list) __printflike(2, 0);
int dprintf(int, const char *, ...) __printflike(2, 3);
int vdprintf(int, const char *, va_list) __printflike(2, 0);
int sprintf(char *, const char *, ...) __printflike(2, 3);
int vsprintf(char *, const char *, va_list) __printflike(2, 0);
int snprintf(char *, size_t, const char *, ...) __printflike(3, 4);
int vsnprintf(char *, size_t, const char *, va_list) __printflike(3, 0);
int asprintf(char **, const char *, ...) __printflike(2, 3);
int vasprintf(char **, const char *, va_list) __printflike(2, 0);

// Conversions: %d %i %u %x %o %p %c %s %[ %f %e %g %n %% with *, width and lengths hh h l ll z j t (and L, as a double).
int scanf(const char *, ...) __scanflike(1, 2);
int vscanf(const char *, va_list) __scanflike(1, 0);
int fscanf(FILE *, const char *, ...) __scanflike(2, 3);
int vfscanf(FILE *, const char *, va_list) __scanflike(2, 0);
int sscanf(const char *, const char *, ...) __scanflike(2, 3);
int vsscanf(const char *, const char *, va_list) __scanflike(2, 0);

// Modes: r, w, a, each with +, b, x and e.
FILE *fopen(const char *, const char *);
FILE *fdopen(int, const char *);
// A file that nobody else sees, in memory. tmpnam(3) gives names; files cannot be made under them, but sockets can.
FILE *tmpfile(void);
char *tmpnam(char *);
FILE *freopen(const char *, const char *, FILE *);
int fclose(FILE *);
int fflush(FILE *);
int setvbuf(FILE *, char *, int, size_t);
void setbuf(FILE *, char *);
void setlinebuf(FILE *);
int fileno(FILE *);
int feof(FILE *);
int ferror(FILE *);
void clearerr(FILE *);
void flockfile(FILE *);
int ftrylockfile(FILE *);
void funlockfile(FILE *);

size_t fread(void *, size_t, size_t, FILE *);
size_t fwrite(const void *, size_t, size_t, FILE *);
int fgetc(FILE *);
int getc(FILE *);
int getc_unlocked(FILE *);
int getchar(void);
int getchar_unlocked(void);
int ungetc(int, FILE *);
char *fgets(char *, int, FILE *);
ssize_t getline(char **, size_t *, FILE *);
ssize_t getdelim(char **, size_t *, int, FILE *);
int fputc(int, FILE *);
int putc(int, FILE *);
int putc_unlocked(int, FILE *);
int putchar(int);
int putchar_unlocked(int);
int fputs(const char *, FILE *);
int puts(const char *);

int fseek(FILE *, long, int);
int fseeko(FILE *, off_t, int);
long ftell(FILE *);
off_t ftello(FILE *);
void rewind(FILE *);
int fgetpos(FILE *, fpos_t *);
int fsetpos(FILE *, const fpos_t *);

void perror(const char *);
int remove(const char *);
int rename(const char *, const char *);
int renameat(int, const char *, int, const char *);
__END_DECLS
