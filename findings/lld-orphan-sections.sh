#!/bin/sh
# Guess:   input sections that a linker script does not mention ("orphans") go behind what it does mention, so
#          `. = ADDRESS; .text : { … }` puts .text at ADDRESS.
# Seen:    GNU ld 2.40 does so. ld.lld 14.0.6 ranks an orphan by its flags and puts the read-only ones in front of .text: the
#          first of them gets ADDRESS, .text comes behind.
# Matters: a kernel whose header or entry has to lie at a fixed address moves by the size of a section that a new object file
#          brought along (a note, constants with a name of their own), and nothing says so. Name every section, or ask for
#          --orphan-handling=error.
set -eu
llvm=1:14.0.6-12 gnu=2.40-2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq download "libllvm14=$llvm" libedit2 libbsd0 libmd0 libxml2 libicu72 libz3-4 libffi8 "lld-14=$llvm" "binutils-x86-64-linux-gnu=$gnu" "libbinutils=$gnu" "libctf0=$gnu" \
  "libctf-nobfd0=$gnu" nasm=2.16.01-1 2>/dev/null || { echo "the pinned packages could not be had"; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH="$work/root/usr/lib/x86_64-linux-gnu:$work/root/usr/lib/llvm-14/lib"
bin=$work/root/usr/bin lld=$work/root/usr/lib/llvm-14/bin/ld.lld
"$lld" --version
"$bin/x86_64-linux-gnu-ld" --version | head -n 1

cat > start.asm <<'END'
global _start
section .text
_start: ret
section constants progbits alloc noexec nowrite align=8
dq 1, 2
END
"$bin/nasm" -f elf64 start.asm -o start.o
printf 'SECTIONS { . = 0x100000; .text : { *(.text) } }\n' > plain.ld
address() { "$bin/x86_64-linux-gnu-readelf" -SW "$1" | sed -n "s/.* $2 *PROGBITS *\([0-9a-f]*\).*/\1/p" | sed 's/^0*//'; }
"$lld" -T plain.ld -e _start start.o -o lld.elf
"$bin/x86_64-linux-gnu-ld" -T plain.ld -e _start start.o -o gnu.elf
echo "ld.lld: constants at 0x$(address lld.elf constants), .text at 0x$(address lld.elf .text)"
echo "GNU ld: constants at 0x$(address gnu.elf constants), .text at 0x$(address gnu.elf .text)"
[ "$(address lld.elf constants)" = 100000 ] && [ "$(address lld.elf .text)" = 100010 ] \
  && [ "$(address gnu.elf .text)" = 100000 ]
