// How the run ended, in words: on the console, and on QEMU's debug console (port 0xE9), where `make run` reads it. The second
// is written even when the console is quiet, and no program can write there.

internal import Handover
internal import MachineSupport
internal import Primitives
public import SystemCalls

/// The report of a run.
public enum HostReport {
  /// The port of QEMU's debug console, where it usually is.
  static let debugConsole: UInt16 = 0xE9
  /// The port of a second one, for `make run TRACE=1`.
  static let traceConsole: UInt16 = 0xEA
  private static let stoppedStatus: Int32 = 0x7F

  /// Whether QEMU's debug console is there: it answers with its own number.
  private static var hasDebugConsole: Bool { port_read8(debugConsole) == UInt8(debugConsole) }

  /// Hands a text to a debug console; false when that is not there. The second one answers with the number of the first, too.
  static func send(_ bytes: RawSpan, _ port: UInt16) -> Bool {
    guard port_read8(port) == UInt8(debugConsole) else { return false }
    for index in 0..<bytes.byteCount {
      // SAFETY: the index is inside the span.
      port_write8(port, unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self))
    }
    return true
  }

  /// Says how process 1 ended and what was left behind.
  public static func write(_ report: ExitReport) {
    let signal = report.status & stoppedStatus
    if signal == 0 {
      write("process 1 exited with status ", UInt64(report.status >> 8 & 0xFF))
    } else {
      write("process 1 was killed by signal ", UInt64(signal))
    }
    if report.hasViolation {
      logLine("an inspection found a violation")
      sendToHost("an inspection found a violation\n")
    }
    guard report.hasLeaks else { return logLine("nothing leaked") }
    write("leaked frames: ", report.leakedFrameCount)
    write("leaked objects: ", report.leakedObjectCount)
    write("leaked heap bytes: ", report.leakedHeapByteCount)
    write("leaked swap blocks: ", report.leakedSwapBlockCount)
  }

  /// Says that process 1 could not be started, and why.
  public static func writeRefusal(_ reason: StaticString) {
    if unsafe !MachineConsole.isQuiet {
      MachineConsole.beginLine()
      MachineConsole.write("process 1 cannot be started: ")
      MachineConsole.write(reason)
      MachineConsole.write(0x0A)
    }
    sendToHost("process 1 cannot be started: ")
    sendToHost(reason)
    sendToHost("\n")
  }

  /// Says why the kernel does not start on this machine, or on what the boot loader handed over, and ends the run.
  static func refuseStart(_ refusal: BootRefusal) -> Never { refuseStart(refusal.reason, refusal.subject) }

  /// The same for what the machine lacks.
  static func refuseStart(_ reason: StaticString, _ subject: [UInt8] = []) -> Never {
    if unsafe !MachineConsole.isQuiet {
      MachineConsole.beginLine()
      MachineConsole.write(reason)
      for byte in shown(subject) { MachineConsole.write(byte) }
      MachineConsole.write(0x0A)
    }
    sendToHost(reason)
    if hasDebugConsole { for byte in shown(subject) { port_write8(debugConsole, byte) } }
    sendToHost("\n")
    leaveMachine(.failure)
  }

  /// The start of a text that somebody else wrote, without what could pass for more than text.
  private static func shown(_ text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for byte in text.prefix(64) { result.append(byte >= 0x20 && byte < 0x7F ? byte : UInt8(ascii: "?")) }
    return result
  }

  private static func write(_ text: StaticString, _ value: Int) {
    if value > 0 { write(text, UInt64(value)) }
    if value < 0 { write(text, UInt64(-value)) }
  }

  private static func write(_ text: StaticString, _ value: UInt64) {
    logLine(text, value, "")
    sendToHost(text)
    guard hasDebugConsole else { return }
    var divisor: UInt64 = 1
    while value / divisor >= 10 { divisor *= 10 }
    while divisor > 0 {
      port_write8(debugConsole, UInt8(value / divisor % 10) + UInt8(ascii: "0"))
      divisor /= 10
    }
    sendToHost("\n")
  }

  private static func sendToHost(_ text: StaticString) {
    guard hasDebugConsole else { return }
    // SAFETY: the index is below the text's length.
    for index in 0..<text.utf8CodeUnitCount { port_write8(debugConsole, unsafe text.utf8Start[index]) }
  }
}
