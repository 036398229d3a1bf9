// The console's device and the person behind it: a serial line whose interrupt is an edge, as it is on a PC.
//
// Invariants
// - The device's queue holds as much of what was typed as fits; the rest is held back.
// - The line is up exactly while the device has something to say that it may interrupt for. It is going up that interrupts.

import Memory

/// The device of a simulated console.
public final class SimulatedConsole {
  /// Bytes that the device keeps until the kernel takes them.
  private static let queueByteCount = 16

  private var typed: [UInt8] = []
  private var queue: [UInt8] = []
  private var lineIsUp = false
  /// Whether the device has interrupted and was not answered yet.
  public private(set) var interruptIsPending = false
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

  func show(_ byte: UInt8) { output.append(byte) }

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
    let isUp = interruptEvents.contains(.input) && !queue.isEmpty
    if isUp && !lineIsUp { interruptIsPending = true }
    lineIsUp = isUp
  }
}
