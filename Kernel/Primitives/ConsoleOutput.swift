// The way out to the console: what programs and the kernel wrote and the device has not taken yet.
//
// A ring lies between writers and the device. While it is empty, bytes go to the device at once, as many as it takes; the
// rest waits in the ring, and the device interrupts when it takes more. A line feed goes out as carriage return and line
// feed.
//
// Invariants
// - The `count` bytes from `start` on, round the end of the ring, were accepted and not sent, oldest first. If
//   `hasSentReturn`, the oldest is a line feed whose carriage return was sent. What is accepted is sent, and in order.
// - While bytes wait, the device has been asked to interrupt when it takes more.
// - Programs leave the last `reserveByteCount` bytes of the ring to lines of the kernel, which cannot wait. Lines that find
//   no room even there are counted, and a line that says so goes out before anything later does.
// - Whoever finds no room waits, and so do those who come later (`isClosed`), until half of what programs may use is free.
//   The last quarter of that is for those who have waited: whoever was woken first, and writes again and again while it is
//   its turn, leaves room for those who were woken with it.

/// The bytes on their way to the console of one kernel.
public final class ConsoleOutput: Nameable {
  private static let lineFeed: UInt8 = 0x0A

  private let services: BackReference<KernelServices>
  private let processor: Processor
  private var ring: [UInt8]
  private let programByteCount: Int
  private let unitsPerEvent: Int
  private let lineEnd: [2 of UInt8] = [0x0D, 0x0A]
  private var start = 0
  /// Bytes that were accepted and not sent.
  public private(set) var count = 0
  private var hasSentReturn = false
  /// Whether the last byte accepted was no line feed.
  private var isInsideLine = false
  /// Whether programs have to wait, until half of the ring is free.
  private var isClosed = false
  /// Whether somebody waits for room, or for everything to be sent.
  private var isAwaited = false
  private var missingLineCount: UInt64 = 0

  /// An empty ring; allocates for good, at boot.
  ///
  /// - Parameters:
  ///   - programByteCount: how much programs may have waiting.
  ///   - reserveByteCount: how much more the kernel's own lines may.
  ///   - unitsPerEvent: what is sent at most in one event, in units of `cost`.
  public init(_ services: KernelServices, programByteCount: Int, reserveByteCount: Int, unitsPerEvent: Int) {
    self.services = BackReference(services)
    processor = services.processor
    self.programByteCount = programByteCount
    self.unitsPerEvent = unitsPerEvent
    ring = Array(repeating: 0, count: programByteCount + reserveByteCount)
  }

  // MARK: What it costs

  /// What a byte costs that goes out: a line feed goes out as two, and moves a screen.
  @inline(__always)
  private static func cost(_ byte: UInt8) -> Int { byte == lineFeed ? 8 : 1 }

  /// How many of some bytes, at least one if there is any, can be handed over for what is left of `budget`; takes them off it.
  public static func affordable(_ bytes: Span<UInt8>, _ budget: inout Int) -> Int {
    var count = 0
    while count < bytes.count && budget > 0 {
      budget -= cost(bytes[count])
      count &+= 1
    }
    return count
  }

  // MARK: Writing

  /// How many bytes of a program are accepted now.
  @inline(__always)
  public func room(hasWaited: Bool) -> Int {
    if hasWaited { return max(0, programByteCount - count) }
    return isClosed ? 0 : max(0, programByteCount / 4 * 3 - count)
  }

  /// Accepts bytes of a program, as many as there is room for; says how many.
  public func write(_ bytes: Span<UInt8>, hasWaited: Bool) -> Int {
    let accepted = min(bytes.count, room(hasWaited: hasWaited))
    if accepted > 0 { accept(bytes.extracting(0..<accepted)) }
    return accepted
  }

  /// Somebody is going to wait on `WaitChannel.consoleOutput` for room.
  public func roomIsAwaited() {
    isAwaited = true
    isClosed = true
  }

  /// Somebody is going to wait on `WaitChannel.consoleOutput` until everything is sent.
  public func endIsAwaited() { isAwaited = true }

  /// Accepts a line of the kernel, which begins at column 0 and ends with its line feed.
  func write(line: ConsoleLine) {
    guard sayWhatIsMissing(), accept(line: line) else {
      missingLineCount += 1
      return
    }
  }

  private func accept(line: ConsoleLine) -> Bool {
    guard ring.count - count > line.span.count else { return false }
    if isInsideLine { accept(lineEnd.span.extracting(1..<2)) }
    accept(line.span)
    return true
  }

  /// Writes how many lines are missing, if any are; false if there is no room even for that.
  private func sayWhatIsMissing() -> Bool {
    guard missingLineCount > 0 else { return true }
    var line = ConsoleLine()
    line.append("martlet: lines missing here, for lack of room: ")
    line.append(missingLineCount)
    line.append(Self.lineFeed)
    guard accept(line: line) else { return false }
    missingLineCount = 0
    return true
  }

  @inline(__always)
  private func accept(_ bytes: Span<UInt8>) {
    isInsideLine = bytes[bytes.count &- 1] != Self.lineFeed
    var position = count == 0 ? send(bytes) : 0
    var end = start + count
    if end >= ring.count { end -= ring.count }
    count += bytes.count - position
    while position < bytes.count {
      ring[end] = bytes[position]
      position &+= 1
      end &+= 1
      if end == ring.count { end = 0 }
    }
  }

  // MARK: Sending

  /// Hands waiting bytes to the device, as many as it takes and one event may; wakes those who wait for that.
  public func drain() {
    var budget = unitsPerEvent
    while count > 0 && budget > 0 {
      // Only lent: it is not changed while it is sent.
      let bytes = ring
      let waiting = bytes.span.extracting(start..<start + min(count, ring.count - start))
      let wanted = ConsoleOutput.affordable(waiting, &budget)
      let sent = send(waiting.extracting(0..<wanted))
      start += sent
      if start == ring.count { start = 0 }
      count -= sent
      if sent < wanted { break }
    }
    if count > programByteCount / 2 { return }
    let wasClosed = isClosed
    isClosed = false
    if missingLineCount > 0 { _ = sayWhatIsMissing() }
    if wasClosed || count == 0 { wake() }
  }

  private func wake() {
    guard isAwaited else { return }
    isAwaited = false
    services.borrow { $0.wake(.consoleOutput) }
  }

  /// Hands bytes to the device, line feeds as two; returns how many of them it took.
  private func send(_ bytes: Span<UInt8>) -> Int {
    var position = 0
    while position < bytes.count {
      if bytes[position] == Self.lineFeed {
        guard sendLineEnd() else { return position }
        position &+= 1
        continue
      }
      var end = position &+ 1
      while end < bytes.count && bytes[end] != Self.lineFeed { end &+= 1 }
      let taken = processor.sendToConsole(RawSpan(_elements: bytes.extracting(position..<end)))
      position &+= taken
      if position < end { return position }
    }
    return position
  }

  private func sendLineEnd() -> Bool {
    let first = hasSentReturn ? 1 : 0
    let taken = processor.sendToConsole(RawSpan(_elements: lineEnd.span.extracting(first..<2)))
    hasSentReturn = first + taken == 1
    return first + taken == 2
  }

  /// The next byte as it goes out, for a machine that sends it itself: it is about to stop, or has something to say that
  /// does not wait.
  public func takeByte() -> UInt8? {
    guard count > 0 else { return nil }
    let byte = ring[start]
    if byte == Self.lineFeed && !hasSentReturn {
      hasSentReturn = true
      return lineEnd[0]
    }
    hasSentReturn = false
    start += 1
    if start == ring.count { start = 0 }
    count -= 1
    return byte
  }
}
