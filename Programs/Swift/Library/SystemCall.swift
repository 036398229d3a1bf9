// One system call: numbers in, a number or a thrown error out. Everything else in this module is made of it.

public import ABI
import UserlandSupport

/// The system call instruction.
public enum SystemCall {
  /// Performs a call and gives its first result.
  ///
  /// - Throws: the error number, where the kernel returns with the carry flag set.
  @discardableResult
  public static func perform(
    _ number: SystemCallNumber, _ first: UInt64 = 0, _ second: UInt64 = 0, _ third: UInt64 = 0, _ fourth: UInt64 = 0,
    _ fifth: UInt64 = 0, _ sixth: UInt64 = 0
  ) throws(Errno) -> UInt64 {
    let result = system_call(UInt64(number.rawValue), first, second, third, fourth, fifth, sixth)
    if result.failed != 0 { throw Errno(rawValue: Int32(truncatingIfNeeded: result.value)) }
    return result.value
  }
}

extension UInt64 {
  /// A C int as an argument: sign-extended, as the C compiler passes it where it matters.
  init(argument value: Int32) {
    self = UInt64(bitPattern: Int64(value))
  }
}
