// Which places of an index have an entry, 64 at a time; and how many nodes they take.

extension PageIndex {
  /// Which of the 64 places from `start` on have an entry: a bit for each.
  func presence(from start: UInt64, _ nodes: Pool<IndexNode>) -> UInt64 {
    let offset = start & 63
    let low = occupied(around: start, nodes) >> offset
    return offset == 0 ? low : low | occupied(around: start + 64, nodes) << (64 - offset)
  }

  /// The same for the leaf that an index belongs to.
  private func occupied(around index: UInt64, _ nodes: Pool<IndexNode>) -> UInt64 {
    guard covers(index), root != 0 else { return 0 }
    if height == 0 { return 1 }
    var word = root
    var level = height
    while level > 1 {
      level -= 1
      word = nodes[PageIndex.node(word)].entries[Int((index >> (level * PageIndex.bitsPerLevel)) & 63)]
      if word == 0 { return 0 }
    }
    return nodes[PageIndex.node(word)].occupied
  }

  /// The nodes that the index takes, for inspections.
  func nodeCount(_ nodes: Pool<IndexNode>) -> Int { root == 0 ? 0 : PageIndex.nodeCount(root, height, nodes) }

  private static func nodeCount(_ word: UInt64, _ height: UInt64, _ nodes: Pool<IndexNode>) -> Int {
    if height == 0 { return 0 }
    var count = 1
    if height > 1 {
      var left = nodes[node(word)].occupied
      while left != 0 {
        count += nodeCount(nodes[node(word)].entries[left.trailingZeroBitCount], height - 1, nodes)
        left &= left - 1
      }
    }
    return count
  }
}
