// numbers.c: whole numbers and their texts (stdlib.h, inttypes.h).

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

static unsigned digit_value(char character) {
  if (isdigit(character)) return (unsigned)(character - '0');
  if (isalpha(character)) return (unsigned)(tolower(character) - 'a' + 10);
  return UINT_MAX;
}

// The digits of a text as a number that is at most `limit`, or `below` when it is negative; beyond that ERANGE.
static unsigned long convert(const char *string, char **end, int base, unsigned long limit, unsigned long below,
                             bool *is_negative) {
  const char *place = string;
  while (isspace((unsigned char)*place)) place++;
  *is_negative = *place == '-';
  if (*place == '-' || *place == '+') place++;
  if (end) *end = (char *)string;
  if (base < 0 || base == 1 || base > 36) {
    errno = EINVAL;
    return 0;
  }
  if ((base == 0 || base == 16) && place[0] == '0' && (place[1] | 0x20) == 'x' && digit_value(place[2]) < 16) {
    place += 2;
    base = 16;
  }
  if (base == 0) base = *place == '0' ? 8 : 10;
  if (*is_negative) limit = below;
  unsigned long value = 0;
  bool is_beyond = false;
  for (; digit_value(*place) < (unsigned)base; place++) {
    is_beyond |= __builtin_mul_overflow(value, (unsigned long)base, &value);
    is_beyond |= __builtin_add_overflow(value, (unsigned long)digit_value(*place), &value);
    is_beyond |= value > limit;
    if (end) *end = (char *)place + 1;
  }
  if (is_beyond) errno = ERANGE;
  return is_beyond ? limit : value;
}

unsigned long strtoul(const char *string, char **end, int base) {
  bool is_negative;
  int before = errno;
  errno = 0;
  unsigned long value = convert(string, end, base, ULONG_MAX, ULONG_MAX, &is_negative);
  bool is_beyond = errno == ERANGE;
  if (errno == 0) errno = before;
  return is_negative && !is_beyond ? -value : value;
}

long strtol(const char *string, char **end, int base) {
  bool is_negative;
  unsigned long value = convert(string, end, base, LONG_MAX, (unsigned long)LONG_MAX + 1, &is_negative);
  return (long)(is_negative ? -value : value);
}

unsigned long long strtoull(const char *string, char **end, int base) { return strtoul(string, end, base); }
long long strtoll(const char *string, char **end, int base) { return strtol(string, end, base); }
uintmax_t strtoumax(const char *string, char **end, int base) { return strtoul(string, end, base); }
intmax_t strtoimax(const char *string, char **end, int base) { return strtol(string, end, base); }
int atoi(const char *string) { return (int)strtol(string, NULL, 10); }
long atol(const char *string) { return strtol(string, NULL, 10); }
long long atoll(const char *string) { return strtol(string, NULL, 10); }

long long strtonum(const char *string, long long least, long long most, const char **problem) {
  int before = errno;
  char *end;
  errno = 0;
  long long value = strtoll(string, &end, 10);
  const char *what = NULL;
  if (least > most || end == string || *end) what = "invalid";
  else if (value < least || (errno == ERANGE && value < 0)) what = "too small";
  else if (value > most || errno == ERANGE) what = "too large";
  if (problem) *problem = what;
  errno = !what ? before : what[0] == 'i' ? EINVAL : ERANGE;
  return what ? 0 : value;
}

int abs(int value) { return value < 0 ? -value : value; }
long labs(long value) { return value < 0 ? -value : value; }
long long llabs(long long value) { return value < 0 ? -value : value; }
intmax_t imaxabs(intmax_t value) { return value < 0 ? -value : value; }
div_t div(int left, int right) { return (div_t){left / right, left % right}; }
ldiv_t ldiv(long left, long right) { return (ldiv_t){left / right, left % right}; }
lldiv_t lldiv(long long left, long long right) { return (lldiv_t){left / right, left % right}; }
imaxdiv_t imaxdiv(intmax_t left, intmax_t right) { return (imaxdiv_t){left / right, left % right}; }
