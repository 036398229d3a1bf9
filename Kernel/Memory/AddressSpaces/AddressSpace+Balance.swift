// The tree of an address space's map: an AVL tree. The heights of two siblings differ by at most one whatever a program maps in
// whatever order. (A tree balanced by numbers that a program can foresee would not do: mappings made in the order of the
// numbers turn it into a list.)
//
// Invariants
// - The order of the tree is that of the threads `next` and `previous`; the parent of every child names it.
// - `height` and `largestGap` of an entry are those of its subtree. The gap in front of an entry depends on the entry before
//   it, which may lie anywhere: so whoever changes an entry's end or its neighbours restores the entry behind, too.
// - What changes below an entry is taken up the tree only as far as something comes out differently: one more mapping or one
//   less mostly costs a few levels, however many there are. Above where no height changes only gaps are looked at.
import ABI

extension AddressSpace {
  @inline(__always)
  private var nodes: Pool<MapEntry> { system.entries }

  /// Puts an entry that has been threaded into the tree. Of two neighbours one lies below the other, and that has no child
  /// on the other's side.
  func addToTree(_ handle: Handle<MapEntry>) {
    let node = nodes.pin(handle)
    let previous = node.value.previous
    let next = node.value.next
    var parent = next
    node.value.left = .none
    node.value.right = .none
    if !previous.isNone, nodes.pin(previous).value.right.isNone {
      parent = previous
      nodes.pin(previous).value.right = handle
    } else if next.isNone {
      tree = handle
    } else {
      nodes.pin(next).value.left = handle
    }
    node.value.parent = parent
    node.value.height = 1
    node.value.largestGap = gap(before: node)
    restore(from: parent)
    if next != parent { restore(from: next) }
  }

  /// Takes an entry that the threads leave out already from the tree. Where it has two subtrees, the entry behind it, which
  /// is the first of the second, gets its place.
  func removeFromTree(_ handle: Handle<MapEntry>) {
    let node = nodes.pin(handle)
    let next = node.value.next
    var lowest = node.value.parent
    if node.value.left.isNone {
      replace(handle, by: node.value.right)
    } else if node.value.right.isNone {
      replace(handle, by: node.value.left)
    } else {
      let heir = nodes.pin(next)
      lowest = next
      if node.value.right != next {
        lowest = heir.value.parent
        replace(next, by: heir.value.right)
        setRight(node.value.right, of: next, heir)
      }
      setLeft(node.value.left, of: next, heir)
      replace(handle, by: next)
      // What those above know of this place.
      heir.value.height = node.value.height
      heir.value.largestGap = node.value.largestGap
    }
    restore(from: lowest)
    if next != lowest { restore(from: next) }
  }

  /// Recomputes what depends on where the entry in front of `handle` ends.
  func refreshGap(of handle: Handle<MapEntry>) { restore(from: handle) }

  /// Brings entries up to date from one upwards, as far as something changes. The height of what is below has changed by one
  /// at most.
  func restore(from lowest: Handle<MapEntry>) {
    var handle = lowest
    while !handle.isNone {
      let node = nodes.pin(handle)
      let parent = node.value.parent
      let height = node.value.height
      let gap = node.value.largestGap
      let difference = update(node)
      if difference > 1 || difference < -1 {
        let top = nodes.pin(difference > 0 ? lowerLeft(handle, node) : lowerRight(handle, node))
        if top.value.height == height && top.value.largestGap == gap { return }
      } else if node.value.height == height {
        return carryGap(from: handle, gap, node.value.largestGap, above: parent)
      }
      handle = parent
    }
  }

  /// Takes up the tree that the largest gap below an entry was `old` and is `new`, where nothing else has changed.
  private func carryGap(
    from below: Handle<MapEntry>, _ old: UInt64, _ new: UInt64, above lowest: Handle<MapEntry>
  ) {
    var (child, handle) = (below, lowest)
    var (old, new) = (old, new)
    while old != new, !handle.isNone {
      let node = nodes.pin(handle)
      let known = node.value.largestGap
      if new < known {
        // One that was not the largest here, or the largest, beside which there may be others.
        if old < known { return }
        new = max(new, gap(before: node))
        let other = node.value.left == child ? node.value.right : node.value.left
        if !other.isNone { new = max(new, nodes.pin(other).value.largestGap) }
      }
      node.value.largestGap = new
      old = known
      child = handle
      handle = node.value.parent
    }
  }

  /// The bytes between an entry and the one before it.
  @inline(__always)
  func gap(before node: PinnedRecord<MapEntry>) -> UInt64 {
    let previous = node.value.previous
    return node.value.start - (previous.isNone ? UserSpace.start : nodes.pin(previous).value.end)
  }

  /// Computes height and gap of an entry from its children. Returns by how much the left one is higher.
  @inline(__always)
  func update(_ node: PinnedRecord<MapEntry>) -> Int {
    var gap = gap(before: node)
    var left: UInt8 = 0
    var right: UInt8 = 0
    if !node.value.left.isNone {
      let child = nodes.pin(node.value.left)
      gap = max(gap, child.value.largestGap)
      left = child.value.height
    }
    if !node.value.right.isNone {
      let child = nodes.pin(node.value.right)
      gap = max(gap, child.value.largestGap)
      right = child.value.height
    }
    node.value.largestGap = gap
    node.value.height = max(left, right) &+ 1
    return Int(left) &- Int(right)
  }

  // MARK: Rotations

  /// Lets an entry whose left subtree is too high go down on its right. Gives what has its place.
  private func lowerLeft(_ handle: Handle<MapEntry>, _ node: PinnedRecord<MapEntry>) -> Handle<MapEntry> {
    let child = nodes.pin(node.value.left)
    if height(child.value.left) < height(child.value.right) { _ = rotateLeft(node.value.left, child) }
    return rotateRight(handle, node)
  }

  /// The same on the other side.
  private func lowerRight(_ handle: Handle<MapEntry>, _ node: PinnedRecord<MapEntry>) -> Handle<MapEntry> {
    let child = nodes.pin(node.value.right)
    if height(child.value.right) < height(child.value.left) { _ = rotateRight(node.value.right, child) }
    return rotateLeft(handle, node)
  }

  private func rotateLeft(_ handle: Handle<MapEntry>, _ node: PinnedRecord<MapEntry>) -> Handle<MapEntry> {
    let top = node.value.right
    let new = nodes.pin(top)
    replace(handle, by: top)
    setRight(new.value.left, of: handle, node)
    setLeft(handle, of: top, new)
    _ = update(node)
    _ = update(new)
    return top
  }

  private func rotateRight(_ handle: Handle<MapEntry>, _ node: PinnedRecord<MapEntry>) -> Handle<MapEntry> {
    let top = node.value.left
    let new = nodes.pin(top)
    replace(handle, by: top)
    setLeft(new.value.right, of: handle, node)
    setRight(handle, of: top, new)
    _ = update(node)
    _ = update(new)
    return top
  }

  // MARK: Links

  func setLeft(_ child: Handle<MapEntry>, of handle: Handle<MapEntry>, _ node: PinnedRecord<MapEntry>) {
    node.value.left = child
    if !child.isNone { nodes.pin(child).value.parent = handle }
  }

  func setRight(_ child: Handle<MapEntry>, of handle: Handle<MapEntry>, _ node: PinnedRecord<MapEntry>) {
    node.value.right = child
    if !child.isNone { nodes.pin(child).value.parent = handle }
  }

  /// Gives the place of an entry below its parent to another, or to none.
  private func replace(_ handle: Handle<MapEntry>, by other: Handle<MapEntry>) {
    let parent = nodes.pin(handle).value.parent
    if !other.isNone { nodes.pin(other).value.parent = parent }
    if parent.isNone {
      tree = other
      return
    }
    let above = nodes.pin(parent)
    if above.value.left == handle { above.value.left = other } else { above.value.right = other }
  }

  func height(_ handle: Handle<MapEntry>) -> UInt8 { handle.isNone ? 0 : nodes.pin(handle).value.height }

  // MARK: Inspection

  /// The height of the whole map (for tests).
  var treeHeight: Int { Int(height(tree)) }

  /// Whether links, heights and gaps of the whole tree are what they should be (for the invariant checker).
  var treeIsInOrder: Bool { isInOrder(tree, below: .none) }

  private func isInOrder(_ handle: Handle<MapEntry>, below parent: Handle<MapEntry>) -> Bool {
    if handle.isNone { return true }
    let node = nodes.pin(handle)
    guard node.value.parent == parent, isInOrder(node.value.left, below: handle),
      isInOrder(node.value.right, below: handle)
    else { return false }
    let known = (node.value.height, node.value.largestGap)
    let difference = update(node)
    return abs(difference) <= 1 && known == (node.value.height, node.value.largestGap)
  }
}
