// information_test: what procstat(1), fstat(1), ps(1) and posixshmcontrol(1) ask the kernel for: descriptors, mappings, processes and
// names of shared memory (spec abi.md, "kinfo_file").

#include <sys/socket.h>
#include <sys/user.h>
#include <sys/vmmeter.h>

#include "check.h"

static char buffer[128 << 10];

static size_t read_node(int *name, unsigned count) {
  size_t length = sizeof buffer;
  CHECK_EQUAL(sysctl(name, count, buffer, &length, NULL, 0), 0);
  return length;
}

static struct kinfo_file *find_file(size_t length, int descriptor) {
  for (size_t position = 0; position < length;) {
    struct kinfo_file *file = (struct kinfo_file *)(buffer + position);
    CHECK(file->kf_structsize > 0);
    if (file->kf_fd == descriptor) return file;
    position += (size_t)file->kf_structsize;
  }
  return NULL;
}

TEST(procstat_f) {
  shm_unlink("/information");
  int named = shm_open("/information", O_RDWR | O_CREAT, 0640), pair[2];
  CHECK(named >= 0);
  CHECK_EQUAL(ftruncate(named, 4321), 0);
  CHECK_EQUAL(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_FILEDESC, getpid()};
  size_t length = read_node(name, 4);
  struct kinfo_file *file = find_file(length, named);
  CHECK(file != NULL);
  CHECK_EQUAL(file->kf_type, KF_TYPE_SHM);
  CHECK_EQUAL(file->kf_un.kf_file.kf_file_size, 4321);
  CHECK_EQUAL(file->kf_un.kf_file.kf_file_mode, S_IFREG | 0640);
  CHECK_EQUAL(file->kf_flags, KF_FLAG_READ | KF_FLAG_WRITE);
  CHECK(strcmp(file->kf_path, "/information") == 0);
  struct kinfo_file *first = find_file(length, pair[0]), *second = find_file(length, pair[1]);
  CHECK(first != NULL && second != NULL);
  CHECK_EQUAL(first->kf_type, KF_TYPE_SOCKET);
  CHECK_EQUAL(first->kf_un.kf_sock.kf_sock_domain0, AF_UNIX);
  CHECK_EQUAL(first->kf_un.kf_sock.kf_sock_type0, SOCK_DGRAM);
  CHECK_EQUAL(first->kf_un.kf_sock.kf_sock_unpconn, second->kf_un.kf_sock.kf_sock_pcb);
  struct kinfo_file *program = find_file(length, KF_FD_TYPE_TEXT);
  CHECK(program != NULL && strcmp(program->kf_path, "/bin/information_test") == 0);
  CHECK(find_file(length, KF_FD_TYPE_CWD) != NULL && find_file(length, KF_FD_TYPE_ROOT) != NULL);
  struct kinfo_file one = {.kf_structsize = sizeof one};
  CHECK_EQUAL(fcntl(named, F_KINFO, &one), 0);
  CHECK(one.kf_fd == named && strcmp(one.kf_path, "/information") == 0);
  CHECK_EQUAL(shm_unlink("/information"), 0);
}

TEST(exchanged_names_are_told_of_their_objects) {
  shm_unlink("/exchanged-1");
  shm_unlink("/exchanged-2");
  int first = shm_open("/exchanged-1", O_RDWR | O_CREAT, 0600), second = shm_open("/exchanged-2", O_RDWR | O_CREAT, 0600);
  struct kinfo_file one = {.kf_structsize = sizeof one}, other = {.kf_structsize = sizeof other};
  CHECK_EQUAL(shm_rename("/exchanged-1", "/exchanged-2", SHM_RENAME_EXCHANGE), 0);
  CHECK_EQUAL(fcntl(first, F_KINFO, &one), 0);
  CHECK_EQUAL(fcntl(second, F_KINFO, &other), 0);
  CHECK(strcmp(one.kf_path, "/exchanged-2") == 0 && strcmp(other.kf_path, "/exchanged-1") == 0);
  CHECK_EQUAL(shm_unlink("/exchanged-2"), 0);
  CHECK_EQUAL(fcntl(first, F_KINFO, &one), 0);
  CHECK_EQUAL(fcntl(second, F_KINFO, &other), 0);
  CHECK(strcmp(one.kf_path, "") == 0 && strcmp(other.kf_path, "/exchanged-1") == 0);
  CHECK_EQUAL(shm_unlink("/exchanged-1"), 0);
}

TEST(procstat_v) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, 8 * PAGE_SIZE), 0);
  char *memory = mmap(NULL, 8 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  for (int page = 0; page < 3; page++) memory[page * PAGE_SIZE] = 1;
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_VMMAP, getpid()};
  size_t length = read_node(name, 4), position = 0;
  struct kinfo_vmentry *found = NULL;
  while (position < length) {
    struct kinfo_vmentry *entry = (struct kinfo_vmentry *)(buffer + position);
    if (entry->kve_start == (uint64_t)(uintptr_t)memory) found = entry;
    CHECK(entry->kve_structsize > 0 && entry->kve_start < entry->kve_end);
    position += (size_t)entry->kve_structsize;
  }
  CHECK(found != NULL);
  CHECK_EQUAL(found->kve_end - found->kve_start, 8 * PAGE_SIZE);
  CHECK_EQUAL(found->kve_type, KVME_TYPE_SWAP);
  CHECK_EQUAL(found->kve_flags, KVME_FLAG_POSIXSHM);
  CHECK_EQUAL(found->kve_protection, KVME_PROT_READ | KVME_PROT_WRITE);
  CHECK_EQUAL(found->kve_resident, 3);
  CHECK_EQUAL(found->kve_ref_count, 2);
}

TEST(ps) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    sleep(60);
    _exit(0);
  }
  sched_yield();
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_ALL};
  size_t length = read_node(name, 3);
  CHECK_EQUAL(length % sizeof(struct kinfo_proc), 0);
  struct kinfo_proc *own = NULL, *other = NULL;
  for (struct kinfo_proc *process = (struct kinfo_proc *)buffer; (char *)process < buffer + length; process++) {
    CHECK_EQUAL(process->ki_structsize, sizeof *process);
    if (process->ki_pid == getpid()) own = process;
    if (process->ki_pid == child) other = process;
  }
  CHECK(own != NULL && other != NULL);
  CHECK_EQUAL(other->ki_ppid, getpid());
  CHECK_EQUAL(own->ki_stat, SRUN);
  CHECK(strcmp(own->ki_comm, "information_test") == 0);
  CHECK(own->ki_size > 0 && own->ki_rssize > 0 && own->ki_start.tv_sec > 0);
  int one[] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, child};
  CHECK_EQUAL(read_node(one, 4), sizeof(struct kinfo_proc));
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  CHECK_EQUAL(waitpid(child, NULL, 0), child);
  size_t room = sizeof buffer;
  CHECK_ERRNO(ESRCH, sysctl(one, 4, buffer, &room, NULL, 0));
}

TEST(posixshmcontrol_list) {
  char path[16];
  for (int index = 0; index < 40; index++) {
    snprintf(path, sizeof path, "/list%d", index);
    shm_unlink(path);
    int descriptor = shm_open(path, O_RDWR | O_CREAT, 0600);
    CHECK(descriptor >= 0);
    CHECK_EQUAL(ftruncate(descriptor, 100 + index), 0);
    close(descriptor);
  }
  size_t length = sizeof buffer, position = 0;
  CHECK_EQUAL(sysctlbyname("kern.ipc.posix_shm_list", buffer, &length, NULL, 0), 0);
  int found = 0;
  while (position < length) {
    struct kinfo_file *file = (struct kinfo_file *)(buffer + position);
    if (strncmp(file->kf_path, "/list", 5) == 0) {
      CHECK_EQUAL(file->kf_un.kf_file.kf_file_size, 100 + strtol(file->kf_path + 5, NULL, 10));
      found++;
    }
    position += (size_t)file->kf_structsize;
  }
  CHECK_EQUAL(found, 40);
  for (int index = 0; index < 40; index++) {
    snprintf(path, sizeof path, "/list%d", index);
    CHECK_EQUAL(shm_unlink(path), 0);
  }
}

extern char **environ;

// What ps -e and procstat -a, -e and -x ask for.
TEST(ps_arguments_and_environment) {
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_ARGS, getpid()};
  size_t length = read_node(name, 4);
  CHECK(length > 0 && strstr(buffer, "information_test") != NULL);
  CHECK_EQUAL(buffer[length - 1], 0);
  // A child shows what its parent was called with, and gives itself a title.
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    static const char title[] = "information_test: a title";
    int own[] = {CTL_KERN, KERN_PROC, KERN_PROC_ARGS, -1};
    CHECK_EQUAL(sysctl(own, 4, NULL, NULL, title, sizeof title), 0);
    for (;;) pause();
  }
  name[3] = child;
  for (int round = 0; round < 1000 && strcmp(buffer, "information_test: a title") != 0; round++) {
    sched_yield();
    CHECK(read_node(name, 4) > 0);
  }
  CHECK(strcmp(buffer, "information_test: a title") == 0);
  CHECK_ERRNO(EPERM, sysctl(name, 4, NULL, NULL, "x", 2));
  name[2] = KERN_PROC_ENV;
  size_t expected = 0;
  for (char **variable = environ; *variable != NULL; variable++) expected += strlen(*variable) + 1;
  CHECK_EQUAL(read_node(name, 4), expected);
  name[2] = KERN_PROC_AUXV;
  length = read_node(name, 4);
  CHECK(length >= 32 && length % 16 == 0);
  CHECK_EQUAL(*(uint64_t *)(buffer + length - 16), 0);
  name[2] = KERN_PROC_PS_STRINGS;
  CHECK_EQUAL(read_node(name, 4), 8);
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  check_signal(__FILE__, __LINE__, SIGKILL, check_wait(child));
  CHECK_ERRNO(ESRCH, sysctl(name, 4, NULL, NULL, NULL, 0));
}

// What vmstat(8), top(1) and getloadavg(3) ask for.
TEST(vmstat_and_the_load) {
  struct vmtotal before, after;
  size_t length = sizeof before;
  CHECK_EQUAL(sysctlbyname("vm.vmtotal", &before, &length, NULL, 0), 0);
  CHECK_EQUAL(length, sizeof before);
  volatile char *memory = mmap(NULL, 64 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
  CHECK(memory != MAP_FAILED);
  for (int page = 0; page < 16; page++) memory[page * PAGE_SIZE] = 1;
  CHECK_EQUAL(sysctlbyname("vm.vmtotal", &after, &length, NULL, 0), 0);
  CHECK(after.t_vm >= before.t_vm + 64 && after.t_rm >= before.t_rm + 16 && after.t_avm <= after.t_vm);
  CHECK(after.t_rq >= 1 && after.t_sl >= 1);
  struct {
    uint32_t averages[3];
    long scale;
  } load;
  length = sizeof load;
  CHECK_EQUAL(sysctlbyname("vm.loadavg", &load, &length, NULL, 0), 0);
  CHECK(length == sizeof load && load.scale == 2048 && load.averages[0] < 100 * 2048);
  long ticks[5], sum = 0;
  length = sizeof ticks;
  CHECK_EQUAL(sysctlbyname("kern.cp_time", ticks, &length, NULL, 0), 0);
  for (int state = 0; state < 5; state++) sum += ticks[state];
  struct timespec now;
  CHECK_EQUAL(clock_gettime(CLOCK_UPTIME, &now), 0);
  long uptime = now.tv_sec * 128 + now.tv_nsec / (1000000000 / 128);
  CHECK(sum <= uptime + 1 && sum + 10 >= uptime);
  uint64_t calls = check_sysctl("vm.stats.sys.v_syscall"), zeroed = check_sysctl("vm.stats.vm.v_zfod");
  for (int count = 0; count < 50; count++) getppid();
  memory[40 * PAGE_SIZE] = 1;
  CHECK(check_sysctl("vm.stats.sys.v_syscall") >= calls + 50 && check_sysctl("vm.stats.vm.v_zfod") > zeroed);
  uint32_t half;
  length = sizeof half;
  CHECK_EQUAL(sysctlbyname("vm.stats.sys.v_swtch", &half, &length, NULL, 0), 0);
  CHECK(length == 4 && half > 0);
  CHECK_ERRNO(EISDIR, sysctlbyname("vm.stats", &half, &length, NULL, 0));
}
