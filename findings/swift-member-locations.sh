#!/bin/sh
# Guess:   DW_AT_data_member_location of a member is where it lies, in Swift as in C: a debugger, or a script that knows no Swift,
#          finds members by it.
# Seen:    Swift 6.3.1, Embedded, structure { Bool, Int, UInt8, UInt32 }: the locations are 0, 1, 16, 17, while MemoryLayout says 0, 8,
#          16, 20. The compiler adds sizes up, each rounded to its own member's alignment, and aligns no beginning. Members of a
#          class begin at 0 as well, although the object's header takes the first 16 bytes.
# Matters: whoever reads a kernel's or a firmware's objects through DWARF reads the wrong bytes, and mostly plausible ones. Sizes and
#          the order of members are right: the true places follow from them, each aligned as its type asks for.
set -eu
swiftc --version 2>/dev/null | head -n 1
swiftc --version 2>/dev/null | grep -q '6\.3\.1' || { echo "Swift 6.3.1 is not on the PATH"; exit 2; }
llvm=1:14.0.6-12
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq download "libllvm14=$llvm" "llvm-14=$llvm" libedit2 libbsd0 libmd0 libxml2 libicu72 libz3-4 libffi8 2>/dev/null \
  || { echo "the pinned packages could not be had"; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
dump() { LD_LIBRARY_PATH="$work/root/usr/lib/x86_64-linux-gnu:$work/root/usr/lib/llvm-14/lib" root/usr/lib/llvm-14/bin/llvm-dwarfdump "$@"; }
cat > members.swift <<'END'
struct Pair { var flag: Bool; var number: Int; var small: UInt8; var wide: UInt32 }
final class Holder {
  var flag = true
  var number = 5
}
@main struct Main {
  static func main() {
    let holder = Holder()
    let pair = Pair(flag: true, number: 1, small: 2, wide: 3)
    print(pair.number + holder.number, terminator: "\n")
    print(MemoryLayout<Pair>.offset(of: \.flag)!, MemoryLayout<Pair>.offset(of: \.number)!, terminator: " ")
    print(MemoryLayout<Pair>.offset(of: \.small)!, MemoryLayout<Pair>.offset(of: \.wide)!, terminator: "\n")
  }
}
END
# The same source: as an ordinary program it says where members lie, embedded it has types with members in its DWARF.
sed 's/print(MemoryLayout.*//' members.swift > embedded.swift
swiftc -parse-as-library members.swift -o members
./members | tail -n 1 | tee true
swiftc -g -parse-as-library -wmo -enable-experimental-feature Embedded -c embedded.swift -o embedded.o
# The members of a type, each as NAME PLACE.
members() {
  dump --name="$1" -c embedded.o | awk '
    /DW_TAG_member/ { is_member = 1 }
    is_member && /DW_AT_name/ { split($0, word, "\""); name = word[2] }
    is_member && /location/ { gsub(/.*\(0x|\).*/, ""); printf "%s %s ", name, $0; is_member = 0 }'
}
echo "Pair: $(members Pair)"
echo "Holder: $(members Holder)"
grep -q '^0 8 16 20$' true
[ "$(members Pair)" = "flag 00 number 01 small 10 wide 11 " ]
[ "$(members Holder)" = "flag 00 number 01 " ]
