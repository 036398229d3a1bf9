// Pages in the LZ4 block format: what is compressed comes back, a decoder that knows nothing of ours reads it, and a damaged block
// harms nobody.
import Simulation
import Testing

@testable import Memory
import Primitives

/// Pages to be compressed.
enum PageContent: CaseIterable {
  case zeros, oneByte, runs, text, words, noise, noiseBehindText, counter, longDistance, nearlyNoise

  func make(_ generator: inout SeededGenerator) -> [UInt8] {
    switch self {
    case .zeros: [UInt8](repeating: 0, count: 4096)
    case .oneByte: [UInt8](repeating: UInt8.random(in: 1...255, using: &generator), count: 4096)
    case .runs:
      PageContent.repeated { generator in
        [UInt8](
          repeating: UInt8.random(in: 0...255, using: &generator), count: Int.random(in: 1...600, using: &generator))
      }(&generator)
    case .text:
      PageContent.repeated { generator in
        let words = [
          "the ", "kernel ", "keeps ", "pages ", "that ", "compress ", "in ", "memory, ", "and ", "others.\n",
        ]
        return Array(words.randomElement(using: &generator)!.utf8)
      }(&generator)
    case .words:
      {
        // Half of what is said was said before.
        var vocabulary: [[UInt8]] = []
        for _ in 0..<40 {
          vocabulary.append(
            (0..<Int.random(in: 4...9, using: &generator)).map { _ in
              UInt8.random(in: UInt8(ascii: "a")...UInt8(ascii: "p"), using: &generator)
            } + [32])
        }
        var page: [UInt8] = []
        while page.count < 4096 {
          page += vocabulary.randomElement(using: &generator)!
          for _ in 0..<Int.random(in: 0...3, using: &generator) {
            page.append(UInt8.random(in: UInt8(ascii: "a")...UInt8(ascii: "p"), using: &generator))
          }
        }
        return Array(page.prefix(4096))
      }()
    case .noise: PageContent.noise(4096, &generator)
    case .noiseBehindText:
      Array(PageContent.text.make(&generator).prefix(2500)) + PageContent.noise(1596, &generator)
    case .counter: (0..<4096).map { UInt8(truncatingIfNeeded: $0 >> 3) }
    case .longDistance:
      {
        let part = PageContent.noise(Int.random(in: 30...2040, using: &generator), &generator)
        return Array((0..<4096).map { part[$0 % part.count] })
      }()
    case .nearlyNoise:
      {
        var page = PageContent.noise(4096, &generator)
        for _ in 0..<Int.random(in: 0...40, using: &generator) {
          let from = Int.random(in: 0..<4000, using: &generator)
          let to = Int.random(in: 0..<4000, using: &generator)
          for offset in 0..<Int.random(in: 3...90, using: &generator) { page[to + offset] = page[from + offset] }
        }
        return page
      }()
    }
  }

  private static func noise(_ count: Int, _ generator: inout SeededGenerator) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  private static func repeated(
    _ piece: @escaping (inout SeededGenerator) -> [UInt8]
  ) -> (inout SeededGenerator) -> [UInt8] {
    { generator in
      var page: [UInt8] = []
      while page.count < 4096 { page += piece(&generator) }
      return Array(page.prefix(4096))
    }
  }
}

@Suite("Compression")
struct CompressionTests {
  private let page = FrameNumber(2)
  private let output = FrameNumber(4)
  private let table = FrameNumber(6)
  private let result = FrameNumber(8)

  private func compress(_ memory: SimulatedMemory, _ content: [UInt8], limit: Int = 4096) -> [UInt8]? {
    memory.setBytes(content, at: page.address.raw)
    memory.setBytes([UInt8](repeating: 0xA5, count: 4096), at: output.address.raw)
    guard let count = memory.physical.compress(page, to: output.address, limit: limit, table: table.address) else {
      return nil
    }
    #expect(count <= limit)
    let behind = memory.bytes(at: output.address.raw + UInt64(limit), byteCount: 4096 - limit)
    #expect(behind.allSatisfy { $0 == 0xA5 }, "something was written behind the room for the block")
    return memory.bytes(at: output.address.raw, byteCount: count)
  }

  /// Decodes a block as the format says, and looks whether it keeps the rules for the end.
  private func decode(_ block: [UInt8], _ isRegular: inout Bool) -> [UInt8]? {
    var bytes = block[...]
    var page: [UInt8] = []
    var lastMatch: (start: Int, end: Int) = (0, 0)
    func length(_ inToken: Int) -> Int? {
      guard inToken == 15 else { return inToken }
      var length = 15
      while let more = bytes.popFirst() {
        length += Int(more)
        if more != 255 { return length }
      }
      return nil
    }
    while let token = bytes.popFirst() {
      guard let literals = length(Int(token >> 4)), literals <= bytes.count else { return nil }
      page += bytes.prefix(literals)
      bytes = bytes.dropFirst(literals)
      if bytes.isEmpty {
        isRegular = page.count - lastMatch.end >= 5 && (lastMatch.end == 0 || page.count - lastMatch.start >= 12)
        return page
      }
      guard let low = bytes.popFirst(), let high = bytes.popFirst(), let more = length(Int(token & 15)) else {
        return nil
      }
      let distance = Int(low) | Int(high) << 8
      guard distance > 0, distance <= page.count else { return nil }
      lastMatch = (page.count, page.count + more + 4)
      for _ in 0..<more + 4 { page.append(page[page.count - distance]) }
    }
    return nil
  }

  @Test(arguments: PageContent.allCases, 1...40 as ClosedRange<UInt64>)
  func `what is compressed comes back, by this decoder and by another`(kind: PageContent, seed: UInt64) {
    let memory = SimulatedMemory(frameCount: 16)
    defer { extendLifetime(memory) }
    var generator = SeededGenerator(seed: seed)
    let content = kind.make(&generator)
    #expect(content.count == 4096)
    guard let block = compress(memory, content) else {
      #expect(kind == .noise || kind == .nearlyNoise || kind == .longDistance, "\(kind) takes more than a page")
      return
    }
    var isRegular = false
    #expect(decode(block, &isRegular) == content && isRegular)
    memory.setBytes([UInt8](repeating: 0x5A, count: 3 * 4096), at: FrameNumber(7).address.raw)
    #expect(memory.physical.decompress(output.address, byteCount: block.count, to: result))
    #expect(memory.bytes(at: result.address.raw, byteCount: 4096) == content)
    #expect(memory.byte(at: result.address.raw - 1) == 0x5A && memory.byte(at: result.address.raw + 4096) == 0x5A)
    // Exactly so much room is enough, or a few bytes more; less is never written over.
    _ = compress(memory, content, limit: block.count)
    #expect(compress(memory, content, limit: block.count + 16) == block || block.count + 16 > 4096)
    #expect(compress(memory, content, limit: block.count - 1) == nil)
  }

  @Test func `pages compress as well as their kind does`() {
    let memory = SimulatedMemory(frameCount: 16)
    defer { extendLifetime(memory) }
    var generator = SeededGenerator(seed: 3)
    func size(_ kind: PageContent) -> Int { compress(memory, kind.make(&generator))?.count ?? 4097 }
    #expect(size(.zeros) < 40 && size(.oneByte) < 40 && size(.counter) < 2200)
    #expect((900..<2200).contains(size(.text)), "\(size(.text))")
    #expect((2000..<3060).contains(size(.words)), "\(size(.words))")
    #expect(size(.noise) == 4097)
  }

  @Test func `a page of zeros is known from one that is nearly so`() {
    let memory = SimulatedMemory(frameCount: 16)
    defer { extendLifetime(memory) }
    memory.setBytes([UInt8](repeating: 0, count: 4096), at: page.address.raw)
    #expect(memory.physical.isZero(page))
    for offset in [0, 7, 8, 15, 16, 2048, 4088, 4095] as [UInt64] {
      memory.setByte(1, at: page.address.raw + offset)
      #expect(!memory.physical.isZero(page))
      memory.setByte(0, at: page.address.raw + offset)
    }
  }

  @Test(arguments: 1...60 as ClosedRange<UInt64>)
  func `a damaged block is read within its bounds, and writes nothing but its page`(seed: UInt64) {
    let memory = SimulatedMemory(frameCount: 16)
    defer { extendLifetime(memory) }
    var generator = SeededGenerator(seed: seed)
    let kinds: [PageContent] = [.text, .runs, .words, .counter]
    let content = kinds[Int(seed % 4)].make(&generator)
    guard let whole = compress(memory, content) else { return }
    for _ in 0..<50 {
      var block = whole
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        block[Int.random(in: 0..<block.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      if Bool.random(using: &generator) { block.removeLast(Int.random(in: 1..<block.count, using: &generator)) }
      memory.setBytes(block, at: output.address.raw)
      memory.setBytes([UInt8](repeating: 0x5A, count: 3 * 4096), at: FrameNumber(7).address.raw)
      let isWhole = memory.physical.decompress(output.address, byteCount: block.count, to: result)
      // Both agree on whether it is a block that makes a page.
      var isRegular = false
      let other = decode(block, &isRegular)
      #expect(isWhole == (other?.count == 4096))
      if isWhole { #expect(memory.bytes(at: result.address.raw, byteCount: 4096) == other) }
      #expect(memory.bytes(at: FrameNumber(7).address.raw, byteCount: 4096).allSatisfy { $0 == 0x5A })
      #expect(memory.bytes(at: FrameNumber(9).address.raw, byteCount: 4096).allSatisfy { $0 == 0x5A })
    }
    #expect(!memory.physical.decompress(output.address, byteCount: 0, to: result))
  }
}
