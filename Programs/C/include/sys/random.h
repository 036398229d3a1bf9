// sys/random.h: getrandom(2).
#pragma once

#include <sys/cdefs.h>
#include <sys/types.h>

#define GRND_NONBLOCK 1
#define GRND_RANDOM 2
#define GRND_INSECURE 4

__BEGIN_DECLS
ssize_t getrandom(void *, size_t, unsigned int);
__END_DECLS
