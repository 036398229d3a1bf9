#!/bin/sh
# Guess:   printf's # flag with g keeps trailing zeros (C11, 7.21.6.1): "%#.2g" shows two significant digits of every number that is
#          not zero. 99.5 rounds to 1.0e+02.
# Seen:    glibc 2.36 prints "1.e+02": when rounding carries into a new digit and that makes the conversion change from %f to %e, a
#          digit is lost. 99.4 (99.) and 100.0 (1.0e+02) come out right, and "%.1e" of 99.5 is 1.0e+02.
# Matters: a library that is compared with glibc, case by case, differs here and is right; who parses columns of %#g by their width
#          finds one that is too narrow.
set -eu
glibc=2.36-9+deb12u14 awk=1.3.4.20200120-3.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq download "libc6=$glibc" "mawk=$awk" 2>/dev/null || { echo "the pinned packages could not be had"; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
libraries=$work/root/lib/x86_64-linux-gnu
"$libraries/libc.so.6" | head -n 1
shown=$("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" root/usr/bin/mawk \
  'BEGIN { printf "%#.2g %#.2g %#.2g %.1e", 99.4, 99.5, 100, 99.5 }')
echo "glibc: $shown"
[ "$shown" = "99. 1.e+02 1.0e+02 1.0e+02" ]
