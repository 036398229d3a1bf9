// Text in the C library: strings, numbers, printf, scanf, sorting, dates (Programs/C/library).

#include "check.h"

#include <ctype.h>
#include <float.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <locale.h>
#include <sys/endian.h>
#include <sys/time.h>
#include <sys/utsname.h>

static void check_text(int line, const char *actual, const char *expected) {
  if (strcmp(actual, expected) != 0) check_failed(__FILE__, line, "\"%s\", expected \"%s\"", actual, expected);
}

#define CHECK_TEXT(actual, expected) check_text(__LINE__, actual, expected)
#define CHECK_PRINTED(expected, ...)                                                            \
  do {                                                                                          \
    char check_bytes[512];                                                                      \
    CHECK_EQUAL(snprintf(check_bytes, sizeof check_bytes, __VA_ARGS__), sizeof(expected) - 1);  \
    CHECK_TEXT(check_bytes, expected);                                                          \
  } while (0)

TEST(printf_of_whole_numbers) {
  CHECK_PRINTED("[  42|42  |00042|+42| 42]", "[%4d|%-4d|%05d|%+d|% d]", 42, 42, 42, 42, 42);
  CHECK_PRINTED("[-007|  -07|-0007]", "[%.3d|%5.2d|%05d]", -7, -7, -7);
  CHECK_PRINTED("[0xff|0XFF|0377|0|0]", "[%#x|%#X|%#o|%#x|%#o]", 255, 255, 255, 0, 0);
  CHECK_PRINTED("[||0]", "[%.0d|%.0x|%#.0o]", 0, 0, 0);
  CHECK_PRINTED("[-1|255|-1|65535]", "[%hhd|%hhu|%hd|%hu]", 255, 255, 65535, 65535);
  CHECK_PRINTED("[-9223372036854775808|18446744073709551615]", "[%ld|%zu]", LONG_MIN, SIZE_MAX);
  CHECK_PRINTED("[  7|7  ]", "[%*d|%*d]", 3, 7, -3, 7);
  CHECK_PRINTED("[4294967295 -5 1f]", "[%" PRIu32 " %" PRId64 " %" PRIx8 "]", UINT32_MAX, INT64_C(-5), 0x1f);
}

TEST(printf_of_texts) {
  CHECK_PRINTED("[abc|  abc|abc  |ab|%]", "[%s|%5s|%-5s|%.2s|%%]", "abc", "abc", "abc", "abc");
  CHECK_PRINTED("[x|  x]", "[%c|%3c]", 'x', 'x');
  CHECK_PRINTED("[0x10]", "[%p]", (void *)0x10);
  int count = 0;
  CHECK_PRINTED("12345", "123%n45", &count);
  CHECK_EQUAL(count, 3);
  char small[4];
  CHECK_EQUAL(snprintf(small, sizeof small, "%s", "much longer"), 11);
  CHECK_TEXT(small, "muc");
  CHECK_EQUAL(snprintf(NULL, 0, "%d", 12345), 5);
  char *made = NULL;
  CHECK_EQUAL(asprintf(&made, "%s-%d", "a", 1), 3);
  CHECK_TEXT(made, "a-1");
  free(made);
}

TEST(printf_of_floating_point_numbers_is_exact) {
  CHECK_PRINTED("[3.141593|3.14|3|3.]", "[%f|%.2f|%.0f|%#.0f]", 3.14159265, 3.14159265, 3.14159265, 3.14159265);
  CHECK_PRINTED("[0.5 2 4|1.5|-0.0]", "[%.1f %.0f %.0f|%g|%.1f]", 0.5, 1.5, 4.5, 1.5, -0.0);
  CHECK_PRINTED("[1.234568e+10|1E-05|100000|1e+06]", "[%e|%G|%g|%g]", 12345678901.0, 1e-5, 1e5, 1e6);
  CHECK_PRINTED("[0.1000000000000000055511151231257827]", "[%.34f]", 0.1);
  CHECK_PRINTED("[179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878"
                "1715404589535143824642343213268894641827684675467035375169860499105765512820762454900903893289440758"
                "6850845513394230458323690322294816580855933212334827479782620414472316873817718091929988125040402618"
                "4124858368]",
                "[%.0f]", DBL_MAX);
  CHECK_PRINTED("[4.9406564584124654e-324|inf|-INF|  nan]", "[%.17g|%f|%F|%5g]", 5e-324, __builtin_inf(),
                -__builtin_inf(), __builtin_nan(""));
  CHECK_PRINTED("[inf|-inf|nan|  inf]", "[%.14g|%.3e|%.9f|%05g]", __builtin_inf(), -__builtin_inf(), __builtin_nan(""),
                __builtin_inf());
  CHECK_PRINTED("[1.0e+02|9.9e+01]", "[%#.2g|%.1e]", 99.5, 98.96);
  CHECK_PRINTED("[ +1.50|00001.5|1.5    ]", "[%+6.2f|%07.1f|%-7.1f]", 1.5, 1.5, 1.5);
}

TEST(numbers_from_text) {
  char *end;
  CHECK_EQUAL(strtol(" -0x1fz", &end, 0), -31);
  CHECK_TEXT(end, "z");
  CHECK_EQUAL(strtol("077", NULL, 0), 63);
  CHECK_EQUAL(strtol("zz", NULL, 36), 35 * 36 + 35);
  errno = 0;
  CHECK_EQUAL(strtol("9223372036854775808", NULL, 10), LONG_MAX);
  CHECK_EQUAL(errno, ERANGE);
  CHECK_EQUAL(strtol("-9223372036854775809", NULL, 10), LONG_MIN);
  errno = 0;
  CHECK_EQUAL(strtol("-9223372036854775808", NULL, 10), LONG_MIN);
  CHECK_EQUAL(strtoul("18446744073709551615", NULL, 10), ULONG_MAX);
  CHECK_EQUAL(strtoul("-1", NULL, 10), ULONG_MAX);
  CHECK_EQUAL(errno, 0);
  const char *text = "none";
  CHECK_EQUAL(strtol(text, &end, 10), 0);
  CHECK(end == text);
  CHECK_EQUAL(strtol("1", NULL, 1), 0);
  CHECK_EQUAL(errno, EINVAL);
  const char *problem;
  CHECK_EQUAL(strtonum("12", 1, 20, &problem), 12);
  CHECK(!problem);
  CHECK_EQUAL(strtonum("21", 1, 20, &problem), 0);
  CHECK_TEXT(problem, "too large");
}

TEST(floating_point_numbers_from_text_are_exact) {
  char *end;
  CHECK(strtod("1.5e3x", &end) == 1500);
  CHECK_TEXT(end, "x");
  CHECK(strtod("0x1.8p1", NULL) == 3);
  CHECK(strtod("2.2250738585072011e-308", NULL) == 0x0.fffffffffffffp-1022);
  // Exactly in the middle between two, and a little above it.
  CHECK(strtod("9007199254740993", NULL) == 9007199254740992);
  CHECK(strtod("9007199254740993.00000000000000000000000000000000000000001", NULL) == 9007199254740994);
  CHECK(strtod("4.9e-324", NULL) == 0x1p-1074);
  errno = 0;
  CHECK(strtod("1e309", NULL) == __builtin_inf());
  CHECK_EQUAL(errno, ERANGE);
  errno = 0;
  CHECK(strtod("1e-400", NULL) == 0);
  CHECK_EQUAL(errno, ERANGE);
  CHECK(strtof("16777217", NULL) == 16777216);
  CHECK(strtod("-inf", NULL) == -__builtin_inf());
  CHECK(atof("7e+") == 7);
}

TEST(scanf_reads_what_printf_writes) {
  int first = 0, second = 0, count = -1;
  long wide = 0;
  char word[16] = "", set[16] = "", letter = 0;
  double number = 0;
  CHECK_EQUAL(sscanf("12 word,0x1f  rest", "%d %[^,],%i %n", &first, word, &second, &count), 3);
  CHECK_EQUAL(first, 12);
  CHECK_EQUAL(second, 31);
  CHECK_EQUAL(count, 14);
  CHECK_TEXT(word, "word");
  CHECK_EQUAL(sscanf("123456", "%3d%*1d%ld", &first, &wide), 2);
  CHECK_EQUAL(first, 123);
  CHECK_EQUAL(wide, 56);
  CHECK_EQUAL(sscanf(" x2.5e1]]y", " %c%lf%[]]", &letter, &number, set), 3);
  CHECK_EQUAL(letter, 'x');
  CHECK(number == 25);
  CHECK_TEXT(set, "]]");
  CHECK_EQUAL(sscanf("7e+x", "%lf%s", &number, word), 2);
  CHECK_TEXT(word, "e+x");
  CHECK_EQUAL(sscanf("", "%d", &first), EOF);
  CHECK_EQUAL(sscanf("a", "%d", &first), 0);
  CHECK_EQUAL(sscanf("5 a", "%d %d", &first, &second), 1);
  CHECK_EQUAL(sscanf("5%", "%d%%%n", &first, &count), 1);
  CHECK_EQUAL(count, 2);
}

TEST(strings) {
  char text[32] = "one";
  CHECK_TEXT(strcat(text, ",two,,three"), "one,two,,three");
  CHECK_TEXT(strstr(text, ",,"), ",,three");
  CHECK(!strstr(text, "four"));
  CHECK_TEXT(strcasestr(text, "TWO"), "two,,three");
  CHECK_EQUAL(strspn(text, "eno"), 3);
  CHECK_EQUAL(strcspn(text, "w,"), 3);
  CHECK_TEXT(strpbrk(text, "wh"), "wo,,three");
  char *rest, copy[32];
  strlcpy(copy, text, sizeof copy);
  CHECK_TEXT(strtok_r(copy, ",", &rest), "one");
  CHECK_TEXT(strtok_r(NULL, ",", &rest), "two");
  CHECK_TEXT(strtok_r(NULL, ",", &rest), "three");
  CHECK(!strtok_r(NULL, ",", &rest));
  strlcpy(copy, text, sizeof copy);
  char *words = copy;
  CHECK_TEXT(strsep(&words, ","), "one");
  CHECK_TEXT(strsep(&words, ","), "two");
  CHECK_TEXT(strsep(&words, ","), "");
  CHECK_TEXT(strsep(&words, ","), "three");
  CHECK(!strsep(&words, ","));
  CHECK_EQUAL(strlcat(text, "0123456789012345678901234567890", 16), 14 + 31);
  CHECK_TEXT(text, "one,two,,three0");
  CHECK_EQUAL(strncasecmp("ABCx", "abcy", 3), 0);
  CHECK(strcasecmp("a", "B") < 0);
  CHECK(memchr("abc", 'c', 2) == NULL);
  CHECK_TEXT(memrchr("abcb", 'b', 4), "b");
  char *twin = strndup("twin", 2);
  CHECK_TEXT(twin, "tw");
  free(twin);
  CHECK_EQUAL(ffs(8), 4);
  CHECK_EQUAL(fls(8), 4);
  for (int c = -1; c < 256; c++) {
    CHECK_EQUAL(!!isalnum(c), !!(isalpha(c) || isdigit(c)));
    CHECK_EQUAL(!!isprint(c), c >= 32 && c < 127);
    CHECK_EQUAL(!!isspace(c), c == ' ' || (c >= 9 && c <= 13));
  }
  CHECK_EQUAL(toupper('q'), 'Q');
}

static int by_value(const void *left, const void *right) {
  return *(const int *)left < *(const int *)right ? -1 : *(const int *)left > *(const int *)right;
}

TEST(sorting_and_finding) {
  static int numbers[1000];
  srandom(7);
  for (int index = 0; index < 1000; index++) numbers[index] = (int)(random() % 500) * 2;
  qsort(numbers, 1000, sizeof numbers[0], by_value);
  for (int index = 1; index < 1000; index++) CHECK(numbers[index - 1] <= numbers[index]);
  int present = numbers[700], absent = 3;
  int *found = bsearch(&present, numbers, 1000, sizeof numbers[0], by_value);
  CHECK(found && *found == present);
  CHECK(!bsearch(&absent, numbers, 1000, sizeof numbers[0], by_value));
}

TEST(paths_and_the_locale) {
  const char *const paths[][3] = {{"/usr/lib", "lib", "/usr"}, {"/usr/", "usr", "/"}, {"usr", "usr", "."}, {"/", "/", "/"},
                                  {"//a//b//", "b", "//a"}, {"", ".", "."}};
  for (size_t index = 0; index < nitems(paths); index++) {
    char path[32];
    strlcpy(path, paths[index][0], sizeof path);
    CHECK_TEXT(basename(path), paths[index][1]);
    strlcpy(path, paths[index][0], sizeof path);
    CHECK_TEXT(dirname(path), paths[index][2]);
  }
  CHECK_TEXT(setlocale(LC_ALL, ""), "C");
  CHECK(!setlocale(LC_ALL, "de_DE"));
  CHECK_TEXT(localeconv()->decimal_point, ".");
  struct utsname names;
  CHECK_EQUAL(uname(&names), 0);
  CHECK_TEXT(names.sysname, "FreeBSD");
  CHECK_TEXT(names.machine, "amd64");
  uint8_t bytes[8];
  be32enc(bytes, 0x01020304);
  CHECK_EQUAL(le32dec(bytes), 0x04030201);
  CHECK_EQUAL(be16toh(0x0102), 0x0201);
  struct timeval first = {1, 600000}, second = {0, 700000}, sum, difference;
  timeradd(&first, &second, &sum);
  timersub(&first, &second, &difference);
  CHECK(sum.tv_sec == 2 && sum.tv_usec == 300000 && difference.tv_sec == 0 && difference.tv_usec == 900000);
  CHECK(timercmp(&first, &second, >));
}

TEST(errors_have_texts) {
  CHECK_TEXT(strerror(ENOENT), "No such file or directory");
  CHECK_TEXT(strerror(9999), "Unknown error: 9999");
  char small[8];
  CHECK_EQUAL(strerror_r(EPERM, small, sizeof small), ERANGE);
  CHECK_TEXT(small, "Operati");
  CHECK_TEXT(strsignal(SIGSEGV), "Segmentation fault");
  for (int number = 1; number <= ELAST; number++) CHECK(strncmp(strerror(number), "(null)", 6) != 0);
}

TEST(dates) {
  time_t seconds = 951782400;  // 29 February 2000
  struct tm date;
  char text[64];
  CHECK(gmtime_r(&seconds, &date) == &date);
  CHECK_EQUAL(strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %a %j %V", &date), 30);
  CHECK_TEXT(text, "2000-02-29 00:00:00 Tue 060 09");
  CHECK_EQUAL(timegm(&date), seconds);
  // Members beyond their ranges.
  struct tm odd = {.tm_year = 124, .tm_mon = 13, .tm_mday = 0, .tm_sec = -1};
  CHECK_EQUAL(timegm(&odd), 1738281599);
  CHECK_EQUAL(odd.tm_mon, 0);
  CHECK_EQUAL(odd.tm_mday, 30);
  seconds = -1;
  CHECK_TEXT(asctime(gmtime(&seconds)), "Wed Dec 31 23:59:59 1969\n");
  seconds = INT64_MAX;
  errno = 0;
  CHECK(!gmtime(&seconds));
  CHECK_EQUAL(errno, EOVERFLOW);
  CHECK(time(NULL) > 0);
}

// Variables that ask for less alignment than a thread's record has.
static _Thread_local int first_local = 3;
static _Thread_local char second_local = 'x';

TEST(thread_local_variables_without_threads) {
  CHECK_EQUAL(first_local, 3);
  CHECK_EQUAL(second_local, 'x');
  errno = 0;
  close(-1);
  CHECK_EQUAL(errno, EBADF);
}

TEST(memory_grows_and_is_aligned) {
  char *memory = malloc(10);
  memcpy(memory, "012345678", 10);
  for (size_t size = 20; size < 1 << 20; size *= 3) {
    memory = realloc(memory, size);
    CHECK(memory);
    CHECK_TEXT(memory, "012345678");
  }
  free(memory);
  for (size_t alignment = 8; alignment <= 65536; alignment *= 2) {
    void *block = NULL;
    CHECK_EQUAL(posix_memalign(&block, alignment, 100), 0);
    CHECK_EQUAL((uintptr_t)block % alignment, 0);
    memset(block, 1, 100);
    block = realloc(block, 5000);
    CHECK(block && ((char *)block)[99] == 1);
    free(block);
  }
  void *unchanged = memory;
  CHECK_EQUAL(posix_memalign(&unchanged, 24, 1), EINVAL);
  CHECK(unchanged == memory);
  errno = 0;
  CHECK(!malloc(SIZE_MAX));
  CHECK_EQUAL(errno, ENOMEM);
  CHECK(!calloc(SIZE_MAX / 2, 3));
  CHECK(!reallocarray(NULL, SIZE_MAX / 2, 3));
}
