# Fuzzing the parsers of what comes from outside, with libFuzzer under AddressSanitizer. KIND: elf (the loader of programs),
# multiboot (the boot loader's tables) or options (the kernel's command line). What is found stays in
# build/fuzz, and so does the corpus, which begins with inputs that the fuzzer makes itself.

SECONDS ?= 30

.PHONY: fuzz
fuzz:
	@case '$(KIND)' in elf|multiboot|options) ;; *) echo 'fuzz: KIND is elf, multiboot or options' >&2; exit 2 ;; esac
	MARTLET_BUILD=fuzz swift build --no-color-diagnostics -c release --scratch-path .build-fuzz --product Fuzzing \
	  -Xswiftc -sanitize=fuzzer -Xswiftc -sanitize=address
	@mkdir -p $(BUILD)/fuzz/$(KIND)
	swiftc -sanitize=fuzzer -sanitize=address -o $(BUILD)/fuzz/fuzzer .build-fuzz/release/libFuzzing.a
	MARTLET_FUZZ=$(KIND) MARTLET_FUZZ_CORPUS=$(BUILD)/fuzz/$(KIND) $(BUILD)/fuzz/fuzzer $(BUILD)/fuzz/$(KIND) \
	  -max_total_time=$(SECONDS) -max_len=66000 -artifact_prefix=$(BUILD)/fuzz/$(KIND)- -print_final_stats=1
