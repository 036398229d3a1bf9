// The ordered map of an address space: a tree by start address, threaded in order, with the largest gap of each subtree
// (AddressSpace+Balance.swift). A search costs a step for each level of it; who knows the neighbours of an entry puts it in
// or takes it out without one.
import ABI
import Primitives

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

  /// Whether the entry that was found last is the first whose end lies above `address`.
  @inline(__always)
  private func isLastFoundFirst(endingAfter address: UInt64) -> Bool {
    if lastFound.isNone { return false }
    let hint = nodes.pin(lastFound)
    guard address < hint.value.end else { return false }
    if hint.value.start <= address { return true }
    let previous = hint.value.previous
    return previous.isNone || nodes.pin(previous).value.end <= address
  }

  /// The first entry whose end lies above `address`.
  func findFirst(endingAfter address: UInt64) -> Handle<MapEntry>? {
    if isLastFoundFirst(endingAfter: address) { return lastFound }
    var best = Handle<MapEntry>.none
    var handle = tree
    while !handle.isNone {
      let node = nodes.pin(handle)
      if node.value.end <= address {
        handle = node.value.right
        continue
      }
      best = handle
      if node.value.start <= address { break }
      handle = node.value.left
    }
    return best.isNone ? nil : best
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
    if let found = firstGap(behind: behind, needed) {
      // Who is mapped there will ask for it at once.
      lastFound = found
      return aligned(gapStart(before: found))
    }
    let end = aligned(lastEnd())
    return end < UserSpace.end && byteCount <= UserSpace.end - end ? end : nil
  }

  /// The first entry behind another with a gap of `needed` bytes in front of it.
  private func firstGap(behind entry: Handle<MapEntry>, _ needed: UInt64) -> Handle<MapEntry>? {
    var handle = entry
    while !handle.isNone {
      let node = nodes.pin(handle)
      let right = node.value.right
      if hasGap(right, needed) { return firstGap(in: right, needed) }
      // Up to the next entry that lies behind.
      var child = handle
      handle = node.value.parent
      while !handle.isNone {
        let above = nodes.pin(handle)
        if above.value.left == child {
          if gap(before: above) >= needed { return handle }
          break
        }
        child = handle
        handle = above.value.parent
      }
    }
    return nil
  }

  /// The first entry of a subtree, in which there is one, with a gap of `needed` bytes in front of it.
  private func firstGap(in root: Handle<MapEntry>, _ needed: UInt64) -> Handle<MapEntry> {
    var handle = root
    while true {
      let node = nodes.pin(handle)
      if hasGap(node.value.left, needed) {
        handle = node.value.left
      } else if gap(before: node) >= needed {
        return handle
      } else {
        handle = node.value.right
      }
    }
  }

  /// Whether a subtree has a gap of `needed` bytes.
  @inline(__always)
  private func hasGap(_ root: Handle<MapEntry>, _ needed: UInt64) -> Bool {
    !root.isNone && nodes.pin(root).value.largestGap >= needed
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

  /// Puts an entry into the map between two that are neighbours.
  func insert(_ handle: Handle<MapEntry>, between previous: Handle<MapEntry>, _ next: Handle<MapEntry>) {
    let node = nodes.pin(handle)
    node.value.next = next
    node.value.previous = previous
    if !next.isNone { nodes.pin(next).value.previous = handle }
    if previous.isNone { first = handle } else { nodes.pin(previous).value.next = handle }
    addToTree(handle)
    lastFound = handle
    count(entries: 1)
    virtualByteCount += node.value.countedByteCount
  }

  /// Takes an entry out of the map; `release` drops it.
  func remove(_ handle: Handle<MapEntry>) {
    let node = nodes.pin(handle)
    let next = node.value.next
    let previous = node.value.previous
    if previous.isNone { first = next } else { nodes.pin(previous).value.next = next }
    if !next.isNone { nodes.pin(next).value.previous = previous }
    removeFromTree(handle)
    if lastFound == handle { lastFound = .none }
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
}
