#!/bin/sh
# Guess:   what clang leaves in its modules with -gmodules (and Swift, for every C module that it imports) is split DWARF like any
#          other: gdb finds it as long as the .pcm file is there, and says little when it is not; `set complaints 0` is silence.
# Seen:    gdb 13.1 never finds it: a variable of a structure from a module is <incomplete type>, although clang 14's .pcm lies where the
#          debug information says. For each reference it prints "During symbol reading: Could not find DWO CU …", which looks like a
#          complaint and is not one: `set complaints 0`, the default, lets it through.
# Matters: symbols of a program in Swift take a screen of such lines for every object file; what a script of gdb's shows drowns in
#          them. No -gmodules, or reading the symbols through Python with its output caught, are the ways out.
set -eu
llvm=1:14.0.6-12 gdb=13.1-3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq download "clang-14=$llvm" "libclang-cpp14=$llvm" "libllvm14=$llvm" "gdb-minimal=$gdb" libedit2 libbsd0 libmd0 libxml2 libicu72 \
  libz3-4 libffi8 libexpat1 liblzma5 libgmp10 libtinfo6 libreadline8 libdebuginfod1 libipt2 libxxhash0 libzstd1 2>/dev/null \
  || { echo "the pinned packages could not be had"; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH="$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu:$work/root/usr/lib/llvm-14/lib"
root/usr/bin/gdb --version | head -n 1
mkdir shapes
printf 'module shapes { header "shapes.h" }\n' > shapes/module.modulemap
printf 'struct point { int x, y; };\n' > shapes/shapes.h
printf '#include "shapes/shapes.h"\nstruct point origin = {1, 2};\n' > origin.c
show() { # show FLAG…: what gdb makes of the variable
  root/usr/lib/llvm-14/bin/clang --target=x86_64-unknown-linux-gnu -g "$@" -fmodules -fmodules-cache-path="$work/cache" -c origin.c -o origin.o
  root/usr/bin/gdb -nx -batch -iex 'set complaints 0' -ex 'print origin' origin.o 2>&1 | sed -E 's/CU [^ ]*\.pcm[^ ]* .*/CU …/'
}
echo "with -gmodules:"; show -gmodules | tee with
ls cache/*/shapes-*.pcm > /dev/null
echo "without:"; show | tee without
grep -q '^During symbol reading: Could not find DWO CU …$' with
grep -q '= <incomplete type>$' with
[ "$(cat without)" = '$1 = {x = 1, y = 2}' ]
