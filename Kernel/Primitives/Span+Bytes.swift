// Spans of bytes as texts and as words: paths are hashed and compared eight bytes at a time.

extension Span where Element == UInt8 {
  /// The eight bytes from `offset` on, lowest byte first. Traps when they do not all lie inside.
  @inlinable @inline(__always)
  public func word(at offset: Int) -> UInt64 {
    precondition(offset >= 0 && count >= 8 && offset <= count - 8)
    // SAFETY: the range was just checked.
    return unsafe UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// Whether these bytes are that text.
  public func spells(_ text: String) -> Bool {
    guard text.utf8.count == count else { return false }
    var index = 0
    for byte in text.utf8 {
      guard self[index] == byte else { return false }
      index += 1
    }
    return true
  }
}
