// Calls on descriptors: read(2), write(2), lseek(2), fstat(2), ftruncate(2), open(2), fsync(2) and their like.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareFileCalls() {
    let transfer = MemoryDemand.waits(HeapCost.transfer)
    declare(.read, "read", [.descriptor, .pointer, .size], transfer) { call throws(Errno) in try call.read(at: nil) }
    declare(.write, "write", [.descriptor, .bytes, .size], transfer) { call throws(Errno) in try call.write(at: nil) }
    declare(.pread, "pread", [.descriptor, .pointer, .size, .long], transfer) { call throws(Errno) in
      try call.read(at: call.arguments.fourth.long)
    }
    declare(.pwrite, "pwrite", [.descriptor, .bytes, .size, .long], transfer) { call throws(Errno) in
      try call.write(at: call.arguments.fourth.long)
    }
    declare(.lseek, "lseek", [.descriptor, .long, .origin], .asks(HeapCost.transferHold)) { call throws(Errno) in
      try call.seek()
    }
    declare(
      .ftruncate, "ftruncate", [.descriptor, .long], .refuses(.enomem, HeapCost.transferHold),
      givesBack: { $0.truncateGivesBack() },
      { call throws(Errno) in try call.truncate() })
    declare(
      .open, "open", [.path, .openFlags, .mode], copyIn: .path(argument: 0), .refuses(.enfile, HeapCost.openFile)
    ) {
      call throws(Errno) in try call.open(call.arguments.second)
    }
    declare(
      .openat, "openat", [.descriptor, .path, .openFlags, .mode], copyIn: .path(argument: 1),
      .refuses(.enfile, HeapCost.openFile)
    ) {
      call throws(Errno) in
      try call.checkDirectory()
      return try call.open(call.arguments.third)
    }
    declare(.close, "close", [.descriptor]) { call throws(Errno) in try call.close() }
    declare(.dup, "dup", [.descriptor]) { call throws(Errno) in try call.duplicate() }
    declare(.dup2, "dup2", [.descriptor, .descriptor]) { call throws(Errno) in try call.duplicateOnto() }
    declare(.fstat, "fstat", [.descriptor, .pointer]) { call throws(Errno) in try call.status() }
    declare(.fstat2008, "fstat (189)", [.descriptor, .pointer]) { call throws(Errno) in try call.status2008() }
    declare(.fchmod, "fchmod", [.descriptor, .mode]) { call throws(Errno) in try call.changeMode() }
    declare(.fchown, "fchown", [.descriptor, .integer, .integer]) { call throws(Errno) in try call.changeOwner() }
    declare(.fsync, "fsync", [.descriptor]) { call throws(Errno) in try call.synchronize() }
    declare(.fdatasync, "fdatasync", [.descriptor]) { call throws(Errno) in try call.synchronize() }
    declare(.getdtablesize, "getdtablesize", []) { call throws(Errno) in .value(UInt64(call.table.limit)) }
    declare(.closefrom, "closefrom", [.descriptor]) { call throws(Errno) in
      try call.goOn(.closeRange(UInt32(max(0, call.arguments.first.integer)), UInt32.max))
    }
    declare(.closeRange, "close_range", [.integer, .integer, .bits]) { call throws(Errno) in try call.closeRange() }
    declare(.copyFileRange, "copy_file_range", [.descriptor, .pointer, .descriptor, .pointer, .size, .bits]) {
      call throws(Errno) in try call.copyFileRange()
    }
    declareFileControlCalls()
    declareVectorCalls()
    declarePipeCalls()
    declarePathCalls()
  }
}

extension SystemCall {
  // MARK: Going on

  /// Begins or goes on with a call on files.
  func goOn(_ remainder: consuming FileContinuation) throws(Errno) -> Answer {
    let error: Errno
    var writes = true
    var isSilent = false
    do throws(Errno) {
      // The two that sleep most are taken apart here, so that their transfers are not copied.
      switch consume remainder {
      case .read(let file, var transfer):
        let progress = try spaceReference.tryBorrow { space throws(Errno) in try file.read(&transfer, space) }
        if progress == .complete { return .value(transfer.moved) }
        return unfinished(progress, .file(.read(file, consume transfer)))
      case .write(let file, var transfer):
        isSilent = file.isSilent || transfer.messageFlags.contains(.noSignal)
        let progress = try spaceReference.tryBorrow { space throws(Errno) in try file.write(&transfer, space) }
        if progress == .complete { return .value(transfer.moved) }
        return unfinished(progress, .file(.write(file, consume transfer)))
      case .events(let queue):
        writes = false
        return try goOn(queue)
      case .dump(let queue): return goOnDumping(queue)
      case .poll(let poller):
        writes = false
        return try goOnPolling(poller)
      case .punch(let file, let punch):
        writes = false
        return try goOn(file, punch)
      case .sendFile(let sending):
        writes = false
        return try goOnSending(sending)
      case .accept(let listener, let place):
        writes = false
        return try goOnAccepting(listener, place)
      case .message(let file, let transfer):
        writes = false
        return try resume(file, transfer)
      case var other:
        if case .vector(let pending) = other { isSilent = raisesNoSignal(pending) } else { writes = false }
        let progress = try other.step(table, space)
        if progress == .complete { return .value(other.result) }
        return unfinished(progress, .file(other))
      }
    } catch let thrown {
      error = thrown
    }
    throw writes ? withSignal(error, isSilent: isSilent) : error
  }

  /// Whether a writev(2) goes to a socket that raises no signal.
  private func raisesNoSignal(_ pending: PendingVector) -> Bool {
    (try? table.file(at: pending.file, needing: []).isSilent) ?? false
  }

  /// The error of a write; one into a broken pipe raises a signal too (write(2)).
  @inline(__always)
  func withSignal(_ error: Errno, isSilent: Bool) -> Errno {
    if error == .epipe && !isSilent {
      _ = kernel.processes.post(SignalInformation(.sigpipe), to: process, thread, isItsOwn: true)
    }
    return error
  }

  /// The answer of a call that is not done.
  @inline(never)
  func unfinished(_ progress: Progress, _ continuation: consuming Continuation) -> Answer {
    switch progress {
    case .complete: preconditionFailure("nothing remains of a call that is done")
    case .wait(let awaited): wait(on: awaited, noLaterThan: deadline(of: continuation, awaited), then: continuation)
    case .again: goOnLater(continuation)
    }
  }

  /// Until when a call waits at most, if it waits for somebody at a socket that has a timeout (SO_RCVTIMEO).
  private func deadline(of continuation: borrowing Continuation, _ awaited: Wait) -> UInt64 {
    guard awaited.channel.isForSocket else { return .max }
    switch continuation {
    case .file(.read(_, let transfer)), .file(.write(_, let transfer)), .file(.message(_, let transfer)):
      return transfer.socketPlace?.deadline ?? .max
    case .file(.sendFile(let sending)): return sending.deadline
    default: return .max
    }
  }

  private func wait(on awaited: Wait, noLaterThan deadline: UInt64, then continuation: consuming Continuation) -> Answer
  {
    thread.continuation = continuation
    if deadline == .max { return .wait(awaited) }
    thread.deadlineNanoseconds = deadline
    return .waitForDeadline(awaited)
  }

  // MARK: Transfers

  /// What was moved of a short read or write, if it could be done at once.
  @inline(__always)
  private func moveAtOnce(
    _ byteCount: UInt64, at position: Int64?, writes: Bool, _ file: BackReference<OpenFile>
  ) -> UInt64? {
    file.borrow { file in
      guard file.knowsShort, file.flags.contains(writes ? .write : .read), byteCount &- 1 < ShortTransfer.mostBytes
      else { return nil }
      let short = ShortTransfer(address: arguments.second.address, byteCount: byteCount, at: position, writes: writes)
      return spaceReference.borrow { space in file.moveAtOnce(short, space) }
    }
  }

  fileprivate func read(at position: Int64?) throws(Errno) -> Answer {
    let byteCount = arguments.third.raw
    guard byteCount <= UInt64(Int64.max) else { throw .einval }
    let rights: CapabilityRights = position == nil ? .read : .positionedRead
    let file = try fileReference(arguments.first.descriptor, needing: rights)
    if let moved = moveAtOnce(byteCount, at: position, writes: false, file) { return .value(moved) }
    return try readInSteps(file, byteCount, at: position)
  }

  /// A read(2) or pread(2) that is not done at once.
  @inline(never)
  private func readInSteps(
    _ file: BackReference<OpenFile>, _ byteCount: UInt64, at position: Int64?
  ) throws(Errno) -> Answer {
    try file.tryBorrow { file throws(Errno) in
      var transfer = Transfer(address: arguments.second.address, checkedByteCount: byteCount, at: position)
      let progress = try spaceReference.tryBorrow { space throws(Errno) in try file.read(&transfer, space) }
      if progress == .complete { return .value(transfer.moved) }
      return unfinished(progress, .file(.read(file, transfer)))
    }
  }

  fileprivate func write(at position: Int64?) throws(Errno) -> Answer {
    let byteCount = arguments.third.raw
    guard byteCount <= UInt64(Int64.max) else { throw .einval }
    let rights: CapabilityRights = position == nil ? .write : .positionedWrite
    let file = try fileReference(arguments.first.descriptor, needing: rights)
    if let moved = moveAtOnce(byteCount, at: position, writes: true, file) { return .value(moved) }
    return try writeInSteps(file, byteCount, at: position)
  }

  /// A write(2) or pwrite(2) that is not done at once.
  @inline(never)
  private func writeInSteps(
    _ file: BackReference<OpenFile>, _ byteCount: UInt64, at position: Int64?
  ) throws(Errno) -> Answer {
    try file.tryBorrow { file throws(Errno) in
      var transfer = Transfer(address: arguments.second.address, checkedByteCount: byteCount, at: position)
      let progress: Progress
      do throws(Errno) {
        progress = try spaceReference.tryBorrow { space throws(Errno) in try file.write(&transfer, space) }
      } catch {
        throw withSignal(error, isSilent: file.isSilent)
      }
      if progress == .complete { return .value(transfer.moved) }
      return unfinished(progress, .file(.write(file, transfer)))
    }
  }

  // MARK: Offset and size

  @inline(__always)
  fileprivate func seek() throws(Errno) -> Answer {
    let (offset, origin) = (arguments.second.long, SeekOrigin(rawValue: arguments.third.integer))
    if thread.place != nil { return try seekInTurn(offset, origin) }
    let atOnce = try fileReference(arguments.first.descriptor, needing: .seek).tryBorrow { file throws(Errno) in
      try file.seekAtOnce(offset, origin)
    }
    if let atOnce { return .value(UInt64(bitPattern: atOnce)) }
    return try seekInTurn(offset, origin)
  }

  /// A seek that has to wait until a read or write lets go of the offset.
  private func seekInTurn(_ offset: Int64, _ origin: SeekOrigin) throws(Errno) -> Answer {
    guard hasReserve() else { return .restart }
    let file = try fileInLine(arguments.first.descriptor, needing: .seek)
    var place = thread.place.take()
    switch try file.seek(offset, origin, &place) {
    case .offset(let offset): return .value(UInt64(bitPattern: offset))
    case .wait(let awaited): return stand(in: place, on: awaited)
    }
  }

  fileprivate func truncate() throws(Errno) -> Answer {
    var resize = try Resize(length: arguments.second.long)
    return try fileReference(arguments.first.descriptor, needing: .truncate).tryBorrow { file throws(Errno) in
      let progress = try file.truncate(&resize)
      if progress == .complete { return .value(0) }
      return unfinished(progress, .file(.truncate(file, resize)))
    }
  }

  fileprivate func truncateGivesBack() -> Bool {
    guard let status = try? file(arguments.first.descriptor, needing: .truncate).status() else { return true }
    return arguments.second.long <= status.size
  }

  // MARK: Status

  @inline(__always)
  fileprivate func status() throws(Errno) -> Answer {
    let status = try fileReference(arguments.first.descriptor, needing: .status).tryBorrow { file throws(Errno) in
      try file.status()
    }
    if store(status, Stat.noRest, at: arguments.second.address) { return .value(0) }
    encode { status.encode(into: &$0) }
    return deliver(Stat.byteCount, to: arguments.second.address)
  }

  fileprivate func status2008() throws(Errno) -> Answer {
    let status = Stat2008(try file(arguments.first.descriptor, needing: .status).status())
    zero(Stat2008.byteCount)
    encode { status.encode(into: &$0) }
    return deliver(Stat2008.byteCount, to: arguments.second.address)
  }

  /// Lends the buffer to what encodes a structure.
  func encode(_ body: (inout MutableRawSpan) -> Void) {
    thread.frame.value.buffer.withMutableBytes(body)
  }

  // MARK: Descriptors

  @inline(__always)
  fileprivate func close() throws(Errno) -> Answer {
    let number = arguments.first.descriptor.number
    try BackReference(table).tryBorrow { table throws(Errno) in try table.close(number) }
    return .value(0)
  }

  @inline(__always)
  fileprivate func duplicate() throws(Errno) -> Answer {
    let number = arguments.first.descriptor.number
    let duplicate = try BackReference(table).tryBorrow { table throws(Errno) in try table.duplicate(number) }
    return .value(UInt64(duplicate))
  }

  fileprivate func duplicateOnto() throws(Errno) -> Answer {
    let target = arguments.second.descriptor.number
    try table.duplicate(arguments.first.descriptor.number, onto: target, closeOnExec: false)
    return .value(UInt64(target))
  }

  fileprivate func closeRange() throws(Errno) -> Answer {
    let (low, high) = (arguments.first.word, arguments.second.word)
    let flags = arguments.third.word
    guard flags & ~CloseRangeFlags.closeOnExec == 0, low <= high else { throw .einval }
    return try goOn(flags != 0 ? .markCloseOnExec(low, high) : .closeRange(low, high))
  }

  // MARK: Opening and the rest

  /// What openat(2) says to the descriptor that a relative path starts from: EBADF when it is not open, and ENOTDIR, because
  /// nothing that can be open is a directory. AT_FDCWD and paths from the root are fine.
  fileprivate func checkDirectory() throws(Errno) {
    let directory = arguments.first.descriptor
    if process.isInCapabilityMode { try checkCapabilityPath(directory) }
    let isRelative = stagedByteCount > 1 && buffer[0] != UInt8(ascii: "/")
    let access = OpenFlags(rawValue: arguments.third.word).accessMode
    guard isRelative, directory != .currentDirectory, access.reads || access.writes else { return }
    _ = try fileReference(directory, needing: .lookUp)
    throw .enotdir
  }

  fileprivate func open(_ flags: Argument) throws(Errno) -> Answer {
    let descriptor = try withPath { path throws(Errno) in
      try kernel.files.open(path: path, OpenFlags(rawValue: flags.word), process.credentials, into: table)
    }
    return .value(UInt64(descriptor))
  }

  fileprivate func changeMode() throws(Errno) -> Answer {
    try file(arguments.first.descriptor, needing: .changeMode).changeMode(
      FileMode(rawValue: UInt16(truncatingIfNeeded: arguments.second.raw)), process.credentials)
    return .value(0)
  }

  fileprivate func changeOwner() throws(Errno) -> Answer {
    try file(arguments.first.descriptor, needing: .changeOwner).changeOwner(
      user: arguments.second.optionalIdentifier, group: arguments.third.optionalIdentifier, process.credentials)
    return .value(0)
  }

  /// fsync(2) and fdatasync(2): nothing is ever behind, but shared memory is no file (spec shm.md 3.30).
  fileprivate func synchronize() throws(Errno) -> Answer {
    guard try file(arguments.first.descriptor, needing: .synchronize).kind != .object else { throw .einval }
    return .value(0)
  }
}

extension Descriptor {
  /// AT_FDCWD
  static let currentDirectory = Descriptor(number: -100)
}

/// The flags of close_range(2).
private enum CloseRangeFlags {
  /// CLOSE_RANGE_CLOEXEC
  static let closeOnExec: UInt32 = 4
}
