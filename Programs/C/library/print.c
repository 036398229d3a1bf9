// print.c: formatted printing. A call gathers its text and hands it to the kernel in as few writes as possible.

#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

// Where formatted text goes: a caller's buffer of fixed size, or (descriptor >= 0) a file through a small buffer.
struct sink {
  char *bytes;
  size_t size;
  size_t used;
  size_t total;
  int descriptor;
};

static void flush(struct sink *sink) {
  for (size_t done = 0; done < sink->used;) {
    ssize_t count = write(sink->descriptor, sink->bytes + done, sink->used - done);
    if (count <= 0) break;
    done += (size_t)count;
  }
  sink->used = 0;
}

static void put(struct sink *sink, char character) {
  sink->total++;
  if (sink->used == sink->size) {
    if (sink->descriptor < 0) return;
    flush(sink);
  }
  sink->bytes[sink->used++] = character;
}

struct conversion {
  int width;
  int precision;
  char padding;
  int left;
};

static void put_padded(struct sink *sink, const char *text, size_t length, const struct conversion *conversion) {
  int padding = conversion->width - (int)length;
  if (!conversion->left && conversion->padding == '0' && length && *text == '-') {
    put(sink, *text++);
    length--;
  }
  for (int index = 0; !conversion->left && index < padding; index++) put(sink, conversion->padding);
  for (size_t index = 0; index < length; index++) put(sink, text[index]);
  for (int index = 0; conversion->left && index < padding; index++) put(sink, ' ');
}

static void put_number(struct sink *sink, uint64_t value, unsigned base, int negative, const char *digits,
                       const struct conversion *conversion) {
  char text[24];
  size_t start = sizeof text;
  do {
    text[--start] = digits[value % base];
    value /= base;
  } while (value);
  if (negative) text[--start] = '-';
  put_padded(sink, text + start, sizeof text - start, conversion);
}

static void format(struct sink *sink, const char *text, va_list arguments) {
  for (; *text; text++) {
    if (*text != '%') {
      put(sink, *text);
      continue;
    }
    struct conversion conversion = {0, -1, ' ', 0};
    for (text++; *text == '-' || *text == '0'; text++) {
      if (*text == '-') conversion.left = 1;
      if (*text == '0') conversion.padding = '0';
    }
    if (*text == '*') {
      conversion.width = va_arg(arguments, int);
      text++;
    }
    for (; *text >= '0' && *text <= '9'; text++) conversion.width = conversion.width * 10 + (*text - '0');
    if (*text == '.') {
      conversion.precision = 0;
      for (text++; *text >= '0' && *text <= '9'; text++)
        conversion.precision = conversion.precision * 10 + (*text - '0');
    }
    int is_long = 0;
    for (; *text == 'l' || *text == 'z' || *text == 'j' || *text == 'h'; text++)
      if (*text != 'h') is_long = 1;
    const char *digits = *text == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    switch (*text) {
      case 'd':
      case 'i': {
        int64_t value = is_long ? va_arg(arguments, int64_t) : va_arg(arguments, int);
        put_number(sink, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0, digits, &conversion);
        break;
      }
      case 'u':
      case 'x':
      case 'X':
      case 'o': {
        uint64_t value = is_long ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned);
        put_number(sink, value, *text == 'u' ? 10 : *text == 'o' ? 8 : 16, 0, digits, &conversion);
        break;
      }
      case 'p': {
        put(sink, '0');
        put(sink, 'x');
        put_number(sink, (uint64_t)va_arg(arguments, void *), 16, 0, digits, &conversion);
        break;
      }
      case 'c': {
        char character = (char)va_arg(arguments, int);
        put_padded(sink, &character, 1, &conversion);
        break;
      }
      case 's': {
        const char *string = va_arg(arguments, const char *);
        if (!string) string = "(null)";
        size_t length = 0;
        while ((conversion.precision < 0 || length < (size_t)conversion.precision) && string[length]) length++;
        conversion.padding = ' ';
        put_padded(sink, string, length, &conversion);
        break;
      }
      case '%':
        put(sink, '%');
        break;
      default:
        put(sink, '%');
        if (!*text) return;
        put(sink, *text);
    }
  }
}

int vdprintf(int descriptor, const char *text, va_list arguments) {
  char buffer[512];
  struct sink sink = {buffer, sizeof buffer, 0, 0, descriptor};
  format(&sink, text, arguments);
  flush(&sink);
  return (int)sink.total;
}

int vsnprintf(char *buffer, size_t size, const char *text, va_list arguments) {
  struct sink sink = {buffer, size ? size - 1 : 0, 0, 0, -1};
  format(&sink, text, arguments);
  if (size) buffer[sink.used] = 0;
  return (int)sink.total;
}

int dprintf(int descriptor, const char *text, ...) {
  va_list arguments;
  va_start(arguments, text);
  int count = vdprintf(descriptor, text, arguments);
  va_end(arguments);
  return count;
}

int printf(const char *text, ...) {
  va_list arguments;
  va_start(arguments, text);
  int count = vdprintf(STDOUT_FILENO, text, arguments);
  va_end(arguments);
  return count;
}

int snprintf(char *buffer, size_t size, const char *text, ...) {
  va_list arguments;
  va_start(arguments, text);
  int count = vsnprintf(buffer, size, text, arguments);
  va_end(arguments);
  return count;
}

int puts(const char *text) {
  return printf("%s\n", text);
}

int putchar(int character) {
  char byte = (char)character;
  return write(STDOUT_FILENO, &byte, 1) == 1 ? character : -1;
}
