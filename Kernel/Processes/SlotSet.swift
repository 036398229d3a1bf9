// Which slots of a table are in use: whoever goes through all of them pays for those, not for the size of the table.
//
// Invariant: bit n of a word of `summary` is set exactly if word n of its 64 of `words` is not 0.

/// A set of slots.
struct SlotSet {
  private var words: [UInt64]
  private var summary: [UInt64]
  /// Slots of the table.
  private let slotCount: Int

  /// Makes an empty set for `slotCount` slots; everything it will ever need is allocated here.
  init(slotCount: Int) {
    self.slotCount = slotCount
    words = Array(repeating: 0, count: (slotCount + 63) / 64)
    summary = Array(repeating: 0, count: (words.count + 63) / 64)
  }

  /// Enters a slot.
  mutating func insert(_ slot: Int) {
    words[slot >> 6] |= 1 << UInt64(slot & 63)
    summary[slot >> 12] |= 1 << UInt64(slot >> 6 & 63)
  }

  /// Takes a slot out.
  mutating func remove(_ slot: Int) {
    words[slot >> 6] &= ~(1 << UInt64(slot & 63))
    if words[slot >> 6] == 0 { summary[slot >> 12] &= ~(1 << UInt64(slot >> 6 & 63)) }
  }

  /// Whether a slot is in the set.
  func contains(_ slot: Int) -> Bool { words[slot >> 6] >> UInt64(slot & 63) & 1 == 1 }

  /// The lowest slot at or above `slot` that is in the set; the number of slots when there is none.
  func next(from slot: Int) -> Int {
    guard slot < slotCount else { return slotCount }
    let here = words[slot >> 6] >> UInt64(slot & 63)
    if here != 0 { return slot + here.trailingZeroBitCount }
    var word = slot >> 6 + 1
    while word < words.count {
      let found = summary[word >> 6] >> UInt64(word & 63)
      if found != 0 {
        word += found.trailingZeroBitCount
        return word << 6 | words[word].trailingZeroBitCount
      }
      word = (word | 63) + 1
    }
    return slotCount
  }
}
