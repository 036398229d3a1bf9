// UserlandSupport.h: the few things of ring 3 that Swift cannot say itself: the system call instruction, memory that
// other processes change, and where the arguments lie.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct system_call_result {
  // The first result, or the error number.
  uint64_t value;
  // The carry flag: whether the call failed.
  uint64_t failed;
};

// Convention: spec abi.md, section 2. The kernel may change %rcx, %r11, %rdx and clears %r8, %r9, %r10.
static inline struct system_call_result system_call(uint64_t number, uint64_t first, uint64_t second, uint64_t third,
                                                    uint64_t fourth, uint64_t fifth, uint64_t sixth) {
  register uint64_t r10 __asm__("r10") = fourth;
  register uint64_t r8 __asm__("r8") = fifth;
  register uint64_t r9 __asm__("r9") = sixth;
  bool failed;
  __asm__ volatile("syscall"
                   : "+a"(number), "=@ccc"(failed), "+D"(first), "+S"(second), "+d"(third), "+r"(r10), "+r"(r8), "+r"(r9)
                   :
                   : "rcx", "r11", "memory");
  return (struct system_call_result){number, failed};
}

// Words that another process reads and writes too; the address is aligned to 8 bytes and mapped.
static inline uint64_t shared_load(uint64_t address) {
  return __atomic_load_n((const uint64_t *)address, __ATOMIC_ACQUIRE);
}
static inline void shared_store(uint64_t address, uint64_t value) {
  __atomic_store_n((uint64_t *)address, value, __ATOMIC_RELEASE);
}
static inline uint64_t shared_add(uint64_t address, uint64_t value) {
  return __atomic_fetch_add((uint64_t *)address, value, __ATOMIC_ACQ_REL);
}
static inline uint8_t shared_load_byte(uint64_t address) {
  return __atomic_load_n((const uint8_t *)address, __ATOMIC_RELAXED);
}
static inline void shared_store_byte(uint64_t address, uint8_t value) {
  __atomic_store_n((uint8_t *)address, value, __ATOMIC_RELAXED);
}

// The address that %rdi held when the program began: argc, then the argument and environment vectors.
uint64_t start_record_address(void);
