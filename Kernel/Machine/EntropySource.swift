// The processor's random numbers: RDSEED, whose words come straight from the source, mixed with RDRAND's, whose generator is
// seeded from it. Intel SDM volume 1, section 7.3.17. Either alone will do.

internal import MachineSupport

/// The processor's source of entropy.
struct EntropySource {
  private let hasSeed: Bool
  private let hasRandom: Bool

  /// RDSEED runs dry when it is asked often; RDRAND does not, unless it is broken (Intel: ten tries).
  private static let seedTries = 100
  private static let randomTries = 10

  init(_ features: ProcessorFeatures) {
    hasSeed = features.hasSeed
    hasRandom = features.hasRandom
  }

  /// A fresh word; nil when neither instruction is there or delivers.
  func draw() -> UInt64? {
    let seed = hasSeed ? EntropySource.draw(EntropySource.seedTries, read_seed) : nil
    let random = hasRandom ? EntropySource.draw(EntropySource.randomTries, read_random) : nil
    guard let seed else { return random }
    return seed ^ (random ?? 0)
  }

  /// All zeros and all ones are what broken ones say (AMD's after a suspend), with the flag for success.
  @inline(__always)
  private static func draw(_ tries: Int, _ instruction: () -> random_result) -> UInt64? {
    for _ in 0..<tries {
      let result = instruction()
      if result.is_good != 0, result.value != 0, result.value != .max { return result.value }
    }
    return nil
  }
}
