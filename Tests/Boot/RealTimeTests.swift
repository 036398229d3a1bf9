// The console in real time: QEMU's clock is the host's, and the host reads slowly and types early (issue 14, items 1, 4, 20).

import Foundation
import Testing

@Suite("The console in real time", .enabled(if: BootFiles.areBooted))
struct RealTimeTests {
  /// a to z, round and round.
  static func alphabet(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(ascii: "a") + UInt8($0 % 26) } }

  @Test(
    "Input that arrives before the program reads is all there, and the rest of it comes",
    arguments: [1, 4096, 4097, 20_000])
  func earlyInput(byteCount: Int) throws {
    let result = try bootInRealTime(
      program: "terminal", arguments: "read 300 \(byteCount)", append: "quiet",
      host: SlowHost(types: [SlowHost.Typing(Self.alphabet(byteCount))]))
    #expect(result.exit == .success, "\(result)")
    #expect(result.output == "received \(byteCount)\r\n", "\(result)")
  }

  @Test("Input that arrives while everybody sleeps wakes the reader, piece by piece")
  func lateInput() throws {
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
