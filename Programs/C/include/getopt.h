// getopt.h: options in words (getopt.c). getopt(3) itself stops at the first word that is none, as POSIX has it; getopt_long(3) too.
#pragma once

#include <sys/cdefs.h>

#define no_argument 0
#define required_argument 1
#define optional_argument 2

struct option {
  const char *name;
  int has_arg;
  int *flag;
  int val;
};

__BEGIN_DECLS
extern char *optarg;
extern int optind, opterr, optopt, optreset;
int getopt(int, char *const[], const char *);
int getopt_long(int, char *const[], const char *, const struct option *, int *);
__END_DECLS
