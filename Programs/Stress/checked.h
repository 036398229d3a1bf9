// checked.h: what the two halves of a checking worker know of each other: its objects (objects.c), and everything else that it
// does (checking.c).
#pragma once

#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OBJECTS = NAMES_PER_WORKER, PAGES = 40, MAPPINGS = 2, BYTES = PAGES * PAGE_SIZE };
// Exit statuses of children that check.
enum { RIGHT = 0, WRONG = 77, REFUSED = 78 };

// A shared memory object.
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

extern struct object objects[OBJECTS];
// What the objects must contain; zeros behind their ends.
extern unsigned char expected[OBJECTS][BYTES];
extern unsigned char buffer[BYTES], seen[BYTES];
extern struct generator random_choice;
extern int this_worker;

// Ends the worker, saying what is wrong.
_Noreturn void wrong(const char *text, ...) __attribute__((format(printf, 1, 2)));
// Counts a call. 1: it succeeded; 0: it was refused for want of something; anything else is wrong.
int allowed(const char *call, long result);
#define ALLOWED(call) allowed(#call, (long)(call))

void compare(const char *what, int number, const unsigned char *found, const unsigned char *right, size_t start,
             size_t length);
void fill(unsigned char *bytes, size_t length, struct generator *generator);
// A range inside an object, of at most so many bytes; its length is 0 where the object is empty.
size_t range(int number, size_t *start, size_t most);
// The bytes of a mapping that are inside the object.
size_t inside(int number, int index);

// What is done with an object at random.
void make(int number);
void forget(int number);
void write_bytes(int number);
void read_bytes(int number);
void resize(int number);
void map(int number);
void use_mapping(int number);
void map_privately(int number);
// Checks of what is there.
void check_size(int number);
void check_mappings(int number);
void check_all(int number);
