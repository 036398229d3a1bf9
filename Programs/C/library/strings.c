// strings.c: strings and numbers.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t strlen(const char *string) {
  size_t length = 0;
  while (string[length]) length++;
  return length;
}

int strcmp(const char *left, const char *right) {
  while (*left && *left == *right) left++, right++;
  return (unsigned char)*left - (unsigned char)*right;
}

int strncmp(const char *left, const char *right, size_t count) {
  for (; count; count--, left++, right++)
    if (*left != *right || !*left) return (unsigned char)*left - (unsigned char)*right;
  return 0;
}

char *strcpy(char *target, const char *source) {
  memcpy(target, source, strlen(source) + 1);
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

char *strchr(const char *string, int character) {
  for (;; string++) {
    if (*string == (char)character) return (char *)string;
    if (!*string) return NULL;
  }
}

char *strrchr(const char *string, int character) {
  char *found = NULL;
  for (;; string++) {
    if (*string == (char)character) found = (char *)string;
    if (!*string) return found;
  }
}

static int digit_value(char character) {
  if (character >= '0' && character <= '9') return character - '0';
  if (character >= 'a' && character <= 'z') return character - 'a' + 10;
  if (character >= 'A' && character <= 'Z') return character - 'A' + 10;
  return 99;
}

unsigned long strtoul(const char *string, char **end, int base) {
  while (*string == ' ' || *string == '\t') string++;
  int negative = *string == '-';
  if (*string == '-' || *string == '+') string++;
  if ((base == 0 || base == 16) && string[0] == '0' && (string[1] | 0x20) == 'x' && digit_value(string[2]) < 16) {
    string += 2;
    base = 16;
  }
  if (base == 0) base = *string == '0' ? 8 : 10;
  unsigned long value = 0;
  for (; digit_value(*string) < base; string++) value = value * (unsigned)base + (unsigned)digit_value(*string);
  if (end) *end = (char *)string;
  return negative ? -value : value;
}

long strtol(const char *string, char **end, int base) {
  return (long)strtoul(string, end, base);
}

int atoi(const char *string) {
  return (int)strtol(string, NULL, 10);
}
