"""The kernel's data, read through gdb: nothing is called and nothing changed.

Everything begins at the global `Machine.dispatcher`. An object is believed when its first word is the metadata of its class.
"""

import gdb

import layout

# The direct map of physical memory (Kernel/Machine/AddressLayout.swift).
DIRECT_MAP = 128 << 39
NO_SLOT = 0xFFFFFFFF
ARRAY_COUNT, ARRAY_ELEMENTS = 16, 32

# Types by name: the mangled name, and the superclass whose members lie in front.
TYPES = {
    "Dispatcher": ("$e7Machine10DispatcherCD", None), "Kernel": ("$e11SystemCalls6KernelCD", None),
    "ProcessSystem": ("$e9Processes13ProcessSystemCD", None), "ThreadTable": ("$e9Processes11ThreadTableVD", None),
    "ProcessorState": ("$e9Processes14ProcessorStateVD", None),
    "Process": ("$e9Processes7ProcessCD", None), "Thread": ("$e9Processes6ThreadCD", None),
    "Scheduler": ("$e9Processes9SchedulerCD", None), "Node": ("$e9Processes9SchedulerC4NodeVD", None),
    "ThreadRecord": ("$e9Processes12ThreadRecordVD", None), "ThreadContext": ("$e9Processes13ThreadContextVD", None),
    "UserSleep": ("$e9Processes9UserSleepVD", None), "MemorySystem": ("$e6Memory0A6SystemCD", None),
    "BuddyAllocator": ("$e6Memory14BuddyAllocatorVD", None), "PageFrame": ("$e6Memory9PageFrameVD", None), "AnyOwner": ("$e6Memory8AnyOwnerCD", None),
    "AddressSpace": ("$e6Memory12AddressSpaceCD", "AnyOwner"), "VMObject": ("$e6Memory8VMObjectCD", "AnyOwner"),
    "MapEntry": ("$e6Memory8MapEntryVD", None), "PageTables": ("$e6Memory10PageTablesVD", None),
}


class Unreachable(layout.Unreachable):
    pass


class Value:
    """A structure or an object that lies somewhere in memory; members are read when they are asked for."""

    def __init__(self, kernel, name, address):
        self.kernel, self.name, self.address = kernel, name, address

    def place(self, member):
        places = self.kernel.places(self.name)
        if member not in places:
            raise Unreachable(f"where {self.name}.{member} lies cannot be told")
        offset, entry = places[member]
        return self.address + offset, entry

    def number(self, member):
        address, entry = self.place(member)
        return self.kernel.number(address, self.kernel.types.measure(entry)[0])

    def case(self, member):
        """The name of a case, of an enumeration whose cases have nothing with them."""
        return self.kernel.types.case(self.place(member)[1], self.number(member))

    def object(self, member, name):
        """What a reference names, or None."""
        address = self.kernel.number(self.place(member)[0], 8)
        return self.kernel.object(name, address) if address else None

    def part(self, member, name):
        return Value(self.kernel, name, self.place(member)[0])

    def array(self, member):
        """Where the elements of an array lie, and how many there are."""
        buffer = self.kernel.number(self.place(member)[0], 8)
        return buffer + ARRAY_ELEMENTS, self.kernel.number(buffer + ARRAY_COUNT, 8)


class Kernel:
    def __init__(self, path):
        self.types = layout.Types(path)
        self.metadata = {}

    # MARK: Memory

    @staticmethod
    def bytes(address, count):
        try:
            return bytes(gdb.selected_inferior().read_memory(address, count))
        except gdb.MemoryError:
            raise Unreachable(f"{address:#x} cannot be read: the kernel has not set up its memory yet")

    def number(self, address, size):
        return int.from_bytes(self.bytes(address, size), "little")

    def places(self, name):
        mangled, parent = TYPES[name]
        return self.types.layout(mangled, TYPES[parent][0] if parent else None)[0]

    def size(self, name):
        return self.types.layout(TYPES[name][0])[1]

    def object(self, name, address):
        """An object of a class, if that is what lies there."""
        if name not in self.metadata:
            symbol = TYPES[name][0][:-1] + "N"
            self.metadata[name] = int(gdb.parse_and_eval(f"&'{symbol}'"))
        if self.number(address, 8) != self.metadata[name]:
            raise Unreachable(f"what lies at {address:#x} is no {name}")
        return Value(self, name, address)

    # MARK: What there is

    @property
    def root(self):
        pointer = self.number(int(gdb.parse_and_eval("&'$e7Machine10dispatcherAA10DispatcherCSgvp'")), 8)
        if pointer == 0:
            raise Unreachable("the kernel has not started yet")
        return self.object("Dispatcher", pointer).object("kernel", "Kernel")

    @property
    def system(self):
        return self.root.object("processes", "ProcessSystem")

    def referenced(self, address, count, name):
        """The objects that an array of optional references names, with their places."""
        words = self.bytes(address, 8 * count)
        for index in range(count):
            pointer = int.from_bytes(words[8 * index:8 * index + 8], "little")
            if pointer:
                yield index, self.object(name, pointer)

    def processes(self):
        for _, process in self.referenced(*self.system.array("slots"), "Process"):
            yield process

    def process(self, identifier):
        for process in self.processes():
            if process.number("identifier") == identifier:
                return process
        raise Unreachable(f"there is no process {identifier}")

    def threads(self, process=None):
        table = self.system.part("threads", "ThreadTable")
        found = dict(self.referenced(*table.array("slots"), "Thread"))
        slot = process.number("slot") if process else None
        return [thread for thread in found.values() if slot is None or thread.number("process") == slot]

    def thread(self, identifier):
        for thread in self.threads():
            if thread.number("identifier") == identifier:
                return thread
        raise Unreachable(f"there is no thread {identifier}")

    def current_thread(self):
        pointer = self.system.part("processor", "ProcessorState").place("thread")[0]
        return self.number(pointer, 8)

    def process_of(self, thread):
        address, _ = self.system.array("slots")
        return self.object("Process", self.number(address + 8 * thread.number("process"), 8))

    def node(self, thread):
        address, _ = self.system.object("scheduler", "Scheduler").array("nodes")
        return Value(self, "Node", address + self.size("Node") * thread.number("slot"))

    def channel(self, thread):
        """What a parked thread waits for: the kind, which one of that kind, and where in it."""
        address, _ = self.system.object("scheduler", "Scheduler").array("channels")
        subject, offset = (self.number(address + 16 * thread.number("slot") + 8 * word, 8) for word in (0, 1))
        return subject >> 56, subject & (1 << 55) - 1, offset

    def record(self, thread):
        return Value(self, "ThreadRecord", DIRECT_MAP + (thread.number("record") << 4))

    def entries(self, space):
        """The map of an address space, in ascending order."""
        handle, seen = space.number("first"), 0
        while handle and seen <= space.number("entryCount"):
            entry = Value(self, "MapEntry", DIRECT_MAP + (handle << 4))
            yield entry
            handle, seen = entry.number("next"), seen + 1

    def frames(self):
        """The records of the frames that have one, how many others are free, and how many are no memory."""
        memory = self.root.object("memory", "MemorySystem")
        address = memory.place("frames")[0]
        size = self.size("PageFrame")
        # Behind the addresses of the records of frames and of blocks.
        count = self.number(address + 16, 4)
        table = self.bytes(self.number(address, 8), size * count)
        buddy = memory.part("buddy", "BuddyAllocator")
        made, untouched = (int.from_bytes(self.bytes(words, 8 * length), "little")
                           for words, length in (buddy.array("made"), buddy.array("untouched")))
        # Records are made by groups of 4096.
        records, free = [], 0
        for first in range(0, count, 4096):
            end = min(count, first + 4096)
            if made >> first // 4096 & 1:
                records += [table[frame * size:(frame + 1) * size] for frame in range(first, end)]
            elif untouched >> first // 4096 & 1:
                free += end - first
        return records, free, count - len(records) - free
