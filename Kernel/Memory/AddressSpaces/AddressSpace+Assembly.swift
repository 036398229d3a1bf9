// Making a whole map in ascending order, as fork(2) does. The tree is not put in order after each entry: it is put together from
// complete subtrees, so that an entry costs the same however many there are.
//
// Invariants, until `finish`
// - The space has no tree, and nobody looks for anything in it: only the threads lead to its entries.
// - `complete` is the top of a subtree of which every level is full, behind all others, or none. `waiting` is the last of
//   the entries that have such a subtree on their left, of a height that their `height` says, and wait for another of that
//   height on their right; `parent` leads to the one before, which waits for a higher one.
import ABI

/// The parts of a map that is being made.
struct MapAssembly: BitwiseCopyable, Sendable {
  fileprivate var complete = Handle<MapEntry>.none
  fileprivate var waiting = Handle<MapEntry>.none
}

extension AddressSpace {
  /// Puts an entry behind all others into a map that is being made.
  @inline(__always)
  func append(_ handle: Handle<MapEntry>, to assembly: inout MapAssembly) {
    let node = system.entries.pin(handle)
    let last = lastFound
    node.value.previous = last
    node.value.next = .none
    if last.isNone { first = handle } else { system.entries.pin(last).value.next = handle }
    lastFound = handle
    count(entries: 1)
    virtualByteCount += node.value.countedByteCount
    node.value.right = .none
    node.value.left = assembly.complete
    if !assembly.complete.isNone {
      // It is the entry that what is complete has waited for.
      let left = system.entries.pin(assembly.complete)
      left.value.parent = handle
      node.value.height = left.value.height
      node.value.parent = assembly.waiting
      assembly.waiting = handle
      assembly.complete = .none
      return
    }
    _ = update(node)
    complete(handle, node.value.height, &assembly)
  }

  /// A complete subtree goes below the entry that waits for it, which makes one more complete, and so on.
  private func complete(_ top: Handle<MapEntry>, _ height: UInt8, _ assembly: inout MapAssembly) {
    var handle = top
    var height = height
    while !assembly.waiting.isNone {
      let node = system.entries.pin(assembly.waiting)
      if node.value.height != height { break }
      let above = assembly.waiting
      assembly.waiting = node.value.parent
      setRight(handle, of: above, node)
      _ = update(node)
      handle = above
      height += 1
    }
    assembly.complete = handle
  }

  /// Makes a tree of what there is. Costs a few steps for each doubling of the map.
  func finish(_ assembly: inout MapAssembly) {
    var top = assembly.complete
    while !assembly.waiting.isNone {
      let handle = assembly.waiting
      let node = system.entries.pin(handle)
      assembly.waiting = node.value.parent
      top = join(handle, node, top)
    }
    tree = top
    if !top.isNone { system.entries[top].parent = .none }
    assembly = MapAssembly()
  }

  /// Makes one tree of an entry, the complete subtree on its left and a tree, not higher than that, on its right. Gives its top.
  private func join(
    _ handle: Handle<MapEntry>, _ node: PinnedRecord<MapEntry>, _ right: Handle<MapEntry>
  ) -> Handle<MapEntry> {
    let top = node.value.left
    let height = height(right)
    var left = top
    var above = Handle<MapEntry>.none
    while self.height(left) > height + 1 {
      above = left
      left = system.entries.pin(left).value.right
    }
    setLeft(left, of: handle, node)
    setRight(right, of: handle, node)
    _ = update(node)
    if above.isNone { return handle }
    // As high as what it takes the place of, or higher by one: as if it had been inserted there.
    setRight(handle, of: above, system.entries.pin(above))
    system.entries[top].parent = .none
    tree = top
    restore(from: above)
    return tree
  }
}
