// An open shared memory object: what both generations of shm_open(2) have in common, and what today's alone has.

public import ABI
public import Memory
public import Primitives

/// An open file of a shared memory object as system call 482 gives it (DESIGN, "Two generations of shared memory"): to be
/// mapped and resized, but not read or written; the answers are those of 2008 (spec shm.md, 3.19 to 3.24).
public class SharedMemoryFile2008: OpenFile {
  /// The object.
  public final let object: SharedMemoryObject

  init(_ object: SharedMemoryObject, _ flags: FileFlags, isSeekable: Bool = false) {
    self.object = object
    super.init(object.fileServicesReference, flags, isSeekable: isSeekable, knowsShort: isSeekable)
  }

  final override func performTruncate(_ resize: inout Resize) throws(Errno) -> Progress {
    if let wait = awaitRange(.whole, &resize.hold) { return .wait(wait) }
    if object.hasPolicy {
      try object.consultPolicy { policy, caller throws(Errno) in try policy.checkTruncation(of: object, by: caller) }
    }
    while true {
      let progress = try object.setSize(&resize)
      if let progress = keepPlace(.whole, &resize.hold, after: progress) { return progress }
    }
  }

  /// What a step of something comes to that gives memory back; nil when the next is to follow at once. It begins without a
  /// reserve of the heap; where it would need that to keep its place, it frees some more first, and where it has to wait, it
  /// waits without one.
  fileprivate final func keepPlace(
    _ range: LockedRange, _ place: inout TransferHold?, after progress: Progress
  ) -> Progress? {
    if progress == .complete {
      place = nil
    } else if place == nil {
      guard fileServices.services.hasHeapReserve else {
        if case .again = progress { return nil }
        return .wait(.frames)
      }
      let hold = TransferHold(self)
      hold.enter(range, of: object)
      place = hold
    }
    return progress
  }

  /// Waits for a range of the object. Returns what to wait for while others have some of it.
  fileprivate final func awaitRange(_ range: LockedRange, _ place: inout TransferHold?) -> Wait? {
    if let place { return place.turnWait }
    if object.rangeLock.isFree(range) { return nil }
    guard fileServices.services.hasHeapReserve else { return .frames }
    let hold = TransferHold(self)
    hold.enter(range, of: object)
    place = hold
    return hold.turnWait
  }

  override func performControl(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) {
    throw .eopnotsupp
  }

  override var keepsRefusedFlags: Bool { true }

  /// fstat(2), in full for both generations (spec shm.md, 3.8).
  public final override func status() throws(Errno) -> Stat {
    if object.hasPolicy { try consultPolicyOnStatus() }
    var stat = Stat()
    stat.device = FileLimits.sharedMemoryDevice
    stat.inode = object.inode
    stat.linkCount = UInt64(object.vmObject.referenceCount)
    stat.mode = object.ownership.mode.union(.regularFile)
    stat.userIdentifier = object.ownership.user
    stat.groupIdentifier = object.ownership.group
    stat.accessTime = Timespec(nanoseconds: object.accessNanoseconds)
    stat.modificationTime = Timespec(nanoseconds: object.modificationNanoseconds)
    stat.changeTime = Timespec(nanoseconds: object.changeNanoseconds)
    stat.birthTime = Timespec(nanoseconds: object.birthNanoseconds)
    stat.size = object.size
    stat.blockCount = Int64(object.vmObject.allocatedPageCount)
    stat.preferredBlockByteCount = UInt32(Page.byteCount)
    if object.isLarge && object.largePageSize != 0 {
      stat.preferredBlockByteCount = UInt32(VMObject.largeByteCount)
      stat.blockCount = stat.size / Int64(VMObject.largeByteCount)
    }
    return stat
  }

  @inline(never)
  private func consultPolicyOnStatus() throws(Errno) {
    try object.consultPolicy { policy, caller throws(Errno) in try policy.checkStatus(of: object, by: caller) }
  }

  /// What may be mapped how (spec shm.md, 3.11, step 16). The size of the object does not matter.
  ///
  /// Throws EACCES for a shared writable mapping that descriptor or seal forbid, EINVAL for a range beyond OFF_MAX.
  ///
  /// The range lock is not taken: nothing that a parked transfer could change is looked at.
  public final override func mapping(_ query: MappingQuery) throws(Errno) -> FileMapping {
    var maximum: Protection = [.read, .execute]
    var countsAsWritable = false
    switch query.sharing {
    case .private:
      maximum.insert(.write)
    case .shared:
      if flags.contains(.write) && !object.seals.contains(.write) {
        maximum.insert(.write)
        countsAsWritable = true
      } else if query.protection.contains(.write) {
        throw .eacces
      }
    }
    maximum.formIntersection(query.maximumProtection)
    if object.isLarge { try checkLargeMapping(query) }
    guard query.offset >= 0, query.byteCount <= UInt64(Int64.max),
      query.offset <= Int64.max - Int64(query.byteCount)
    else { throw .einval }
    if object.hasPolicy {
      try object.consultPolicy { policy, caller throws(Errno) in
        try policy.checkMapping(of: object, query, by: caller)
      }
    }
    object.accessNanoseconds = object.timestamp
    return FileMapping(
      object: object.reference(), pageOffset: UInt64(query.offset) >> Page.shift, maximumProtection: maximum,
      countsAsWritable: countsAsWritable, hasLargePages: object.isLarge)
  }

  /// Throws EINVAL for what is no mapping of large pages; the rest is checked where the address is.
  private func checkLargeMapping(_ query: MappingQuery) throws(Errno) {
    let mask = VMObject.largeByteCount - 1
    guard object.largePageSize != 0, query.sharing == .shared, UInt64(bitPattern: query.offset) & mask == 0,
      query.byteCount & mask == 0
    else { throw .einval }
  }

  /// fchmod(2): the owner or the superuser sets the permission bits (spec shm.md, 3.9).
  ///
  /// Throws EPERM for everyone else.
  public final override func changeMode(_ mode: FileMode, _ caller: Credentials) throws(Errno) {
    try object.ownership.check(.administer, by: caller)
    object.ownership.mode = mode.intersection(.accessPermissions)
  }

  /// fchown(2) (spec shm.md, 3.10).
  ///
  /// Throws EPERM unless the superuser asks, or the user stays or becomes the caller's and the group stays or becomes one
  /// of the caller's.
  public final override func changeOwner(user: UInt32?, group: UInt32?, _ caller: Credentials) throws(Errno) {
    let newUser = user ?? object.ownership.user
    let newGroup = group ?? object.ownership.group
    let mayTakeUser = newUser == object.ownership.user || newUser == caller.effectiveUser
    let mayTakeGroup = newGroup == object.ownership.group || caller.isMember(of: newGroup)
    guard caller.isSuperuser || (mayTakeUser && mayTakeGroup) else { throw .eperm }
    object.ownership.user = newUser
    object.ownership.group = newGroup
  }

  public final override var comparedObject: (type: UInt32, address: UInt) {
    (informationType.rawValue, BackReference(object).rawAddress)
  }

  final override var informationType: FileInformationType { .sharedMemory }

  final override func describe(_ information: inout FileInformation, _ path: inout [1024 of UInt8]) -> Int {
    describeObject(&information, &path)
  }

  /// What 2008's poll(2) reported for any request: the errno EOPNOTSUPP taken for a mask of events.
  public override func poll(_ events: UInt16) -> UInt16 { UInt16(Errno.eopnotsupp.rawValue) }

  /// No filter watches it.
  override func attach(_ filter: EventFilter) throws(Errno) { throw .eopnotsupp }
}

/// An open file of a shared memory object as system call 571 gives it.
public final class SharedMemoryFile: SharedMemoryFile2008 {
  init(_ object: SharedMemoryObject, _ flags: FileFlags) {
    super.init(object, flags, isSeekable: true)
  }

  /// lseek(2): nowhere before the start or behind the end (spec shm.md, 3.21).
  override func performSeek(_ offset: Int64, _ origin: SeekOrigin) throws(Errno) -> Int64 {
    let base: Int64
    switch origin {
    case .start: base = 0
    case .current: base = self.offset
    case .end: base = object.size
    default: throw .einval
    }
    let (target, overflow) = base.addingReportingOverflow(offset)
    if overflow { throw .eoverflow }
    guard target >= 0 && target <= object.size else { throw .einval }
    return target
  }

  override var keepsRefusedFlags: Bool { false }

  override func performControl(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) {
    switch request {
    case .nonBlocking, .asynchronous: return
    case .setLargePageConfiguration, .getLargePageConfiguration: try object.configureLargePages(request, &data)
    default: throw .enotty
    }
  }

  /// F_ADD_SEALS (spec shm.md, 3.24): any bits are kept, and the descriptor need not be writable.
  ///
  /// Throws EPERM once F_SEAL_SEAL is set, EBUSY for F_SEAL_WRITE while writable shared mappings exist.
  public override func addSeals(_ seals: Seals, _ place: inout TransferHold?) throws(Errno) -> Progress {
    if let wait = awaitRange(.whole, &place) { return .wait(wait) }
    guard !object.seals.contains(.seal) else { throw .eperm }
    if seals.contains(.write) && !object.seals.contains(.write) {
      guard !object.isLarge else { throw .eopnotsupp }
      guard object.vmObject.writableMappingByteCount == 0 else { throw .ebusy }
    }
    object.seals.formUnion(seals)
    place = nil
    return .complete
  }

  /// F_GET_SEALS.
  public override func seals() throws(Errno) -> Seals { object.seals }

  /// Always ready.
  public override func poll(_ events: UInt16) -> UInt16 { readyPoll(events) }

  /// No filter watches it.
  override func attach(_ filter: EventFilter) throws(Errno) { throw .einval }

  /// posix_fallocate(2) (spec shm.md, 3.25): no page is made.
  ///
  /// Throws EPERM when a seal forbids to grow, ENOSPC when swap for the growth is refused.
  override func performAllocate(to length: Int64, _ place: inout TransferHold?) throws(Errno) -> Progress {
    if let wait = awaitRange(.whole, &place) { return .wait(wait) }
    if length > object.size {
      do throws(Errno) {
        if object.isLarge {
          let progress = try object.setLargeSize(length)
          if progress != .complete { return progress }
        } else {
          try object.grow(to: length)
        }
      } catch {
        throw error == .enomem ? .enospc : error
      }
    }
    place = nil
    return .complete
  }

  /// fspacectl(2) (spec shm.md, 3.26).
  ///
  /// Throws EPERM when a seal forbids to write, EIO when a page that is partly in the hole cannot be read from swap; then
  /// nothing has changed.
  override func performPunch(_ punch: inout Punch) throws(Errno) -> Progress {
    guard !object.isLarge else { throw .eopnotsupp }
    let range = punch.range
    if let wait = awaitRange(range, &punch.hold) { return .wait(wait) }
    while true {
      let progress = try object.punch(&punch)
      if let progress = keepPlace(range, &punch.hold, after: progress) { return progress }
    }
  }

  public override func moveAtOnce(_ short: ShortTransfer, _ space: AddressSpace) -> UInt64? { moveHere(short, space) }

  override func performRead(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    if let wait = beginRead(&transfer) { return .wait(wait) }
    return try move(&transfer, space, .reading)
  }

  override func performWrite(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    switch try beginWrite(&transfer) {
    case .complete: break
    case let unfinished: return unfinished
    }
    return try move(&transfer, space, .writing)
  }
}
