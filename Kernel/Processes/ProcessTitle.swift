// What others are told of the arguments of a process (sysctl kern.proc.args): as long as they are short, what execve(2) was
// given, whatever the program has made of its memory since, or the title that it has set in their place (setproctitle(3)).
// Longer ones are read where they lie.

/// Short arguments, or a title; or nothing.
public struct ProcessTitle: BitwiseCopyable, Sendable {
  /// The most bytes: what FreeBSD's `kern.ps_arg_cache_limit`, a sixteenth of a page, leaves for them.
  public static let capacity = 244
  /// What that limit is.
  public static let limit = 256

  /// The bytes, with a NUL behind each argument.
  public private(set) var bytes = [244 of UInt8](repeating: 0)
  private var count: UInt8 = 0

  /// Nothing: the arguments are read where they lie.
  public init() {}

  /// Bytes in use; 0 when there is nothing.
  public var byteCount: Int { Int(count) }

  /// Sets the title, which has at most `capacity` bytes.
  public mutating func set(_ title: Span<UInt8>) {
    count = UInt8(title.count)
    for index in title.indices { bytes[index] = title[index] }
  }
}
