// cplusplus.c: what C++ without a standard library asks for: memory of `new`, and a word about virtual functions that are not there.
//
// The functions have C++'s names. There are no exceptions: memory that cannot be had ends the program.

#include <stdio.h>
#include <stdlib.h>

static void *make(size_t byte_count, size_t alignment) {
  void *memory = NULL;
  if (posix_memalign(&memory, alignment, byte_count) == 0) return memory;
  dprintf(2, "new: no memory for %zu bytes\n", byte_count);
  abort();
}

enum { ALIGNMENT = 16 };

void *new_object(size_t) __asm__("_Znwm");
void *new_array(size_t) __asm__("_Znam");
void *new_aligned_object(size_t, size_t) __asm__("_ZnwmSt11align_val_t");
void *new_aligned_array(size_t, size_t) __asm__("_ZnamSt11align_val_t");
void delete_object(void *) __asm__("_ZdlPv");
void delete_array(void *) __asm__("_ZdaPv");
void delete_sized_object(void *, size_t) __asm__("_ZdlPvm");
void delete_sized_array(void *, size_t) __asm__("_ZdaPvm");
void delete_aligned_object(void *, size_t) __asm__("_ZdlPvSt11align_val_t");
void delete_aligned_array(void *, size_t) __asm__("_ZdaPvSt11align_val_t");
void delete_sized_aligned_object(void *, size_t, size_t) __asm__("_ZdlPvmSt11align_val_t");
void delete_sized_aligned_array(void *, size_t, size_t) __asm__("_ZdaPvmSt11align_val_t");
void __cxa_pure_virtual(void);

void *new_object(size_t byte_count) { return make(byte_count, ALIGNMENT); }
void *new_array(size_t byte_count) { return make(byte_count, ALIGNMENT); }
void *new_aligned_object(size_t byte_count, size_t alignment) { return make(byte_count, alignment); }
void *new_aligned_array(size_t byte_count, size_t alignment) { return make(byte_count, alignment); }
void delete_object(void *memory) { free(memory); }
void delete_array(void *memory) { free(memory); }
void delete_sized_object(void *memory, size_t byte_count) {
  (void)byte_count;
  free(memory);
}
void delete_sized_array(void *memory, size_t byte_count) {
  (void)byte_count;
  free(memory);
}
void delete_aligned_object(void *memory, size_t alignment) {
  (void)alignment;
  free(memory);
}
void delete_aligned_array(void *memory, size_t alignment) {
  (void)alignment;
  free(memory);
}
void delete_sized_aligned_object(void *memory, size_t byte_count, size_t alignment) {
  (void)byte_count, (void)alignment;
  free(memory);
}
void delete_sized_aligned_array(void *memory, size_t byte_count, size_t alignment) {
  (void)byte_count, (void)alignment;
  free(memory);
}

void __cxa_pure_virtual(void) {
  dprintf(2, "a virtual function was called that its class does not have\n");
  abort();
}
