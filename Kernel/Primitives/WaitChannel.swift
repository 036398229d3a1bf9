// What threads wait for, and who wakes them.

/// Something that threads can wait for. Threads that wait for equal channels are woken together, or one after the other.
///
/// A channel is a kind, which thing of that kind, and where in it: so that it can name a word of an object of pages. Each
/// module makes channels of kinds of its own, besides those here.
public struct WaitChannel: Equatable, BitwiseCopyable, Sendable {
  /// Kinds of things to wait for.
  public struct Kind: Equatable, BitwiseCopyable, Sendable {
    fileprivate let raw: UInt8

    /// A kind of the modules above, from 16 on.
    public init(_ raw: UInt8) {
      precondition(raw >= 16)
      self.raw = raw
    }

    private init(own raw: UInt8) { self.raw = raw }

    fileprivate static let page = Kind(own: 1)
    fileprivate static let frames = Kind(own: 2)
    fileprivate static let consoleInput = Kind(own: 3)
    fileprivate static let child = Kind(own: 4)
    fileprivate static let turn = Kind(own: 5)
    fileprivate static let sleep = Kind(own: 6)
    fileprivate static let consoleOutput = Kind(own: 7)
    fileprivate static let shrinking = Kind(own: 8)
    fileprivate static let editing = Kind(own: 9)
  }

  /// The kind in the upper 8 bits, which one of the kind in the others.
  fileprivate let subject: UInt64
  fileprivate let offset: UInt64

  @inline(__always)
  fileprivate init(subject: UInt64) {
    self.subject = subject
    offset = 0
  }

  /// The channel of a thing of some kind, of which only the lower 55 bits count, or of a place in it.
  @inline(__always)
  public init(_ kind: Kind, _ number: UInt64, offset: UInt64 = 0) {
    subject = UInt64(kind.raw) << 56 | number & (1 << 55 - 1)
    self.offset = offset
  }

  /// The number of its kind.
  @inline(__always)
  public var kindNumber: UInt8 { UInt8(truncatingIfNeeded: subject >> 56) }

  /// Whether this is a channel of some kind.
  @inline(__always)
  public func isOf(_ kind: Kind) -> Bool { subject >> 56 == UInt64(kind.raw) }

  /// Spreads channels over places; of which the upper bits are best.
  @inline(__always)
  public var hash: UInt64 { (subject ^ offset &* 0xff51_afd7_ed55_8ccd) &* 0x9e37_79b9_7f4a_7c15 }

  // MARK: Kinds

  /// The end of a transfer of `frame`.
  public static func page(_ frame: FrameNumber) -> WaitChannel { WaitChannel(.page, UInt64(frame.raw)) }
  /// Free frames.
  public static var frames: WaitChannel { WaitChannel(.frames, 0) }
  /// Free frames, for the superuser, who needs fewer of them to be free.
  public static var privilegedFrames: WaitChannel { WaitChannel(.frames, 1) }
  /// Kernel memory that a user's programs may have, who have all of it: free frames are of no use to whoever waits for that.
  public static var kernelMemory: WaitChannel { WaitChannel(.frames, 2) }
  /// Input on the console.
  public static var consoleInput: WaitChannel { WaitChannel(.consoleInput, 0) }
  /// Room for output on the console, or everything sent.
  public static var consoleOutput: WaitChannel { WaitChannel(.consoleOutput, 0) }
  /// A change of state of a child of the process in `slot`.
  public static func child(ofSlot slot: UInt32) -> WaitChannel { WaitChannel(.child, UInt64(slot)) }
  /// One's turn in a line of those who wait for the same thing.
  public static func turn(_ number: UInt32) -> WaitChannel { WaitChannel(.turn, UInt64(number)) }
  /// Nothing but a deadline or a signal.
  public static func sleep(slot: UInt32) -> WaitChannel { WaitChannel(.sleep, UInt64(slot)) }
  /// The end of the shrinking of an object.
  public static func shrinking(_ number: UInt32) -> WaitChannel { WaitChannel(.shrinking, UInt64(number)) }
  /// The end of a change of the map of the address space with this root.
  public static func editing(root: FrameNumber) -> WaitChannel { WaitChannel(.editing, UInt64(root.raw)) }

  /// Whether whoever waits on it waits for children.
  public var isForChildren: Bool { isOf(.child) }
  /// Whether this is a turn in a line.
  public var isTurn: Bool { isOf(.turn) }
  /// Whether what is waited for comes without the doing of any process: a page under way, free frames, the end of a
  /// shrinking or of a change of a map, which go on whatever becomes of their process.
  public var comesByItself: Bool { isOf(.page) || isOf(.frames) || isOf(.shrinking) || isOf(.editing) }
  /// Whether whoever waits on it waits for free frames, or for kernel memory.
  @inline(__always)
  public var isFrames: Bool { isOf(.frames) }
}

/// What a call or a fault has to wait for, and the page that must stay until its thread has had its turn: in one word, because
/// it is a part of what most operations of memory and files answer. It names things, no places in them.
public struct Wait: Equatable, BitwiseCopyable, Sendable {
  /// The channel's subject; `keepsFrame` is set when it is a frame that is kept.
  private let raw: UInt64
  private static let keepsFrame: UInt64 = 1 << 55

  /// Waits, and keeps nothing.
  @inline(__always)
  public init(_ channel: WaitChannel) {
    assert(channel.offset == 0 && channel.subject & Wait.keepsFrame == 0)
    raw = channel.subject
  }

  @inline(__always)
  private init(raw: UInt64) { self.raw = raw }

  /// Waits for the end of a transfer of `frame`, and keeps that: otherwise what was brought in could be gone by then.
  @inline(__always)
  public static func page(_ frame: FrameNumber) -> Wait { Wait(raw: WaitChannel.page(frame).subject | Wait.keepsFrame) }
  /// Waits for free frames.
  @inline(__always)
  public static var frames: Wait { Wait(.frames) }

  /// What wakes the thread.
  @inline(__always)
  public var channel: WaitChannel { WaitChannel(subject: raw & ~Wait.keepsFrame) }
  /// The frame that is kept, or `.none`.
  @inline(__always)
  public var keptFrame: FrameNumber {
    raw & Wait.keepsFrame == 0 ? .none : FrameNumber(UInt32(truncatingIfNeeded: raw))
  }
}

/// Wakes parked threads. A class rather than a protocol, so that a back reference can name one.
open class Waker: Nameable {
  /// Makes one.
  public init() {}
  /// Makes threads that are parked on `channel` try again, at most so many, in the order in which they parked; returns how
  /// many there were.
  @discardableResult
  open func wake(_ channel: WaitChannel, atMost count: Int) -> Int { 0 }
  /// Makes every thread that is parked on `channel` try again.
  public final func wake(_ channel: WaitChannel) { _ = wake(channel, atMost: Int.max) }
}
