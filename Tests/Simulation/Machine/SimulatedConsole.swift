// The console's device and the person behind it: a serial line whose interrupt is an edge, as it is on a PC.
//
// Invariants
// - The device's queue holds as much of what was typed as fits; the rest is held back.
// - `room` bytes are taken before the device wants to be waited for; somebody who reads all the time has room without end.
// - The line is up exactly while the device has something to say that it may interrupt for. It is going up that interrupts.

import Primitives

/// The device of a simulated console.
public final class SimulatedConsole {
  /// Bytes that the device keeps until the kernel takes them.
  private static let queueByteCount = 16

  private var typed: [UInt8] = []
  private var queue: [UInt8] = []
  private var lineIsUp = false
  private var isAskedForRoom = false
  /// Whether the device has interrupted and was not answered yet.
  public private(set) var interruptIsPending = false
  /// Bytes that the device takes now.
  public private(set) var room = Int.max
  /// Everything shown so far.
  public private(set) var output: [UInt8] = []

  /// A device with nothing to say.
  public init() {}

  /// Somebody types.
  public func type(_ bytes: some Sequence<UInt8>) {
    typed += bytes
    moveTyped()
  }

  /// Bytes typed that the kernel has not taken.
  public var untakenByteCount: Int { typed.count + queue.count }

  /// Takes the interrupt; whether there was one.
  public func takeInterrupt() -> Bool {
    defer { interruptIsPending = false }
    return interruptIsPending
  }

  /// What the device interrupts for; setting it takes the line down first.
  var interruptEvents: ConsoleEvents = [] {
    didSet {
      isAskedForRoom = false
      lineIsUp = false
      updateLine()
    }
  }

  func receive() -> UInt8? {
    guard !queue.isEmpty else { return nil }
    let byte = queue.removeFirst()
    updateLine()
    moveTyped()
    return byte
  }

  func show(_ bytes: [UInt8]) -> Int {
    let taken = min(bytes.count, room)
    output += bytes.prefix(taken)
    if isSlow { room -= taken }
    if taken < bytes.count { isAskedForRoom = true }
    updateLine()
    return taken
  }

  /// Whether whoever reads is waited for.
  public var isSlow: Bool { room != Int.max }

  /// Whoever reads the output reads no more than this, until told again.
  public func limitRoom(to byteCount: Int) {
    room = byteCount
    updateLine()
  }

  /// Room for this many more bytes.
  public func addRoom(_ byteCount: Int) { limitRoom(to: room > Int.max - byteCount ? Int.max : room + byteCount) }

  func takeOutput() -> [UInt8] {
    defer { output.removeAll() }
    return output
  }

  private func moveTyped() {
    let count = min(typed.count, Self.queueByteCount - queue.count)
    queue += typed.prefix(count)
    typed.removeFirst(count)
    updateLine()
  }

  private func updateLine() {
    let hasRoom = room > 0 && (isAskedForRoom || interruptEvents.contains(.room))
    let isUp = hasRoom || interruptEvents.contains(.input) && !queue.isEmpty
    if isUp && !lineIsUp { interruptIsPending = true }
    lineIsUp = isUp
  }
}
