# Martlet: one entry point for building, running and testing. `make help` lists the targets.

BUILD := build
TRIPLE := x86_64-unknown-none-elf
KERNEL := $(BUILD)/martlet.elf
MULTIBOOT_KERNEL := $(BUILD)/martlet-multiboot.elf
KERNEL_PRODUCT := .build-kernel/$(TRIPLE)/release/Main

# The toolchain's own clang, ld.lld, llvm-objcopy and llvm-symbolizer come with swift; other tools are found as they are.
SWIFT_TOOLS := $(shell swiftc -print-target-info 2>/dev/null | \
  sed -nE 's|.*"runtimeResourcePath": "(.*)/lib/swift".*|\1/bin|p')
export PATH := $(PATH):$(SWIFT_TOOLS)

# V=1 shows every command and all its output; else build/logs has it.
V ?= 0
export V
QUIETLY := Linker/quietly

# What `make run` takes (DESIGN.md, "Booted interface").
PROGRAM ?=
ARGS ?=
WITH ?=
APPEND ?=
MEMORY ?= 256M
ACCEL ?= tcg
TRACE ?=
QEMU_FLAGS ?=
export PROGRAM ARGS WITH APPEND MEMORY ACCEL TRACE QEMU_FLAGS

.PHONY: help
help:
	@echo 'setup        install the tools that are missing (Debian; as root or through sudo)'
	@echo 'kernel       build/martlet.elf (GRUB) and build/martlet-multiboot.elf (QEMU -kernel)'
	@echo 'programs     the programs of ring 3, in build/programs'
	@echo 'run          boot: self-tests, then the demonstration; or PROGRAM=FILE (also FILE.c) ARGS="…" as process 1'
	@echo '             (TRACE=1 shows every call; WITH="FILE DIRECTORY…", more files for /bin; MEMORY=256M, APPEND="kernel options", QEMU_FLAGS="…", ACCEL=kvm)'
	@echo 'sdk          PREFIX=FOLDER: martlet-cc and martlet-run, to build and run programs outside this repository'
	@echo 'gdb          PROGRAM=FILE: like run, under gdb, which knows the program, the kernel and its data (help martlet)'
	@echo 'debug        like run, with QEMU waiting for gdb on port 1234'
	@echo 'profile      like run, and prints how many instructions each function of the kernel took'
	@echo 'iso          build/martlet.iso, which boots through GRUB; with PROGRAM, ARGS and APPEND as for run: build/PROGRAM.iso'
	@echo 'test         format, host tests, simulation, booted tests            test-all     the same with what takes long'
	@echo 'test-quick   in a minute: the format, and the host tests that are not random'
	@echo 'test-host    the tests that need no QEMU          test-boot   the tests that do'
	@echo 'test-optimised, test-address, test-thread         the first kind at -O, under AddressSanitizer, ThreadSanitizer'
	@echo 'fuzz         KIND=elf|multiboot|options SECONDS=30: libFuzzer on what parses input from outside'
	@echo 'go           build programs of Go for FreeBSD and boot each of them          go-tests     tests of its library'
	@echo 'cycles       CYCLES=100000 of sockets in one another (`make test` does a few of them)'
	@echo 'handovers    HANDOVERS=1000000 of locks between two processes (`make test` does a few of them)'
	@echo 'scale        a million names, 100,000 mappings, 1,000 processes on one object, an object of 8 EiB: what each costs'
	@echo 'bench        what every row of the benchmark takes, beside FreeBSD and Linux; pictures (ROWS="PATTERN…" for some)'
	@echo 'footprint    bytes of kernel memory that one of each kind of thing takes'
	@echo 'test-machines                                     boot on every kind of machine that QEMU has'
	@echo 'simulate     SEEDS=… STEPS=… of the simulation    coverage    lines covered, per file'
	@echo 'skq          the experiment with SKQ: latency against load, written into Documentation/SKQ.md (a quarter of an hour)'
	@echo 'stress       BOOTS=… SEED=… CALLS=… JOBS=… boots of random calls, with the data checked, on machines of all kinds'
	@echo 'heap-table   measure what events take from the heap, and write Documentation/HeapBounds.md'
	@echo 'support      write Documentation/Support.md: what of the specification is supported, and which tests show it'
	@echo 'mutants      SAMPLE=… SEED=… changes planted one at a time: which of them does no test notice? (takes hours)'
	@echo 'format       lay the sources out anew             clean       remove everything that was built'
	@echo
	@echo 'V=1 shows every command and all it says; otherwise that is in build/logs.'

.DEFAULT_GOAL := help

include Programs/programs.mk

.PHONY: setup
setup:
	@Boot/Tools/setup

.PHONY: kernel
kernel: $(MULTIBOOT_KERNEL)

$(BUILD)/Start.o: Boot/Start.asm Boot/Layout.inc | setup
	@mkdir -p $(BUILD)
	@nasm -f elf64 -g -F dwarf -o $@ Boot/Start.asm

# SwiftPM decides itself what is out of date, so it is always asked; it does not know the files that are only linked.
.PHONY: FORCE
$(KERNEL): $(BUILD)/Start.o Linker/kernel.ld FORCE
	@if [ Linker/kernel.ld -nt $(KERNEL_PRODUCT) ] || [ $(BUILD)/Start.o -nt $(KERNEL_PRODUCT) ]; then \
	  rm -f $(KERNEL_PRODUCT); fi
	@MARTLET_BUILD=kernel $(QUIETLY) kernel swift build --no-color-diagnostics -c release --triple $(TRIPLE) --toolset Linker/kernel.json \
	  --scratch-path .build-kernel --product Main \
	  -Xlinker $(CURDIR)/$(BUILD)/Start.o -Xlinker -T -Xlinker $(CURDIR)/Linker/kernel.ld
	@cmp -s $(KERNEL_PRODUCT) $@ || cp $(KERNEL_PRODUCT) $@

$(MULTIBOOT_KERNEL): $(KERNEL)
	@llvm-objcopy -O elf32-i386 $< $@

.PHONY: run
run: setup kernel programs
	@Boot/Tools/run

.PHONY: debug
debug: setup kernel programs
	@echo 'In another terminal: gdb -ex "target remote :1234" $(KERNEL)'
	@QEMU_FLAGS="$(QEMU_FLAGS) -S -s" Boot/Tools/run

# GDB="…" are more words for gdb. A C source is built without optimisation for it.
.PHONY: gdb
GDB ?=
export GDB
gdb: setup kernel programs
	@Boot/Tools/gdb

.PHONY: profile
profile: setup kernel programs
	@Boot/Tools/profile

# What programs outside this repository are built and run with.
.PHONY: sdk
sdk: setup kernel programs
	@[ -n "$(PREFIX)" ] || { echo 'make sdk PREFIX=FOLDER' >&2; exit 1; }
	@Programs/SDK/install "$(PREFIX)"

.PHONY: iso
ifeq ($(PROGRAM),)
iso: $(BUILD)/martlet.iso
else
iso: kernel programs
	@Boot/Tools/make-iso $(BUILD)/$(notdir $(PROGRAM)).iso && echo $(BUILD)/$(notdir $(PROGRAM)).iso
endif
$(BUILD)/martlet.iso: $(KERNEL) programs Boot/grub.cfg Boot/Tools/make-iso
	@Boot/Tools/make-iso $@

.PHONY: test test-all test-host test-quick test-optimised test-boot test-machines test-format test-address test-thread
test: setup kernel programs iso go-programs
	@Tests/Tools/test format optimised simulation boot stress

# The same with all seeds, orders and failures, and with the booted programs that take long.
test-all: setup kernel programs iso go-programs
	@WHOLE=1 Tests/Tools/test format optimised simulation boot stress

test-host:
	@Tests/Tools/test host

# Under a minute once it is built: what is not random and boots nothing.
test-quick:
	@Tests/Tools/test format quick

# The same tests with optimised code, where variables live no longer than they are used.
test-optimised:
	@Tests/Tools/test optimised

# The same tests under the sanitizers; too slow for every `make test`.
test-address:
	LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/expected-leaks.txt \
	  swift test --no-color-diagnostics --sanitize=address --scratch-path .build-address --skip BootTests

test-thread:
	swift test --no-color-diagnostics --sanitize=thread --scratch-path .build-thread --skip BootTests

test-boot: setup kernel programs iso go-programs
	@Tests/Tools/test boot

# Unmodified programs of Go for FreeBSD. Without a Go compiler, and none to be had, they are left out, and so are their tests.
.PHONY: go-programs go
go-programs: setup
	@Tests/Tools/go-programs

go: kernel go-programs
	@for program in build/programs/go/*; do \
	  echo "== $$(basename $$program)"; $(MAKE) --no-print-directory run PROGRAM=$$program APPEND=quiet || true; done

# Go's own tests of packages of its library, each booted; what they give goes into Documentation/Go.md. Takes half an hour.
.PHONY: go-tests
go-tests: setup kernel
	@Tests/Tools/go-tests > build/logs/go-tests.md
	@sed -i "/^<!-- make go-tests -->$$/q" Documentation/Go.md && (echo; cat build/logs/go-tests.md) >> Documentation/Go.md

# A hundred thousand cycles of sockets in one another's queues: some minutes.
.PHONY: cycles
CYCLES ?= 100000
cycles: setup kernel programs
	@PROGRAM=build/programs/cycles_test ARGS="$(CYCLES)" APPEND=quiet MEMORY=256M Boot/Tools/run

# A million hand-overs of locks between threads of two processes, in the shortest turns: a minute of processor time.
.PHONY: handovers
HANDOVERS ?= 1000000
handovers: setup kernel programs
	@PROGRAM=build/programs/handover_test ARGS="handovers=$(HANDOVERS)" APPEND="quiet turn=20" Boot/Tools/run

# Shared memory at the sizes it is made for: half a minute.
.PHONY: scale
scale: setup kernel programs
	@PROGRAM=build/programs/size_test ARGS="names=1000000 mappings=100000 processes=1000" APPEND=quiet MEMORY=2G Boot/Tools/run

# Instructions of calls and faults, beside those of FreeBSD and Linux (Documentation/Benchmark.md): a minute.
.PHONY: bench footprint
ROWS ?=
export ROWS
bench: setup kernel programs
	@Tests/Tools/bench

footprint: setup kernel programs
	@Tests/Tools/footprint

# Machines of every kind, each for a moment.
test-machines: setup kernel programs iso
	MARTLET_BOOT_TESTS=1 MARTLET_MACHINE_TESTS=1 swift test --no-color-diagnostics --filter BootTests.MachineTests

test-format:
	@Tests/Tools/test format

.PHONY: format
format:
	swift format -i -r Package.swift Kernel Programs Tests

include Tests/simulate.mk
include Tests/fuzz.mk

.PHONY: coverage
coverage:
	@Tests/Tools/coverage

# Many boots of random calls, each on another machine; a few of them are part of `make test`.
.PHONY: stress
BOOTS ?= 6
SEED ?= 1
CALLS ?= 17000
JOBS ?= 1
stress: setup kernel programs
	@BOOTS=$(BOOTS) SEED=$(SEED) CALLS=$(CALLS) JOBS=$(JOBS) Tests/Tools/stress

# How many of the changes planted in the portable modules the tests notice (Tests/Tools/mutants).
.PHONY: mutants
SAMPLE ?= 300
mutants:
	@SAMPLE=$(SAMPLE) SEED=$(SEED) MINUTES=$(MINUTES) FRESH=$(FRESH) Tests/Tools/mutants

.PHONY: heap-table
heap-table: setup kernel programs
	@Tests/Tools/heap-table

# Which test shows what of the specification; `make test` looks whether it is up to date.
.PHONY: support
support:
	@Tests/Tools/support-table

.PHONY: clean
clean:
	rm -rf $(BUILD) .build .build-kernel .build-programs .build-simulate .build-coverage .build-optimised \
	  .build-address .build-thread .build-fuzz
