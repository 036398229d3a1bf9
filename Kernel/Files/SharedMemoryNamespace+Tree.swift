// The balanced trees of the name table: AVL, without recursion (a kernel stack is small and a tree may be deep).

import Memory

/// The way from the root of a tree to an entry: entries, and on which side each was left.
struct NamePath {
  enum Side {
    case left
    case right
  }

  /// An AVL tree of 2^32 entries is at most 46 high.
  private var entries = [48 of Handle<NameEntry>](repeating: .none)
  private var rights: UInt64 = 0
  private(set) var count = 0

  mutating func push(_ entry: Handle<NameEntry>, _ side: Side) {
    entries[count] = entry
    if side == .right { rights |= 1 << UInt64(count) } else { rights &= ~(1 << UInt64(count)) }
    count += 1
  }

  mutating func pop() -> (entry: Handle<NameEntry>, side: Side)? {
    if count == 0 { return nil }
    count -= 1
    return (entries[count], rights >> UInt64(count) & 1 == 1 ? .right : .left)
  }

  /// Puts another entry at a place that was pushed before.
  mutating func replace(at index: Int, with entry: Handle<NameEntry>) {
    entries[index] = entry
  }
}

extension SharedMemoryNamespace {
  /// Hangs a new entry into the tree and returns the new root.
  borrowing func insert(
    _ entry: Handle<NameEntry>, _ key: NameKey, _ path: Span<UInt8>, under root: Handle<NameEntry>
  ) -> Handle<NameEntry> {
    var search = NamePath()
    var handle = root
    while !handle.isNone {
      switch order(of: key, path, comparedWith: handle) {
      case .same: preconditionFailure("the name exists")
      case .before:
        search.push(handle, .left)
        handle = entries[handle].left
      case .behind:
        search.push(handle, .right)
        handle = entries[handle].right
      }
    }
    return rebuild(entry, &search)
  }

  /// Takes the entry to which `search` leads out of the tree and returns the new root.
  borrowing func detach(_ entry: Handle<NameEntry>, _ search: inout NamePath) -> Handle<NameEntry> {
    let left = entries[entry].left
    let right = entries[entry].right
    if left.isNone { return rebuild(right, &search) }
    if right.isNone { return rebuild(left, &search) }
    // The next entry in order takes the place.
    let place = search.count
    search.push(entry, .right)
    var successor = right
    while !entries[successor].left.isNone {
      search.push(successor, .left)
      successor = entries[successor].left
    }
    search.replace(at: place, with: successor)
    let orphan = entries[successor].right
    entries[successor].left = left
    // When the successor is the right child itself, this is overwritten on the way up.
    entries[successor].right = right
    return rebuild(orphan, &search)
  }

  /// Goes back up, hanging each subtree under its parent and restoring the balance. Returns the root.
  private borrowing func rebuild(_ subtree: Handle<NameEntry>, _ search: inout NamePath) -> Handle<NameEntry> {
    var subtree = subtree
    while let (parent, side) = search.pop() {
      switch side {
      case .left: entries[parent].left = subtree
      case .right: entries[parent].right = subtree
      }
      subtree = balance(parent)
    }
    return subtree
  }

  private borrowing func balance(_ entry: Handle<NameEntry>) -> Handle<NameEntry> {
    let left = entries[entry].left
    let right = entries[entry].right
    let difference = height(left) - height(right)
    if difference > 1 {
      if height(entries[left].left) < height(entries[left].right) { entries[entry].left = rotateLeft(left) }
      return rotateRight(entry)
    }
    if difference < -1 {
      if height(entries[right].right) < height(entries[right].left) { entries[entry].right = rotateRight(right) }
      return rotateLeft(entry)
    }
    updateHeight(entry)
    return entry
  }

  private borrowing func rotateLeft(_ entry: Handle<NameEntry>) -> Handle<NameEntry> {
    let top = entries[entry].right
    entries[entry].right = entries[top].left
    entries[top].left = entry
    updateHeight(entry)
    updateHeight(top)
    return top
  }

  private borrowing func rotateRight(_ entry: Handle<NameEntry>) -> Handle<NameEntry> {
    let top = entries[entry].left
    entries[entry].left = entries[top].right
    entries[top].right = entry
    updateHeight(entry)
    updateHeight(top)
    return top
  }

  @inline(__always)
  private borrowing func height(_ entry: Handle<NameEntry>) -> Int32 {
    entry.isNone ? 0 : entries[entry].height
  }

  private borrowing func updateHeight(_ entry: Handle<NameEntry>) {
    entries[entry].height = max(height(entries[entry].left), height(entries[entry].right)) + 1
  }
}
