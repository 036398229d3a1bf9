// memory.c: the memory functions that compilers call on their own, and their kin.
//
// The loops must not be turned back into calls of themselves; the build passes -fno-builtin for this file.

#include <string.h>

void *memcpy(void *restrict target, const void *restrict source, size_t count) {
  void *result = target;
  __asm__ volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(count)::"memory");
  return result;
}

void *mempcpy(void *target, const void *source, size_t count) { return (char *)memcpy(target, source, count) + count; }

void *memmove(void *target, const void *source, size_t count) {
  unsigned char *to = target;
  const unsigned char *from = source;
  if (to <= from || to >= from + count) return memcpy(target, source, count);
  while (count--) to[count] = from[count];
  return target;
}

void *memccpy(void *target, const void *source, int last, size_t count) {
  const void *found = memchr(source, last, count);
  if (found) count = (size_t)((const char *)found - (const char *)source) + 1;
  memcpy(target, source, count);
  return found ? (char *)target + count : NULL;
}

void *memset(void *target, int byte, size_t count) {
  void *result = target;
  __asm__ volatile("rep stosb" : "+D"(target), "+c"(count) : "a"(byte) : "memory");
  return result;
}

int memcmp(const void *left, const void *right, size_t count) {
  const unsigned char *a = left;
  const unsigned char *b = right;
  for (size_t index = 0; index < count; index++)
    if (a[index] != b[index]) return a[index] - b[index];
  return 0;
}
