// Which page-table entries map a frame, or a whole block of frames ("every frame knows its mappings", DESIGN).
//
// Invariants
// - A frame's set names exactly the leaves of 4 KiB that map it, a block's those that map all of it, each by its entry's physical
//   address. The page table's own frame record tells the address space, the virtual address and the size.
// - One mapping is held in the frame's record itself and costs no memory; each further one is a record of a pool, in a tree
//   that begins at `mappingRoot`. Without the first there are no others.
// - The tree is a digital one: at each record the way to an entry goes on left or right by the next bit of the entry's scrambled
//   address. Nothing is ever turned round: a record that goes from the middle gets the entry of any leaf below it. So one
//   mapping more or less costs a step for each doubling of the set, and 64 at the very most, however many there are and in
//   whatever order they come and go.
// - The record at the root counts the records of its tree.

import Primitives

/// The head of a frame's set: 0, or the physical address of one entry.
struct MappingSet: BitwiseCopyable {
  /// The most mappings that are looked at or taken away before it is asked whether to go on.
  static let batch = 256

  fileprivate var word: UInt64 = 0

  /// No mapping.
  @inline(__always)
  init() {}

  @inline(__always)
  fileprivate init(_ entry: PhysicalAddress) { word = entry.raw }

  @inline(__always)
  var isEmpty: Bool { word == 0 }
}

extension PageFrame {
  /// Of a page table, which is mapped nowhere: bit n is set if one of the entries 8n to 8n + 7 may be present. So a walk
  /// costs what is present, and what went since the last walk.
  @inline(__always)
  var usedGroups: UInt64 {
    get { mappings.word }
    set { mappings.word = newValue }
  }

  /// Of a page table below the root: the table in which an entry names it. It stands where the links of lists do, which a table
  /// in use has none of; whoever takes it out of use says that it is in no list (`FrameList.markFree`).
  @inline(__always)
  var parentTable: FrameNumber {
    get { previous }
    set { previous = newValue }
  }

  /// Of a page: where the tree of its further mappings begins. It stands where pools and tables count what is in them.
  @inline(__always)
  var mappingRoot: Handle<MappingNode> {
    get { Handle(raw: UInt32(count) | UInt32(firstFree) &<< 16) }
    set {
      count = UInt16(truncatingIfNeeded: newValue.raw)
      firstFree = UInt16(truncatingIfNeeded: newValue.raw &>> 16)
    }
  }
}

/// One of a frame's mappings but the first.
struct MappingNode: BitwiseCopyable {
  /// Addresses are below 1 TiB, and divisible by 8.
  private static let addressBits: UInt64 = 37

  /// The entry's address divided by 8; above that, in a root, the number of records.
  private var word: UInt64
  fileprivate var left = Handle<MappingNode>.none
  fileprivate var right = Handle<MappingNode>.none

  /// The only record of a tree.
  @inline(__always)
  init(_ entry: PhysicalAddress) { word = entry.raw &>> 3 | 1 &<< MappingNode.addressBits }

  @inline(__always)
  fileprivate var entry: PhysicalAddress {
    get { PhysicalAddress((word & (1 &<< MappingNode.addressBits &- 1)) &<< 3) }
    set { word = word & ~(1 &<< MappingNode.addressBits &- 1) | newValue.raw &>> 3 }
  }

  @inline(__always)
  fileprivate var count: Int { Int(truncatingIfNeeded: word &>> MappingNode.addressBits) }

  @inline(__always)
  fileprivate mutating func count(records: Int) {
    word &+= UInt64(bitPattern: Int64(records)) &<< MappingNode.addressBits
  }

  /// The bits that say where an entry stands, from the highest: no two entries have the same, and neighbours have nothing in common.
  @inline(__always)
  fileprivate static func way(to entry: PhysicalAddress) -> UInt64 { (entry.raw &>> 3) &* 0x9E37_79B9_7F4A_7C15 }
}

extension MemorySystem {
  /// Adds a mapping to the set of a frame, or of a block (whose records are `table`). Returns false, and changes nothing, when a
  /// record is needed and cannot be had.
  @inline(__always)
  func addMapping(_ entry: PhysicalAddress, to frame: FrameNumber, _ table: FrameTable) -> Bool {
    if table[frame].mappings.isEmpty {
      table[frame].mappings = MappingSet(entry)
      return true
    }
    guard let node = mappingNodes.allocate(MappingNode(entry), self) else { return false }
    let root = table[frame].mappingRoot
    if root.isNone { table[frame].mappingRoot = node } else { hang(node, of: entry, below: root) }
    return true
  }

  /// Enters a record without children in a tree.
  private func hang(_ new: Handle<MappingNode>, of entry: PhysicalAddress, below root: Handle<MappingNode>) {
    mappingNodes[root].count(records: 1)
    var way = MappingNode.way(to: entry)
    var handle = root
    while true {
      let node = mappingNodes.pin(handle)
      handle = way >> 63 == 0 ? node.value.left : node.value.right
      if handle.isNone {
        if way >> 63 == 0 { node.value.left = new } else { node.value.right = new }
        return
      }
      way &<<= 1
    }
  }

  /// Takes a mapping off a set, where it must be.
  @inline(__always)
  func removeMapping(_ entry: PhysicalAddress, from frame: FrameNumber, _ table: FrameTable) {
    if table[frame].mappings.word == entry.raw && table[frame].mappingRoot.isNone {
      table[frame].mappings = MappingSet()
    } else {
      removeSharedMapping(entry, from: frame, table)
    }
  }

  private func removeSharedMapping(_ entry: PhysicalAddress, from frame: FrameNumber, _ table: FrameTable) {
    let root = table[frame].mappingRoot
    let only = mappingNodes.pin(root)
    if only.value.left.isNone && only.value.right.isNone {
      // One of two, as parents and children mostly have them.
      if table[frame].mappings.word == entry.raw {
        table[frame].mappings = MappingSet(only.value.entry)
      } else {
        precondition(only.value.entry == entry, "mapping not in its frame's set")
      }
      table[frame].mappingRoot = .none
      mappingNodes.release(root, self)
    } else if table[frame].mappings.word == entry.raw {
      let leaf = takeLeaf(below: root, above: .none, frame, table)
      table[frame].mappings = MappingSet(mappingNodes[leaf].entry)
      mappingNodes.release(leaf, self)
    } else {
      mappingNodes.release(unlink(entry, frame, table), self)
    }
  }

  /// Takes an entry out of the tree of a frame. Returns the record that is not needed any more.
  private func unlink(
    _ entry: PhysicalAddress, _ frame: FrameNumber, _ table: FrameTable
  ) -> Handle<MappingNode> {
    var way = MappingNode.way(to: entry)
    var parent = Handle<MappingNode>.none
    var handle = table[frame].mappingRoot
    while true {
      precondition(!handle.isNone, "mapping not in its frame's set")
      let node = mappingNodes.pin(handle)
      if node.value.entry == entry {
        let leaf = takeLeaf(below: handle, above: parent, frame, table)
        if leaf != handle { node.value.entry = mappingNodes[leaf].entry }
        return leaf
      }
      parent = handle
      handle = way >> 63 == 0 ? node.value.left : node.value.right
      way &<<= 1
    }
  }

  /// Takes a record without children out of a frame's tree: one below another, or that itself, whose parent is given.
  private func takeLeaf(
    below top: Handle<MappingNode>, above parent: Handle<MappingNode>, _ frame: FrameNumber, _ table: FrameTable
  ) -> Handle<MappingNode> {
    var parent = parent
    var handle = top
    while true {
      let node = mappingNodes.pin(handle)
      let child = node.value.left.isNone ? node.value.right : node.value.left
      if child.isNone { break }
      parent = handle
      handle = child
    }
    if parent.isNone {
      table[frame].mappingRoot = .none
      return handle
    }
    let above = mappingNodes.pin(parent)
    if above.value.left == handle { above.value.left = .none } else { above.value.right = .none }
    mappingNodes[table[frame].mappingRoot].count(records: -1)
    return handle
  }

  /// Takes mappings but the first off a set, each as its record goes, until none of them is left or `left`, off which they are taken,
  /// is used up. (`body` must not change the set.) Returns whether none is left.
  func takeFurtherMappings(
    of frame: FrameNumber, _ table: FrameTable, _ left: inout Int, _ body: (PhysicalAddress) -> Void
  ) -> Bool {
    let root = table[frame].mappingRoot
    if root.isNone { return true }
    let before = left
    if strip(root, &left, body) {
      table[frame].mappingRoot = .none
      return true
    }
    mappingNodes[root].count(records: left - before)
    return false
  }

  /// Takes a tree apart from its leaves on. Returns whether nothing of it is left.
  private func strip(_ top: Handle<MappingNode>, _ left: inout Int, _ body: (PhysicalAddress) -> Void) -> Bool {
    let node = mappingNodes.pin(top)
    if !node.value.left.isNone {
      guard strip(node.value.left, &left, body) else { return false }
      node.value.left = .none
    }
    if !node.value.right.isNone {
      guard strip(node.value.right, &left, body) else { return false }
      node.value.right = .none
    }
    if left <= 0 { return false }
    left -= 1
    let entry = node.value.entry
    mappingNodes.release(top, self)
    body(entry)
    return true
  }

  /// Has an entry take the place of another in a set, which must have it.
  func replaceMapping(_ old: PhysicalAddress, by new: PhysicalAddress, of frame: FrameNumber, _ table: FrameTable) {
    if table[frame].mappings.word == old.raw {
      table[frame].mappings = MappingSet(new)
      return
    }
    let node = unlink(old, frame, table)
    mappingNodes[node] = MappingNode(new)
    let root = table[frame].mappingRoot
    if root.isNone { table[frame].mappingRoot = node } else { hang(node, of: new, below: root) }
  }

  /// Mappings in a set but the first.
  @inline(__always)
  func furtherMappingCount(of frame: FrameNumber, _ table: FrameTable) -> Int {
    let root = table[frame].mappingRoot
    return root.isNone ? 0 : mappingNodes[root].count
  }

  /// One of a set's mappings, or nil when it has none.
  @inline(__always)
  func anyMapping(of frame: FrameNumber, _ table: FrameTable) -> PhysicalAddress? {
    let first = table[frame].mappings
    return first.isEmpty ? nil : PhysicalAddress(first.word)
  }

  /// Calls `body`, which must not change the set, with every mapping of `frame`, until it returns false.
  @inline(__always)
  func forEachMapping(of frame: FrameNumber, _ table: FrameTable, _ body: (PhysicalAddress) -> Bool) {
    guard let first = anyMapping(of: frame, table), body(first) else { return }
    let root = table[frame].mappingRoot
    if !root.isNone { _ = visit(root, body) }
  }

  private func visit(_ top: Handle<MappingNode>, _ body: (PhysicalAddress) -> Bool) -> Bool {
    var handle = top
    while !handle.isNone {
      let node = mappingNodes[handle]
      guard body(node.entry) else { return false }
      if !node.left.isNone && !visit(node.left, body) { return false }
      handle = node.right
    }
    return true
  }

  /// Calls `body`, which must not change the set, with about `MappingSet.batch` mappings of `frame`: each time others,
  /// where there are more.
  func forSomeMappings(of frame: FrameNumber, _ table: FrameTable, _ body: (PhysicalAddress) -> Void) {
    guard let first = anyMapping(of: frame, table) else { return }
    body(first)
    var handle = table[frame].mappingRoot
    if handle.isNone { return }
    var left = mappingNodes[handle].count
    mappingTurn &+= 1
    // From the lowest bit on: the turns go from one side to the other and back.
    var way = mappingTurn
    while left > MappingSet.batch {
      let node = mappingNodes[handle]
      let child = way & 1 == 0 ? node.left : node.right
      if child.isNone { break }
      body(node.entry)
      handle = child
      way >>= 1
      left >>= 1
    }
    var budget = 2 * MappingSet.batch
    _ = visit(handle) { entry in
      body(entry)
      budget -= 1
      return budget > 0
    }
  }

  /// The most records on the way to one of a frame's mappings (for tests).
  func mappingTreeHeight(of frame: FrameNumber) -> Int { height(frames[frame].mappingRoot) }

  private func height(_ top: Handle<MappingNode>) -> Int {
    top.isNone ? 0 : 1 + max(height(mappingNodes[top].left), height(mappingNodes[top].right))
  }
}
