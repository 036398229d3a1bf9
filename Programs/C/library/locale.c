// locale.c: the locale "C" (locale.h), and the parts of paths (libgen.h).

#include <libgen.h>
#include <locale.h>
#include <string.h>

static char nothing[] = "", point[] = ".", name_of_locale[] = "C";

char *setlocale(int category, const char *name) {
  if (category < LC_ALL || category > LC_MESSAGES) return NULL;
  return !name || !*name || strcmp(name, "C") == 0 || strcmp(name, "POSIX") == 0 ? name_of_locale : NULL;
}

struct lconv *localeconv(void) {
  // What a locale does not say is CHAR_MAX, and an empty text.
  static struct lconv locale = {
      point,    nothing,  nothing,  nothing,  nothing,  nothing,  nothing,  nothing,  nothing,  nothing,  CHAR_MAX, CHAR_MAX,
      CHAR_MAX, CHAR_MAX, CHAR_MAX, CHAR_MAX, CHAR_MAX, CHAR_MAX, CHAR_MAX, CHAR_MAX, CHAR_MAX, CHAR_MAX, CHAR_MAX, CHAR_MAX};
  return &locale;
}

// Cuts slashes off the end of a path, but for the first.
static void cut_slashes(char *path, size_t length) {
  while (length > 1 && path[length - 1] == '/') length--;
  path[length] = 0;
}

char *basename(char *path) {
  static char dot[2];
  if (!path || !*path) return strcpy(dot, ".");
  cut_slashes(path, strlen(path));
  char *slash = strrchr(path, '/');
  return slash && slash[1] ? slash + 1 : path;
}

char *dirname(char *path) {
  static char dot[2];
  if (!path || !*path) return strcpy(dot, ".");
  cut_slashes(path, strlen(path));
  char *slash = strrchr(path, '/');
  if (!slash) return strcpy(dot, ".");
  cut_slashes(path, (size_t)(slash - path) + 1);
  return path;
}
