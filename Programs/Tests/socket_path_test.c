// socket_path_test: names of sockets as entries of directories (spec sockets.md section 3.3), bindat(2) and connectat(2), and
// sendfile(2) (section 9.1), with the names of FreeBSD's own cases where they are the same (tests/sys/capsicum, tests/sys/kern,
// tools/regression/sockets).

#include "sockets.h"

static int bound(const char *path) {
  int end = socket(PF_LOCAL, SOCK_STREAM, 0);
  CHECK_EQUAL(bind_to(end, path), 0);
  return end;
}

// MARK: Names

TEST(names_are_looked_at_changed_and_removed) {
  const char *path = path_of_case("entry");
  struct stat status;
  int end = bound(path);
  CHECK_EQUAL(stat(path, &status), 0);
  CHECK(S_ISSOCK(status.st_mode));
  CHECK_EQUAL(status.st_mode & 07777, 0755);
  CHECK_EQUAL(status.st_nlink, 1);
  CHECK_EQUAL(status.st_size, 0);
  CHECK_EQUAL(chmod(path, 0600), 0);
  CHECK_EQUAL(lstat(path, &status), 0);
  CHECK_EQUAL(status.st_mode & 07777, 0600);
  CHECK_EQUAL(chown(path, 5, 6), 0);
  CHECK_EQUAL(fstatat(AT_FDCWD, path, &status, 0), 0);
  CHECK(status.st_uid == 5 && status.st_gid == 6);
  CHECK_EQUAL(access(path, R_OK | W_OK), 0);
  CHECK_EXIT(0, {
    CHECK_EQUAL(setuid(7), 0);
    CHECK_ERRNO(EACCES, access(path, W_OK));
    CHECK_ERRNO(EACCES, connect_to(socket(PF_LOCAL, SOCK_STREAM, 0), path));
    CHECK_ERRNO(EPERM, unlink(path));
    CHECK_ERRNO(EPERM, chmod(path, 0666));
  });
  CHECK_EQUAL(close(end), 0);
  CHECK_ERRNO(EADDRINUSE, bind_to(socket(PF_LOCAL, SOCK_STREAM, 0), path));
  CHECK_EQUAL(unlink(path), 0);
  CHECK_ERRNO(ENOENT, unlink(path));
  CHECK_ERRNO(ENOENT, stat(path, &status));
  CHECK_EQUAL(close(bound(path)), 0);
  CHECK_EQUAL(unlinkat(AT_FDCWD, path, 0), 0);
}

TEST(a_socket_is_found_under_its_new_name) {
  const char *path = path_of_case("renamed");
  char other[80];
  snprintf(other, sizeof other, "/var/run/other.%d", getpid());
  int listener = listening(SOCK_STREAM, path, 3), client = socket(PF_LOCAL, SOCK_STREAM, 0);
  CHECK_EQUAL(rename(path, other), 0);
  CHECK_ERRNO(ENOENT, connect_to(client, path));
  CHECK_EQUAL(connect_to(client, other), 0);
  CHECK(accept(listener, NULL, NULL) >= 0);
  struct sockaddr_un address;
  socklen_t length = sizeof address;
  CHECK_EQUAL(getpeername(client, (struct sockaddr *)&address, &length), 0);
  CHECK(strncmp(address.sun_path, path, strlen(path)) == 0);
  CHECK_ERRNO(EROFS, rename(other, "/x"));
  CHECK_ERRNO(EXDEV, rename(other, "/dev/x"));
  CHECK_ERRNO(ENOENT, rename(path, other));
  CHECK_EQUAL(unlink(other), 0);
}

TEST(what_else_there_is_can_be_looked_at) {
  struct stat status;
  CHECK_EQUAL(stat("/dev/null", &status), 0);
  CHECK(S_ISCHR(status.st_mode));
  CHECK_EQUAL(stat("/tmp", &status), 0);
  CHECK(S_ISDIR(status.st_mode) && (status.st_mode & 07777) == 01777);
  CHECK_EQUAL(access("/", R_OK | X_OK), 0);
  CHECK_ERRNO(EROFS, access("/", W_OK));
  CHECK_ERRNO(EROFS, unlink("/dev/null"));
}

// MARK: bindat and connectat

TEST(bindat_connectat) {
  const char *path = path_of_case("at");
  struct sockaddr_un whole = address_of(path), relative = address_of(path + 1);
  int listener = socket(PF_LOCAL, SOCK_STREAM, 0), client = socket(PF_LOCAL, SOCK_STREAM, 0);
  CHECK_ERRNO(ENOTDIR, bindat(client, listener, (struct sockaddr *)&relative, SUN_LEN(&relative)));
  CHECK_ERRNO(EBADF, bindat(99, listener, (struct sockaddr *)&relative, SUN_LEN(&relative)));
  CHECK_EQUAL(bindat(AT_FDCWD, listener, (struct sockaddr *)&relative, SUN_LEN(&relative)), 0);
  CHECK_EQUAL(listen(listener, 1), 0);
  CHECK_ERRNO(ENOTDIR, connectat(listener, client, (struct sockaddr *)&relative, SUN_LEN(&relative)));
  CHECK_EQUAL(connectat(99, client, (struct sockaddr *)&whole, SUN_LEN(&whole)), 0);
}

// MARK: sendfile

static int object_of(size_t size) {
  int file = shm_open(SHM_ANON, O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(file, (off_t)size), 0);
  fill(block, size, 7);
  CHECK_EQUAL(pwrite(file, block, size, 0), size);
  return file;
}

TEST(unix_success) {
  int ends[2], file = object_of(5000);
  off_t sent = -1;
  pair(SOCK_STREAM, ends);
  struct iovec header = {"head", 4}, trailer = {"tail", 4};
  struct sf_hdtr around = {&header, 1, &trailer, 1};
  CHECK_EQUAL(sendfile(file, ends[0], 100, 3000, &around, &sent, 0), 0);
  CHECK_EQUAL(sent, 3008);
  CHECK_EQUAL(recv(ends[1], copy, 3008, MSG_WAITALL), 3008);
  CHECK(memcmp(copy, "head", 4) == 0 && memcmp(copy + 3004, "tail", 4) == 0);
  CHECK(memcmp(copy + 4, block + 100, 3000) == 0);
  CHECK_EQUAL(sendfile(file, ends[0], 4990, 0, NULL, &sent, 0), 0);
  CHECK_EQUAL(sent, 10);
  CHECK_EQUAL(option(ends[0], SO_SNDLOWAT), 4096);
}

TEST(sendfile_waits_for_its_receiver) {
  int ends[2], file = object_of(60000);
  pair(SOCK_STREAM, ends);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    off_t sent = -1;
    close(ends[1]);
    CHECK_EQUAL(sendfile(file, ends[0], 0, 0, NULL, &sent, SF_SYNC), 0);
    CHECK_EQUAL(sent, 60000);
    _exit(0);
  }
  close(ends[0]);
  CHECK_EQUAL(recv(ends[1], copy, 60000, MSG_WAITALL), 60000);
  check_filled(copy, 60000, 7);
  CHECK_EQUAL(check_wait(child), 0);
  // Through syscall(2) the sixth argument is on the stack, and the seventh behind it: that function has room for six.
  pair(SOCK_STREAM | SOCK_NONBLOCK, ends);
  off_t sent = -1;
  CHECK_ERRNO(EAGAIN, sendfile(file, ends[0], 0, 0, NULL, &sent, 0));
  CHECK_EQUAL(sent, 8192);
  ignore_broken_connections();
  CHECK_EQUAL(close(ends[1]), 0);
  CHECK_ERRNO(EPIPE, sendfile(file, ends[0], 0, 0, NULL, &sent, 0));
}
