// stdlib.h: ending, numbers, memory, sorting, random numbers, the environment.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/cdefs.h>

#define EXIT_SUCCESS 0
#define EXIT_FAILURE 1
#define RAND_MAX 0x7fffffff
#define MB_CUR_MAX 1

typedef struct {
  int quot, rem;
} div_t;
typedef struct {
  long quot, rem;
} ldiv_t;
typedef struct {
  long long quot, rem;
} lldiv_t;

__BEGIN_DECLS
void exit(int) __dead2;
void _Exit(int) __dead2;
void quick_exit(int) __dead2;
void abort(void) __dead2;
int atexit(void (*)(void));

// Runs /bin/sh, if there is one; without a command tells whether there is.
int system(const char *);

char *getenv(const char *);
int setenv(const char *, const char *, int);
int unsetenv(const char *);
int putenv(char *);
const char *getprogname(void);
void setprogname(const char *);

int atoi(const char *);
long atol(const char *);
long long atoll(const char *);
double atof(const char *);
// At most 800 digits count; beyond the type's range they give its largest value, or infinity, and ERANGE.
long strtol(const char *, char **, int);
long long strtoll(const char *, char **, int);
unsigned long strtoul(const char *, char **, int);
unsigned long long strtoull(const char *, char **, int);
double strtod(const char *, char **);
float strtof(const char *, char **);
long long strtonum(const char *, long long, long long, const char **);
int abs(int) __pure2;
long labs(long) __pure2;
long long llabs(long long) __pure2;
div_t div(int, int) __pure2;
ldiv_t ldiv(long, long) __pure2;
lldiv_t lldiv(long long, long long) __pure2;

void *malloc(size_t);
void *calloc(size_t, size_t);
void *realloc(void *, size_t);
void *reallocarray(void *, size_t, size_t);
void *reallocf(void *, size_t);
void *aligned_alloc(size_t, size_t);
int posix_memalign(void **, size_t, size_t);
void free(void *);
#define alloca(size) __builtin_alloca(size)

void qsort(void *, size_t, size_t, int (*)(const void *, const void *));
void *bsearch(const void *, const void *, size_t, size_t, int (*)(const void *, const void *));

// From the kernel's generator; the others follow from their seed.
uint32_t arc4random(void);
uint32_t arc4random_uniform(uint32_t);
void arc4random_buf(void *, size_t);
int rand(void);
int rand_r(unsigned *);
void srand(unsigned);
long random(void);
void srandom(unsigned);
__END_DECLS
