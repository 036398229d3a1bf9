// What an access of memory wants to do.
import ABI

/// What an access wants to do.
public enum AccessType: Sendable {
  /// Load.
  case read
  /// Store.
  case write
  /// Fetch an instruction.
  case execute

  @inline(__always)
  var protection: Protection {
    switch self {
    case .read: .read
    case .write: .write
    case .execute: .execute
    }
  }
}
