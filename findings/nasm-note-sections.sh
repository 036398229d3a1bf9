#!/bin/sh
# Guess:   an assembler that knows .text, .data and .bss by name makes a section called .note.SOMETHING a note (SHT_NOTE), as
#          GNU as does.
# Seen:    nasm 2.16.01 makes it SHT_PROGBITS; only `section .note.SOMETHING note` gives SHT_NOTE. The linker then makes no
#          PT_NOTE of it, `readelf -n` finds nothing, and whoever looks for the note (a loader that wants a PVH entry point or
#          an ABI tag) does not see it, although its bytes are in the file.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq download nasm=2.16.01-1 binutils-x86-64-linux-gnu=2.40-2 libbinutils=2.40-2 libctf0=2.40-2 libctf-nobfd0=2.40-2 \
  2>/dev/null || { echo "the pinned packages could not be had"; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH="$work/root/usr/lib/x86_64-linux-gnu"
bin=$work/root/usr/bin
"$bin/nasm" --version
note='dd 4, 4, 1\ndb "ABC", 0\ndd 7\nsection .text\nglobal _start\n_start: ret\n'
printf "section .note.abc\n$note" > plain.asm
printf "section .note.abc note\n$note" > told.asm
printf '.section .note.abc, "a"\n.long 4, 4, 1\n.ascii "ABC\\0"\n.long 7\n.text\n.globl _start\n_start: ret\n' > gnu.s
"$bin/nasm" -f elf64 plain.asm -o plain.o
"$bin/nasm" -f elf64 told.asm -o told.o
"$bin/x86_64-linux-gnu-as" gnu.s -o gnu.o
for name in plain told gnu; do
  "$bin/x86_64-linux-gnu-ld" -e _start $name.o -o $name.elf
  type=$("$bin/x86_64-linux-gnu-readelf" -SW $name.o | sed -n 's/.*\.note\.abc *\([A-Z]*\).*/\1/p')
  headers=$("$bin/x86_64-linux-gnu-readelf" -lW $name.elf | grep -c '^  NOTE' || true)
  echo "$name: .note.abc is $type, $headers PT_NOTE"
  echo "$type $headers" >> seen
done
printf 'PROGBITS 0\nNOTE 1\nNOTE 1\n' | cmp -s - seen
