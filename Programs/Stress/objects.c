// objects.c: shared memory objects of a checking worker beside copies of their bytes: made, resized, written and read through
// calls and through mappings.
//
// Whatever may be refused (too little memory, a fail point) is allowed to be; then nothing may have changed but the bytes that
// a transfer was about, each of which is what it was or what it was to become.

#include "checked.h"

struct object objects[OBJECTS];
unsigned char expected[OBJECTS][BYTES];
unsigned char buffer[BYTES], seen[BYTES];
struct generator random_choice;
int this_worker;

_Noreturn void wrong(const char *text, ...) {
  va_list arguments;
  va_start(arguments, text);
  vsnprintf(board->worker[this_worker].failure, sizeof board->worker[this_worker].failure, text, arguments);
  va_end(arguments);
  _exit(WRONG);
}

int allowed(const char *call, long result) {
  board->worker[this_worker].calls++;
  if (result != -1) return 1;
  int error = errno;
  if (error == ENOMEM || error == EAGAIN || error == ENFILE || error == EMFILE) return 0;
  if (options.faults && (error == EIO || error == EFAULT)) return 0;
  wrong("%s failed with %s", call, strerror(error));
}

void compare(const char *what, int number, const unsigned char *found, const unsigned char *right, size_t start,
             size_t length) {
  if (memcmp(found, right, length) == 0) return;
  size_t index = 0;
  while (found[index] == right[index]) index++;
  wrong("%s: object %d, size %zu, byte %zu (%zu of %zu): %02x, expected %02x", what, number, objects[number].size,
        start + index, index, length, found[index], right[index]);
}

void fill(unsigned char *bytes, size_t length, struct generator *generator) {
  for (size_t index = 0; index < length; index += 8) {
    uint64_t value = draw(generator);
    memcpy(bytes + index, &value, length - index < 8 ? length - index : 8);
  }
}

void worker_name(char *name, size_t size, int worker, int number) {
  snprintf(name, size, "/checked.%d.%d", worker, number);
}

void check_size(int number) {
  struct stat status;
  struct object *object = &objects[number];
  if (!ALLOWED(fstat(object->descriptor, &status))) return;
  if ((size_t)status.st_size != object->size || status.st_ino != object->inode)
    wrong("object %d: size %zu, inode %lu, expected %zu, %lu", number, (size_t)status.st_size, (long)status.st_ino,
          object->size, (long)object->inode);
}

static void unmap_all(struct object *object) {
  for (int index = 0; index < MAPPINGS; index++) {
    if (object->mapping[index].address && ALLOWED(munmap(object->mapping[index].address, object->mapping[index].length)))
      object->mapping[index].address = NULL;
  }
}

void forget(int number) {
  struct object *object = &objects[number];
  char name[64];
  worker_name(name, sizeof name, this_worker, number);
  if (object->is_named && shm_unlink(name) != 0 && !options.faults) wrong("shm_unlink: %s", strerror(errno));
  unmap_all(object);
  close(object->descriptor);
  object->descriptor = -1;
  memset(expected[number], 0, BYTES);
}

void make(int number) {
  struct object *object = &objects[number];
  char name[64];
  worker_name(name, sizeof name, this_worker, number);
  object->is_named = chance(&random_choice, 60);
  // What is left of an earlier worker that was killed, or of a name that could not be removed.
  if (object->is_named) shm_unlink(name);
  object->descriptor = shm_open(object->is_named ? name : SHM_ANON, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (object->is_named && object->descriptor < 0 && errno == EEXIST && options.faults) return;
  if (!allowed("shm_open", object->descriptor)) return;
  struct stat status;
  object->size = 0;
  if (!ALLOWED(fstat(object->descriptor, &status))) {
    close(object->descriptor);
    if (object->is_named) shm_unlink(name);
    object->descriptor = -1;
    return;
  }
  object->inode = status.st_ino;
  check_size(number);
}

// A transfer was refused in its middle: every byte is what it was or what it was to become.
static void settle(int number, size_t start, const unsigned char *wanted, size_t length) {
  ssize_t count = pread(objects[number].descriptor, seen, length, (off_t)start);
  if (count != (ssize_t)length) {
    if (!allowed("pread", count) || count >= 0) forget(number);
    return;
  }
  for (size_t index = 0; index < length; index++) {
    if (seen[index] != expected[number][start + index] && seen[index] != wanted[index])
      wrong("after a refusal: object %d, byte %zu: %02x, expected %02x or %02x", number, start + index, seen[index],
            expected[number][start + index], wanted[index]);
    expected[number][start + index] = seen[index];
  }
}

size_t range(int number, size_t *start, size_t most) {
  size_t size = objects[number].size;
  if (size == 0) return 0;
  *start = below(&random_choice, size);
  size_t length = 1 + below(&random_choice, most);
  return length < size - *start ? length : size - *start;
}

void write_bytes(int number) {
  struct object *object = &objects[number];
  size_t start, length = range(number, &start, chance(&random_choice, 20) ? BYTES : 3000);
  if (length == 0) return;
  fill(buffer, length, &random_choice);
  ssize_t count;
  if (chance(&random_choice, 50)) {
    count = pwrite(object->descriptor, buffer, length, (off_t)start);
  } else {
    if (lseek(object->descriptor, (off_t)start, SEEK_SET) != (off_t)start) wrong("lseek: %s", strerror(errno));
    count = write(object->descriptor, buffer, length);
  }
  if (!allowed("write", count)) return settle(number, start, buffer, length);
  if ((size_t)count > length || (count != (ssize_t)length && !options.faults))
    wrong("write of %zu bytes at %zu gave %zd", length, start, count);
  memcpy(expected[number] + start, buffer, (size_t)count);
}

void read_bytes(int number) {
  struct object *object = &objects[number];
  size_t start, length = range(number, &start, chance(&random_choice, 20) ? BYTES : 3000);
  if (length == 0) return;
  memset(seen, 0xa5, length);
  ssize_t count = pread(object->descriptor, seen, length, (off_t)start);
  if (!allowed("pread", count)) return;
  if (count != (ssize_t)length && !options.faults) wrong("pread of %zu bytes at %zu gave %zd", length, start, count);
  compare("pread", number, seen, expected[number] + start, start, (size_t)count);
}

void resize(int number) {
  struct object *object = &objects[number];
  size_t size = below(&random_choice, BYTES + 1);
  if (chance(&random_choice, 30)) size = whole_pages(size);
  if (chance(&random_choice, 5)) size = 0;
  if (!ALLOWED(ftruncate(object->descriptor, (off_t)size))) return check_size(number);
  if (size < object->size) memset(expected[number] + size, 0, object->size - size);
  object->size = size;
  check_size(number);
}

size_t inside(int number, int index) {
  struct object *object = &objects[number];
  size_t offset = object->mapping[index].offset, length = object->mapping[index].length;
  if (object->mapping[index].address == NULL || object->size <= offset) return 0;
  return length < object->size - offset ? length : object->size - offset;
}

void map(int number) {
  struct object *object = &objects[number];
  int index = (int)below(&random_choice, MAPPINGS);
  if (object->mapping[index].address) {
    unsigned char *address = object->mapping[index].address;
    size_t half = object->mapping[index].length / 2 & ~(size_t)(PAGE_SIZE - 1);
    if (half && chance(&random_choice, 30)) {
      if (!ALLOWED(munmap(address, half))) return;
      object->mapping[index].address += half;
      object->mapping[index].offset += half;
      object->mapping[index].length -= half;
    } else if (ALLOWED(munmap(address, object->mapping[index].length))) {
      object->mapping[index].address = NULL;
    }
    return;
  }
  if (object->size == 0) return;
  size_t offset = below(&random_choice, whole_pages(object->size) / PAGE_SIZE) * PAGE_SIZE;
  size_t length = whole_pages(1 + below(&random_choice, object->size - offset));
  int flags = MAP_SHARED | (chance(&random_choice, 10) ? MAP_PREFAULT_READ : 0);
  void *address = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, object->descriptor, (off_t)offset);
  if (!allowed("mmap", (long)address)) return;
  object->mapping[index].address = address;
  object->mapping[index].offset = offset;
  object->mapping[index].length = length;
}

void use_mapping(int number) {
  struct object *object = &objects[number];
  int index = (int)below(&random_choice, MAPPINGS);
  size_t length = inside(number, index);
  if (length == 0) return;
  unsigned char *address = object->mapping[index].address;
  unsigned char *right = expected[number] + object->mapping[index].offset;
  switch (below(&random_choice, 3)) {
    case 0: compare("mapping", number, address, right, object->mapping[index].offset, length); break;
    case 1: {
      size_t start = below(&random_choice, length), count = 1 + below(&random_choice, length - start);
      if (count > 5000) count = 5000;
      fill(right + start, count, &random_choice);
      memcpy(address + start, right + start, count);
      break;
    }
    default:
      if (!ALLOWED(mprotect(address, object->mapping[index].length, PROT_READ))) break;
      compare("read-only mapping", number, address, right, object->mapping[index].offset, length);
      // What was split must be joined again, which may be refused; then the mapping is of no use.
      if (!ALLOWED(mprotect(address, object->mapping[index].length, PROT_READ | PROT_WRITE))) unmap_all(object);
  }
}

void map_privately(int number) {
  struct object *object = &objects[number];
  if (object->size == 0) return;
  size_t length = object->size;
  unsigned char *address = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, object->descriptor, 0);
  if (!allowed("mmap", (long)address)) return;
  for (size_t page = below(&random_choice, 3); page * PAGE_SIZE < length; page += 1 + below(&random_choice, 8))
    address[page * PAGE_SIZE] ^= 0x5a;
  ssize_t count = pread(object->descriptor, seen, length, 0);
  if (allowed("pread", count)) compare("after private stores", number, seen, expected[number], 0, (size_t)count);
  size_t other = 1 + below(&random_choice, PAGE_SIZE - 1);
  for (size_t page = 0; page * PAGE_SIZE + other < length; page++)
    compare("private mapping", number, address + page * PAGE_SIZE + other, expected[number] + page * PAGE_SIZE + other,
            page * PAGE_SIZE + other, 1);
  ALLOWED(munmap(address, length));
}

void check_mappings(int number) {
  for (int index = 0; index < MAPPINGS; index++) {
    size_t length = inside(number, index), offset = objects[number].mapping[index].offset;
    if (length) compare("mapping", number, objects[number].mapping[index].address, expected[number] + offset, offset, length);
  }
}

void check_all(int number) {
  check_size(number);
  check_mappings(number);
  size_t size = objects[number].size;
  ssize_t count = pread(objects[number].descriptor, seen, size, 0);
  if (size && allowed("pread", count)) compare("at last", number, seen, expected[number], 0, (size_t)count);
}
