// Who a process is: user and group identifiers (spec shm.md, 2.1; getuid(2), setgroups(2)).
//
// Invariant: credentials that more than one owner refers to are never changed; a change is made to a copy that then takes
// their place. fork shares them, the calls that set identifiers copy.

/// The identity that permissions are checked against.
public final class Credentials {
  /// The real user: whom resources are charged to.
  public var user: UInt32
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
  /// Supplementary groups, without the effective one.
  public private(set) var supplementaryGroupCount = 0
  private var firstGroups = [16 of UInt32](repeating: 0)

  /// Credentials of one user and group without supplementary groups; all zero is the superuser that process 1 starts as.
  public init(user: UInt32 = 0, group: UInt32 = 0) {
    self.user = user
    effectiveUser = user
    savedUser = user
    self.group = group
    effectiveGroup = group
    savedGroup = group
  }

  /// Whether the effective user is the superuser.
  @inline(__always)
  public var isSuperuser: Bool { effectiveUser == 0 }

  /// A supplementary group.
  public func supplementaryGroup(at index: Int) -> UInt32 {
    precondition(index < supplementaryGroupCount)
    return firstGroups[index]
  }

  /// Whether `group` is the effective group or a supplementary one.
  @inline(__always)
  public func isMember(of group: UInt32) -> Bool {
    group == effectiveGroup || (supplementaryGroupCount > 0 && isSupplementary(group))
  }

  private func isSupplementary(_ group: UInt32) -> Bool {
    for index in 0..<supplementaryGroupCount where supplementaryGroup(at: index) == group { return true }
    return false
  }
}
