// The status word of wait4(2) (spec abi.md, section 12). Core files do not exist here, so the core bit is never set.

/// How a child ended, stopped or went on: the `int` that wait4(2) stores.
public struct WaitStatus: Equatable, BitwiseCopyable, Sendable {
  /// The 16 significant bits, in an int.
  public let rawValue: Int32

  /// Wraps a status word.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }

  /// The child called exit(2); only the low eight bits of its argument are kept.
  public static func exited(_ code: Int32) -> WaitStatus { WaitStatus(rawValue: (code & 0xff) << 8) }
  /// The child was ended by a signal.
  public static func terminated(_ signal: Signal) -> WaitStatus { WaitStatus(rawValue: signal.rawValue & 0x7f) }
  /// The child was stopped by a signal.
  public static func stopped(_ signal: Signal) -> WaitStatus {
    WaitStatus(rawValue: (signal.rawValue & 0xff) << 8 | 0x7f)
  }
  /// The child was continued.
  public static let continued = WaitStatus(rawValue: 0x13)
}

extension WaitStatus {
  /// WIFEXITED and WEXITSTATUS: the exit code, or nil.
  public var exitCode: Int32? { rawValue & 0x7f == 0 ? (rawValue >> 8) & 0xff : nil }

  /// WIFSTOPPED and WSTOPSIG: the signal that stopped it, or nil.
  public var stopSignal: Signal? {
    rawValue & 0x7f == 0x7f ? Signal(rawValue: (rawValue >> 8) & 0xff) : nil
  }

  /// WIFSIGNALED and WTERMSIG: the signal that ended it, or nil.
  public var terminationSignal: Signal? {
    let low = rawValue & 0x7f
    return low != 0 && low != 0x7f && self != .continued ? Signal(rawValue: low) : nil
  }
}
