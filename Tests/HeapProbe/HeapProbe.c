/* Takes the place of malloc and posix_memalign in the program that it is linked into, and counts the calls that come from the
   allocation of a Swift object: class instances, boxes, closures, the storage of arrays; that is what the kernel's own
   allocator would see. The runtime's caches of metadata come from elsewhere and are not counted.

   Whose call it is, is told by return addresses: swift_allocObject or swift_allocBox, through swift_slowAlloc. (The runtime
   has a pointer to replace swift_allocObject by, but setting it also switches reference counting to hooks that take small
   strings for objects.)

   Left out are the backtraces that the testing library takes of every thrown error, and, in unoptimised programs, array
   literals: there even the literal of an option set is an array for a moment, which it is not in the kernel that boots.

   Under a sanitizer, which brings its own malloc, nothing is replaced and nothing is counted. */
#define _GNU_SOURCE
#include "HeapProbe.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <string.h>

static _Thread_local uint64_t object_count, byte_count, suspension_count;

uint64_t heap_probe_object_count(void) { return object_count; }
uint64_t heap_probe_byte_count(void) { return byte_count; }
void heap_probe_suspend(void) { suspension_count++; }
void heap_probe_resume(void) { suspension_count--; }

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || defined(HEAP_PROBE_IS_SANITIZED)

int heap_probe_is_active(void) { return 0; }

#else

struct code { uintptr_t start, end; };
static struct code slow_allocation, object_allocation, box_allocation, testing_library, array_literal;

static int holds(struct code code, void *address) { return (uintptr_t)address - code.start < code.end - code.start; }

static struct code code_of(const char *name) {
  struct code code = {0, 0};
  Dl_info information;
  ElfW(Sym) *symbol = NULL;
  void *address = dlsym(RTLD_DEFAULT, name);
  if (address && dladdr1(address, &information, (void **)&symbol, RTLD_DL_SYMENT) && symbol) {
    code.start = (uintptr_t)address;
    code.end = code.start + symbol->st_size;
  }
  return code;
}

static int find_testing_library(struct dl_phdr_info *information, size_t size, void *unused) {
  (void)size, (void)unused;
  if (!information->dlpi_name || !strstr(information->dlpi_name, "libTesting.so")) return 0;
  for (int index = 0; index < information->dlpi_phnum; index++) {
    const ElfW(Phdr) *part = &information->dlpi_phdr[index];
    if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
    testing_library.start = information->dlpi_addr + part->p_vaddr;
    testing_library.end = testing_library.start + part->p_memsz;
  }
  return 1;
}

__attribute__((constructor)) static void find(void) {
  dl_iterate_phdr(find_testing_library, NULL);
#ifndef __OPTIMIZE__
  array_literal = code_of("$ss27_allocateUninitializedArrayySayxG_BptBwlF");
#endif
  slow_allocation = code_of("swift_slowAlloc");
  object_allocation = code_of("swift_allocObject");
  box_allocation = code_of("swift_allocBox");
}

/* The frames above are only looked at where they are known to be the runtime's, which keeps frame pointers. `frame` is the
   frame of the replaced function, `caller` where it returns to. */
static inline void count(size_t size, void **frame, void *caller) {
  if (suspension_count != 0 || !holds(slow_allocation, caller)) return;
  void **slow = (void **)*frame;
  if (holds(object_allocation, slow[1])) {
    void **object = (void **)*slow;
    if (holds(testing_library, object[1]) || holds(array_literal, object[1])) return;
  } else if (!holds(box_allocation, slow[1])) {
    return;
  }
  object_count++;
  byte_count += size;
}

int heap_probe_is_active(void) { return object_allocation.end != 0; }

void *__libc_malloc(size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
  count(size, __builtin_frame_address(0), __builtin_return_address(0));
  return __libc_malloc(size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
  count(size, __builtin_frame_address(0), __builtin_return_address(0));
  void *memory = __libc_memalign(alignment, size);
  if (!memory) return ENOMEM;
  *result = memory;
  return 0;
}

#endif
