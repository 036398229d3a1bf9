// The screen of a machine that has a video adapter in text mode. It shows what goes to the serial line, in the same order: what
// the kernel itself writes, and what programs do, in colours of their own.
//
// Without one nothing here costs anything but at start: programs' bytes come by only where the processor is a
// `TerminalProcessor`.

internal import Files
internal import Handover
internal import MachineSupport
internal import Memory

/// The screen. As the console, state outside an object, which a panic reaches without counting references.
enum Screen {
  /// Whether there is one.
  nonisolated(unsafe) private(set) static var isPresent = false
  /// Whether what the kernel writes is about its own failure.
  nonisolated(unsafe) static var showsFailure = false
  nonisolated(unsafe) private static var text = TextScreen(VideoMemory(), columns: columns, rows: rows)

  private static let columns = 80
  private static let rows = 25

  /// Looks for it and clears it, once, while the boot stub's page tables map memory where it is. The adapter itself is asked,
  /// but for a loader that left a picture.
  static func initialize(_ left: LoaderScreen) {
    guard unsafe !isPresent, left != .graphics else { return }
    guard VideoAdapter.showsText(columns: columns, rows: rows) else { return }
    unsafe isPresent = true
    VideoAdapter.showCursor()
    unsafe text.clear()
  }

  /// Finds the cells in the final page tables from now on.
  static func move(to tables: KernelPageTables) {
    guard unsafe isPresent, let address = tables.mapDevice(VideoMemory.physicalAddress) else { return }
    unsafe VideoMemory.address = address
  }

  /// Shows a byte of the kernel's own; the cursor follows at the end of a line.
  static func write(_ byte: UInt8) {
    guard unsafe isPresent else { return }
    unsafe text.write(byte, showsFailure ? .failure : .kernel)
    if byte == 0x0A { unsafe text.showCursor() }
  }

  /// Shows bytes from the kernel's ring: of programs, and what the kernel reports among them.
  static func write(_ bytes: RawSpan) {
    guard unsafe isPresent else { return }
    for index in 0..<bytes.byteCount {
      // SAFETY: the index is inside the span.
      unsafe text.write(bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self), .program)
    }
    unsafe text.showCursor()
  }

  /// Shows one of those bytes.
  static func writeWaiting(_ byte: UInt8) {
    guard unsafe isPresent else { return }
    unsafe text.write(byte, .program)
    if byte == 0x0A { unsafe text.showCursor() }
  }
}
