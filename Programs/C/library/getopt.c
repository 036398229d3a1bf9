// getopt.c: options in words (getopt.h).

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *optarg;
int optind = 1, opterr = 1, optopt, optreset;

// Where the next letter stands in a word of several, "-abc".
static const char *letters = "";

static int complain(bool is_wanted, const char *what, const char *name) {
  if (is_wanted) fprintf(stderr, "%s: %s -- %s\n", getprogname(), what, name);
  return '?';
}

// Begins the next word if it is one of options. 0: there are letters; -1: the options are over.
static int next_word(int count, char *const words[]) {
  if (optreset) {
    optreset = 0;
    letters = "";
  }
  if (*letters) return 0;
  const char *word = optind < count ? words[optind] : NULL;
  if (!word || word[0] != '-' || word[1] == 0) return -1;
  optind++;
  if (strcmp(word, "--") == 0) return -1;
  letters = word + 1;
  return 0;
}

static int take_letter(int count, char *const words[], const char *options) {
  bool is_silent = *options == ':';
  const char name[2] = {*letters++, 0};
  const char *option = name[0] == ':' ? NULL : strchr(options, name[0]);
  optopt = (unsigned char)name[0];
  optarg = NULL;
  if (!option) return complain(opterr && !is_silent, "illegal option", name);
  if (option[1] != ':') return optopt;
  // The value is the rest of this word or, unless that is optional, the next one.
  if (*letters) optarg = (char *)letters;
  else if (option[2] != ':' && optind < count) optarg = words[optind++];
  letters = "";
  if (optarg || option[2] == ':') return optopt;
  complain(opterr && !is_silent, "option requires an argument", name);
  return is_silent ? ':' : '?';
}

int getopt(int count, char *const words[], const char *options) {
  if (*options == '+') options++;
  return next_word(count, words) != 0 ? -1 : take_letter(count, words, options);
}

// The option with this name, or the only one that begins so. -1: there is none; -2: there are several.
static int find(const struct option *options, const char *name, size_t length) {
  int found = -1;
  for (int index = 0; options[index].name; index++) {
    if (strncmp(options[index].name, name, length) != 0) continue;
    if (options[index].name[length] == 0) return index;
    found = found == -1 ? index : -2;
  }
  return found;
}

int getopt_long(int count, char *const words[], const char *options, const struct option *long_options, int *index) {
  if (*options == '+') options++;
  if (next_word(count, words) != 0) return -1;
  // Only the beginning of a word can say that this is a long one: "--name".
  if (*letters != '-' || letters != words[optind - 1] + 1) return take_letter(count, words, options);
  const char *name = letters + 1;
  letters = "";
  bool is_told = opterr && *options != ':';
  size_t length = strcspn(name, "=");
  int found = find(long_options, name, length);
  optarg = NULL;
  optopt = 0;
  if (found < 0) return complain(is_told, found == -1 ? "unrecognized option" : "ambiguous option", name);
  const struct option *option = &long_options[found];
  optopt = option->val;
  if (name[length] == '=') {
    if (option->has_arg == no_argument) return complain(is_told, "option doesn't take an argument", name);
    optarg = (char *)name + length + 1;
  } else if (option->has_arg == required_argument) {
    if (optind >= count) {
      complain(is_told, "option requires an argument", name);
      return *options == ':' ? ':' : '?';
    }
    optarg = words[optind++];
  }
  if (index) *index = found;
  if (!option->flag) return option->val;
  *option->flag = option->val;
  return 0;
}
