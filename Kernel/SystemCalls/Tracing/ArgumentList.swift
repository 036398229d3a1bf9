// What the arguments of a call are, as its declaration says it: for what is shown of calls (CallTracer.swift).

/// What an argument means, so far as it is shown in another way than as a number in hexadecimal.
enum ArgumentKind: UInt8, BitwiseCopyable {
  /// Bits, or a number that says little.
  case bits
  /// Memory that is only named.
  case pointer
  /// A descriptor, or AT_FDCWD.
  case descriptor
  /// An int.
  case integer
  /// A long.
  case long
  /// A number of bytes or of elements.
  case size
  /// Permissions.
  case mode
  /// A path.
  case path
  /// A path, or SHM_ANON.
  case objectName
  /// Bytes that the call reads, as many as the argument behind says.
  case bytes
  /// A clock.
  case clock
  /// A signal.
  case signal
  /// O_RDONLY and its like.
  case openFlags
  /// PROT_READ and its like.
  case protection
  /// MAP_SHARED and its like.
  case mapFlags
  /// SEEK_SET and its like.
  case origin
  /// F_DUPFD and its like.
  case fileCommand
  /// MADV_NORMAL and its like.
  case advice
  /// INHERIT_SHARE and its like.
  case inheritance
}

/// The arguments of a call, at most six.
struct ArgumentList: ExpressibleByArrayLiteral, BitwiseCopyable {
  private var kinds = [6 of ArgumentKind](repeating: .bits)
  /// How many there are.
  private(set) var count = 0

  init(arrayLiteral elements: ArgumentKind...) {
    precondition(elements.count <= 6)
    for kind in elements {
      kinds[count] = kind
      count += 1
    }
  }

  subscript(index: Int) -> ArgumentKind { kinds[index] }
}
