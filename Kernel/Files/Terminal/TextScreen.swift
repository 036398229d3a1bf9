// A screen of text cells: what bytes do to cells and cursor. The memory that holds the cells, and what shows a part of it, is
// behind `TextMemory`: a video adapter, or a test.
//
// What is written behaves as on a plain terminal: a carriage return goes to the first column, a line feed one row down, a
// backspace one column back, a tab to the next eighth column. A row that is full is left only when another character comes:
// one that is exactly full and ends with a line feed leaves no empty row behind it. Escape sequences are swallowed whole, other
// control characters ignored. A character beyond ASCII is one square, however many bytes UTF-8 has for it.
//
// Scrolling moves what is shown, not what is stored: the screen is a window that moves down the memory, and is copied to the
// start when it has come to the end. So a line feed costs one row, and hardly ever a screen.
//
// Invariants
// - The window `top ..< top + rows * columns` lies in the memory; `top` is a multiple of `columns`.
// - `row < rows` and `column <= columns`; `column == columns` says that the row is full.

/// A cell of a text screen: a character's number in the adapter's set, and its colours.
public struct TextCell: Equatable, BitwiseCopyable, Sendable {
  /// The character in the low byte, the colours in the high one.
  public let rawValue: UInt16

  /// A character with its colours.
  @inline(__always)
  public init(_ character: UInt8, _ colors: TextColors) {
    rawValue = UInt16(colors.rawValue) << 8 | UInt16(character)
  }
}

/// Foreground and background of a cell, as video adapters number them.
public struct TextColors: Equatable, BitwiseCopyable, Sendable {
  /// The background in bits 4 to 6, the foreground below.
  public let rawValue: UInt8

  private init(_ rawValue: UInt8) { self.rawValue = rawValue }

  /// Light grey on black: what programs write.
  public static let program = TextColors(0x07)
  /// Light cyan on black: what the kernel says.
  public static let kernel = TextColors(0x0B)
  /// White on red: the end of a kernel that failed.
  public static let failure = TextColors(0x4F)
}

/// The cells of a text screen, more than are shown.
public protocol TextMemory {
  /// How many cells there are, from 0 on; at least twice what is shown.
  var cellCount: Int { get }
  /// Stores a cell.
  func store(_ cell: TextCell, at index: Int)
  /// Stores a cell in all of some whole rows.
  func fillRows(_ range: Range<Int>, with cell: TextCell)
  /// Copies whole rows to a place that does not overlap theirs.
  func copyRows(_ range: Range<Int>, to start: Int)
  /// Shows the cells from here on.
  func show(from start: Int)
  /// Shows the cursor at a cell.
  func showCursor(at index: Int)
}

/// The screen.
public struct TextScreen<Memory: TextMemory> {
  private enum EscapeState {
    case none
    /// Behind an escape character.
    case begun
    /// In a control sequence, which ends with a byte from 0x40 on.
    case inSequence
  }

  /// Where the cells are.
  public private(set) var memory: Memory
  private let columns: Int
  private let rows: Int
  private var top = 0
  private var row = 0
  private var column = 0
  private var escape = EscapeState.none

  /// A screen of this size, not yet shown.
  public init(_ memory: Memory, columns: Int, rows: Int) {
    self.memory = memory
    self.columns = columns
    self.rows = rows
  }

  /// Clears the screen and shows it, with the cursor in its first cell.
  public mutating func clear() {
    top = 0
    row = 0
    column = 0
    escape = .none
    memory.fillRows(0..<rows * columns, with: blank)
    memory.show(from: 0)
    showCursor()
  }

  private var blank: TextCell { TextCell(0x20, .program) }

  /// Puts the cursor where the next character goes: after the last byte of what is written in one piece.
  public func showCursor() {
    memory.showCursor(at: top + row * columns + min(column, columns - 1))
  }

  /// Writes a byte.
  public mutating func write(_ byte: UInt8, _ colors: TextColors) {
    guard escape == .none else { return skip(byte) }
    switch byte {
    case 0x20..<0x7F: put(byte, colors)
    case 0x08: column = max(0, min(column, columns - 1) - 1)
    case 0x09: column = min(columns - 1, (column | 7) + 1)
    case 0x0A: startRow()
    case 0x0D: column = 0
    case 0x1B: escape = .begun
    // The first byte of a character in UTF-8; the others, which begin with the bits 10, show nothing.
    case 0xC0...: put(0xFE, colors)
    default: break
    }
  }

  private mutating func skip(_ byte: UInt8) {
    switch escape {
    case .begun: escape = byte == UInt8(ascii: "[") ? .inSequence : .none
    case .inSequence where byte < 0x40: break
    default: escape = .none
    }
  }

  private mutating func put(_ character: UInt8, _ colors: TextColors) {
    if column == columns {
      startRow()
      column = 0
    }
    memory.store(TextCell(character, colors), at: top + row * columns + column)
    column += 1
  }

  /// Goes down one row, and scrolls in the last one.
  private mutating func startRow() {
    if row < rows - 1 {
      row += 1
      return
    }
    let cellCount = rows * columns
    let next = top + columns
    if next + cellCount <= memory.cellCount {
      top = next
    } else {
      memory.copyRows(next..<next + cellCount - columns, to: 0)
      top = 0
    }
    memory.fillRows(top + cellCount - columns..<top + cellCount, with: blank)
    memory.show(from: top)
  }
}
