// assert.h: a false assertion says where it stands and aborts.
#include <sys/cdefs.h>

// Included again after NDEBUG changed, it says the other thing.
#undef assert
#ifdef NDEBUG
#define assert(expression) ((void)0)
#else
#define assert(expression) ((expression) ? (void)0 : __assert(__func__, __FILE__, __LINE__, #expression))
#endif

__BEGIN_DECLS
void __assert(const char *, const char *, int, const char *) __dead2;
__END_DECLS
#ifndef __cplusplus
#undef static_assert
#define static_assert _Static_assert
#endif
