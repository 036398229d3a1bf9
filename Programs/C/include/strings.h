// strings.h: what BSD has beside string.h.
#pragma once

#include <stddef.h>
#include <sys/cdefs.h>

__BEGIN_DECLS
int strcasecmp(const char *, const char *);
int strncasecmp(const char *, const char *, size_t);
void bzero(void *, size_t);
void explicit_bzero(void *, size_t);
void bcopy(const void *, void *, size_t);
int bcmp(const void *, const void *, size_t);
char *index(const char *, int);
char *rindex(const char *, int);
int ffs(int) __pure2;
int ffsl(long) __pure2;
int fls(int) __pure2;
__END_DECLS
