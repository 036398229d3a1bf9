// shm_open(2), shm_open2(2) and shm_unlink(2) from the path on (spec shm.md, 3.1 to 3.3).

public import ABI
import Memory
import Primitives

/// How far an open got.
public enum OpenOutcome {
  /// It is done; this is the descriptor.
  case opened(Int32)
  /// The object is to be emptied (O_TRUNC): `FileContinuation.open` does it.
  case unfinished(PendingOpen)
}

/// An open whose descriptor exists already, while O_TRUNC waits for its turn.
public struct PendingOpen {
  /// The descriptor, which other threads may see (spec shm.md, 3.1, notes).
  public let descriptor: Int32
  let file: SharedMemoryFile2008
  /// Whether the object may not be sealed any more once the open is done.
  let forbidsSealing: Bool
  var resize: Resize

  /// Whether the object is being emptied: the open runs to its end, whatever becomes of its process meanwhile.
  public var hasBegun: Bool { resize.hasBegun }

  /// Gives up the place in the line for the object, because the process stops. The open must not have begun.
  public mutating func giveUpPlace() { resize.giveUpPlace() }
}

extension FileServices {
  /// Opens or makes the object with this path and gives it the lowest free descriptor.
  ///
  /// Throws, in this order: EINVAL for a path that does not begin with a slash; ENFILE, EMFILE; ENOENT without O_CREAT;
  /// EEXIST; EINVAL for shared memory flags other than the object's; EACCES; EPERM and EBUSY when O_TRUNC may not shrink
  /// it. ENFILE also stands for memory that cannot be had, and for names of which the user, or all users, have as many as
  /// they may have. An open that succeeds without SHM_ALLOW_SEALING sets F_SEAL_SEAL (spec shm.md, 3.2).
  public func openSharedMemory(
    _ request: SharedMemoryOpenRequest, path: Span<UInt8>, _ caller: Credentials, creationMask: FileMode,
    into table: FileTable
  ) throws(Errno) -> OpenOutcome {
    guard path.count > 0 && path[0] == UInt8(ascii: "/") else { throw .einval }
    try admitFile(caller)
    let descriptor = try table.reserveLowest()
    let key = NameKey(path)
    guard let object = names.lookup(key, path) else {
      return try create(request, key, path, caller, creationMask, descriptor, table)
    }
    do throws(Errno) {
      try object.tryBorrow { object throws(Errno) in try checkOpen(object, request, caller) }
    } catch {
      table.abandon(descriptor)
      throw error
    }
    let file = object.borrow { makeFile($0, request) }
    if request.writes && request.flags.contains(.truncate) {
      table.fill(descriptor, file, closeOnExec: request.closesOnExec)
      return .unfinished(
        PendingOpen(
          descriptor: descriptor, file: file, forbidsSealing: request.forbidsSealing, resize: try Resize(length: 0)))
    }
    if request.forbidsSealing { object.borrow { $0.seals.formUnion(.seal) } }
    table.fill(descriptor, file, closeOnExec: request.closesOnExec)
    return .opened(descriptor)
  }

  /// The path leads nowhere: makes an object with this name, if that was asked for.
  private func create(
    _ request: SharedMemoryOpenRequest, _ key: NameKey, _ path: Span<UInt8>, _ caller: Credentials,
    _ creationMask: FileMode, _ descriptor: Int32, _ table: FileTable
  ) throws(Errno) -> OpenOutcome {
    do throws(Errno) {
      guard request.flags.contains(.create) else { throw .enoent }
      if hasPolicy { try policy?.checkCreation(of: path, by: caller) }
      try admitName(caller)
      let object = try makeObject(request, caller, creationMask)
      guard names.insert(key, path, object, memory) else { throw .enfile }
      table.fill(descriptor, makeFile(object, request), closeOnExec: request.closesOnExec)
    } catch {
      table.abandon(descriptor)
      throw error
    }
    return .opened(descriptor)
  }

  /// Makes an object without a name (SHM_ANON) and gives it the lowest free descriptor.
  ///
  /// Throws ENFILE, EMFILE, then EINVAL for O_RDONLY.
  public func openAnonymousSharedMemory(
    _ request: SharedMemoryOpenRequest, _ caller: Credentials, creationMask: FileMode, into table: FileTable
  ) throws(Errno) -> Int32 {
    try admitFile(caller)
    let descriptor = try table.reserveLowest()
    let object: SharedMemoryObject
    do throws(Errno) {
      guard request.writes else { throw .einval }
      object = try makeObject(request, caller, creationMask)
    } catch {
      table.abandon(descriptor)
      throw error
    }
    table.fill(descriptor, makeFile(object, request), closeOnExec: request.closesOnExec)
    return descriptor
  }

  /// Goes on with an open that empties its object. On failure the descriptor is closed again, unless it means another file by
  /// now.
  func finish(_ pending: inout PendingOpen, in table: FileTable) throws(Errno) -> Progress {
    do throws(Errno) {
      let progress = try pending.file.truncate(&pending.resize)
      if progress == .complete && pending.forbidsSealing { pending.file.object.seals.formUnion(.seal) }
      return progress
    } catch {
      table.close(pending.descriptor, ifStill: pending.file)
      throw error
    }
  }

  /// Takes the name away; the object lives on while descriptors or mappings refer to it.
  ///
  /// Throws EINVAL for a path that does not begin with a slash, ENOENT, EACCES unless the caller may read and write.
  public func unlinkSharedMemory(path: Span<UInt8>, _ caller: Credentials) throws(Errno) {
    guard path.count > 0 && path[0] == UInt8(ascii: "/") else { throw .einval }
    let key = NameKey(path)
    var search = NamePath()
    guard let entry = names.find(key, path, &search) else { throw .enoent }
    if hasPolicy { try policy?.checkRemoval(of: names.entries[entry].object, by: caller) }
    try names.entries[entry].object.ownership.check([.read, .write], by: caller)
    // Dropped here, when the table is in order again.
    _ = names.remove(entry, key, &search, memory)
  }

  @inline(__always)
  private func checkOpen(
    _ object: SharedMemoryObject, _ request: SharedMemoryOpenRequest, _ caller: Credentials
  ) throws(Errno) {
    guard !request.flags.isSuperset(of: [.create, .exclusive]) else { throw .eexist }
    guard request.sharedMemoryFlags.isEmpty || request.sharedMemoryFlags == object.flags else { throw .einval }
    if hasPolicy { try policy?.checkOpening(of: object, writes: request.writes, by: caller) }
    try object.ownership.check(request.accessRequest, by: caller)
  }

  @inline(__always)
  private func makeFile(_ object: SharedMemoryObject, _ request: SharedMemoryOpenRequest) -> SharedMemoryFile2008 {
    switch request.generation {
    case .year2008: SharedMemoryFile2008(object, request.fileFlags)
    case .today: SharedMemoryFile(object, request.fileFlags)
    }
  }

  private func makeObject(
    _ request: SharedMemoryOpenRequest, _ caller: Credentials, _ creationMask: FileMode
  ) throws(Errno) -> SharedMemoryObject {
    guard caller.account.mayMakeKernelMemory else { throw .enfile }
    let mode = request.mode.subtracting(creationMask).intersection(.accessPermissions)
    let ownership = Ownership(user: caller.effectiveUser, group: caller.effectiveGroup, mode: mode)
    do throws(Errno) {
      return try SharedMemoryObject(self, ownership, request.sharedMemoryFlags, caller.account)
    } catch {
      // The calls list ENFILE, not ENOMEM (DESIGN, "Running out of memory").
      throw .enfile
    }
  }
}
