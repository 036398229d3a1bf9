// A machine with a screen and a keyboard, and QEMU's own line of command (QMP) to look at the one and type at the other. It
// runs in real time, and stays as it is when it has switched itself off.

import Foundation
import Testing

/// A running machine; it ends with this object.
final class WatchedMachine {
  /// Something that QEMU did not do.
  struct Refusal: Error { let answer: String }

  static let columns = 80
  static let rows = 25

  private let machine = Process()
  private let commands = Pipe()
  private let answers = Pipe()
  private let directory: URL
  private var unread = Data()

  /// Starts it.
  ///
  /// - Parameters:
  ///   - words: what it starts from, and further words for QEMU.
  ///   - hasSerialLine: whether it has one, into a file.
  init(_ words: [String], hasSerialLine: Bool = true, timeLimit: Int = 120) throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    machine.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    machine.arguments =
      [
        "timeout", "--kill-after=5", "\(timeLimit)", "qemu-system-x86_64", "-accel", "tcg", "-cpu", measuredProcessor,
        "-m", "128M", "-nodefaults", "-vga", "std", "-display", "none", "-no-reboot", "-no-shutdown", "-qmp", "stdio",
        "-serial", hasSerialLine ? "file:\(file("serial"))" : "none",
      ] + words
    machine.standardInput = commands
    machine.standardOutput = answers
    machine.standardError = FileHandle.nullDevice
    try machine.run()
    _ = try nextObject()
    try command("qmp_capabilities")
  }

  deinit {
    // Not by a signal, which whoever runs the tests may have blocked.
    _ = try? command("quit")
    machine.waitUntilExit()
    try? FileManager.default.removeItem(at: directory)
  }

  private func file(_ name: String) -> String { directory.appendingPathComponent(name).path }

  /// What went to the serial line.
  var serial: [UInt8] { Array((try? Data(contentsOf: URL(fileURLWithPath: file("serial")))) ?? Data()) }

  // MARK: Commands

  /// Has QEMU do something; what it answers.
  @discardableResult
  func command(_ name: String, _ arguments: [String: Any] = [:]) throws -> Any {
    let request: [String: Any] = ["execute": name, "arguments": arguments]
    try commands.fileHandleForWriting.write(contentsOf: JSONSerialization.data(withJSONObject: request) + [0x0A])
    while true {
      let object = try nextObject()
      if let answer = object["return"] { return answer }
      if let error = object["error"] { throw Refusal(answer: "\(name): \(error)") }
    }
  }

  /// The next line of QEMU's: an answer, or an event.
  private func nextObject() throws -> [String: Any] {
    while true {
      if let end = unread.firstIndex(of: 0x0A) {
        let line = unread[unread.startIndex..<end]
        unread = Data(unread[(end + 1)...])
        return try JSONSerialization.jsonObject(with: line) as? [String: Any] ?? [:]
      }
      let piece = answers.fileHandleForReading.availableData
      if piece.isEmpty { throw Refusal(answer: "QEMU is gone") }
      unread += piece
    }
  }

  /// Whether it has switched itself off.
  func isOff() throws -> Bool {
    (try command("query-status") as? [String: Any])?["status"] as? String == "shutdown"
  }

  /// Waits, at most a minute, until something is so.
  func wait(until condition: () throws -> Bool) throws {
    let end = Date(timeIntervalSinceNow: 60)
    while Date() < end {
      if try condition() { return }
      Thread.sleep(forTimeInterval: 0.02)
    }
    Issue.record("what was waited for did not come; the screen shows:\n\(try text().joined(separator: "\n"))")
  }

  // MARK: The screen

  /// What is to be seen.
  struct Picture {
    /// The cells, row by row: the character below, its colours above.
    var cells: [UInt16]
    /// The cell with the cursor.
    var cursor: Int
    /// Red, green and blue of each point.
    var points: [UInt8]
    var pointsInRow: Int
    /// Sixteen rows of eight points for each character.
    var font: [UInt8]
  }

  /// Takes a picture, and what it was made of.
  func picture() throws -> Picture {
    try whileStopped {
      try command("screendump", ["filename": file("screen")])
      let start = try videoRegister(0x0C) << 8 | videoRegister(0x0D)
      let cursor = try videoRegister(0x0E) << 8 | videoRegister(0x0F)
      let (points, pointsInRow) = try Self.points(of: Data(contentsOf: URL(fileURLWithPath: file("screen"))))
      return Picture(
        cells: try cells(from: start), cursor: cursor - start, points: points, pointsInRow: pointsInRow,
        font: try font())
    }
  }

  /// The screen's rows, without the spaces at their ends and without empty rows at the foot.
  func text() throws -> [String] {
    try whileStopped { Self.text(of: try cells(from: try videoRegister(0x0C) << 8 | videoRegister(0x0D))) }
  }

  /// The rows of these cells, without the spaces at their ends and without empty rows at the foot.
  static func text(of cells: [UInt16]) -> [String] {
    var rows = stride(from: 0, to: cells.count, by: columns).map { start in
      let row = cells[start..<start + columns].map { UInt8(truncatingIfNeeded: $0) }
      return String(decoding: row, as: UTF8.self).replacingOccurrences(of: " +$", with: "", options: .regularExpression)
    }
    while rows.last == "" { rows.removeLast() }
    return rows
  }

  /// What the machine is at in the middle of a change would else be seen half done.
  private func whileStopped<Result>(_ look: () throws -> Result) throws -> Result {
    let wasRunning = (try command("query-status") as? [String: Any])?["running"] as? Bool ?? false
    if wasRunning { try command("stop") }
    defer { if wasRunning { _ = try? command("cont") } }
    return try look()
  }

  private func cells(from start: Int) throws -> [UInt16] {
    let bytes = try memory(at: 0xB8000 + 2 * start, byteCount: 2 * Self.columns * Self.rows)
    return stride(from: 0, to: bytes.count, by: 2).map { UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8 }
  }

  /// A register of the adapter's, whose index is left as the kernel had it.
  private func videoRegister(_ number: Int) throws -> Int {
    let old = try port("i /b 0x3d4")
    defer { _ = try? port("o /b 0x3d4 \(old)") }
    _ = try port("o /b 0x3d4 \(number)")
    return try port("i /b 0x3d5")
  }

  private func port(_ line: String) throws -> Int {
    let answer = try command("human-monitor-command", ["command-line": line]) as? String ?? ""
    let digits = answer.components(separatedBy: "= 0x").last?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    return Int(digits, radix: 16) ?? 0
  }

  private func memory(at address: Int, byteCount: Int) throws -> [UInt8] {
    try command("pmemsave", ["val": address, "size": byteCount, "filename": file("memory")])
    return Array(try Data(contentsOf: URL(fileURLWithPath: file("memory"))))
  }

  /// The font in the adapter's firmware, found by its letter A.
  private func font() throws -> [UInt8] {
    let letter: [UInt8] = [0, 0, 0x10, 0x38, 0x6C, 0xC6, 0xC6, 0xFE, 0xC6, 0xC6, 0xC6, 0xC6, 0, 0, 0, 0]
    let firmware = try memory(at: 0xC0000, byteCount: 0x10000)
    let place = Data(firmware).range(of: Data(letter))?.lowerBound
    let start = try #require(place) - 16 * 0x41
    return Array(firmware[start..<start + 16 * 256])
  }

  /// The points of a picture in the format P6.
  private static func points(of data: Data) throws -> ([UInt8], Int) {
    let words = data.prefix(40).split(whereSeparator: { $0 == 0x0A || $0 == 0x20 }).prefix(4)
    let pointsInRow = try #require(words.dropFirst().first.flatMap { Int(String(decoding: $0, as: UTF8.self)) })
    let header = words.reduce(0) { $0 + $1.count + 1 }
    return (Array(data.dropFirst(header)), pointsInRow)
  }

  // MARK: The keyboard

  /// Presses keys together and lets go of them, by QEMU's names ("shift", "a").
  func press(_ keys: [String]) throws { try send(keys.map { ($0, true) } + keys.reversed().map { ($0, false) }) }

  /// Presses keys one after the other, as many as the keyboard remembers.
  func type(_ keys: [String]) throws { try send(keys.flatMap { [($0, true), ($0, false)] }) }

  private func send(_ changes: [(key: String, isDown: Bool)]) throws {
    let events: [[String: Any]] = changes.map { change in
      let key: [String: Any] = ["type": "qcode", "data": change.key]
      return ["type": "key", "data": ["down": change.isDown, "key": key] as [String: Any]]
    }
    try command("input-send-event", ["events": events])
  }
}

extension WatchedMachine.Picture {
  /// The rows, without the spaces at their ends and without empty rows at the foot.
  var text: [String] { WatchedMachine.text(of: cells) }

  /// The colours of a row's first cell.
  func colors(ofRow row: Int) -> UInt8 { UInt8(cells[row * WatchedMachine.columns] >> 8) }

  /// The cells whose points are not those of their character in their colours; that of the cursor, which blinks, is left out.
  var wrongCells: [Int] {
    cells.indices.filter { cell in
      cell != cursor
        && (0..<16).contains { line in
          (0..<9).contains { column in point(cell, line, column) != expectedPoint(cell, line, column) }
        }
    }
  }

  private func point(_ cell: Int, _ line: Int, _ column: Int) -> [UInt8] {
    let y = cell / WatchedMachine.columns * 16 + line
    let x = cell % WatchedMachine.columns * 9 + column
    let start = 3 * (y * pointsInRow + x)
    return start + 3 <= points.count ? Array(points[start..<start + 3]) : []
  }

  /// The ninth column of a cell is empty.
  private func expectedPoint(_ cell: Int, _ line: Int, _ column: Int) -> [UInt8] {
    let isSet = column < 8 && font[Int(cells[cell] & 0xFF) * 16 + line] & (0x80 >> UInt8(column)) != 0
    return Self.color(UInt8(isSet ? cells[cell] >> 8 & 0x0F : cells[cell] >> 12 & 0x07))
  }

  /// The colours of the first adapters: blue, green, red, and brightness; dark yellow is brown. In the adapter their parts have
  /// six bits, which QEMU makes eight.
  private static func color(_ number: UInt8) -> [UInt8] {
    let parts: [UInt8] = number & 8 != 0 ? [0x57, 0xFF] : [0, 0xA8]
    return number == 6 ? [0xA8, 0x57, 0] : [4, 2, 1].map { parts[number & $0 != 0 ? 1 : 0] }
  }
}
