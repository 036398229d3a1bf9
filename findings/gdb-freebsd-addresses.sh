#!/bin/sh
# Guess:   a gdb that has no handler for an executable's system says so ("Attempting to continue with the default i386:x86-64
#          settings") and is otherwise right about it: registers, types and DWARF are the processor's.
# Seen:    gdb 13.1 of Debian, with a static x86-64 executable whose EI_OSABI is 9 (FreeBSD): it cuts addresses that it takes from the
#          debug information to 32 bits. A variable at 0x3000031f0 is at 0x31f0 for it (its value, from the file, still comes out
#          right); locals of a stopped program cannot be read, because no stack lies so low. The same program with EI_OSABI 0, or
#          with `set osabi none` before it is loaded, is right.
# Matters: for kernels with FreeBSD's interface that are debugged from Linux: backtraces look right and every local is wrong or
#          "Cannot access memory at address 0xffff…". The setting has to come before the symbols (-iex).
set -eu
llvm=1:14.0.6-12 gdb=13.1-3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq download "clang-14=$llvm" "libclang-cpp14=$llvm" "libllvm14=$llvm" "lld-14=$llvm" "gdb-minimal=$gdb" libedit2 libbsd0 libmd0 \
  libxml2 libicu72 libz3-4 libffi8 libexpat1 liblzma5 libgmp10 libmpfr6 libtinfo6 libreadline8 libdebuginfod1 libipt2 libxxhash0 libzstd1 2>/dev/null \
  || { echo "the pinned packages could not be had"; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH="$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu:$work/root/usr/lib/llvm-14/lib"
export PATH="$work/root/usr/lib/llvm-14/bin:$PATH"
gdb() { root/usr/bin/gdb -nx -batch "$@" 2>/dev/null; }
gdb --version | head -n 1
cat > variable.c <<'END'
int answer = 42;
void _start(void) { for (;;) answer++; }
END
build() { # build SYSTEM
  clang --target="x86_64-unknown-$1" -g -O0 -fPIC -ffreestanding -nostdlib -static -fuse-ld=lld -Wl,--image-base=0x300000000 \
    variable.c -o "$1"
}
build freebsd
build none-elf
place() { gdb "$@" | sed -nE 's/^.1 = .* (0x[0-9a-f]+).*/\1/p'; }
as_freebsd=$(place -ex 'print &answer' freebsd)
as_none=$(place -iex 'set osabi none' -ex 'print &answer' freebsd)
plain=$(place -ex 'print &answer' none-elf)
echo "EI_OSABI 9: $as_freebsd; with set osabi none: $as_none; EI_OSABI 0: $plain"
[ $((as_none >> 32)) -eq 3 ] && [ $((plain >> 32)) -eq 3 ] && [ $((as_freebsd)) -eq $((as_none & 0xffffffff)) ]
