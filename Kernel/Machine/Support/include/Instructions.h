/* Single processor instructions that Swift cannot spell, as inline functions. Intel SDM volume 2. */
#pragma once

#include <stdint.h>

/* Without the attribute the optimiser leaves calls of two instructions. */
#ifndef INLINE
#define INLINE static inline __attribute__((always_inline))
#endif

INLINE void port_write8(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

INLINE void port_write16(uint16_t port, uint16_t value) { __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }

INLINE uint8_t port_read8(uint16_t port) {
  uint8_t value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

INLINE uint16_t port_read16(uint16_t port) {
  uint16_t value;
  __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

INLINE uint64_t read_time_stamp(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}

struct processor_identification {
  uint32_t eax, ebx, ecx, edx;
};

INLINE struct processor_identification identify_processor(uint32_t leaf, uint32_t subleaf) {
  struct processor_identification result;
  __asm__ volatile("cpuid"
                   : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx)
                   : "a"(leaf), "c"(subleaf));
  return result;
}

INLINE uint64_t read_model_register(uint32_t number) {
  uint32_t low, high;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
  return (uint64_t)high << 32 | low;
}

INLINE void write_model_register(uint32_t number, uint64_t value) {
  __asm__ volatile("wrmsr" : : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

INLINE uint64_t read_control0(void) {
  uint64_t value;
  __asm__ volatile("mov %%cr0, %0" : "=r"(value));
  return value;
}

INLINE void write_control0(uint64_t value) { __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory"); }

INLINE uint64_t read_control2(void) {
  uint64_t value;
  __asm__ volatile("mov %%cr2, %0" : "=r"(value));
  return value;
}

INLINE uint64_t read_control3(void) {
  uint64_t value;
  __asm__ volatile("mov %%cr3, %0" : "=r"(value));
  return value;
}

INLINE void write_control3(uint64_t value) { __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory"); }

INLINE uint64_t read_control4(void) {
  uint64_t value;
  __asm__ volatile("mov %%cr4, %0" : "=r"(value));
  return value;
}

INLINE void write_control4(uint64_t value) { __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory"); }

INLINE void write_debug6(uint64_t value) { __asm__ volatile("mov %0, %%dr6" : : "r"(value)); }

INLINE void write_debug7(uint64_t value) { __asm__ volatile("mov %0, %%dr7" : : "r"(value)); }

INLINE void write_extended_control0(uint64_t value) {
  __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

INLINE void invalidate_page(uint64_t address) { __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory"); }

struct __attribute__((packed)) descriptor_table_pointer {
  uint16_t limit;
  uint64_t base;
};

INLINE void load_global_descriptors(uint64_t base, uint16_t limit) {
  struct descriptor_table_pointer pointer = {limit, base};
  __asm__ volatile("lgdt %0" : : "m"(pointer) : "memory");
}

INLINE void load_interrupt_descriptors(uint64_t base, uint16_t limit) {
  struct descriptor_table_pointer pointer = {limit, base};
  __asm__ volatile("lidt %0" : : "m"(pointer) : "memory");
}

INLINE void load_local_descriptors(uint16_t selector) { __asm__ volatile("lldt %0" : : "r"(selector)); }

INLINE void load_task(uint16_t selector) { __asm__ volatile("ltr %0" : : "r"(selector)); }

INLINE _Noreturn void halt_for_ever(void) {
  for (;;) __asm__ volatile("cli; hlt");
}

INLINE void save_extended_state(uint64_t address, uint32_t components) {
  __asm__ volatile("xsave64 (%0)" : : "r"(address), "a"(components), "d"(0) : "memory");
}

INLINE void restore_extended_state(uint64_t address, uint32_t components) {
  __asm__ volatile("xrstor64 (%0)" : : "r"(address), "a"(components), "d"(0) : "memory");
}

INLINE void save_legacy_state(uint64_t address) { __asm__ volatile("fxsave64 (%0)" : : "r"(address) : "memory"); }

INLINE void restore_legacy_state(uint64_t address) {
  __asm__ volatile("fxrstor64 (%0)" : : "r"(address) : "memory");
}

INLINE uint16_t read_floating_point_status(void) {
  uint16_t value;
  __asm__ volatile("fnstsw %0" : "=a"(value));
  return value;
}

INLINE uint16_t read_floating_point_control(void) {
  uint16_t value;
  __asm__ volatile("fnstcw %0" : "=m"(value));
  return value;
}

INLINE void clear_floating_point_exceptions(void) { __asm__ volatile("fnclex"); }

INLINE uint32_t read_vector_status(void) {
  uint32_t value;
  __asm__ volatile("stmxcsr %0" : "=m"(value));
  return value;
}

/* A word of RDRAND or RDSEED, and whether the instruction delivered. */
struct random_result {
  uint64_t value;
  uint8_t is_good;
};

INLINE struct random_result read_random(void) {
  struct random_result result;
  __asm__ volatile("rdrand %0; setc %1" : "=r"(result.value), "=qm"(result.is_good) : : "cc");
  return result;
}

INLINE struct random_result read_seed(void) {
  struct random_result result;
  __asm__ volatile("rdseed %0; setc %1" : "=r"(result.value), "=qm"(result.is_good) : : "cc");
  if (!result.is_good) __asm__ volatile("pause");
  return result;
}

/* Jumps to an address, for tests of what must not be executable. */
INLINE void call_address(uint64_t address) { ((void (*)(void))address)(); }

INLINE uint64_t frame_pointer(void) { return (uint64_t)__builtin_frame_address(0); }

/* Memory at addresses that are no Swift objects: device registers, boot information, page tables before the allocator. */
INLINE uint8_t memory_read8(uint64_t address) { return *(volatile uint8_t *)address; }

INLINE void memory_write16(uint64_t address, uint16_t value) { *(volatile uint16_t *)address = value; }

INLINE uint32_t memory_read32(uint64_t address) { return *(volatile uint32_t *)address; }

INLINE uint64_t memory_read64(uint64_t address) { return *(volatile uint64_t *)address; }

INLINE void memory_write32(uint64_t address, uint32_t value) { *(volatile uint32_t *)address = value; }

INLINE void memory_write64(uint64_t address, uint64_t value) { *(volatile uint64_t *)address = value; }
