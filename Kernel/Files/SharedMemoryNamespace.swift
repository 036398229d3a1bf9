// The kernel-wide table of shared memory names (spec shm.md, 1.2).
//
// FreeBSD hashes names into 1024 chains; here there are as many buckets as a quarter of the machine's pages, and a bucket is
// a balanced tree, so that neither a million names nor names made to collide are slow.
//
// Invariants
// - An entry is in the tree of the bucket that its hash selects, at the place that its order demands.
// - In every tree the heights of two siblings differ by at most one (AVL).
// - A name owns its object; `nameEntry` of the object says which it is. It counts for who pays for the object.

import ABI
import Memory
import Primitives

/// Sixty-four neighbouring buckets; made when the first of them is needed.
struct BucketGroup: BitwiseCopyable {
  var roots = [64 of Handle<NameEntry>](repeating: .none)
}

/// The table.
struct SharedMemoryNamespace: ~Copyable {
  static let groupBucketCount: UInt32 = 64
  static let minimumBucketCount: UInt32 = 1024
  static let pagesPerBucket: UInt32 = 4

  let entries: Pool<NameEntry>
  let blocks: Pool<NameBlock>
  let groupPool: Pool<BucketGroup>
  /// Allocated at boot, never grows.
  private(set) var groups: [Handle<BucketGroup>]
  private let mask: UInt32
  /// Names in the table.
  private(set) var count = 0

  /// Makes an empty table for a machine with this many pages.
  init(_ physical: PhysicalMemory, pageCount: Int) {
    var buckets = SharedMemoryNamespace.minimumBucketCount
    while UInt64(buckets) * UInt64(SharedMemoryNamespace.pagesPerBucket) < UInt64(pageCount) { buckets *= 2 }
    mask = buckets - 1
    groups = Array(repeating: .none, count: Int(buckets / SharedMemoryNamespace.groupBucketCount))
    entries = Pool(physical, .nameRecord)
    blocks = Pool(physical, .nameRecord)
    groupPool = Pool(physical, .nameRecord)
  }

  /// The object with this name, to be borrowed while it has it. Allocates nothing and costs the same for every size of the
  /// table.
  @inline(__always)
  borrowing func lookup(_ key: NameKey, _ path: Span<UInt8>) -> BackReference<SharedMemoryObject>? {
    var handle = root(of: key.hash)
    while !handle.isNone {
      let next: Handle<NameEntry>
      switch entries[handle].step(to: key, path) {
      case .here where path.wordCount <= NameEntry.wordCount: return BackReference(entries[handle].object)
      case .here:
        switch orderOfRest(path, entries[handle].rest) {
        case .same: return BackReference(entries[handle].object)
        case .before: next = entries[handle].left
        case .behind: next = entries[handle].right
        }
      case .down(let child): next = child
      }
      handle = next
    }
    return nil
  }

  /// Enters a name that is not there yet. Returns whether memory for it could be had; if not, nothing has changed.
  mutating func insert(
    _ key: NameKey, _ path: Span<UInt8>, _ object: SharedMemoryObject, _ system: MemorySystem
  ) -> Bool {
    precondition(!object.isNamed)
    guard let entry = enter(key, path, object, system) else { return false }
    if let payer = object.vmObject.payer {
      payer.nameCount += 1
      payer.countKernelMemory(entries[entry].kernelByteCount)
    }
    return true
  }

  /// Makes an entry and hangs it into its tree; nil when memory for it could not be had.
  mutating func enter(
    _ key: NameKey, _ path: Span<UInt8>, _ object: SharedMemoryObject, _ system: MemorySystem
  ) -> Handle<NameEntry>? {
    guard prepareGroup(of: key.hash, system) else { return nil }
    guard let rest = makeBlocks(path, system) else { return nil }
    guard let entry = entries.allocate(NameEntry(key, path, rest, object), system) else {
      releaseBlocks(rest, system)
      return nil
    }
    setRoot(of: key.hash, insert(entry, key, path, under: root(of: key.hash)))
    object.nameEntry = entry
    count += 1
    return entry
  }

  /// The entry of a name, and in `search` the way to it; nil when there is no such name.
  borrowing func find(_ key: NameKey, _ path: Span<UInt8>, _ search: inout NamePath) -> Handle<NameEntry>? {
    var handle = root(of: key.hash)
    while !handle.isNone {
      switch order(of: key, path, comparedWith: handle) {
      case .same: return handle
      case .before:
        search.push(handle, .left)
        handle = entries[handle].left
      case .behind:
        search.push(handle, .right)
        handle = entries[handle].right
      }
    }
    return nil
  }

  /// Takes the entry that `find` gave out of the table and hands its object to the caller.
  mutating func remove(
    _ entry: Handle<NameEntry>, _ key: NameKey, _ search: inout NamePath, _ system: MemorySystem
  ) -> SharedMemoryObject {
    setRoot(of: key.hash, detach(entry, &search))
    return release(entry, system)
  }

  /// Takes any name out of the buckets from `cursor` on, and moves `cursor` to where to look next; nil when none is left.
  mutating func removeAny(from cursor: inout UInt32, _ system: MemorySystem) -> SharedMemoryObject? {
    while cursor <= mask {
      if groups[Int(cursor / SharedMemoryNamespace.groupBucketCount)].isNone {
        cursor += SharedMemoryNamespace.groupBucketCount
        continue
      }
      let top = root(of: cursor)
      if !top.isNone {
        var search = NamePath()
        setRoot(of: cursor, detach(top, &search))
        return release(top, system)
      }
      cursor += 1
    }
    return nil
  }

  /// Gives back all memory of an empty table.
  mutating func trim(_ system: MemorySystem) {
    if count == 0 {
      for index in groups.indices where !groups[index].isNone {
        _ = groupPool.take(groups[index], system)
        groups[index] = .none
      }
    }
    entries.trim(system)
    blocks.trim(system)
    groupPool.trim(system)
  }

  private mutating func release(_ handle: Handle<NameEntry>, _ system: MemorySystem) -> SharedMemoryObject {
    let byteCount = entries[handle].kernelByteCount
    let object = drop(handle, system)
    object.nameEntry = .none
    if let payer = object.vmObject.payer {
      payer.nameCount -= 1
      payer.countKernelMemory(-byteCount)
    }
    return object
  }

  /// Gives back the memory of an entry that is in no tree any more, and hands its object to the caller.
  mutating func drop(_ handle: Handle<NameEntry>, _ system: MemorySystem) -> SharedMemoryObject {
    let entry = entries.take(handle, system)
    releaseBlocks(entry.rest, system)
    count -= 1
    return entry.object
  }
}

// MARK: Buckets

extension SharedMemoryNamespace {
  @inline(__always)
  borrowing func root(of hash: UInt32) -> Handle<NameEntry> {
    let bucket = hash & mask
    let group = groups[Int(bucket / SharedMemoryNamespace.groupBucketCount)]
    if group.isNone { return .none }
    return groupPool[group].roots[Int(bucket % SharedMemoryNamespace.groupBucketCount)]
  }

  borrowing func setRoot(of hash: UInt32, _ root: Handle<NameEntry>) {
    let bucket = hash & mask
    let group = groups[Int(bucket / SharedMemoryNamespace.groupBucketCount)]
    groupPool[group].roots[Int(bucket % SharedMemoryNamespace.groupBucketCount)] = root
  }

  mutating func prepareGroup(of hash: UInt32, _ system: MemorySystem) -> Bool {
    let index = Int((hash & mask) / SharedMemoryNamespace.groupBucketCount)
    if !groups[index].isNone { return true }
    guard let group = groupPool.allocate(BucketGroup(), system) else { return false }
    groups[index] = group
    return true
  }
}

// MARK: Long paths

extension SharedMemoryNamespace {
  @inline(__always)
  borrowing func order(
    of key: NameKey, _ path: Span<UInt8>, comparedWith handle: Handle<NameEntry>
  ) -> NameOrder {
    let order = entries[handle].order(of: key, path)
    if order == .same && path.wordCount > NameEntry.wordCount { return orderOfRest(path, entries[handle].rest) }
    return order
  }

  private borrowing func orderOfRest(_ path: Span<UInt8>, _ first: Handle<NameBlock>) -> NameOrder {
    var block = first
    var index = NameEntry.wordCount
    while index < path.wordCount {
      let count = min(path.wordCount - index, NameBlock.wordCount)
      for position in 0..<count where blocks[block].words[position] != path.paddedWord(index + position) {
        return NameOrder(path.paddedWord(index + position), blocks[block].words[position])
      }
      index += count
      block = blocks[block].next
    }
    return .same
  }

  /// Stores what does not fit into an entry, last block first; nil when memory cannot be had.
  borrowing func makeBlocks(_ path: Span<UInt8>, _ system: MemorySystem) -> Handle<NameBlock>? {
    var head = Handle<NameBlock>.none
    var end = path.wordCount
    while end > NameEntry.wordCount {
      let start = (end - NameEntry.wordCount - 1) / NameBlock.wordCount * NameBlock.wordCount + NameEntry.wordCount
      var block = NameBlock()
      block.next = head
      for index in start..<end { block.words[index - start] = path.paddedWord(index) }
      guard let handle = blocks.allocate(block, system) else {
        releaseBlocks(head, system)
        return nil
      }
      head = handle
      end = start
    }
    return head
  }

  borrowing func releaseBlocks(_ first: Handle<NameBlock>, _ system: MemorySystem) {
    var block = first
    while !block.isNone { block = blocks.take(block, system).next }
  }
}
