// The processor of a machine with a screen: what the serial line takes is shown, and what is typed at the keyboard is input as
// what comes by the line is. A class of its own, so that a machine without a screen pays nothing for it.

internal import MachineSupport
internal import Primitives

/// The real processor, with screen and keyboard beside the serial line.
final class TerminalProcessor: MachineProcessor {
  /// Hands bytes to the serial line, as many as it takes, and shows those.
  override func sendToConsole(_ bytes: RawSpan) -> Int {
    let sent = super.sendToConsole(bytes)
    if sent > 0 { Screen.write(bytes.extracting(0..<sent)) }
    return sent
  }

  /// The oldest byte from the keyboard, or else from the serial line. The keyboard first: it gives few at a time, and the line
  /// might never have none.
  override func receiveFromConsole() -> UInt8? { Keyboard.read() ?? super.receiveFromConsole() }

  /// Chooses what both interrupt for.
  override func setConsoleInterrupts(_ events: ConsoleEvents) {
    super.setConsoleInterrupts(events)
    Keyboard.setInterrupts(events.contains(.input))
  }
}
