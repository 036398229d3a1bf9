/* Where the linker script (Linker/kernel.ld) put the parts of the kernel image, and what the boot stub leaves behind. */
#pragma once

#include <stdint.h>

/* What Boot/Start.asm stores before anything else, at its physical address. */
struct boot_record {
  uint64_t time_stamp;
  uint64_t information;
  uint64_t magic;
};

extern struct boot_record boot_record;

/* The boot stub is linked below 4 GiB, too far for the code model: its address is loaded whole. */
static inline uint64_t boot_record_address(void) {
  uint64_t address;
  __asm__("movabs $boot_record, %0" : "=r"(address));
  return address;
}

#define IMAGE_ADDRESS(name)                       \
  static inline uint64_t name##_address(void) {   \
    extern char name[];                           \
    return (uint64_t)name;                        \
  }

IMAGE_ADDRESS(image_text_start)
IMAGE_ADDRESS(image_constants_start)
IMAGE_ADDRESS(image_data_start)
IMAGE_ADDRESS(image_stacks_start)
IMAGE_ADDRESS(image_stacks_end)
IMAGE_ADDRESS(image_end)
IMAGE_ADDRESS(kernel_stack_top)
IMAGE_ADDRESS(double_fault_stack_top)
IMAGE_ADDRESS(nonmaskable_stack_top)
IMAGE_ADDRESS(machine_check_stack_top)
IMAGE_ADDRESS(debug_stack_top)

#undef IMAGE_ADDRESS

/* First address of the image's slot: an image address minus this is its physical address. */
#define IMAGE_BASE 0x7F8000000000ull
