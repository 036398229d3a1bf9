// The flags of reboot(2) (spec abi.md, Martlet's own points).

/// The `howto` of reboot(2); empty is `RB_AUTOBOOT`.
public struct RebootFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension RebootFlags {
  /// RB_HALT
  public static let halt = RebootFlags(rawValue: 8)
  /// RB_POWEROFF
  public static let powerOff = RebootFlags(rawValue: 0x4000)
}
