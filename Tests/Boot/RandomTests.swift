// Random numbers of a booted machine (acceptance of getrandom(2)): different in every boot, statistically sound, and there without
// the processor's help too.

import Testing

@Suite("Random numbers", .enabled(if: BootFiles.areBooted))
struct RandomTests {
  private static let withoutSource = measuredProcessor + ",-rdrand,-rdseed"
  private static let warning = "martlet: this machine has no source of entropy: random numbers can be guessed"

  private func bytes(seed: Int) throws -> String? {
    let result = try boot(program: "random", seed: seed)
    #expect(result.exit == .success, "\(result)")
    #expect(!result.lines.contains(Self.warning))
    return result.programLines.first
  }

  @Test
  func `Two boots with different seeds of the machine give different bytes, with the same one the same`() throws {
    let first = try #require(try bytes(seed: 1))
    #expect(first.count == 64)
    #expect(try bytes(seed: 2) != first)
    #expect(try bytes(seed: 1) == first)
  }

  @Test(arguments: [measuredProcessor, withoutSource])
  func `A mebibyte is statistically sound, and a machine without RDRAND and RDSEED says so`(processor: String) throws {
    let result = try boot(program: "random_test", processor: processor)
    #expect(result.exit == .success, "\(result)")
    #expect(result.lines.contains("# random_test: 6 passed, 0 failed"), "\(result)")
    #expect(result.lines.contains(Self.warning) == (processor == Self.withoutSource), "\(result)")
  }
}
