// The random numbers by which events are given to threads: Park and Miller's generator, as libkern's random(3) of the prototype
// (spec kqueue.md section 13). Seeds are numbers of creation, so that a run can be repeated.

/// A generator.
struct QueueRandom: BitwiseCopyable {
  private static let modulus: UInt64 = 0x7fff_ffff
  private static let multiplier: UInt64 = 16807
  /// What 0, from which the generator would not move, stands for.
  private static let replacement: UInt64 = 123_459_876
  /// The multiplier to the power of 50: as many numbers are discarded at first, which is one step.
  private static let discard: UInt64 = 937_186_357

  private var state: UInt32

  /// A generator that has discarded its first 50 numbers.
  init(seed: UInt64) {
    let reduced = seed % QueueRandom.modulus
    let start = reduced == 0 ? QueueRandom.replacement : reduced
    state = UInt32(truncatingIfNeeded: start * QueueRandom.discard % QueueRandom.modulus)
  }

  /// The next number, below a limit that is not 0.
  mutating func next(below limit: UInt32) -> UInt32 {
    state = UInt32(truncatingIfNeeded: UInt64(state) * QueueRandom.multiplier % QueueRandom.modulus)
    return state % limit
  }
}
