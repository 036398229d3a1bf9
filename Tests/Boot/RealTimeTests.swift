// The console in real time: QEMU's clock is the host's, and the host reads slowly and types early.

import Foundation
import Testing

@Suite("The console in real time", .enabled(if: BootFiles.areBooted))
struct RealTimeTests {
  /// a to z, round and round.
  static func alphabet(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(ascii: "a") + UInt8($0 % 26) } }

  @Test(arguments: [1, 4096, 4097, 20_000])
  func `Input that arrives before the program reads is all there, and the rest of it comes`(byteCount: Int) throws {
    let result = try bootInRealTime(
      program: "terminal", arguments: "read 300 \(byteCount)", append: "quiet",
      host: SlowHost(types: [SlowHost.Typing(Self.alphabet(byteCount))]))
    #expect(result.exit == .success, "\(result)")
    #expect(result.output == "received \(byteCount)\r\n", "\(result)")
  }

  /// Somebody who looks away for a second and reads a page at a time then.
  static let slow = SlowHost(readsAfterMilliseconds: 1000, bytesPerRead: 4096, millisecondsBetweenReads: 3)

  @Test
  func `A host that reads slowly gets every byte, also those that waited when the program ended`() throws {
    let result = try bootInRealTime(
      program: "terminal", arguments: "write 245760 26000", append: "quiet", host: Self.slow)
    #expect(result.exit == .success, "\(result.exit) \(result.report)")
    #expect(Array(result.output.utf8) == Self.alphabet(245_760), "\(result.output.utf8.count) bytes")
  }

  @Test
  func `While one process waits for a host that does not read, others run`() throws {
    let result = try bootInRealTime(program: "terminal", arguments: "beside 260000", append: "quiet", host: Self.slow)
    #expect(result.exit == .success, "\(result.exit) \(result.report)")
    #expect(Array(result.output.utf8.prefix(260_000)) == Self.alphabet(260_000))
    let line = try #require(result.lines.first { $0.contains(" sleeps, ") })
    // A second of them fits far more.
    #expect(Int(line.prefix { $0.isNumber }) ?? 0 >= 100, "\(line)")
  }

  @Test
  func `A write that must not wait is refused while there is no room; TIOCDRAIN waits until everything is sent`() throws
  {
    let result = try bootInRealTime(program: "terminal", arguments: "try 260000", append: "quiet", host: Self.slow)
    #expect(result.exit == .success, "\(result.exit) \(result.report)")
    #expect(Array(result.output.utf8.prefix(260_000)) == Self.alphabet(260_000))
    #expect(result.lines.contains("refused, 0 waiting"), "\(result.lines.suffix(2))")
  }

  @Test
  func `Two writers both come to their end at a slow host, and no line is lost`() throws {
    let result = try bootInRealTime(program: "terminal", arguments: "lines 8000", append: "quiet", host: Self.slow)
    #expect(result.exit == .success, "\(result.exit) \(result.report)")
    for name in ["first", "second"] {
      #expect(result.lines.filter { $0.hasPrefix(name) } == (0..<8000).map { "\(name) \($0)" })
    }
  }

  @Test
  func `A panic comes after what was written before it`() throws {
    let result = try bootInRealTime(
      program: "terminal", arguments: "panic 60000", append: "quiet",
      host: SlowHost(readsAfterMilliseconds: 300, bytesPerRead: 4096))
    #expect(result.exit == .panic, "\(result.exit) \(result.report)")
    let text = String(decoding: Self.alphabet(60_000), as: UTF8.self)
    #expect(result.output.hasPrefix(text + "\r\nmartlet: fail point page_frame panicking\r\nmartlet: panic: "))
  }

  @Test
  func `Input that arrives while everybody sleeps wakes the reader, piece by piece`() throws {
    let text = Self.alphabet(26 * 400)
    let pieces = stride(from: 0, to: text.count, by: 2600).map { start in
      SlowHost.Typing(Array(text[start..<start + 2600]), afterMilliseconds: 150)
    }
    let result = try bootInRealTime(
      program: "terminal", arguments: "read 0 \(text.count)", append: "quiet", host: SlowHost(types: pieces))
    #expect(result.exit == .success, "\(result)")
    #expect(result.output == "received \(text.count)\r\n", "\(result)")
  }
}
