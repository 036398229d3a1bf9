// The arguments of calls in words.

import ABI
import Memory
import Primitives
import Processes

/// One of several values that a field of an argument can have, or a bit.
private struct ValueName {
  let value: UInt32
  let name: String
  init(_ value: UInt32, _ name: String) {
    self.value = value
    self.name = name
  }
}

extension SystemCall {
  /// How many bytes of a buffer are shown.
  private static var shownByteCount: Int { 32 }

  /// Adds an argument to a line.
  func show(argument index: Int, _ kind: ArgumentKind, in line: inout ConsoleLine) {
    let argument = shown(index)
    switch kind {
    case .bits: line.append(hexadecimal: argument.raw)
    case .pointer: line.append(pointer: argument)
    case .integer: line.append(Int64(argument.integer))
    case .long: line.append(argument.long)
    case .size: line.append(argument.raw)
    case .mode: line.append(octal: argument.word)
    case .path: showPath(argument, in: &line)
    case .objectName:
      if argument.raw == 1 { line.append("SHM_ANON") } else { showPath(argument, in: &line) }
    case .bytes: showBytes(argument, shown(index + 1), in: &line)
    case .descriptor:
      if argument.integer == -100 { line.append("AT_FDCWD") } else { line.append(Int64(argument.integer)) }
    case .signal:
      let name = Signal(rawValue: argument.integer).name
      if name.isEmpty { line.append(Int64(argument.integer)) } else { line.append(name) }
    case .clock: line.append(argument, oneOf: clockNames)
    case .origin: line.append(argument, oneOf: originNames)
    case .fileCommand: line.append(argument, oneOf: fileCommandNames)
    case .protection:
      if argument.word == 0 { line.append("PROT_NONE") } else { line.append(argument.word, bits: protectionNames) }
    case .openFlags:
      line.append(argument.word & 3 == 0 ? "O_RDONLY" : argument.word & 3 == 1 ? "O_WRONLY" : "O_RDWR")
      if argument.word & ~3 != 0 {
        line.append("|")
        line.append(argument.word & ~3, bits: openFlagNames)
      }
    case .mapFlags: line.append(argument.word, bits: mapFlagNames)
    case .advice: line.append(argument, oneOf: adviceNames)
    case .inheritance: line.append(argument, oneOf: inheritanceNames)
    }
  }

  /// An argument of the call that begins. The sixth of one through `syscall` lies on the stack, and is not looked for.
  private func shown(_ index: Int) -> Argument {
    let position = thread.context.isIndirectCall ? index + 1 : index
    return position < 6 ? arguments[position] : Argument(raw: 0)
  }

  /// Whether what a program names may be read now: that may take a page.
  private var mayRead: Bool { !kernel.memory.isShort && kernel.hasHeapReserve() }

  private func showPath(_ argument: Argument, in line: inout ConsoleLine) {
    var progress = 0
    guard mayRead,
      case .complete = spaceReference.borrow({
        $0.copyInPath(argument.address, into: &thread.frame.value.buffer, &progress)
      })
    else { return line.append(pointer: argument) }
    showText(progress - 1, isWhole: true, in: &line)
  }

  private func showBytes(_ argument: Argument, _ length: Argument, in line: inout ConsoleLine) {
    let count = Int(min(length.raw, UInt64(Self.shownByteCount)))
    var progress = 0
    guard mayRead, count > 0,
      case .complete = spaceReference.borrow({
        $0.copyIn(argument.range(count), into: &thread.frame.value.buffer, &progress)
      })
    else { return line.append(pointer: argument) }
    showText(count, isWhole: length.raw == UInt64(count), in: &line)
  }

  /// Shows bytes from the front of the buffer.
  private func showText(_ count: Int, isWhole: Bool, in line: inout ConsoleLine) {
    line.append("\"")
    for index in 0..<min(count, 128) { line.append(escaped: thread.frame.value.buffer[index]) }
    line.append(isWhole && count <= 128 ? "\"" : "\"…")
  }

  private var clockNames: [9 of ValueName] {
    [
      ValueName(0, "CLOCK_REALTIME"), ValueName(1, "CLOCK_VIRTUAL"), ValueName(2, "CLOCK_PROF"),
      ValueName(4, "CLOCK_MONOTONIC"), ValueName(5, "CLOCK_UPTIME"), ValueName(11, "CLOCK_MONOTONIC_PRECISE"),
      ValueName(13, "CLOCK_SECOND"), ValueName(14, "CLOCK_THREAD_CPUTIME_ID"),
      ValueName(15, "CLOCK_PROCESS_CPUTIME_ID"),
    ]
  }

  private var originNames: [5 of ValueName] {
    [
      ValueName(0, "SEEK_SET"), ValueName(1, "SEEK_CUR"), ValueName(2, "SEEK_END"), ValueName(3, "SEEK_DATA"),
      ValueName(4, "SEEK_HOLE"),
    ]
  }

  private var fileCommandNames: [11 of ValueName] {
    [
      ValueName(0, "F_DUPFD"), ValueName(1, "F_GETFD"), ValueName(2, "F_SETFD"), ValueName(3, "F_GETFL"),
      ValueName(4, "F_SETFL"), ValueName(5, "F_GETOWN"), ValueName(6, "F_SETOWN"), ValueName(10, "F_DUP2FD"),
      ValueName(17, "F_DUPFD_CLOEXEC"), ValueName(19, "F_ADD_SEALS"), ValueName(20, "F_GET_SEALS"),
    ]
  }

  private var adviceNames: [11 of ValueName] {
    [
      ValueName(0, "MADV_NORMAL"), ValueName(1, "MADV_RANDOM"), ValueName(2, "MADV_SEQUENTIAL"),
      ValueName(3, "MADV_WILLNEED"), ValueName(4, "MADV_DONTNEED"), ValueName(5, "MADV_FREE"),
      ValueName(6, "MADV_NOSYNC"), ValueName(7, "MADV_AUTOSYNC"), ValueName(8, "MADV_NOCORE"),
      ValueName(9, "MADV_CORE"), ValueName(10, "MADV_PROTECT"),
    ]
  }

  private var inheritanceNames: [4 of ValueName] {
    [
      ValueName(0, "INHERIT_SHARE"), ValueName(1, "INHERIT_COPY"), ValueName(2, "INHERIT_NONE"),
      ValueName(3, "INHERIT_ZERO"),
    ]
  }

  private var protectionNames: [3 of ValueName] {
    [ValueName(1, "PROT_READ"), ValueName(2, "PROT_WRITE"), ValueName(4, "PROT_EXEC")]
  }

  private var openFlagNames: [10 of ValueName] {
    [
      ValueName(0x4, "O_NONBLOCK"), ValueName(0x8, "O_APPEND"), ValueName(0x40, "O_ASYNC"), ValueName(0x80, "O_SYNC"),
      ValueName(0x100, "O_NOFOLLOW"), ValueName(0x200, "O_CREAT"), ValueName(0x400, "O_TRUNC"),
      ValueName(0x800, "O_EXCL"), ValueName(0x2_0000, "O_DIRECTORY"), ValueName(0x10_0000, "O_CLOEXEC"),
    ]
  }

  private var mapFlagNames: [8 of ValueName] {
    [
      ValueName(0x1, "MAP_SHARED"), ValueName(0x2, "MAP_PRIVATE"), ValueName(0x10, "MAP_FIXED"),
      ValueName(0x400, "MAP_STACK"), ValueName(0x1000, "MAP_ANON"), ValueName(0x2000, "MAP_GUARD"),
      ValueName(0x4000, "MAP_EXCL"), ValueName(0x4_0000, "MAP_PREFAULT_READ"),
    ]
  }
}

extension ConsoleLine {
  fileprivate mutating func append(pointer: Argument) {
    if pointer.isNull { append("NULL") } else { append(hexadecimal: pointer.raw) }
  }

  fileprivate mutating func append(octal number: UInt32) {
    append("0")
    var shift = (31 - number.leadingZeroBitCount) / 3 * 3
    while number != 0 && shift >= 0 {
      append(UInt8(ascii: "0") + UInt8(number >> UInt32(shift) & 7))
      shift -= 3
    }
  }

  /// Adds a byte of a program's text as C would write it.
  fileprivate mutating func append(escaped byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\n"): append("\\n")
    case UInt8(ascii: "\t"): append("\\t")
    case 0: append("\\0")
    case UInt8(ascii: "\""): append("\\\"")
    case UInt8(ascii: "\\"): append("\\\\")
    default: append(printable: byte)
    }
  }

  fileprivate mutating func append<let count: Int>(_ argument: Argument, oneOf names: borrowing [count of ValueName]) {
    for index in 0..<count where names[index].value == argument.word { return append(names[index].name) }
    append(Int64(argument.integer))
  }

  fileprivate mutating func append<let count: Int>(_ word: UInt32, bits names: borrowing [count of ValueName]) {
    var rest = word
    var isFirst = true
    for index in 0..<count where names[index].value & rest == names[index].value {
      if !isFirst { append("|") }
      append(names[index].name)
      isFirst = false
      rest &= ~names[index].value
    }
    guard rest != 0 || isFirst else { return }
    if !isFirst { append("|") }
    append(hexadecimal: UInt64(rest))
  }
}
