// The value of the kernel option `swap=`.

/// A swap device.
public struct SwapOption: Equatable, Sendable {
  /// Whether its pages are kept compressed in memory that is taken as they come, and not in a part that is set aside.
  public let isCompressed: Bool
  /// What the pages take that it can hold; 0: there is none.
  public let byteCount: UInt64

  /// Reads the value of an option; nil when it is none.
  init?(_ text: [UInt8]) {
    let split = text.firstIndex(of: UInt8(ascii: ":"))
    isCompressed = split != nil
    if let split, !matches(Array(text[..<split]), "compressed") { return nil }
    guard let byteCount = size(Array(text[(split.map { $0 + 1 } ?? 0)...])), byteCount == 0 || byteCount >= 4096 else {
      return nil
    }
    self.byteCount = byteCount
  }
}
