// Streams, and how programs begin and end: files, lines, options, the environment, jumps (Programs/C/library).

#include "check.h"

#include <err.h>
#include <getopt.h>
#include <setjmp.h>

static void check_text(int line, const char *actual, const char *expected) {
  if (!actual || strcmp(actual, expected) != 0)
    check_failed(__FILE__, line, "\"%s\", expected \"%s\"", actual ? actual : "nothing", expected);
}

#define CHECK_TEXT(actual, expected) check_text(__LINE__, actual, expected)

// A stream of a shared memory object: a file of its own.
static FILE *object_stream(const char *mode) {
  int descriptor = shm_open2(SHM_ANON, O_RDWR, 0600, SHM_GROW_ON_WRITE, NULL);
  CHECK(descriptor >= 0);
  FILE *stream = fdopen(descriptor, mode);
  CHECK(stream);
  return stream;
}

TEST(what_is_written_is_read_again) {
  FILE *stream = object_stream("w+");
  for (int number = 0; number < 1000; number++) CHECK(fprintf(stream, "line %d\n", number) > 0);
  CHECK_EQUAL(ftell(stream), 10 * 7 + 90 * 8 + 900 * 9);
  rewind(stream);
  char line[32], expected[32];
  for (int number = 0; number < 1000; number++) {
    snprintf(expected, sizeof expected, "line %d\n", number);
    CHECK_TEXT(fgets(line, sizeof line, stream), expected);
  }
  CHECK(!fgets(line, sizeof line, stream));
  CHECK(feof(stream) && !ferror(stream));
  // In the middle of what was read: what comes is written there, and what was kept of the file is forgotten.
  CHECK_EQUAL(fseek(stream, 70, SEEK_SET), 0);
  CHECK_EQUAL(getc(stream), 'l');
  CHECK_EQUAL(fputs("XYZ", stream), 0);
  CHECK_EQUAL(fseek(stream, 70, SEEK_SET), 0);
  CHECK_TEXT(fgets(line, sizeof line, stream), "lXYZ 10\n");
  CHECK_EQUAL(fseek(stream, -8, SEEK_CUR), 0);
  CHECK_EQUAL(ftell(stream), 70);
  int number = 0;
  CHECK_EQUAL(fscanf(stream, "lXYZ %d line %d", &number, &number), 2);
  CHECK_EQUAL(number, 11);
  CHECK_EQUAL(fclose(stream), 0);
}

TEST(blocks_and_characters_given_back) {
  static unsigned char bytes[10000], again[10000];
  for (size_t index = 0; index < sizeof bytes; index++) bytes[index] = (unsigned char)(index * 7);
  FILE *stream = object_stream("w+");
  CHECK_EQUAL(fwrite(bytes, 100, 100, stream), 100);
  rewind(stream);
  CHECK_EQUAL(ungetc('x', stream), 'x');
  CHECK_EQUAL(getc(stream), 'x');
  CHECK_EQUAL(getc(stream), 0);
  CHECK_EQUAL(ungetc(1, stream), 1);
  CHECK_EQUAL(ungetc(2, stream), 2);
  CHECK_EQUAL(getc(stream), 2);
  CHECK_EQUAL(getc(stream), 1);
  rewind(stream);
  CHECK_EQUAL(fread(again, 3, 4000, stream), 3333);
  CHECK(feof(stream));
  CHECK_EQUAL(memcmp(bytes, again, 9999), 0);
  fclose(stream);
}

TEST(lines_of_any_length) {
  FILE *stream = object_stream("w+");
  for (int index = 0; index < 5000; index++) putc('a' + index % 26, stream);
  fputs("\nlast", stream);
  rewind(stream);
  char *line = NULL;
  size_t size = 0;
  CHECK_EQUAL(getline(&line, &size, stream), 5001);
  CHECK_EQUAL(line[4999], 'a' + 4999 % 26);
  CHECK_EQUAL(getline(&line, &size, stream), 4);
  CHECK_TEXT(line, "last");
  CHECK_EQUAL(getline(&line, &size, stream), -1);
  free(line);
  fclose(stream);
}

TEST(temporary_files) {
  FILE *stream = tmpfile();
  CHECK(stream);
  CHECK_EQUAL(fputs("kept in memory", stream), 0);
  rewind(stream);
  char line[32];
  CHECK_TEXT(fgets(line, sizeof line, stream), "kept in memory");
  fclose(stream);
  char first[L_tmpnam], second[L_tmpnam];
  CHECK(strcmp(tmpnam(first), tmpnam(second)) != 0);
}

TEST(a_shell_is_not_there) {
  CHECK_EQUAL(system(NULL), 0);
  CHECK_EQUAL(WEXITSTATUS(system("true")), 127);
}

TEST(files_that_there_are) {
  FILE *null = fopen("/dev/null", "r+");
  CHECK(null);
  CHECK_EQUAL(getc(null), EOF);
  CHECK(feof(null));
  CHECK(fprintf(null, "gone") == 4);
  CHECK_EQUAL(fclose(null), 0);
  FILE *full = fopen("/dev/full", "w");
  CHECK(full);
  CHECK_EQUAL(fputs("no room", full), 0);
  CHECK_EQUAL(fflush(full), EOF);
  CHECK_EQUAL(errno, ENOSPC);
  CHECK(ferror(full));
  fclose(full);
  errno = 0;
  CHECK(!fopen("/bin/absent", "r"));
  CHECK_EQUAL(errno, ENOENT);
  CHECK(!fopen("/dev/null", "?"));
  CHECK_EQUAL(errno, EINVAL);
  char path[64];
  snprintf(path, sizeof path, "/bin/%s", getprogname());
  FILE *self = fopen(path, "rbe");
  CHECK(self);
  CHECK_EQUAL(fcntl(fileno(self), F_GETFD), FD_CLOEXEC);
  char magic[4];
  CHECK_EQUAL(fread(magic, 1, 4, self), 4);
  CHECK_EQUAL(memcmp(magic, "\177ELF", 4), 0);
  CHECK_EQUAL(putc('x', self), EOF);
  CHECK_EQUAL(errno, EBADF);
  fclose(self);
}

// What a child that runs `run` writes to standard output and error.
static const char *output_of(void (*run)(void), int *status) {
  static char text[4096];
  int ends[2];
  CHECK_EQUAL(pipe(ends), 0);
  fflush(NULL);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    dup2(ends[1], 1);
    dup2(ends[1], 2);
    close(ends[0]);
    close(ends[1]);
    run();
    exit(0);
  }
  close(ends[1]);
  size_t length = 0;
  for (ssize_t count; (count = read(ends[0], text + length, sizeof text - 1 - length)) > 0;) length += (size_t)count;
  text[length] = 0;
  close(ends[0]);
  *status = check_wait(child);
  return text;
}

static void print_in_pieces(void) {
  printf("kept ");
  dprintf(1, "at once ");
  printf("until the line ends\n");
  printf("and at the end");
}

static void print_and_leave(void) {
  printf("whole\nnot whole");
  _exit(0);
}

TEST(standard_output_is_kept_until_a_line_is_complete) {
  int status;
  CHECK_TEXT(output_of(print_in_pieces, &status), "at once kept until the line ends\nand at the end");
  CHECK_TEXT(output_of(print_and_leave, &status), "whole\n");
}

static void say_third(void) { printf("third"); }
static void say_second(void) { printf("second "); }
static void say_first(void) {
  atexit(say_third);
  atexit(say_second);
  printf("first ");
  exit(3);
}

TEST(what_is_to_run_at_the_end_runs_backwards) {
  int status;
  CHECK_TEXT(output_of(say_first, &status), "first second third");
  CHECK_EQUAL(WEXITSTATUS(status), 3);
}

static void complain(void) {
  errno = ENOENT;
  warn("%s", "file");
  warnx("number %d", 5);
  errno = EPERM;
  err(4, NULL);
}

TEST(messages_have_the_name_of_the_program) {
  int status;
  setprogname("/bin/some/name");
  CHECK_TEXT(output_of(complain, &status),
             "name: file: No such file or directory\nname: number 5\nname: Operation not permitted\n");
  CHECK_EQUAL(WEXITSTATUS(status), 4);
}

TEST(options) {
  char *words[] = {"name", "-ab", "value", "-cattached", "--", "-a", NULL};
  CHECK_EQUAL(getopt(6, words, "ab:c:"), 'a');
  CHECK_EQUAL(getopt(6, words, "ab:c:"), 'b');
  CHECK_TEXT(optarg, "value");
  CHECK_EQUAL(getopt(6, words, "ab:c:"), 'c');
  CHECK_TEXT(optarg, "attached");
  CHECK_EQUAL(getopt(6, words, "ab:c:"), -1);
  CHECK_EQUAL(optind, 5);
  char *wrong[] = {"name", "-x", "-b", NULL};
  optind = optreset = 1;
  CHECK_EQUAL(getopt(3, wrong, ":b:"), '?');
  CHECK_EQUAL(optopt, 'x');
  CHECK_EQUAL(getopt(3, wrong, ":b:"), ':');
  CHECK_EQUAL(optopt, 'b');
}

TEST(long_options) {
  int flag = 0, index = -1;
  const struct option options[] = {
      {"verbose", no_argument, &flag, 7}, {"file", required_argument, NULL, 'f'}, {"level", optional_argument, NULL, 'l'},
      {"vertical", no_argument, NULL, 'v'}, {NULL, 0, NULL, 0}};
  char *words[] = {"name", "--verbose", "--file=one", "--fi", "two", "-s", "--level", "--ver", "rest", NULL};
  optind = optreset = 1;
  opterr = 0;
  CHECK_EQUAL(getopt_long(9, words, "s", options, &index), 0);
  CHECK_EQUAL(flag, 7);
  CHECK_EQUAL(getopt_long(9, words, "s", options, &index), 'f');
  CHECK_TEXT(optarg, "one");
  CHECK_EQUAL(getopt_long(9, words, "s", options, &index), 'f');
  CHECK_TEXT(optarg, "two");
  CHECK_EQUAL(index, 1);
  CHECK_EQUAL(getopt_long(9, words, "s", options, &index), 's');
  CHECK_EQUAL(getopt_long(9, words, "s", options, &index), 'l');
  CHECK(!optarg);
  CHECK_EQUAL(getopt_long(9, words, "s", options, &index), '?');
  CHECK_EQUAL(getopt_long(9, words, "s", options, &index), -1);
  CHECK_TEXT(words[optind], "rest");
}

TEST(the_environment) {
  CHECK_EQUAL(setenv("ONE", "1", 0), 0);
  CHECK_EQUAL(setenv("ONE", "2", 0), 0);
  CHECK_TEXT(getenv("ONE"), "1");
  CHECK_EQUAL(setenv("ONE", "2", 1), 0);
  CHECK_TEXT(getenv("ONE"), "2");
  char name[16];
  for (int number = 0; number < 100; number++) {
    snprintf(name, sizeof name, "N%d", number);
    CHECK_EQUAL(setenv(name, name + 1, 1), 0);
  }
  CHECK_TEXT(getenv("N99"), "99");
  CHECK_EQUAL(unsetenv("ONE"), 0);
  CHECK(!getenv("ONE"));
  CHECK_ERRNO(EINVAL, setenv("A=B", "", 1));
  CHECK_ERRNO(EINVAL, unsetenv(""));
}

static jmp_buf place;
static void jump(int depth) {
  if (depth == 0) longjmp(place, 5);
  jump(depth - 1);
}

TEST(jumps_keep_registers_and_the_mask) {
  sigset_t set, now;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  volatile int round = 0;
  sigprocmask(SIG_BLOCK, &set, NULL);
  int value = setjmp(place);
  sigprocmask(SIG_BLOCK, NULL, &now);
  CHECK(sigismember(&now, SIGUSR1));
  round++;
  if (value == 0) {
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    jump(10);
  }
  CHECK_EQUAL(value, 5);
  CHECK_EQUAL(round, 2);
  // _setjmp keeps no mask, and a value of 0 becomes 1.
  value = _setjmp(place);
  if (value == 0) {
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    _longjmp(place, 0);
  }
  CHECK_EQUAL(value, 1);
  sigprocmask(SIG_BLOCK, NULL, &now);
  CHECK(!sigismember(&now, SIGUSR1));
}

static volatile int caught;
static void catch(int number) { caught = number; }

TEST(signal_sets_a_handler_that_stays) {
  CHECK(signal(SIGUSR2, catch) == SIG_DFL);
  CHECK_EQUAL(raise(SIGUSR2), 0);
  CHECK_EQUAL(caught, SIGUSR2);
  caught = 0;
  raise(SIGUSR2);
  CHECK_EQUAL(caught, SIGUSR2);
  CHECK(signal(SIGUSR2, SIG_IGN) == catch);
  CHECK(signal(SIGKILL, catch) == SIG_ERR);
  sigset_t set;
  sigemptyset(&set);
  CHECK_ERRNO(EINVAL, sigaddset(&set, 0));
  CHECK_ERRNO(EINVAL, sigaddset(&set, 129));
}

TEST(words_about_the_system) {
  CHECK_EQUAL(sysconf(_SC_PAGESIZE), 4096);
  CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
  CHECK(sysconf(_SC_PHYS_PAGES) > 1000);
  CHECK_ERRNO(EINVAL, sysconf(-1));
  CHECK(arc4random_uniform(10) < 10);
}
