// Sets of rights (cap_rights_init(3)).

#include <stdarg.h>
#include <sys/capsicum.h>

// The word that a right belongs to is said by a bit of its own, which both words of a set have.
static int word_of(uint64_t right) { return right >> 58 & 1; }

static uint64_t bits_of(uint64_t right) { return right & ((1ULL << 57) - 1); }

#define FOR_EACH_RIGHT(last, right)                                        \
  va_list list;                                                            \
  va_start(list, last);                                                    \
  for (uint64_t right = va_arg(list, uint64_t); right != 0; right = va_arg(list, uint64_t))

cap_rights_t *__cap_rights_init(int version, cap_rights_t *rights, ...) {
  rights->cr_rights[0] = (uint64_t)version << 62 | CAPRIGHT(0, 0ULL);
  rights->cr_rights[1] = CAPRIGHT(1, 0ULL);
  FOR_EACH_RIGHT(rights, right) rights->cr_rights[word_of(right)] |= bits_of(right);
  va_end(list);
  return rights;
}

cap_rights_t *__cap_rights_set(cap_rights_t *rights, ...) {
  FOR_EACH_RIGHT(rights, right) rights->cr_rights[word_of(right)] |= bits_of(right);
  va_end(list);
  return rights;
}

cap_rights_t *__cap_rights_clear(cap_rights_t *rights, ...) {
  FOR_EACH_RIGHT(rights, right) rights->cr_rights[word_of(right)] &= ~bits_of(right);
  va_end(list);
  return rights;
}

int __cap_rights_is_set(const cap_rights_t *rights, ...) {
  int is_set = 1;
  FOR_EACH_RIGHT(rights, right) {
    if (bits_of(right) & ~rights->cr_rights[word_of(right)]) is_set = 0;
  }
  va_end(list);
  return is_set;
}

cap_rights_t *cap_rights_merge(cap_rights_t *rights, const cap_rights_t *others) {
  for (int word = 0; word < 2; word++) rights->cr_rights[word] |= others->cr_rights[word];
  return rights;
}

cap_rights_t *cap_rights_remove(cap_rights_t *rights, const cap_rights_t *others) {
  for (int word = 0; word < 2; word++) rights->cr_rights[word] &= ~bits_of(others->cr_rights[word]);
  return rights;
}

int cap_rights_contains(const cap_rights_t *rights, const cap_rights_t *others) {
  for (int word = 0; word < 2; word++) {
    if (bits_of(others->cr_rights[word]) & ~rights->cr_rights[word]) return 0;
  }
  return 1;
}

int cap_rights_get(int descriptor, cap_rights_t *rights) {
  return __cap_rights_get(CAP_RIGHTS_VERSION, descriptor, rights);
}

int cap_sandboxed(void) {
  unsigned int mode;
  return cap_getmode(&mode) == 0 && mode != 0;
}
