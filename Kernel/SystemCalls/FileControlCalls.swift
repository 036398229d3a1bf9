// fcntl(2) and ioctl(2), with their checks in FreeBSD's order (spec shm.md 3.22 and 3.24).

import ABI
import Files
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareFileControlCalls() {
    declare(.fcntl, "fcntl", [.descriptor, .fileCommand, .long], .asks(HeapCost.transferHold)) { call throws(Errno) in
      try call.fileControl()
    }
    declare(
      .ioctl, "ioctl", [.descriptor, .bits, .pointer],
      copyIn: .chosen { call throws(Errno) in try call.controlRequest() }
    ) {
      call throws(Errno) in try call.deviceControl()
    }
  }
}

extension SystemCall {
  // MARK: fcntl

  @inline(__always)
  fileprivate func fileControl() throws(Errno) -> Answer {
    guard arguments.second.integer == FileControlCommand.getDescriptorFlags.rawValue else {
      return try otherFileControl()
    }
    let number = arguments.first.descriptor.number
    let flags = try BackReference(table).tryBorrow { table throws(Errno) in try table.flags(of: number) }
    return .value(UInt64(flags.rawValue))
  }

  private func otherFileControl() throws(Errno) -> Answer {
    let number = arguments.first.descriptor.number
    let argument = arguments.third.integer
    switch FileControlCommand(rawValue: arguments.second.integer) {
    case .setDescriptorFlags:
      try table.setFlags(
        FileDescriptorFlags(rawValue: UInt32(bitPattern: argument)).intersection(.closeOnExec), of: number)
      return .value(0)
    case .duplicate: return try duplicate(number, atOrAbove: argument, closeOnExec: false)
    case .duplicateCloseOnExec: return try duplicate(number, atOrAbove: argument, closeOnExec: true)
    case .duplicateTo: return try duplicate(number, onto: argument, closeOnExec: false)
    case .duplicateToCloseOnExec: return try duplicate(number, onto: argument, closeOnExec: true)
    default: return try openFileControl()
    }
  }

  private func duplicate(_ number: Int32, atOrAbove minimum: Int32, closeOnExec: Bool) throws(Errno) -> Answer {
    .value(UInt64(try table.duplicate(number, atOrAbove: minimum, closeOnExec: closeOnExec)))
  }

  private func duplicate(_ number: Int32, onto target: Int32, closeOnExec: Bool) throws(Errno) -> Answer {
    try table.duplicate(number, onto: target, closeOnExec: closeOnExec)
    return .value(UInt64(target))
  }

  /// The commands that concern the open file rather than the descriptor. A command that does not exist is told from the
  /// others before the descriptor is looked at.
  private func openFileControl() throws(Errno) -> Answer {
    let number = arguments.first.descriptor
    let argument = arguments.third.word
    let command = FileControlCommand(rawValue: arguments.second.integer)
    switch command {
    case .getStatusFlags:
      return .value(UInt64(try table.file(at: number.number, for: .getStatusFlags).statusFlags.rawValue))
    case .setStatusFlags:
      try table.file(at: number.number, for: .setStatusFlags).setStatusFlags(OpenFlags(rawValue: argument))
      return .value(0)
    case .getOwner:
      var data = [64 of UInt8](repeating: 0)
      let file = try table.file(at: number.number, for: .getOwner)
      forgetGoneOwner(of: file)
      try file.control(.getOwner, &data)
      return .value(UInt64(data.span.loadUInt32(at: 0)))
    case .setOwner:
      var data = [64 of UInt8](repeating: 0)
      data.store(argument, at: 0)
      let file = try table.file(at: number.number, for: .setOwner)
      try setOwner(Int32(bitPattern: argument), of: file, &data)
      return .value(0)
    case .getLock, .setLock, .setLockWait, .setLockRemote, .getLockOld, .setLockOld, .setLockWaitOld:
      return try lock(command)
    case .readAhead, .readAheadSwitch:
      return try readAhead(file(number, needing: []), command, arguments.third.long)
    case .addSeals:
      guard hasReserve() else { return .restart }
      let file = try fileInLine(number, needing: [])
      var place = thread.place.take()
      if case .wait(let awaited) = try file.addSeals(Seals(rawValue: argument), &place) {
        return stand(in: place, on: awaited)
      }
      return .value(0)
    case .getSeals: return .value(UInt64(try file(number, needing: []).seals().rawValue))
    case .isUnionStack:
      guard try file(number, needing: []).kind != .object else { throw .ebadf }
      return .value(0)
    case .kernelInformation:
      return try tellInformation(of: number, at: arguments.third)
    default: throw .einval
    }
  }

  /// F_SETOWN and FIOSETOWN.
  ///
  /// Throws ESRCH, EPERM, and what the file says.
  private func setOwner(_ owner: Int32, of file: OpenFile, _ data: inout [64 of UInt8]) throws(Errno) {
    if file.hasOwner { try checkOwner(owner) }
    try file.control(.setOwner, &data)
    if owner == 0 { return file.signalOwner = SignalOwner() }
    let number = owner > 0 ? kernel.processes.livingProcess(owner)?.number ?? 0 : 0
    file.signalOwner = SignalOwner(owner, number: number, process.credentials)
  }

  /// Nobody is the owner of a file whose owner has ended.
  private func forgetGoneOwner(of file: OpenFile) {
    if file.hasOwner && !kernel.processes.isThere(file.signalOwner) { file.signalOwner = SignalOwner() }
  }

  /// Whom a file is to signal: a process, or a group as a negative number, of the caller's session; 0 is nobody.
  ///
  /// Throws ESRCH, EPERM.
  private func checkOwner(_ owner: Int32) throws(Errno) {
    if owner == 0 { return }
    let processes = kernel.processes
    let first =
      owner > 0 ? processes.livingProcess(owner) : owner == Int32.min ? nil : processes.firstProcess(ofGroup: -owner)
    guard let first else { throw .esrch }
    guard first.sessionIdentifier == process.sessionIdentifier else { throw .eperm }
  }

  /// The record locks, which no file here has: the structure is copied in first, and the privilege of locking for another
  /// machine asked for, before the descriptor is looked at.
  private func lock(_ command: FileControlCommand) throws(Errno) -> Answer {
    let isOld = command == .getLockOld || command == .setLockOld || command == .setLockWaitOld
    let byteCount = isOld ? RecordLock.oldByteCount : RecordLock.byteCount
    guard try fetch(arguments.third.range(byteCount)) else { return .restart }
    if command == .setLockRemote {
      guard process.credentials.isSuperuser else { throw .eperm }
      guard stagedWord(at: RecordLock.systemOffset) != 0 else { throw .einval }
    }
    throw .ebadf
  }

  private func readAhead(
    _ file: OpenFile, _ command: FileControlCommand, _ argument: Int64
  ) throws(Errno) -> Answer {
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
  fileprivate func controlRequest() throws(Errno) -> CopyInRequest {
    let request = InputOutputControl(rawValue: arguments.second.word)
    let count = request.parameterByteCount
    let hasDirection = request.isVoid || request.copiesIn || request.copiesOut
    guard hasDirection, !request.isVoid || count == 0 || count == 4,
      count > 0 || !(request.copiesIn || request.copiesOut)
    else { throw .enotty }
    // The parameter of a request that is void is the argument itself.
    return request.copiesIn && !request.isVoid
      ? .bytes(arguments.third.range(min(count, ProcessLimits.callBufferByteCount))) : .nothing
  }

  fileprivate func deviceControl() throws(Errno) -> Answer {
    let number = arguments.first.descriptor
    let request = InputOutputControl(rawValue: arguments.second.word)
    if request == .closeOnExec || request == .noCloseOnExec {
      try table.check(request, of: number.number)
      try table.setFlags(request == .closeOnExec ? .closeOnExec : [], of: number.number)
      return .value(0)
    }
    var data = [64 of UInt8](repeating: 0)
    let count = min(request.parameterByteCount, data.count)
    if request.copiesIn && !request.isVoid {
      for index in 0..<count { data[index] = buffer[index] }
      // No file knows a request with a parameter that the buffer has no room for, but the whole of it must be there.
      var offset = ProcessLimits.callBufferByteCount
      while offset < request.parameterByteCount {
        let part = min(request.parameterByteCount - offset, ProcessLimits.callBufferByteCount)
        let range = UserRange(start: VirtualAddress(arguments.third.raw &+ UInt64(offset)), byteCount: part)
        guard try fetch(range) else { return .restart }
        offset += part
      }
    }
    let file = try file(number, needing: .inputOutputControl)
    try table.check(request, of: number.number)
    if request == .deviceName, let name = file.deviceName { return try deviceName(name) }
    if request == .dumpQueue, let queue = file as? EventQueueFile { return dump(queue) }
    if request == .setOwner {
      try setOwner(Int32(bitPattern: data.span.loadUInt32(at: 0)), of: file, &data)
    } else {
      if request == .getOwner { forgetGoneOwner(of: file) }
      try file.control(request, &data)
    }
    if request == .drainOutput, case .wait(let awaited) = file.drainOutput() {
      return wait(on: awaited, then: .phase(.whole))
    }
    guard request.copiesOut && !request.isVoid else { return .value(0) }
    for index in 0..<count { buffer[index] = data[index] }
    return deliver(count, to: arguments.third.address)
  }

  /// FIODGNAME: the name goes to a buffer that the parameter, an int length and an address, describes.
  ///
  /// Throws EINVAL when it does not fit.
  private func deviceName(_ name: String) throws(Errno) -> Answer {
    let room = Int32(bitPattern: stagedWord(at: 0))
    let address = VirtualAddress(stagedLong(at: 8))
    guard name.utf8.count + 1 <= Int(room) else { throw .einval }
    var count = 0
    for byte in name.utf8 {
      buffer[count] = byte
      count += 1
    }
    buffer[count] = 0
    return deliver(count + 1, to: address)
  }
}

/// `struct flock` as far as it is looked at here, and `struct __oflock` of FreeBSD 7 and before (spec abi.md section 6).
private enum RecordLock {
  static let byteCount = 32
  static let oldByteCount = 24
  /// l_sysid
  static let systemOffset = 24
}
