// Calls that are called often and usually done at once: from the registers to the result without the phases that the others
// go through.
//
// Invariant: these calls allocate nothing that cannot fail and begin without a path or structure. Each is handled in the
// general way too, which takes over, before anything has happened, when the quick one would have to wait.

import ABI
import Files
import Memory
import Processes

extension Kernel {
  /// The result of a call that only looks something up; nil for the others.
  @inline(__always)
  func lookedUp(_ call: SystemCall, _ process: Process) -> UInt64? {
    switch call {
    case .getpid: UInt64(UInt32(bitPattern: process.identifier))
    case .getuid: UInt64(process.credentials.user)
    case .geteuid: UInt64(process.credentials.effectiveUser)
    case .getgid: UInt64(process.credentials.group)
    case .getegid: UInt64(process.credentials.effectiveGroup)
    default: nil
    }
  }

  /// The result of a call that is done at once; nil for one that is to be done in the general way.
  @inline(__always)
  func quickResult(_ call: SystemCall, _ thread: Thread, _ process: Process) throws(Errno) -> UInt64? {
    switch call {
    case .close:
      try fileTable(process).close(descriptor(thread.context.rdi))
      return 0
    case .dup: return UInt64(try quickDuplicate(thread, process))
    case .fcntl: return try quickFileControl(thread, process)
    case .lseek: return try quickSeek(thread, process)
    case .fstat: return try quickStatus(thread, process)
    case .clockGettime: return try quickTime(thread, process)
    case .getrandom: return quickRandom(thread, process)
    default: return nil
    }
  }

  /// The file behind the first argument; nothing that these calls do closes it.
  @inline(__always)
  private func file(_ thread: Thread, _ process: Process) throws(Errno) -> BackReference<OpenFile> {
    try fileTable(process).reference(at: descriptor(thread.context.rdi))
  }

  @inline(__always)
  private func quickFileControl(_ thread: Thread, _ process: Process) throws(Errno) -> UInt64? {
    guard integer(thread.context.rsi) == FileControlCommand.getDescriptorFlags.rawValue else { return nil }
    let flags = try BackReference(fileTable(process)).tryBorrow { table throws(Errno) in
      try table.flags(of: descriptor(thread.context.rdi))
    }
    return UInt64(flags.rawValue)
  }

  @inline(__always)
  private func quickDuplicate(_ thread: Thread, _ process: Process) throws(Errno) -> Int32 {
    try BackReference(fileTable(process)).tryBorrow { table throws(Errno) in
      try table.duplicate(descriptor(thread.context.rdi))
    }
  }

  @inline(__always)
  private func quickSeek(_ thread: Thread, _ process: Process) throws(Errno) -> UInt64? {
    let offset = Int64(bitPattern: thread.context.rsi)
    let origin = SeekOrigin(rawValue: integer(thread.context.rdx))
    let result = try file(thread, process).tryBorrow { file throws(Errno) in
      try file.seekAtOnce(offset, origin)
    }
    return result.map { UInt64(bitPattern: $0) }
  }

  @inline(__always)
  private func quickStatus(_ thread: Thread, _ process: Process) throws(Errno) -> UInt64? {
    let isDone = try file(thread, process).tryBorrow { file throws(Errno) in
      store(try file.status(), Stat.Rest(repeating: 0), thread, process)
    }
    return isDone ? 0 : nil
  }

  @inline(__always)
  private func quickTime(_ thread: Thread, _ process: Process) throws(Errno) -> UInt64? {
    let time = try time(of: ClockIdentifier(rawValue: integer(thread.context.rdi)), process)
    return store(time, (), thread, process) ? 0 : nil
  }

  /// A single word: what a program wants that seeds a generator of its own.
  @inline(__always)
  private func quickRandom(_ thread: Thread, _ process: Process) -> UInt64? {
    guard thread.context.rsi == 8, areRandomFlags(thread.context.rdx) else { return nil }
    let word = memory.randomWord()
    let isDone = spaceReference(process).borrow { $0.store(word, (), at: VirtualAddress(thread.context.rdi)) }
    return isDone ? 8 : nil
  }

  /// Stores a structure of two parts where the second argument says; whether that could be done at once.
  @inline(__always)
  private func store<First: BitwiseCopyable, Second: BitwiseCopyable>(
    _ first: First, _ second: Second, _ thread: Thread, _ process: Process
  ) -> Bool {
    spaceReference(process).borrow { $0.store(first, second, at: VirtualAddress(thread.context.rsi)) }
  }
}
