// shared_memory_test: names, permissions, opening and unlinking of shared memory objects (spec shm.md, 2 and 3.1 to 3.3;
// spec tests.md, sections 6.1 and 6.2, whose case numbers stand in the names as shm_open_N_M and shm_unlink_N_M).

#include "shared_memory.h"

static void become(uid_t user, gid_t group) {
  CHECK_EQUAL(setgroups(1, &group), 0);
  CHECK_EQUAL(setgid(group), 0);
  CHECK_EQUAL(setuid(user), 0);
}

TEST(shm_open_5_1_same_name_is_the_same_object_in_every_process) {
  const char *path = check_name();
  int descriptor = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  CHECK_EXIT(0, {
    char *memory = map(shm_open(path, O_RDWR, 0), PAGE_SIZE);
    strcpy(memory, "from the child");
  });
  CHECK(strcmp(map(descriptor, PAGE_SIZE), "from the child") == 0);
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(shm_open_8_1_lowest_free_descriptor) {
  int first = anonymous(0), second = anonymous(0), third = anonymous(0);
  CHECK_EQUAL(second, first + 1);
  CHECK_EQUAL(third, first + 2);
  CHECK_EQUAL(close(second), 0);
  CHECK_EQUAL(anonymous(0), second);
}

TEST(shm_open_13_1_truncating_a_read_only_descriptor_is_invalid) {
  const char *path = check_name();
  int descriptor = shm_open(path, O_RDONLY | O_CREAT, 0600);
  CHECK_ERRNO(EINVAL, ftruncate(descriptor, 10));
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(shm_open_16_1_and_17_1_owner_is_the_effective_user) {
  CHECK_EXIT(0, {
    gid_t group = 77;
    CHECK_EQUAL(setgroups(1, &group), 0);
    CHECK_EQUAL(setegid(77), 0);
    CHECK_EQUAL(seteuid(1001), 0);
    struct stat status = status_of(anonymous(0));
    CHECK_EQUAL(status.st_uid, 1001);
    CHECK_EQUAL(status.st_gid, 77);
  });
}

TEST(shm_open_18_1_mode_is_masked) {
  umask(027);
  CHECK_EQUAL(status_of(shm_open(SHM_ANON, O_RDWR, 07777)).st_mode, S_IFREG | 0750);
}

TEST(shm_open_20_mode_does_not_limit_the_creating_open) {
  const char *path = check_name();
  int descriptor = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  map(descriptor, PAGE_SIZE)[0] = 1;
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(shm_open_21_1_new_objects_are_empty) {
  struct stat status = status_of(shm_open(SHM_ANON, O_RDWR, 0600));
  CHECK_EQUAL(status.st_size, 0);
  CHECK_EQUAL(status.st_blocks, 0);
}

// Fewer names than the original, which creates many thousands.
TEST(shm_open_23_1_exclusive_creation_happens_once) {
  enum { PROCESSES = 8, NAMES = 64 };
  volatile unsigned char *counts = (volatile unsigned char *)map(anonymous(PAGE_SIZE), PAGE_SIZE);
  char base[32];
  strlcpy(base, check_name(), sizeof base);
  for (int process = 0; process < PROCESSES; process++) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child) continue;
    for (int name = 0; name < NAMES; name++) {
      char path[48];
      snprintf(path, sizeof path, "%s.%d", base, name);
      int descriptor = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
      if (descriptor >= 0) counts[name * PROCESSES + process]++;
      else CHECK_EQUAL(errno, EEXIST);
      if (descriptor >= 0) close(descriptor);
      sched_yield();
    }
    _exit(0);
  }
  for (int process = 0; process < PROCESSES; process++) check_exit(__FILE__, __LINE__, 0, check_wait(WAIT_ANY));
  for (int name = 0; name < NAMES; name++) {
    int created = 0;
    for (int process = 0; process < PROCESSES; process++) created += counts[name * PROCESSES + process];
    CHECK_EQUAL(created, 1);
    char path[48];
    snprintf(path, sizeof path, "%s.%d", base, name);
    CHECK_EQUAL(shm_unlink(path), 0);
  }
}

TEST(shm_open_26_truncation_keeps_mode_and_owner) {
  const char *path = check_name();
  umask(0);
  int descriptor = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0666);
  CHECK_EQUAL(ftruncate(descriptor, 100), 0);
  CHECK_EXIT(0, {
    become(1001, 1001);
    struct stat status = status_of(shm_open(path, O_RDWR | O_TRUNC, 0600));
    CHECK_EQUAL(status.st_size, 0);
    CHECK_EQUAL(status.st_mode, S_IFREG | 0666);
    CHECK_EQUAL(status.st_uid, 0);
  });
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(shm_open_28_1_contents_last_while_the_name_does) {
  const char *path = check_name();
  int descriptor = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  char *memory = map(descriptor, PAGE_SIZE);
  strcpy(memory, "still here");
  CHECK_EQUAL(munmap(memory, PAGE_SIZE), 0);
  CHECK_EQUAL(close(descriptor), 0);
  descriptor = shm_open(path, O_RDONLY, 0);
  char bytes[16] = "";
  CHECK_EQUAL(read(descriptor, bytes, 11), 11);
  CHECK(strcmp(bytes, "still here") == 0);
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(shm_open_28_2_contents_last_while_a_mapping_does) {
  int descriptor = anonymous(PAGE_SIZE);
  char *memory = map(descriptor, PAGE_SIZE);
  strcpy(memory, "mapped");
  CHECK_EQUAL(close(descriptor), 0);
  CHECK(strcmp(memory, "mapped") == 0);
  memory[PAGE_SIZE - 1] = 1;
}

TEST(shm_open_28_3_contents_last_while_a_descriptor_does) {
  const char *path = check_name();
  int descriptor = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  char *memory = map(descriptor, PAGE_SIZE);
  strcpy(memory, "described");
  CHECK_EQUAL(munmap(memory, PAGE_SIZE), 0);
  CHECK_EQUAL(shm_unlink(path), 0);
  CHECK(strcmp(map(descriptor, PAGE_SIZE), "described") == 0);
}

TEST(shm_open_32_1_permission_denied) {
  const char *path = check_name();
  CHECK(shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0) >= 0);
  CHECK_EXIT(0, {
    become(1001, 1001);
    CHECK_ERRNO(EACCES, shm_open(path, O_RDONLY, 0));
    CHECK_ERRNO(EACCES, shm_open(path, O_RDWR, 0));
    CHECK_ERRNO(EEXIST, shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0));
  });
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(shm_open_34_1_truncation_needs_write_permission) {
  const char *path = check_name();
  umask(0);
  int descriptor = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0444);
  CHECK_EQUAL(ftruncate(descriptor, 10), 0);
  CHECK_EXIT(0, {
    become(1001, 1001);
    CHECK_ERRNO(EACCES, shm_open(path, O_RDWR | O_TRUNC, 0));
    CHECK(shm_open(path, O_RDONLY | O_TRUNC, 0) >= 0);
  });
  CHECK_EQUAL(status_of(descriptor).st_size, 10);
  CHECK_EQUAL(shm_unlink(path), 0);
}

// shm.md 2.1: the owner's bits decide for the owner, the group's for the group, and the superuser passes.
TEST(access_check_stops_at_the_first_class_that_fits) {
  umask(0);
  char path[48];
  strlcpy(path, check_name(), sizeof path);
  CHECK_EXIT(0, {
    become(1001, 50);
    CHECK(shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0066) >= 0);
    CHECK_ERRNO(EACCES, shm_open(path, O_RDONLY, 0));
  });
  CHECK_EXIT(0, {
    become(1002, 60);
    CHECK(shm_open(path, O_RDWR, 0) >= 0);
  });
  CHECK(shm_open(path, O_RDWR, 0) >= 0);
  CHECK_EQUAL(shm_unlink(path), 0);
  CHECK_EXIT(0, {
    become(1001, 50);
    CHECK(shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0606) >= 0);
  });
  CHECK_EXIT(0, {
    become(1002, 50);
    CHECK_ERRNO(EACCES, shm_open(path, O_RDONLY, 0));
  });
  CHECK_EXIT(0, {
    gid_t groups[2] = {60, 50};
    CHECK_EQUAL(setgroups(2, groups), 0);
    CHECK_EQUAL(setgid(60), 0);
    CHECK_EQUAL(setuid(1002), 0);
    CHECK_ERRNO(EACCES, shm_open(path, O_RDONLY, 0));
  });
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(shm_open_37_1_odd_names) {
  static const char *const good[] = {"/", "//", "/..", "/a//b", "/\001\377", "/a b"};
  static const char *const bad[] = {"", "..", "a/b", "\001"};
  for (size_t index = 0; index < nitems(good); index++) {
    CHECK(shm_open(good[index], O_RDWR | O_CREAT | O_EXCL, 0600) >= 0);
    CHECK_EQUAL(shm_unlink(good[index]), 0);
  }
  for (size_t index = 0; index < nitems(bad); index++) {
    CHECK_ERRNO(EINVAL, shm_open(bad[index], O_RDWR | O_CREAT, 0600));
    CHECK_ERRNO(EINVAL, shm_unlink(bad[index]));
  }
}

TEST(names_are_compared_byte_for_byte) {
  CHECK(shm_open("/same/name", O_RDWR | O_CREAT | O_EXCL, 0600) >= 0);
  CHECK_ERRNO(ENOENT, shm_open("/same//name", O_RDWR, 0600));
  CHECK_ERRNO(ENOENT, shm_open("/Same/name", O_RDWR, 0600));
  CHECK_ERRNO(ENOENT, shm_open("/same/./name", O_RDWR, 0600));
  CHECK_EQUAL(shm_unlink("/same/name"), 0);
}

TEST(shm_open_38_1_descriptor_table_full) {
  struct rlimit limit = {32, 32};
  CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
  int last = -1;
  for (int descriptor; (descriptor = shm_open(SHM_ANON, O_RDWR, 0)) >= 0;) last = descriptor;
  CHECK_EQUAL(errno, EMFILE);
  CHECK_EQUAL(last, 31);
  // Today's order (shm.md 3.1): the path is looked at first, the rest of the checks come after the descriptor.
  CHECK_ERRNO(EFAULT, shm_open((char *)8, O_RDWR, 0));
  CHECK_ERRNO(EMFILE, shm_open("/none", O_RDWR, 0));
  CHECK_ERRNO(EMFILE, shm_open(SHM_ANON, O_RDONLY, 0));
}

TEST(flags_of_shm_open2) {
  int descriptor = shm_open2(SHM_ANON, O_RDWR, 0600, 0, (const char *)-1);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(fcntl(descriptor, F_GETFD), 0);
  CHECK_EQUAL(fcntl(shm_open2(SHM_ANON, O_RDWR | O_CLOEXEC, 0600, 0, NULL), F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(EINVAL, shm_open2(SHM_ANON, O_RDWR, 0600, 8, NULL));
  CHECK_ERRNO(EINVAL, shm_open2(SHM_ANON, O_RDWR | 3, 0600, 0, NULL));
  CHECK_ERRNO(EINVAL, shm_open2((char *)8, O_WRONLY, 0600, 0, NULL));
  CHECK_EQUAL(fcntl(descriptor, F_GETFL), O_RDWR);
}

TEST(shm_unlink_1_1_to_6_1_name_goes_at_once) {
  const char *path = check_name();
  int descriptor = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  char *memory = map(descriptor, PAGE_SIZE);
  memory[0] = 7;
  CHECK_EQUAL(shm_unlink(path), 0);
  CHECK_ERRNO(ENOENT, shm_open(path, O_RDWR, 0));
  CHECK_ERRNO(ENOENT, shm_unlink(path));
  int other = shm_open(path, O_RDWR | O_CREAT, 0600);
  CHECK_EQUAL(status_of(other).st_size, 0);
  CHECK(status_of(other).st_ino != status_of(descriptor).st_ino);
  CHECK_EQUAL(memory[0], 7);
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(shm_unlink_8_1_and_9_1_needs_both_permissions) {
  umask(0);
  const char *path = check_name();
  CHECK(shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0644) >= 0);
  CHECK_EXIT(0, {
    become(1001, 1001);
    CHECK_ERRNO(EACCES, shm_unlink(path));
    CHECK(shm_open(path, O_RDONLY, 0) >= 0);
  });
  CHECK_EQUAL(shm_unlink(path), 0);
  CHECK(shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0666) >= 0);
  CHECK_EXIT(0, {
    become(1001, 1001);
    CHECK_EQUAL(shm_unlink(path), 0);
  });
}

TEST(shm_unlink_11_1_errors) {
  CHECK_ERRNO(ENOENT, shm_unlink("/nothing-of-this-name"));
  CHECK_ERRNO(EFAULT, shm_unlink(SHM_ANON));
  CHECK_ERRNO(EFAULT, shm_unlink(NULL));
}
