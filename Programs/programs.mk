# Builds the programs of ring 3 into build/programs. Included by the Makefile; also works alone:
#   make -f Programs/programs.mk programs
#
# C programs are built with nothing but the toolchain's clang and lld; Swift programs by the package manager with
# MARTLET_BUILD=programs. A test is a program that exits 0 on success (Programs/Tests/check.h).

PROGRAMS_OUTPUT := build/programs
PROGRAMS_OBJECTS := build/programs/objects
PROGRAMS_SAY = @[ "$(V)" != 1 ] || echo "  building $@"
PROGRAMS_CFLAGS := --target=x86_64-unknown-freebsd -std=c11 -ffreestanding -fno-pic -fno-stack-protector -O2 \
  -ffunction-sections -fdata-sections -Wall -Wextra -Werror -IPrograms/C/include
PROGRAMS_LDFLAGS := --target=x86_64-unknown-freebsd -nostdlib -static -fuse-ld=lld -Wl,--gc-sections -Wl,-z,noexecstack

PROGRAMS_LIBRARY_SOURCES := $(wildcard Programs/C/library/*.c Programs/C/library/*.S)
PROGRAMS_LIBRARY := $(patsubst Programs/C/library/%,$(PROGRAMS_OBJECTS)/library/%.o,$(PROGRAMS_LIBRARY_SOURCES))
PROGRAMS_HEADERS := $(wildcard Programs/C/include/*.h Programs/C/include/sys/*.h Programs/C/include/vm/*.h Programs/C/library/*.h Programs/Tests/*.h)

# Programs without the test framework, one source file each.
PROGRAMS_PLAIN := $(patsubst Programs/Tools/%.c,$(PROGRAMS_OUTPUT)/%,$(wildcard Programs/Tools/*.c)) \
  $(PROGRAMS_OUTPUT)/demonstration-c $(PROGRAMS_OUTPUT)/pages $(PROGRAMS_OUTPUT)/waiting $(PROGRAMS_OUTPUT)/stress \
  $(PROGRAMS_OUTPUT)/benchmark $(PROGRAMS_OUTPUT)/benchmark-quick
# Tests, one source file each, with the framework.
PROGRAMS_TESTS := $(patsubst Programs/Tests/%_test.c,$(PROGRAMS_OUTPUT)/%_test,$(wildcard Programs/Tests/*_test.c))
# Programs that bring their own entry point, in assembly.
PROGRAMS_BARE := $(patsubst Programs/Tests/%.S,$(PROGRAMS_OUTPUT)/%,$(wildcard Programs/Tests/*.S))

$(PROGRAMS_OBJECTS)/library/%.c.o: Programs/C/library/%.c $(PROGRAMS_HEADERS)
	@mkdir -p $(@D)
	$(PROGRAMS_SAY)
	@clang $(PROGRAMS_CFLAGS) -fno-builtin -c $< -o $@

# A function for every call that has a number, but for those that are called in ways of their own.
PROGRAMS_CALLS := $(PROGRAMS_OBJECTS)/include/system_calls.list
$(PROGRAMS_CALLS): Programs/C/include/sys/syscall.h
	@mkdir -p $(@D)
	@sed -nE '/SYS_(syscall|__syscall|exit|fork|vfork|rfork) /d; s/^#define SYS_([a-z0-9_]+) ([0-9]+)$$/entry \1, \2/p' $< > $@

$(PROGRAMS_OBJECTS)/library/%.S.o: Programs/C/library/%.S $(PROGRAMS_CALLS)
	@mkdir -p $(@D)
	$(PROGRAMS_SAY)
	@clang $(PROGRAMS_CFLAGS) -I$(dir $(PROGRAMS_CALLS)) -c $< -o $@

$(PROGRAMS_OUTPUT)/demonstration-c: Programs/Demonstration/demonstration.c $(PROGRAMS_LIBRARY) $(PROGRAMS_HEADERS)
	@mkdir -p $(@D)
	$(PROGRAMS_SAY)
	@clang $(PROGRAMS_CFLAGS) $(PROGRAMS_LDFLAGS) $< $(PROGRAMS_LIBRARY) -o $@

$(PROGRAMS_OUTPUT)/%: Programs/Tools/%.c $(PROGRAMS_LIBRARY) $(PROGRAMS_HEADERS)
	@mkdir -p $(@D)
	$(PROGRAMS_SAY)
	@clang $(PROGRAMS_CFLAGS) $(PROGRAMS_LDFLAGS) $< $(PROGRAMS_LIBRARY) -o $@

$(PROGRAMS_OUTPUT)/%: Programs/Demonstration/%.c $(PROGRAMS_LIBRARY) $(PROGRAMS_HEADERS)
	@mkdir -p $(@D)
	$(PROGRAMS_SAY)
	@clang $(PROGRAMS_CFLAGS) $(PROGRAMS_LDFLAGS) $< $(PROGRAMS_LIBRARY) -o $@

# The framework, compiled once for all tests.
PROGRAMS_CHECK := $(PROGRAMS_OBJECTS)/check.o
$(PROGRAMS_CHECK): Programs/Tests/check.c $(PROGRAMS_HEADERS)
	@mkdir -p $(@D)
	$(PROGRAMS_SAY)
	@clang $(PROGRAMS_CFLAGS) -c $< -o $@

$(PROGRAMS_OUTPUT)/%_test: Programs/Tests/%_test.c $(PROGRAMS_CHECK) $(PROGRAMS_LIBRARY) $(PROGRAMS_HEADERS)
	@mkdir -p $(@D)
	$(PROGRAMS_SAY)
	@clang $(PROGRAMS_CFLAGS) $(PROGRAMS_LDFLAGS) -IPrograms/Tests $< $(PROGRAMS_CHECK) $(PROGRAMS_LIBRARY) -o $@

$(PROGRAMS_OUTPUT)/%: Programs/Tests/%.S
	@mkdir -p $(@D)
	$(PROGRAMS_SAY)
	@clang $(PROGRAMS_CFLAGS) $(PROGRAMS_LDFLAGS) $< -o $@

# The stressor and the benchmark have several source files each.
$(PROGRAMS_OUTPUT)/stress: $(wildcard Programs/Stress/*.c Programs/Stress/*.h)
$(PROGRAMS_OUTPUT)/benchmark: $(wildcard Programs/Benchmark/*.[ch])
$(PROGRAMS_OUTPUT)/stress $(PROGRAMS_OUTPUT)/benchmark: $(PROGRAMS_LIBRARY) $(PROGRAMS_HEADERS)
	@mkdir -p $(@D)
	$(PROGRAMS_SAY)
	@clang $(PROGRAMS_CFLAGS) $(PROGRAMS_LDFLAGS) $(filter %.c,$^) $(PROGRAMS_LIBRARY) -o $@

$(PROGRAMS_OUTPUT)/benchmark-quick: Programs/Benchmark/quick.S
	@mkdir -p $(@D)
	$(PROGRAMS_SAY)
	@clang $(PROGRAMS_CFLAGS) $(PROGRAMS_LDFLAGS) -Wl,--no-gc-sections $< -o $@

# A C source as PROGRAM is built with Martlet's headers and library.
ifneq ($(filter %.c,$(PROGRAM)),)
PROGRAM_SOURCE := $(PROGRAM)
# For gdb without optimisation, which leaves variables out.
PROGRAM_OPTIMISED := $(if $(filter gdb,$(MAKECMDGOALS)),-O0,-O2)
override PROGRAM := build/own/$(if $(filter gdb,$(MAKECMDGOALS)),debug/)$(basename $(notdir $(PROGRAM)))
$(PROGRAM): $(PROGRAM_SOURCE) $(PROGRAMS_LIBRARY) $(PROGRAMS_HEADERS)
	@mkdir -p $(@D)
	@clang $(PROGRAMS_CFLAGS) -Wno-error $(PROGRAM_OPTIMISED) -g $(PROGRAMS_LDFLAGS) $< $(PROGRAMS_LIBRARY) -o $@
programs-c: $(PROGRAM)
endif

# Files that execve(2) and the boot must refuse.
PROGRAMS_BAD := $(PROGRAMS_OUTPUT)/bad/.made
$(PROGRAMS_BAD): Programs/Tests/make-bad-executables.sh $(PROGRAMS_OUTPUT)/demonstration-c
	sh $< $(PROGRAMS_OUTPUT)/demonstration-c $(PROGRAMS_OUTPUT)/bad
	@touch $@

.PHONY: programs programs-c
programs-c: $(PROGRAMS_PLAIN) $(PROGRAMS_TESTS) $(PROGRAMS_BARE) $(PROGRAMS_BAD)

# The package manager decides itself what is out of date, so it is always asked.
.PHONY: programs-swift
programs-swift: $(PROGRAMS_CALLS)
	@MARTLET_BUILD=programs Linker/quietly programs swift build --no-color-diagnostics -c release --triple x86_64-unknown-none-elf --toolset Linker/programs.json \
	  --scratch-path .build-programs -Xcc -I$(CURDIR)/$(dir $(PROGRAMS_CALLS)) -Xlinker -T -Xlinker $(CURDIR)/Linker/programs.ld
	@mkdir -p $(PROGRAMS_OUTPUT)
	@for program in demonstration; do \
	  llvm-objcopy -g .build-programs/x86_64-unknown-none-elf/release/$$program $(PROGRAMS_OUTPUT)/$$program; done

programs: programs-c programs-swift
