#!/bin/sh
# Guess:   every implementation of JavaScript prints 0.1 + 0.2 as 0.30000000000000004: the language asks for the shortest text that
#          reads back as the same number, and for the closest one of that length (ECMA-262, Number::toString).
# Seen:    MuJS 1.3.2 prints 0.30000000000000007 and, for 123456789012345680000, 123456789012345690000: as long and the same number,
#          but not the closest. 5e-324, the smallest number, is 0 for it. The C library under it makes no difference.
# Matters: as a test program for a C library, or for floating-point registers that are saved and restored, it looks as if these were
#          wrong; outputs of two implementations cannot be compared as text.
set -eu
version=1.3.2-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq download "mujs=$version" "libmujs2=$version" libreadline8 libtinfo6 2>/dev/null || { echo "the pinned packages could not be had"; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH="$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu"
echo "print(0.1 + 0.2, 0.1 + 0.2 == 0.30000000000000004, 123456789012345680000, 5e-324)" > numbers.js
seen=$(root/usr/bin/mujs numbers.js)
echo "MuJS $version: $seen"
[ "$seen" = "0.30000000000000007 true 123456789012345690000 0" ]
