// A VGA adapter, as far as text needs it: its memory of cells at 0xB8000, and the registers for what of it is shown and where
// the cursor is. IBM VGA/XGA Technical Reference, sections 2 and 4 (CRT controller, graphics controller).

internal import Files
internal import MachineSupport

/// The registers.
enum VideoAdapter {
  /// Registers of the CRT controller that hold the high byte of a cell's index; the next one holds the low byte.
  enum Place: UInt8 {
    case start = 0x0C
    case cursor = 0x0E
  }

  private static let controllerIndex: UInt16 = 0x3D4
  private static let graphicsIndex: UInt16 = 0x3CE
  /// In register 6 of the graphics controller: no points, and the memory at 0xB8000.
  private static let textMask: UInt8 = 0x0D
  private static let textAtB8000: UInt8 = 0x0C
  private static let linesInRow = 16

  private static func read(_ index: UInt16, _ number: UInt8) -> UInt8 {
    port_write8(index, number)
    return port_read8(index + 1)
  }

  private static func write(_ number: UInt8, _ value: UInt8) {
    port_write8(controllerIndex, number)
    port_write8(controllerIndex + 1, value)
  }

  /// Whether there is an adapter that shows text of this size from 0xB8000.
  static func showsText(columns: Int, rows: Int) -> Bool {
    guard keepsWhatIsWritten, read(graphicsIndex, 0x06) & textMask == textAtB8000 else { return false }
    let overflow = read(controllerIndex, 0x07)
    let lastLine =
      Int(read(controllerIndex, 0x12)) | Int(overflow & 0x02) << 7 | Int(overflow & 0x40) << 3
    return read(controllerIndex, 0x01) == UInt8(columns - 1) && lastLine == rows * linesInRow - 1
      && Int(read(controllerIndex, 0x09) & 0x1F) == linesInRow - 1
  }

  /// Whether the low byte of the cursor's place can be changed: where no adapter answers, every register reads the same.
  private static var keepsWhatIsWritten: Bool {
    let register = Place.cursor.rawValue + 1
    let old = read(controllerIndex, register)
    defer { write(register, old) }
    return keeps(0x55, register) && keeps(0xAA, register)
  }

  private static func keeps(_ value: UInt8, _ register: UInt8) -> Bool {
    write(register, value)
    return read(controllerIndex, register) == value
  }

  /// Makes the cursor two lines at the foot of its cell; a loader may have switched it off.
  static func showCursor() {
    write(0x0A, UInt8(linesInRow - 3))
    write(0x0B, UInt8(linesInRow - 2))
  }

  /// Sets one of the places.
  static func set(_ place: Place, _ index: Int) {
    write(place.rawValue, UInt8(truncatingIfNeeded: index >> 8))
    write(place.rawValue + 1, UInt8(truncatingIfNeeded: index))
  }
}

/// The memory: 32 KiB of cells.
struct VideoMemory: TextMemory {
  static let physicalAddress: UInt64 = 0xB8000
  /// Where it is mapped; the boot stub's page tables map it where it is.
  nonisolated(unsafe) static var address = physicalAddress

  private static let cellByteCount: UInt64 = 2
  /// What is written at once: four cells.
  private static let wordByteCount: UInt64 = 8

  var cellCount: Int { 16_384 }

  private func address(of index: Int) -> UInt64 {
    unsafe VideoMemory.address + VideoMemory.cellByteCount * UInt64(index)
  }

  func store(_ cell: TextCell, at index: Int) { memory_write16(address(of: index), cell.rawValue) }

  func fillRows(_ range: Range<Int>, with cell: TextCell) {
    let word = UInt64(cell.rawValue) * 0x0001_0001_0001_0001
    var place = address(of: range.lowerBound)
    let end = address(of: range.upperBound)
    while place < end {
      memory_write64(place, word)
      place &+= VideoMemory.wordByteCount
    }
  }

  func copyRows(_ range: Range<Int>, to start: Int) {
    var source = address(of: range.lowerBound)
    var target = address(of: start)
    let end = address(of: range.upperBound)
    while source < end {
      memory_write64(target, memory_read64(source))
      source &+= VideoMemory.wordByteCount
      target &+= VideoMemory.wordByteCount
    }
  }

  func show(from start: Int) { VideoAdapter.set(.start, start) }

  func showCursor(at index: Int) { VideoAdapter.set(.cursor, index) }
}
