// floating.c: floating-point numbers as text, and text as floating-point numbers, both exactly rounded.
//
// A double is m * 2^e. Its decimal digits are those of the whole number m * 2^e or, for a negative e, of m * 5^-e with the
// point -e digits from the right. The other way, a decimal number is a fraction of two whole numbers, divided bit by bit.

#include "library.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// MARK: Whole numbers of any size

// 2^4096 has room for 800 decimal digits times 2^1100, and for 10^1150.
enum { LIMBS = 136, DIGITS_MAX = 800 };

struct whole {
  uint32_t limbs[LIMBS];
  int count;
};

static void multiply_add(struct whole *number, uint32_t factor, uint32_t addend) {
  uint64_t carry = addend;
  for (int index = 0; index < number->count; index++) {
    carry += (uint64_t)number->limbs[index] * factor;
    number->limbs[index] = (uint32_t)carry;
    carry >>= 32;
  }
  if (carry) number->limbs[number->count++] = (uint32_t)carry;
}

static void multiply_power(struct whole *number, uint32_t base, int exponent) {
  for (; exponent > 0; exponent--) multiply_add(number, base, 0);
}

static void shift_left(struct whole *number, int bits) {
  for (; bits >= 31; bits -= 31) multiply_add(number, 1u << 31, 0);
  if (bits) multiply_add(number, 1u << bits, 0);
}

// The number divided by a billion; gives the remainder.
static uint32_t divide_billion(struct whole *number) {
  uint64_t rest = 0;
  for (int index = number->count - 1; index >= 0; index--) {
    rest = rest << 32 | number->limbs[index];
    number->limbs[index] = (uint32_t)(rest / 1000000000);
    rest %= 1000000000;
  }
  while (number->count && number->limbs[number->count - 1] == 0) number->count--;
  return (uint32_t)rest;
}

static int bit_length(const struct whole *number) {
  return number->count ? number->count * 32 - __builtin_clz(number->limbs[number->count - 1]) : 0;
}

// left - right, if that is not negative.
static bool subtract(struct whole *left, const struct whole *right) {
  if (left->count < right->count) return false;
  if (left->count == right->count) {
    int index = left->count - 1;
    while (index >= 0 && left->limbs[index] == right->limbs[index]) index--;
    if (index >= 0 && left->limbs[index] < right->limbs[index]) return false;
  }
  int64_t borrow = 0;
  for (int index = 0; index < left->count; index++) {
    borrow += (int64_t)left->limbs[index] - (index < right->count ? right->limbs[index] : 0);
    left->limbs[index] = (uint32_t)borrow;
    borrow >>= 32;
  }
  while (left->count && left->limbs[left->count - 1] == 0) left->count--;
  return true;
}

// MARK: To text

// Decimal digits, of which `point` stand in front of the point; digits that are not there are zeros.
struct decimal {
  char digits[1152];
  int count, point;
};

static void expand(struct decimal *decimal, uint64_t significand, int exponent) {
  struct whole number = {{(uint32_t)significand, (uint32_t)(significand >> 32)}, significand >> 32 ? 2 : 1};
  if (exponent > 0) shift_left(&number, exponent);
  else multiply_power(&number, 5, -exponent);
  char reversed[sizeof decimal->digits];
  int count = 0;
  while (number.count) {
    uint32_t rest = divide_billion(&number);
    for (int digit = 0; digit < 9; digit++, rest /= 10) reversed[count++] = (char)('0' + rest % 10);
  }
  while (count && reversed[count - 1] == '0') count--;
  decimal->count = count;
  for (int index = 0; index < count; index++) decimal->digits[index] = reversed[count - 1 - index];
  decimal->point = count - (exponent < 0 ? -exponent : 0);
}

// Keeps so many digits, and rounds the last to the nearest, to an even one from the middle.
static void round_to(struct decimal *decimal, int count) {
  if (count >= decimal->count) return;
  bool is_up = false;
  if (count >= 0) {
    is_up = decimal->digits[count] > '5';
    if (decimal->digits[count] == '5') {
      is_up = count > 0 && (decimal->digits[count - 1] - '0') % 2 == 1;
      for (int index = count + 1; index < decimal->count && !is_up; index++) is_up = decimal->digits[index] != '0';
    }
  }
  decimal->count = count < 0 ? 0 : count;
  if (!is_up) return;
  int index = decimal->count - 1;
  while (index >= 0 && decimal->digits[index] == '9') decimal->digits[index--] = '0';
  if (index >= 0) {
    decimal->digits[index]++;
    return;
  }
  // 99.9 became 100.0.
  decimal->digits[0] = '1';
  memset(decimal->digits + 1, '0', (size_t)decimal->count);
  if (decimal->count == 0) decimal->count = 1;
  decimal->point++;
}

static char digit_at(const struct decimal *decimal, int index) {
  return index >= 0 && index < decimal->count ? decimal->digits[index] : '0';
}

struct text {
  char bytes[1500];
  size_t length;
};

static void add(struct text *text, char character) {
  if (text->length < sizeof text->bytes) text->bytes[text->length++] = character;
}

// Digits that are not there are zeros.
static void write_fixed(struct text *text, const struct decimal *decimal, int precision, bool has_point) {
  if (decimal->point <= 0) add(text, '0');
  for (int index = 0; index < decimal->point; index++) add(text, digit_at(decimal, index));
  if (precision > 0 || has_point) add(text, '.');
  for (int index = 0; index < precision; index++) add(text, digit_at(decimal, decimal->point + index));
}

static void write_scientific(struct text *text, const struct decimal *decimal, int precision, bool has_point, char kind) {
  add(text, digit_at(decimal, 0));
  if (precision > 0 || has_point) add(text, '.');
  for (int index = 1; index <= precision; index++) add(text, digit_at(decimal, index));
  int exponent = decimal->count ? decimal->point - 1 : 0;
  add(text, kind);
  add(text, exponent < 0 ? '-' : '+');
  if (exponent < 0) exponent = -exponent;
  if (exponent >= 100) add(text, (char)('0' + exponent / 100));
  add(text, (char)('0' + exponent / 10 % 10));
  add(text, (char)('0' + exponent % 10));
}

void format_floating(struct sink *sink, double value, char kind, const struct conversion *given) {
  struct conversion conversion = *given;
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  bool is_upper = isupper(kind);
  const char *sign = bits >> 63 ? "-" : conversion.has_sign ? "+" : conversion.has_space ? " " : "";
  int exponent = bits >> 52 & 0x7ff;
  uint64_t significand = bits & ((UINT64_C(1) << 52) - 1);
  if (exponent == 0x7ff) {
    conversion.is_zero_padded = false;
    conversion.precision = -1;
    const char *word = significand ? is_upper ? "NAN" : "nan" : is_upper ? "INF" : "inf";
    put_padded(sink, sign, word, 3, &conversion);
    return;
  }
  if (exponent) significand |= UINT64_C(1) << 52;
  else exponent = 1;
  struct decimal decimal = {.count = 0};
  if (significand) expand(&decimal, significand, exponent - 1075);

  // No number has more digits than that behind its point.
  int precision = conversion.precision < 0 ? 6 : conversion.precision;
  if (precision > 1100) precision = 1100;
  struct text text = {.length = 0};
  switch (tolower(kind)) {
    case 'f':
      round_to(&decimal, decimal.point + precision);
      write_fixed(&text, &decimal, precision, conversion.is_alternate);
      break;
    case 'e':
      round_to(&decimal, precision + 1);
      write_scientific(&text, &decimal, precision, conversion.is_alternate, is_upper ? 'E' : 'e');
      break;
    default: {
      if (precision == 0) precision = 1;
      round_to(&decimal, precision);
      int order = decimal.count ? decimal.point - 1 : 0;
      bool is_fixed = order >= -4 && order < precision;
      int shown = decimal.count;
      while (shown > 1 && decimal.digits[shown - 1] == '0') shown--;
      if (conversion.is_alternate) shown = precision;
      if (shown == 0) shown = 1;
      int behind = is_fixed ? shown - order - 1 : shown - 1;
      if (behind < 0) behind = 0;
      if (is_fixed) write_fixed(&text, &decimal, behind, conversion.is_alternate);
      else write_scientific(&text, &decimal, behind, conversion.is_alternate, is_upper ? 'E' : 'e');
    }
  }
  conversion.precision = -1;
  put_padded(sink, sign, text.bytes, text.length, &conversion);
}

// MARK: From text

// A format of IEEE 754: bits of the significand, and the largest and smallest exponent of its first bit.
struct format {
  int precision, largest, smallest;
};

// numerator / denominator * 2^shift, as a double that is exactly a number of the format.
static double divide(struct whole *numerator, struct whole *denominator, const struct format *format) {
  if (numerator->count == 0) return 0;
  // The quotient of the shifted numbers is in [1/2, 2): its first bit stands for 2^order or 2^(order - 1).
  int order = bit_length(numerator) - bit_length(denominator);
  if (order > 0) shift_left(denominator, order);
  else shift_left(numerator, -order);
  uint64_t quotient = 0;
  int bits = 0, wanted = format->precision;
  for (; bits <= wanted; order--) {
    bool bit = subtract(numerator, denominator);
    if (quotient == 0 && bit) {
      // Numbers below the smallest normal one have fewer bits; the half of the last is one more.
      if (order < format->smallest) wanted = format->precision - (format->smallest - order);
      if (wanted < 0) return 0;
    }
    quotient = quotient << 1 | bit;
    if (quotient) bits++;
    multiply_add(numerator, 2, 0);
  }
  // `quotient` has one bit more than are kept.
  bool is_half = quotient & 1, has_rest = numerator->count != 0;
  quotient >>= 1;
  if (is_half && (has_rest || (quotient & 1))) quotient++;
  order += 2;
  if (quotient == 0) return 0;
  if (order + 63 - __builtin_clzll(quotient) > format->largest) return __builtin_inf();
  double value = (double)quotient;
  // Two steps, each of which is exact.
  int first = order < -1000 ? -1000 : order > 1000 ? 1000 : order;
  uint64_t power = (uint64_t)(first + 1023) << 52;
  double factor;
  memcpy(&factor, &power, sizeof factor);
  value *= factor;
  power = (uint64_t)(order - first + 1023) << 52;
  memcpy(&factor, &power, sizeof factor);
  return value * factor;
}

static bool has_word(const char **place, const char *word) {
  size_t length = 0;
  for (; word[length]; length++)
    if (tolower((unsigned char)(*place)[length]) != word[length]) return false;
  *place += length;
  return true;
}

static double parse_hexadecimal(const char **place, const struct format *format) {
  struct whole numerator = {.count = 0}, denominator = {{1}, 1};
  int exponent = 0;
  bool is_behind_point = false, has_rest = false;
  for (;; (*place)++) {
    if (**place == '.' && !is_behind_point) {
      is_behind_point = true;
      continue;
    }
    if (!isxdigit((unsigned char)**place)) break;
    if (numerator.count < 8) {
      multiply_add(&numerator, 16, (uint32_t)digittoint((unsigned char)**place));
      if (is_behind_point) exponent -= 4;
    } else {
      has_rest |= **place != '0';
      if (!is_behind_point) exponent += 4;
    }
  }
  if (has_rest) numerator.limbs[0] |= 1;
  if ((**place | 0x20) == 'p') {
    char *end;
    long given = strtol(*place + 1, &end, 10);
    if (end != *place + 1 && !isspace((unsigned char)(*place)[1])) {
      *place = end;
      exponent += given > 5000 ? 5000 : given < -5000 ? -5000 : (int)given;
    }
  }
  if (numerator.count == 0) return 0;
  if (exponent > 1100) return __builtin_inf();
  if (exponent < -1500) return 0;
  if (exponent > 0) shift_left(&numerator, exponent);
  else shift_left(&denominator, -exponent);
  return divide(&numerator, &denominator, format);
}

static double parse_decimal(const char **place, const struct format *format) {
  struct whole numerator = {.count = 0}, denominator = {{1}, 1};
  int digits = 0, exponent = 0;
  bool is_behind_point = false, has_rest = false;
  for (;; (*place)++) {
    if (**place == '.' && !is_behind_point) {
      is_behind_point = true;
      continue;
    }
    if (!isdigit((unsigned char)**place)) break;
    if (digits < DIGITS_MAX) {
      multiply_add(&numerator, 10, (uint32_t)(**place - '0'));
      if (numerator.count) digits++;
      if (is_behind_point) exponent--;
    } else {
      has_rest |= **place != '0';
      if (!is_behind_point && exponent < 100000) exponent++;
    }
  }
  if ((**place | 0x20) == 'e') {
    char *end;
    long given = strtol(*place + 1, &end, 10);
    if (end != *place + 1 && !isspace((unsigned char)(*place)[1])) {
      *place = end;
      exponent += given > 100000 ? 100000 : given < -100000 ? -100000 : (int)given;
    }
  }
  if (numerator.count == 0) return 0;
  if (has_rest) {
    // Digits that were left out stand for more than nothing, and less than one of the last.
    multiply_add(&numerator, 10, 1);
    exponent--;
    digits++;
  }
  if (digits + exponent > 310) return __builtin_inf();
  if (digits + exponent < -345) return 0;
  if (exponent > 0) multiply_power(&numerator, 10, exponent);
  else multiply_power(&denominator, 10, -exponent);
  return divide(&numerator, &denominator, format);
}

static double parse(const char *string, char **end, const struct format *format) {
  const char *place = string;
  while (isspace((unsigned char)*place)) place++;
  bool is_negative = *place == '-';
  if (*place == '-' || *place == '+') place++;
  double value;
  const char *digits = place + (place[0] == '0' && (place[1] | 0x20) == 'x' ? 2 : 0);
  bool is_hexadecimal = digits != place && (isxdigit((unsigned char)digits[0]) ||
                                            (digits[0] == '.' && isxdigit((unsigned char)digits[1])));
  if (has_word(&place, "infinity") || has_word(&place, "inf")) {
    value = __builtin_inf();
  } else if (has_word(&place, "nan")) {
    value = __builtin_nan("");
  } else if (isdigit((unsigned char)place[0]) || (place[0] == '.' && isdigit((unsigned char)place[1]))) {
    int kept = errno;
    const char *first = place;
    if (is_hexadecimal) place += 2;
    value = is_hexadecimal ? parse_hexadecimal(&place, format) : parse_decimal(&place, format);
    errno = kept;
    bool is_zero = true;
    for (const char *digit = is_hexadecimal ? first + 2 : first; digit < place && is_zero; digit++) {
      if ((*digit | 0x20) == (is_hexadecimal ? 'p' : 'e')) break;
      is_zero = *digit == '0' || *digit == '.';
    }
    double smallest = format->precision == 53 ? 0x1p-1022 : 0x1p-126;
    if (!is_zero && (value < smallest || value == __builtin_inf())) errno = ERANGE;
  } else {
    if (end) *end = (char *)string;
    return 0;
  }
  if (end) *end = (char *)place;
  return is_negative ? -value : value;
}

double strtod(const char *string, char **end) { return parse(string, end, &(struct format){53, 1023, -1022}); }
float strtof(const char *string, char **end) { return (float)parse(string, end, &(struct format){24, 127, -126}); }
double atof(const char *string) { return strtod(string, NULL); }
