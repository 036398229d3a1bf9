// fcntl(2) and ioctl(2), with their checks in FreeBSD's order (spec shm.md 3.22 and 3.24).

import ABI
import Files
import Memory
import Processes

extension Kernel {
  // MARK: fcntl

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
    default: return try openFileControl(arguments, thread, process)
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

  /// The commands that concern the open file rather than the descriptor. A command that does not exist is told from the
  /// others before the descriptor is looked at.
  private func openFileControl(
    _ arguments: Arguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    let files = fileTable(process)
    let number = descriptor(arguments.first)
    let argument = UInt32(truncatingIfNeeded: arguments.third)
    let command = FileControlCommand(rawValue: integer(arguments.second))
    switch command {
    case .getStatusFlags: return .value(UInt64(try files.file(at: number).statusFlags.rawValue))
    case .setStatusFlags:
      try files.file(at: number).setStatusFlags(OpenFlags(rawValue: argument))
      return .value(0)
    case .getOwner, .setOwner:
      var data = [64 of UInt8](repeating: 0)
      try files.file(at: number).control(command == .getOwner ? .getOwner : .setOwner, &data)
      return .value(UInt64(data.span.loadUInt32(at: 0)))
    case .getLock, .setLock, .setLockWait, .setLockRemote, .getLockOld, .setLockOld, .setLockWaitOld:
      return try lock(command, arguments, thread, process)
    case .readAhead, .readAheadSwitch:
      return try readAhead(files.file(at: number), command, Int64(bitPattern: arguments.third))
    case .addSeals:
      var place = thread.place.take()
      if case .wait(let channel) = try files.file(at: number).addSeals(Seals(rawValue: argument), &place) {
        return stand(in: place, thread, on: channel)
      }
      return .value(0)
    case .getSeals: return .value(UInt64(try files.file(at: number).seals().rawValue))
    case .isUnionStack:
      guard try files.file(at: number).kind != .object else { throw .ebadf }
      return .value(0)
    case .kernelInformation:
      // The structure says how large it takes itself to be; none that is known here has that size.
      guard try fetch(arguments.third, 4, thread, process) != nil else { return .parked }
      throw .einval
    default: throw .einval
    }
  }

  /// The record locks, which no file here has: the structure is copied in first, and the privilege of locking for another
  /// machine asked for, before the descriptor is looked at.
  private func lock(
    _ command: FileControlCommand, _ arguments: Arguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    let isOld = command == .getLockOld || command == .setLockOld || command == .setLockWaitOld
    let byteCount = isOld ? RecordLock.oldByteCount : RecordLock.byteCount
    guard try fetch(arguments.third, byteCount, thread, process) != nil else { return .parked }
    if command == .setLockRemote {
      guard process.credentials.isSuperuser else { throw .eperm }
      guard thread.frame.value.buffer.span.loadUInt32(at: RecordLock.systemOffset) != 0 else { throw .einval }
    }
    throw .ebadf
  }

  private func readAhead(
    _ file: OpenFile, _ command: FileControlCommand, _ argument: Int64
  ) throws(Errno) -> Outcome {
    switch file.kind {
    case .object: throw .ebadf
    case .device: throw .enotty
    case .regular:
      // Only a negative amount switches it off: F_RDAHEAD with 0 is an amount of 0.
      file.setReadAhead(command == .readAheadSwitch || argument >= 0)
      return .value(0)
    }
  }

  // MARK: ioctl

  /// The parameter that a request has copied in. A request that makes no sense is refused, and a bad address met, before the
  /// descriptor is looked at.
  func controlRequest(_ arguments: Arguments) throws(Errno) -> CopyInRequest {
    let request = InputOutputControl(rawValue: UInt32(truncatingIfNeeded: arguments.second))
    let count = request.parameterByteCount
    let hasDirection = request.isVoid || request.copiesIn || request.copiesOut
    guard hasDirection, !request.isVoid || count == 0 || count == 4,
      count > 0 || !(request.copiesIn || request.copiesOut)
    else { throw .enotty }
    // The parameter of a request that is void is the argument itself.
    return request.copiesIn && !request.isVoid
      ? .bytes(arguments.third, count: min(count, ProcessLimits.callBufferByteCount)) : .nothing
  }

  func deviceControl(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let number = descriptor(arguments.first)
    let table = fileTable(process)
    let request = InputOutputControl(rawValue: UInt32(truncatingIfNeeded: arguments.second))
    if request == .closeOnExec || request == .noCloseOnExec {
      try table.setFlags(request == .closeOnExec ? .closeOnExec : [], of: number)
      return .value(0)
    }
    var data = [64 of UInt8](repeating: 0)
    let count = min(request.parameterByteCount, data.count)
    if request.copiesIn && !request.isVoid {
      for index in 0..<count { data[index] = thread.frame.value.buffer[index] }
      // No file knows a request with a parameter that the buffer has no room for, but the whole of it must be there.
      var offset = ProcessLimits.callBufferByteCount
      while offset < request.parameterByteCount {
        let part = min(request.parameterByteCount - offset, ProcessLimits.callBufferByteCount)
        guard try fetch(arguments.third &+ UInt64(offset), part, thread, process) != nil else { return .parked }
        offset += part
      }
    }
    let file = try table.file(at: number)
    if request == .deviceName, let name = file.deviceName { return try deviceName(name, thread) }
    try file.control(request, &data)
    if request == .drainOutput, case .wait(let channel) = file.drainOutput() {
      return park(thread, .call, on: channel)
    }
    guard request.copiesOut && !request.isVoid else { return .value(0) }
    for index in 0..<count { thread.frame.value.buffer[index] = data[index] }
    return .copyOut(address: arguments.third, byteCount: count)
  }

  /// FIODGNAME: the name goes to a buffer that the parameter, an int length and an address, describes.
  ///
  /// Throws EINVAL when it does not fit.
  private func deviceName(_ name: String, _ thread: Thread) throws(Errno) -> Outcome {
    let room = Int32(bitPattern: thread.frame.value.buffer.span.loadUInt32(at: 0))
    let address = thread.frame.value.buffer.span.loadUInt64(at: 8)
    guard name.utf8.count + 1 <= Int(room) else { throw .einval }
    var count = 0
    for byte in name.utf8 {
      thread.frame.value.buffer[count] = byte
      count += 1
    }
    thread.frame.value.buffer[count] = 0
    return .copyOut(address: address, byteCount: count + 1)
  }
}

/// `struct flock` as far as it is looked at here, and `struct __oflock` of FreeBSD 7 and before (spec abi.md section 6).
private enum RecordLock {
  static let byteCount = 32
  static let oldByteCount = 24
  /// l_sysid
  static let systemOffset = 24
}
