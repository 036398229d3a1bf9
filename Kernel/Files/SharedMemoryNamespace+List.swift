// Going through all names, a few at a time (sysctl kern.ipc.posix_shm_list; spec shm.md, section 5).
//
// The order is that of the table: bucket by bucket, in each by hash, length and words. Between two steps names may come and
// go: a listing goes on behind the name that it gave last, whether or not that still exists.

import ABI
import Memory

/// How far a listing of all names is. The path of the name that it is at is in the thread's call buffer.
public struct NameListing: BitwiseCopyable, Sendable {
  fileprivate var bucket: UInt32 = 0
  /// Bytes of the path of the name that the listing is at, without a NUL; 0: before the first of the bucket.
  public fileprivate(set) var pathByteCount = 0
  /// Type and permission bits of the object.
  public fileprivate(set) var mode: UInt16 = 0
  /// Its length in bytes.
  public fileprivate(set) var size: Int64 = 0

  /// A listing before the first name.
  public init() {}
}

extension FileServices {
  /// Moves a listing to the next name; takes names and groups of buckets off `budget`. Nil when the budget is used up before.
  /// False when there is no further name.
  public func advance(_ listing: inout NameListing, _ path: inout [1024 of UInt8], budget: inout Int) -> Bool? {
    while listing.bucket < names.bucketCount {
      if budget <= 0 { return nil }
      budget -= 1
      if let entry = names.first(in: listing.bucket, behind: path.span.extracting(0..<listing.pathByteCount)) {
        names.copyPath(of: entry, into: &path)
        let object = names.entries[entry].object
        listing.pathByteCount = Int(names.entries[entry].length)
        listing.mode = object.ownership.mode.union(.regularFile).rawValue
        listing.size = object.size
        return true
      }
      listing.pathByteCount = 0
      listing.bucket = names.nextBucket(after: listing.bucket)
    }
    return false
  }
}

extension SharedMemoryNamespace {
  /// Buckets in the table.
  var bucketCount: UInt32 { UInt32(groups.count) * SharedMemoryNamespace.groupBucketCount }

  /// The bucket that follows, groups that were never needed left out one at a time.
  borrowing func nextBucket(after bucket: UInt32) -> UInt32 {
    let count = SharedMemoryNamespace.groupBucketCount
    return groups[Int(bucket / count)].isNone ? (bucket / count + 1) * count : bucket + 1
  }

  /// The first name of a bucket that comes behind a path in its order; behind none when the path is empty.
  borrowing func first(in bucket: UInt32, behind path: Span<UInt8>) -> Handle<NameEntry>? {
    let key = NameKey(path)
    var best: Handle<NameEntry>?
    var handle = root(of: bucket)
    while !handle.isNone {
      if path.count == 0 || order(of: key, path, comparedWith: handle) == .before {
        best = handle
        handle = entries[handle].left
      } else {
        handle = entries[handle].right
      }
    }
    return best
  }

  /// Copies the path of a name to the start of a buffer.
  borrowing func copyPath(of entry: Handle<NameEntry>, into buffer: inout [1024 of UInt8]) {
    let length = Int(entries[entry].length)
    var block = entries[entry].rest
    var position = 0
    var index = 0
    while position < length {
      if index > NameEntry.wordCount,
        (index - NameEntry.wordCount) % NameBlock.wordCount == 0
      {
        block = blocks[block].next
      }
      let word =
        index < NameEntry.wordCount
        ? entries[entry].word(index) : blocks[block].words[(index - NameEntry.wordCount) % NameBlock.wordCount]
      for byte in 0..<min(8, length - position) {
        buffer[position + byte] = UInt8(truncatingIfNeeded: word &>> UInt64(8 * byte))
      }
      position += 8
      index += 1
    }
  }
}
