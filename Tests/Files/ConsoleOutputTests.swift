// The console's way out when whoever reads it is slow.

import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

@Suite("Console output")
struct ConsoleOutputTests {
  private static let capacity = FileLimits.consoleOutputByteCount
  /// What those may fill who have not waited.
  private static let freshCapacity = capacity / 4 * 3

  /// A machine whose console takes nothing until told, and an open console.
  private func withSlowConsole(room: Int = 0, _ body: (Machine, OpenFile) throws -> Void) throws {
    try withMachine { machine in
      let descriptor = try machine.files.openConsole(into: machine.table)
      machine.processor.console.limitRoom(to: room)
      try body(machine, try machine.table.file(at: descriptor))
    }
  }

  /// A text in which a few line feeds stand, some next to each other.
  private static func text(_ count: Int) -> [UInt8] {
    var text: [UInt8] = []
    for index in 0..<count { text.append(index % 37 < 2 ? 10 : 33 + UInt8(index % 90)) }
    return text
  }

  private static func shown(_ bytes: [UInt8]) -> [UInt8] { bytes.flatMap { $0 == 10 ? [13, 10] : [$0] } }

  /// Goes on with a write until it is done or waits.
  private func write(_ transfer: inout Transfer, _ file: OpenFile, _ machine: Machine) throws(Errno) -> Progress {
    var progress = Progress.again
    while progress == .again { progress = try file.write(&transfer, machine.space) }
    return progress
  }

  @Test(arguments: [1, 2, 3, 16, 1000])
  func `Every byte comes out, in order, however few the device takes at a time`(bytesAtATime: Int) throws {
    try withSlowConsole { machine, file in
      let text = Self.text(20_000)
      #expect(machine.store(text, at: Machine.buffer))
      var transfer = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: UInt64(text.count))
      #expect(try write(&transfer, file, machine) == .complete && transfer.moved == UInt64(text.count))
      #expect(machine.processor.consoleOutput.isEmpty)
      while machine.files.console.output.count > 0 {
        machine.processor.console.addRoom(bytesAtATime)
        machine.answerConsole()
      }
      #expect(machine.processor.takeConsoleOutput() == Self.shown(text))
    }
  }

  @Test
  func `A writer waits while the ring is full, is woken when half of it is free, and loses nothing round its end`()
    throws
  {
    try withSlowConsole { machine, file in
      let text = Self.text(3 * Self.capacity)
      #expect(machine.store(text, at: Machine.buffer))
      var transfer = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: UInt64(text.count))
      var progress = try write(&transfer, file, machine)
      #expect(progress == .wait(Wait(.consoleOutput)) && transfer.moved == UInt64(Self.freshCapacity))
      #expect(machine.waker.channels.isEmpty && file.poll(0x5) == 0)
      var output: [UInt8] = []
      while progress != .complete {
        machine.waker.channels = []
        while machine.waker.channels.isEmpty {
          // Others who come meanwhile wait too, even where there is some room again.
          #expect(machine.files.console.output.room(hasWaited: false) == 0)
          machine.processor.console.addRoom(1000)
          machine.answerConsole()
        }
        #expect(machine.waker.channels == [.consoleOutput] && file.poll(0x5) == 4)
        #expect(machine.files.console.output.count <= Self.capacity / 2)
        progress = try write(&transfer, file, machine)
        output += machine.processor.takeConsoleOutput()
      }
      machine.processor.console.limitRoom(to: .max)
      machine.answerConsole()
      #expect(output + machine.processor.takeConsoleOutput() == Self.shown(text))
      #expect(transfer.moved == UInt64(text.count))
    }
  }

  @Test
  func `With O_NONBLOCK a write gives what it moved, and EAGAIN when that is nothing`() throws {
    try withSlowConsole { machine, file in
      try file.setStatusFlags(.nonBlocking)
      #expect(machine.store([UInt8](repeating: 65, count: Self.capacity + 5000), at: Machine.buffer))
      var transfer = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: UInt64(Self.capacity + 5000))
      #expect(try write(&transfer, file, machine) == .complete && transfer.moved == UInt64(Self.freshCapacity))
      var next = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 1)
      #expect(error { () throws(Errno) in _ = try write(&next, file, machine) } == .eagain)
      // A bad address is told whether or not there is room for what it holds.
      var bad = try Transfer(address: VirtualAddress(0x1000), byteCount: 1)
      #expect(error { () throws(Errno) in _ = try write(&bad, file, machine) } == .efault)
      machine.processor.console.limitRoom(to: .max)
      while machine.processor.console.takeInterrupt() { machine.files.console.serve() }
      #expect(machine.processor.takeConsoleOutput().count == Self.freshCapacity)
      #expect(try write(&next, file, machine) == .complete && next.moved == 1)
    }
  }

  @Test
  func `Lines of the kernel come in order, at column 0, and find room when programs do not`() throws {
    try withSlowConsole { machine, file in
      var text = [UInt8](repeating: 65, count: Self.freshCapacity)
      #expect(machine.store(text, at: Machine.buffer))
      var transfer = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: UInt64(text.count))
      #expect(try write(&transfer, file, machine) == .complete)
      machine.system.services.report { $0.append("one") }
      machine.system.services.report { $0.append("two") }
      var next = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 3)
      #expect(try write(&next, file, machine) == .wait(Wait(.consoleOutput)))
      machine.processor.console.limitRoom(to: .max)
      machine.answerConsole()
      #expect(try write(&next, file, machine) == .complete)
      text += Array("\r\nmartlet: one\r\nmartlet: two\r\nAAA".utf8)
      #expect(machine.processor.takeConsoleOutput() == text)
    }
  }

  @Test
  func `Lines of the kernel that find no room even in their reserve are counted where they are missing`() throws {
    try withSlowConsole { machine, _ in
      let lineCount = 12_000
      for number in 0..<lineCount { machine.system.services.report { $0.append(UInt64(number)) } }
      machine.processor.console.limitRoom(to: .max)
      machine.answerConsole()
      machine.system.services.report { $0.append("last") }
      let lines = String(decoding: machine.processor.takeConsoleOutput(), as: UTF8.self).split(separator: "\r\n")
      let kept = lines.count - 2
      #expect(kept > 4000 && kept < lineCount)
      #expect(lines.prefix(kept) == (0..<kept).map { "martlet: \($0)" }[...])
      #expect(lines[kept] == "martlet: lines missing here, for lack of room: \(lineCount - kept)")
      #expect(lines[kept + 1] == "martlet: last")
    }
  }

  @Test
  func `TIOCOUTQ tells what waits to be sent, and TIOCDRAIN waits for it`() throws {
    try withSlowConsole(room: 10) { machine, file in
      #expect(file.drainOutput() == .complete)
      #expect(machine.store([UInt8](repeating: 65, count: 30), at: Machine.buffer))
      var transfer = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 30)
      #expect(try write(&transfer, file, machine) == .complete)
      var data = [64 of UInt8](repeating: 0xff)
      try file.control(.bytesToSend, &data)
      #expect(data.span.loadUInt32(at: 0) == 20)
      #expect(file.drainOutput() == .wait(Wait(.consoleOutput)) && machine.waker.channels.isEmpty)
      machine.processor.console.addRoom(20)
      machine.answerConsole()
      #expect(machine.waker.channels == [.consoleOutput] && file.drainOutput() == .complete)
      let null = try machine.table.file(at: try machine.open("/dev/null", .readWrite))
      #expect(error { () throws(Errno) in try null.control(.drainOutput, &data) } == .enotty)
      #expect(error { () throws(Errno) in try null.control(.bytesToSend, &data) } == .enotty)
    }
  }

  @Test(arguments: 0..<6)
  func `What waits can be taken byte by byte, as it would have gone out`(room: Int) throws {
    try withSlowConsole(room: room) { machine, file in
      let text = Array("ab\n\nc".utf8)
      #expect(machine.store(text, at: Machine.buffer))
      var transfer = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: UInt64(text.count))
      #expect(try write(&transfer, file, machine) == .complete)
      var output = machine.processor.takeConsoleOutput()
      #expect(output.count == room)
      while let byte = machine.files.console.output.takeByte() { output.append(byte) }
      #expect(output == Array("ab\r\n\r\nc".utf8) && machine.files.console.output.count == 0)
    }
  }

  @Test
  func `Input and output share one edge: neither is forgotten for the other`() throws {
    try withSlowConsole { machine, file in
      #expect(machine.store([UInt8](repeating: 65, count: 5000), at: Machine.buffer))
      var random = SeededGenerator(seed: 7)
      var typed = 0
      var written = 0
      var received = 0
      for _ in 0..<3000 {
        switch random.number(below: 4) {
        case 0:
          machine.processor.console.type([UInt8](repeating: 66, count: random.number(below: 40)))
          typed = machine.processor.console.untakenByteCount + machine.files.console.count + received
        case 1: machine.processor.console.addRoom(random.number(below: 40))
        case 2:
          var transfer = try Transfer(
            address: VirtualAddress(Machine.buffer), byteCount: UInt64(1 + random.number(below: 60)))
          if try write(&transfer, file, machine) != .wait(Wait(.consoleOutput)) { written += Int(transfer.moved) }
        default:
          if machine.files.console.count > 0 { received += try machine.read(0, 1 + random.number(below: 30)).count }
        }
        // Sometimes the processor has interrupts off for a while.
        if random.chance(oneIn: 3) { machine.answerConsole() }
      }
      for _ in 0..<10_000 where machine.processor.consoleOutput.count < written || received < typed {
        machine.processor.console.addRoom(16)
        machine.answerConsole()
        if machine.files.console.count > 0 { received += try machine.read(0, 1000).count }
      }
      #expect(machine.processor.consoleOutput.count == written && received == typed)
    }
  }

  @Test func `a line feed costs what eight other bytes do`() {
    var budget = 20
    let text = Array("ab\n\ncd\n".utf8)
    #expect(ConsoleOutput.affordable(text.span, &budget) == 6 && budget == 0)
    budget = 19
    // What goes beyond is handed over, too: at least one byte always is.
    #expect(ConsoleOutput.affordable(text.span.extracting(2..<7), &budget) == 5 && budget == -7)
    #expect(ConsoleOutput.affordable(text.span, &budget) == 0)
    budget = 1
    #expect(ConsoleOutput.affordable(text.span.extracting(2..<3), &budget) == 1)
    #expect(ConsoleOutput.affordable(text.span.extracting(0..<0), &budget) == 0)
  }

  @Test func `a write of line feeds goes out in small steps`() throws {
    try withSlowConsole(room: 10_000) { machine, file in
      #expect(machine.store([UInt8](repeating: 10, count: 200), at: Machine.buffer))
      var transfer = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 200)
      var steps: [UInt64] = []
      var progress = Progress.again
      while progress == .again && steps.count < 10 {
        let before = transfer.moved
        progress = try file.write(&transfer, machine.space)
        steps.append(transfer.moved - before)
      }
      #expect(progress == .complete && steps == [56, 56, 56, 32])
      #expect(machine.processor.takeConsoleOutput().count == 400)
    }
  }
}
