// Which page-table entries map a frame ("every frame knows its mappings", DESIGN).
//
// Invariants
// - A frame's list names exactly the leaves that map it, each by its entry's physical address. The page table's own frame
//   record tells the address space, the virtual address and the size.
// - One mapping is held in the list's word itself and costs no memory; each further one is a record of a pool, counted in
//   the frame's `count`.
// - No list is longer than `longest` records and one: mappings are a cache of what the map entries say, so a frame that is
//   mapped more often loses all its mappings and gets them back by faults. So taking one off costs a bounded number of
//   steps, however often a program maps one page.

import Primitives

/// The head of a list, or the rest of one: 0, the physical address of one entry, or a record's handle with bit 0 set.
struct MappingList: BitwiseCopyable {
  /// The most records in one list.
  static let longest = 255

  fileprivate var word: UInt64 = 0

  @inline(__always)
  init() {}

  @inline(__always)
  fileprivate init(single entry: PhysicalAddress) { word = entry.raw }

  @inline(__always)
  fileprivate init(node: Handle<MappingNode>) { word = UInt64(node.raw) << 1 | 1 }

  @inline(__always)
  var isEmpty: Bool { word == 0 }

  @inline(__always)
  fileprivate var node: Handle<MappingNode>? {
    word & 1 == 1 ? Handle(raw: UInt32(truncatingIfNeeded: word >> 1)) : nil
  }
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
}

struct MappingNode: BitwiseCopyable {
  var entry: PhysicalAddress
  var rest: MappingList
}

extension MemorySystem {
  /// Adds a mapping to a frame's list. Returns false, and changes nothing, when the list is as long as it may be, or a
  /// record is needed and cannot be had.
  @inline(__always)
  func addMapping(_ entry: PhysicalAddress, to frame: FrameNumber) -> Bool {
    let old = frames[frame].mappings
    if old.isEmpty {
      frames[frame].mappings = MappingList(single: entry)
      return true
    }
    guard !hasLongestList(frame), let node = mappingNodes.allocate(MappingNode(entry: entry, rest: old), self) else {
      return false
    }
    frames[frame].mappings = MappingList(node: node)
    frames[frame].count &+= 1
    return true
  }

  /// Whether no further mapping can be added to a frame's list.
  func hasLongestList(_ frame: FrameNumber) -> Bool { Int(frames[frame].count) >= MappingList.longest }

  /// Takes a mapping off a frame's list. It must be there. Returns how many units of work (a page, a translation) that was
  /// more than usual.
  @inline(__always)
  @discardableResult
  func removeMapping(_ entry: PhysicalAddress, from frame: FrameNumber) -> Int {
    if frames[frame].mappings.word == entry.raw {
      frames[frame].mappings = MappingList()
      return 0
    }
    return removeSharedMapping(entry, from: frame)
  }

  private func removeSharedMapping(_ entry: PhysicalAddress, from frame: FrameNumber) -> Int {
    var steps = 0
    var previous: Handle<MappingNode>?
    var current = frames[frame].mappings
    while let node = current.node {
      let record = mappingNodes[node]
      let replacement: MappingList
      if record.entry == entry {
        replacement = record.rest
      } else if record.rest.word == entry.raw {
        replacement = MappingList(single: record.entry)
      } else {
        previous = node
        current = record.rest
        steps &+= 1
        continue
      }
      if let previous { mappingNodes[previous].rest = replacement } else { frames[frame].mappings = replacement }
      _ = mappingNodes.take(node, self)
      frames[frame].count &-= 1
      return steps >> 3
    }
    preconditionFailure("mapping not in its frame's list")
  }

  /// Has an entry take the place of another in a frame's list, which must have it.
  func replaceMapping(_ old: PhysicalAddress, by new: PhysicalAddress, of frame: FrameNumber) {
    if frames[frame].mappings.word == old.raw {
      frames[frame].mappings = MappingList(single: new)
      return
    }
    var current = frames[frame].mappings
    while let node = current.node {
      if mappingNodes[node].entry == old {
        mappingNodes[node].entry = new
        return
      }
      current = mappingNodes[node].rest
      if current.word == old.raw {
        mappingNodes[node].rest = MappingList(single: new)
        return
      }
    }
    preconditionFailure("mapping not in its frame's list")
  }

  /// One of a frame's mappings, or nil when it has none.
  @inline(__always)
  func anyMapping(of frame: FrameNumber) -> PhysicalAddress? {
    let list = frames[frame].mappings
    if list.isEmpty { return nil }
    if let node = list.node { return mappingNodes[node].entry }
    return PhysicalAddress(list.word)
  }

  /// Calls `body` with every mapping of `frame`, until it returns false.
  func forEachMapping(of frame: FrameNumber, _ body: (PhysicalAddress) -> Bool) {
    var list = frames[frame].mappings
    while let node = list.node {
      let record = mappingNodes[node]
      if !body(record.entry) { return }
      list = record.rest
    }
    if !list.isEmpty { _ = body(PhysicalAddress(list.word)) }
  }
}
