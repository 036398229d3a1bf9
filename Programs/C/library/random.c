// random.c: random numbers (stdlib.h).

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void arc4random_buf(void *bytes, size_t count) {
  for (size_t done = 0; done < count;) {
    ssize_t piece = getrandom((char *)bytes + done, count - done < 256 ? count - done : 256, 0);
    if (piece > 0) done += (size_t)piece;
  }
}

uint32_t arc4random(void) {
  uint32_t value;
  arc4random_buf(&value, sizeof value);
  return value;
}

// Below `bound`, each equally likely: what would make some likelier is drawn again.
uint32_t arc4random_uniform(uint32_t bound) {
  if (bound < 2) return 0;
  for (uint32_t least = -bound % bound;;) {
    uint32_t value = arc4random();
    if (value >= least) return value % bound;
  }
}

// MARK: Numbers that follow from a seed: a xorshift, whose state is never zero.

static uint64_t step(uint64_t *state) {
  if (*state == 0) *state = 0x9e3779b97f4a7c15;
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state >> 33;
}

static uint64_t state;

static void seed(unsigned value) { state = (value + UINT64_C(1)) * 0x9e3779b97f4a7c15; }

long random(void) { return (long)step(&state); }
void srandom(unsigned value) { seed(value); }
int rand(void) { return (int)step(&state); }
void srand(unsigned value) { seed(value); }

int rand_r(unsigned *value) {
  uint64_t own = (*value + UINT64_C(1)) * 0x9e3779b97f4a7c15;
  *value = (unsigned)(step(&own) ^ *value << 16);
  return (int)(own >> 33);
}
