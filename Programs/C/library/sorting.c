// sorting.c: qsort(3) and bsearch(3).

#include <stdlib.h>

static void swap(char *left, char *right, size_t size) {
  for (; size; size--, left++, right++) {
    char byte = *left;
    *left = *right;
    *right = byte;
  }
}

// Lets the element at `root` sink to where no child of it is larger.
static void sink(char *base, size_t root, size_t count, size_t size, int (*compare)(const void *, const void *)) {
  for (size_t child; (child = 2 * root + 1) < count; root = child) {
    if (child + 1 < count && compare(base + child * size, base + (child + 1) * size) < 0) child++;
    if (compare(base + root * size, base + child * size) >= 0) return;
    swap(base + root * size, base + child * size, size);
  }
}

// A heap: n log n steps for every order, and no memory.
void qsort(void *elements, size_t count, size_t size, int (*compare)(const void *, const void *)) {
  char *base = elements;
  for (size_t root = count / 2; root > 0; root--) sink(base, root - 1, count, size, compare);
  for (size_t left = count; left > 1; left--) {
    swap(base, base + (left - 1) * size, size);
    sink(base, 0, left - 1, size, compare);
  }
}

void *bsearch(const void *key, const void *elements, size_t count, size_t size,
              int (*compare)(const void *, const void *)) {
  const char *base = elements;
  while (count) {
    const char *middle = base + count / 2 * size;
    int order = compare(key, middle);
    if (order == 0) return (void *)middle;
    if (order > 0) {
      base = middle + size;
      count--;
    }
    count /= 2;
  }
  return NULL;
}
