#!/bin/sh
# Guess:   picolibc is newlib with a smaller stdio: its constants are newlib's, so programs and system call layers for one go with
#          the other.
# Seen:    errno is the same (EAGAIN 11, ENOSYS 88, ETIMEDOUT 116), the flags of open are not: in newlib 3.3.0 O_CREAT is 0x200 (as on
#          the BSDs), in picolibc 1.7.9 it is 0x40 (as on Linux), while O_EXCL stayed newlib's 0x800 (Linux: 0x80) and O_NONBLOCK 0x4000
#          (Linux: 0x800, the BSDs: 4). Neither system's kernel understands all of them, and 0x40 is O_ASYNC to a BSD.
# Matters: a port that passes the flags on as they are opens files that it should have made; they have to be translated one by one.
set -eu
newlib=3.3.0-1.3+deb12u1 picolibc=1.7.9.post181
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
{ apt-get -qq download "newlib-source=$newlib" && python3 -m pip install -q --no-deps --target packages "pythondata-software-picolibc==$picolibc"; } \
  2>/dev/null || { echo "the pinned packages could not be had"; exit 2; }
dpkg -x newlib-source_*.deb root
tar -xf root/usr/src/newlib/newlib-*.tar.xz
value() { # value FOLDER HEADER NAME
  find "$1" -path "*/libc/include/$2" -exec sed -nE "s/^#[[:space:]]*define[[:space:]]+$3[[:space:]]+([0-9a-fx]+).*/\1/p" {} + | head -n 1
}
for library in newlib* packages; do
  echo "$library: O_CREAT $(value "$library" sys/_default_fcntl.h _FCREAT) O_EXCL $(value "$library" sys/_default_fcntl.h _FEXCL)" \
    "O_NONBLOCK $(value "$library" sys/_default_fcntl.h _FNONBLOCK) ENOSYS $(value "$library" sys/errno.h ENOSYS)"
done | grep 0x | sed 's/^newlib[^:]*/newlib/; s/^packages/picolibc/' | tee seen
grep -qx 'newlib: O_CREAT 0x0200 O_EXCL 0x0800 O_NONBLOCK 0x4000 ENOSYS 88' seen
grep -qx 'picolibc: O_CREAT 0x0040 O_EXCL 0x0800 O_NONBLOCK 0x4000 ENOSYS 88' seen
