// Who a process is: user and group identifiers (spec shm.md, 2.1; getuid(2), setgroups(2)).
//
// Invariant: credentials that more than one owner refers to are never changed; a change is made to a copy that then takes
// their place. fork shares them, the calls that set identifiers copy. Lists of groups are never changed at all.

public import ABI
public import Memory
public import Primitives

/// The identity that permissions are checked against.
public final class Credentials: Nameable {
  private let fileServices: FileServices
  /// The real user: whom resources are charged to.
  public var user: UInt32 {
    didSet { if user != oldValue { account = fileServices.memory.accounts.account(of: user) } }
  }
  /// The real user's account.
  public private(set) var account: UserAccount
  /// The effective user: whom permissions are checked for.
  public var effectiveUser: UInt32
  /// The saved user, which the effective one may return to.
  public var savedUser: UInt32
  /// The real group.
  public var group: UInt32
  /// The effective group, the first entry of getgroups(2).
  public var effectiveGroup: UInt32
  /// The saved group.
  public var savedGroup: UInt32
  private var supplementary: GroupList?
  /// The inspection that visited these credentials last.
  private var inspection: UInt32 = 0

  /// Credentials of one user and group without supplementary groups; all zero is the superuser that process 1 starts as.
  public init(_ fileServices: FileServices, user: UInt32 = 0, group: UInt32 = 0) {
    self.fileServices = fileServices
    self.user = user
    account = fileServices.memory.accounts.account(of: user)
    effectiveUser = user
    savedUser = user
    self.group = group
    effectiveGroup = group
    savedGroup = group
    fileServices.liveCredentialsCount += 1
  }

  deinit { fileServices.liveCredentialsCount -= 1 }

  private init(_ other: Credentials) {
    fileServices = other.fileServices
    user = other.user
    account = other.account
    effectiveUser = other.effectiveUser
    savedUser = other.savedUser
    group = other.group
    effectiveGroup = other.effectiveGroup
    savedGroup = other.savedGroup
    supplementary = other.supplementary
    fileServices.liveCredentialsCount += 1
  }

  /// The same identity, to be changed.
  public func copy() -> Credentials { Credentials(self) }

  /// Whether the effective user is the superuser.
  @inline(__always)
  public var isSuperuser: Bool { effectiveUser == 0 }

  /// Groups in all, the effective one included: what getgroups(2) counts.
  public var groupCount: Int { 1 + (supplementary?.count ?? 0) }

  /// The groups in the order of getgroups(2), the effective one first.
  public func group(at index: Int) -> UInt32 {
    if index == 0 { return effectiveGroup }
    guard let supplementary else { preconditionFailure("no such group") }
    return supplementary.group(at: index - 1)
  }

  /// setgroups(2): the first becomes the effective group, the others the supplementary ones; an empty list leaves the
  /// effective group alone.
  ///
  /// Throws ENOMEM when memory for the list cannot be had; then nothing has changed.
  public func setGroups(_ groups: Span<UInt32>) throws(Errno) {
    if groups.count <= 1 {
      supplementary = nil
    } else {
      supplementary = try GroupList(fileServices, groups.extracting(droppingFirst: 1))
    }
    if groups.count > 0 { effectiveGroup = groups[0] }
  }

  /// Notes that these credentials are reached. Returns whether they and their groups are for the first time, and how many
  /// frames the groups take.
  func inspect(_ memory: inout MemoryInspector) -> (isNew: Bool, groupsAreNew: Bool, frameCount: Int) {
    if inspection == memory.generation { return (false, false, 0) }
    inspection = memory.generation
    memory.count(self)
    guard let supplementary, supplementary.isFirstVisit(memory.generation) else { return (true, false, 0) }
    memory.count(supplementary)
    return (true, true, supplementary.frameCount)
  }

  /// Whether `group` is the effective group or a supplementary one.
  @inline(__always)
  public func isMember(of group: UInt32) -> Bool {
    group == effectiveGroup || (supplementary?.contains(group) ?? false)
  }
}

/// Supplementary groups. Sixteen fit into the object; when there are more, the rest lies in a frame of its own.
private final class GroupList {
  private let fileServices: FileServices
  let count: Int
  private var first = [16 of UInt32](repeating: 0)
  private var frame: FrameNumber?
  private var inspection: UInt32 = 0

  private var memory: MemorySystem { fileServices.memory }

  init(_ fileServices: FileServices, _ groups: Span<UInt32>) throws(Errno) {
    precondition(groups.count <= InterfaceLimits.groupCount)
    self.fileServices = fileServices
    count = groups.count
    fileServices.liveGroupListCount += 1
    if count > FileLimits.inlineGroupCount {
      guard let frame = fileServices.memory.allocateKernelFrame() else { throw .enomem }
      self.frame = frame
    }
    for index in groups.indices {
      if index < FileLimits.inlineGroupCount {
        first[index] = groups[index]
      } else if let place = place(of: index) {
        let other = isLowHalf(index) ? 0 : memory.physical.load(place)
        memory.physical.store(other | UInt64(groups[index]) << (isLowHalf(index) ? 0 : 32), at: place)
      }
    }
  }

  deinit {
    if let frame { memory.freeKernelFrame(frame) }
    fileServices.liveGroupListCount -= 1
  }

  /// Marks the list. Returns whether this is its first visit.
  func isFirstVisit(_ generation: UInt32) -> Bool {
    defer { inspection = generation }
    return inspection != generation
  }

  var frameCount: Int { frame == nil ? 0 : 1 }

  func group(at index: Int) -> UInt32 {
    precondition(index < count)
    if index >= FileLimits.inlineGroupCount, let place = place(of: index) {
      return UInt32(truncatingIfNeeded: memory.physical.load(place) >> (isLowHalf(index) ? 0 : 32))
    }
    return first[index]
  }

  func contains(_ group: UInt32) -> Bool {
    for index in 0..<count where self.group(at: index) == group { return true }
    return false
  }

  /// Two groups share a word of the frame.
  private func place(of index: Int) -> PhysicalAddress? {
    frame.map { $0.address + UInt64((index - FileLimits.inlineGroupCount) / 2 * 8) }
  }

  private func isLowHalf(_ index: Int) -> Bool { index & 1 == 0 }
}
