// execve_test NAME...: execve(2) refuses each /bin/NAME of its arguments with ENOEXEC, and the caller goes on as if nothing had
// happened (issue 2, acceptance 2; the files come from make-bad-executables.sh).

#include "check.h"

TEST(refused_files_leave_the_caller_alone) {
  if (check_argument_count < 2) {
    printf("# execve_test NAME...: names of files that must be refused: make run PROGRAM=build/programs/execve_test\n"
           "# ARGS=\"text elf32\" WITH=\"build/programs/bad/text build/programs/bad/elf32\"\n");
    _exit(1);
  }
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  volatile char *memory = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  memory[0] = 7;
  uint64_t unused = check_sysctl("vm.stats.vm.v_free_count");
  for (int index = 1; index < check_argument_count; index++) {
    char path[128];
    snprintf(path, sizeof path, "/bin/%s", check_arguments[index]);
    char *arguments[] = {path, "argument", NULL};
    check_module(check_arguments[index]);
    errno = 0;
    execve(path, arguments, environ);
    if (errno != ENOEXEC) check_failed(__FILE__, __LINE__, "%s: %s", path, strerror(errno));
    CHECK_EQUAL(memory[0], 7);
    CHECK(fcntl(descriptor, F_GETFD) == FD_CLOEXEC);
  }
  CHECK(check_sysctl("vm.stats.vm.v_free_count") + 2 >= unused);
}
