// The ordered map of an address space: an AVL tree by start address, threaded in order, with the largest gap of each subtree.
//
// The heights of two siblings differ by at most one whatever a program maps in whatever order, so the recursion below is
// at most some thirty calls deep: the kernel has one small stack. (A tree balanced by numbers that a program can foresee
// would not do: mappings made in the order of the numbers turn it into a list.)
import ABI

extension AddressSpace {
  @inline(__always)
  private var nodes: Pool<MapEntry> { system.entries }

  /// The entry that contains `address`.
  @inline(__always)
  func find(_ address: UInt64) -> Handle<MapEntry>? {
    if isLastFound(address) { return lastFound }
    guard let found = findFirst(endingAfter: address), nodes[found].start <= address else { return nil }
    lastFound = found
    return found
  }

  /// Whether the entry that was found last contains `address`.
  @inline(__always)
  private func isLastFound(_ address: UInt64) -> Bool {
    if lastFound.isNone { return false }
    let hint = nodes.pin(lastFound)
    return hint.value.start <= address && address < hint.value.end
  }

  /// The first entry whose end lies above `address`.
  func findFirst(endingAfter address: UInt64) -> Handle<MapEntry>? {
    if isLastFound(address) { return lastFound }
    var best: Handle<MapEntry>?
    var handle = tree
    while !handle.isNone {
      if nodes[handle].end > address {
        best = handle
        handle = nodes[handle].left
      } else {
        handle = nodes[handle].right
      }
    }
    return best
  }

  /// Where the free range in front of an entry begins.
  @inline(__always)
  private func gapStart(before handle: Handle<MapEntry>) -> UInt64 {
    let previous = nodes[handle].previous
    return previous.isNone ? UserSpace.start : nodes[previous].end
  }

  /// The lowest address at or above `hint` where `byteCount` bytes fit at `alignment` below `limit`; nil when there is none.
  func findSpace(_ byteCount: UInt64, from hint: UInt64, alignment: UInt64, below limit: UInt64) -> UInt64? {
    guard let found = findSpace(byteCount, from: hint, alignment: alignment) else { return nil }
    return found < limit && byteCount <= limit - found ? found : nil
  }

  private func findSpace(_ byteCount: UInt64, from hint: UInt64, alignment: UInt64) -> UInt64? {
    func aligned(_ address: UInt64) -> UInt64 { (address + alignment - 1) & ~(alignment - 1) }
    let start = aligned(max(hint, UserSpace.start))
    guard start < UserSpace.end, byteCount <= UserSpace.end - start else { return nil }
    guard let behind = findFirst(endingAfter: start) else { return start }
    if nodes[behind].start >= start && nodes[behind].start - start >= byteCount { return start }
    // A gap of this size holds the bytes whatever its own alignment is.
    let needed = byteCount + (alignment - Page.byteCount)
    if let found = firstGap(tree, behind: nodes[behind].start, needed) { return aligned(gapStart(before: found)) }
    let end = aligned(lastEnd())
    return end < UserSpace.end && byteCount <= UserSpace.end - end ? end : nil
  }

  /// The first entry behind the one that starts at `start` with a gap of `needed` bytes in front of it.
  private func firstGap(_ handle: Handle<MapEntry>, behind start: UInt64, _ needed: UInt64) -> Handle<MapEntry>? {
    if handle.isNone || nodes[handle].largestGap < needed { return nil }
    if nodes[handle].start > start {
      if let found = firstGap(nodes[handle].left, behind: start, needed) { return found }
      if nodes[handle].start - gapStart(before: handle) >= needed { return handle }
    }
    return firstGap(nodes[handle].right, behind: start, needed)
  }

  private func lastEnd() -> UInt64 {
    var handle = tree
    var end = UserSpace.start
    while !handle.isNone {
      end = nodes[handle].end
      handle = nodes[handle].right
    }
    return end
  }

  /// The entries between which an address lies that is mapped by none.
  @inline(__always)
  func neighbours(of address: UInt64) -> (previous: Handle<MapEntry>, next: Handle<MapEntry>) {
    guard let next = findFirst(endingAfter: address) else { return (lastEntry(), .none) }
    return (nodes[next].previous, next)
  }

  /// Puts an entry whose range is free into the map.
  func insert(_ handle: Handle<MapEntry>) {
    let (previous, next) = neighbours(of: nodes[handle].start)
    insert(handle, between: previous, next)
  }

  /// Puts an entry behind all others into a map that is made in ascending order: the one before was the last.
  func append(_ handle: Handle<MapEntry>) {
    let last = lastFound
    precondition(last.isNone ? first.isNone : nodes[last].next.isNone, "a map that is not made in order")
    insert(handle, between: last, .none)
  }

  /// Puts an entry into the map between two that are neighbours.
  @inline(__always)
  func insert(_ handle: Handle<MapEntry>, between previous: Handle<MapEntry>, _ next: Handle<MapEntry>) {
    // Thread it.
    nodes[handle].next = next
    nodes[handle].previous = previous
    if !next.isNone { nodes[next].previous = handle }
    if previous.isNone { first = handle } else { nodes[previous].next = handle }
    // The entry behind is on the way to the new leaf, so that its gap is brought up to date with the way.
    tree = insert(handle, into: tree)
    lastFound = handle
    count(entries: 1)
    virtualByteCount += nodes[handle].countedByteCount
  }

  /// Takes an entry out of the map; `release` drops it.
  func remove(_ handle: Handle<MapEntry>) {
    let next = nodes[handle].next
    let previous = nodes[handle].previous
    if previous.isNone { first = next } else { nodes[previous].next = next }
    if !next.isNone { nodes[next].previous = previous }
    tree = remove(nodes[handle].start, from: tree)
    if lastFound == handle { lastFound = .none }
  }

  /// Recomputes the gaps that depend on where the entry in front of `handle` ends.
  func refreshGap(of handle: Handle<MapEntry>) {
    if !handle.isNone { refresh(tree, toward: nodes[handle].start) }
  }

  private func lastEntry() -> Handle<MapEntry> {
    var handle = tree
    var last = Handle<MapEntry>.none
    while !handle.isNone {
      last = handle
      handle = nodes[handle].right
    }
    return last
  }

  private func refresh(_ handle: Handle<MapEntry>, toward start: UInt64) {
    if handle.isNone { return }
    let here = nodes[handle].start
    if start < here {
      refresh(nodes[handle].left, toward: start)
    } else if start > here {
      refresh(nodes[handle].right, toward: start)
    }
    update(handle)
  }

  private func update(_ handle: Handle<MapEntry>) {
    let node = nodes.pin(handle)
    let previous = node.value.previous
    let left = node.value.left
    let right = node.value.right
    var gap = node.value.start - (previous.isNone ? UserSpace.start : nodes.pin(previous).value.end)
    var height: UInt8 = 0
    if !left.isNone {
      let child = nodes.pin(left)
      gap = max(gap, child.value.largestGap)
      height = child.value.height
    }
    if !right.isNone {
      let child = nodes.pin(right)
      gap = max(gap, child.value.largestGap)
      height = max(height, child.value.height)
    }
    node.value.largestGap = gap
    node.value.height = height + 1
  }

  private func insert(_ handle: Handle<MapEntry>, into root: Handle<MapEntry>) -> Handle<MapEntry> {
    if root.isNone {
      update(handle)
      return handle
    }
    let node = nodes.pin(root)
    if nodes.pin(handle).value.start < node.value.start {
      node.value.left = insert(handle, into: node.value.left)
    } else {
      node.value.right = insert(handle, into: node.value.right)
    }
    return balance(root)
  }

  private func remove(_ start: UInt64, from root: Handle<MapEntry>) -> Handle<MapEntry> {
    precondition(!root.isNone, "entry not in the map")
    if nodes[root].start == start {
      let left = nodes[root].left
      let right = nodes[root].right
      nodes[root].left = .none
      nodes[root].right = .none
      if left.isNone {
        // Then the right subtree is at most one entry, the one behind, whose gap has grown. Otherwise that entry takes this
        // one's place or is on the way here.
        if !right.isNone { update(right) }
        return right
      }
      if right.isNone { return left }
      let (successor, rest) = removeFirst(from: right)
      nodes[successor].left = left
      nodes[successor].right = rest
      return balance(successor)
    }
    if start < nodes[root].start {
      let child = remove(start, from: nodes[root].left)
      nodes[root].left = child
    } else {
      let child = remove(start, from: nodes[root].right)
      nodes[root].right = child
    }
    return balance(root)
  }

  /// Takes the first entry out of a subtree; gives it and what is left.
  private func removeFirst(
    from root: Handle<MapEntry>
  ) -> (first: Handle<MapEntry>, rest: Handle<MapEntry>) {
    let left = nodes[root].left
    if left.isNone { return (root, nodes[root].right) }
    let (first, rest) = removeFirst(from: left)
    nodes[root].left = rest
    return (first, balance(root))
  }

  // MARK: Balance

  private func height(_ handle: Handle<MapEntry>) -> Int { handle.isNone ? 0 : Int(nodes[handle].height) }

  /// Brings an entry up to date whose subtrees may differ by two in height; gives the root of the result.
  private func balance(_ root: Handle<MapEntry>) -> Handle<MapEntry> {
    let left = nodes[root].left
    let right = nodes[root].right
    let difference = height(left) - height(right)
    if difference > 1 {
      if height(nodes[left].left) < height(nodes[left].right) { nodes[root].left = rotateLeft(left) }
      return rotateRight(root)
    }
    if difference < -1 {
      if height(nodes[right].right) < height(nodes[right].left) { nodes[root].right = rotateRight(right) }
      return rotateLeft(root)
    }
    update(root)
    return root
  }

  private func rotateLeft(_ root: Handle<MapEntry>) -> Handle<MapEntry> {
    let top = nodes[root].right
    nodes[root].right = nodes[top].left
    nodes[top].left = root
    update(root)
    update(top)
    return top
  }

  private func rotateRight(_ root: Handle<MapEntry>) -> Handle<MapEntry> {
    let top = nodes[root].left
    nodes[root].left = nodes[top].right
    nodes[top].right = root
    update(root)
    update(top)
    return top
  }

  /// The height of the whole map (for tests).
  var treeHeight: Int { height(tree) }

  /// Whether heights and gaps of the whole tree are what they should be (for the invariant checker).
  var treeIsInOrder: Bool { isInOrder(tree) }

  private func isInOrder(_ handle: Handle<MapEntry>) -> Bool {
    if handle.isNone { return true }
    let node = nodes.pin(handle)
    let left = node.value.left
    let right = node.value.right
    guard isInOrder(left), isInOrder(right), abs(height(left) - height(right)) <= 1 else { return false }
    let known = (node.value.height, node.value.largestGap)
    update(handle)
    return known == (node.value.height, node.value.largestGap)
  }
}
