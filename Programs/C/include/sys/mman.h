// sys/mman.h: mappings and shared memory objects (spec abi.md, section 7; shm.md).
#pragma once

#include <sys/cdefs.h>
#include <sys/types.h>

#define PROT_NONE 0x0
#define PROT_READ 0x1
#define PROT_WRITE 0x2
#define PROT_EXEC 0x4
#define PROT_MAX(protection) ((protection) << 16)

#define MAP_FILE 0x0
#define MAP_SHARED 0x1
#define MAP_PRIVATE 0x2
#define MAP_COPY MAP_PRIVATE
#define MAP_FIXED 0x10
#define MAP_HASSEMAPHORE 0x200
#define MAP_STACK 0x400
#define MAP_NOSYNC 0x800
#define MAP_ANON 0x1000
#define MAP_ANONYMOUS MAP_ANON
#define MAP_GUARD 0x2000
#define MAP_EXCL 0x4000
#define MAP_NOCORE 0x20000
#define MAP_PREFAULT_READ 0x40000
#define MAP_32BIT 0x80000
#define MAP_ALIGNED(n) ((n) << 24)
#define MAP_ALIGNED_SUPER MAP_ALIGNED(1)
#define MAP_FAILED ((void *)-1)

#define MS_SYNC 0
#define MS_ASYNC 1
#define MS_INVALIDATE 2
#define MCL_CURRENT 1
#define MCL_FUTURE 2
#define INHERIT_SHARE 0
#define INHERIT_COPY 1
#define INHERIT_NONE 2
#define INHERIT_ZERO 3
#define MADV_NORMAL 0
#define MADV_RANDOM 1
#define MADV_SEQUENTIAL 2
#define MADV_WILLNEED 3
#define MADV_DONTNEED 4
#define MADV_FREE 5
#define MADV_NOSYNC 6
#define MADV_AUTOSYNC 7
#define MADV_NOCORE 8
#define MADV_CORE 9
#define MADV_PROTECT 10
#define MINCORE_INCORE 0x1
#define MINCORE_REFERENCED 0x2
#define MINCORE_MODIFIED 0x4
#define MINCORE_REFERENCED_OTHER 0x8
#define MINCORE_MODIFIED_OTHER 0x10
#define MINCORE_SUPER 0x60

#define SHM_ANON ((char *)1)
#define SHM_ALLOW_SEALING 0x1
#define SHM_GROW_ON_WRITE 0x2
#define SHM_LARGEPAGE 0x4
#define SHM_RENAME_NOREPLACE 0x1
#define SHM_RENAME_EXCHANGE 0x2

#define MFD_CLOEXEC 0x1
#define MFD_ALLOW_SEALING 0x2
#define MFD_HUGETLB 0x4
#define MFD_HUGE_SHIFT 26
#define MFD_HUGE_MASK 0xfc000000u

__BEGIN_DECLS
void *mmap(void *, size_t, int, int, int, off_t);
int munmap(void *, size_t);
int mprotect(void *, size_t, int);
int msync(void *, size_t, int);
int madvise(void *, size_t, int);
int mincore(const void *, size_t, char *);
int minherit(void *, size_t, int);
int mlock(const void *, size_t);
int munlock(const void *, size_t);
int mlockall(int);
int munlockall(void);

int shm_open(const char *, int, mode_t);
int shm_open2(const char *, int, mode_t, int, const char *);
int shm_unlink(const char *);
int shm_rename(const char *, const char *, int);
int memfd_create(const char *, unsigned);

// How shared memory of large pages is configured: by the place of their size among those of getpagesizes(3).
struct shm_largepage_conf {
  int psind, alloc_policy, pad[10];
};
#define SHM_LARGEPAGE_ALLOC_DEFAULT 0
#define SHM_LARGEPAGE_ALLOC_NOWAIT 1
#define SHM_LARGEPAGE_ALLOC_HARD 2
int shm_create_largepage(const char *, int, int, int, mode_t);
int getpagesizes(size_t *, int);
// The call of 2008, number 482 (DESIGN.md, "Two generations of shared memory").
int freebsd12_shm_open(const char *, int, mode_t);
__END_DECLS
