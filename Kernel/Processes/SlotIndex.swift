// Slots by number: finds the processes with a given identifier, group or session without a search.
//
// Invariants
// - A slot is in at most one bucket, the one its key hashes to; its links are its own, so nothing is allocated.
// - Links are slot numbers; `SlotIndex.none` ends a list. Slots with equal keys follow each other in order of insertion
//   only by chance: nothing depends on their order.

/// An index from a 32-bit key to the slots that carry it.
struct SlotIndex {
  /// Ends a list.
  static let none = UInt32.max

  private var heads: [UInt32]
  private var nexts: [UInt32]
  private var previouses: [UInt32]
  private var keys: [Int32]
  private let mask: UInt32

  /// Makes an index for `slotCount` slots; everything it will ever need is allocated here.
  init(slotCount: Int) {
    var bucketCount = 16
    while bucketCount < slotCount { bucketCount *= 2 }
    mask = UInt32(bucketCount - 1)
    heads = Array(repeating: SlotIndex.none, count: bucketCount)
    nexts = Array(repeating: SlotIndex.none, count: slotCount)
    previouses = Array(repeating: SlotIndex.none, count: slotCount)
    keys = Array(repeating: 0, count: slotCount)
  }

  private func bucket(_ key: Int32) -> Int { Int((UInt32(bitPattern: key) &* 0x9e37_79b1) >> 7 & mask) }

  /// Enters a slot, which must not be in the index.
  mutating func insert(_ slot: UInt32, key: Int32) {
    let bucket = bucket(key)
    let head = heads[bucket]
    keys[Int(slot)] = key
    nexts[Int(slot)] = head
    previouses[Int(slot)] = SlotIndex.none
    if head != SlotIndex.none { previouses[Int(head)] = slot }
    heads[bucket] = slot
  }

  /// Takes a slot out, which must be in the index.
  mutating func remove(_ slot: UInt32) {
    let next = nexts[Int(slot)]
    let previous = previouses[Int(slot)]
    if previous == SlotIndex.none { heads[bucket(keys[Int(slot)])] = next } else { nexts[Int(previous)] = next }
    if next != SlotIndex.none { previouses[Int(next)] = previous }
  }

  /// A slot with this key, or nil.
  func first(_ key: Int32) -> UInt32? { matching(heads[bucket(key)], key) }

  /// Another slot with the key of `slot`, further on in the list, or nil.
  func next(after slot: UInt32) -> UInt32? { matching(nexts[Int(slot)], keys[Int(slot)]) }

  private func matching(_ start: UInt32, _ key: Int32) -> UInt32? {
    var slot = start
    while slot != SlotIndex.none {
      if keys[Int(slot)] == key { return slot }
      slot = nexts[Int(slot)]
    }
    return nil
  }
}
