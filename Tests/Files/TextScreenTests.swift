// The text screen: what bytes do to cells, cursor and what is shown, against a screen that keeps every row it ever had.

import Files
import Simulation
import Testing

/// An adapter's memory, with everything that was asked of it.
private final class Adapter: TextMemory {
  let cellCount: Int
  var cells: [UInt16]
  var start = -1
  var cursor = -1
  var copyCount = 0

  init(cellCount: Int) {
    self.cellCount = cellCount
    // What a loader left.
    cells = Array(repeating: 0x4F58, count: cellCount)
  }

  func store(_ cell: TextCell, at index: Int) { cells[index] = cell.rawValue }

  func fillRows(_ range: Range<Int>, with cell: TextCell) {
    for index in range { cells[index] = cell.rawValue }
  }

  func copyRows(_ range: Range<Int>, to start: Int) {
    #expect(!range.overlaps(start..<start + range.count))
    copyCount += 1
    for (offset, index) in range.enumerated() { cells[start + offset] = cells[index] }
  }

  func show(from start: Int) { self.start = start }

  func showCursor(at index: Int) { cursor = index }
}

/// A screen of six rows and ten columns in memory for thirty rows.
private struct Terminal {
  static let columns = 10
  static let rows = 6
  let adapter: Adapter
  var screen: TextScreen<Adapter>

  init(rowsInMemory: Int = 30) {
    adapter = Adapter(cellCount: rowsInMemory * Self.columns + 7)
    screen = TextScreen(adapter, columns: Self.columns, rows: Self.rows)
    screen.clear()
  }

  mutating func write(_ text: String, _ colors: TextColors = .program) { write(Array(text.utf8), colors) }

  mutating func write(_ bytes: [UInt8], _ colors: TextColors = .program) {
    for byte in bytes { screen.write(byte, colors) }
    screen.showCursor()
  }

  /// What is to be seen, without the spaces at the ends of rows.
  var shown: [String] {
    (0..<Self.rows).map { row in
      let start = adapter.start + row * Self.columns
      let bytes = adapter.cells[start..<start + Self.columns].map { UInt8(truncatingIfNeeded: $0) }
      let text = bytes.map { $0 == 0xFE ? "■" : String(UnicodeScalar($0)) }.joined()
      return String(text.reversed().drop { $0 == " " }.reversed())
    }
  }

  /// Row and column of the cursor.
  var cursor: [Int] {
    let index = adapter.cursor - adapter.start
    return [index / Self.columns, index % Self.columns]
  }
}

@Suite struct TextScreenTests {
  @Test func `a screen begins empty, whatever was on it`() {
    let terminal = Terminal()
    #expect(terminal.shown == ["", "", "", "", "", ""] && terminal.cursor == [0, 0] && terminal.adapter.start == 0)
  }

  @Test(arguments: [
    ("ab\r\ncd", ["ab", "cd"], [1, 2]),
    ("ab\ncd", ["ab", "  cd"], [1, 4]),
    ("abc\rx", ["xbc"], [0, 1]),
    ("abc\u{8}\u{8}x", ["axc"], [0, 2]),
    ("\u{8}a", ["a"], [0, 1]),
    ("a\tb", ["a       b"], [0, 9]),
    ("\t\t\tb", ["         b"], [0, 9]),
    ("0123456789", ["0123456789"], [0, 9]),
    ("0123456789a", ["0123456789", "a"], [1, 1]),
    ("0123456789\r\nb", ["0123456789", "b"], [1, 1]),
    ("0123456789\u{8}b", ["01234567b9"], [0, 9]),
    ("0123456789\rb", ["b123456789"], [0, 1]),
    ("a\u{0}\u{7}\u{7F}b", ["ab"], [0, 2]),
    ("aé…😀b", ["a■■■b"], [0, 5]),
    ("a\u{1B}[1;31mb\u{1B}[0mc\u{1B}Md", ["abcd"], [0, 4]),
  ])
  func `bytes do what they do on a plain terminal`(text: String, rows: [String], cursor: [Int]) {
    var terminal = Terminal()
    terminal.write(text)
    #expect(terminal.shown == rows + Array(repeating: "", count: Terminal.rows - rows.count))
    #expect(terminal.cursor == cursor)
  }

  @Test func `a byte that begins no character of UTF-8 shows nothing, and loses nothing`() {
    var terminal = Terminal()
    terminal.write([0x61, 0x80, 0xBF, 0x62, 0xFF, 0x63])
    #expect(terminal.shown[0] == "ab■c")
  }

  @Test func `cells have the colours that they were written with, and new rows those of programs`() {
    var terminal = Terminal()
    terminal.write("a", .kernel)
    terminal.write("b", .failure)
    terminal.write("c")
    #expect(terminal.adapter.cells[0..<4] == [0x0B61, 0x4F62, 0x0763, 0x0720])
    terminal.write(String(repeating: "\r\n", count: 6), .failure)
    #expect(terminal.adapter.cells[terminal.adapter.start + 50] == 0x0720)
  }

  @Test(arguments: [12, 13, 30])
  func `what is shown is the last rows, however often the window comes to the end of the memory`(rowsInMemory: Int) {
    var terminal = Terminal(rowsInMemory: rowsInMemory)
    var all: [String] = []
    for number in 0..<200 {
      all.append("row \(number)")
      terminal.write((number == 0 ? "" : "\r\n") + "row \(number)", number % 2 == 0 ? .kernel : .program)
      let last = Array(all.suffix(Terminal.rows))
      #expect(terminal.shown == last + Array(repeating: "", count: Terminal.rows - last.count))
      #expect(terminal.cursor == [min(number, Terminal.rows - 1), "row \(number)".count])
    }
    // A copy for as many rows as there are beside the screen.
    #expect(terminal.adapter.copyCount == 194 / (rowsInMemory - Terminal.rows + 1))
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `any bytes leave the screen sound`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var terminal = Terminal(rowsInMemory: 12 + random.number(below: 20))
    let special: [UInt8] = [0x08, 0x09, 0x0A, 0x0D, 0x1B, 0x5B, 0x6D, 0xC3, 0xA9, 0x20]
    for _ in 0..<2000 {
      let byte = random.chance(oneIn: 2) ? UInt8(random.number(below: 256)) : random.pick(special) ?? 0
      terminal.write([byte])
      #expect((0..<Terminal.rows).contains(terminal.cursor[0]) && (0..<Terminal.columns).contains(terminal.cursor[1]))
      #expect(terminal.adapter.start % Terminal.columns == 0)
    }
    // Out of an escape sequence that may have begun.
    terminal.write("mm\r\n\r\n\r\n\r\n\r\n\r\nend")
    #expect(terminal.shown == ["", "", "", "", "", "end"])
  }
}
