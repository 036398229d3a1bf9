// The generator of random numbers: the cipher against the RFC, what the state keeps, and when fresh words are taken.

import Simulation
import Testing

@testable import Primitives

@Suite struct RandomTests {
  private func bytes(_ block: [16 of UInt32]) -> [UInt8] {
    (0..<16).flatMap { index in (0..<4).map { UInt8(truncatingIfNeeded: block[index] >> UInt32(8 * $0)) } }
  }

  private func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = hexadecimal.compactMap { $0.hexDigitValue }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
  }

  @Test func `the block function gives the RFC's vectors`() {
    // RFC 8439, section 2.3.2.
    let counting: [8 of UInt32] = [
      0x0302_0100, 0x0706_0504, 0x0b0a_0908, 0x0f0e_0d0c, 0x1312_1110, 0x1716_1514, 0x1b1a_1918, 0x1f1e_1d1c,
    ]
    #expect(
      bytes(ChaCha20.block(key: counting, counter: 1, nonce: [0x0900_0000, 0x4a00_0000, 0]))
        == bytes(
          "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
            + "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"))
    // Appendix A.1, the first two.
    let zero = [8 of UInt32](repeating: 0)
    #expect(
      bytes(ChaCha20.block(key: zero, counter: 0, nonce: [0, 0, 0]))
        == bytes(
          "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
            + "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"))
    #expect(
      bytes(ChaCha20.block(key: zero, counter: 1, nonce: [0, 0, 0]))
        == bytes(
          "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
            + "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"))
  }

  /// The state in words, at every place where one could be.
  private func stateWords(_ generator: RandomGenerator) -> [UInt64] {
    var generator = generator
    return unsafe withUnsafeBytes(of: &generator) { state in
      var words: [UInt64] = []
      for offset in stride(from: 0, through: state.count - 8, by: 4) {
        words.append(unsafe state.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      }
      return words
    }
  }

  @Test func `what was handed out is nowhere in the state`() {
    var generator = RandomGenerator()
    generator.absorb([1, 2, 3, 4])
    generator.endSeed(now: 0)
    for _ in 0..<3 {
      // The key, which is the first of the state; the batch could be made again with it.
      let before = stateWords(generator)
      let key: Set<UInt64> = [before[0], before[2], before[4], before[6]]
      generator.fill()
      #expect(key.isDisjoint(with: stateWords(generator)))
      var given: Set<UInt64> = []
      while !generator.isEmpty {
        given.insert(generator.take())
        let state = stateWords(generator)
        #expect(given.isDisjoint(with: state))
      }
      #expect(given.count == 60)
    }
  }

  @Test func `batches are the cipher's output behind the next key`() {
    var generator = RandomGenerator()
    generator.absorb([0x0123_4567_89AB_CDEF, 2, 3, 4])
    generator.endSeed(now: 0)
    // By hand: the seed's words make the key by one block, and each batch begins with the next key.
    var key: [8 of UInt32] = [0x89AB_CDEF, 0x0123_4567, 2, 0, 3, 0, 4, 0]
    let seeded = ChaCha20.block(key: key, counter: 0, nonce: [0x6465_6573, 0, 0])
    for index in 0..<8 { key[index] = seeded[index] }
    for _ in 0..<3 {
      let stream = (0..<8).flatMap { bytes(ChaCha20.block(key: key, counter: $0, nonce: [0, 0, 0])) }
      generator.fill()
      for word in 0..<60 {
        let wanted = (0..<8).reduce(UInt64(0)) { $0 | UInt64(stream[32 + 8 * word + $1]) << UInt64(8 * $1) }
        let given = generator.take()
        #expect(given == wanted)
      }
      for index in 0..<8 {
        key[index] = (0..<4).reduce(UInt32(0)) { $0 | UInt32(stream[4 * index + $1]) << UInt32(8 * $1) }
      }
    }
  }

  @Test func `fresh words come in by amount and by time`() {
    let machine = TestMachine()
    var drawn = 0
    machine.processor.entropySource = {
      drawn += 1
      return UInt64(drawn) &* 0x9E37_79B9_7F4A_7C15
    }
    let start: [UInt64] = [5, 6, 7, 8, 9]
    let isGood = machine.services.seedRandom(with: start.span)
    #expect(isGood && drawn == 32)
    for _ in 0..<60 * 2048 { _ = machine.services.randomWord() }
    #expect(drawn == 32)
    _ = machine.services.randomWord()
    #expect(drawn == 40)
    machine.processor.clock.advance(by: 60_000_000_000)
    for _ in 0..<59 { _ = machine.services.randomWord() }
    #expect(drawn == 40)
    _ = machine.services.randomWord()
    #expect(drawn == 48)
  }

  private func isSeededWell(_ machine: TestMachine) -> Bool {
    let start: [UInt64] = [1]
    return machine.services.seedRandom(with: start.span)
  }

  @Test func `a machine without entropy or with a stuck source is known`() {
    let machine = TestMachine()
    #expect(isSeededWell(machine))
    machine.processor.entropySource = { nil }
    #expect(!isSeededWell(machine))
    machine.processor.entropySource = { 7 }
    #expect(!isSeededWell(machine))
    var count = 0
    machine.processor.entropySource = {
      count += 1
      return count == 20 ? nil : UInt64(count)
    }
    #expect(!isSeededWell(machine))
    // Numbers come all the same, and differ.
    #expect(machine.services.randomWord() != machine.services.randomWord())
  }

  @Test func `every source changes everything`() {
    func first(_ start: [UInt64], _ entropy: UInt64) -> UInt64 {
      let machine = TestMachine()
      var random = SeededGenerator(seed: entropy)
      machine.processor.entropySource = { random.next() }
      _ = machine.services.seedRandom(with: start.span)
      return machine.services.randomWord()
    }
    let usual = first([1, 2, 3, 4, 5], 1)
    #expect(usual == first([1, 2, 3, 4, 5], 1))
    #expect(
      Set([usual, first([1, 2, 3, 4, 6], 1), first([2, 2, 3, 4, 5], 1), first([1, 2, 3, 4, 5], 2)]).count == 4)
  }

  @Test func `words look random`() {
    let machine = TestMachine()
    #expect(isSeededWell(machine))
    var ones = [Int](repeating: 0, count: 64)
    for _ in 0..<4096 {
      let word = machine.services.randomWord()
      for bit in 0..<64 where word >> UInt64(bit) & 1 == 1 { ones[bit] += 1 }
    }
    // Five standard deviations (32) from the half.
    #expect(ones.allSatisfy { abs($0 - 2048) < 160 })
  }
}
