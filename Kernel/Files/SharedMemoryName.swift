// Entries of the name table: what they hold, and how paths are compared.
//
// Invariants
// - `words` holds the first 64 bytes of the path, eight to a word, lowest byte first, padded with zeros; the blocks from
//   `rest` on hold the others, 120 to a block.
// - Entries are ordered by hash, then by length, then by the words. Two entries never compare as equal.

import Memory

/// A path prepared for looking up: hash, length and the first words.
struct NameKey: BitwiseCopyable {
  static let wordCount = 8
  static let byteCount = 64

  let hash: UInt32
  let length: UInt32
  let words: [8 of UInt64]

  /// The initial value and the factor of FreeBSD's FNV-1 (spec shm.md, 1.2); the former is not the standard one.
  private static let initial: UInt32 = 0x0200_0023
  private static let factor: UInt32 = 0x0100_0193

  @inline(__always)
  init(_ path: Span<UInt8>) {
    var hash = NameKey.initial
    var words = [8 of UInt64](repeating: 0)
    let count = path.count
    var index = 0
    var word: UInt64 = 0
    while index < count {
      let byte = path[index]
      hash = (hash &* NameKey.factor) ^ UInt32(byte)
      if index < NameKey.byteCount {
        word |= UInt64(byte) &<< UInt64(truncatingIfNeeded: (index & 7) * 8)
        if index & 7 == 7 {
          words[index >> 3] = word
          word = 0
        }
      }
      index += 1
    }
    if count < NameKey.byteCount { words[count >> 3] = word }
    self.hash = hash
    self.words = words
    length = UInt32(truncatingIfNeeded: count)
  }

  /// The words that are in use.
  @inline(__always)
  var usedWordCount: Int { min((Int(length) + 7) >> 3, NameKey.wordCount) }
}

/// How a path compares with an entry's.
enum NameOrder {
  case before
  case same
  case behind

  @inline(__always)
  init<Value: Comparable>(_ left: Value, _ right: Value) {
    self = left == right ? .same : left < right ? .before : .behind
  }
}

/// A name of an object: a node of one bucket's tree.
struct NameEntry: ~Copyable {
  var left = Handle<NameEntry>.none
  var right = Handle<NameEntry>.none
  let hash: UInt32
  let length: UInt32
  /// The height of the subtree.
  var height: Int32 = 1
  let rest: Handle<NameBlock>
  let object: SharedMemoryObject
  let words: [8 of UInt64]

  init(_ key: NameKey, _ rest: Handle<NameBlock>, _ object: SharedMemoryObject) {
    hash = key.hash
    length = key.length
    words = key.words
    self.rest = rest
    self.object = object
  }

  /// Compares everything but the blocks.
  @inline(__always)
  borrowing func order(of key: NameKey) -> NameOrder {
    if key.hash != hash { return NameOrder(key.hash, hash) }
    if key.length != length { return NameOrder(key.length, length) }
    for index in 0..<key.usedWordCount where key.words[index] != words[index] {
      return NameOrder(key.words[index], words[index])
    }
    return .same
  }
}

/// 120 bytes of a long path.
struct NameBlock: BitwiseCopyable {
  static let byteCount = 120

  var next = Handle<NameBlock>.none
  var bytes = [120 of UInt8](repeating: 0)
}
