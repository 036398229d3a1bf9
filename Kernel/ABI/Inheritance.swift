// What fork(2) does with a mapping: the values of minherit(2) (spec abi.md, section 7).

/// How a child inherits a mapping.
public struct Inheritance: Equatable, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: Int32

  /// Wraps a value of the binary interface.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }
}

extension Inheritance {
  /// INHERIT_SHARE
  public static let share = Inheritance(rawValue: 0)
  /// INHERIT_COPY
  public static let copy = Inheritance(rawValue: 1)
  /// INHERIT_NONE
  public static let none = Inheritance(rawValue: 2)
  /// INHERIT_ZERO
  public static let zero = Inheritance(rawValue: 3)
}
