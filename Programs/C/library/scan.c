// scan.c: formatted reading (stdio.h).
//
// A text is read as a stream that has all its bytes already, so there is one way for both. Of what does not belong to a
// conversion one character is looked at and given back, or two: of "7e+x" 7 is the number, as on FreeBSD.

#include "library.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// Characters of a number are gathered here; no number that is converted exactly has more.
enum { NUMBER_MAX = 1200 };

struct input {
  struct stream *stream;
  size_t taken;
};

static int take(struct input *input) {
  int character = stream_get(input->stream);
  if (character != EOF) input->taken++;
  return character;
}

// What was taken last lies in the buffer still.
static void give_back(struct input *input, int character) {
  if (character == EOF) return;
  input->stream->start--;
  input->taken--;
}

static int skip_space(struct input *input) {
  int character;
  do character = take(input);
  while (character != EOF && isspace(character));
  give_back(input, character);
  return character == EOF ? EOF : 0;
}

struct number {
  char text[NUMBER_MAX + 1];
  int length, width;
};

// Takes the next character into the number if it is one of these, or if there are none: a digit of the base.
static bool accept(struct input *input, struct number *number, const char *wanted, int base) {
  if (number->width == 0 || number->length == NUMBER_MAX) return false;
  int character = take(input);
  bool is_wanted = character != EOF && (wanted ? character && strchr(wanted, character) != NULL
                                               : isxdigit(character) && digittoint(character) < base);
  if (!is_wanted) {
    give_back(input, character);
    return false;
  }
  number->width--;
  number->text[number->length++] = (char)character;
  return true;
}

// Gives the last characters back: they looked as if the number went on.
static void shorten(struct input *input, struct number *number, int length) {
  for (; number->length > length; number->length--) {
    give_back(input, number->text[number->length - 1]);
    if (number->width >= 0) number->width++;
  }
}

static bool gather_whole(struct input *input, struct number *number, int *base) {
  accept(input, number, "+-", 0);
  int sign = number->length;
  if ((*base == 0 || *base == 16) && accept(input, number, "0", 0)) {
    int zero = number->length;
    if (accept(input, number, "xX", 0)) *base = 16;
    else if (*base == 0) *base = 8;
    if (number->length > zero && !accept(input, number, NULL, 16)) {
      shorten(input, number, zero);
      number->text[zero] = 0;
      return true;
    }
  } else if (*base == 0) {
    *base = 10;
  }
  while (accept(input, number, NULL, *base)) continue;
  number->text[number->length] = 0;
  return number->length > sign;
}

static bool gather_floating(struct input *input, struct number *number) {
  accept(input, number, "+-", 0);
  bool has_digits = false;
  int base = 10;
  if (accept(input, number, "iInN", 0)) {
    // inf, infinity and nan: whatever else is in the word makes the conversion fail.
    while (accept(input, number, "aAfFiInNtTyY", 0)) continue;
    number->text[number->length] = 0;
    return true;
  }
  if (accept(input, number, "0", 0)) {
    has_digits = true;
    int zero = number->length;
    if (accept(input, number, "xX", 0)) {
      base = 16;
      if (!accept(input, number, NULL, base)) {
        // The zero alone is the number.
        shorten(input, number, zero);
        number->text[number->length] = 0;
        return true;
      }
    }
  }
  while (accept(input, number, NULL, base)) has_digits = true;
  if (accept(input, number, ".", 0))
    while (accept(input, number, NULL, base)) has_digits = true;
  if (has_digits && accept(input, number, base == 16 ? "pP" : "eE", 0)) {
    int letter = number->length - 1;
    accept(input, number, "+-", 0);
    if (!accept(input, number, NULL, 10)) shorten(input, number, letter);
    else while (accept(input, number, NULL, 10)) continue;
  }
  number->text[number->length] = 0;
  return has_digits;
}

static void store(void *place, int size, uint64_t value) {
  switch (size) {
    case 1: *(uint8_t *)place = (uint8_t)value; break;
    case 2: *(uint16_t *)place = (uint16_t)value; break;
    case 4: *(uint32_t *)place = (uint32_t)value; break;
    default: *(uint64_t *)place = value;
  }
}

// The characters of a set, as %[ has them; gives what is behind it.
static const char *parse_set(const char *text, bool set[256]) {
  bool is_inverted = *text == '^';
  if (is_inverted) text++;
  memset(set, is_inverted, 256);
  const char *first = text;
  for (; *text && (*text != ']' || text == first); text++) {
    unsigned char low = (unsigned char)*text, high = low;
    if (text[1] == '-' && text[2] && text[2] != ']') {
      high = (unsigned char)text[2];
      text += 2;
    }
    for (int character = low; character <= high; character++) set[character] = !is_inverted;
  }
  return *text ? text + 1 : text;
}

// Takes what belongs to a set, with a zero behind it unless it is counted (%c). Gives how many those were.
static int take_set(struct input *input, const bool set[256], int width, char *place, bool is_terminated) {
  int count = 0;
  while (count != width) {
    int character = take(input);
    if (character == EOF || !set[character]) {
      give_back(input, character);
      break;
    }
    if (place) place[count] = (char)character;
    count++;
  }
  if (place && is_terminated && count) place[count] = 0;
  return count;
}

// The base of a conversion of whole numbers; 0: what the number begins with says it. -1 for other conversions.
static int base_of(char kind) {
  switch (kind) {
    case 'd':
    case 'u': return 10;
    case 'i': return 0;
    case 'o': return 8;
    case 'x':
    case 'X':
    case 'p': return 16;
    default: return -1;
  }
}

// A conversion: what stands between % and the next text.
struct directive {
  bool is_suppressed;
  int width, size;
  char kind;
};

// Reads a directive; gives where its kind stands.
static const char *parse_directive(const char *text, struct directive *directive) {
  *directive = (struct directive){.is_suppressed = *text == '*', .size = 4};
  if (directive->is_suppressed) text++;
  for (; isdigit(*text); text++)
    if (directive->width < 100000) directive->width = directive->width * 10 + (*text - '0');
  if (directive->width == 0) directive->width = -1;
  for (;; text++) {
    if (*text == 'h') directive->size = directive->size == 2 ? 1 : 2;
    else if (*text == 'l' || *text == 'z' || *text == 'j' || *text == 't' || *text == 'q') directive->size = 8;
    else if (*text == 'L') directive->size = 16;
    else break;
  }
  directive->kind = *text;
  if (*text == 'p') directive->size = 8;
  return text;
}

static bool convert_whole(struct input *input, const struct directive *directive, int base, void *place) {
  struct number number = {.length = 0, .width = directive->width};
  if (!gather_whole(input, &number, &base)) return false;
  bool is_signed = directive->kind == 'd' || directive->kind == 'i';
  uint64_t value = is_signed ? (uint64_t)strtol(number.text, NULL, base) : strtoul(number.text, NULL, base);
  if (place) store(place, directive->size, value);
  return true;
}

static bool convert_floating(struct input *input, const struct directive *directive, void *place) {
  struct number number = {.length = 0, .width = directive->width};
  if (!gather_floating(input, &number)) return false;
  char *end;
  double value = strtod(number.text, &end);
  if (*end) return false;
  if (place && directive->size == 4) *(float *)place = strtof(number.text, NULL);
  else if (place && directive->size == 16) *(long double *)place = value;
  else if (place) *(double *)place = value;
  return true;
}

// Does what a directive says; `text` stands at its kind, and behind a set at its end. False when the input does not fit.
static bool convert(struct input *input, const struct directive *directive, const char **text, void *place) {
  bool set[256];
  int base = base_of(directive->kind), width = directive->width;
  if (base >= 0) return convert_whole(input, directive, base, place);
  switch (directive->kind) {
    case 'c':
      memset(set, true, sizeof set);
      if (width < 0) width = 1;
      return take_set(input, set, width, place, false) == width;
    case 's':
      for (int character = 0; character < 256; character++) set[character] = !isspace(character);
      return take_set(input, set, width, place, true) > 0;
    case '[':
      *text = parse_set(*text + 1, set) - 1;
      return take_set(input, set, width, place, true) > 0;
    default:
      return strchr("aAeEfFgG", directive->kind) && convert_floating(input, directive, place);
  }
}

// Takes one character that has to be there.
static bool match(struct input *input, char wanted, bool *is_at_end) {
  int character = take(input);
  *is_at_end = character == EOF;
  if (character == (unsigned char)wanted) return true;
  give_back(input, character);
  return false;
}

static int scan(struct stream *stream, const char *text, va_list arguments) {
  struct input input = {stream, 0};
  int assigned = 0;
  bool is_at_end;
  for (; *text; text++) {
    if (isspace((unsigned char)*text)) {
      skip_space(&input);
      continue;
    }
    if (*text != '%' || text[1] == '%') {
      if (*text == '%') {
        text++;
        skip_space(&input);
      }
      if (match(&input, *text, &is_at_end)) continue;
      return is_at_end && assigned == 0 ? EOF : assigned;
    }
    struct directive directive;
    text = parse_directive(text + 1, &directive);
    if (directive.kind == 0) return assigned;
    void *place = directive.is_suppressed ? NULL : va_arg(arguments, void *);
    if (directive.kind == 'n') {
      if (place) store(place, directive.size, input.taken);
      continue;
    }
    if (directive.kind != 'c' && directive.kind != '[') skip_space(&input);
    int next = take(&input);
    give_back(&input, next);
    if (next == EOF) return assigned == 0 ? EOF : assigned;
    if (!convert(&input, &directive, &text, place)) return assigned;
    if (place) assigned++;
  }
  return assigned;
}

int vfscanf(FILE *stream, const char *text, va_list arguments) {
  flockfile(stream);
  int count = scan(stream, text, arguments);
  funlockfile(stream);
  return count;
}

int vsscanf(const char *string, const char *text, va_list arguments) {
  struct stream stream = {
      .descriptor = -1, .is_text = true, .buffer = (unsigned char *)(uintptr_t)string, .end = strlen(string)};
  return scan(&stream, text, arguments);
}

int vscanf(const char *text, va_list arguments) { return vfscanf(stdin, text, arguments); }

int scanf(const char *text, ...) { WITH_ARGUMENTS(vfscanf(stdin, text, arguments)); }
int fscanf(FILE *stream, const char *text, ...) { WITH_ARGUMENTS(vfscanf(stream, text, arguments)); }
int sscanf(const char *string, const char *text, ...) { WITH_ARGUMENTS(vsscanf(string, text, arguments)); }
