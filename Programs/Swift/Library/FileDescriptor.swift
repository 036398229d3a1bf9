// Descriptors and the calls on them.

public import ABI

/// A descriptor of this process. Nothing closes it but `close()`.
public struct FileDescriptor: Equatable, BitwiseCopyable, Sendable {
  /// The number.
  public let rawValue: Int32

  /// Wraps a number.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }

  /// Descriptor 0.
  public static let standardInput = FileDescriptor(rawValue: 0)
  /// Descriptor 1.
  public static let standardOutput = FileDescriptor(rawValue: 1)
  /// Descriptor 2.
  public static let standardError = FileDescriptor(rawValue: 2)

  init(result: UInt64) {
    rawValue = Int32(truncatingIfNeeded: result)
  }

  var argument: UInt64 { UInt64(argument: rawValue) }
}

extension FileDescriptor {
  /// open(2)
  public static func open(_ path: StaticString, _ flags: OpenFlags) throws(Errno) -> FileDescriptor {
    FileDescriptor(result: try SystemCall.perform(.open, path.address, UInt64(flags.rawValue)))
  }

  /// close(2)
  public func close() throws(Errno) {
    try SystemCall.perform(.close, argument)
  }

  /// dup(2)
  public func duplicate() throws(Errno) -> FileDescriptor {
    FileDescriptor(result: try SystemCall.perform(.dup, argument))
  }

  /// fcntl(2) with a number as its argument.
  @discardableResult
  public func control(_ command: FileControlCommand, _ value: Int32 = 0) throws(Errno) -> Int32 {
    Int32(
      truncatingIfNeeded: try SystemCall.perform(
        .fcntl, argument, UInt64(argument: command.rawValue), UInt64(argument: value)))
  }

  /// ftruncate(2), in bytes.
  public func truncate(to byteCount: Int64) throws(Errno) {
    try SystemCall.perform(.ftruncate, argument, UInt64(bitPattern: byteCount))
  }

  /// lseek(2); gives the new offset.
  @discardableResult
  public func seek(to offset: Int64, from origin: SeekOrigin = .start) throws(Errno) -> Int64 {
    Int64(
      bitPattern: try SystemCall.perform(
        .lseek, argument, UInt64(bitPattern: offset), UInt64(argument: origin.rawValue)))
  }

  /// fstat(2)
  public func status() throws(Errno) -> Stat {
    var bytes = InlineArray<224, UInt8>(repeating: 0)
    var elements = bytes.mutableSpan
    // SAFETY: the kernel writes Stat.byteCount bytes at the address, all of them inside `bytes`.
    _ = try unsafe elements.withUnsafeMutableBytes { (buffer) throws(Errno) in
      try SystemCall.perform(.fstat, argument, UInt64(UInt(bitPattern: buffer.baseAddress)))
    }
    return Stat(decoding: bytes.span)
  }

  /// write(2); gives how many bytes were taken.
  @discardableResult
  public func write(_ bytes: Span<UInt8>) throws(Errno) -> Int {
    // SAFETY: the kernel only reads the bytes of the buffer.
    try unsafe bytes.withUnsafeBytes { (buffer) throws(Errno) in
      let address = UInt64(UInt(bitPattern: buffer.baseAddress))
      return Int(try SystemCall.perform(.write, argument, address, UInt64(buffer.count)))
    }
  }

  /// read(2); gives how many bytes came.
  public func read(into bytes: inout MutableSpan<UInt8>) throws(Errno) -> Int {
    // SAFETY: the kernel writes at most the bytes of the buffer.
    try unsafe bytes.withUnsafeMutableBytes { (buffer) throws(Errno) in
      let address = UInt64(UInt(bitPattern: buffer.baseAddress))
      return Int(try SystemCall.perform(.read, argument, address, UInt64(buffer.count)))
    }
  }
}

extension StaticString {
  /// Where the NUL-terminated bytes of the literal lie.
  var address: UInt64 { unsafe UInt64(UInt(bitPattern: utf8Start)) }
}
