// The flags of rfork(2) (spec abi.md, section 15).

/// What rfork(2) makes, shares, copies or leaves out.
public struct ForkFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The bits of the C int.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension ForkFlags {
  /// RFFDG: the descriptor table is copied.
  public static let copiesDescriptors = ForkFlags(rawValue: 0x4)
  /// RFPROC: a process is made; without it the flags are about the caller.
  public static let makesProcess = ForkFlags(rawValue: 0x10)
  /// RFMEM: memory is shared.
  public static let sharesMemory = ForkFlags(rawValue: 0x20)
  /// RFNOWAIT: the child is process 1's from the beginning.
  public static let isForgotten = ForkFlags(rawValue: 0x40)
  /// RFCFDG: the descriptor table is empty.
  public static let clearsDescriptors = ForkFlags(rawValue: 0x1000)
  /// RFTHREAD
  public static let sharesLeader = ForkFlags(rawValue: 0x2000)
  /// RFSIGSHARE: signal dispositions are shared.
  public static let sharesSignals = ForkFlags(rawValue: 0x4000)
  /// RFPPWAIT: the caller waits until the child executes a program or ends.
  public static let suspendsParent = ForkFlags(rawValue: 0x8000)
  /// RFLINUXTHPN: the child's end is told by SIGUSR1.
  public static let endsWithUserSignal = ForkFlags(rawValue: 0x1_0000)
  /// RFTSIGZMB: the child's end is told by the signal in bits 20 to 27.
  public static let endsWithSignal = ForkFlags(rawValue: 0x8_0000)
  /// The bits of that signal.
  public static let signalMask = ForkFlags(rawValue: 0xFF0_0000)
  /// RFSPAWN
  public static let spawns = ForkFlags(rawValue: 0x8000_0000)

  /// What a program may ask for; any other bit is EINVAL.
  public static let known: ForkFlags = [
    .copiesDescriptors, .makesProcess, .sharesMemory, .isForgotten, .clearsDescriptors, .sharesLeader, .sharesSignals,
    .suspendsParent, .endsWithUserSignal, .endsWithSignal, .signalMask,
  ]

  /// The signal in bits 20 to 27.
  public var signal: Signal { Signal(rawValue: Int32(rawValue >> 20 & 0xFF)) }
}
