// stale_bytes_test: nothing of the kernel or of another process is seen in memory handed out, in structures copied out or
// in registers (issue 2, acceptance 5). Memory is filled with a pattern first, by a process that then ends.

#include "check.h"

#include <sys/ioctl.h>

enum { POISON = 0xd5 };

// Leaves the pattern in as much memory as half of what is free.
static void poison_memory(void) {
  size_t size = check_sysctl("vm.stats.vm.v_free_count") / 2 * PAGE_SIZE;
  if (size > 64 << 20) size = 64 << 20;
  CHECK_EXIT(0, {
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    CHECK(memory != MAP_FAILED);
    memset(memory, POISON, size);
  });
}

static void check_zero(const void *memory, size_t size) {
  for (size_t index = 0; index < size / 8; index++) {
    uint64_t word = ((const volatile uint64_t *)memory)[index];
    if (word) check_failed(__FILE__, __LINE__, "word %lu of %p is 0x%lx", index, memory, word);
  }
}

TEST(anonymous_memory_is_zero) {
  poison_memory();
  size_t size = 8 << 20;
  check_zero(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0), size);
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  for (size_t offset = 0; offset < size; offset += PAGE_SIZE) memory[offset] = 0;
  check_zero(memory, size);
}

TEST(shared_objects_are_zero) {
  poison_memory();
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, 4 << 20), 0);
  volatile char *memory = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  for (int offset = 0; offset < 2 << 20; offset += PAGE_SIZE) memory[offset + 8] = 0;
  check_zero((const void *)memory, 4 << 20);
  // A write of a few bytes brings a page into being whose rest is zero.
  int other = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(other, 64 * PAGE_SIZE), 0);
  static char bytes[PAGE_SIZE];
  for (int page = 0; page < 64; page++) {
    CHECK_EQUAL(pwrite(other, "", 1, page * PAGE_SIZE + 100), 1);
    CHECK_EQUAL(pread(other, bytes, PAGE_SIZE, page * PAGE_SIZE), PAGE_SIZE);
    check_zero(bytes, PAGE_SIZE);
  }
}

// What lies behind the program's last byte of data and below its stack, in a program started afresh.
TEST(the_stack_and_the_rest_of_the_last_data_page_are_zero) {
  extern char _end[];
  if (check_argument_count == 1) {
    poison_memory();
    CHECK_EXIT(0, {
      char *arguments[] = {"stale_bytes_test", "again", NULL};
      execve("/bin/stale_bytes_test", arguments, environ);
      _exit(1);
    });
    return;
  }
  uintptr_t end = ((uintptr_t)_end + 7) & ~(uintptr_t)7;
  check_zero((void *)end, (end + PAGE_MASK) / PAGE_SIZE * PAGE_SIZE - end);
  uintptr_t stack = (uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)PAGE_MASK;
  check_zero((void *)(stack - 64 * PAGE_SIZE), 48 * PAGE_SIZE);
}

// Checks that a call fills a buffer of a pattern exactly where its structure says.
#define CHECK_FIELDS(size, call, ...)                                                                         \
  do {                                                                                                        \
    static const unsigned short fields[][2] = {__VA_ARGS__};                                                  \
    static unsigned char buffer[(size) + 64];                                                                 \
    memset(buffer, POISON, sizeof buffer);                                                                    \
    CHECK_EQUAL(call, 0);                                                                                     \
    for (size_t byte = 0; byte < sizeof buffer; byte++) {                                                     \
      int inside = 0;                                                                                         \
      for (size_t field = 0; field < nitems(fields); field++)                                                 \
        inside |= byte >= fields[field][0] && byte < fields[field][0] + fields[field][1];                     \
      if (byte >= (size)) CHECK_EQUAL(buffer[byte], POISON);                                                  \
      else if (!inside && buffer[byte] != 0)                                                                  \
        check_failed(__FILE__, __LINE__, "%s: byte %lu is 0x%x", #call, byte, buffer[byte]);                  \
    }                                                                                                         \
  } while (0)

TEST(structures_have_nothing_between_their_fields) {
  poison_memory();
  int files[] = {shm_open(SHM_ANON, O_RDWR, 0600), 1, open("/dev/null", O_RDWR), open("/bin/stale_bytes_test", O_RDONLY)};
  for (size_t index = 0; index < nitems(files); index++) {
    CHECK(files[index] >= 0);
    CHECK_FIELDS(224, fstat(files[index], (struct stat *)buffer), {0, 26}, {28, 8}, {40, 92});
    CHECK_FIELDS(120, freebsd11_fstat(files[index], (struct freebsd11_stat *)buffer), {0, 92}, {104, 16});
  }
  pid_t child = fork();
  if (child == 0) _exit(0);
  CHECK_FIELDS(144, (wait4(child, NULL, 0, (struct rusage *)buffer) != child), {0, 40}, {64, 16}, {120, 24});
  CHECK_FIELDS(16, getrlimit(RLIMIT_NOFILE, (struct rlimit *)buffer), {0, 16});
  CHECK_FIELDS(16, clock_gettime(CLOCK_MONOTONIC, (struct timespec *)buffer), {0, 16});
  CHECK_FIELDS(8, ioctl(1, TIOCGWINSZ, buffer), {0, 4});
  CHECK_FIELDS(44, ioctl(1, TIOCGETA, buffer), {0, 44});
}

TEST(strings_copied_out_end_where_they_end) {
  static char text[128];
  static const char *const names[] = {"kern.ostype", "kern.osrelease"};
  for (size_t index = 0; index < nitems(names); index++) {
    memset(text, POISON, sizeof text);
    size_t length = sizeof text;
    CHECK_EQUAL(sysctlbyname(names[index], text, &length, NULL, 0), 0);
    CHECK_EQUAL(strlen(text) + 1, length);
    for (size_t byte = length; byte < sizeof text; byte++) CHECK_EQUAL((unsigned char)text[byte], POISON);
  }
}

// The vector registers are the program's own before and after anything the kernel does.
TEST(vector_registers_are_kept) {
  static uint64_t before[32], after[32];
  for (int index = 0; index < 32; index++) before[index] = 0x0101010101010101 * (uint64_t)(index + 1);
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  volatile char *memory = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  __asm__ volatile(
      "movups 0(%0), %%xmm0; movups 16(%0), %%xmm1; movups 32(%0), %%xmm2; movups 48(%0), %%xmm3\n"
      "movups 64(%0), %%xmm4; movups 80(%0), %%xmm5; movups 96(%0), %%xmm6; movups 112(%0), %%xmm7\n"
      "movups 128(%0), %%xmm8; movups 144(%0), %%xmm9; movups 160(%0), %%xmm10; movups 176(%0), %%xmm11\n"
      "movups 192(%0), %%xmm12; movups 208(%0), %%xmm13; movups 224(%0), %%xmm14; movups 240(%0), %%xmm15\n"
      "movl $331, %%eax; syscall; movb $1, (%2); movl $331, %%eax; syscall\n"
      "movups %%xmm0, 0(%1); movups %%xmm1, 16(%1); movups %%xmm2, 32(%1); movups %%xmm3, 48(%1)\n"
      "movups %%xmm4, 64(%1); movups %%xmm5, 80(%1); movups %%xmm6, 96(%1); movups %%xmm7, 112(%1)\n"
      "movups %%xmm8, 128(%1); movups %%xmm9, 144(%1); movups %%xmm10, 160(%1); movups %%xmm11, 176(%1)\n"
      "movups %%xmm12, 192(%1); movups %%xmm13, 208(%1); movups %%xmm14, 224(%1); movups %%xmm15, 240(%1)\n"
      :
      : "r"(before), "r"(after), "r"(memory)
      : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
        "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
  for (int index = 0; index < 32; index++) CHECK_EQUAL(after[index], before[index]);
}
