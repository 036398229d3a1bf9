// sys/queue.h: lists whose links lie in their elements, under the names of queue(3).
//
//   SLIST   one link each, entered and left at the front
//   STAILQ  one link each, and the head knows where the end is
//   LIST    an element knows the place that points at it: it can leave from the middle
//   TAILQ   the same, and the head knows where the end is: it can be walked backwards
//
// `place` below is always the address of a pointer to an element: of the head's, or of the link in the element before.
#pragma once

#include <stddef.h>
#include <sys/cdefs.h>

// MARK: SLIST

#define SLIST_HEAD(name, type) \
  struct name {                \
    struct type *slh_first;    \
  }
#define SLIST_HEAD_INITIALIZER(head) {NULL}
#define SLIST_ENTRY(type)   \
  struct {                  \
    struct type *sle_next;  \
  }

#define SLIST_FIRST(head) ((head)->slh_first)
#define SLIST_NEXT(element, link) ((element)->link.sle_next)
#define SLIST_EMPTY(head) (SLIST_FIRST(head) == NULL)
#define SLIST_INIT(head) ((void)(SLIST_FIRST(head) = NULL))
#define SLIST_INSERT_HEAD(head, element, link)            \
  do {                                                    \
    SLIST_NEXT(element, link) = SLIST_FIRST(head);        \
    SLIST_FIRST(head) = (element);                        \
  } while (0)
#define SLIST_INSERT_AFTER(before, element, link)              \
  do {                                                         \
    SLIST_NEXT(element, link) = SLIST_NEXT(before, link);      \
    SLIST_NEXT(before, link) = (element);                      \
  } while (0)
#define SLIST_REMOVE_HEAD(head, link) ((void)(SLIST_FIRST(head) = SLIST_NEXT(SLIST_FIRST(head), link)))
#define SLIST_REMOVE_AFTER(element, link) \
  ((void)(SLIST_NEXT(element, link) = SLIST_NEXT(SLIST_NEXT(element, link), link)))
#define SLIST_REMOVE(head, element, type, link)                                        \
  do {                                                                                 \
    struct type **queue_place = &SLIST_FIRST(head);                                    \
    while (*queue_place != (element)) queue_place = &SLIST_NEXT(*queue_place, link);   \
    *queue_place = SLIST_NEXT(element, link);                                          \
  } while (0)
#define SLIST_FOREACH(variable, head, link) \
  for ((variable) = SLIST_FIRST(head); (variable); (variable) = SLIST_NEXT(variable, link))
#define SLIST_FOREACH_SAFE(variable, head, link, next)                                                        \
  for ((variable) = SLIST_FIRST(head); (variable) && ((next) = SLIST_NEXT(variable, link), 1); (variable) = (next))

// MARK: STAILQ

#define STAILQ_HEAD(name, type) \
  struct name {                 \
    struct type *stqh_first;    \
    struct type **stqh_last;    \
  }
#define STAILQ_HEAD_INITIALIZER(head) {NULL, &(head).stqh_first}
#define STAILQ_ENTRY(type)   \
  struct {                   \
    struct type *stqe_next;  \
  }

#define STAILQ_FIRST(head) ((head)->stqh_first)
#define STAILQ_NEXT(element, link) ((element)->link.stqe_next)
#define STAILQ_EMPTY(head) (STAILQ_FIRST(head) == NULL)
#define STAILQ_LAST(head, type, link) \
  (STAILQ_EMPTY(head) ? NULL : __containerof((head)->stqh_last, struct type, link.stqe_next))
#define STAILQ_INIT(head)                        \
  do {                                           \
    STAILQ_FIRST(head) = NULL;                   \
    (head)->stqh_last = &STAILQ_FIRST(head);     \
  } while (0)
#define STAILQ_INSERT_HEAD(head, element, link)                                               \
  do {                                                                                        \
    STAILQ_NEXT(element, link) = STAILQ_FIRST(head);                                          \
    if (STAILQ_EMPTY(head)) (head)->stqh_last = &STAILQ_NEXT(element, link);                  \
    STAILQ_FIRST(head) = (element);                                                           \
  } while (0)
#define STAILQ_INSERT_TAIL(head, element, link)              \
  do {                                                       \
    STAILQ_NEXT(element, link) = NULL;                       \
    *(head)->stqh_last = (element);                          \
    (head)->stqh_last = &STAILQ_NEXT(element, link);         \
  } while (0)
#define STAILQ_INSERT_AFTER(head, before, element, link)                                      \
  do {                                                                                        \
    STAILQ_NEXT(element, link) = STAILQ_NEXT(before, link);                                   \
    if (STAILQ_NEXT(element, link) == NULL) (head)->stqh_last = &STAILQ_NEXT(element, link);  \
    STAILQ_NEXT(before, link) = (element);                                                    \
  } while (0)
#define STAILQ_REMOVE_HEAD(head, link)                                                        \
  do {                                                                                        \
    STAILQ_FIRST(head) = STAILQ_NEXT(STAILQ_FIRST(head), link);                               \
    if (STAILQ_EMPTY(head)) (head)->stqh_last = &STAILQ_FIRST(head);                          \
  } while (0)
#define STAILQ_REMOVE_AFTER(head, element, link)                                              \
  do {                                                                                        \
    STAILQ_NEXT(element, link) = STAILQ_NEXT(STAILQ_NEXT(element, link), link);               \
    if (STAILQ_NEXT(element, link) == NULL) (head)->stqh_last = &STAILQ_NEXT(element, link);  \
  } while (0)
#define STAILQ_REMOVE(head, element, type, link)                                              \
  do {                                                                                        \
    struct type **queue_place = &STAILQ_FIRST(head);                                          \
    while (*queue_place != (element)) queue_place = &STAILQ_NEXT(*queue_place, link);         \
    *queue_place = STAILQ_NEXT(element, link);                                                \
    if (*queue_place == NULL) (head)->stqh_last = queue_place;                                \
  } while (0)
#define STAILQ_CONCAT(first, second)                     \
  do {                                                   \
    if (!STAILQ_EMPTY(second)) {                         \
      *(first)->stqh_last = STAILQ_FIRST(second);        \
      (first)->stqh_last = (second)->stqh_last;          \
      STAILQ_INIT(second);                               \
    }                                                    \
  } while (0)
#define STAILQ_FOREACH(variable, head, link) \
  for ((variable) = STAILQ_FIRST(head); (variable); (variable) = STAILQ_NEXT(variable, link))
#define STAILQ_FOREACH_SAFE(variable, head, link, next)                                                         \
  for ((variable) = STAILQ_FIRST(head); (variable) && ((next) = STAILQ_NEXT(variable, link), 1); (variable) = (next))

// MARK: LIST

#define LIST_HEAD(name, type) \
  struct name {               \
    struct type *lh_first;    \
  }
#define LIST_HEAD_INITIALIZER(head) {NULL}
#define LIST_ENTRY(type)    \
  struct {                  \
    struct type *le_next;   \
    struct type **le_prev;  \
  }

#define LIST_FIRST(head) ((head)->lh_first)
#define LIST_NEXT(element, link) ((element)->link.le_next)
#define LIST_EMPTY(head) (LIST_FIRST(head) == NULL)
#define LIST_PREV(element, head, type, link)                      \
  ((element)->link.le_prev == &LIST_FIRST(head) ? NULL            \
                                                : __containerof((element)->link.le_prev, struct type, link.le_next))
#define LIST_INIT(head) ((void)(LIST_FIRST(head) = NULL))
#define LIST_ENTER(place, element, link)                                                                         \
  do {                                                                                                           \
    if (((element)->link.le_next = *(place)) != NULL)                                                            \
      LIST_NEXT(element, link)->link.le_prev = &LIST_NEXT(element, link);                                        \
    (element)->link.le_prev = (place);                                                                           \
    *(element)->link.le_prev = (element);                                                                        \
  } while (0)
#define LIST_INSERT_HEAD(head, element, link) LIST_ENTER(&LIST_FIRST(head), element, link)
#define LIST_INSERT_AFTER(before, element, link) LIST_ENTER(&LIST_NEXT(before, link), element, link)
#define LIST_INSERT_BEFORE(behind, element, link)          \
  do {                                                     \
    (element)->link.le_prev = (behind)->link.le_prev;      \
    LIST_NEXT(element, link) = (behind);                   \
    *(behind)->link.le_prev = (element);                   \
    (behind)->link.le_prev = &LIST_NEXT(element, link);    \
  } while (0)
#define LIST_REMOVE(element, link)                                                                                 \
  do {                                                                                                             \
    if (LIST_NEXT(element, link) != NULL) LIST_NEXT(element, link)->link.le_prev = (element)->link.le_prev;        \
    *(element)->link.le_prev = LIST_NEXT(element, link);                                                           \
  } while (0)
#define LIST_REPLACE(element, other, link)                                                                       \
  do {                                                                                                           \
    if ((LIST_NEXT(other, link) = LIST_NEXT(element, link)) != NULL)                                             \
      LIST_NEXT(other, link)->link.le_prev = &LIST_NEXT(other, link);                                            \
    (other)->link.le_prev = (element)->link.le_prev;                                                             \
    *(other)->link.le_prev = (other);                                                                            \
  } while (0)
#define LIST_FOREACH(variable, head, link) \
  for ((variable) = LIST_FIRST(head); (variable); (variable) = LIST_NEXT(variable, link))
#define LIST_FOREACH_SAFE(variable, head, link, next)                                                         \
  for ((variable) = LIST_FIRST(head); (variable) && ((next) = LIST_NEXT(variable, link), 1); (variable) = (next))

// MARK: TAILQ. The head looks like a link, so that the element before the first is found in the same way as any other.

#define TAILQ_HEAD(name, type) \
  struct name {                \
    struct type *tqh_first;    \
    struct type **tqh_last;    \
  }
#define TAILQ_HEAD_INITIALIZER(head) {NULL, &(head).tqh_first}
#define TAILQ_ENTRY(type)    \
  struct {                   \
    struct type *tqe_next;   \
    struct type **tqe_prev;  \
  }

#define TAILQ_FIRST(head) ((head)->tqh_first)
#define TAILQ_NEXT(element, link) ((element)->link.tqe_next)
#define TAILQ_EMPTY(head) (TAILQ_FIRST(head) == NULL)
#define TAILQ_LAST(head, name) (*((struct name *)(void *)(head)->tqh_last)->tqh_last)
#define TAILQ_PREV(element, name, link) (*((struct name *)(void *)(element)->link.tqe_prev)->tqh_last)
#define TAILQ_INIT(head)                       \
  do {                                         \
    TAILQ_FIRST(head) = NULL;                  \
    (head)->tqh_last = &TAILQ_FIRST(head);     \
  } while (0)
// Whoever comes behind an element (or the head, at the end) is told that `place` points at it now.
#define TAILQ_TELL_NEXT(head, element, link, place)                                                   \
  do {                                                                                                \
    if (TAILQ_NEXT(element, link) != NULL) TAILQ_NEXT(element, link)->link.tqe_prev = (place);        \
    else (head)->tqh_last = (place);                                                                  \
  } while (0)
#define TAILQ_INSERT_HEAD(head, element, link)                                \
  do {                                                                        \
    TAILQ_NEXT(element, link) = TAILQ_FIRST(head);                            \
    TAILQ_TELL_NEXT(head, element, link, &TAILQ_NEXT(element, link));         \
    (element)->link.tqe_prev = &TAILQ_FIRST(head);                            \
    TAILQ_FIRST(head) = (element);                                            \
  } while (0)
#define TAILQ_INSERT_TAIL(head, element, link)               \
  do {                                                       \
    TAILQ_NEXT(element, link) = NULL;                        \
    (element)->link.tqe_prev = (head)->tqh_last;             \
    *(head)->tqh_last = (element);                           \
    (head)->tqh_last = &TAILQ_NEXT(element, link);           \
  } while (0)
#define TAILQ_INSERT_AFTER(head, before, element, link)                       \
  do {                                                                        \
    TAILQ_NEXT(element, link) = TAILQ_NEXT(before, link);                     \
    TAILQ_TELL_NEXT(head, element, link, &TAILQ_NEXT(element, link));         \
    (element)->link.tqe_prev = &TAILQ_NEXT(before, link);                     \
    TAILQ_NEXT(before, link) = (element);                                     \
  } while (0)
#define TAILQ_INSERT_BEFORE(behind, element, link)           \
  do {                                                       \
    (element)->link.tqe_prev = (behind)->link.tqe_prev;      \
    TAILQ_NEXT(element, link) = (behind);                    \
    *(behind)->link.tqe_prev = (element);                    \
    (behind)->link.tqe_prev = &TAILQ_NEXT(element, link);    \
  } while (0)
#define TAILQ_REMOVE(head, element, link)                                     \
  do {                                                                        \
    TAILQ_TELL_NEXT(head, element, link, (element)->link.tqe_prev);           \
    *(element)->link.tqe_prev = TAILQ_NEXT(element, link);                    \
  } while (0)
#define TAILQ_REPLACE(head, element, other, link)                             \
  do {                                                                        \
    TAILQ_NEXT(other, link) = TAILQ_NEXT(element, link);                      \
    TAILQ_TELL_NEXT(head, other, link, &TAILQ_NEXT(other, link));             \
    (other)->link.tqe_prev = (element)->link.tqe_prev;                        \
    *(other)->link.tqe_prev = (other);                                        \
  } while (0)
#define TAILQ_CONCAT(first, second, link)                                     \
  do {                                                                        \
    if (!TAILQ_EMPTY(second)) {                                               \
      *(first)->tqh_last = TAILQ_FIRST(second);                               \
      TAILQ_FIRST(second)->link.tqe_prev = (first)->tqh_last;                 \
      (first)->tqh_last = (second)->tqh_last;                                 \
      TAILQ_INIT(second);                                                     \
    }                                                                         \
  } while (0)
#define TAILQ_FOREACH(variable, head, link) \
  for ((variable) = TAILQ_FIRST(head); (variable); (variable) = TAILQ_NEXT(variable, link))
#define TAILQ_FOREACH_SAFE(variable, head, link, next)                                                         \
  for ((variable) = TAILQ_FIRST(head); (variable) && ((next) = TAILQ_NEXT(variable, link), 1); (variable) = (next))
#define TAILQ_FOREACH_REVERSE(variable, head, name, link) \
  for ((variable) = TAILQ_LAST(head, name); (variable); (variable) = TAILQ_PREV(variable, name, link))
#define TAILQ_FOREACH_REVERSE_SAFE(variable, head, name, link, before)                                          \
  for ((variable) = TAILQ_LAST(head, name); (variable) && ((before) = TAILQ_PREV(variable, name, link), 1);     \
       (variable) = (before))
