// posixshm_largepage_test: the largepage cases of FreeBSD's posixshm_test (spec tests.md) under their names: shared memory of 2 MiB
// pages.

#include <sys/ioctl.h>

#include "check.h"

static size_t size;

static void read_sizes(void) {
  size_t sizes[4];
  int count = getpagesizes(sizes, 4);
  CHECK(count >= 2);
  CHECK_EQUAL(sizes[0], PAGE_SIZE);
  CHECK_EQUAL(getpagesizes(NULL, 0), count);
  size = sizes[1];
}

static int large(int policy, size_t byte_count) {
  read_sizes();
  int descriptor = shm_create_largepage(SHM_ANON, O_RDWR, 1, policy, 0);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, (off_t)byte_count), 0);
  return descriptor;
}

static char *map(int descriptor, size_t byte_count) {
  char *memory = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}

TEST(largepage_basic) {
  read_sizes();
  int descriptor = large(SHM_LARGEPAGE_ALLOC_DEFAULT, size);
  struct stat status;
  CHECK_EQUAL(fstat(descriptor, &status), 0);
  CHECK_EQUAL(status.st_size, size);
  CHECK_EQUAL(status.st_blksize, size);
  CHECK_EQUAL(status.st_blocks, 1);
  char *memory = map(descriptor, size);
  for (size_t position = 0; position < size; position += PAGE_SIZE) CHECK_EQUAL(memory[position], 0);
  char *again = map(descriptor, size);
  memory[size - 1] = 'x';
  CHECK_EQUAL(again[size - 1], 'x');
  CHECK_ERRNO(EOPNOTSUPP, ftruncate(descriptor, 0));
  CHECK_ERRNO(EINVAL, ftruncate(descriptor, (off_t)size + PAGE_SIZE));
  CHECK_EQUAL(munmap(memory, size), 0);
  CHECK_EQUAL(munmap(again, size), 0);
}

TEST(largepage_config) {
  read_sizes();
  int descriptor = shm_open2(SHM_ANON, O_RDWR, 0, SHM_LARGEPAGE, NULL);
  CHECK(descriptor >= 0);
  CHECK_ERRNO(EINVAL, ftruncate(descriptor, (off_t)size));
  struct shm_largepage_conf wrong = {.psind = -1};
  CHECK_ERRNO(EINVAL, ioctl(descriptor, FIOSSHMLPGCNF, &wrong));
  wrong.psind = 0;
  CHECK_ERRNO(EINVAL, ioctl(descriptor, FIOSSHMLPGCNF, &wrong));
  wrong.psind = 1;
  wrong.alloc_policy = -1;
  CHECK_ERRNO(EINVAL, ioctl(descriptor, FIOSSHMLPGCNF, &wrong));
  struct shm_largepage_conf right = {.psind = 1, .alloc_policy = SHM_LARGEPAGE_ALLOC_NOWAIT}, told = {0};
  CHECK_EQUAL(ioctl(descriptor, FIOSSHMLPGCNF, &right), 0);
  CHECK_EQUAL(ioctl(descriptor, FIOGSHMLPGCNF, &told), 0);
  CHECK(told.psind == 1 && told.alloc_policy == SHM_LARGEPAGE_ALLOC_NOWAIT);
  CHECK_EQUAL(ftruncate(descriptor, (off_t)size), 0);
  int ordinary = shm_open(SHM_ANON, O_RDWR, 0);
  CHECK_ERRNO(ENOTTY, ioctl(ordinary, FIOSSHMLPGCNF, &right));
}

TEST(largepage_mmap) {
  read_sizes();
  int descriptor = large(SHM_LARGEPAGE_ALLOC_DEFAULT, size);
  CHECK_ERRNO(EINVAL, mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0));
  CHECK_ERRNO(EINVAL, mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, descriptor, 0));
  CHECK_ERRNO(EINVAL, mmap(NULL, size, PROT_READ, MAP_SHARED, descriptor, PAGE_SIZE));
  char *memory = map(descriptor, size);
  CHECK_EQUAL((uintptr_t)memory % size, 0);
  CHECK_ERRNO(EINVAL, mmap(memory + PAGE_SIZE, size, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor, 0));
  CHECK_ERRNO(ENOSPC, mmap(memory, size, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_EXCL, descriptor, 0));
  CHECK_ERRNO(EINVAL, mmap(memory, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANON | MAP_FIXED, -1, 0));
  CHECK(mmap(memory, size, PROT_READ, MAP_SHARED | MAP_FIXED, descriptor, 0) == memory);
}

TEST(largepage_munmap) {
  read_sizes();
  int descriptor = large(SHM_LARGEPAGE_ALLOC_DEFAULT, 2 * size);
  char *memory = map(descriptor, 2 * size);
  CHECK_ERRNO(EINVAL, munmap(memory, PAGE_SIZE));
  CHECK_ERRNO(EINVAL, munmap(memory + PAGE_SIZE, size));
  CHECK_EQUAL(munmap(memory, size), 0);
  memory[size] = 1;
  CHECK_EQUAL(munmap(memory + size, size), 0);
}

TEST(largepage_madvise) {
  read_sizes();
  char *memory = map(large(SHM_LARGEPAGE_ALLOC_DEFAULT, size), size);
  memset(memory, 'x', PAGE_SIZE);
  CHECK_EQUAL(madvise(memory, size, MADV_WILLNEED), 0);
  CHECK_EQUAL(madvise(memory, size, MADV_DONTNEED), 0);
  CHECK_EQUAL(madvise(memory, size, MADV_RANDOM), 0);
  CHECK_ERRNO(EINVAL, madvise(memory, PAGE_SIZE, MADV_NOCORE));
  CHECK_EQUAL(memory[PAGE_SIZE - 1], 'x');
}

TEST(largepage_mlock) {
  read_sizes();
  char *memory = map(large(SHM_LARGEPAGE_ALLOC_DEFAULT, size), size);
  CHECK_EQUAL(mlock(memory, size), 0);
  CHECK_ERRNO(EINVAL, munlock(memory, PAGE_SIZE));
  CHECK_EQUAL(munlock(memory, size), 0);
}

TEST(largepage_msync) {
  read_sizes();
  char *memory = map(large(SHM_LARGEPAGE_ALLOC_DEFAULT, size), size);
  memory[7] = 1;
  CHECK_EQUAL(msync(memory, size, MS_SYNC), 0);
  CHECK_EQUAL(msync(memory, PAGE_SIZE, MS_ASYNC), 0);
  CHECK_EQUAL(msync(memory, size, MS_INVALIDATE), 0);
  CHECK_ERRNO(EBUSY, msync(memory, PAGE_SIZE, MS_INVALIDATE));
  CHECK_EQUAL(memory[7], 1);
}

TEST(largepage_mprotect) {
  read_sizes();
  char *memory = map(large(SHM_LARGEPAGE_ALLOC_DEFAULT, size), size);
  CHECK_ERRNO(EINVAL, mprotect(memory, PAGE_SIZE, PROT_READ));
  memory[1] = 1;
  CHECK_EQUAL(mprotect(memory, size, PROT_READ), 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    memory[1] = 2;
    _exit(0);
  }
  int status;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
  CHECK_EQUAL(mprotect(memory, size, PROT_READ | PROT_WRITE), 0);
  memory[1] = 3;
}

TEST(largepage_minherit) {
  read_sizes();
  char *memory = map(large(SHM_LARGEPAGE_ALLOC_DEFAULT, size), size);
  CHECK_ERRNO(EINVAL, minherit(memory, PAGE_SIZE, INHERIT_NONE));
  CHECK_ERRNO(EINVAL, minherit(memory, size, INHERIT_COPY));
  CHECK_EQUAL(minherit(memory, size, INHERIT_NONE), 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    char residence;
    _exit(mincore(memory, PAGE_SIZE, &residence) == -1 ? 0 : 1);
  }
  int status;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK_EQUAL(status, 0);
  CHECK_EQUAL(minherit(memory, size, INHERIT_SHARE), 0);
}

TEST(largepage_pipe) {
  read_sizes();
  char *memory = map(large(SHM_LARGEPAGE_ALLOC_DEFAULT, size), size);
  memset(memory, 'p', size);
  int ends[2];
  CHECK_EQUAL(pipe(ends), 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    close(ends[0]);
    for (size_t done = 0; done < size;) {
      ssize_t written = write(ends[1], memory + done, size - done);
      if (written <= 0) _exit(1);
      done += (size_t)written;
    }
    _exit(0);
  }
  close(ends[1]);
  static char part[PAGE_SIZE];
  size_t received = 0;
  for (ssize_t count; (count = read(ends[0], part, sizeof part)) > 0; received += (size_t)count) {
    for (ssize_t index = 0; index < count; index++) CHECK_EQUAL(part[index], 'p');
  }
  CHECK_EQUAL(received, size);
  int status;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK_EQUAL(status, 0);
}

TEST(largepage_reopen) {
  // shows: shm 3.6.call
  read_sizes();
  static const char path[] = "/largepage_reopen";
  shm_unlink(path);
  int descriptor = shm_create_largepage(path, O_RDWR, 1, SHM_LARGEPAGE_ALLOC_DEFAULT, 0600);
  CHECK(descriptor >= 0);
  CHECK_EQUAL(ftruncate(descriptor, (off_t)size), 0);
  map(descriptor, size)[0] = 'r';
  CHECK_EQUAL(close(descriptor), 0);
  descriptor = shm_open(path, O_RDWR, 0);
  CHECK(descriptor >= 0);
  struct shm_largepage_conf told = {0};
  CHECK_EQUAL(ioctl(descriptor, FIOGSHMLPGCNF, &told), 0);
  CHECK_EQUAL(told.psind, 1);
  CHECK_EQUAL(map(descriptor, size)[0], 'r');
  CHECK_EQUAL(shm_unlink(path), 0);
  CHECK_EQUAL(close(descriptor), 0);
}
