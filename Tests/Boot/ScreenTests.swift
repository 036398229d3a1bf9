// What is to be seen on a machine's screen, and what its keyboard gives.

import Foundation
import Testing

@Suite("Screen and keyboard", .enabled(if: BootFiles.areBooted))
struct ScreenTests {
  /// The rows that a screen shows of what went to the serial line: the last ones, cut at the eightieth column.
  private func rows(_ serial: [UInt8]) -> [String] {
    let lines = String(decoding: serial, as: UTF8.self).components(separatedBy: "\r\n")
    let rows = lines.flatMap { line in
      line.isEmpty ? [""] : stride(from: 0, to: line.count, by: 80).map { String(line.dropFirst($0).prefix(80)) }
    }
    var shown = Array(rows.suffix(25))
    while shown.last == "" { shown.removeLast() }
    return shown
  }

  @Test
  func `The GRUB image shows on the screen what goes to the serial line, in its colours`() throws {
    let machine = try WatchedMachine(["-cdrom", BootFiles.image])
    try machine.wait { try machine.isOff() }
    let picture = try machine.picture()
    let text = picture.text
    #expect(text == rows(machine.serial))
    let start = try #require(text.firstIndex { $0.hasPrefix("parent 1: /demonstration is descriptor 3") })
    #expect(
      text[(start + 3)...] == [
        "parent 1: child 2 answered 12345654321", "parent 1: unlinked, unmapped and closed",
        "martlet: process 1 exited with status 0", "martlet: nothing leaked",
      ])
    for (row, line) in text.enumerated() {
      #expect(
        picture.colors(ofRow: row) == (line.hasPrefix("parent") || line.hasPrefix("child") ? 0x07 : 0x0B), "\(line)")
    }
    // The picture itself, point by point.
    #expect(picture.wrongCells == [])
    #expect(picture.cursor == text.count * 80)
  }

  @Test
  func `A machine with a screen and no serial line shows everything`() throws {
    let machine = try WatchedMachine(["-cdrom", BootFiles.image], hasSerialLine: false)
    try machine.wait { try machine.isOff() }
    let text = try machine.text()
    #expect(text.first == "KTAP version 1")
    #expect(text.suffix(2) == ["martlet: process 1 exited with status 0", "martlet: nothing leaked"])
  }

  @Test
  func `The screen scrolls, further than the adapter's memory goes`() throws {
    // A row for each argument: three times what the memory holds, and some that are longer than a row.
    let words = (1...620).map { $0 % 100 == 0 ? String(repeating: "x", count: 200) : "w" }
    let files = "\(BootFiles.program("arguments")) \(words.joined(separator: " "))"
    let machine = try WatchedMachine(["-kernel", BootFiles.kernel, "-append", "quiet", "-initrd", files])
    try machine.wait { try machine.isOff() }
    let picture = try machine.picture()
    #expect(picture.text == rows(machine.serial) && picture.text.contains("argument 619: w"))
    #expect(picture.wrongCells == [])
  }

  @Test
  func `A panic is on the screen, in white on red`() throws {
    let machine = try WatchedMachine(["-kernel", BootFiles.kernel, "-append", "panic-test"])
    try machine.wait { try machine.text().contains { $0.hasPrefix("martlet:") && $0.contains("backtrace") } }
    let picture = try machine.picture()
    let row = try #require(picture.text.firstIndex(of: "martlet: panic: asked for by panic-test"))
    #expect(picture.colors(ofRow: row) == 0x4F && picture.wrongCells == [])
  }

  @Test
  func `What is typed at the keyboard is a program's input`() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let image = directory.appendingPathComponent("echo.iso").path
    let tool = BootFiles.package.appendingPathComponent("Boot/Tools/make-iso").path
    _ = try runTool(["PROGRAM=\(BootFiles.program("echo"))", "APPEND=selftest=clock:", tool, image])

    let machine = try WatchedMachine(["-cdrom", image])
    try machine.wait { try machine.text().contains { $0.contains("power-on to process 1") } }
    // Keys that are pressed together, and the bytes that this gives. One after the other: the keyboard remembers few.
    let hello: [([String], String)] = [
      (["h"], "h"), (["e"], "e"), (["l"], "l"), (["l"], "l"), (["o"], "o"), (["spc"], " "), (["shift", "w"], "W"),
      (["caps_lock"], ""), (["o"], "O"), (["r"], "R"), (["caps_lock"], ""), (["l"], "l"), (["d"], "d"),
      (["shift_r", "1"], "!"), (["ret"], "\r\n"),
    ]
    // Bytes that a screen does not show are on the serial line as they are.
    let others: [([String], String)] = [
      (["ctrl", "c"], "\u{3}"), (["ctrl_r", "d"], "\u{4}"), (["ctrl", "z"], "\u{1A}"), (["up"], "\u{1B}[A"),
      (["delete"], "\u{1B}[3~"), (["pgdn"], "\u{1B}[6~"), (["kp_enter"], "\r\n"), (["backspace"], "\u{8}"),
      (["tab"], "\t"), (["f1"], ""), (["esc"], "\u{1B}"), (["pause"], ""), (["a"], "a"), (["print"], ""), (["b"], "b"),
      (["alt", "c"], "c"), (["ret"], "\r\n"),
    ]
    let exit: [([String], String)] = [(["e"], "e"), (["x"], "x"), (["i"], "i"), (["t"], "t"), (["ret"], "\r\n")]
    var typed = machine.serial
    func type(_ presses: [([String], String)]) throws {
      for (keys, given) in presses {
        try machine.press(keys)
        typed += Array(given.utf8)
        try machine.wait { machine.serial.count >= typed.count }
      }
    }
    try type(hello)
    #expect(try machine.text().last == "hello WORld!")
    try type(others)
    try type(exit)
    try machine.wait { try machine.isOff() }
    #expect(machine.serial.starts(with: typed))
    #expect(try machine.text().suffix(2) == ["martlet: process 1 exited with status 0", "martlet: nothing leaked"])
  }

  @Test
  func `Keys wait in the keyboard while nobody reads, and none is stuck there`() throws {
    // The program reads nothing before its input is full. A key for moving gives three bytes: one is cut in the middle.
    let words = ["-kernel", BootFiles.kernel, "-append", "quiet", "-initrd", "\(BootFiles.program("echo")) 4096"]
    let machine = try WatchedMachine(words)
    try machine.wait { machine.serial.isEmpty == false }
    let start = "waiting\r\nfull\r\n"
    try machine.wait {
      for _ in 0..<10 {
        try machine.type(["up", "up", "up"])
        Thread.sleep(forTimeInterval: 0.002)
      }
      return machine.serial.count >= start.utf8.count
    }
    for _ in 0..<10 { try machine.type(["up", "up", "up"]) }
    // What the keyboard has kept comes by itself, behind what the console had room for.
    try machine.wait { machine.serial.count > start.utf8.count + 4096 }
    var last = 0
    try machine.wait {
      defer { last = machine.serial.count }
      Thread.sleep(forTimeInterval: 0.3)
      return machine.serial.count == last
    }
    for key in ["ret", "e", "x", "i", "t", "ret"] {
      let count = machine.serial.count
      try machine.press([key])
      try machine.wait { machine.serial.count > count }
    }
    try machine.wait { try machine.isOff() }
    let output = String(decoding: machine.serial, as: UTF8.self)
    #expect(output.hasSuffix("\u{1B}[A\r\nexit\r\n"))
    let sequences = output.dropFirst(start.count).dropLast("\r\nexit\r\n".count)
    #expect(output.hasPrefix(start))
    #expect(sequences.allSatisfy { "\u{1B}[A".contains($0) } && sequences.count > 4096 && sequences.count % 3 == 0)
  }
}
