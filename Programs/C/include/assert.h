// assert.h: a false assertion says where it stands and aborts.
#pragma once

_Noreturn void __assert(const char *, const char *, int, const char *);
#define assert(expression) ((expression) ? (void)0 : __assert(__func__, __FILE__, __LINE__, #expression))
#define static_assert _Static_assert
