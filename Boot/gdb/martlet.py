"""Commands for gdb that show what the kernel knows: `martlet`, and `help martlet`.

    martlet processes          all processes
    martlet threads [PID]      threads and what they do
    martlet why THREAD         why a thread waits, and where its program is
    martlet map PID            the map of a process, with the chains of objects that it shows
    martlet channels           what is waited for, and by whom
    martlet frames             physical memory by what it is used for

They only read. While the machine is stopped inside the kernel, lists may be in the middle of a change. What remains of a call
that waits (`Thread.continuation`) cannot be shown: the debug information does not say how its cases are told apart.
"""

import os
import re
import sys

import gdb

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import kernel as model  # noqa: E402
import layout  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))

# Kinds of wait channels (WaitChannel.Kind, and where modules make channels of their own).
KINDS = {1: "the page in frame {}", 3: "input on the console", 4: "a change of a child", 5: "its turn {} in a line",
         7: "room for console output", 8: "the end of shrinking {}", 9: "the end of a change of the map with root {:#x}",
         17: "a child that runs in its memory", 18: "the end of its other threads", 19: "a word of memory",
         32: "a pipe (place {})", 33: "a socket (place {})", 40: "events (queue {})", 41: "events (poll {})"}
# Conditions of frames, as FrameState has them.
STATES = {"free": ("free", "freeTail"), "pages of objects": ("object",), "page tables": ("pageTable", "spareTable"),
          "records": ("pool",), "the kernel": ("kernel",), "no memory, or kept out": ("reserved",),
          "left their objects, a transfer goes on": ("orphan",)}
FRAMES = ("free frames", "free frames, as the superuser", "kernel memory that its user may have")


def call_names():
    """Numbers of calls and their names, from the header of the programs."""
    names = {}
    for path in (os.path.join(HERE, "../../Programs/C/include/sys/syscall.h"), os.path.join(HERE, "../../../include/sys/syscall.h")):
        if os.path.exists(path):
            with open(path, encoding="ascii") as file:
                names.update({int(n): name for name, n in re.findall(r"#define SYS_(\w+) (\d+)", file.read())})
    return names


class State:
    """The kernel's types are read once."""

    kernel = None
    calls = {}

    @classmethod
    def get(cls):
        if cls.kernel is None:
            for file in gdb.objfiles():
                if os.path.basename(file.filename) == "martlet.elf":
                    cls.kernel = model.Kernel(file.filename)
                    cls.calls = call_names()
        if cls.kernel is None:
            raise layout.Unreachable("the kernel's symbols are not loaded: file build/martlet.elf")
        return cls.kernel


# MARK: Words

def process_name(kernel, process):
    address, _ = process.place("name")
    return kernel.bytes(address, process.number("nameByteCount")).decode(errors="replace")


def describe_channel(kernel, thread):
    kind, which, _ = kernel.channel(thread)
    if kind == 2:
        return FRAMES[which] if which < len(FRAMES) else "free frames"
    if kind == 6:
        return "time" if kernel.node(thread).number("hasDeadline") else "a signal"
    call, arguments = call_of(kernel, thread)
    if kind == 19 and call == "_umtx_op":
        return f"the word at {arguments[0]:#x}"
    return KINDS[kind].format(which) if kind in KINDS else f"channel {which} of kind {kind}"


def call_of(kernel, thread):
    """The call that a parked thread made, and its arguments; None when it waits because of a fault."""
    context = kernel.record(thread).part("context", "ThreadContext")
    name = State.calls.get(context.number("rax")) if kernel.channel(thread)[0] not in (1, 2) else None
    return name, [context.number(register) for register in ("rdi", "rsi", "rdx", "r10", "r8", "r9")]


def describe_thread(kernel, thread):
    if thread.address == kernel.current_thread():
        return "runs"
    node = kernel.node(thread)
    place = node.case("place")
    if place == "parked":
        until = ", until a time" if node.number("hasDeadline") and kernel.channel(thread)[0] != 6 else ""
        call = call_of(kernel, thread)[0]
        return f"waits for {describe_channel(kernel, thread)}{until}{', in ' + call if call else ''}"
    if place == "ready":
        return "is ready"
    return "is set aside: its process is stopped" if thread.number("isSuspended") else "is in no list"


def table(rows):
    """Prints rows in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        gdb.write("  ".join([cell.ljust(width) for cell, width in zip(row, widths)] + [row[-1]]).rstrip() + "\n")


def warn_inside(kernel):
    try:
        if gdb.selected_frame().pc() >= 1 << 46:
            gdb.write("(stopped inside the kernel: what is being changed may look wrong)\n")
    except gdb.error:
        pass


# MARK: Commands

def show_processes(kernel, _):
    rows = [("PID", "PARENT", "STATE", "THREADS", "PAGES", "NAME")]
    slots = {process.number("slot"): process for process in kernel.processes()}
    for process in slots.values():
        parent = slots.get(process.number("parent"))
        space = process.object("addressSpace", "AddressSpace")
        pages = str(space.part("tables", "PageTables").number("residentPageCount")) if space else "-"
        state = "stopped" if process.number("isStopped") else process.case("state")
        rows.append((str(process.number("identifier")), str(parent.number("identifier")) if parent else "-", state,
                     str(process.number("threadCount")), pages, process_name(kernel, process)))
    table(rows)


def show_threads(kernel, words):
    threads = kernel.threads(kernel.process(int(words[0])) if words else None)
    rows = [("THREAD", "PID", "DOES")]
    for thread in threads:
        rows.append((str(thread.number("identifier")), str(kernel.process_of(thread).number("identifier")),
                     describe_thread(kernel, thread)))
    table(rows)


def show_why(kernel, words):
    thread = kernel.thread(int(words[0]))
    process = kernel.process_of(thread)
    gdb.write(f"thread {words[0]} of process {process.number('identifier')} ({process_name(kernel, process)}) "
              f"{describe_thread(kernel, thread)}\n")
    if thread.address == kernel.current_thread():
        gdb.write("its registers are in the processor\n")
        return
    call, arguments = call_of(kernel, thread)
    if kernel.node(thread).case("place") == "parked" and call:
        gdb.write(f"its call: {call}({', '.join(hex(argument) for argument in arguments)})\n")
    context = kernel.record(thread).part("context", "ThreadContext")
    rip, rsp = context.number("rip"), context.number("rsp")
    symbol = re.match(r"(\w+( \+ \d+)?) in section", gdb.execute(f"info symbol {rip:#x}", to_string=True))
    gdb.write(f"it is at {rip:#x}{f' ({symbol[1]})' if symbol else ''}, its stack at {rsp:#x}\n")


def object_chain(entry, kernel):
    """The object that an entry shows, and those behind it."""
    object_, words = entry.object("object", "VMObject"), []
    while object_ is not None and len(words) < 16:
        size = object_.number("pageCount")
        words.append(f"{object_.case('kind')} {object_.address:#x} ({size} {'page' if size == 1 else 'pages'}, "
                     f"{object_.number('residents')} here, {object_.number('pagesInSwap')} in swap, "
                     f"{object_.number('references')} references)")
        object_ = object_.object("backing", "VMObject")
    return words


def show_map(kernel, words):
    process = kernel.process(int(words[0]))
    space = process.object("addressSpace", "AddressSpace")
    if space is None:
        gdb.write(f"process {words[0]} has no memory any more\n")
        return
    for entry in kernel.entries(space):
        protection = entry.number("protection")
        rights = "".join(letter if protection & bit else "-" for bit, letter in ((1, "r"), (2, "w"), (4, "x")))
        kind = "" if entry.case("kind") == "memory" else f" {entry.case('kind')}"
        copy = " copied before the next store" if entry.number("needsCopy") else ""
        gdb.write(f"{entry.number('start'):#014x}-{entry.number('end'):#014x} {rights} {entry.case('sharing')}{kind}{copy}\n")
        for depth, text in enumerate(object_chain(entry, kernel)):
            gdb.write("  " * (depth + 1) + ("shows " if depth == 0 else "behind it ") + text + "\n")


def show_channels(kernel, _):
    waiting = {}
    for thread in kernel.threads():
        if thread.address != kernel.current_thread() and kernel.node(thread).case("place") == "parked":
            waiting.setdefault(describe_channel(kernel, thread), []).append(str(thread.number("identifier")))
    if not waiting:
        gdb.write("nobody waits\n")
        return
    table([("THREADS", "WAIT FOR")] + [(" ".join(threads), what) for what, threads in waiting.items()])


def show_frames(kernel, _):
    records, free, unused = kernel.frames()
    places = kernel.places("PageFrame")
    states, queues = {}, {}
    for record in records:
        state = record[places["state"][0]]
        states[state] = states.get(state, 0) + 1
        if kernel.types.case(places["state"][1], state) == "object":
            queue = record[places["queue"][0]]
            queues[queue] = queues.get(queue, 0) + 1
    rows = [("FRAMES", "USED FOR")]
    for name in STATES:
        frames = sum(number for state, number in states.items() if kernel.types.case(places["state"][1], state) in STATES[name])
        frames += free if name == "free" else unused if "reserved" in STATES[name] else 0
        rows.append((str(frames), name))
        if name == "pages of objects":
            rows += [(str(queues[queue]), f"  in the queue {kernel.types.case(places['queue'][1], queue)}")
                     for queue in sorted(queues)]
    table(rows)


COMMANDS = {"processes": (show_processes, 0, 0), "threads": (show_threads, 0, 1), "why": (show_why, 1, 1),
            "map": (show_map, 1, 1), "channels": (show_channels, 0, 0), "frames": (show_frames, 0, 0)}


class Martlet(gdb.Command):
    __doc__ = __doc__

    def __init__(self):
        super().__init__("martlet", gdb.COMMAND_STATUS)

    def invoke(self, argument, _):
        words = gdb.string_to_argv(argument)
        show, least, most = COMMANDS.get(words[0] if words else "", (None, 0, 0))
        if show is None or not least <= len(words) - 1 <= most or not all(word.isdigit() for word in words[1:]):
            raise gdb.GdbError("martlet processes | threads [PID] | why THREAD | map PID | channels | frames")
        try:
            kernel = State.get()
            warn_inside(kernel)
            show(kernel, words[1:])
        except layout.Unreachable as problem:
            raise gdb.GdbError(f"martlet: {problem}")

    def complete(self, text, word):
        return [name for name in COMMANDS if name.startswith(word)] if " " not in text else gdb.COMPLETE_NONE




def begin(program):
    """Lets the machine run to the program's main; to its first instruction, if its source is not known."""
    for file in gdb.objfiles():
        if file.filename and os.path.realpath(file.filename) == os.path.realpath(program):
            symbol = file.lookup_global_symbol("main")
            if symbol:
                place = f"-source {os.path.basename(symbol.symtab.filename)} -function main"
            else:
                with open(program, "rb") as image:
                    place = f"*{int.from_bytes(image.read(32)[24:], 'little'):#x}"
            gdb.execute(f"thbreak {place}", to_string=True)
            gdb.execute("continue")


Martlet()
