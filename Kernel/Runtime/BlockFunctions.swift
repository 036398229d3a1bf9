// The block memory functions behind bounds checks, so that tests can reach them without unsafe code.

/// Calls memset and memmove on the bytes of an array.
public enum BlockFunctions {
  /// Fills the first `count` bytes.
  public static func fill(_ bytes: inout [UInt8], with value: UInt8, count: Int) {
    precondition(count >= 0 && count <= bytes.count)
    // SAFETY: the range was just checked.
    unsafe bytes.withUnsafeMutableBytes { buffer in
      _ = unsafe buffer.baseAddress?.initializeMemory(as: UInt8.self, repeating: value, count: count)
    }
  }

  /// Moves `count` bytes from one place to another, which may overlap.
  public static func move(in bytes: inout [UInt8], from source: Int, to destination: Int, count: Int) {
    precondition(count >= 0 && source >= 0 && destination >= 0)
    precondition(source <= bytes.count - count && destination <= bytes.count - count)
    // SAFETY: both ranges were just checked.
    unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let start = buffer.baseAddress else { return }
      unsafe (start + destination).copyMemory(from: start + source, byteCount: count)
    }
  }
}
