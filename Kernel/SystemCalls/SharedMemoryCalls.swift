// shm_open(2) in both generations, shm_unlink(2), shm_rename(2), posix_fallocate(2) and fspacectl(2).

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareSharedMemoryCalls() {
    let open = MemoryDemand.refuses(.enfile, HeapCost.sharedMemoryOpen)
    declare(
      .shmOpen, "shm_open (482)", [.objectName, .openFlags, .mode],
      copyIn: .chosen { call throws(Errno) in try call.pathRequest(.year2008) }, open
    ) { call throws(Errno) in try call.openSharedMemory(.year2008) }
    declare(
      .shmOpen2, "shm_open2", [.objectName, .openFlags, .mode, .bits, .path],
      copyIn: .chosen { call throws(Errno) in try call.pathRequest(.today) }, open
    ) { call throws(Errno) in try call.openSharedMemory(.today) }
    declare(.shmUnlink, "shm_unlink", [.path], copyIn: .path(argument: 0)) { call throws(Errno) in
      try call.unlinkSharedMemory()
    }
    declare(
      .shmRename, "shm_rename", [.path, .path, .bits],
      copyIn: .chosen { call throws(Errno) in try call.renameRequest() }, .refuses(.enomem, .none)
    ) { call throws(Errno) in try call.renameSharedMemory() }
    declare(
      .posixFallocate, "posix_fallocate", [.descriptor, .long, .long], .asks(HeapCost.transferHold)
    ) { call throws(Errno) in try call.allocateSpace() }
    declare(
      .fspacectl, "fspacectl", [.descriptor, .integer, .pointer, .bits, .pointer],
      copyIn: .structure(argument: 2, byteCount: SpaceRange.byteCount), .asks(HeapCost.transferHold)
    ) { call throws(Errno) in try call.punchHole() }
  }
}

/// struct spacectl_range
private enum SpaceRange {
  static let byteCount = 16
  /// SPACECTL_DEALLOC, the only command.
  static let deallocate: Int32 = 1
}

extension SystemCall {
  /// SHM_ANON, which is no path.
  private static let anonymous: UInt64 = 1

  private func request(
    _ generation: SharedMemoryGeneration
  ) throws(Errno) -> SharedMemoryOpenRequest {
    let flags = OpenFlags(rawValue: arguments.second.word)
    let mode = FileMode(rawValue: UInt16(truncatingIfNeeded: arguments.third.raw))
    if generation == .year2008 { return try SharedMemoryOpenRequest(generation: .year2008, flags: flags, mode: mode) }
    return try SharedMemoryOpenRequest(
      generation: .today, flags: flags, mode: mode,
      sharedMemoryFlags: SharedMemoryFlags(rawValue: arguments.fourth.word))
  }

  /// The flags are checked before the path is looked at.
  fileprivate func pathRequest(
    _ generation: SharedMemoryGeneration
  ) throws(Errno) -> CopyInRequest {
    _ = try request(generation)
    return arguments.first.raw == SystemCall.anonymous ? .nothing : .path(arguments.first.address)
  }

  fileprivate func openSharedMemory(_ generation: SharedMemoryGeneration) throws(Errno) -> Answer {
    let request = try request(generation)
    let mask = process.creationMask
    let files = kernel.files
    if arguments.first.raw == SystemCall.anonymous {
      let descriptor = try lend { credentials, table throws(Errno) in
        try files.openAnonymousSharedMemory(request, credentials, creationMask: mask, into: table)
      }
      return .value(UInt64(descriptor))
    }
    if process.isInCapabilityMode { throw .ecapmode }
    let outcome = try withPath { path throws(Errno) in
      try lend { credentials, table throws(Errno) in
        try files.openSharedMemory(request, path: path, credentials, creationMask: mask, into: table)
      }
    }
    switch outcome {
    case .opened(let descriptor): return .value(UInt64(descriptor))
    case .unfinished(let pending): return try goOn(.open(pending))
    }
  }

  fileprivate func unlinkSharedMemory() throws(Errno) -> Answer {
    try withPath { path throws(Errno) in
      try BackReference(process.credentials).tryBorrow { credentials throws(Errno) in
        try kernel.files.unlinkSharedMemory(path: path, credentials)
      }
    }
    return .value(0)
  }

  // MARK: shm_rename

  /// The flags and SHM_ANON are checked before a path is looked at.
  fileprivate func renameRequest() throws(Errno) -> CopyInRequest {
    let flags = SharedMemoryRenameFlags(rawValue: arguments.third.word)
    guard flags.subtracting([.noReplace, .exchange]).isEmpty, !flags.isSuperset(of: [.noReplace, .exchange]) else {
      throw .einval
    }
    guard arguments.first.raw != SystemCall.anonymous, arguments.second.raw != SystemCall.anonymous else {
      throw .einval
    }
    return .path(arguments.first.address)
  }

  fileprivate func renameSharedMemory() throws(Errno) -> Answer {
    let isAbsolute = try withPath { path throws(Errno) in path.count > 0 && path[0] == UInt8(ascii: "/") }
    guard isAbsolute else { throw .einval }
    // Behind the first path, mostly.
    let start = stagedByteCount
    var byteCount = 0
    let outcome = spaceReference.borrow {
      $0.copyInPath(arguments.second.address, into: &thread.frame.value.buffer, from: start, &byteCount)
    }
    if case .tooLong = outcome { return try renameToLongPath() }
    guard try isDone(outcome) else { return .restart }
    try rename(to: thread.frame.value.buffer.span.extracting(start..<start + byteCount - 1))
    return .value(0)
  }

  /// The same where both paths have no room in one buffer.
  @inline(never)
  private func renameToLongPath() throws(Errno) -> Answer {
    var buffer = [1024 of UInt8](repeating: 0)
    var byteCount = 0
    let outcome = space.copyInPath(arguments.second.address, into: &buffer, from: 0, &byteCount)
    if case .tooLong = outcome { throw .enametoolong }
    guard try isDone(outcome) else { return .restart }
    try rename(to: buffer.span.extracting(0..<byteCount - 1))
    return .value(0)
  }

  private func rename(to newPath: Span<UInt8>) throws(Errno) {
    let flags = SharedMemoryRenameFlags(rawValue: arguments.third.word)
    try withPath { path throws(Errno) in
      try BackReference(process.credentials).tryBorrow { credentials throws(Errno) in
        try kernel.files.renameSharedMemory(from: path, to: newPath, flags, credentials)
      }
    }
  }

  // MARK: posix_fallocate, fspacectl

  /// posix_fallocate(2): its errors are values, as is their absence.
  fileprivate func allocateSpace() throws(Errno) -> Answer {
    do throws(Errno) {
      let (offset, length) = (arguments.second.long, arguments.third.long)
      guard offset >= 0, length > 0 else { throw .einval }
      guard offset <= Int64.max - length else { throw .efbig }
      let file = try fileInLine(arguments.first.descriptor, needing: .positionedWrite)
      guard hasReserve() else { return .restart }
      var place = thread.place.take()
      switch try file.allocate(to: offset + length, &place) {
      case .complete: return .value(0)
      case .wait(let awaited): return stand(in: place, on: awaited)
      case .again:
        thread.place = place
        return goOnLater(.phase(.whole))
      }
    } catch {
      return .value(UInt64(error.rawValue))
    }
  }

  /// fspacectl(2)
  fileprivate func punchHole() throws(Errno) -> Answer {
    let (offset, length) = (Int64(bitPattern: stagedLong(at: 0)), Int64(bitPattern: stagedLong(at: 8)))
    let punch = Punch(offset: offset, length: length)
    guard arguments.second.integer == SpaceRange.deallocate, arguments.fourth.word == 0, offset >= 0, length > 0,
      offset <= Int64.max - length
    else { return try refuse(punch, .einval) }
    do throws(Errno) {
      return try goOn(file(arguments.first.descriptor, needing: .positionedWrite), punch)
    } catch {
      return try refuse(punch, error)
    }
  }

  /// Begins or goes on with making a hole; says then how much is left of what was asked for.
  func goOn(_ file: OpenFile, _ punch: Punch) throws(Errno) -> Answer {
    var punch = punch
    let progress: Progress
    do throws(Errno) {
      progress = try file.punch(&punch)
    } catch {
      return try refuse(punch, error)
    }
    guard progress == .complete else { return unfinished(progress, .file(.punch(file, punch))) }
    stage(punch)
    beginDelivery()
    addPiece(at: 0, SpaceRange.byteCount, to: arguments.fifth)
    return .deliver
  }

  /// An error, with which what is left is told too, if that is possible.
  private func refuse(_ punch: Punch, _ error: Errno) throws(Errno) -> Answer {
    if arguments.fifth.isNull { throw error }
    stage(punch)
    var progress = 0
    let bytes = RawSpan(_elements: thread.frame.value.buffer.span).extracting(0..<SpaceRange.byteCount)
    if case .wait(let awaited) = space.copyOut(bytes, to: arguments.fifth.address, progress: &progress) {
      thread.wanted = awaited
      return .restart
    }
    throw error
  }

  private func stage(_ punch: Punch) {
    stage(UInt64(bitPattern: punch.offset), at: 0)
    stage(UInt64(bitPattern: punch.length), at: 8)
  }
}
