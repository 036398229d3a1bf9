// The ordered map of an address space: a treap by start address, threaded in order, with the largest gap of each subtree.
//
// Priorities come from a generator of the space itself, so a run is reproducible; heights stay logarithmic (expected).
import ABI

extension AddressSpace {
  @inline(__always)
  private var nodes: Pool<MapEntry> { system.entries }

  /// The entry that contains `address`.
  @inline(__always)
  func find(_ address: UInt64) -> Handle<MapEntry>? {
    let hint = lastFound
    if !hint.isNone, nodes[hint].start <= address, address < nodes[hint].end { return hint }
    guard let found = findFirst(endingAfter: address), nodes[found].start <= address else { return nil }
    lastFound = found
    return found
  }

  /// The first entry whose end lies above `address`.
  func findFirst(endingAfter address: UInt64) -> Handle<MapEntry>? {
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

  /// The lowest address at or above `hint` where `byteCount` bytes fit at `alignment`; nil when there is none.
  func findSpace(_ byteCount: UInt64, from hint: UInt64, alignment: UInt64) -> UInt64? {
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

  /// Puts an entry whose range is free into the map.
  func insert(_ handle: Handle<MapEntry>) {
    let start = nodes[handle].start
    // Thread it.
    if let next = findFirst(endingAfter: start) {
      let previous = nodes[next].previous
      nodes[handle].next = next
      nodes[handle].previous = previous
      nodes[next].previous = handle
      if previous.isNone { first = handle } else { nodes[previous].next = handle }
    } else {
      let previous = lastEntry()
      nodes[handle].previous = previous
      if previous.isNone { first = handle } else { nodes[previous].next = handle }
    }
    priorities ^= priorities << 13
    priorities ^= priorities >> 17
    priorities ^= priorities << 5
    nodes[handle].priority = priorities
    tree = insert(handle, into: tree)
    refreshGap(of: nodes[handle].next)
    entryCount += 1
    virtualByteCount += nodes[handle].end - start
  }

  /// Takes an entry out of the map; `release` drops it.
  func remove(_ handle: Handle<MapEntry>) {
    let next = nodes[handle].next
    let previous = nodes[handle].previous
    if previous.isNone { first = next } else { nodes[previous].next = next }
    if !next.isNone { nodes[next].previous = previous }
    tree = remove(nodes[handle].start, from: tree)
    if lastFound == handle { lastFound = .none }
    refreshGap(of: next)
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
    var gap = nodes[handle].start - gapStart(before: handle)
    let left = nodes[handle].left
    let right = nodes[handle].right
    if !left.isNone { gap = max(gap, nodes[left].largestGap) }
    if !right.isNone { gap = max(gap, nodes[right].largestGap) }
    nodes[handle].largestGap = gap
  }

  private func insert(_ handle: Handle<MapEntry>, into root: Handle<MapEntry>) -> Handle<MapEntry> {
    if root.isNone {
      update(handle)
      return handle
    }
    if nodes[handle].priority > nodes[root].priority {
      let (left, right) = split(root, at: nodes[handle].start)
      nodes[handle].left = left
      nodes[handle].right = right
      update(handle)
      return handle
    }
    if nodes[handle].start < nodes[root].start {
      let child = insert(handle, into: nodes[root].left)
      nodes[root].left = child
    } else {
      let child = insert(handle, into: nodes[root].right)
      nodes[root].right = child
    }
    update(root)
    return root
  }

  private func split(
    _ root: Handle<MapEntry>, at start: UInt64
  ) -> (left: Handle<MapEntry>, right: Handle<MapEntry>) {
    if root.isNone { return (.none, .none) }
    if nodes[root].start < start {
      let (left, right) = split(nodes[root].right, at: start)
      nodes[root].right = left
      update(root)
      return (root, right)
    }
    let (left, right) = split(nodes[root].left, at: start)
    nodes[root].left = right
    update(root)
    return (left, root)
  }

  private func remove(_ start: UInt64, from root: Handle<MapEntry>) -> Handle<MapEntry> {
    precondition(!root.isNone, "entry not in the map")
    if nodes[root].start == start {
      let merged = merge(nodes[root].left, nodes[root].right)
      nodes[root].left = .none
      nodes[root].right = .none
      return merged
    }
    if start < nodes[root].start {
      let child = remove(start, from: nodes[root].left)
      nodes[root].left = child
    } else {
      let child = remove(start, from: nodes[root].right)
      nodes[root].right = child
    }
    update(root)
    return root
  }

  private func merge(_ left: Handle<MapEntry>, _ right: Handle<MapEntry>) -> Handle<MapEntry> {
    if left.isNone { return right }
    if right.isNone { return left }
    if nodes[left].priority > nodes[right].priority {
      let child = merge(nodes[left].right, right)
      nodes[left].right = child
      update(left)
      return left
    }
    let child = merge(left, nodes[right].left)
    nodes[right].left = child
    update(right)
    return right
  }
}
