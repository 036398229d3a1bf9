#!/bin/sh
# Guess:   `main` of a C++ program is called `main` in the object file, whatever the flags: the language forbids to overload it,
#          and start-up code of every system calls it by that name.
# Seen:    with -ffreestanding clang 18.1.6 (of ziglang 0.13.0) treats it as any function: the symbol is _Z4mainv, and start-up code
#          in assembly or C that calls `main` does not link. The same source without the flag, or as C with it, has `main`.
# Matters: for kits that build programs for a kernel of one's own: C and C++ cannot share -ffreestanding. -fno-builtin without it,
#          or extern "C", keeps the name.
set -eu
wheel=0.13.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip install -q --target packages "ziglang==$wheel" 2>/dev/null || { echo "the pinned package could not be had"; exit 2; }
export PYTHONPATH="$work/packages" ZIG_GLOBAL_CACHE_DIR="$work/cache" ZIG_LOCAL_CACHE_DIR="$work/cache"
printf 'int main() { return 7; }\n' > main.cc
cp main.cc main.c
python3 -m ziglang c++ --version | head -n 1
name() { # name COMPILER FLAGS SOURCE: the name of the function that is defined
  python3 -m ziglang "$1" -target x86_64-freebsd $2 -c "$3" -o object.o 2>/dev/null
  # A symbol's name stands in the string table of the object.
  if grep -qaF _Z4mainv object.o; then echo "$1 $2: _Z4mainv"; else echo "$1 $2: main"; fi
}
name c++ "" main.cc | tee hosted
name c++ -ffreestanding main.cc | tee freestanding
name cc -ffreestanding main.c | tee c
grep -q ': main$' hosted
grep -q ': _Z4mainv$' freestanding
grep -q ': main$' c
