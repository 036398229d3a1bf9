// random_test: what getrandom(2) gives looks random: a statistical check of 1 MiB, with fixed bounds that truly random bytes miss
// less than once in a hundred million times.

#include "check.h"

#include <sys/random.h>

enum { byte_count = 1 << 20 };
static uint8_t bytes[byte_count];

static void fill(void) {
  for (size_t done = 0; done < byte_count;) {
    ssize_t count = getrandom(bytes + done, byte_count - done, 0);
    CHECK(count > 0);
    done += (size_t)count;
  }
}

static int bit(size_t index) { return bytes[index >> 3] >> (index & 7) & 1; }

// Of 2^23 bits half are set; the standard deviation is 1448.
TEST(as_many_bits_are_set_as_not) {
  fill();
  long ones = 0;
  for (size_t index = 0; index < byte_count; index++) ones += __builtin_popcount(bytes[index]);
  long excess = ones - byte_count * 4;
  printf("# bits set beyond half: %ld\n", excess);
  CHECK(excess > -6 * 1448 && excess < 6 * 1448);
}

// A bit differs from the one before it every second time; the standard deviation is 1448.
TEST(runs_are_as_many_as_they_should_be) {
  fill();
  long changes = 0;
  for (size_t index = 1; index < byte_count * 8; index++) changes += bit(index) != bit(index - 1);
  long excess = changes - byte_count * 4;
  printf("# runs beyond half: %ld\n", excess);
  CHECK(excess > -6 * 1448 && excess < 6 * 1448);
}

// Chi-square of the 256 values of a byte, 255 degrees of freedom: mean 255, standard deviation 22.6. Too even is as bad.
TEST(all_bytes_are_as_frequent) {
  fill();
  uint64_t counts[256] = {0}, squares = 0;
  for (size_t index = 0; index < byte_count; index++) counts[bytes[index]]++;
  for (int value = 0; value < 256; value++) squares += counts[value] * counts[value];
  long chi_square = (long)(squares / (byte_count / 256)) - byte_count;
  printf("# chi-square: %ld\n", chi_square);
  CHECK(chi_square > 150 && chi_square < 400);
}

// Of neighbouring bytes too: 65,536 pairs, eight of each among 2^19; mean 65,535, standard deviation 362.
TEST(pairs_of_bytes_are_as_frequent) {
  fill();
  static uint16_t counts[65536];
  uint64_t squares = 0;
  for (size_t index = 0; index < byte_count; index += 2) counts[bytes[index] << 8 | bytes[index + 1]]++;
  for (int value = 0; value < 65536; value++) squares += (uint64_t)counts[value] * counts[value];
  long chi_square = (long)(squares / 8) - byte_count / 2;
  printf("# chi-square of pairs: %ld\n", chi_square);
  CHECK(chi_square > 65535 - 6 * 362 && chi_square < 65535 + 6 * 362);
}

TEST(nothing_comes_twice) {
  uint64_t words[1000];
  CHECK_EQUAL(getrandom(words, sizeof words, 0), sizeof words);
  for (int one = 0; one < 1000; one++)
    for (int other = 0; other < one; other++) CHECK(words[one] != words[other]);
}

TEST(parent_and_child_get_different_bytes) {
  uint64_t *words = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK_EXIT(0, getrandom(words, 64, 0));
  CHECK_EQUAL(getrandom(words + 8, 64, 0), 64);
  for (int one = 0; one < 8; one++)
    for (int other = 8; other < 16; other++) CHECK(words[one] != words[other]);
}
