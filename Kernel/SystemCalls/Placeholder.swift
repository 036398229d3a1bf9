// Stands in for types of Memory until they exist; disappears then.

/// Placeholder of Memory's type.
public struct PhysicalAddress: Equatable, BitwiseCopyable, Sendable {
  /// The address.
  public let raw: UInt64
  /// Wraps an address.
  public init(_ raw: UInt64) { self.raw = raw }
}
/// Placeholder of Memory's type.
public final class MemorySystem {
  /// A placeholder.
  public init() {}
}
