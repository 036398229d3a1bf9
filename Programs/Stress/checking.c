// checking.c: a worker that knows what everything it made must contain: shared memory objects (objects.c), private memory beside
// its version numbers, and an arena that all checking workers write to, in words that say where they belong. Its children look
// at all that, store into it, are started anew as other programs, are stopped and killed.

#include "checked.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

enum { PRIVATE_PAGES = 16 };

static uint32_t private_versions[PRIVATE_PAGES];
static uint64_t *private_memory;

// Private memory.

static uint64_t private_word(int page, int word) {
  return private_versions[page] == 0 ? 0 : mixed((uint64_t)private_versions[page] << 32 | (uint64_t)(page * 512 + word));
}

static void write_private(int page) {
  private_versions[page] = (uint32_t)draw(&random_choice);
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
  uint64_t first = below(&random_choice, ARENA_PAGES * 512), count = 1 + below(&random_choice, 700);
  if (count > ARENA_PAGES * 512 - first) count = ARENA_PAGES * 512 - first;
  uint64_t *words = (uint64_t *)(void *)buffer;
  if (chance(&random_choice, 50)) {
    for (uint64_t index = 0; index < count; index++)
      words[index] = arena_word(first + index, draw(&random_choice) & 0xffffffffffff);
    if (chance(&random_choice, 50)) {
      ssize_t done = pwrite(arena_descriptor, words, count * 8, (off_t)(first * 8));
      if (allowed("pwrite to the arena", done) && done != (ssize_t)(count * 8) && !options.faults)
        wrong("pwrite to the arena of %lu words gave %zd", count, done);
    } else {
      for (uint64_t index = 0; index < count; index++) arena[first + index] = words[index];
    }
    return;
  }
  if (chance(&random_choice, 50)) {
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

static void fork_and_store(int number) {
  int index = (int)below(&random_choice, MAPPINGS);
  uint64_t seed = draw(&random_choice);
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
  if (chance(&random_choice, 50)) check_private((int)below(&random_choice, PRIVATE_PAGES));
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
      if (chance(&random_choice, 20)) sched_yield();
    }
  if (child > 0) {
    int status = 0;
    if (chance(&random_choice, 50)) usleep((unsigned)below(&random_choice, 3000));
    kill(child, SIGSTOP);
    while (waitpid(child, &status, WUNTRACED) == -1 && errno == EINTR) {}
    if (WIFSTOPPED(status)) {
      uint64_t value = *count;
      usleep((unsigned)below(&random_choice, 3000));
      if (*count != value) wrong("a stopped process counts");
      if (chance(&random_choice, 50)) kill(child, SIGCONT);
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
  switch (below(&random_choice, 3)) {
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
  int other = chance(&random_choice, 50) ? dup(object->descriptor)
                                        : fcntl(object->descriptor, F_DUPFD, 20 + (int)below(&random_choice, 200));
  if (!allowed("dup", other)) return;
  if (object->size) {
    size_t start, length = range(number, &start, 100);
    ssize_t count = pread(other, seen, length, (off_t)start);
    if (allowed("pread", count)) compare("through a duplicate", number, seen, expected[number] + start, start, (size_t)count);
  }
  ALLOWED(close(other));
}

static void step(void) {
  int number = (int)below(&random_choice, OBJECTS);
  unsigned choice = (unsigned)below(&random_choice, 100);
  if (objects[number].descriptor < 0) return make(number);
  if (choice < 14) write_bytes(number);
  else if (choice < 28) read_bytes(number);
  else if (choice < 36) resize(number);
  else if (choice < 48) map(number);
  else if (choice < 62) use_mapping(number);
  else if (choice < 66) map_privately(number);
  else if (choice < 70) write_private((int)below(&random_choice, PRIVATE_PAGES));
  else if (choice < 74) check_private((int)below(&random_choice, PRIVATE_PAGES));
  else if (choice < 84) use_arena();
  else if (choice < 88) fork_and_store(number);
  else if (choice < 90) verify_by_program(number);
  else if (choice < 91) stop_and_continue();
  else if (choice < 95) use_name(number);
  else if (choice < 98) duplicate(number);
  else if (choice < 99) usleep((unsigned)below(&random_choice, 2000));
  else forget(number);
}

void check_without_end(int worker, uint64_t seed) {
  this_worker = worker;
  random_choice.state = seed;
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
