/* Counts the objects that the Swift runtime allocates on behalf of the current thread, so that the heap use of a simulated
   kernel can be measured where its objects come from the host. */
#pragma once

#include <stdint.h>

/* What this thread has allocated so far, outside of suspended stretches. Only grows. */
uint64_t heap_probe_object_count(void);
uint64_t heap_probe_byte_count(void);

/* Whether anything is counted at all. */
int heap_probe_is_active(void);

/* Allocations between these two are not the kernel's: its test doubles run. They nest. */
void heap_probe_suspend(void);
void heap_probe_resume(void);
