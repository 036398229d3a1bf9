// What is told of the arguments, the environment and the auxiliary vector of a program (sysctl kern.proc.args, env, auxv;
// FreeBSD's get_proc_vector and get_ps_strings): how far that is.
//
// All of it lies in the memory of the process, which says itself where (struct ps_strings), and may say what it likes.

/// How far a listing of strings, or of an auxiliary vector, is.
public struct StringListing: BitwiseCopyable, Sendable {
  /// What is told.
  public enum Kind: UInt8, BitwiseCopyable, Sendable {
    /// The arguments.
    case arguments
    /// The environment.
    case environment
    /// What the kernel told the program when it began.
    case auxiliaryVector
  }

  /// What comes next.
  public enum Phase: BitwiseCopyable, Sendable {
    /// Where the vector is, is read.
    case place
    /// The entries of an auxiliary vector are counted: so many were.
    case count(Int)
    /// The next string or entry begins.
    case next
    /// A string goes on here.
    case string(UInt64)
    /// Everything was told.
    case end
  }

  /// What is told.
  public let kind: Kind
  /// What comes next.
  public var phase = Phase.place
  /// Where the next pointer or entry lies.
  public var vector: UInt64 = 0
  /// Pointers or entries that are left.
  public var left = 0

  /// Nothing is told yet.
  public init(_ kind: Kind) { self.kind = kind }
}
