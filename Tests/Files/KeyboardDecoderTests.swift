// The keyboard: what scan codes give, of single keys and of all that can come between them.

import Files
import Simulation
import Testing

@Suite struct KeyboardDecoderTests {
  /// What these codes give, one after the other.
  private func bytes(_ codes: [UInt8]) -> [UInt8] {
    var decoder = KeyboardDecoder()
    return bytes(codes, &decoder)
  }

  private func bytes(_ codes: [UInt8], _ decoder: inout KeyboardDecoder) -> [UInt8] {
    var result: [UInt8] = []
    for code in codes {
      decoder.accept(code)
      while let byte = decoder.takeByte() { result.append(byte) }
    }
    return result
  }

  private func text(_ codes: [UInt8]) -> String { String(decoding: bytes(codes), as: UTF8.self) }

  private static let leftShift: UInt8 = 0x2A
  private static let rightShift: UInt8 = 0x36
  private static let control: UInt8 = 0x1D
  private static let capsLock: UInt8 = 0x3A
  private static let up: UInt8 = 0x80
  /// The keys of a US keyboard, row by row.
  private static let keys: [UInt8] =
    Array(0x29...0x29) + Array(0x02...0x0D) + Array(0x10...0x1B) + [0x2B]
    + Array(0x1E...0x28) + Array(0x2C...0x35) + [0x39]
  private static let plain = "`1234567890-=qwertyuiop[]\\asdfghjkl;'zxcvbnm,./ "
  private static let shifted = "~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:\"ZXCVBNM<>? "

  private func pressed(_ codes: [UInt8]) -> [UInt8] { codes.flatMap { [$0, $0 | Self.up] } }

  @Test func `every key gives what stands on it`() {
    #expect(text(pressed(Self.keys)) == Self.plain)
    for shift in [Self.leftShift, Self.rightShift] {
      #expect(text([shift] + pressed(Self.keys) + [shift | Self.up]) == Self.shifted)
    }
    #expect(bytes(pressed([0x01, 0x0E, 0x0F, 0x1C])) == [0x1B, 0x08, 0x09, 0x0A])
    #expect(text(pressed(Array(0x47...0x53) + [0x37])) == "789-456+1230.*")
  }

  @Test func `a shift counts from going down to coming up, and two of them apart`() {
    let a: [UInt8] = [0x1E, 0x9E]
    #expect(text([Self.leftShift] + a + [Self.leftShift | Self.up] + a) == "Aa")
    #expect(
      text(
        [Self.leftShift, Self.rightShift] + a + [Self.leftShift | Self.up] + a + [Self.rightShift | Self.up] + a)
        == "AAa")
    // A held key repeats its code, a held shift too.
    #expect(text([Self.leftShift, Self.leftShift, 0x1E, 0x1E, 0x1E, 0x9E, Self.leftShift | Self.up] + a) == "AAAa")
  }

  @Test func `caps lock turns letters round and nothing else, until it is pressed again`() {
    let some: [UInt8] = [0x1E, 0x02, 0x2C]
    #expect(text(pressed([Self.capsLock]) + pressed(some)) == "A1Z")
    #expect(text(pressed([Self.capsLock]) + [Self.leftShift] + pressed(some)) == "a!z")
    #expect(text(pressed([Self.capsLock, Self.capsLock]) + pressed(some)) == "a1z")
    // Held, it does not flicker.
    #expect(text([Self.capsLock, Self.capsLock, Self.capsLock, Self.capsLock | Self.up] + pressed(some)) == "A1Z")
  }

  @Test func `control gives control characters, as they are`() {
    func held(_ codes: [UInt8]) -> [UInt8] { bytes([Self.control] + pressed(codes) + [Self.control | Self.up]) }
    #expect(held([0x2E, 0x20, 0x2C, 0x1E, 0x15]) == [0x03, 0x04, 0x1A, 0x01, 0x19])
    #expect(held([0x39, 0x1A, 0x2B, 0x1B]) == [0x00, 0x1B, 0x1C, 0x1D])
    // The right one, with its prefix; shifted and locked letters give the same.
    #expect(bytes([0xE0, 0x1D, 0x2E, 0xAE, 0xE0, 0x9D, 0x2E]) == [0x03, 0x63])
    #expect(bytes(pressed([Self.capsLock]) + [Self.control, 0x2E]) == [0x03])
    #expect(bytes([Self.control, Self.leftShift, 0x2E, 0x03, 0x35]) == [0x03, 0x00, 0x7F])
    // What has no control character stays itself.
    #expect(held([0x02, 0x1C]) == [0x31, 0x0A])
  }

  @Test(
    arguments: [
      (0x48, "\u{1B}[A"), (0x50, "\u{1B}[B"), (0x4D, "\u{1B}[C"), (0x4B, "\u{1B}[D"), (0x47, "\u{1B}[H"),
      (0x4F, "\u{1B}[F"), (0x52, "\u{1B}[2~"), (0x53, "\u{1B}[3~"), (0x49, "\u{1B}[5~"), (0x51, "\u{1B}[6~"),
      (0x1C, "\n"), (0x35, "/"), (0x38, ""), (0x5B, ""), (0x2A, ""),
    ] as [(UInt8, String)])
  func `keys behind the prefix give sequences, once for going down`(key: UInt8, sequence: String) {
    #expect(text([0xE0, key, 0xE0, key | Self.up, 0x1E]) == sequence + "a")
    // A keyboard may put a shift of its own round them, which shifts nothing.
    #expect(text([0xE0, 0x2A, 0xE0, key, 0xE0, key | Self.up, 0xE0, 0xAA, 0x1E]) == sequence + "a")
  }

  @Test func `keys without a character, and pause, give nothing and disturb nothing`() {
    #expect(text(pressed(Array(0x3B...0x46) + [0x38, 0x57, 0x58, 0x7F, 0x00])) == "")
    #expect(text([0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5, 0x1E]) == "a")
    // Print screen, and break.
    #expect(text([0xE0, 0x2A, 0xE0, 0x37, 0xE0, 0xB7, 0xE0, 0xAA, 0x1E]) == "a")
    #expect(text([0xE0, 0x46, 0xE0, 0xC6, 0x1E]) == "a")
    // Answers of the keyboard to its controller.
    #expect(text([0xFA, 0xFE, 0xEE, 0xAA, 0x1E]) == "a")
  }

  @Test func `a prefix whose key was lost is that of the next one`() {
    #expect(text([0xE0, 0xE0, 0x48, 0xE0, 0xE0, 0xC8, 0x48]) == "\u{1B}[A8")
    #expect(text([0xE0, 0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5, 0x1E]) == "a")
  }

  @Test func `a keyboard that lost codes has no key down any more`() {
    #expect(text([Self.leftShift, 0xE0, 0xFF, 0x1E]) == "a")
    #expect(text(pressed([Self.capsLock]) + [Self.control, 0xFF, 0x1E]) == "A")
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `any codes give at most four bytes each, and a keyboard let go of types as before`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var decoder = KeyboardDecoder()
    for _ in 0..<5000 {
      let code = UInt8(random.number(below: 256))
      #expect(bytes([code], &decoder).count <= 4)
    }
    // Out of what a prefix began; then everything comes up.
    _ = bytes([0xFF] + [0x2A, 0x36, 0x1D, 0x3A].map { $0 | Self.up }, &decoder)
    let typed = String(decoding: bytes([0x1E, 0x9E, 0x02, 0x82], &decoder), as: UTF8.self)
    #expect(typed == "a1" || typed == "A1")
  }
}
