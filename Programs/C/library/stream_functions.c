// stream_functions.c: characters, lines and blocks of streams (stdio.h).

#include "library.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// MARK: Reading

int getc_unlocked(FILE *stream) { return stream_get(stream); }

int fgetc(FILE *stream) {
  flockfile(stream);
  int character = stream_get(stream);
  funlockfile(stream);
  return character;
}

int getc(FILE *stream) { return fgetc(stream); }
int getchar(void) { return fgetc(stdin); }
int getchar_unlocked(void) { return stream_get(stdin); }

int ungetc(int character, FILE *stream) {
  if (character == EOF || !stream->is_readable) return EOF;
  flockfile(stream);
  // Nothing is in the buffer: what is pushed back is all of it.
  bool has_room = stream->pending == 0 && stream_make_buffer(stream) == 0;
  if (stream->start == stream->end) stream->start = stream->end = PUSHED_BACK_MAX;
  has_room = has_room && stream->start > 0;
  if (has_room) {
    stream->buffer[--stream->start] = (unsigned char)character;
    stream->has_end = false;
  }
  funlockfile(stream);
  return has_room ? (unsigned char)character : EOF;
}

size_t fread(void *bytes, size_t size, size_t count, FILE *stream) {
  size_t total, done = 0;
  if (__builtin_mul_overflow(size, count, &total) || total == 0) return 0;
  flockfile(stream);
  while (done < total) {
    int character = stream_get(stream);
    if (character == EOF) break;
    ((unsigned char *)bytes)[done++] = (unsigned char)character;
    // What else is there already is taken at once.
    size_t ready = stream->end - stream->start, wanted = total - done;
    size_t piece = ready < wanted ? ready : wanted;
    memcpy((char *)bytes + done, stream->buffer + stream->start, piece);
    stream->start += piece;
    done += piece;
  }
  funlockfile(stream);
  return done / size;
}

char *fgets(char *line, int size, FILE *stream) {
  if (size <= 0) return NULL;
  int length = 0, character = 0;
  flockfile(stream);
  while (length < size - 1 && character != '\n' && (character = stream_get(stream)) != EOF)
    line[length++] = (char)character;
  bool has_failed = character == EOF && (length == 0 || stream->has_failed);
  funlockfile(stream);
  line[length] = 0;
  return has_failed ? NULL : line;
}

static int grow(char **line, size_t *size, size_t needed) {
  if (*line && *size >= needed) return 0;
  size_t larger = *line && *size ? *size * 2 : 128;
  char *memory = realloc(*line, larger < needed ? needed : larger);
  if (!memory) return -1;
  *line = memory;
  *size = larger < needed ? needed : larger;
  return 0;
}

ssize_t getdelim(char **line, size_t *size, int delimiter, FILE *stream) {
  size_t length = 0;
  int character = 0;
  bool has_failed = false;
  if (!*line) *size = 0;
  flockfile(stream);
  do {
    has_failed = grow(line, size, length + 2) != 0;
    if (has_failed || (character = stream_get(stream)) == EOF) break;
    (*line)[length++] = (char)character;
  } while (character != delimiter);
  funlockfile(stream);
  if (has_failed || length == 0) return -1;
  (*line)[length] = 0;
  return (ssize_t)length;
}

ssize_t getline(char **line, size_t *size, FILE *stream) { return getdelim(line, size, '\n', stream); }

// MARK: Writing

int putc_unlocked(int character, FILE *stream) {
  unsigned char byte = (unsigned char)character;
  return stream_put(stream, &byte, 1) == 1 ? byte : EOF;
}

int fputc(int character, FILE *stream) {
  flockfile(stream);
  int result = putc_unlocked(character, stream);
  funlockfile(stream);
  return result;
}

int putc(int character, FILE *stream) { return fputc(character, stream); }
int putchar(int character) { return fputc(character, stdout); }
int putchar_unlocked(int character) { return putc_unlocked(character, stdout); }

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *stream) {
  size_t total;
  if (__builtin_mul_overflow(size, count, &total) || total == 0) return 0;
  flockfile(stream);
  size_t done = stream_put(stream, bytes, total);
  funlockfile(stream);
  return done / size;
}

int fputs(const char *string, FILE *stream) {
  size_t length = strlen(string);
  return length == 0 || fwrite(string, 1, length, stream) == length ? 0 : EOF;
}

int puts(const char *string) {
  flockfile(stdout);
  int result = fputs(string, stdout) == 0 && putc_unlocked('\n', stdout) != EOF ? 0 : EOF;
  funlockfile(stdout);
  return result;
}

FILE *tmpfile(void) {
  int descriptor = shm_open2(SHM_ANON, O_RDWR | O_CLOEXEC, 0600, SHM_GROW_ON_WRITE, NULL);
  if (descriptor < 0) return NULL;
  FILE *stream = fdopen(descriptor, "w+");
  if (!stream) close(descriptor);
  return stream;
}

char *tmpnam(char *name) {
  static char own[L_tmpnam];
  if (!name) name = own;
  snprintf(name, L_tmpnam, "/tmp/tmp.%08x%08x", arc4random(), arc4random());
  return name;
}

int remove(const char *path) { return unlink(path); }
