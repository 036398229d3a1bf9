// The options of wait4(2) (spec abi.md, section 12).

/// Options of wait4(2) and wait6(2).
public struct WaitOptions: OptionSet, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension WaitOptions {
  /// WNOHANG
  public static let noHang = WaitOptions(rawValue: 1)
  /// WUNTRACED = WSTOPPED
  public static let stopped = WaitOptions(rawValue: 2)
  /// WCONTINUED
  public static let continued = WaitOptions(rawValue: 4)
  /// WNOWAIT
  public static let noWait = WaitOptions(rawValue: 8)
  /// WEXITED
  public static let exited = WaitOptions(rawValue: 16)
  /// WTRAPPED
  public static let trapped = WaitOptions(rawValue: 32)
  /// WLINUXCLONE: children whose end is told by another signal than SIGCHLD, and no others.
  public static let otherSignal = WaitOptions(rawValue: 0x8000_0000)
}

extension WaitOptions {
  /// What wait6(2) accepts; any other bit is EINVAL.
  public static let knownToWait6: WaitOptions = [.noHang, .stopped, .continued, .noWait, .exited, .trapped]
  /// Of which one has to be there.
  public static let events: WaitOptions = [.stopped, .continued, .exited, .trapped]
  /// What wait4(2) accepts; any other bit is EINVAL.
  public static let known: WaitOptions = [.noHang, .stopped, .continued, .noWait, .exited, .trapped, .otherSignal]
}
