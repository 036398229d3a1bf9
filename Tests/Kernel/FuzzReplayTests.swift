// A handful of inputs of every kind that `make fuzz` looks for: what it found once, and damage of all sorts.

import Simulation
import Testing

@Suite struct FuzzReplayTests {
  @Test(arguments: [1, 2, 3] as [UInt64])
  func `damaged executables are refused or loaded and nothing is lost`(seed: UInt64) {
    let check = ExecutableCheck()
    #expect(check.problem(with: Program.image) == nil)
    var random = SeededGenerator(seed: seed)
    let words: [UInt64] = [0, 1, 4096, 0xFFF, .max, 1 << 46, 1 << 47, 1 << 63, 0x20_0000, 0x60_0000, 56, 64, 12_288]
    for _ in 0..<400 {
      var file = Program.image
      for _ in 0..<(1 + random.number(below: 4)) {
        let position = random.number(below: 176)
        let value = random.chance(oneIn: 2) ? random.pick(words) ?? 0 : random.next()
        for offset in 0..<random.number(in: 1...8) {
          file[position + offset] = UInt8(truncatingIfNeeded: value >> UInt64(8 * offset))
        }
      }
      if random.chance(oneIn: 8) { file.removeLast(random.number(below: file.count)) }
      #expect(check.problem(with: file) == nil, "\(file.prefix(184))")
    }
  }

  @Test func `short files are refused`() {
    let check = ExecutableCheck()
    for count in Array(0...200) + [4095, 4096, 8191] {
      #expect(check.problem(with: Array(Program.image.prefix(count))) == nil, "\(count)")
    }
  }

  @Test(
    arguments: [
      "", " ", "\"", "\" \"", "=", "a=", "swap=4096", "quiet\" \"", "seed=77", "fail==", "init==", "/ /", "x.elf .elf",
      ".elf quiet", "\"\"\"", "quiet ", "a/b\"c d\"",
    ])
  func `command lines`(text: String) { #expect(OptionsCheck.problem(with: Array(text.utf8)) == nil) }
}
