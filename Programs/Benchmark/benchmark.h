// benchmark.h: how rows are measured: in instructions of the emulated machine, which the time stamp counter counts under QEMU's
// -icount. A row is the least of its samples; the mean of them is said beside it.
//
// A group is a function that measures some rows, in a process of its own: it may fail or die, and leaves nothing to the next.
// What is measured calls the kernel by `kernel`, not by the library, which would add instructions of its own. The results of all
// calls of a row are or-ed into `signs`: it is negative, and the row has failed, when one of them failed.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/syscall.h>
#include <time.h>

struct group {
  // Their names, with a space between two: the group is run when one of them is asked for.
  const char *rows;
  void (*run)(void);
};

// Groups up to one without a function.
extern const struct group call_groups[], object_groups[], mapping_groups[], fault_groups[], process_groups[], passing_groups[];
extern const struct group size_groups[];

// A line of a table: bytes of kernel memory that one of this kind of thing takes. False when there are not so many kinds.
bool print_footprint(size_t kind);

// Always in the place of the call: its instructions, and pages of code and stack that a child would need, are part of a row.
#define INLINE static inline __attribute__((always_inline))

// A system call. An error comes back as a negative number.
INLINE long kernel6(long number, long first, long second, long third, long fourth, long fifth,
                                                          long sixth) {
  long result;
  register long r10 __asm__("r10") = fourth, r8 __asm__("r8") = fifth, r9 __asm__("r9") = sixth;
  __asm__ volatile("syscall; jnc 1f; negq %%rax; 1:"
                   : "=a"(result), "+D"(first), "+S"(second), "+d"(third), "+r"(r10), "+r"(r8), "+r"(r9)
                   : "a"(number)
                   : "rcx", "r11", "memory", "cc");
  return result;
}
#define KERNEL_7(number, a, b, c, d, e, f, ...) \
  kernel6(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define kernel(...) KERNEL_7(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

// Everything before it has happened.
INLINE uint64_t time_stamp(void) {
  uint32_t low, high;
  __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (uint64_t)high << 32 | low;
}

// Adds a sample to the row that is being measured.
void add_sample(uint64_t instructions);

// Ends a row: its samples are those that were added since the last, each of them of so many operations. A row that has failed
// (`signs` is negative) or has no sample is said to have failed.
void end_row(const char *name, unsigned times, long signs);

// A row that is one figure for many operations.
void end_row_of_mean(const char *name, uint64_t instructions, uint64_t times, long signs);

// A point of a line of the picture of cost against size: what so many operations took together.
void print_point(const char *line, long size, uint64_t instructions, long operations, long signs);

// Ends the group when what it stands on has failed.
#define NEED(result) need(__FILE__, __LINE__, (long)(result))
long need(const char *file, int line, long result);

// A row: so many samples, each of so many times the statements, after three of them to warm up.
#define MEASURE(name, samples, times, statements)                     \
  do {                                                                \
    long signs = 0;                                                   \
    for (int sample = 0; sample < 3; sample++) { statements }         \
    for (int sample = 0; sample < (samples); sample++) {              \
      uint64_t start = time_stamp();                                  \
      for (int time = 0; time < (times); time++) { statements }       \
      add_sample(time_stamp() - start);                               \
    }                                                                 \
    end_row(name, times, signs);                                      \
  } while (0)

enum { KiB = 1 << 10, MiB = 1 << 20, GiB = 1 << 30, megabyte_pages = MiB / PAGE_SIZE, READ_WRITE = PROT_READ | PROT_WRITE };

INLINE long open_anonymous(void) { return kernel(SYS_shm_open2, SHM_ANON, O_RDWR | O_CLOEXEC, 0600, 0, 0); }
INLINE long open_named(const char *name, int flags) {
  return kernel(SYS_shm_open2, name, flags | O_CLOEXEC, 0600, 0, 0);
}
INLINE long create_named(const char *name) { return open_named(name, O_RDWR | O_CREAT | O_EXCL); }
INLINE long close_file(long descriptor) { return kernel(SYS_close, descriptor); }
INLINE long set_size(long descriptor, long size) { return kernel(SYS_ftruncate, descriptor, size); }
INLINE long map_shared(long descriptor, long size) {
  return kernel(SYS_mmap, 0, size, READ_WRITE, MAP_SHARED, descriptor, 0);
}
INLINE long map_private(long size) {
  return kernel(SYS_mmap, 0, size, READ_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
}
INLINE long unmap(long address, long size) { return kernel(SYS_munmap, address, size); }
INLINE long fork_process(void) { return kernel(SYS_fork); }
INLINE _Noreturn void end_process(long status) {
  for (;;) kernel(SYS_exit, status);
}
INLINE long wait_for(long process) {
  int status;
  return kernel(SYS_wait4, process, &status, 0, 0);
}

INLINE void store(long address) { *(volatile char *)address = 1; }
INLINE void load(long address) { (void)*(volatile char *)address; }
INLINE void store_pages(long address, long size) {
  for (long offset = 0; offset < size; offset += PAGE_SIZE) store(address + offset);
}

// A nameless object of a size without a page: its descriptor.
INLINE long object_of(long size) {
  long descriptor = NEED(open_anonymous());
  NEED(set_size(descriptor, size));
  return descriptor;
}

// A name of eight hexadecimal digits at most.
INLINE void write_name(char *name, unsigned digits, uint64_t number) {
  *name++ = '/';
  *name++ = 'n';
  while (digits-- > 0) *name++ = "0123456789abcdef"[number >> 4 * digits & 15];
  *name = 0;
}

// The time of a child that ends at once, from before it is made to when it has been waited for.
#define TIME_CHILD(in_child)                    \
  do {                                          \
    uint64_t start = time_stamp();              \
    long child = fork_process();                \
    if (child == 0) {                           \
      in_child;                                 \
      end_process(0);                           \
    }                                           \
    signs |= child;                             \
    signs |= wait_for(child);                   \
    add_sample(time_stamp() - start);           \
  } while (0)
