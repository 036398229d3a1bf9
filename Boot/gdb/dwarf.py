"""What the debug information says of types: a reader of DIEs (DWARF 4 and 5), as far as types of Swift need it.

gdb itself has no types of Swift. Their DIEs are found by their mangled names, each of which is stored once as a text, and named by
its place: wherever that number stands as the name of a DIE, there is one.
"""

TAG_STRUCTURE, TAG_ENUMERATION, TAG_MEMBER, TAG_TEMPLATE_TYPE, TAG_BASE = 0x13, 0x04, 0x0D, 0x2F, 0x24
TAG_ENUMERATOR, TAG_POINTER, TAG_VARIANT_PART, TAG_VARIANT = 0x28, 0x0F, 0x33, 0x19
AT_NAME, AT_BYTE_SIZE, AT_TYPE, AT_SPECIFICATION, AT_LINKAGE_NAME = 0x03, 0x0B, 0x49, 0x47, 0x6E
AT_DECLARATION = 0x3C

# Bytes of the forms that have a fixed size; the others are read one by one below.
FIXED = {0x01: 8, 0x05: 2, 0x06: 4, 0x07: 8, 0x0B: 1, 0x0C: 1, 0x0E: 4, 0x10: 4, 0x11: 1, 0x12: 2, 0x13: 4, 0x14: 8,
         0x17: 4, 0x19: 0, 0x1E: 16, 0x1F: 4, 0x20: 8, 0x21: 0, 0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4, 0x29: 1, 0x2A: 2,
         0x2B: 3, 0x2C: 4}


class Entry:
    """A DIE: its tag, its attributes as numbers, texts or offsets of other DIEs, and its children."""

    def __init__(self, offset, tag, attributes):
        self.offset, self.tag, self.attributes, self.children = offset, tag, attributes, []

    def get(self, attribute, default=None):
        return self.attributes.get(attribute, default)


class DebugInformation:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            image = file.read()
        self.sections = sections(image)
        self.bytes = self.sections[".debug_info"]
        self.units, self.abbreviations, self.entries = [], {}, {}
        offset = 0
        while offset < len(self.bytes):
            length = number(self.bytes, offset, 4)
            self.units.append((offset, offset + 4 + length))
            offset += 4 + length

    def find(self, name):
        """The first complete DIE of a type with this mangled name; None when there is none."""
        at = self.sections[".debug_str"].find(b"\0" + name.encode() + b"\0") + 1
        wanted = at.to_bytes(4, "little")
        place = -1
        while at and (place := self.bytes.find(wanted, place + 1)) >= 0:
            # In front of it are the plain name and the number of the abbreviation, of one to three bytes.
            for start in (place - 5, place - 6, place - 7):
                entry = self.entry_named(start, name)
                if entry is not None:
                    return entry
        return None

    def entry_named(self, offset, name):
        code, place = unsigned(self.bytes, offset)
        unit = self.unit(offset)
        tag, _, forms = self.table(unit).get(code, (0, 0, []))
        names = [(attribute, form) for attribute, form, _ in forms[:2]]
        if tag not in (TAG_STRUCTURE, TAG_ENUMERATION) or names != [(AT_NAME, 0x0E), (AT_LINKAGE_NAME, 0x0E)]:
            return None
        entry = self.entry(offset)
        return entry if entry.get(AT_LINKAGE_NAME) == name and not entry.get(AT_DECLARATION) else None

    def entry(self, offset):
        if offset not in self.entries:
            unit = self.unit(offset)
            self.read(offset, unit)
        return self.entries[offset]

    def unit(self, offset):
        low, high = 0, len(self.units)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.units[middle][0] <= offset else (low, middle)
        return self.units[low][0]

    def table(self, unit):
        """The abbreviations of a unit, and whether it is of DWARF 5."""
        if unit not in self.abbreviations:
            version = number(self.bytes, unit + 4, 2)
            start = number(self.bytes, unit + (8 if version >= 5 else 6), 4)
            table, data = {}, self.sections[".debug_abbrev"]
            while True:
                code, start = unsigned(data, start)
                if code == 0:
                    break
                tag, start = unsigned(data, start)
                has_children, start = data[start], start + 1
                forms = []
                while True:
                    attribute, start = unsigned(data, start)
                    form, start = unsigned(data, start)
                    constant = None
                    if form == 0x21:
                        constant, start = signed(data, start)
                    if attribute == 0 and form == 0:
                        break
                    forms.append((attribute, form, constant))
                table[code] = (tag, has_children, forms)
            self.abbreviations[unit] = table
        return self.abbreviations[unit]

    def read(self, offset, unit):
        """Reads a DIE with its children; gives where the next one is."""
        code, place = unsigned(self.bytes, offset)
        if code == 0:
            return None, place
        tag, has_children, forms = self.table(unit)[code]
        attributes = {}
        for attribute, form, constant in forms:
            value, place = self.value(form, place, unit, constant)
            attributes[attribute] = value
        entry = self.entries[offset] = Entry(offset, tag, attributes)
        while has_children:
            child, place = self.read(place, unit)
            if child is None:
                break
            entry.children.append(child)
        return entry, place

    def value(self, form, place, unit, constant):
        data = self.bytes
        if form == 0x21:
            return constant, place
        if form == 0x19:
            return 1, place
        if form in FIXED:
            size = FIXED[form]
            value = number(data, place, size)
            if form == 0x0E:
                value = text(self.sections[".debug_str"], value)
            elif form in (0x11, 0x12, 0x13, 0x14):
                value += unit
            return value, place + size
        if form == 0x08:
            value = text(data, place)
            return value, data.index(0, place) + 1
        if form == 0x0D:
            return signed(data, place)
        if form in (0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23):
            value, place = unsigned(data, place)
            return (value + unit if form == 0x15 else value), place
        if form in (0x09, 0x18):
            size, place = unsigned(data, place)
            return data[place:place + size], place + size
        if form in (0x03, 0x04, 0x0A):
            width = {0x03: 2, 0x04: 4, 0x0A: 1}[form]
            size = number(data, place, width)
            return data[place + width:place + width + size], place + width + size
        raise ValueError(f"a form of DWARF that is not known: {form:#x}")


def number(data, place, size):
    return int.from_bytes(data[place:place + size], "little")


def text(data, place):
    return data[place:data.index(0, place)].decode()


def unsigned(data, place):
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def signed(data, place):
    start = place
    value, place = unsigned(data, place)
    bits = 7 * (place - start)
    return (value - (1 << bits) if value >> (bits - 1) & 1 else value), place


def sections(image):
    """The sections of debugging of an ELF64 file, by name."""
    table, size, count, names = number(image, 40, 8), number(image, 58, 2), number(image, 60, 2), number(image, 62, 2)
    headers = [image[table + index * size:table + (index + 1) * size] for index in range(count)]
    place = number(headers[names], 24, 8)
    result = {}
    for header in headers:
        name = text(image, place + number(header, 0, 4))
        if name.startswith(".debug_"):
            start, length = number(header, 24, 8), number(header, 32, 8)
            result[name] = image[start:start + length]
    return result
