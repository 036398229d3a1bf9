// The lists of sys/queue.h, each against an array.

#include "check.h"

#include <sys/queue.h>

struct element {
  int value;
  SLIST_ENTRY(element) single;
  STAILQ_ENTRY(element) queued;
  LIST_ENTRY(element) linked;
  TAILQ_ENTRY(element) both;
};

SLIST_HEAD(single_head, element);
STAILQ_HEAD(queued_head, element);
LIST_HEAD(linked_head, element);
TAILQ_HEAD(both_head, element);

enum { COUNT = 6 };
static struct element elements[COUNT], other = {.value = 9};

static void number_elements(void) {
  for (int index = 0; index < COUNT; index++) elements[index].value = index;
}

// Compares a list with what it should hold, in order.
#define CHECK_LIST(foreach, head, link, ...)                                     \
  do {                                                                           \
    const int expected[] = {__VA_ARGS__};                                        \
    size_t place = 0;                                                            \
    struct element *element;                                                     \
    foreach (element, head, link) {                                              \
      CHECK(place < nitems(expected));                                           \
      CHECK_EQUAL(element->value, expected[place]);                              \
      place++;                                                                   \
    }                                                                            \
    CHECK_EQUAL(place, nitems(expected));                                        \
  } while (0)

TEST(slist) {
  struct single_head head = SLIST_HEAD_INITIALIZER(head);
  number_elements();
  CHECK(SLIST_EMPTY(&head));
  for (int index = 0; index < 4; index++) SLIST_INSERT_HEAD(&head, &elements[index], single);
  SLIST_INSERT_AFTER(&elements[2], &elements[5], single);
  CHECK_LIST(SLIST_FOREACH, &head, single, 3, 2, 5, 1, 0);
  SLIST_REMOVE(&head, &elements[5], element, single);
  SLIST_REMOVE(&head, &elements[0], element, single);
  SLIST_REMOVE_HEAD(&head, single);
  CHECK_LIST(SLIST_FOREACH, &head, single, 2, 1);
  SLIST_REMOVE_AFTER(&elements[2], single);
  CHECK_LIST(SLIST_FOREACH, &head, single, 2);
  struct element *element, *next;
  SLIST_FOREACH_SAFE(element, &head, single, next) SLIST_REMOVE(&head, element, element, single);
  CHECK(SLIST_EMPTY(&head));
}

TEST(stailq) {
  struct queued_head head = STAILQ_HEAD_INITIALIZER(head), second;
  STAILQ_INIT(&second);
  number_elements();
  CHECK(STAILQ_EMPTY(&head) && !STAILQ_LAST(&head, element, queued));
  STAILQ_INSERT_TAIL(&head, &elements[1], queued);
  STAILQ_INSERT_TAIL(&head, &elements[2], queued);
  STAILQ_INSERT_HEAD(&head, &elements[0], queued);
  STAILQ_INSERT_AFTER(&head, &elements[2], &elements[3], queued);
  CHECK_LIST(STAILQ_FOREACH, &head, queued, 0, 1, 2, 3);
  CHECK(STAILQ_LAST(&head, element, queued) == &elements[3]);
  STAILQ_REMOVE(&head, &elements[3], element, queued);
  STAILQ_INSERT_TAIL(&head, &elements[4], queued);
  CHECK_LIST(STAILQ_FOREACH, &head, queued, 0, 1, 2, 4);
  STAILQ_INSERT_TAIL(&second, &elements[5], queued);
  STAILQ_CONCAT(&head, &second);
  CHECK(STAILQ_EMPTY(&second));
  STAILQ_REMOVE_AFTER(&head, &elements[4], queued);
  STAILQ_INSERT_TAIL(&head, &elements[3], queued);
  CHECK_LIST(STAILQ_FOREACH, &head, queued, 0, 1, 2, 4, 3);
  while (!STAILQ_EMPTY(&head)) STAILQ_REMOVE_HEAD(&head, queued);
  STAILQ_INSERT_TAIL(&head, &elements[0], queued);
  CHECK_LIST(STAILQ_FOREACH, &head, queued, 0);
}

TEST(list) {
  struct linked_head head = LIST_HEAD_INITIALIZER(head);
  number_elements();
  LIST_INSERT_HEAD(&head, &elements[2], linked);
  LIST_INSERT_BEFORE(&elements[2], &elements[1], linked);
  LIST_INSERT_AFTER(&elements[2], &elements[3], linked);
  LIST_INSERT_HEAD(&head, &elements[0], linked);
  CHECK_LIST(LIST_FOREACH, &head, linked, 0, 1, 2, 3);
  CHECK(!LIST_PREV(&elements[0], &head, element, linked));
  CHECK(LIST_PREV(&elements[3], &head, element, linked) == &elements[2]);
  LIST_REMOVE(&elements[0], linked);
  LIST_REMOVE(&elements[2], linked);
  LIST_REPLACE(&elements[3], &other, linked);
  CHECK_LIST(LIST_FOREACH, &head, linked, 1, 9);
  struct element *element, *next;
  LIST_FOREACH_SAFE(element, &head, linked, next) LIST_REMOVE(element, linked);
  CHECK(LIST_EMPTY(&head));
}

TEST(tailq) {
  struct both_head head = TAILQ_HEAD_INITIALIZER(head), second;
  TAILQ_INIT(&second);
  number_elements();
  CHECK(TAILQ_EMPTY(&head) && !TAILQ_LAST(&head, both_head));
  TAILQ_INSERT_TAIL(&head, &elements[2], both);
  TAILQ_INSERT_HEAD(&head, &elements[0], both);
  TAILQ_INSERT_AFTER(&head, &elements[0], &elements[1], both);
  TAILQ_INSERT_AFTER(&head, &elements[2], &elements[4], both);
  TAILQ_INSERT_BEFORE(&elements[4], &elements[3], both);
  CHECK_LIST(TAILQ_FOREACH, &head, both, 0, 1, 2, 3, 4);
  struct element *element, *before;
  int value = 4;
  TAILQ_FOREACH_REVERSE(element, &head, both_head, both) CHECK_EQUAL(element->value, value--);
  CHECK(!TAILQ_PREV(&elements[0], both_head, both));
  TAILQ_REMOVE(&head, &elements[4], both);
  TAILQ_REMOVE(&head, &elements[0], both);
  TAILQ_REPLACE(&head, &elements[3], &other, both);
  CHECK_LIST(TAILQ_FOREACH, &head, both, 1, 2, 9);
  CHECK(TAILQ_LAST(&head, both_head) == &other);
  TAILQ_INSERT_TAIL(&second, &elements[5], both);
  TAILQ_CONCAT(&head, &second, both);
  CHECK_LIST(TAILQ_FOREACH, &head, both, 1, 2, 9, 5);
  CHECK(TAILQ_PREV(&elements[5], both_head, both) == &other);
  TAILQ_FOREACH_REVERSE_SAFE(element, &head, both_head, both, before) TAILQ_REMOVE(&head, element, both);
  CHECK(TAILQ_EMPTY(&head));
  TAILQ_INSERT_TAIL(&head, &elements[0], both);
  CHECK_LIST(TAILQ_FOREACH, &head, both, 0);
}
