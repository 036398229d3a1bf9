#!/bin/sh
# make-bad-executables.sh GOOD OUTPUT: makes files from a good executable that must be refused (issue 2, acceptance 2).
set -eu
good=$1
output=$2
mkdir -p "$output"

# patch FILE OFFSET OCTAL...: overwrites bytes of FILE.
patch() {
  file=$1 offset=$2
  shift 2
  printf "$@" | dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
}
copy() { cp "$good" "$output/$1"; chmod u+w "$output/$1"; }
# build NAME FLAG...: an executable that only exits, linked with the given flags.
build() {
  name=$1
  shift
  printf '.globl _start\n_start: movl $1, %%eax\n xorl %%edi, %%edi\n syscall\n ud2\n' |
    clang -x assembler - -nostdlib -static -fuse-ld=lld "$@" -o "$output/$name"
}

echo 'this is not an executable' >"$output/text"
: >"$output/empty"
printf '\177ELF' >"$output/magic-only"
build elf32 --target=i386-unknown-freebsd
head -c 40 "$good" >"$output/truncated-header"
head -c 100 "$good" >"$output/truncated-program-headers"
head -c 3000 "$good" >"$output/truncated-segment"

target=--target=x86_64-unknown-freebsd
build kernel-address $target -Wl,--image-base=0x7f8000000000
build first-kernel-address $target -Wl,--image-base=0x400000000000
build upper-half $target -Wl,--image-base=0xffffffff80000000 -Wl,-z,max-page-size=4096
build page-zero $target -Wl,--image-base=0x0 -Wl,-z,max-page-size=4096

# Fields of the first PT_LOAD: lld writes PT_PHDR first, so it is the second program header, at 64 + 56.
load=120
copy huge-memory-size
patch "$output/huge-memory-size" $((load + 40)) '\377\377\377\377\377\377\377\377'
copy wrapping-address
patch "$output/wrapping-address" $((load + 16)) '\000\360\377\377\377\377\377\377'
copy file-larger-than-memory
patch "$output/file-larger-than-memory" $((load + 40)) '\001\000\000\000\000\000\000\000'
copy huge-file-offset
patch "$output/huge-file-offset" $((load + 8)) '\000\360\377\377\377\377\377\177'
copy wrong-machine
patch "$output/wrong-machine" 18 '\267\000'
copy big-endian
patch "$output/big-endian" 5 '\002'
copy object-file
patch "$output/object-file" 16 '\001\000'
copy many-program-headers
patch "$output/many-program-headers" 56 '\377\377'
copy entry-in-kernel
patch "$output/entry-in-kernel" 24 '\000\000\000\000\200\177\000\000'
