// May this caller open, unlink or change this object? The algorithm of spec shm.md, section 2.1.

import ABI

/// What a caller wants to do with an object.
struct AccessRequest: OptionSet, BitwiseCopyable {
  let rawValue: UInt8

  @inline(__always)
  init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  /// Read the content. The bits are those of one `rwx` triplet.
  static let read = AccessRequest(rawValue: 4)
  /// Change the content or the size.
  static let write = AccessRequest(rawValue: 2)
  /// Change owner or permissions: for the owner and the superuser only.
  static let administer = AccessRequest(rawValue: 8)
}

/// Who owns an object and what its mode says.
struct Ownership: BitwiseCopyable {
  var user: UInt32
  var group: UInt32
  /// Permission bits only.
  var mode: FileMode

  /// Throws EACCES, or EPERM when `.administer` was asked for, unless `caller` may do all of `request`.
  ///
  /// Exactly one triplet of the mode counts: an owner whom the owner bits refuse is not asked about group and others.
  @inline(__always)
  func check(_ request: AccessRequest, by caller: Credentials) throws(Errno) {
    let bits = mode.rawValue
    var granted: UInt8
    if caller.effectiveUser == user {
      granted = UInt8(truncatingIfNeeded: bits >> 6) & 7 | AccessRequest.administer.rawValue
    } else if caller.isMember(of: group) {
      granted = UInt8(truncatingIfNeeded: bits >> 3) & 7
    } else {
      granted = UInt8(truncatingIfNeeded: bits) & 7
    }
    if granted & request.rawValue == request.rawValue || caller.isSuperuser { return }
    throw request.contains(.administer) ? .eperm : .eacces
  }
}
