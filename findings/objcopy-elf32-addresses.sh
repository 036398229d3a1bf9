#!/bin/sh
# Guess:   turning an ELF64 file that is linked above 4 GiB into an ELF32 file fails, or at least warns: the addresses do not
#          fit.
# Seen:    llvm-objcopy 14.0.6 and GNU objcopy 2.40 both exit with 0, say nothing, and keep the low 32 bits of every address
#          and of the entry point. The result is a valid ELF32 file for another place.
# Matters: boot loaders that want ELF32 (multiboot 1) are commonly served that way; a kernel linked high must give its low load
#          addresses as physical addresses before the conversion, and check them afterwards.
set -eu
llvm=1:14.0.6-12 gnu=2.40-2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq download "llvm-14=$llvm" "libllvm14=$llvm" libedit2 libbsd0 libmd0 libxml2 libicu72 libz3-4 libffi8 "lld-14=$llvm" "binutils-x86-64-linux-gnu=$gnu" "libbinutils=$gnu" \
  nasm=2.16.01-1 2>/dev/null || { echo "the pinned packages could not be had"; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH="$work/root/usr/lib/x86_64-linux-gnu:$work/root/usr/lib/llvm-14/lib"
bin=$work/root/usr/bin tools=$work/root/usr/lib/llvm-14/bin
"$tools/llvm-objcopy" --version | sed -n '/version/p'
"$bin/x86_64-linux-gnu-objcopy" --version | head -n 1

printf 'global _start\nsection .text\n_start: ret\n' > start.asm
"$bin/nasm" -f elf64 start.asm -o start.o
printf 'SECTIONS { . = 0x123456000; .text : { *(.text) } }\n' > high.ld
"$tools/ld.lld" -T high.ld -e _start start.o -o high.elf

changed=0
for objcopy in "$tools/llvm-objcopy" "$bin/x86_64-linux-gnu-objcopy"; do
  status=0
  said=$("$objcopy" -O elf32-i386 high.elf low.elf 2>&1) || status=$?
  entry=$("$bin/x86_64-linux-gnu-readelf" -h low.elf | sed -n 's/.*Entry point address: *//p')
  section=$("$bin/x86_64-linux-gnu-readelf" -S low.elf | sed -n 's/.* \.text *PROGBITS *\([0-9a-f]*\).*/\1/p')
  echo "$(basename "$objcopy"): status $status, said '$said', entry $entry, .text at $section; linked at 0x123456000"
  [ "$status" = 0 ] && [ -z "$said" ] && [ "$entry" = 0x23456000 ] && [ "$section" = 23456000 ] || changed=1
done
exit $changed
