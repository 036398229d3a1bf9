// What a program is told of a signal: the content of a siginfo_t (spec signals.md section 1.10).

public import ABI
import Files
import Primitives

/// What is known of one instance of a signal.
public struct SignalInformation: BitwiseCopyable, Sendable {
  /// The signal.
  public var signal: Signal
  /// Why it was sent.
  public var code: SignalCode
  /// The sender, or the child.
  public var process: Int32 = 0
  /// The real user of that.
  public var user: UInt32 = 0
  /// How the child ended, stopped or went on.
  public var status: Int32 = 0
  /// ERANGE when there were more overruns of a timer than can be told.
  public var error: Int32 = 0
  /// The address of what went wrong.
  public var address: UInt64 = 0
  /// The value that the sender gave.
  public var value: UInt64 = 0
  /// What follows si_value: the number of the trap, or in the lower half the timer and in the upper its overruns.
  public var reason: UInt64 = 0

  /// A signal of the kernel's own.
  public init(_ signal: Signal, _ code: SignalCode = .kernel) {
    self.signal = signal
    self.code = code
  }

  /// A signal that a process sends, with its real user.
  public init(_ signal: Signal, _ code: SignalCode, from sender: Process) {
    self.signal = signal
    self.code = code
    process = sender.identifier
    user = BackReference(sender.credentials).borrow { $0.user }
  }

  /// An exception of the processor with this vector.
  public init(_ signal: Signal, _ code: SignalCode, address: UInt64, trap: TrapNumber) {
    self.signal = signal
    self.code = code
    self.address = address
    reason = UInt64(trap.rawValue)
  }

  /// The bytes of a siginfo_t.
  public static let byteCount = 80

  /// A siginfo_t as words.
  public typealias Words = [10 of UInt64]

  /// The words of a siginfo_t, in order.
  public var words: Words {
    var words = [10 of UInt64](repeating: 0)
    words[0] = SignalInformation.pair(signal.rawValue, error)
    words[1] = SignalInformation.pair(code.rawValue, process)
    words[2] = UInt64(user) | UInt64(UInt32(bitPattern: status)) << 32
    words[3] = address
    words[4] = value
    words[5] = reason
    return words
  }

  private static func pair(_ low: Int32, _ high: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: low)) | UInt64(UInt32(bitPattern: high)) << 32
  }
}
