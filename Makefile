# Martlet: one entry point for building, running and testing. `make help` lists the targets.

BUILD := build
SWIFT ?= swift
TRIPLE := x86_64-unknown-none-elf
KERNEL := $(BUILD)/martlet.elf
MULTIBOOT_KERNEL := $(BUILD)/martlet-multiboot.elf

.PHONY: kernel clean
kernel: $(MULTIBOOT_KERNEL)

$(BUILD)/Start.o: Boot/Start.asm Boot/Layout.inc
	@mkdir -p $(BUILD)
	nasm -f elf64 -g -F dwarf -o $@ Boot/Start.asm

# SwiftPM decides itself what is out of date, so it is always asked.
.PHONY: FORCE
$(MULTIBOOT_KERNEL): $(BUILD)/Start.o FORCE
	MARTLET_BUILD=kernel $(SWIFT) build -c release --triple $(TRIPLE) --toolset Linker/kernel.json \
	  --scratch-path .build-kernel --product Main \
	  -Xlinker $(CURDIR)/$(BUILD)/Start.o -Xlinker -T -Xlinker $(CURDIR)/Linker/kernel.ld
	cp .build-kernel/$(TRIPLE)/release/Main $(KERNEL)
	llvm-objcopy -O elf32-i386 $(KERNEL) $(MULTIBOOT_KERNEL)

clean:
	rm -rf $(BUILD) .build .build-kernel .build-programs
