// checking.c: a worker that knows what everything it made must contain: shared memory objects beside copies of their bytes,
// private memory beside its version numbers, and an arena that all checking workers write to, in words that say where they
// belong.
//
// Whatever may be refused (too little memory, a fail point) is allowed to be; then nothing may have changed but the bytes that
// a transfer was about, each of which is what it was or what it was to become.

#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OBJECTS = NAMES_PER_WORKER, PAGES = 40, MAPPINGS = 2, BYTES = PAGES * PAGE_SIZE, PRIVATE_PAGES = 16 };
// Exit statuses of children that check.
enum { RIGHT = 0, WRONG = 77, REFUSED = 78 };

struct object {
  int descriptor;  // -1: there is none
  int is_named;
  size_t size;
  ino_t inode;
  struct {
    unsigned char *address;  // NULL: there is none
    size_t offset, length;   // whole pages of the object as it was then
  } mapping[MAPPINGS];
};

static struct object objects[OBJECTS];
// What the objects must contain; zeros behind their ends.
static unsigned char expected[OBJECTS][BYTES];
static unsigned char buffer[BYTES], seen[BYTES];
static uint32_t private_versions[PRIVATE_PAGES];
static uint64_t *private_memory;
static struct generator random_state;
static int this_worker;

static _Noreturn void wrong(const char *text, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void wrong(const char *text, ...) {
  va_list arguments;
  va_start(arguments, text);
  vsnprintf(board->worker[this_worker].failure, sizeof board->worker[this_worker].failure, text, arguments);
  va_end(arguments);
  _exit(WRONG);
}

// Counts a call. 1: it succeeded; 0: it was refused for want of something; anything else is wrong.
static int allowed(const char *call, long result) {
  board->worker[this_worker].calls++;
  if (result != -1) return 1;
  int error = errno;
  if (error == ENOMEM || error == EAGAIN || error == ENFILE || error == EMFILE) return 0;
  if (options.faults && (error == EIO || error == EFAULT)) return 0;
  wrong("%s failed with %s", call, strerror(error));
}

#define ALLOWED(call) allowed(#call, (long)(call))

static void compare(const char *what, int number, const unsigned char *found, const unsigned char *right, size_t start,
                    size_t length) {
  if (memcmp(found, right, length) == 0) return;
  size_t index = 0;
  while (found[index] == right[index]) index++;
  wrong("%s: object %d, size %zu, byte %zu (%zu of %zu): %02x, expected %02x", what, number, objects[number].size,
        start + index, index, length, found[index], right[index]);
}

static void fill(unsigned char *bytes, size_t length, struct generator *generator) {
  for (size_t index = 0; index < length; index += 8) {
    uint64_t value = draw(generator);
    memcpy(bytes + index, &value, length - index < 8 ? length - index : 8);
  }
}

void worker_name(char *name, size_t size, int worker, int number) {
  snprintf(name, size, "/checked.%d.%d", worker, number);
}

static void check_size(int number) {
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

static void forget(int number) {
  struct object *object = &objects[number];
  char name[64];
  worker_name(name, sizeof name, this_worker, number);
  if (object->is_named && shm_unlink(name) != 0 && !options.faults) wrong("shm_unlink: %s", strerror(errno));
  unmap_all(object);
  close(object->descriptor);
  object->descriptor = -1;
  memset(expected[number], 0, BYTES);
}

static void make(int number) {
  struct object *object = &objects[number];
  char name[64];
  worker_name(name, sizeof name, this_worker, number);
  object->is_named = chance(&random_state, 60);
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

// A range inside an object; its length is 0 where the object is empty.
static size_t range(int number, size_t *start, size_t most) {
  size_t size = objects[number].size;
  if (size == 0) return 0;
  *start = below(&random_state, size);
  size_t length = 1 + below(&random_state, most);
  return length < size - *start ? length : size - *start;
}

static void write_bytes(int number) {
  struct object *object = &objects[number];
  size_t start, length = range(number, &start, chance(&random_state, 20) ? BYTES : 3000);
  if (length == 0) return;
  fill(buffer, length, &random_state);
  ssize_t count;
  if (chance(&random_state, 50)) {
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

static void read_bytes(int number) {
  struct object *object = &objects[number];
  size_t start, length = range(number, &start, chance(&random_state, 20) ? BYTES : 3000);
  if (length == 0) return;
  memset(seen, 0xa5, length);
  ssize_t count = pread(object->descriptor, seen, length, (off_t)start);
  if (!allowed("pread", count)) return;
  if (count != (ssize_t)length && !options.faults) wrong("pread of %zu bytes at %zu gave %zd", length, start, count);
  compare("pread", number, seen, expected[number] + start, start, (size_t)count);
}

static void resize(int number) {
  struct object *object = &objects[number];
  size_t size = below(&random_state, BYTES + 1);
  if (chance(&random_state, 30)) size = whole_pages(size);
  if (chance(&random_state, 5)) size = 0;
  if (!ALLOWED(ftruncate(object->descriptor, (off_t)size))) return check_size(number);
  if (size < object->size) memset(expected[number] + size, 0, object->size - size);
  object->size = size;
  check_size(number);
}

// The bytes of a mapping that are inside the object.
static size_t inside(int number, int index) {
  struct object *object = &objects[number];
  size_t offset = object->mapping[index].offset, length = object->mapping[index].length;
  if (object->mapping[index].address == NULL || object->size <= offset) return 0;
  return length < object->size - offset ? length : object->size - offset;
}

static void map(int number) {
  struct object *object = &objects[number];
  int index = (int)below(&random_state, MAPPINGS);
  if (object->mapping[index].address) {
    unsigned char *address = object->mapping[index].address;
    size_t half = object->mapping[index].length / 2 & ~(size_t)(PAGE_SIZE - 1);
    if (half && chance(&random_state, 30)) {
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
  size_t offset = below(&random_state, whole_pages(object->size) / PAGE_SIZE) * PAGE_SIZE;
  size_t length = whole_pages(1 + below(&random_state, object->size - offset));
  int flags = MAP_SHARED | (chance(&random_state, 10) ? MAP_PREFAULT_READ : 0);
  void *address = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, object->descriptor, (off_t)offset);
  if (!allowed("mmap", (long)address)) return;
  object->mapping[index].address = address;
  object->mapping[index].offset = offset;
  object->mapping[index].length = length;
}

static void use_mapping(int number) {
  struct object *object = &objects[number];
  int index = (int)below(&random_state, MAPPINGS);
  size_t length = inside(number, index);
  if (length == 0) return;
  unsigned char *address = object->mapping[index].address;
  unsigned char *right = expected[number] + object->mapping[index].offset;
  switch (below(&random_state, 3)) {
    case 0: compare("mapping", number, address, right, object->mapping[index].offset, length); break;
    case 1: {
      size_t start = below(&random_state, length), count = 1 + below(&random_state, length - start);
      if (count > 5000) count = 5000;
      fill(right + start, count, &random_state);
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

static void map_privately(int number) {
  struct object *object = &objects[number];
  if (object->size == 0) return;
  size_t length = object->size;
  unsigned char *address = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, object->descriptor, 0);
  if (!allowed("mmap", (long)address)) return;
  for (size_t page = below(&random_state, 3); page * PAGE_SIZE < length; page += 1 + below(&random_state, 8))
    address[page * PAGE_SIZE] ^= 0x5a;
  ssize_t count = pread(object->descriptor, seen, length, 0);
  if (allowed("pread", count)) compare("after private stores", number, seen, expected[number], 0, (size_t)count);
  size_t other = 1 + below(&random_state, PAGE_SIZE - 1);
  for (size_t page = 0; page * PAGE_SIZE + other < length; page++)
    compare("private mapping", number, address + page * PAGE_SIZE + other, expected[number] + page * PAGE_SIZE + other,
            page * PAGE_SIZE + other, 1);
  ALLOWED(munmap(address, length));
}

// Private memory.

static uint64_t private_word(int page, int word) {
  return private_versions[page] == 0 ? 0 : mixed((uint64_t)private_versions[page] << 32 | (uint64_t)(page * 512 + word));
}

static void write_private(int page) {
  private_versions[page] = (uint32_t)draw(&random_state);
  for (int word = 0; word < 512; word++) private_memory[page * 512 + word] = private_word(page, word);
}

static void check_private(int page) {
  for (int word = 0; word < 512; word++)
    if (private_memory[page * 512 + word] != private_word(page, word))
      wrong("private page %d, word %d: %lx, expected %lx", page, word, private_memory[page * 512 + word],
            private_word(page, word));
}

// The arena: every word is zero or says where it belongs.

static uint64_t arena_word(uint64_t index, uint64_t value) {
  return value << 16 | (mixed(index << 48 | (value & 0xffffffffffff)) & 0xffff);
}

static void use_arena(void) {
  uint64_t first = below(&random_state, ARENA_PAGES * 512), count = 1 + below(&random_state, 700);
  if (count > ARENA_PAGES * 512 - first) count = ARENA_PAGES * 512 - first;
  uint64_t *words = (uint64_t *)(void *)buffer;
  if (chance(&random_state, 50)) {
    for (uint64_t index = 0; index < count; index++)
      words[index] = arena_word(first + index, draw(&random_state) & 0xffffffffffff);
    if (chance(&random_state, 50)) {
      ssize_t done = pwrite(arena_descriptor, words, count * 8, (off_t)(first * 8));
      if (allowed("pwrite to the arena", done) && done != (ssize_t)(count * 8) && !options.faults)
        wrong("pwrite to the arena of %lu words gave %zd", count, done);
    } else {
      for (uint64_t index = 0; index < count; index++) arena[first + index] = words[index];
    }
    return;
  }
  if (chance(&random_state, 50)) {
    ssize_t done = pread(arena_descriptor, words, count * 8, (off_t)(first * 8));
    if (!allowed("pread of the arena", done)) return;
    count = (uint64_t)done / 8;
  } else {
    for (uint64_t index = 0; index < count; index++) words[index] = arena[first + index];
  }
  for (uint64_t index = 0; index < count; index++)
    if (words[index] != 0 && words[index] != arena_word(first + index, words[index] >> 16))
      wrong("arena word %lu is %lx", first + index, words[index]);
}

// Children.

static pid_t begin_child(void) {
  pid_t child = fork();
  if (child != 0 && !allowed("fork", child)) return -1;
  return child;
}

// What became of a child: 1: it did all it was to do; 0: it was ended in the middle, or refused.
static int end_child(const char *what, pid_t child) {
  int status;
  pid_t found;
  while ((found = waitpid(child, &status, 0)) == -1 && errno == EINTR) {}
  board->worker[this_worker].calls++;
  if (found != child) wrong("%s: waitpid gave %d: %s", what, found, strerror(errno));
  if (status == RIGHT) return 1;
  if (status == REFUSED << 8 || WTERMSIG(status) == SIGKILL) return 0;
  if (options.faults && status == SIGBUS) return 0;
  if (status == WRONG << 8) _exit(WRONG);  // it has said why
  wrong("%s: status 0x%x", what, (unsigned)status);
}

// Stores that a child makes and its parent knows of; into the object, or into what is expected of it.
static void child_stores(uint64_t seed, int number, int index, int are_real) {
  struct generator generator = {seed};
  size_t length = inside(number, index);
  if (length == 0) return;
  for (int round = 0; round < 6; round++) {
    size_t start = below(&generator, length), count = 1 + below(&generator, 900);
    if (count > length - start) count = length - start;
    unsigned char bytes[900];
    fill(bytes, count, &generator);
    unsigned char *to = are_real ? objects[number].mapping[index].address : expected[number] + objects[number].mapping[index].offset;
    memcpy(to + start, bytes, count);
  }
}

static void check_mappings(int number) {
  for (int index = 0; index < MAPPINGS; index++) {
    size_t length = inside(number, index), offset = objects[number].mapping[index].offset;
    if (length) compare("mapping", number, objects[number].mapping[index].address, expected[number] + offset, offset, length);
  }
}

static void fork_and_store(int number) {
  int index = (int)below(&random_state, MAPPINGS);
  uint64_t seed = draw(&random_state);
  pid_t child = begin_child();
  if (child < 0) return;
  if (child == 0) {
    for (int page = 0; page < PRIVATE_PAGES; page++) check_private(page);
    check_mappings(number);
    // The parent's private memory must not see this.
    for (int page = 0; page < PRIVATE_PAGES; page += 2) private_memory[page * 512] = seed;
    child_stores(seed, number, index, 1);
    _exit(RIGHT);
  }
  if (chance(&random_state, 50)) check_private((int)below(&random_state, PRIVATE_PAGES));
  int is_done = end_child("a child that stores", child);
  size_t offset = objects[number].mapping[index].offset, length = inside(number, index);
  if (is_done || length == 0) return child_stores(seed, number, index, 0);
  // It stopped somewhere: later stores may lie over earlier ones, so the bytes are taken as they are, but only where it stored.
  memset(buffer, 0, length);
  struct generator generator = {seed};
  for (int round = 0; round < 6; round++) {
    size_t start = below(&generator, length), count = 1 + below(&generator, 900);
    if (count > length - start) count = length - start;
    fill(seen, count, &generator);
    memset(buffer + start, 1, count);
  }
  for (size_t position = 0; position < length; position++)
    if (buffer[position]) expected[number][offset + position] = objects[number].mapping[index].address[position];
  check_mappings(number);
}

static uint64_t hash(const unsigned char *bytes, size_t length) {
  uint64_t value = 1469598103934665603;
  for (size_t index = 0; index < length; index++) value = (value ^ bytes[index]) * 1099511628211;
  return value;
}

int verify_object(char **arguments) {
  int descriptor = atoi(arguments[2]);
  size_t size = strtoul(arguments[3], NULL, 10);
  struct stat status;
  if (fstat(descriptor, &status) != 0 || (size_t)status.st_size != size) return WRONG;
  unsigned char *address = mmap(NULL, size, PROT_READ, MAP_SHARED, descriptor, 0);
  if (address == MAP_FAILED) return errno == ENOMEM ? REFUSED : WRONG;
  return hash(address, size) == strtoul(arguments[4], NULL, 16) ? RIGHT : WRONG;
}

static void verify_by_program(int number) {
  struct object *object = &objects[number];
  if (object->size == 0) return;
  char descriptor[16], size[24], value[24];
  snprintf(descriptor, sizeof descriptor, "%d", object->descriptor);
  snprintf(size, sizeof size, "%zu", object->size);
  snprintf(value, sizeof value, "%lx", hash(expected[number], object->size));
  char *const words[] = {(char *)(uintptr_t)program_path, "verify", descriptor, size, value, NULL};
  pid_t child = begin_child();
  if (child == 0) {
    if (fcntl(object->descriptor, F_SETFD, 0) != 0) wrong("F_SETFD: %s", strerror(errno));
    execv(program_path, words);
    _exit(allowed("execv", -1) ? WRONG : REFUSED);
  }
  if (child < 0) return;
  snprintf(board->worker[this_worker].failure, sizeof board->worker[this_worker].failure,
           "object %d, size %zu: a program that was started found something else in it", number, object->size);
  end_child("a program that verifies", child);
}

static void stop_and_continue(void) {
  volatile uint64_t *count = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  if (!allowed("mmap", (long)count)) return;
  pid_t child = begin_child();
  if (child == 0)
    for (;;) {
      ++*count;
      if (chance(&random_state, 20)) sched_yield();
    }
  if (child > 0) {
    int status = 0;
    if (chance(&random_state, 50)) usleep((unsigned)below(&random_state, 3000));
    kill(child, SIGSTOP);
    while (waitpid(child, &status, WUNTRACED) == -1 && errno == EINTR) {}
    if (WIFSTOPPED(status)) {
      uint64_t value = *count;
      usleep((unsigned)below(&random_state, 3000));
      if (*count != value) wrong("a stopped process counts");
      if (chance(&random_state, 50)) kill(child, SIGCONT);
      kill(child, SIGKILL);
      while (waitpid(child, &status, 0) == -1 && errno == EINTR) {}
    }
    if (status != SIGKILL && !(options.faults && status == SIGBUS)) wrong("a killed process: status 0x%x", (unsigned)status);
    board->worker[this_worker].calls += 6;
  }
  ALLOWED(munmap((void *)(uintptr_t)count, PAGE_SIZE));
}

// Names and descriptors.

static void use_name(int number) {
  struct object *object = &objects[number];
  char name[64];
  if (!object->is_named) return;
  worker_name(name, sizeof name, this_worker, number);
  struct stat status;
  int other;
  switch (below(&random_state, 3)) {
    case 0:
      other = shm_open(name, O_RDWR, 0);
      if (!allowed("shm_open of a name that exists", other)) return;
      if (ALLOWED(fstat(other, &status)) && (status.st_ino != object->inode || (size_t)status.st_size != object->size))
        wrong("object %d by its name: inode %lu, size %lu", number, (long)status.st_ino, (long)status.st_size);
      ALLOWED(close(other));
      return;
    case 1:
      other = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
      if (other != -1) wrong("O_EXCL opened a name that exists");
      if (errno != EEXIST) allowed("shm_open with O_EXCL", -1);
      return;
    default:
      if (!ALLOWED(shm_unlink(name))) return;
      object->is_named = 0;
      other = shm_open(name, O_RDWR, 0);
      if (other != -1) wrong("a removed name can be opened");
      if (errno != ENOENT) allowed("shm_open of a removed name", -1);
  }
}

static void duplicate(int number) {
  struct object *object = &objects[number];
  int other = chance(&random_state, 50) ? dup(object->descriptor)
                                        : fcntl(object->descriptor, F_DUPFD, 20 + (int)below(&random_state, 200));
  if (!allowed("dup", other)) return;
  if (object->size) {
    size_t start, length = range(number, &start, 100);
    ssize_t count = pread(other, seen, length, (off_t)start);
    if (allowed("pread", count)) compare("through a duplicate", number, seen, expected[number] + start, start, (size_t)count);
  }
  ALLOWED(close(other));
}

static void check_all(int number) {
  check_size(number);
  check_mappings(number);
  size_t size = objects[number].size;
  ssize_t count = pread(objects[number].descriptor, seen, size, 0);
  if (size && allowed("pread", count)) compare("at last", number, seen, expected[number], 0, (size_t)count);
}

static void step(void) {
  int number = (int)below(&random_state, OBJECTS);
  unsigned choice = (unsigned)below(&random_state, 100);
  if (objects[number].descriptor < 0) return make(number);
  if (choice < 14) write_bytes(number);
  else if (choice < 28) read_bytes(number);
  else if (choice < 36) resize(number);
  else if (choice < 48) map(number);
  else if (choice < 62) use_mapping(number);
  else if (choice < 66) map_privately(number);
  else if (choice < 70) write_private((int)below(&random_state, PRIVATE_PAGES));
  else if (choice < 74) check_private((int)below(&random_state, PRIVATE_PAGES));
  else if (choice < 84) use_arena();
  else if (choice < 88) fork_and_store(number);
  else if (choice < 90) verify_by_program(number);
  else if (choice < 91) stop_and_continue();
  else if (choice < 95) use_name(number);
  else if (choice < 98) duplicate(number);
  else if (choice < 99) usleep((unsigned)below(&random_state, 2000));
  else forget(number);
}

void check_without_end(int worker, uint64_t seed) {
  this_worker = worker;
  random_state.state = seed;
  for (int number = 0; number < OBJECTS; number++) objects[number].descriptor = -1;
  do {
    if (board->stop) return;
    private_memory = mmap(NULL, PRIVATE_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  } while (!allowed("mmap", (long)private_memory));
  while (!board->stop) step();
  for (int page = 0; page < PRIVATE_PAGES; page++) check_private(page);
  for (int number = 0; number < OBJECTS; number++) {
    if (objects[number].descriptor < 0) continue;
    check_all(number);
    forget(number);
  }
}
