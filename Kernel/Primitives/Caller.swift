// On whose behalf the kernel works.

/// Who asks for memory, as far as `vm.overcommit` and fail points want to know. A class rather than a protocol, so that a
/// back reference can name one.
open class Caller: Nameable {
  /// Makes one.
  public init() {}
  /// The number of the process whose event is being handled; 0: nobody's.
  open var processIdentifier: Int32 { 0 }
  /// Whether the caller may exceed what the policy allows: the superuser (FreeBSD's PRIV_VM_SWAP_NOQUOTA and _NORLIMIT).
  open var isPrivileged: Bool { false }
  /// The caller's RLIMIT_SWAP in pages.
  open var pageLimit: UInt64 { UInt64.max }
  /// The caller's RLIMIT_STACK in bytes.
  open var stackByteLimit: UInt64 { UInt64.max }
  /// The caller's RLIMIT_PIPEBUF in bytes.
  open var pipeByteLimit: UInt64 { UInt64.max }
  /// The caller's RLIMIT_SBSIZE in bytes.
  open var socketByteLimit: UInt64 { UInt64.max }
  /// The caller's RLIMIT_AS in bytes.
  open var addressSpaceByteLimit: UInt64 { UInt64.max }
}
