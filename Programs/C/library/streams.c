// streams.c: streams, and bytes to and from them (stdio.h).
//
// Invariants: a stream keeps bytes that were read (start < end) or bytes to be written (pending > 0), never both; before it
// turns from one to the other the first are given back to the file by seeking, the second are written. The first
// PUSHED_BACK_MAX bytes of a buffer are for ungetc(3). A stream is locked while a function is at it, once there are threads.

#include "library.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned char output_bytes[PUSHED_BACK_MAX + BUFSIZ], error_bytes[PUSHED_BACK_MAX + 1];
static struct stream error = {
    .descriptor = STDERR_FILENO, .is_writable = true, .is_unbuffered = true, .buffer = error_bytes,
    .size = sizeof error_bytes};
static struct stream output = {
    .descriptor = STDOUT_FILENO, .is_writable = true, .is_line_buffered = true, .buffer = output_bytes,
    .size = sizeof output_bytes, .next = &error};
static struct stream input = {
    .descriptor = STDIN_FILENO, .is_readable = true, .next = &output};

FILE *const stdin = &input, *const stdout = &output, *const stderr = &error;

static struct stream *streams = &input;
static struct library_lock list_lock;

// MARK: Locks

void flockfile(FILE *stream) {
  if (!is_threaded) return;
  struct pthread *self = own_record();
  if (stream->owner == self) {
    stream->depth++;
    return;
  }
  lock_always(&stream->lock);
  stream->owner = self;
}

int ftrylockfile(FILE *stream) {
  if (!is_threaded) return 0;
  struct pthread *self = own_record();
  uint32_t expected = 0;
  if (stream->owner == self) stream->depth++;
  else if (!__atomic_compare_exchange_n(&stream->lock.state, &expected, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
    return EBUSY;
  stream->owner = self;
  return 0;
}

// What was locked while there was one thread was not.
void funlockfile(FILE *stream) {
  if (!is_threaded || stream->owner != own_record()) return;
  if (stream->depth > 0) {
    stream->depth--;
    return;
  }
  stream->owner = NULL;
  unlock_always(&stream->lock);
}

// MARK: Bytes

int stream_flush(struct stream *stream) {
  size_t done = 0;
  while (done < stream->pending) {
    ssize_t count = write(stream->descriptor, stream->buffer + PUSHED_BACK_MAX + done, stream->pending - done);
    if (count > 0) {
      done += (size_t)count;
      continue;
    }
    // What could not be written stays, for another try.
    memmove(stream->buffer + PUSHED_BACK_MAX, stream->buffer + PUSHED_BACK_MAX + done, stream->pending - done);
    stream->pending -= done;
    stream->has_failed = true;
    return EOF;
  }
  stream->pending = 0;
  return 0;
}

int stream_make_buffer(struct stream *stream) {
  if (stream->buffer) return 0;
  stream->buffer = malloc(PUSHED_BACK_MAX + BUFSIZ);
  if (!stream->buffer) return EOF;
  stream->size = PUSHED_BACK_MAX + BUFSIZ;
  stream->owns_buffer = true;
  return 0;
}

static int refuse(struct stream *stream) {
  errno = EBADF;
  stream->has_failed = true;
  return EOF;
}

// Reads more; EOF at the end and when that fails.
static int fill(struct stream *stream) {
  if (stream->is_text || !stream->is_readable) return stream->is_text ? EOF : refuse(stream);
  if (stream_make_buffer(stream) != 0 || stream_flush(stream) != 0) return EOF;
  // Whoever is asked for something sees the question first.
  if (stream == &input && output.pending) fflush(stdout);
  // What was taken last can be given back still.
  if (stream->end > PUSHED_BACK_MAX)
    memmove(stream->buffer, stream->buffer + stream->end - PUSHED_BACK_MAX, PUSHED_BACK_MAX);
  size_t room = stream->is_unbuffered ? 1 : stream->size - PUSHED_BACK_MAX;
  ssize_t count = read(stream->descriptor, stream->buffer + PUSHED_BACK_MAX, room);
  stream->start = PUSHED_BACK_MAX;
  stream->end = PUSHED_BACK_MAX + (count > 0 ? (size_t)count : 0);
  if (count == 0) stream->has_end = true;
  if (count < 0) stream->has_failed = true;
  return count > 0 ? 0 : EOF;
}

int stream_get(struct stream *stream) {
  if (stream->start == stream->end && fill(stream) != 0) return EOF;
  return stream->buffer[stream->start++];
}

// Gives back to the file what was read too much of it.
static void forget_read(struct stream *stream) {
  if (stream->end > stream->start) lseek(stream->descriptor, -(off_t)(stream->end - stream->start), SEEK_CUR);
  stream->start = stream->end = 0;
}

static size_t write_at_once(struct stream *stream, const char *bytes, size_t count) {
  for (size_t done = 0; done < count;) {
    ssize_t written = write(stream->descriptor, bytes + done, count - done);
    if (written <= 0) {
      stream->has_failed = true;
      return done;
    }
    done += (size_t)written;
  }
  return count;
}

static size_t keep(struct stream *stream, const char *bytes, size_t count) {
  size_t room = stream->size - PUSHED_BACK_MAX;
  for (size_t done = 0; done < count;) {
    if (stream->pending == room && stream_flush(stream) != 0) return done;
    size_t piece = count - done < room - stream->pending ? count - done : room - stream->pending;
    memcpy(stream->buffer + PUSHED_BACK_MAX + stream->pending, bytes + done, piece);
    stream->pending += piece;
    done += piece;
  }
  return count;
}

size_t stream_put(struct stream *stream, const void *bytes, size_t count) {
  if (!stream->is_writable) {
    refuse(stream);
    return 0;
  }
  if (stream_make_buffer(stream) != 0) return 0;
  forget_read(stream);
  if (stream->is_unbuffered) return write_at_once(stream, bytes, count);
  const char *line_end = stream->is_line_buffered ? memrchr(bytes, '\n', count) : NULL;
  if (!line_end) return keep(stream, bytes, count);
  size_t whole = (size_t)(line_end - (const char *)bytes) + 1, done = keep(stream, bytes, whole);
  if (done == whole && stream_flush(stream) == 0) done += keep(stream, line_end + 1, count - whole);
  return done;
}

// MARK: Opening and closing

// The flags of open(2) for a mode of fopen(3), or -1.
static int parse_mode(const char *mode, bool *is_readable, bool *is_writable) {
  int flags = *mode == 'r' ? 0 : *mode == 'w' ? O_CREAT | O_TRUNC : *mode == 'a' ? O_CREAT | O_APPEND : -1;
  if (flags < 0) return -1;
  *is_readable = *mode == 'r' || strchr(mode, '+');
  *is_writable = *mode != 'r' || strchr(mode, '+');
  if (strchr(mode, 'x')) flags |= O_EXCL;
  if (strchr(mode, 'e')) flags |= O_CLOEXEC;
  return flags | (*is_readable && *is_writable ? O_RDWR : *is_writable ? O_WRONLY : O_RDONLY);
}

FILE *fdopen(int descriptor, const char *mode) {
  bool is_readable, is_writable;
  int flags = parse_mode(mode, &is_readable, &is_writable);
  if (flags < 0) {
    errno = EINVAL;
    return NULL;
  }
  if (fcntl(descriptor, F_GETFL) < 0) return NULL;
  struct stream *stream = calloc(1, sizeof *stream);
  if (!stream) return NULL;
  stream->descriptor = descriptor;
  stream->is_readable = is_readable;
  stream->is_writable = is_writable;
  stream->is_appending = *mode == 'a';
  bool is_locked = lock_shared(&list_lock);
  stream->next = streams;
  streams = stream;
  unlock_shared(&list_lock, is_locked);
  return stream;
}

FILE *fopen(const char *path, const char *mode) {
  bool is_readable, is_writable;
  int flags = parse_mode(mode, &is_readable, &is_writable);
  if (flags < 0) {
    errno = EINVAL;
    return NULL;
  }
  int descriptor = open(path, flags, 0666);
  if (descriptor < 0) return NULL;
  FILE *stream = fdopen(descriptor, mode);
  if (!stream) close(descriptor);
  return stream;
}

FILE *freopen(const char *path, const char *mode, FILE *stream) {
  bool is_readable, is_writable;
  int flags = parse_mode(mode, &is_readable, &is_writable);
  stream_flush(stream);
  int descriptor = flags < 0 ? -1 : open(path, flags, 0666);
  if (flags < 0) errno = EINVAL;
  int kept = descriptor < 0 ? -1 : dup2(descriptor, stream->descriptor);
  if (descriptor >= 0 && descriptor != stream->descriptor) close(descriptor);
  if (kept < 0) return NULL;
  stream->is_readable = is_readable;
  stream->is_writable = is_writable;
  stream->is_appending = *mode == 'a';
  stream->has_end = stream->has_failed = false;
  stream->start = stream->end = stream->pending = 0;
  return stream;
}

int fclose(FILE *stream) {
  int result = fflush(stream);
  bool is_locked = lock_shared(&list_lock);
  for (struct stream **place = &streams; *place; place = &(*place)->next)
    if (*place == stream) {
      *place = stream->next;
      break;
    }
  unlock_shared(&list_lock, is_locked);
  if (close(stream->descriptor) != 0) result = EOF;
  if (stream->owns_buffer) free(stream->buffer);
  if (stream != &input && stream != &output && stream != &error) free(stream);
  return result;
}

int flush_all_streams(void) {
  int result = 0;
  bool is_locked = lock_shared(&list_lock);
  for (struct stream *stream = streams; stream; stream = stream->next)
    if (stream->pending && stream_flush(stream) != 0) result = EOF;
  unlock_shared(&list_lock, is_locked);
  return result;
}

int fflush(FILE *stream) {
  if (!stream) return flush_all_streams();
  flockfile(stream);
  int result = stream_flush(stream);
  forget_read(stream);
  funlockfile(stream);
  return result;
}

int setvbuf(FILE *stream, char *buffer, int mode, size_t size) {
  if (mode != _IOFBF && mode != _IOLBF && mode != _IONBF) return EOF;
  if (stream_flush(stream) != 0) return EOF;
  forget_read(stream);
  stream->is_unbuffered = mode == _IONBF;
  stream->is_line_buffered = mode == _IOLBF;
  // A buffer of another size is the library's own: a part of every buffer is for ungetc(3).
  if (mode != _IONBF && (size > BUFSIZ || stream->size <= PUSHED_BACK_MAX + 1)) {
    size_t room = size > BUFSIZ ? size : BUFSIZ;
    unsigned char *larger = malloc(PUSHED_BACK_MAX + room);
    if (!larger) return EOF;
    if (stream->owns_buffer) free(stream->buffer);
    stream->buffer = larger;
    stream->size = PUSHED_BACK_MAX + room;
    stream->owns_buffer = true;
  }
  (void)buffer;
  return 0;
}

void setbuf(FILE *stream, char *buffer) { setvbuf(stream, buffer, buffer ? _IOFBF : _IONBF, BUFSIZ); }
void setlinebuf(FILE *stream) { setvbuf(stream, NULL, _IOLBF, 0); }

// MARK: Position

int fseeko(FILE *stream, off_t offset, int origin) {
  flockfile(stream);
  int result = stream_flush(stream);
  if (origin == SEEK_CUR) offset -= (off_t)(stream->end - stream->start);
  if (result == 0 && lseek(stream->descriptor, offset, origin) < 0) result = EOF;
  if (result == 0) {
    stream->start = stream->end = 0;
    stream->has_end = false;
  }
  funlockfile(stream);
  return result;
}

off_t ftello(FILE *stream) {
  flockfile(stream);
  off_t place = lseek(stream->descriptor, 0, stream->pending && stream->is_appending ? SEEK_END : SEEK_CUR);
  if (place >= 0) place += (off_t)stream->pending - (off_t)(stream->end - stream->start);
  funlockfile(stream);
  return place;
}

int fseek(FILE *stream, long offset, int origin) { return fseeko(stream, offset, origin); }
long ftell(FILE *stream) { return ftello(stream); }
int fgetpos(FILE *stream, fpos_t *place) { return (*place = ftello(stream)) < 0 ? -1 : 0; }
int fsetpos(FILE *stream, const fpos_t *place) { return fseeko(stream, *place, SEEK_SET); }
void rewind(FILE *stream) {
  fseeko(stream, 0, SEEK_SET);
  stream->has_failed = false;
}

int fileno(FILE *stream) { return stream->descriptor; }
int feof(FILE *stream) { return stream->has_end; }
int ferror(FILE *stream) { return stream->has_failed; }
void clearerr(FILE *stream) { stream->has_end = stream->has_failed = false; }
