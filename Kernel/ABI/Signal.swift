// The signals of FreeBSD (spec abi.md, section 11).

/// A signal number.
///
/// Zero is not a signal (kill(2) uses it to probe); `isValid` tells what can be sent.
public struct Signal: Equatable, BitwiseCopyable, Sendable {
  /// The number that programs see, 1 through 128 for real signals.
  public let rawValue: Int32

  /// Wraps a value of the binary interface.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }
}

extension Signal {
  /// SIGHUP
  public static let sighup = Signal(rawValue: 1)
  /// SIGINT
  public static let sigint = Signal(rawValue: 2)
  /// SIGQUIT
  public static let sigquit = Signal(rawValue: 3)
  /// SIGILL
  public static let sigill = Signal(rawValue: 4)
  /// SIGTRAP
  public static let sigtrap = Signal(rawValue: 5)
  /// SIGABRT
  public static let sigabrt = Signal(rawValue: 6)
  /// SIGEMT
  public static let sigemt = Signal(rawValue: 7)
  /// SIGFPE
  public static let sigfpe = Signal(rawValue: 8)
  /// SIGKILL
  public static let sigkill = Signal(rawValue: 9)
  /// SIGBUS
  public static let sigbus = Signal(rawValue: 10)
  /// SIGSEGV
  public static let sigsegv = Signal(rawValue: 11)
  /// SIGSYS
  public static let sigsys = Signal(rawValue: 12)
  /// SIGPIPE
  public static let sigpipe = Signal(rawValue: 13)
  /// SIGALRM
  public static let sigalrm = Signal(rawValue: 14)
  /// SIGTERM
  public static let sigterm = Signal(rawValue: 15)
  /// SIGURG
  public static let sigurg = Signal(rawValue: 16)
  /// SIGSTOP
  public static let sigstop = Signal(rawValue: 17)
  /// SIGTSTP
  public static let sigtstp = Signal(rawValue: 18)
  /// SIGCONT
  public static let sigcont = Signal(rawValue: 19)
  /// SIGCHLD
  public static let sigchld = Signal(rawValue: 20)
  /// SIGTTIN
  public static let sigttin = Signal(rawValue: 21)
  /// SIGTTOU
  public static let sigttou = Signal(rawValue: 22)
  /// SIGIO
  public static let sigio = Signal(rawValue: 23)
  /// SIGXCPU
  public static let sigxcpu = Signal(rawValue: 24)
  /// SIGXFSZ
  public static let sigxfsz = Signal(rawValue: 25)
  /// SIGVTALRM
  public static let sigvtalrm = Signal(rawValue: 26)
  /// SIGPROF
  public static let sigprof = Signal(rawValue: 27)
  /// SIGWINCH
  public static let sigwinch = Signal(rawValue: 28)
  /// SIGINFO
  public static let siginfo = Signal(rawValue: 29)
  /// SIGUSR1
  public static let sigusr1 = Signal(rawValue: 30)
  /// SIGUSR2
  public static let sigusr2 = Signal(rawValue: 31)
  /// SIGTHR
  public static let sigthr = Signal(rawValue: 32)
  /// SIGLIBRT
  public static let siglibrt = Signal(rawValue: 33)
  /// SIGRTMIN, the first real-time signal
  public static let sigrtmin = Signal(rawValue: 65)
  /// SIGRTMAX, the last real-time signal
  public static let sigrtmax = Signal(rawValue: 126)
}

extension Signal {
  /// _SIG_MAXSIG: signals are 1 through this number.
  public static let maximumRawValue: Int32 = 128

  /// Whether the number names a signal at all, 1 through 128.
  public var isValid: Bool { rawValue >= 1 && rawValue <= Signal.maximumRawValue }
}
