// The block function of the ChaCha20 stream cipher (RFC 8439, section 2.3).

/// ChaCha20.
public enum ChaCha20 {
  /// "expand 32-byte k", in four little-endian words.
  private static let constant: [4 of UInt32] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]

  /// 64 bytes of key stream, as little-endian words.
  ///
  /// - Parameters:
  ///   - key: the 256-bit key.
  ///   - counter: the number of the block.
  ///   - nonce: the 96-bit nonce.
  public static func block(key: [8 of UInt32], counter: UInt32, nonce: [3 of UInt32]) -> [16 of UInt32] {
    // Sixteen variables rather than an array: they are to live in registers.
    var (x0, x1, x2, x3) = (constant[0], constant[1], constant[2], constant[3])
    var (x4, x5, x6, x7) = (key[0], key[1], key[2], key[3])
    var (x8, x9, x10, x11) = (key[4], key[5], key[6], key[7])
    var (x12, x13, x14, x15) = (counter, nonce[0], nonce[1], nonce[2])
    for _ in 0..<10 {
      quarterRound(&x0, &x4, &x8, &x12)
      quarterRound(&x1, &x5, &x9, &x13)
      quarterRound(&x2, &x6, &x10, &x14)
      quarterRound(&x3, &x7, &x11, &x15)
      quarterRound(&x0, &x5, &x10, &x15)
      quarterRound(&x1, &x6, &x11, &x12)
      quarterRound(&x2, &x7, &x8, &x13)
      quarterRound(&x3, &x4, &x9, &x14)
    }
    return [
      x0 &+ constant[0], x1 &+ constant[1], x2 &+ constant[2], x3 &+ constant[3], x4 &+ key[0], x5 &+ key[1],
      x6 &+ key[2], x7 &+ key[3], x8 &+ key[4], x9 &+ key[5], x10 &+ key[6], x11 &+ key[7], x12 &+ counter,
      x13 &+ nonce[0], x14 &+ nonce[1], x15 &+ nonce[2],
    ]
  }

  @inline(__always)
  private static func quarterRound(_ a: inout UInt32, _ b: inout UInt32, _ c: inout UInt32, _ d: inout UInt32) {
    a &+= b
    d = rotated(d ^ a, 16)
    c &+= d
    b = rotated(b ^ c, 12)
    a &+= b
    d = rotated(d ^ a, 8)
    c &+= d
    b = rotated(b ^ c, 7)
  }

  @inline(__always)
  private static func rotated(_ value: UInt32, _ count: UInt32) -> UInt32 { value &<< count | value &>> (32 &- count) }
}
