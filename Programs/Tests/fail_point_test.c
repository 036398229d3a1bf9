// fail_point_test: sysctl debug.fail_point.NAME, and that each point makes fail what it is named after, with the errors of
// the manuals.

#include "check.h"

static const char *const names[] = {
    "frame",        "page_frame", "page_table",       "kernel_frame", "heap_reserve",  "index_node",
    "mapping_record", "map_entry",  "name_record",      "descriptor_node", "thread_record", "process_slot",
    "open_file",    "swap_reservation", "swap_block",   "transfer",     "transfer_read", "transfer_write",
};

static char *node(const char *name) {
  static char text[64];
  snprintf(text, sizeof text, "debug.fail_point.%s", name);
  return text;
}

static int set(const char *name, const char *setting) {
  return sysctlbyname(node(name), NULL, NULL, setting, strlen(setting));
}

static void check_setting(const char *name, const char *expected) {
  char text[256];
  size_t length = sizeof text;
  CHECK_EQUAL(sysctlbyname(node(name), text, &length, NULL, 0), 0);
  CHECK_EQUAL(length, strlen(expected) + 1);
  if (strcmp(text, expected) != 0) check_failed(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", name, text, expected);
}

TEST(settings_are_read_back) {
  for (size_t index = 0; index < nitems(names); index++) {
    check_setting(names[index], "off");
    CHECK_EQUAL(set(names[index], "1000000*off->2.5%3*return(12)->print"), 0);
    CHECK_EQUAL(set(names[index], "off"), 0);
  }
  CHECK_EQUAL(set("open_file", "1000000*off->2.5%3*return(12)->print"), 0);
  check_setting("open_file", "1000000*off->2.5%3*return(12)->print");
  CHECK_EQUAL(close(shm_open(SHM_ANON, O_RDWR, 0)), 0);
  check_setting("open_file", "999999*off->2.5%3*return(12)->print");
  CHECK_EQUAL(set("open_file", "off"), 0);
  check_setting("open_file", "off");
}

TEST(wrong_settings_change_nothing) {
  CHECK_EQUAL(set("swap_block", "7*return"), 0);
  CHECK_ERRNO(EINVAL, set("swap_block", "retrun"));
  CHECK_ERRNO(EINVAL, set("swap_block", "7%"));
  CHECK_ERRNO(EINVAL, set("swap_block", "0*return"));
  CHECK_ERRNO(EINVAL, set("swap_block", "return->"));
  CHECK_ERRNO(EINVAL, sysctlbyname(node("swap_block"), NULL, NULL, "return", 0));
  CHECK_ERRNO(EFAULT, sysctlbyname(node("swap_block"), NULL, NULL, (void *)8, 6));
  CHECK_ERRNO(ENOENT, sysctlbyname("debug.fail_point.swap", NULL, NULL, "off", 3));
  CHECK_ERRNO(EISDIR, sysctlbyname("debug.fail_point.", NULL, NULL, "off", 3));
  CHECK_ERRNO(EISDIR, sysctlbyname("debug.fail_point", NULL, NULL, "off", 3));
  char text[8];
  size_t length = 4;
  CHECK_ERRNO(ENOMEM, sysctlbyname(node("swap_block"), text, &length, NULL, 0));
  check_setting("swap_block", "7*return");
  CHECK_EQUAL(set("swap_block", "off"), 0);
}

TEST(only_the_superuser_sets_them) {
  CHECK_EXIT(0, {
    setuid(1001);
    check_setting("frame", "off");
    CHECK_ERRNO(EPERM, set("frame", "return"));
    check_setting("frame", "off");
  });
}

TEST(points_have_numbers) {
  int numbers[CTL_MAXNAME];
  size_t count = CTL_MAXNAME;
  CHECK_EQUAL(sysctlnametomib(node("map_entry"), numbers, &count), 0);
  CHECK_EQUAL(count, 2);
  CHECK_EQUAL(numbers[0], CTL_DEBUG);
  CHECK_EQUAL(sysctl(numbers, 2, NULL, NULL, "5*off", 5), 0);
  check_setting("map_entry", "5*off");
  CHECK_EQUAL(set("map_entry", "off"), 0);
}

// Sets a point to fail once, makes the call fail, and sees that it works untouched.
#define CHECK_POINT(name, expected, call)    \
  do {                                       \
    CHECK_EQUAL(set(name, "1*return"), 0);   \
    CHECK_ERRNO(expected, call);             \
    check_setting(name, "off");              \
    CHECK((long)(call) != -1);               \
  } while (0)

TEST(each_point_fails_its_own_calls) {
  CHECK_POINT("open_file", ENFILE, shm_open(SHM_ANON, O_RDWR, 0600));
  CHECK_POINT("open_file", ENFILE, open("/dev/null", O_RDWR));
  CHECK_POINT("name_record", ENFILE, shm_open("/fail-point", O_RDWR | O_CREAT, 0600));
  CHECK_EQUAL(shm_unlink("/fail-point"), 0);
  CHECK_POINT("descriptor_node", EMFILE, dup2(0, 100));
  CHECK_POINT("swap_reservation", ENOMEM, ftruncate(3, 5 * PAGE_SIZE));
  CHECK_EQUAL(ftruncate(3, 0), 0);
  CHECK_POINT("swap_reservation", ENOMEM, mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0));
  CHECK_POINT("map_entry", ENOMEM, mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, 3, 0));
  char *pages = mmap(NULL, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  // A change that makes nothing writable would wait.
  CHECK_POINT("map_entry", ENOMEM, mprotect(pages + PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC));
  CHECK_POINT("kernel_frame", ENOMEM, ({
                uint32_t groups[64] = {0};
                setgroups(64, groups);
              }));
}

static pid_t fork_and_exit(void) {
  pid_t child = fork();
  if (child == 0) _exit(0);
  if (child > 0) check_wait(child);
  return child;
}

TEST(fork_fails_as_fork_does) {
  CHECK_POINT("process_slot", EAGAIN, fork_and_exit());
  CHECK_POINT("thread_record", ENOMEM, fork_and_exit());
  CHECK_POINT("map_entry", ENOMEM, fork_and_exit());
  CHECK_POINT("page_table", ENOMEM, fork_and_exit());
  CHECK_POINT("swap_reservation", ENOMEM, fork_and_exit());
  // The call looks for memory and asks a second time before it refuses.
  CHECK_EQUAL(set("heap_reserve", "2*return"), 0);
  CHECK_ERRNO(ENOMEM, fork_and_exit());
  CHECK(fork_and_exit() > 0);
  char *const arguments[] = {"x", NULL};
  CHECK_EQUAL(set("kernel_frame", "1*return"), 0);
  CHECK_ERRNO(ENOMEM, execve("/bin/fail_point_test", arguments, environ));
}

// A fault has no error to give: it waits, and succeeds once memory can be had.
TEST(faults_wait_for_what_fails) {
  static const char *const points[] = {"frame", "page_frame", "page_table", "index_node", "heap_reserve", "mapping_record"};
  for (size_t index = 0; index < nitems(points); index++) {
    volatile char *pages = mmap(NULL, 64 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    CHECK_EQUAL(set(points[index], "50%return"), 0);
    for (long page = 0; page < 64; page++) pages[page * PAGE_SIZE] = (char)page;
    CHECK_EQUAL(set(points[index], "off"), 0);
    for (long page = 0; page < 64; page++) CHECK_EQUAL(pages[page * PAGE_SIZE], page);
    CHECK_EQUAL(munmap((void *)pages, 64 * PAGE_SIZE), 0);
  }
}
