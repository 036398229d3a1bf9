// strings.c: strings and their copies (string.h, strings.h).

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

size_t strlen(const char *string) {
  size_t length = 0;
  while (string[length]) length++;
  return length;
}

size_t strnlen(const char *string, size_t limit) {
  size_t length = 0;
  while (length < limit && string[length]) length++;
  return length;
}

// MARK: Comparing

int strcmp(const char *left, const char *right) {
  while (*left && *left == *right) left++, right++;
  return (unsigned char)*left - (unsigned char)*right;
}

int strncmp(const char *left, const char *right, size_t count) {
  for (; count; count--, left++, right++)
    if (*left != *right || !*left) return (unsigned char)*left - (unsigned char)*right;
  return 0;
}

int strncasecmp(const char *left, const char *right, size_t count) {
  for (; count; count--, left++, right++) {
    int a = tolower((unsigned char)*left), b = tolower((unsigned char)*right);
    if (a != b || !a) return a - b;
  }
  return 0;
}

int strcasecmp(const char *left, const char *right) { return strncasecmp(left, right, (size_t)-1); }

// In the locale "C" texts are ordered by their bytes.
int strcoll(const char *left, const char *right) { return strcmp(left, right); }
size_t strxfrm(char *target, const char *source, size_t size) { return strlcpy(target, source, size); }

// MARK: Copying

char *stpcpy(char *target, const char *source) {
  size_t length = strlen(source);
  memcpy(target, source, length + 1);
  return target + length;
}

char *strcpy(char *target, const char *source) {
  stpcpy(target, source);
  return target;
}

char *strncpy(char *target, const char *source, size_t size) {
  size_t length = strnlen(source, size);
  memcpy(target, source, length);
  memset(target + length, 0, size - length);
  return target;
}

size_t strlcpy(char *target, const char *source, size_t size) {
  size_t length = strlen(source);
  if (size) {
    size_t count = length < size ? length : size - 1;
    memcpy(target, source, count);
    target[count] = 0;
  }
  return length;
}

char *strcat(char *target, const char *source) {
  strcpy(target + strlen(target), source);
  return target;
}

char *strncat(char *target, const char *source, size_t limit) {
  char *end = target + strlen(target);
  size_t length = strnlen(source, limit);
  memcpy(end, source, length);
  end[length] = 0;
  return target;
}

size_t strlcat(char *target, const char *source, size_t size) {
  size_t length = strnlen(target, size);
  return length == size ? size + strlen(source) : length + strlcpy(target + length, source, size - length);
}

char *strndup(const char *string, size_t limit) {
  size_t length = strnlen(string, limit);
  char *copy = malloc(length + 1);
  if (!copy) return NULL;
  memcpy(copy, string, length);
  copy[length] = 0;
  return copy;
}

char *strdup(const char *string) { return strndup(string, (size_t)-1); }

// MARK: The names of 4.2BSD

void bzero(void *bytes, size_t count) { memset(bytes, 0, count); }
void bcopy(const void *source, void *target, size_t count) { memmove(target, source, count); }
int bcmp(const void *left, const void *right, size_t count) { return memcmp(left, right, count); }
char *index(const char *string, int character) { return strchr(string, character); }
char *rindex(const char *string, int character) { return strrchr(string, character); }
int ffs(int value) { return __builtin_ffs(value); }
int ffsl(long value) { return __builtin_ffsl(value); }
int fls(int value) { return value ? 32 - __builtin_clz((unsigned)value) : 0; }

// The compiler must not find out that nobody looks at the bytes again.
void explicit_bzero(void *bytes, size_t count) {
  memset(bytes, 0, count);
  __asm__ volatile("" ::"r"(bytes) : "memory");
}
