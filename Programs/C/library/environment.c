// environment.c: variables of the environment, and the program's name (stdlib.h).
//
// Invariant: `environ` is what the kernel gave until something is set; from then on it is `own`, an array that is the library's.

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern uint64_t *start_record;

static char **own;
static size_t own_room;
static const char *name_of_program;

static bool is_name(const char *name) {
  if (name && *name && !strchr(name, '=')) return true;
  errno = EINVAL;
  return false;
}

static char **find(const char *name, size_t length) {
  for (char **variable = environ; variable && *variable; variable++)
    if (strncmp(*variable, name, length) == 0 && (*variable)[length] == '=') return variable;
  return NULL;
}

char *getenv(const char *name) {
  size_t length = strlen(name);
  char **variable = find(name, length);
  return variable ? *variable + length + 1 : NULL;
}

int putenv(char *text) {
  size_t length = strcspn(text, "=");
  if (text[length] == 0 || length == 0) {
    errno = EINVAL;
    return -1;
  }
  char **variable = find(text, length);
  if (variable) {
    *variable = text;
    return 0;
  }
  size_t count = 0;
  while (environ && environ[count]) count++;
  if (environ != own || own_room < count + 2) {
    char **larger = malloc((count + 16) * sizeof *larger);
    if (!larger) return -1;
    memcpy(larger, environ, count * sizeof *larger);
    free(own);
    own = environ = larger;
    own_room = count + 16;
  }
  environ[count] = text;
  environ[count + 1] = NULL;
  return 0;
}

// What a variable had before stays where it is: somebody may look at it still.
int setenv(const char *name, const char *value, int is_replaced) {
  if (!is_name(name)) return -1;
  size_t length = strlen(name), value_length = strlen(value);
  if (!is_replaced && find(name, length)) return 0;
  char *text = malloc(length + value_length + 2);
  if (!text) return -1;
  memcpy(text, name, length);
  text[length] = '=';
  memcpy(text + length + 1, value, value_length + 1);
  if (putenv(text) == 0) return 0;
  free(text);
  return -1;
}

int unsetenv(const char *name) {
  if (!is_name(name)) return -1;
  for (char **variable; (variable = find(name, strlen(name))) != NULL;)
    for (; *variable; variable++) variable[0] = variable[1];
  return 0;
}

// MARK: The program's name

void setprogname(const char *name) {
  const char *slash = strrchr(name, '/');
  name_of_program = slash ? slash + 1 : name;
}

const char *getprogname(void) {
  if (!name_of_program && start_record && start_record[0]) setprogname((const char *)start_record[1]);
  return name_of_program ? name_of_program : "?";
}
