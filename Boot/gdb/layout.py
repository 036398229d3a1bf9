"""Where the parts of Swift's values lie, from what the debug information says of their types.

The places that it gives for members are not used: Swift 6.3.1 counts bytes there without aligning them, and without the header
of an object (Documentation/Toolchain.md). Sizes and the order of members are right, and Swift lays out in order, each
member aligned as its type asks for. Where a structure's size is told, it is compared: what does not come out the same is an
error, and never a guess.
"""

import dwarf

OBJECT_HEADER = 16


class Unreachable(Exception):
    """The debug information does not say enough of something."""


class Types:
    def __init__(self, path):
        self.information = dwarf.DebugInformation(path)
        self.names = {}
        self.layouts, self.measures = {}, {}

    def type(self, name):
        if name not in self.names:
            self.names[name] = self.information.find(name)
        if self.names[name] is None:
            raise Unreachable(f"the kernel has no debug information of {name}")
        return self.names[name]

    def measure(self, entry):
        """Size and alignment of a value of a type."""
        if entry.offset not in self.measures:
            self.measures[entry.offset] = None
            self.measures[entry.offset] = self.measured(entry)
        if self.measures[entry.offset] is None:
            raise Unreachable(f"a type contains itself, at {entry.offset:#x}")
        return self.measures[entry.offset]

    def measured(self, entry):
        size = entry.get(dwarf.AT_BYTE_SIZE)
        linkage = entry.get(dwarf.AT_LINKAGE_NAME) or ""
        if linkage.endswith("CD") or entry.tag == dwarf.TAG_POINTER:
            return 8, 8
        if entry.get(dwarf.AT_DECLARATION) or size is None:
            raise Unreachable(f"the debug information does not say how large {linkage or 'a type'} is")
        members = self.members(entry)
        if [member.get(dwarf.AT_NAME) for member in members] == ["_value"]:
            return size, natural_alignment(size)  # a number of the standard library
        general = entry.get(dwarf.AT_SPECIFICATION)
        if general is None and members and entry.tag == dwarf.TAG_STRUCTURE:
            end, alignment = self.laid_out(members, 0, {})
            if end is None:
                return size, natural_alignment(size)
            if end != size:
                raise Unreachable(f"{entry.get(dwarf.AT_NAME)} has {size} bytes, and its members take {end}")
            return size, alignment
        alignments = [self.alignment_of(part) for part in self.parts(entry)]
        if general is not None:
            alignments += [self.alignment_of(part) for part in self.parts(self.information.entry(general))]
        known = [alignment for alignment in alignments if alignment]
        return size, max(known) if known else natural_alignment(size)

    def alignment_of(self, offset):
        """The alignment of a type that another one contains; None for a parameter of a generic one."""
        part = self.information.entry(offset)
        if (part.get(dwarf.AT_LINKAGE_NAME) or "") in ("$exD", "$eqd__D") or part.get(dwarf.AT_BYTE_SIZE) == 0:
            return None
        try:
            return self.measure(part)[1]
        except Unreachable:
            return None

    @staticmethod
    def parts(entry):
        """The types of everything inside: members, payloads of cases, parameters of a generic type."""
        for child in entry.children:
            if child.tag in (dwarf.TAG_MEMBER, dwarf.TAG_TEMPLATE_TYPE) and child.get(dwarf.AT_TYPE) is not None:
                yield child.get(dwarf.AT_TYPE)
            elif child.tag in (dwarf.TAG_VARIANT_PART, dwarf.TAG_VARIANT):
                yield from Types.parts(child)

    @staticmethod
    def members(entry):
        return [child for child in entry.children if child.tag == dwarf.TAG_MEMBER and child.get(dwarf.AT_NAME)]

    def laid_out(self, members, place, places):
        """Enters where members lie, up to the first whose size is not told; gives the end, or None, and the alignment."""
        alignment = 1
        for member in members:
            type_entry = self.information.entry(member.get(dwarf.AT_TYPE))
            try:
                size, wanted = self.measure(type_entry)
            except Unreachable:
                return None, alignment
            place = -(-place // wanted) * wanted
            places[member.get(dwarf.AT_NAME)] = (place, type_entry)
            place += size
            alignment = max(alignment, wanted)
        return place, alignment

    def layout(self, name, parent=None):
        """Members of a structure, or of a class behind those of its superclass: name to (offset, type). And the size."""
        if name not in self.layouts:
            entry = self.type(name)
            places = {}
            start = 0
            if name.endswith("CD"):
                start = self.layout(parent)[1] if parent else OBJECT_HEADER
            end, alignment = self.laid_out(self.members(entry), start, places)
            is_object = name.endswith("CD")
            self.layouts[name] = (places, end if is_object or end is None else -(-end // alignment) * alignment)
        return self.layouts[name]

    @staticmethod
    def case(entry, value):
        """The name of a case of an enumeration whose cases have nothing with them: they are numbered in order."""
        names = [child.get(dwarf.AT_NAME) for child in entry.children if child.tag == dwarf.TAG_ENUMERATOR]
        for part in entry.children:
            if part.tag == dwarf.TAG_VARIANT_PART:
                names += [member.get(dwarf.AT_NAME) for variant in part.children for member in variant.children]
        return names[value] if value < len(names) else f"case {value}"


def natural_alignment(size):
    alignment = 8
    while size % alignment:
        alignment //= 2
    return alignment
