// The console: bytes that arrived and were not read yet, and the way out (DESIGN, "Booted interface": input is raw).
//
// Invariants
// - The `count` bytes from `start` on, round the end of the buffer, are waiting, oldest first.
// - The device may interrupt for input exactly while the buffer has room. What finds none stays in the device, which holds
//   the sender back, silently: a device that goes on asking could not ask for anything else, since its interrupt is an edge.
// - Once `inputHasEnded` nothing more is taken from the device.

import Memory
public import Primitives

/// The console of the machine.
public final class Console {
  private let services: KernelServices
  private var input = [4096 of UInt8](repeating: 0)
  private var start = 0
  /// Bytes that wait to be read.
  public private(set) var count = 0

  /// Whether the input says where it ends: DLE EOT is its end, DLE DLE one DLE, everything else itself (kernel option
  /// `input=framed`). A serial line has no end of its own.
  public var inputIsFramed = false
  private var followsEscape = false
  /// Whether the end of the input has arrived; what arrived before it may still wait.
  public private(set) var inputHasEnded = false

  /// The notes that watch the console, through whichever file.
  var watchers = NoteList()

  /// The way out.
  public let output: ConsoleOutput

  init(_ services: KernelServices, outputByteCount: Int) {
    self.services = services
    output = ConsoleOutput(
      services, programByteCount: outputByteCount, reserveByteCount: FileLimits.consoleReserveByteCount,
      unitsPerEvent: FileLimits.consoleUnitsPerStep)
    services.consoleOutput = output
    services.processor.setConsoleInterrupts(.input)
  }

  private var hasRoom: Bool { count < FileLimits.consoleInputByteCount }

  /// Answers an interrupt of the device: takes what it has received, as far as there is room, gives it what it takes, and
  /// wakes those who wait.
  public func serve() {
    let before = count
    let hadEnded = inputHasEnded
    while hasRoom, let byte = services.processor.receiveFromConsole() {
      guard !inputIsFramed || isContent(byte) else { continue }
      input[(start + count) % FileLimits.consoleInputByteCount] = byte
      count += 1
    }
    if count > before || inputHasEnded != hadEnded { services.wake(.consoleInput) }
    output.drain()
    allowInterrupts()
  }

  /// Whether a byte of framed input is one for programs.
  private func isContent(_ byte: UInt8) -> Bool {
    if inputHasEnded { return false }
    guard followsEscape else {
      followsEscape = byte == FileLimits.consoleEscape
      return !followsEscape
    }
    followsEscape = false
    if byte == FileLimits.consoleEndOfInput { inputHasEnded = true }
    return !inputHasEnded
  }

  private func allowInterrupts() {
    var events = hasRoom ? ConsoleEvents.input : []
    if output.count > 0 { events.insert(.room) }
    services.processor.setConsoleInterrupts(events)
  }

  /// Copies the oldest waiting bytes, at most `limit` and what lies in one piece, to a program and removes them.
  func deliver(to address: VirtualAddress, limit: UInt64, _ space: AddressSpace) -> (UserCopyOutcome, byteCount: UInt64)
  {
    let byteCount = Int(min(UInt64(min(count, FileLimits.consoleInputByteCount - start)), limit))
    var progress = 0
    let piece = RawSpan(_elements: input.span.extracting(start..<start + byteCount))
    let outcome = space.copyOut(piece, to: address, progress: &progress)
    if case .complete = outcome {
      let wasFull = !hasRoom
      start = (start + byteCount) % FileLimits.consoleInputByteCount
      count -= byteCount
      // Nobody else would ask for what the device has kept: the machine may be asleep from now on.
      if wasFull && byteCount > 0 { allowInterrupts() }
    }
    return (outcome, UInt64(byteCount))
  }
}
