// Eight bytes at a time from a span of bytes: paths are hashed and compared by the word.

extension Span where Element == UInt8 {
  /// The eight bytes from `offset` on, lowest byte first. Traps when they do not all lie inside.
  @inlinable @inline(__always)
  public func word(at offset: Int) -> UInt64 {
    precondition(offset >= 0 && count >= 8 && offset <= count - 8)
    // SAFETY: the range was just checked.
    return unsafe UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
}
