// benchmark [PATTERN…]: measures every row, or those whose names have one of the patterns in them, and prints "ROW LEAST MEAN"
// or "ROW failed" for each. Its first word may be `sizes` (points of cost against size) or `footprint`, with the number of a kind
// of thing (bytes of kernel memory).
//
// make bench (Tests/Tools/bench) boots it and compares the figures.

#include "benchmark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { most_samples = 20000 };
static uint32_t samples[most_samples];
static int sample_count;

void add_sample(uint64_t instructions) {
  if (sample_count < most_samples) samples[sample_count++] = instructions > UINT32_MAX ? UINT32_MAX : (uint32_t)instructions;
}

void end_row(const char *name, unsigned times, long signs) {
  uint64_t least = UINT64_MAX, sum = 0;
  for (int index = 0; index < sample_count; index++) {
    if (samples[index] < least) least = samples[index];
    sum += samples[index];
  }
  if (signs < 0 || sample_count == 0)
    printf("%s failed\n", name);
  else
    printf("%s %lu %lu\n", name, least / times, sum / (uint64_t)sample_count / times);
  fflush(stdout);
  sample_count = 0;
}

void end_row_of_mean(const char *name, uint64_t instructions, uint64_t times, long signs) {
  if (signs < 0)
    printf("%s failed\n", name);
  else
    printf("%s %lu %lu\n", name, instructions / times, instructions / times);
  fflush(stdout);
}

void print_point(const char *line, long size, uint64_t instructions, long operations, long signs) {
  if (signs < 0)
    printf("%s %ld failed\n", line, size);
  else
    printf("%s %ld %lu %ld\n", line, size, instructions, operations);
  fflush(stdout);
}

long need(const char *file, int line, long result) {
  if (result >= 0) return result;
  printf("# %s:%d: %s\n", file, line, strerror((int)-result));
  fflush(stdout);
  _exit(1);
}

// MARK: Which groups run

static bool is_wanted(const struct group *group, int pattern_count, char **patterns) {
  for (int index = 0; index < pattern_count; index++)
    if (strstr(group->rows, patterns[index]) != NULL) return true;
  return pattern_count == 0;
}

static void run_groups(const struct group *group, int pattern_count, char **patterns) {
  for (; group->run != NULL; group++) {
    if (!is_wanted(group, pattern_count, patterns)) continue;
    long process = fork_process();
    if (process == 0) {
      group->run();
      _exit(0);
    }
    int status = -1;
    if (process > 0) kernel(SYS_wait4, process, &status, 0, 0);
    if (status != 0) printf("# ended with status %#x: %s\n", status, group->rows);
    fflush(stdout);
  }
}

int main(int count, char **words) {
  if (count > 1 && strcmp(words[1], "footprint") == 0) {
    return print_footprint(count > 2 ? (size_t)atol(words[2]) : 0) ? 0 : 1;
  } else if (count > 1 && strcmp(words[1], "sizes") == 0) {
    run_groups(size_groups, count - 2, words + 2);
  } else {
    const struct group *const all[] = {call_groups,    object_groups,  mapping_groups,
                                       fault_groups,   process_groups, passing_groups};
    for (size_t index = 0; index < sizeof all / sizeof *all; index++) run_groups(all[index], count - 1, words + 1);
  }
  printf("all groups have run\n");
  return 0;
}
