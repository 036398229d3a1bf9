// The sparse index of a VM object's pages: a radix tree of 64-way nodes, as high as the largest index needs.
//
// Invariants
// - Height 0: at most the entry of index 0, held in `root` itself. Height h: `root` names a node whose subtree covers
//   indexes below 64^h.
// - In a node, bit i of `occupied` is set exactly if entry i is not empty; no node but a root of an index under
//   construction has `occupied == 0`. So memory is what is present, not what the size says, and the next present index
//   is found in at most two steps a level.
// - Inserting either succeeds or changes nothing.
// - The kernel memory of whoever pays (`payer`, the same in every call) counts every node of the index.

import Primitives

/// What an index of a VM object holds.
enum IndexEntry: Equatable {
  /// Neither in memory nor in swap.
  case empty
  /// In memory.
  case resident(FrameNumber)
  /// In swap only.
  case swapped(SwapBlock)
}

struct IndexNode: BitwiseCopyable {
  var occupied: UInt64 = 0
  var entries = [64 of UInt64](repeating: 0)
}

/// The pages of one object.
struct PageIndex {
  /// Who pays for the nodes; whoever has the index keeps the account.
  typealias Payer = BackReference<UserAccount>

  static let bitsPerLevel: UInt64 = 6
  private(set) var root: UInt64 = 0
  private var levelCount: UInt8 = 0
  private(set) var height: UInt64 {
    get { UInt64(levelCount) }
    set { levelCount = UInt8(truncatingIfNeeded: newValue) }
  }

  var isEmpty: Bool { root == 0 }

  /// Counts nodes that an index has got, or, negative, lost, for who pays for them.
  @inline(__always)
  private static func count(nodes: Int, _ payer: Payer) {
    if !payer.isEmpty { payer.borrow { $0.countKernelMemory(nodes &* MemoryLayout<IndexNode>.stride) } }
  }

  /// Whether who pays for the nodes may have more of them.
  private static func admits(_ system: MemorySystem, _ priority: AllocationPriority, _ payer: Payer) -> Bool {
    priority == .reserve || payer.isEmpty || payer.borrow { system.admitsKernelMemory(for: $0) }
  }

  @inline(__always)
  private static func encode(_ entry: IndexEntry) -> UInt64 {
    switch entry {
    case .empty: 0
    case .resident(let frame): UInt64(frame.raw) << 2 | 1
    case .swapped(let block): UInt64(block.raw) << 2 | 2
    }
  }

  @inline(__always)
  private static func decode(_ word: UInt64) -> IndexEntry {
    switch word & 3 {
    case 1: .resident(FrameNumber(UInt32(truncatingIfNeeded: word >> 2)))
    case 2: .swapped(SwapBlock(UInt32(truncatingIfNeeded: word >> 2)))
    default: .empty
    }
  }

  @inline(__always)
  static func node(_ word: UInt64) -> Handle<IndexNode> { Handle(raw: UInt32(truncatingIfNeeded: word)) }

  @inline(__always)
  func covers(_ index: UInt64) -> Bool {
    let bits = height &* PageIndex.bitsPerLevel
    return bits >= 64 || index >> bits == 0
  }

  /// The entry at `index`.
  @inline(__always)
  func lookup(_ index: UInt64, _ nodes: Pool<IndexNode>) -> IndexEntry {
    guard covers(index) else { return .empty }
    var word = root
    var shift = height &* PageIndex.bitsPerLevel
    while shift > 0 {
      if word == 0 { return .empty }
      shift &-= PageIndex.bitsPerLevel
      word = nodes[PageIndex.node(word)].entries[Int(truncatingIfNeeded: (index >> shift) & 63)]
    }
    return PageIndex.decode(word)
  }

  /// Puts an entry that is not empty where one that is not empty stands. Allocates nothing.
  @inline(__always)
  mutating func replace(_ index: UInt64, with entry: IndexEntry, _ nodes: Pool<IndexNode>) {
    let encoded = PageIndex.encode(entry)
    precondition(encoded != 0 && covers(index))
    if height == 0 {
      precondition(root != 0)
      root = encoded
      return
    }
    var word = root
    var shift = height &* PageIndex.bitsPerLevel
    while true {
      shift &-= PageIndex.bitsPerLevel
      let slot = Int(truncatingIfNeeded: (index >> shift) & 63)
      let node = PageIndex.node(word)
      word = nodes[node].entries[slot]
      precondition(word != 0)
      if shift == 0 {
        nodes[node].entries[slot] = encoded
        return
      }
    }
  }

  /// Puts an entry where none stands. Returns false, and changes nothing, when memory for the nodes cannot be had.
  mutating func insert(
    _ index: UInt64, _ entry: IndexEntry, _ nodes: Pool<IndexNode>, _ system: MemorySystem,
    _ priority: AllocationPriority = .normal, paidBy payer: Payer = Payer()
  ) -> Bool {
    let encoded = PageIndex.encode(entry)
    if root == 0 {
      var needed: UInt64 = 0
      while needed * PageIndex.bitsPerLevel < 64 && index >> (needed * PageIndex.bitsPerLevel) != 0 { needed += 1 }
      guard needed == 0 || PageIndex.admits(system, priority, payer),
        let top = PageIndex.chain(index, encoded, levels: needed, nodes, system, priority)
      else { return false }
      root = top
      height = needed
      if needed > 0 { PageIndex.count(nodes: Int(needed), payer) }
      return true
    }
    if !covers(index) {
      let oldRoot = root
      let oldHeight = height
      guard PageIndex.admits(system, priority, payer), raise(toCover: index, nodes, system, priority, payer) else {
        return false
      }
      if insertInRaised(index, encoded, nodes, system, priority, payer) { return true }
      lower(to: oldRoot, height: oldHeight, nodes, system, payer)
      return false
    }
    return insertBelowRoot(index, encoded, nodes, system, priority, payer)
  }

  /// Removes the entry at `index` and gives it; nodes that become empty go.
  mutating func remove(
    _ index: UInt64, _ nodes: Pool<IndexNode>, _ system: MemorySystem, paidBy payer: Payer = Payer()
  ) -> IndexEntry {
    guard covers(index), root != 0 else { return .empty }
    if height == 0 {
      let entry = PageIndex.decode(root)
      root = 0
      return entry
    }
    guard lookup(index, nodes) != .empty else { return .empty }
    let path = path(to: index, nodes)
    let leaf = PageIndex.node(path[0])
    let slot = Int(index & 63)
    let word = nodes[leaf].entries[slot]
    nodes[leaf].entries[slot] = 0
    nodes[leaf].occupied &= ~(1 << UInt64(slot))
    if nodes[leaf].occupied == 0 { prune(path, index, nodes, system, payer) }
    return PageIndex.decode(word)
  }

  /// Removes entries `start ..< end` of the first leaf that has any, at most `budget` of them, calling `body` with each,
  /// which must leave this index alone and says what it cost more than one unit, or that the entry stays for now: then the budget
  /// is used up. Returns where to go on, or nil when nothing is left in the range.
  @inline(__always)
  mutating func removeRun(
    from start: UInt64, to end: UInt64, _ budget: inout Int, _ nodes: Pool<IndexNode>, _ system: MemorySystem,
    paidBy payer: Payer = Payer(), _ body: (IndexEntry) -> Int?
  ) -> UInt64? {
    guard let (first, entry) = next(from: start, nodes), first < end else { return nil }
    if height == 0 {
      guard let cost = body(entry) else {
        budget = min(budget, 0)
        return first
      }
      root = 0
      budget -= 1 + cost
      return nil
    }
    let path = path(to: first, nodes)
    let leaf = PageIndex.node(path[0])
    var left = nodes[leaf].occupied & (~0 << (first & 63))
    var position = first
    while left != 0 && budget > 0 {
      let slot = UInt64(left.trailingZeroBitCount)
      position = first & ~63 | slot
      if position >= end { break }
      left &= left &- 1
      guard let cost = body(PageIndex.decode(nodes[leaf].entries[Int(slot)])) else {
        budget = min(budget, 0)
        break
      }
      nodes[leaf].entries[Int(slot)] = 0
      nodes[leaf].occupied &= ~(1 << slot)
      position += 1
      budget -= 1 + cost
    }
    if nodes[leaf].occupied == 0 { prune(path, first, nodes, system, payer) }
    return position
  }

  /// The nodes on the way to `index`, whose leaf exists; the leaf is the first.
  @inline(__always)
  private func path(to index: UInt64, _ nodes: Pool<IndexNode>) -> [11 of UInt64] {
    var path = [11 of UInt64](repeating: 0)
    var level = Int(height) - 1
    path[level] = root
    while level > 0 {
      let slot = Int((index >> (UInt64(level) * 6)) & 63)
      path[level - 1] = nodes[PageIndex.node(path[level])].entries[slot]
      level -= 1
    }
    return path
  }

  /// Gives back the empty leaf of a path and every node that becomes empty by it.
  private mutating func prune(
    _ path: [11 of UInt64], _ index: UInt64, _ nodes: Pool<IndexNode>, _ system: MemorySystem, _ payer: Payer
  ) {
    _ = nodes.take(PageIndex.node(path[0]), system)
    PageIndex.count(nodes: -1, payer)
    var level = 1
    while level < Int(height) {
      let node = PageIndex.node(path[level])
      let slot = Int((index >> (UInt64(level) * 6)) & 63)
      nodes[node].entries[slot] = 0
      nodes[node].occupied &= ~(1 << UInt64(slot))
      if nodes[node].occupied != 0 { return }
      _ = nodes.take(node, system)
      PageIndex.count(nodes: -1, payer)
      level += 1
    }
    root = 0
    height = 0
  }

  /// The first entry at or behind `start`.
  func next(from start: UInt64, _ nodes: Pool<IndexNode>) -> (index: UInt64, entry: IndexEntry)? {
    guard root != 0, covers(start) else { return nil }
    if height == 0 { return (0, PageIndex.decode(root)) }
    var path = [11 of UInt64](repeating: 0)
    var index = start
    var level = Int(height) - 1
    path[level] = root
    while true {
      let shift = UInt64(level) * 6
      let node = PageIndex.node(path[level])
      let slot = (index >> shift) & 63
      let found = nodes[node].occupied & (~0 << slot)
      if found == 0 {
        // Nothing more here: go on with the next slot of the closest ancestor that has one.
        level += 1
        guard level < Int(height) else { return nil }
        index = (index >> (UInt64(level) * 6) &+ 1) << (UInt64(level) * 6)
        while (index >> (UInt64(level) * 6)) & 63 == 0 {
          level += 1
          guard level < Int(height) else { return nil }
        }
        continue
      }
      let nextSlot = UInt64(found.trailingZeroBitCount)
      if nextSlot != slot { index = ((index >> shift & ~63) | nextSlot) << shift }
      let word = nodes[node].entries[Int(nextSlot)]
      if level == 0 { return (index, PageIndex.decode(word)) }
      level -= 1
      path[level] = word
    }
  }

  /// The highest index with an entry.
  func last(_ nodes: Pool<IndexNode>) -> UInt64? {
    guard root != 0 else { return nil }
    var index: UInt64 = 0
    var word = root
    for _ in 0..<height {
      let node = PageIndex.node(word)
      let slot = 63 - nodes[node].occupied.leadingZeroBitCount
      index = index << PageIndex.bitsPerLevel | UInt64(slot)
      word = nodes[node].entries[slot]
    }
    return index
  }

  @inline(never)
  private mutating func insertInRaised(
    _ index: UInt64, _ encoded: UInt64, _ nodes: Pool<IndexNode>, _ system: MemorySystem,
    _ priority: AllocationPriority, _ payer: Payer
  ) -> Bool {
    insertBelowRoot(index, encoded, nodes, system, priority, payer)
  }

  @inline(__always)
  private mutating func insertBelowRoot(
    _ index: UInt64, _ encoded: UInt64, _ nodes: Pool<IndexNode>, _ system: MemorySystem,
    _ priority: AllocationPriority, _ payer: Payer
  ) -> Bool {
    precondition(height > 0)
    var word = root
    var level = height
    while true {
      level -= 1
      let slot = Int((index >> (level * 6)) & 63)
      let node = PageIndex.node(word)
      word = nodes[node].entries[slot]
      if word == 0 {
        guard level == 0 || PageIndex.admits(system, priority, payer),
          let subtree = PageIndex.chain(index, encoded, levels: level, nodes, system, priority)
        else { return false }
        nodes[node].entries[slot] = subtree
        nodes[node].occupied |= 1 << UInt64(slot)
        if level > 0 { PageIndex.count(nodes: Int(level), payer) }
        return true
      }
      precondition(level > 0, "index entry inserted twice")
    }
  }

  /// Builds `levels` nodes, each the only child of the one above, down to `encoded` at `index`.
  private static func chain(
    _ index: UInt64, _ encoded: UInt64, levels: UInt64, _ nodes: Pool<IndexNode>, _ system: MemorySystem,
    _ priority: AllocationPriority
  ) -> UInt64? {
    var word = encoded
    var level: UInt64 = 0
    while level < levels {
      guard let node = nodes.allocate(IndexNode(), system, priority) else {
        releaseChain(word, index, levels: level, nodes, system)
        return nil
      }
      let slot = Int((index >> (level * 6)) & 63)
      nodes[node].entries[slot] = word
      nodes[node].occupied = 1 << UInt64(slot)
      word = UInt64(node.raw)
      level += 1
    }
    return word
  }

  private static func releaseChain(
    _ top: UInt64, _ index: UInt64, levels: UInt64, _ nodes: Pool<IndexNode>, _ system: MemorySystem
  ) {
    var word = top
    var level = levels
    while level > 0 {
      level -= 1
      word = nodes.take(node(word), system).entries[Int((index >> (level * 6)) & 63)]
    }
  }

  private mutating func raise(
    toCover index: UInt64, _ nodes: Pool<IndexNode>, _ system: MemorySystem, _ priority: AllocationPriority,
    _ payer: Payer
  ) -> Bool {
    let oldRoot = root
    let oldHeight = height
    while !covers(index) {
      guard let node = nodes.allocate(IndexNode(), system, priority) else {
        lower(to: oldRoot, height: oldHeight, nodes, system, payer)
        return false
      }
      nodes[node].entries[0] = root
      nodes[node].occupied = 1
      root = UInt64(node.raw)
      height += 1
      PageIndex.count(nodes: 1, payer)
    }
    return true
  }

  private mutating func lower(
    to oldRoot: UInt64, height oldHeight: UInt64, _ nodes: Pool<IndexNode>, _ system: MemorySystem, _ payer: Payer
  ) {
    while height > oldHeight {
      root = nodes.take(PageIndex.node(root), system).entries[0]
      height -= 1
      PageIndex.count(nodes: -1, payer)
    }
    precondition(root == oldRoot)
  }
}
