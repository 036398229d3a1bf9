// print.c: formatted printing (stdio.h). What is printed is gathered, and handed on in as few pieces as possible.

#include "library.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// MARK: Sinks

void put(struct sink *sink, char character) {
  sink->total++;
  if (sink->used == sink->size) {
    if (!sink->drain) return;
    sink->drain(sink);
    sink->used = 0;
  }
  sink->bytes[sink->used++] = character;
}

static void put_repeated(struct sink *sink, char character, int count) {
  for (; count > 0; count--) put(sink, character);
}

void put_padded(struct sink *sink, const char *prefix, const char *text, size_t length,
                const struct conversion *conversion) {
  size_t prefix_length = strlen(prefix);
  int zeros = conversion->precision > (int)length ? conversion->precision - (int)length : 0;
  int padding = conversion->width - (int)length - (int)prefix_length - zeros;
  if (padding < 0) padding = 0;
  if (conversion->is_zero_padded && !conversion->is_left) {
    zeros += padding;
    padding = 0;
  }
  if (!conversion->is_left) put_repeated(sink, ' ', padding);
  for (size_t index = 0; index < prefix_length; index++) put(sink, prefix[index]);
  put_repeated(sink, '0', zeros);
  for (size_t index = 0; index < length; index++) put(sink, text[index]);
  if (conversion->is_left) put_repeated(sink, ' ', padding);
}

// MARK: Conversions

static void put_whole(struct sink *sink, uint64_t value, char kind, const char *sign, struct conversion *conversion) {
  unsigned base = kind == 'x' || kind == 'X' || kind == 'p' ? 16 : kind == 'o' ? 8 : 10;
  const char *digits = kind == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
  const char *prefix = sign;
  if (kind == 'p' || (conversion->is_alternate && base == 16 && value)) prefix = kind == 'X' ? "0X" : "0x";
  char text[24];
  size_t start = sizeof text;
  for (uint64_t rest = value; rest; rest /= base) text[--start] = digits[rest % base];
  // A precision of zero leaves nothing of zero; the octal form begins with a zero in any case.
  if (start == sizeof text && conversion->precision != 0) text[--start] = '0';
  int length = (int)(sizeof text - start);
  if (kind == 'o' && conversion->is_alternate && (length == 0 || text[start] != '0') && conversion->precision <= length)
    text[--start] = '0';
  if (conversion->precision >= 0) conversion->is_zero_padded = false;
  put_padded(sink, prefix, text + start, sizeof text - start, conversion);
}

static const char *read_flags(const char *text, struct conversion *conversion) {
  for (;; text++) switch (*text) {
      case '-': conversion->is_left = true; break;
      case '0': conversion->is_zero_padded = true; break;
      case '+': conversion->has_sign = true; break;
      case ' ': conversion->has_space = true; break;
      case '#': conversion->is_alternate = true; break;
      default: return text;
    }
}

static const char *read_digits(const char *text, int *number) {
  for (*number = 0; isdigit(*text); text++)
    if (*number < 100000) *number = *number * 10 + (*text - '0');
  return text;
}

static int64_t signed_value(int size, int64_t value) {
  return size == 1 ? (signed char)value : size == 2 ? (short)value : size == 4 ? (int)value : value;
}

// Stores how much was printed, for %n.
static void store_count(void *place, int size, size_t count) {
  if (size == 1) *(signed char *)place = (signed char)count;
  else if (size == 2) *(short *)place = (short)count;
  else if (size == 4) *(int *)place = (int)count;
  else *(long *)place = (long)count;
}

static void put_text(struct sink *sink, const char *text, size_t length, struct conversion *conversion) {
  conversion->precision = -1;
  conversion->is_zero_padded = false;
  put_padded(sink, "", text, length, conversion);
}

// What stands between % and the kind: flags, width, precision; gives where the rest is.
static const char *parse_conversion(const char *text, struct conversion *conversion, va_list *arguments) {
  *conversion = (struct conversion){.precision = -1};
  text = read_flags(text, conversion);
  if (*text == '*') {
    text++;
    conversion->width = va_arg(*arguments, int);
    if (conversion->width < 0) {
      conversion->is_left = true;
      conversion->width = -conversion->width;
    }
  } else {
    text = read_digits(text, &conversion->width);
  }
  if (*text != '.') return text;
  if (text[1] != '*') return read_digits(text + 1, &conversion->precision);
  conversion->precision = va_arg(*arguments, int);
  return text + 2;
}

// Bytes of the argument, or 16 for a long double; gives where the kind stands.
static const char *parse_size(const char *text, int *size) {
  for (*size = 4;; text++) {
    if (*text == 'h') *size = *size == 2 ? 1 : 2;
    else if (*text == 'l' || *text == 'z' || *text == 'j' || *text == 't' || *text == 'q') *size = 8;
    else if (*text == 'L') *size = 16;
    else return text;
  }
}

static void convert(struct sink *sink, char kind, int size, struct conversion *conversion, va_list *arguments) {
  switch (kind) {
    case 'd':
    case 'i': {
      int64_t value = signed_value(size, size == 8 ? va_arg(*arguments, int64_t) : va_arg(*arguments, int));
      const char *sign = value < 0 ? "-" : conversion->has_sign ? "+" : conversion->has_space ? " " : "";
      put_whole(sink, value < 0 ? -(uint64_t)value : (uint64_t)value, 'd', sign, conversion);
      break;
    }
    case 'u':
    case 'x':
    case 'X':
    case 'o': {
      uint64_t value = size == 8 ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned);
      if (size < 8) value &= (UINT64_C(1) << 8 * size) - 1;
      put_whole(sink, value, kind, "", conversion);
      break;
    }
    case 'p':
      put_whole(sink, (uint64_t)va_arg(*arguments, void *), 'p', "", conversion);
      break;
    case 'f':
    case 'F':
    case 'e':
    case 'E':
    case 'g':
    case 'G':
      format_floating(sink, size == 16 ? (double)va_arg(*arguments, long double) : va_arg(*arguments, double), kind,
                      conversion);
      break;
    case 'c': {
      char character = (char)va_arg(*arguments, int);
      put_text(sink, &character, 1, conversion);
      break;
    }
    case 's': {
      const char *string = va_arg(*arguments, const char *);
      if (!string) string = "(null)";
      put_text(sink, string, strnlen(string, conversion->precision < 0 ? SIZE_MAX : (size_t)conversion->precision),
               conversion);
      break;
    }
    case 'n':
      store_count(va_arg(*arguments, void *), size, sink->total);
      break;
    default:
      if (kind != '%') put(sink, '%');
      if (kind) put(sink, kind);
  }
}

void format_text(struct sink *sink, const char *text, va_list given) {
  va_list arguments;
  va_copy(arguments, given);
  for (; *text; text++) {
    if (*text != '%') {
      put(sink, *text);
      continue;
    }
    struct conversion conversion;
    int size;
    text = parse_size(parse_conversion(text + 1, &conversion, &arguments), &size);
    convert(sink, *text, size, &conversion, &arguments);
    if (!*text) break;
  }
  va_end(arguments);
}

// MARK: To descriptors, streams and memory

static void write_out(struct sink *sink) {
  int descriptor = *(int *)sink->context;
  for (size_t done = 0; done < sink->used;) {
    ssize_t count = write(descriptor, sink->bytes + done, sink->used - done);
    if (count <= 0) {
      sink->has_failed = true;
      break;
    }
    done += (size_t)count;
  }
}

static int finish(struct sink *sink) {
  sink->drain(sink);
  return sink->has_failed ? EOF : (int)sink->total;
}

int vdprintf(int descriptor, const char *text, va_list arguments) {
  char buffer[512];
  struct sink sink = {.bytes = buffer, .size = sizeof buffer, .drain = write_out, .context = &descriptor};
  format_text(&sink, text, arguments);
  return finish(&sink);
}

static void hand_on(struct sink *sink) {
  if (stream_put(sink->context, sink->bytes, sink->used) != sink->used) sink->has_failed = true;
}

int vfprintf(FILE *stream, const char *text, va_list arguments) {
  char buffer[512];
  struct sink sink = {.bytes = buffer, .size = sizeof buffer, .drain = hand_on, .context = stream};
  flockfile(stream);
  format_text(&sink, text, arguments);
  int count = finish(&sink);
  funlockfile(stream);
  return count;
}

int vsnprintf(char *buffer, size_t size, const char *text, va_list arguments) {
  struct sink sink = {.bytes = buffer, .size = size ? size - 1 : 0};
  format_text(&sink, text, arguments);
  if (size) buffer[sink.used] = 0;
  return (int)sink.total;
}

int vasprintf(char **result, const char *text, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, text, again);
  va_end(again);
  *result = malloc((size_t)length + 1);
  return *result ? vsnprintf(*result, (size_t)length + 1, text, arguments) : -1;
}

int vsprintf(char *buffer, const char *text, va_list arguments) {
  return vsnprintf(buffer, SIZE_MAX, text, arguments);
}

int vprintf(const char *text, va_list arguments) { return vfprintf(stdout, text, arguments); }

int dprintf(int descriptor, const char *text, ...) { WITH_ARGUMENTS(vdprintf(descriptor, text, arguments)); }
int fprintf(FILE *stream, const char *text, ...) { WITH_ARGUMENTS(vfprintf(stream, text, arguments)); }
int printf(const char *text, ...) { WITH_ARGUMENTS(vfprintf(stdout, text, arguments)); }
int snprintf(char *buffer, size_t size, const char *text, ...) {
  WITH_ARGUMENTS(vsnprintf(buffer, size, text, arguments));
}
int sprintf(char *buffer, const char *text, ...) { WITH_ARGUMENTS(vsprintf(buffer, text, arguments)); }
int asprintf(char **result, const char *text, ...) { WITH_ARGUMENTS(vasprintf(result, text, arguments)); }
