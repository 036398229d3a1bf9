// allocate.c: malloc(3) in blocks of powers of two, kept in a free list per size and cut from mapped memory.
//
// Invariants: a block of class c has 2^c bytes including a 16-byte header that names c; a free block's first word behind
// the header links it to the next of its list. Memory never goes back to the kernel before the program ends.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HEADER = 16, SMALLEST_CLASS = 5, CLASS_COUNT = 47, PIECE_CLASS = 16 };

struct block {
  uint64_t class;
  uint64_t unused;
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

void *malloc(size_t byte_count) {
  if (byte_count > ((size_t)1 << (CLASS_COUNT - 1)) - HEADER) return NULL;
  unsigned class = class_for(byte_count + HEADER);
  if (!free_blocks[class] && !refill(class)) return NULL;
  struct block *block = free_blocks[class];
  free_blocks[class] = block->next;
  return (char *)block + HEADER;
}

void *calloc(size_t count, size_t size) {
  size_t total;
  if (__builtin_mul_overflow(count, size, &total)) return NULL;
  void *memory = malloc(total);
  return memory ? memset(memory, 0, total) : NULL;
}

void free(void *memory) {
  if (!memory) return;
  struct block *block = (struct block *)((char *)memory - HEADER);
  block->next = free_blocks[block->class];
  free_blocks[block->class] = block;
}
