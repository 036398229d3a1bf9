// Where a policy of mandatory access control has its say about shared memory (mac(4); the hooks of 2008's uipc_shm.c): beside the
// permissions of an object, never instead of them.
//
// A kernel has at most one policy (`FileServices.policy`), and none unless somebody sets it. A hook that throws refuses: the call
// gives that error and has changed nothing. Hooks are asked in the middle of an event and must not wait.

public import ABI
public import Primitives

/// What a policy is asked. This one allows everything: a policy overrides what it wants to refuse.
open class SharedMemoryPolicy: Nameable {
  /// Allows everything.
  public init() {}

  /// A new object with this name is to be made (mac_posixshm_check_create).
  open func checkCreation(of path: Span<UInt8>, by caller: Credentials) throws(Errno) {}

  /// An object is to be opened, before its permissions are looked at (mac_posixshm_check_open).
  open func checkOpening(of object: SharedMemoryObject, writes: Bool, by caller: Credentials) throws(Errno) {}

  /// A name is to be removed, before permissions are looked at (mac_posixshm_check_unlink).
  open func checkRemoval(of object: SharedMemoryObject, by caller: Credentials) throws(Errno) {}

  /// An object is to be mapped (mac_posixshm_check_mmap).
  open func checkMapping(of object: SharedMemoryObject, _ query: MappingQuery, by caller: Credentials) throws(Errno) {}

  /// fstat(2) asks about an object (mac_posixshm_check_stat).
  open func checkStatus(of object: SharedMemoryObject, by caller: Credentials) throws(Errno) {}

  /// An object is to get another size by ftruncate(2) (mac_posixshm_check_truncate).
  open func checkTruncation(of object: SharedMemoryObject, by caller: Credentials) throws(Errno) {}
}

extension SharedMemoryObject {
  /// Whether there is a policy, which is to be looked at before it is consulted.
  @inline(__always)
  var hasPolicy: Bool { fileServicesReference.borrow { $0.hasPolicy } }

  /// Asks the policy for the caller of the event.
  @inline(never)
  func consultPolicy(_ ask: (SharedMemoryPolicy, Credentials) throws(Errno) -> Void) throws(Errno) {
    try fileServices.askPolicy(ask)
  }
}

extension FileServices {
  /// Asks the policy for the caller of the event.
  fileprivate func askPolicy(_ ask: (SharedMemoryPolicy, Credentials) throws(Errno) -> Void) throws(Errno) {
    guard let policy, let caller = services.caller.instance as? FileCaller, let credentials = caller.credentials else {
      return
    }
    try ask(policy, credentials)
  }
}
