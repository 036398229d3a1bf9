// Page protections of mmap(2) and mprotect(2) (spec abi.md, section 7).

/// What a program may do with the bytes of a mapping: `PROT_READ`, `PROT_WRITE`, `PROT_EXEC`; empty is `PROT_NONE`.
public struct Protection: OptionSet, BitwiseCopyable, Sendable {
  /// The bits of the C int.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension Protection {
  /// PROT_READ
  public static let read = Protection(rawValue: 1)
  /// PROT_WRITE
  public static let write = Protection(rawValue: 2)
  /// PROT_EXEC
  public static let execute = Protection(rawValue: 4)
}

extension Protection {
  /// PROT_READ, PROT_WRITE and PROT_EXEC together.
  public static let all: Protection = [.read, .write, .execute]

  /// The bits that a protection argument may have: protection in the low three, `PROT_MAX` in bits 16 to 18.
  public static let argumentMask: UInt32 = 0x0007_0007

  /// PROT_MAX(protection), to be or-ed into a protection argument.
  public static func maximum(_ protection: Protection) -> UInt32 { protection.rawValue << 16 }

  /// The protection of a raw argument, without its `PROT_MAX` part.
  public init(argument: UInt32) {
    self.init(rawValue: argument & 7)
  }

  /// The `PROT_MAX` part of a raw argument; nil when it was not given.
  public static func maximum(inArgument argument: UInt32) -> Protection? {
    let bits = (argument >> 16) & 7
    return bits == 0 ? nil : Protection(rawValue: bits)
  }
}
