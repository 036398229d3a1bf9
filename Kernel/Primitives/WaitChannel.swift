// What threads wait for, and who wakes them.

/// What a parked thread waits for. Threads that wait for equal channels are woken together.
public struct WaitChannel: Equatable, BitwiseCopyable, Sendable {
  /// The kind in the upper 32 bits, which one of the kind in the lower.
  public let raw: UInt64

  private init(kind: UInt64, _ value: UInt32) {
    raw = kind << 32 | UInt64(value)
  }

  /// The end of a transfer of `frame`.
  public static func page(_ frame: FrameNumber) -> WaitChannel { WaitChannel(kind: 1, frame.raw) }
  /// Free frames.
  public static let frames = WaitChannel(kind: 2, 0)
  /// Free frames, for the superuser, who needs fewer of them to be free.
  public static let privilegedFrames = WaitChannel(kind: 2, 1)
  /// Input on the console.
  public static let consoleInput = WaitChannel(kind: 3, 0)
  /// Room for output on the console, or everything sent.
  public static let consoleOutput = WaitChannel(kind: 7, 0)
  /// A change of state of a child of the process in `slot`.
  public static func child(ofSlot slot: UInt32) -> WaitChannel { WaitChannel(kind: 4, slot) }
  /// One's turn in a line of those who wait for the same thing.
  public static func turn(_ number: UInt32) -> WaitChannel { WaitChannel(kind: 5, number) }
  /// Nothing but a deadline or a signal.
  public static func sleep(slot: UInt32) -> WaitChannel { WaitChannel(kind: 6, slot) }
  /// The end of the shrinking of an object.
  public static func shrinking(_ number: UInt32) -> WaitChannel { WaitChannel(kind: 8, number) }
  /// For channels of the modules above; `kind` from 16 to 2^16.
  public static func other(kind: UInt16, _ value: UInt32) -> WaitChannel {
    precondition(kind >= 16)
    return WaitChannel(kind: UInt64(kind), value)
  }

  /// Whether this is a turn in a line.
  public var isTurn: Bool { raw >> 32 == 5 }
  /// Whether what is waited for comes without the doing of any process: a page under way, free frames, the end of a
  /// shrinking, which goes on whatever becomes of its process.
  public var comesByItself: Bool { raw >> 32 == 1 || raw >> 32 == 2 || raw >> 32 == 8 }
  /// Whether whoever waits on it waits for free frames.
  @inline(__always)
  public var isFrames: Bool { raw >> 32 == 2 }
  /// The frame, when this is a frame's channel.
  public var frame: FrameNumber? { raw >> 32 == 1 ? FrameNumber(UInt32(truncatingIfNeeded: raw)) : nil }
}

/// Wakes parked threads. A class rather than a protocol, so that a back reference can name one.
open class Waker {
  /// Makes one.
  public init() {}
  /// Makes every thread that is parked on `channel` try again.
  open func wake(_ channel: WaitChannel) {}
}
