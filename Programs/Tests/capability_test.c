// capability_test: Capsicum as a program sees it: rights of descriptors (cap_rights_limit(2)), also across fork and messages, and
// capability mode (cap_enter(2)) (spec fd.md, section 5).

#include <stdbool.h>
#include <sys/capsicum.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "check.h"

static int object(void) {
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, 2 * PAGE_SIZE), 0);
  return descriptor;
}

static void limit(int descriptor, cap_rights_t *rights) { CHECK_EQUAL(cap_rights_limit(descriptor, rights), 0); }

TEST(rights_shrink_only) {
  int descriptor = object();
  cap_rights_t rights, told;
  limit(descriptor, cap_rights_init(&rights, CAP_READ, CAP_SEEK, CAP_FSTAT));
  CHECK_EQUAL(cap_rights_get(descriptor, &told), 0);
  CHECK(cap_rights_is_set(&told, CAP_PREAD, CAP_FSTAT) && !cap_rights_is_set(&told, CAP_WRITE));
  CHECK(cap_rights_contains(&rights, &told) && cap_rights_contains(&told, &rights));
  CHECK_ERRNO(ENOTCAPABLE, cap_rights_limit(descriptor, cap_rights_init(&rights, CAP_READ, CAP_WRITE)));
  char byte = 1;
  CHECK_EQUAL(pread(descriptor, &byte, 1, 0), 1);
  CHECK_ERRNO(ENOTCAPABLE, pwrite(descriptor, &byte, 1, 0));
  CHECK_ERRNO(ENOTCAPABLE, ftruncate(descriptor, 1));
  struct stat status;
  CHECK_EQUAL(fstat(descriptor, &status), 0);
  CHECK_ERRNO(ENOTCAPABLE, fchmod(descriptor, 0600));
}

TEST(mappings_are_limited) {
  int descriptor = object();
  cap_rights_t rights;
  limit(descriptor, cap_rights_init(&rights, CAP_MMAP_R));
  void *memory = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  CHECK_ERRNO(EACCES, mprotect(memory, PAGE_SIZE, PROT_READ | PROT_WRITE));
  CHECK_ERRNO(ENOTCAPABLE, mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0));
}

TEST(a_descriptor_is_handed_out_with_fewer_rights) {
  int pair[2], descriptor = object(), narrow = dup(descriptor);
  CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  cap_rights_t rights;
  limit(narrow, cap_rights_init(&rights, CAP_READ, CAP_SEEK, CAP_MMAP_R));
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    close(descriptor);
    close(narrow);
    union {
      struct cmsghdr header;
      char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec piece = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    if (recvmsg(pair[1], &message, 0) != 1) _exit(1);
    int received = *(int *)CMSG_DATA(&control.header);
    char text[4] = "";
    if (pread(received, text, 4, 0) != 4 || memcmp(text, "text", 4) != 0) _exit(2);
    if (pwrite(received, text, 4, 0) != -1 || errno != ENOTCAPABLE) _exit(3);
    cap_rights_t more;
    if (cap_rights_limit(received, cap_rights_init(&more, CAP_WRITE)) != -1 || errno != ENOTCAPABLE) _exit(4);
    _exit(0);
  }
  CHECK_EQUAL(pwrite(descriptor, "text", 4, 0), 4);
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
  *(int *)CMSG_DATA(&control.header) = narrow;
  struct iovec piece = {"x", 1};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  CHECK_EQUAL(sendmsg(pair[0], &message, 0), 1);
  int status;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK_EQUAL(status, 0);
}

TEST(commands_and_requests) {
  int descriptor = object();
  uint32_t commands;
  CHECK_EQUAL(cap_fcntls_get(descriptor, &commands), 0);
  CHECK_EQUAL(commands, CAP_FCNTL_ALL);
  CHECK_EQUAL(cap_fcntls_limit(descriptor, CAP_FCNTL_GETFL), 0);
  CHECK_EQUAL(fcntl(descriptor, F_GETFL), O_RDWR);
  CHECK_ERRNO(ENOTCAPABLE, fcntl(descriptor, F_SETFL, O_NONBLOCK));
  CHECK_ERRNO(ENOTCAPABLE, cap_fcntls_limit(descriptor, CAP_FCNTL_ALL));
  CHECK_ERRNO(EINVAL, cap_fcntls_limit(descriptor, 1));
  CHECK_EQUAL(cap_ioctls_get(descriptor, NULL, 0), CAP_IOCTLS_ALL);
  cap_ioctl_t allowed[] = {FIOCLEX}, told[2] = {0, 0};
  CHECK_EQUAL(cap_ioctls_limit(descriptor, allowed, 1), 0);
  CHECK_EQUAL(cap_ioctls_get(descriptor, told, 2), 1);
  CHECK_EQUAL(told[0], FIOCLEX);
  CHECK_EQUAL(ioctl(descriptor, FIOCLEX), 0);
  CHECK_ERRNO(ENOTCAPABLE, ioctl(descriptor, FIONCLEX));
}

TEST(capability_mode) {
  CHECK(!cap_sandboxed());
  int descriptor = object();
  CHECK_EQUAL(cap_enter(), 0);
  CHECK(cap_sandboxed());
  CHECK_ERRNO(ECAPMODE, open("/dev/null", O_RDONLY));
  CHECK_ERRNO(ECAPMODE, shm_open("/name", O_RDWR | O_CREAT, 0600));
  CHECK_ERRNO(ECAPMODE, shm_unlink("/name"));
  CHECK_ERRNO(ECAPMODE, kill(1, 0));
  CHECK_EQUAL(kill(getpid(), 0), 0);
  CHECK_EQUAL(pwrite(descriptor, "x", 1, 0), 1);
  int anonymous = object();
  CHECK(mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, anonymous, 0) != MAP_FAILED);
  char text[32];
  size_t length = sizeof text;
  CHECK_EQUAL(sysctlbyname("kern.ostype", text, &length, NULL, 0), 0);
  length = sizeof text;
  CHECK_ERRNO(EPERM, sysctlbyname("kern.openfiles", text, &length, NULL, 0));
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) _exit(cap_sandboxed() ? 7 : 8);
  int status;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK_EQUAL(WEXITSTATUS(status), 7);
}
