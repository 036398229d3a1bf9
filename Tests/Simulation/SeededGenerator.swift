// The one source of randomness of a simulation: a seed gives the same run on every host.

import Primitives

/// The words of a `SplitMix`, and what a simulation draws with them.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var words: SplitMix

  /// Starts the sequence that belongs to `seed`.
  public init(seed: UInt64) { words = SplitMix(seed: seed) }

  /// The next 64 bits of the sequence.
  public mutating func next() -> UInt64 { words.next() }

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
