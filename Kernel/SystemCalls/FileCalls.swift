// Calls on descriptors: read(2), write(2), lseek(2), fcntl(2), fstat(2), ftruncate(2), open(2), ioctl(2) and their like.

import ABI
import Files
import Memory
import Processes

extension Kernel {
  // MARK: Transfers

  func read(
    _ call: SystemCall, _ arguments: Arguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    var transfer = try Transfer(
      address: VirtualAddress(arguments.second), byteCount: arguments.third,
      at: call == .pread ? Int64(bitPattern: arguments.fourth) : nil)
    return try fileTable(process).reference(at: descriptor(arguments.first)).tryBorrow { file throws(Errno) in
      try continueRead(file, &transfer, thread, process)
    }
  }

  func write(
    _ call: SystemCall, _ arguments: Arguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    var transfer = try Transfer(
      address: VirtualAddress(arguments.second), byteCount: arguments.third,
      at: call == .pwrite ? Int64(bitPattern: arguments.fourth) : nil)
    return try fileTable(process).reference(at: descriptor(arguments.first)).tryBorrow { file throws(Errno) in
      try continueWrite(file, &transfer, thread, process)
    }
  }

  func continueRead(
    _ file: OpenFile, _ transfer: inout Transfer, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    let progress = try spaceReference(process).tryBorrow { space throws(Errno) in
      try file.read(&transfer, space)
    }
    switch progress {
    case .complete: return .value(transfer.moved)
    case .wait(let channel): return park(thread, .read(file, transfer), on: channel)
    case .again: return cut(thread, .read(file, transfer))
    }
  }

  func continueWrite(
    _ file: OpenFile, _ transfer: inout Transfer, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    let progress = try spaceReference(process).tryBorrow { space throws(Errno) in
      try file.write(&transfer, space)
    }
    switch progress {
    case .complete: return .value(transfer.moved)
    case .wait(let channel): return park(thread, .write(file, transfer), on: channel)
    case .again: return cut(thread, .write(file, transfer))
    }
  }

  // MARK: Offset and size

  func seek(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let file = try fileTable(process).file(at: descriptor(arguments.first))
    let origin = SeekOrigin(rawValue: integer(arguments.third))
    switch try file.seek(Int64(bitPattern: arguments.second), origin) {
    case .offset(let offset): return .value(UInt64(bitPattern: offset))
    case .wait(let channel): return park(thread, .call, on: channel)
    }
  }

  func truncate(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    var resize = try Resize(length: Int64(bitPattern: arguments.second))
    return try fileTable(process).reference(at: descriptor(arguments.first)).tryBorrow { file throws(Errno) in
      try continueTruncate(file, &resize, thread)
    }
  }

  func continueTruncate(_ file: OpenFile, _ resize: inout Resize, _ thread: Thread) throws(Errno) -> Outcome {
    switch try file.truncate(&resize) {
    case .complete: return .value(0)
    case .wait(let channel): return park(thread, .truncate(file, resize), on: channel)
    case .again: return cut(thread, .truncate(file, resize))
    }
  }

  // MARK: Status

  func status(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let status = try fileTable(process).file(at: descriptor(arguments.first)).status()
    encode(status, &thread.frame.value.buffer)
    return .copyOut(address: arguments.second, byteCount: Stat.byteCount)
  }

  func status2008(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let status = try fileTable(process).file(at: descriptor(arguments.first)).status()
    encode(Stat2008(status), &thread.frame.value.buffer)
    return .copyOut(address: arguments.second, byteCount: Stat2008.byteCount)
  }

  private func encode(_ status: Stat, _ buffer: inout [1024 of UInt8]) {
    var span = buffer.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    status.encode(into: &bytes)
  }

  private func encode(_ status: Stat2008, _ buffer: inout [1024 of UInt8]) {
    zero(&buffer, Stat2008.byteCount)
    var span = buffer.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    status.encode(into: &bytes)
  }

  /// Zeroes the front of a call buffer, so that a structure encoded there carries nothing else out.
  @inline(__always)
  func zero(_ buffer: inout [1024 of UInt8], _ byteCount: Int) {
    for offset in stride(from: 0, to: byteCount, by: 8) { stage(UInt64(0), at: offset, &buffer) }
  }

  // MARK: Descriptors

  func duplicate(_ arguments: Arguments, _ process: Process) throws(Errno) -> UInt64 {
    UInt64(try fileTable(process).duplicate(descriptor(arguments.first)))
  }

  func duplicateOnto(_ arguments: Arguments, _ process: Process) throws(Errno) -> UInt64 {
    let target = descriptor(arguments.second)
    try fileTable(process).duplicate(descriptor(arguments.first), onto: target, closeOnExec: false)
    return UInt64(target)
  }

  func closeRange(
    _ call: SystemCall, _ arguments: Arguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    var low = UInt32(truncatingIfNeeded: arguments.first)
    var high = UInt32.max
    if call == .closefrom {
      low = UInt32(max(0, integer(arguments.first)))
    } else {
      high = UInt32(truncatingIfNeeded: arguments.second)
      let flags = UInt32(truncatingIfNeeded: arguments.third)
      guard flags & ~CloseRangeFlags.closeOnExec == 0, low <= high else { throw .einval }
      if flags != 0 { return markRange(low, high, thread, process) }
    }
    // What is closed already is not found again, so a call that was cut simply starts over.
    var budget = ProcessLimits.descriptorsPerTurn
    return fileTable(process).closeRange(low, high, budget: &budget) ? .value(0) : cut(thread, .call)
  }

  func markRange(_ low: UInt32, _ high: UInt32, _ thread: Thread, _ process: Process) -> Outcome {
    var next = low
    var leaves = unitsPerTurn
    guard fileTable(process).markCloseOnExec(from: &next, to: high, budget: &leaves) else {
      return cut(thread, .markCloseOnExec(next, high))
    }
    return .value(0)
  }

  func fileControl(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let files = fileTable(process)
    let number = descriptor(arguments.first)
    let argument = integer(arguments.third)
    switch FileControlCommand(rawValue: integer(arguments.second)) {
    case .getDescriptorFlags: return .value(UInt64(try files.flags(of: number).rawValue))
    case .setDescriptorFlags:
      try files.setFlags(
        FileDescriptorFlags(rawValue: UInt32(bitPattern: argument)).intersection(.closeOnExec), of: number)
      return .value(0)
    case .duplicate: return try duplicate(number, atOrAbove: argument, closeOnExec: false, files)
    case .duplicateCloseOnExec: return try duplicate(number, atOrAbove: argument, closeOnExec: true, files)
    case .duplicateTo: return try duplicate(number, onto: argument, closeOnExec: false, files)
    case .duplicateToCloseOnExec: return try duplicate(number, onto: argument, closeOnExec: true, files)
    default: return try openFileControl(arguments, files.file(at: number), thread)
    }
  }

  private func duplicate(
    _ number: Int32, atOrAbove minimum: Int32, closeOnExec: Bool, _ files: FileTable
  ) throws(Errno) -> Outcome {
    .value(UInt64(try files.duplicate(number, atOrAbove: minimum, closeOnExec: closeOnExec)))
  }

  private func duplicate(
    _ number: Int32, onto target: Int32, closeOnExec: Bool, _ files: FileTable
  ) throws(Errno) -> Outcome {
    try files.duplicate(number, onto: target, closeOnExec: closeOnExec)
    return .value(UInt64(target))
  }

  /// The commands that concern the open file rather than the descriptor.
  private func openFileControl(_ arguments: Arguments, _ file: OpenFile, _ thread: Thread) throws(Errno) -> Outcome {
    let argument = UInt32(truncatingIfNeeded: arguments.third)
    switch FileControlCommand(rawValue: integer(arguments.second)) {
    case .getStatusFlags: return .value(UInt64(file.statusFlags.rawValue))
    case .setStatusFlags:
      try file.setStatusFlags(OpenFlags(rawValue: argument))
      return .value(0)
    case .getOwner, .setOwner:
      var data = [64 of UInt8](repeating: 0)
      try file.control(
        integer(arguments.second) == FileControlCommand.getOwner.rawValue ? .getOwner : .setOwner, &data)
      return .value(UInt64(data.span.loadUInt32(at: 0)))
    case .getLock, .setLock, .setLockWait, .readAhead, .readAheadSwitch: throw .ebadf
    case .addSeals:
      if case .wait(let channel) = try file.addSeals(Seals(rawValue: argument)) {
        return park(thread, .call, on: channel)
      }
      return .value(0)
    case .getSeals: return .value(UInt64(try file.seals().rawValue))
    default: throw .einval
    }
  }

  // MARK: Opening and the rest

  /// What openat(2) says to the descriptor that a relative path starts from: EBADF when it is not open, and ENOTDIR, because
  /// nothing that can be open is a directory. AT_FDCWD and paths from the root are fine.
  func checkDirectory(
    _ arguments: Arguments, _ thread: Thread, _ process: Process, _ stagedByteCount: Int
  ) throws(Errno) {
    let directory = descriptor(arguments.first)
    let isRelative = stagedByteCount > 1 && thread.frame.value.buffer[0] != UInt8(ascii: "/")
    let access = OpenFlags(rawValue: UInt32(truncatingIfNeeded: arguments.third)).accessMode
    guard isRelative, directory != DirectoryDescriptor.current, access.reads || access.writes else { return }
    _ = try fileTable(process).reference(at: directory)
    throw .enotdir
  }

  func open(
    _ flags: UInt64, _ thread: Thread, _ process: Process, _ stagedByteCount: Int
  ) throws(Errno) -> Outcome {
    let descriptor = try files.open(
      path: thread.frame.value.buffer.span.extracting(0..<stagedByteCount - 1),
      OpenFlags(rawValue: UInt32(truncatingIfNeeded: flags)), process.credentials, into: fileTable(process))
    return .value(UInt64(descriptor))
  }

  func changeFile(_ call: SystemCall, _ arguments: Arguments, _ process: Process) throws(Errno) -> Outcome {
    let file = try fileTable(process).file(at: descriptor(arguments.first))
    switch call {
    case .fchmod:
      try file.changeMode(FileMode(rawValue: UInt16(truncatingIfNeeded: arguments.second)), process.credentials)
    case .fchown:
      try file.changeOwner(
        user: optionalIdentifier(arguments.second), group: optionalIdentifier(arguments.third), process.credentials)
    default: throw .einval
    }
    return .value(0)
  }

  func deviceControl(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let number = descriptor(arguments.first)
    let table = fileTable(process)
    let request = InputOutputControl(rawValue: UInt32(truncatingIfNeeded: arguments.second))
    if request == .closeOnExec || request == .noCloseOnExec {
      try table.setFlags(request == .closeOnExec ? .closeOnExec : [], of: number)
      return .value(0)
    }
    let file = try table.file(at: number)
    var data = [64 of UInt8](repeating: 0)
    let count = min(request.parameterByteCount, data.count)
    if request.copiesIn {
      for index in 0..<count { data[index] = thread.frame.value.buffer[index] }
    }
    try file.control(request, &data)
    if request == .drainOutput, case .wait(let channel) = file.drainOutput() {
      return park(thread, .call, on: channel)
    }
    guard request.copiesOut else { return .value(0) }
    for index in 0..<count { thread.frame.value.buffer[index] = data[index] }
    return .copyOut(address: arguments.third, byteCount: count)
  }
}

/// Descriptors of directories that are none.
enum DirectoryDescriptor {
  /// AT_FDCWD
  static let current: Int32 = -100
}

/// The flags of close_range(2).
enum CloseRangeFlags {
  /// CLOSE_RANGE_CLOEXEC
  static let closeOnExec: UInt32 = 4
}
