// The one source of randomness of a simulation: a seed gives the same run on every host.

/// SplitMix64: a small generator whose whole state is the seed.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// Starts the sequence that belongs to `seed`.
  public init(seed: UInt64) {
    state = seed
  }

  /// The next 64 bits of the sequence.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number in `0 ..< bound`; 0 when `bound` is not positive.
  public mutating func number(below bound: Int) -> Int {
    bound <= 1 ? 0 : Int(truncatingIfNeeded: (next() >> 16) % UInt64(bound))
  }

  /// A number in `range`.
  public mutating func number(in range: ClosedRange<Int>) -> Int {
    range.lowerBound + number(below: range.count)
  }

  /// True once in `count` draws on average.
  public mutating func chance(oneIn count: Int) -> Bool {
    number(below: count) == 0
  }

  /// One element of `choices`, or nil when there is none.
  public mutating func pick<Choices: RandomAccessCollection>(_ choices: Choices) -> Choices.Element? {
    if choices.isEmpty { return nil }
    return choices[choices.index(choices.startIndex, offsetBy: number(below: choices.count))]
  }
}
