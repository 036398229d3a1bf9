// shared_object_test: sizes, transfers, times and lifetime of shared memory objects (spec shm.md, 2.4, 2.5, 3.7, 3.8 and 3.19
// to 3.21; spec tests.md, sections 6.3 and 6.5).

#include "shared_memory.h"

TEST(ftruncate_03_errors) {
  CHECK_ERRNO(EINVAL, ftruncate(-1, -1));
  CHECK_ERRNO(EBADF, ftruncate(-1, 0));
  CHECK_ERRNO(EBADF, ftruncate(1000, 0));
  CHECK_ERRNO(EINVAL, ftruncate(anonymous(0), -1));
  CHECK_EQUAL(ftruncate(anonymous(0), OFF_MAX), 0);
}

TEST(shrinking_zeroes_what_growing_shows_again) {
  int descriptor = anonymous(3 * PAGE_SIZE);
  char *memory = map(descriptor, 3 * PAGE_SIZE);
  memset(memory, 0x5a, 3 * PAGE_SIZE);
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE + 100), 0);
  CHECK_EQUAL(memory[PAGE_SIZE + 99], 0x5a);
  CHECK_EQUAL(memory[PAGE_SIZE + 100], 0);
  CHECK_EQUAL(ftruncate(descriptor, 3 * PAGE_SIZE), 0);
  for (int index = PAGE_SIZE + 100; index < 3 * PAGE_SIZE; index++) CHECK_EQUAL(memory[index], 0);
  CHECK_EQUAL(memory[PAGE_SIZE - 1], 0x5a);
}

// shm.md 3.12: the tail of the last page is memory like any other, but not part of the object.
TEST(mmap_11_5_stores_past_the_size_are_not_read) {
  int descriptor = anonymous(PAGE_SIZE / 2);
  CHECK_EXIT(0, {
    char *memory = map(descriptor, PAGE_SIZE);
    for (int index = PAGE_SIZE / 2; index < PAGE_SIZE; index++) CHECK_EQUAL(memory[index], 0);
    memory[PAGE_SIZE / 2] = 'b';
  });
  static char bytes[PAGE_SIZE];
  memset(bytes, 0x77, sizeof bytes);
  CHECK_EQUAL(read(descriptor, bytes, sizeof bytes), PAGE_SIZE / 2);
  for (int index = 0; index < PAGE_SIZE / 2; index++) CHECK_EQUAL(bytes[index], 0);
  CHECK_EQUAL(bytes[PAGE_SIZE / 2], 0x77);
}

TEST(read_and_write_stop_at_the_end) {
  int descriptor = anonymous(100);
  char bytes[128];
  memset(bytes, 'x', sizeof bytes);
  CHECK_EQUAL(write(descriptor, bytes, 60), 60);
  CHECK_EQUAL(write(descriptor, bytes, 60), 40);
  CHECK_EQUAL(write(descriptor, bytes, 60), 0);
  CHECK_EQUAL(status_of(descriptor).st_size, 100);
  CHECK_EQUAL(read(descriptor, bytes, 1), 0);
  CHECK_EQUAL(lseek(descriptor, -10, SEEK_END), 90);
  CHECK_EQUAL(read(descriptor, bytes, sizeof bytes), 10);
  CHECK_EQUAL(pread(descriptor, bytes, sizeof bytes, 95), 5);
  CHECK_EQUAL(pread(descriptor, bytes, sizeof bytes, 100), 0);
  CHECK_EQUAL(pread(descriptor, bytes, sizeof bytes, 1L << 40), 0);
  CHECK_EQUAL(pwrite(descriptor, "y", 1, 99), 1);
  CHECK_EQUAL(pwrite(descriptor, "y", 1, 100), 0);
  CHECK_EQUAL(lseek(descriptor, 0, SEEK_CUR), 100);
  CHECK_ERRNO(EINVAL, pread(descriptor, bytes, 1, -1));
  CHECK_ERRNO(EINVAL, read(descriptor, bytes, (size_t)1 << 63));
  CHECK_EQUAL(read(descriptor, (void *)8, 0), 0);
}

TEST(growing_writes_where_the_object_allows_them) {
  int descriptor = shm_open2(SHM_ANON, O_RDWR, 0600, SHM_GROW_ON_WRITE, NULL);
  CHECK_EQUAL(write(descriptor, "12345678", 8), 8);
  CHECK_EQUAL(status_of(descriptor).st_size, 8);
  CHECK_EQUAL(pwrite(descriptor, "end", 3, 9000), 3);
  CHECK_EQUAL(status_of(descriptor).st_size, 9003);
  CHECK_ERRNO(EFBIG, pwrite(descriptor, "end", 3, OFF_MAX - 1));
  char bytes[4] = "";
  CHECK_EQUAL(pread(descriptor, bytes, 4, 8998), 4);
  CHECK(memcmp(bytes, "\0\0en", 4) == 0);
}

TEST(transfers_cross_pages) {
  int descriptor = anonymous(3 * PAGE_SIZE);
  static unsigned char out[2 * PAGE_SIZE], in[2 * PAGE_SIZE];
  for (size_t index = 0; index < sizeof out; index++) out[index] = (unsigned char)(index * 7 + index / 251);
  CHECK_EQUAL(pwrite(descriptor, out, sizeof out, 1000), sizeof out);
  CHECK_EQUAL(pread(descriptor, in, sizeof in, 1000), sizeof in);
  CHECK(memcmp(in, out, sizeof in) == 0);
  CHECK(memcmp(map(descriptor, 3 * PAGE_SIZE) + 1000, out, sizeof out) == 0);
}

TEST(read_only_descriptors_do_not_write) {
  const char *path = check_name();
  int descriptor = shm_open(path, O_RDONLY | O_CREAT, 0600);
  char byte;
  CHECK_ERRNO(EBADF, write(descriptor, "x", 1));
  CHECK_ERRNO(EBADF, pwrite(descriptor, "x", 1, 0));
  CHECK_EQUAL(read(descriptor, &byte, 1), 0);
  CHECK_EQUAL(fcntl(descriptor, F_GETFL), O_RDONLY);
  CHECK_EQUAL(shm_unlink(path), 0);
}

TEST(a_bad_user_page_fails_the_transfer) {
  int descriptor = anonymous(2 * PAGE_SIZE);
  char *memory = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  CHECK_EQUAL(munmap(memory + PAGE_SIZE, PAGE_SIZE), 0);
  CHECK_ERRNO(EFAULT, pwrite(descriptor, memory, 2 * PAGE_SIZE, 0));
  CHECK_ERRNO(EFAULT, pread(descriptor, memory, 2 * PAGE_SIZE, 0));
  CHECK_ERRNO(EFAULT, read(descriptor, (void *)0x7f8000000000, 1));
  CHECK_ERRNO(EFAULT, read(descriptor, (void *)-1, 1));
  CHECK_ERRNO(EFAULT, read(descriptor, memory, 2 * PAGE_SIZE));
  // shm.md 3.19: the offset has moved by the piece that was copied whole.
  CHECK_EQUAL(lseek(descriptor, 0, SEEK_CUR), PAGE_SIZE);
}

TEST(lseek_stays_inside) {
  int descriptor = anonymous(100);
  CHECK_EQUAL(lseek(descriptor, 100, SEEK_SET), 100);
  CHECK_ERRNO(EINVAL, lseek(descriptor, 101, SEEK_SET));
  CHECK_ERRNO(EINVAL, lseek(descriptor, -1, SEEK_SET));
  CHECK_ERRNO(EINVAL, lseek(descriptor, 1, SEEK_END));
  CHECK_ERRNO(EINVAL, lseek(descriptor, 0, 3));
  CHECK_ERRNO(EINVAL, lseek(descriptor, 0, 77));
  CHECK_ERRNO(EOVERFLOW, lseek(descriptor, OFF_MAX, SEEK_CUR));
  CHECK_EQUAL(lseek(descriptor, 0, SEEK_CUR), 100);
}

TEST(the_offset_is_shared_by_duplicates_and_children) {
  int descriptor = anonymous(100);
  int twin = dup(descriptor);
  CHECK_EQUAL(lseek(descriptor, 10, SEEK_SET), 10);
  CHECK_EQUAL(lseek(twin, 0, SEEK_CUR), 10);
  CHECK_EXIT(0, CHECK_EQUAL(lseek(twin, 20, SEEK_SET), 20));
  CHECK_EQUAL(lseek(descriptor, 0, SEEK_CUR), 20);
}

TEST(fstat_tells_what_the_table_says) {
  umask(022);
  int descriptor = shm_open(SHM_ANON, O_RDWR, 0666);
  struct stat status = status_of(descriptor);
  CHECK_EQUAL(status.st_mode, S_IFREG | 0644);
  CHECK_EQUAL(status.st_blksize, 4096);
  CHECK_EQUAL(status.st_nlink, 1);
  CHECK(status.st_ino >= 1);
  CHECK_EQUAL(status.st_rdev | status.st_flags | (long)status.st_gen, 0);
  CHECK_EQUAL(status.st_dev, status_of(anonymous(0)).st_dev);
  CHECK_EQUAL(ftruncate(descriptor, 10 * PAGE_SIZE), 0);
  char *memory = map(descriptor, 10 * PAGE_SIZE);
  char *again = map(descriptor, PAGE_SIZE);
  CHECK_EQUAL(status_of(descriptor).st_nlink, 3);
  memory[0] = again[1] = memory[5 * PAGE_SIZE] = 1;
  CHECK_EQUAL(status_of(descriptor).st_blocks, 2);
  CHECK_EQUAL(munmap(again, PAGE_SIZE), 0);
  CHECK_EQUAL(status_of(descriptor).st_nlink, 2);
  CHECK_ERRNO(EFAULT, fstat(descriptor, (struct stat *)8));
  CHECK_ERRNO(EBADF, fstat(99, &status));
}

TEST(reading_a_hole_allocates_nothing) {
  int descriptor = anonymous(8 * PAGE_SIZE);
  static char bytes[8 * PAGE_SIZE];
  memset(bytes, 1, sizeof bytes);
  CHECK_EQUAL(read(descriptor, bytes, sizeof bytes), sizeof bytes);
  for (size_t index = 0; index < sizeof bytes; index++) CHECK_EQUAL(bytes[index], 0);
  CHECK_EQUAL(status_of(descriptor).st_blocks, 0);
}

static int later(struct timespec one, struct timespec other) {
  return one.tv_sec > other.tv_sec || (one.tv_sec == other.tv_sec && one.tv_nsec > other.tv_nsec);
}
static int equal(struct timespec one, struct timespec other) {
  return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

TEST(mmap_13_1_times_move_as_the_table_says) {
  int descriptor = anonymous(0);
  struct stat born = status_of(descriptor);
  CHECK(equal(born.st_atim, born.st_birthtim) && equal(born.st_mtim, born.st_birthtim));
  CHECK(equal(born.st_ctim, born.st_birthtim));
  CHECK_EQUAL(born.st_birthtim.tv_nsec % 1000, 0);
  usleep(2000);
  CHECK_EQUAL(ftruncate(descriptor, 0), 0);
  CHECK(equal(status_of(descriptor).st_mtim, born.st_mtim));
  CHECK_EQUAL(ftruncate(descriptor, PAGE_SIZE), 0);
  struct stat resized = status_of(descriptor);
  CHECK(later(resized.st_mtim, born.st_mtim) && equal(resized.st_mtim, resized.st_ctim));
  CHECK(equal(resized.st_atim, born.st_atim));
  usleep(2000);
  map(descriptor, PAGE_SIZE)[0] = 1;
  struct stat mapped = status_of(descriptor);
  CHECK(later(mapped.st_atim, resized.st_mtim) && equal(mapped.st_mtim, resized.st_mtim));
  usleep(2000);
  CHECK_EQUAL(write(descriptor, "abc", 3), 3);
  struct stat written = status_of(descriptor);
  CHECK(equal(written.st_atim, mapped.st_atim) && equal(written.st_mtim, mapped.st_mtim));
}

TEST(a_parent_and_its_children_share_a_mapping) {
  volatile int *words = (volatile int *)map(anonymous(PAGE_SIZE), PAGE_SIZE);
  for (int child = 0; child < 10; child++) CHECK_EXIT(0, words[child] = 100 + child);
  for (int child = 0; child < 10; child++) CHECK_EQUAL(words[child], 100 + child);
}

TEST(exec_and_exit_close_descriptors_and_drop_mappings) {
  int descriptor = anonymous(PAGE_SIZE);
  map(descriptor, PAGE_SIZE)[0] = 1;
  long before = (long)status_of(descriptor).st_nlink;
  CHECK_EXIT(0, map(descriptor, PAGE_SIZE)[1] = 2);
  CHECK_EQUAL(status_of(descriptor).st_nlink, before);
}
