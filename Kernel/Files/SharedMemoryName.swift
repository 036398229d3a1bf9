// Entries of the name table: what they hold, and how paths are compared.
//
// Invariants
// - A path is kept as words of eight bytes, lowest byte first, the last one padded with zeros: the first four words in the
//   entry, the others in the blocks from `rest` on, seven to a block.
// - Entries are ordered by hash, then by length, then by the words. Two entries never compare as equal.

import Memory
import Primitives

/// A path prepared for looking up.
struct NameKey: BitwiseCopyable {
  let hash: UInt32
  let length: UInt32

  /// The initial value and the factor of FreeBSD's FNV-1 (spec shm.md, 1.2); the former is not the standard one.
  private static let initial: UInt32 = 0x0200_0023
  private static let factor: UInt32 = 0x0100_0193

  @inline(__always)
  init(_ path: Span<UInt8>) {
    var hash = NameKey.initial
    let wordCount = path.count >> 3
    for index in 0..<wordCount {
      var word = path.word(at: index &* 8)
      for _ in 0..<8 {
        hash = (hash &* NameKey.factor) ^ UInt32(truncatingIfNeeded: word & 0xff)
        word &>>= 8
      }
    }
    var last = path.lastWord
    for _ in 0..<(path.count & 7) {
      hash = (hash &* NameKey.factor) ^ UInt32(truncatingIfNeeded: last & 0xff)
      last &>>= 8
    }
    self.hash = hash
    length = UInt32(truncatingIfNeeded: path.count)
  }
}

extension Span where Element == UInt8 {
  /// What is left behind the whole words, padded with zeros; 0 when nothing is.
  @inline(__always)
  var lastWord: UInt64 {
    let left = count & 7
    if left == 0 { return 0 }
    // The last eight bytes overlap with the word before.
    if count >= 8 { return word(at: count - 8) &>> UInt64(truncatingIfNeeded: (8 - left) * 8) }
    var word: UInt64 = 0
    for index in 0..<count { word |= UInt64(self[index]) &<< UInt64(truncatingIfNeeded: index * 8) }
    return word
  }

  /// Words in the path, the padded one included.
  @inline(__always)
  var wordCount: Int { (count + 7) >> 3 }

  /// A word of the path.
  @inline(__always)
  func paddedWord(_ index: Int) -> UInt64 {
    index < count >> 3 ? word(at: index &* 8) : lastWord
  }
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

/// Where to look for a path.
enum NameStep {
  case here
  case down(Handle<NameEntry>)
}

/// A name of an object: a node of one bucket's tree. It takes 64 bytes: there may be a million of them.
struct NameEntry: ~Copyable {
  static let wordCount = 4

  var left = Handle<NameEntry>.none
  var right = Handle<NameEntry>.none
  private(set) var rest: Handle<NameBlock>
  private(set) var hash: UInt32
  private var byteCount: UInt16
  private var levels: UInt8 = 1
  /// What has the name: another object after an exchange (SharedMemoryNamespace+Rename).
  var object: SharedMemoryObject
  private var words = [4 of UInt64](repeating: 0)

  init(_ key: NameKey, _ path: Span<UInt8>, _ rest: Handle<NameBlock>, _ object: SharedMemoryObject) {
    hash = key.hash
    byteCount = UInt16(key.length)
    for index in 0..<min(path.wordCount, NameEntry.wordCount) { words[index] = path.paddedWord(index) }
    self.rest = rest
    self.object = object
  }

  /// Takes another name, for another place in the table.
  mutating func rename(_ key: NameKey, _ path: Span<UInt8>, _ rest: Handle<NameBlock>) {
    hash = key.hash
    byteCount = UInt16(key.length)
    for index in 0..<min(path.wordCount, NameEntry.wordCount) { words[index] = path.paddedWord(index) }
    self.rest = rest
    left = .none
    right = .none
    levels = 1
  }

  /// Bytes of the path.
  @inline(__always)
  var length: UInt32 { UInt32(byteCount) }

  /// The height of the subtree.
  @inline(__always)
  var height: Int32 {
    get { Int32(levels) }
    set { levels = UInt8(truncatingIfNeeded: newValue) }
  }

  /// A word of the path, one of the first four.
  borrowing func word(_ index: Int) -> UInt64 { words.span[index] }

  /// What the name takes of the kernel's memory, its blocks included.
  var kernelByteCount: Int {
    let words = (Int(length) + 7) >> 3
    let blocks = max(0, words - NameEntry.wordCount + NameBlock.wordCount - 1) / NameBlock.wordCount
    return MemoryLayout<NameEntry>.stride + blocks * MemoryLayout<NameBlock>.stride
  }

  /// Where to look for a path: here, as far as the entry can tell without its blocks, or in one of the subtrees.
  @inline(__always)
  borrowing func step(to key: NameKey, _ path: Span<UInt8>) -> NameStep {
    switch order(of: key, path) {
    case .same: .here
    case .before: .down(left)
    case .behind: .down(right)
    }
  }

  /// Compares everything but the blocks.
  @inline(__always)
  borrowing func order(of key: NameKey, _ path: Span<UInt8>) -> NameOrder {
    if key.hash != hash { return NameOrder(key.hash, hash) }
    if key.length != length { return NameOrder(key.length, length) }
    // Through a span: an element of the array itself costs a copy of the whole.
    let own = words.span
    let count = min(path.wordCount, NameEntry.wordCount)
    var index = 0
    while index < count {
      let word = path.paddedWord(index)
      let other = own[index]
      if word != other { return NameOrder(word, other) }
      index &+= 1
    }
    return .same
  }
}

/// Seven words of a long path.
struct NameBlock: BitwiseCopyable {
  static let wordCount = 7

  var next = Handle<NameBlock>.none
  var words = [7 of UInt64](repeating: 0)
}
