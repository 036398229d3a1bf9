// sys/cdefs.h: words for what compilers know, as sources for FreeBSD use them.
#pragma once

#ifdef __cplusplus
#define __BEGIN_DECLS extern "C" {
#define __END_DECLS }
#else
#define __BEGIN_DECLS
#define __END_DECLS
#endif

#define __CONCAT1(left, right) left##right
#define __CONCAT(left, right) __CONCAT1(left, right)
#define __STRING(text) #text
#define __XSTRING(text) __STRING(text)

#define __dead2 __attribute__((__noreturn__))
#define __pure2 __attribute__((__const__))
#define __pure __attribute__((__pure__))
#define __unused __attribute__((__unused__))
#define __used __attribute__((__used__))
#define __packed __attribute__((__packed__))
#define __aligned(bytes) __attribute__((__aligned__(bytes)))
#define __section(name) __attribute__((__section__(name)))
#define __weak_symbol __attribute__((__weak__))
#define __noinline __attribute__((__noinline__))
#define __always_inline __inline__ __attribute__((__always_inline__))
#define __result_use_check __attribute__((__warn_unused_result__))
#define __malloc_like __attribute__((__malloc__))
#define __returns_twice __attribute__((__returns_twice__))
#define __printflike(text, first) __attribute__((__format__(__printf__, text, first)))
#define __scanflike(text, first) __attribute__((__format__(__scanf__, text, first)))
#define __predict_true(condition) __builtin_expect((condition) != 0, 1)
#define __predict_false(condition) __builtin_expect((condition) != 0, 0)
#define __offsetof(type, member) __builtin_offsetof(type, member)
#define __containerof(pointer, type, member) ((type *)(void *)((char *)(pointer) - __offsetof(type, member)))
#define __DECONST(type, value) ((type)(__UINTPTR_TYPE__)(const void *)(value))
#define __DEVOLATILE(type, value) ((type)(__UINTPTR_TYPE__)(volatile void *)(value))
#define __FBSDID(text) struct __hack
#define __weak_reference(symbol, alias) __asm__(".weak " #alias "\n.equ " #alias ", " #symbol)
