// allocate.c: malloc(3) in blocks of powers of two, kept in a free list per size and cut from mapped memory.
//
// Invariants: a block of class c has 2^c bytes including a 16-byte header that names c; a free block's first word behind
// the header links it to the next of its list. Memory with a stricter alignment lies inside a larger block, behind a header
// of class 0 that names this block. Memory never goes back to the kernel before the program ends.

#include "library.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HEADER = 16, SMALLEST_CLASS = 5, CLASS_COUNT = 47, PIECE_CLASS = 16, INSIDE = 0 };

struct block {
  uint64_t class;
  struct block *outer;
  struct block *next;
};

static struct block *free_blocks[CLASS_COUNT];

static unsigned class_for(size_t byte_count) {
  unsigned class = SMALLEST_CLASS;
  while (class < CLASS_COUNT && ((size_t)1 << class) < byte_count) class++;
  return class;
}

// Maps memory for blocks of a class: one block, or as many small ones as a piece of 64 KiB holds.
static int refill(unsigned class) {
  size_t piece = (size_t)1 << (class < PIECE_CLASS ? PIECE_CLASS : class);
  char *memory = mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (memory == MAP_FAILED) return 0;
  for (size_t offset = 0; offset < piece; offset += (size_t)1 << class) {
    struct block *block = (struct block *)(memory + offset);
    block->class = class;
    block->next = free_blocks[class];
    free_blocks[class] = block;
  }
  return 1;
}

static struct block *header(void *memory) {
  struct block *block = (struct block *)((char *)memory - HEADER);
  return block->class == INSIDE ? block->outer : block;
}

static void *without_memory(void) {
  errno = ENOMEM;
  return NULL;
}

void *malloc(size_t byte_count) {
  if (byte_count > ((size_t)1 << (CLASS_COUNT - 1)) - HEADER) return without_memory();
  unsigned class = class_for(byte_count + HEADER);
  bool is_locked = lock_shared(&allocator_lock);
  struct block *block = free_blocks[class] || refill(class) ? free_blocks[class] : NULL;
  if (block) free_blocks[class] = block->next;
  unlock_shared(&allocator_lock, is_locked);
  return block ? (char *)block + HEADER : without_memory();
}

void *calloc(size_t count, size_t size) {
  size_t total;
  if (__builtin_mul_overflow(count, size, &total)) return without_memory();
  void *memory = malloc(total);
  return memory ? memset(memory, 0, total) : NULL;
}

void free(void *memory) {
  if (!memory) return;
  struct block *block = header(memory);
  bool is_locked = lock_shared(&allocator_lock);
  block->next = free_blocks[block->class];
  free_blocks[block->class] = block;
  unlock_shared(&allocator_lock, is_locked);
}

void *realloc(void *memory, size_t byte_count) {
  if (!memory) return malloc(byte_count);
  struct block *block = header(memory);
  size_t room = (size_t)((char *)block + ((size_t)1 << block->class) - (char *)memory);
  if (byte_count <= room) return memory;
  void *larger = malloc(byte_count);
  if (!larger) return NULL;
  memcpy(larger, memory, room);
  free(memory);
  return larger;
}

void *reallocarray(void *memory, size_t count, size_t size) {
  size_t total;
  return __builtin_mul_overflow(count, size, &total) ? without_memory() : realloc(memory, total);
}

void *reallocf(void *memory, size_t byte_count) {
  void *result = realloc(memory, byte_count);
  if (!result) free(memory);
  return result;
}

int posix_memalign(void **result, size_t alignment, size_t byte_count) {
  if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0) return EINVAL;
  size_t total = byte_count;
  if (alignment > HEADER && __builtin_add_overflow(byte_count, alignment + HEADER, &total)) return ENOMEM;
  int kept = errno;
  char *memory = malloc(total);
  errno = kept;
  if (!memory) return ENOMEM;
  if (alignment > HEADER) {
    char *aligned = (char *)(((uintptr_t)memory + HEADER + alignment - 1) & ~(alignment - 1));
    struct block *inside = (struct block *)(aligned - HEADER);
    inside->outer = (struct block *)(memory - HEADER);
    inside->class = INSIDE;
    memory = aligned;
  }
  *result = memory;
  return 0;
}

void *aligned_alloc(size_t alignment, size_t byte_count) {
  void *memory = NULL;
  int error = posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, byte_count);
  if (error) errno = error;
  return memory;
}
