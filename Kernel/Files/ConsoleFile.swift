// /dev/console: reading and writing the console, and the questions of a terminal that it answers.

import ABI
import Memory
public import Primitives

/// An open console.
public final class ConsoleFile: DeviceFile {
  init(_ fileServices: FileServices, _ flags: FileFlags) {
    super.init(fileServices, .console, flags, isSeekable: false)
  }

  override var waitsForOthers: Bool { true }

  /// Gives what is there, waiting only while there is nothing.
  ///
  /// Throws EAGAIN instead of waiting when O_NONBLOCK is set.
  override func performRead(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    let console = fileServices.console
    while transfer.remaining > 0 && console.count > 0 {
      // A piece inside one page is copied whole or not at all, so input is never lost on the way.
      let (outcome, byteCount) = console.deliver(to: transfer.address, limit: transfer.bytesLeftInUserPage, space)
      switch outcome {
      case .complete: transfer.advance(byteCount)
      case .wait(let wait): return transfer.moved > 0 ? .complete : .wait(wait)
      default:
        if transfer.moved > 0 { return .complete }
        throw .efault
      }
    }
    if transfer.moved > 0 || console.inputHasEnded { return .complete }
    if flags.contains(.nonBlocking) { throw .eagain }
    return .wait(Wait(.consoleInput))
  }

  /// Hands over what there is room for, waiting for more until everything is.
  ///
  /// Throws EAGAIN instead of waiting for the first byte when O_NONBLOCK is set.
  override func performWrite(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    let output = fileServices.console.output
    var budget = FileLimits.consoleUnitsPerStep
    while transfer.remaining > 0 {
      if budget <= 0 { return .again }
      var buffer = [256 of UInt8](repeating: 0)
      let byteCount = Int(min(transfer.bytesLeftInUserPage, UInt64(FileLimits.consolePieceByteCount)))
      switch copyPiece(transfer.address, byteCount, &buffer, space) {
      case .complete:
        // A bad address is told before there is room for what it holds (tty(4) copies first, too).
        let affordable = ConsoleOutput.affordable(buffer.span.extracting(0..<byteCount), &budget)
        let accepted = output.write(buffer.span.extracting(0..<affordable), hasWaited: transfer.hasWaited)
        if accepted == 0 { return try waitForRoom(&transfer, output) }
        transfer.advance(UInt64(accepted))
      case .wait(let wait): return .wait(wait)
      default:
        if transfer.moved > 0 { return .complete }
        throw .efault
      }
    }
    return .complete
  }

  private func waitForRoom(_ transfer: inout Transfer, _ output: ConsoleOutput) throws(Errno) -> Progress {
    guard flags.contains(.nonBlocking) else {
      output.roomIsAwaited()
      transfer.hasWaited = true
      return .wait(Wait(.consoleOutput))
    }
    if transfer.moved > 0 { return .complete }
    throw .eagain
  }

  /// Waits until everything written is sent.
  public override func drainOutput() -> Progress {
    let output = fileServices.console.output
    if output.count == 0 { return .complete }
    output.endIsAwaited()
    return .wait(Wait(.consoleOutput))
  }

  private func copyPiece(
    _ address: VirtualAddress, _ byteCount: Int, _ buffer: inout [256 of UInt8], _ space: AddressSpace
  ) -> UserCopyOutcome {
    var progress = 0
    var span = buffer.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    var piece = bytes._mutatingExtracting(0..<byteCount)
    return space.copyIn(from: address, into: &piece, progress: &progress)
  }

  /// TIOCGETA says "raw, eight bits, line feeds go out as two bytes", TIOCGWINSZ 80 by 24, TIOCGETD the only discipline there
  /// is, FIONREAD and TIOCOUTQ how much waits to be read and to be sent. Nobody can make it the terminal of a session.
  override func performDeviceControl(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) {
    var span = data.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    switch request {
    case .nonBlocking, .asynchronous, .drainOutput: break
    case .bytesToSend: bytes.store(UInt32(fileServices.console.output.count), at: 0)
    case .bytesToRead: bytes.store(UInt32(fileServices.console.count), at: 0)
    case .getTerminalAttributes: TerminalAttributes.encodeRaw(into: &bytes)
    case .getLineDiscipline: bytes.store(TerminalAttributes.lineDiscipline, at: 0)
    case .setControllingTerminal: throw .eperm
    case .getWindowSize:
      bytes.store(TerminalAttributes.rowCount, at: 0)
      bytes.store(TerminalAttributes.columnCount, at: 2)
      bytes.store(UInt32(0), at: 4)
    default: throw .enotty
    }
  }

  override func attach(_ filter: EventFilter) throws(Errno) {
    guard filter == .read || filter == .write else { throw .einval }
  }

  override func readiness(_ filter: EventFilter, lowWater: Int64?) -> Readiness {
    let console = fileServices.console
    let count = filter == .read ? console.count : console.output.room(hasWaited: false)
    if filter == .write && count == 0 { console.output.roomIsAwaited() }
    var readiness = Readiness(Int64(count), isReady: count > 0)
    if filter == .read && console.inputHasEnded {
      readiness.isReady = true
      readiness.isEnd = true
    }
    return readiness
  }

  /// All that is open of the console has the same watchers.
  public override var watchers: NoteList {
    get { fileServices.console.watchers }
    set { fileServices.console.watchers = newValue }
  }

  /// The list of who watches outlives it.
  deinit { fileServices.watchers.fileIsGone(BackReference(self), fileServices.console.watchers.firstPoll) }

  /// Readable while input waits, writable while there is room.
  public override func poll(_ events: UInt16) -> UInt16 {
    var ready = readyPoll(events)
    if fileServices.console.count == 0 && !fileServices.console.inputHasEnded { ready &= ~PollEvents.readable }
    if ready & PollEvents.writable != 0 && fileServices.console.output.room(hasWaited: false) == 0 {
      ready &= ~PollEvents.writable
      fileServices.console.output.roomIsAwaited()
    }
    return ready
  }
}

/// `struct termios` and `struct winsize` as far as the console needs them (termios(4)).
enum TerminalAttributes {
  static let rowCount: UInt16 = 24
  static let columnCount: UInt16 = 80
  /// TTYDISC
  static let lineDiscipline: UInt32 = 0
  /// OPOST and ONLCR.
  private static let outputFlags: UInt32 = 0x3
  /// CS8, CREAD and CLOCAL.
  private static let controlFlags: UInt32 = 0x8b00
  private static let speed: UInt32 = 115_200

  /// 44 bytes: four words of flags, 20 control characters, two speeds.
  static func encodeRaw(into bytes: inout MutableRawSpan) {
    for offset in 0..<44 { bytes.store(UInt8(0), at: offset) }
    bytes.store(outputFlags, at: 4)
    bytes.store(controlFlags, at: 8)
    // MIN is 1: a read gives one byte at least.
    bytes.store(UInt8(1), at: 16 + 16)
    bytes.store(speed, at: 36)
    bytes.store(speed, at: 40)
  }
}
