// The notes of a queue by identifier and filter: a hash table that grows by one chain at a time, so that an insertion costs the
// same however many notes there are.
//
// Invariants
// - There are `bucketCount` chains. With `size` the greatest power of two that is not greater, a note is in the chain of the lower
//   bits of its hash below 2 `size`, if there is that chain, or else below `size`.
// - The first chains are in the table itself, the others in blocks, which stay until the queue goes.

import ABI
import Memory
import Primitives

/// Chains of a table.
struct NoteBlock: BitwiseCopyable {
  var chains = [1024 of Handle<EventNote>](repeating: .none)
}

/// The table.
struct NoteTable {
  private static let inlineCount = 16
  private static let blockShift = 10
  private static let blockLimit = 64
  /// Notes for each chain from which on the table grows.
  private static let load = 2

  private var chains = [16 of Handle<EventNote>](repeating: .none)
  private var blocks = [64 of Handle<NoteBlock>](repeating: .none)
  /// Chains that there are.
  private(set) var bucketCount = NoteTable.inlineCount
  private var size = NoteTable.inlineCount

  static func hash(_ identifier: UInt64, _ filter: EventFilter) -> UInt64 {
    let mixed = (identifier ^ UInt64(UInt16(bitPattern: filter.rawValue)) << 48) &* 0x9e37_79b9_7f4a_7c15
    return mixed ^ mixed >> 32
  }

  private func bucket(_ hash: UInt64) -> Int {
    let wide = Int(truncatingIfNeeded: hash) & (2 * size - 1)
    return wide < bucketCount ? wide : wide & (size - 1)
  }

  /// The first note of the chain for a hash.
  subscript(hash: UInt64, watchers: EventWatchers) -> Handle<EventNote> { self[bucket: bucket(hash), watchers] }

  /// The first note of a chain.
  subscript(bucket index: Int, watchers: EventWatchers) -> Handle<EventNote> {
    get {
      if index < NoteTable.inlineCount { return chains[index] }
      return watchers.noteBlocks[blocks[index >> NoteTable.blockShift]].chains[index & 1023]
    }
    set {
      if index < NoteTable.inlineCount {
        chains[index] = newValue
      } else {
        watchers.noteBlocks[blocks[index >> NoteTable.blockShift]].chains[index & 1023] = newValue
      }
    }
  }

  private func bucket(of handle: Handle<EventNote>, _ watchers: EventWatchers) -> Int {
    bucket(NoteTable.hash(watchers.notes[handle].event.identifier, watchers.notes[handle].event.filter))
  }

  /// Enters a note.
  mutating func insert(_ handle: Handle<EventNote>, _ watchers: EventWatchers) {
    let bucket = bucket(of: handle, watchers)
    let first = self[bucket: bucket, watchers]
    watchers.notes[handle].nextInBucket = first
    watchers.notes[handle].previousInBucket = .none
    if !first.isNone { watchers.notes[first].previousInBucket = handle }
    self[bucket: bucket, watchers] = handle
  }

  /// Takes a note out.
  mutating func remove(_ handle: Handle<EventNote>, _ watchers: EventWatchers) {
    let (next, previous) = (watchers.notes[handle].nextInBucket, watchers.notes[handle].previousInBucket)
    if !next.isNone { watchers.notes[next].previousInBucket = previous }
    if previous.isNone {
      self[bucket: bucket(of: handle, watchers), watchers] = next
    } else {
      watchers.notes[previous].nextInBucket = next
    }
  }

  /// Adds a chain if there are many notes for those there are, and memory for it; returns the bytes that it took.
  mutating func grow(forCount count: Int, _ watchers: EventWatchers) -> Int {
    guard count > bucketCount * NoteTable.load, bucketCount < NoteTable.blockLimit << NoteTable.blockShift else {
      return 0
    }
    let block = bucketCount >> NoteTable.blockShift
    var byteCount = 0
    if blocks[block].isNone {
      guard let new = watchers.noteBlocks.allocate(NoteBlock(), watchers.memory) else { return 0 }
      blocks[block] = new
      byteCount = MemoryLayout<NoteBlock>.stride
    }
    let source = bucketCount - size
    bucketCount += 1
    var handle = self[bucket: source, watchers]
    self[bucket: source, watchers] = .none
    if bucketCount == 2 * size { size = bucketCount }
    while !handle.isNone {
      let next = watchers.notes[handle].nextInBucket
      insert(handle, watchers)
      handle = next
    }
    return byteCount
  }

  /// What the blocks take.
  var byteCount: Int {
    var count = 0
    for index in 0..<NoteTable.blockLimit where !blocks[index].isNone { count += 1 }
    return count * MemoryLayout<NoteBlock>.stride
  }

  /// Blocks that it has.
  var blockCount: Int { byteCount / MemoryLayout<NoteBlock>.stride }

  /// Gives the blocks back; returns the bytes that they took. No note is left.
  mutating func release(_ watchers: EventWatchers) -> Int {
    var byteCount = 0
    for index in 0..<NoteTable.blockLimit where !blocks[index].isNone {
      watchers.noteBlocks.release(blocks[index], watchers.memory)
      blocks[index] = .none
      byteCount += MemoryLayout<NoteBlock>.stride
    }
    return byteCount
  }
}
