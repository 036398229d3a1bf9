// searching.c: finding bytes and words in memory and strings (string.h).

#include <ctype.h>
#include <string.h>

void *memchr(const void *bytes, int byte, size_t count) {
  for (const unsigned char *place = bytes; count; count--, place++)
    if (*place == (unsigned char)byte) return (void *)place;
  return NULL;
}

void *memrchr(const void *bytes, int byte, size_t count) {
  for (const unsigned char *place = (const unsigned char *)bytes + count; count; count--)
    if (*--place == (unsigned char)byte) return (void *)place;
  return NULL;
}

void *memmem(const void *bytes, size_t count, const void *wanted, size_t length) {
  if (length == 0) return (void *)bytes;
  const char *place = bytes, *end = place + count;
  while ((size_t)(end - place) >= length) {
    place = memchr(place, *(const unsigned char *)wanted, (size_t)(end - place) - length + 1);
    if (!place) return NULL;
    if (memcmp(place, wanted, length) == 0) return (void *)place;
    place++;
  }
  return NULL;
}

char *strchrnul(const char *string, int character) {
  while (*string && *string != (char)character) string++;
  return (char *)string;
}

char *strchr(const char *string, int character) {
  char *place = strchrnul(string, character);
  return *place == (char)character ? place : NULL;
}

char *strrchr(const char *string, int character) {
  char *found = NULL;
  for (;; string++) {
    if (*string == (char)character) found = (char *)string;
    if (!*string) return found;
  }
}

char *strstr(const char *string, const char *wanted) { return memmem(string, strlen(string), wanted, strlen(wanted)); }

char *strnstr(const char *string, const char *wanted, size_t limit) {
  return memmem(string, strnlen(string, limit), wanted, strlen(wanted));
}

char *strcasestr(const char *string, const char *wanted) {
  size_t length = strlen(wanted);
  for (;; string++) {
    if (strncasecmp(string, wanted, length) == 0) return (char *)string;
    if (!*string) return NULL;
  }
}

size_t strspn(const char *string, const char *accepted) {
  size_t length = 0;
  while (string[length] && strchr(accepted, string[length])) length++;
  return length;
}

size_t strcspn(const char *string, const char *refused) {
  size_t length = 0;
  while (string[length] && !strchr(refused, string[length])) length++;
  return length;
}

char *strpbrk(const char *string, const char *wanted) {
  string += strcspn(string, wanted);
  return *string ? (char *)string : NULL;
}

char *strsep(char **rest, const char *separators) {
  char *word = *rest;
  if (!word) return NULL;
  char *end = word + strcspn(word, separators);
  *rest = *end ? end + 1 : NULL;
  *end = 0;
  return word;
}

char *strtok_r(char *string, const char *separators, char **rest) {
  if (!string) string = *rest;
  if (!string) return NULL;
  string += strspn(string, separators);
  *rest = string;
  if (!*string) return *rest = NULL;
  return strsep(rest, separators);
}

char *strtok(char *string, const char *separators) {
  static char *rest;
  return strtok_r(string, separators, &rest);
}
