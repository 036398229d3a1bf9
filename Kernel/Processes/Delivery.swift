// The results of a call that is done but for copying them out: up to three pieces of the thread's buffer.

public import ABI
public import Primitives

/// A delivery.
public struct Delivery: BitwiseCopyable {
  /// One piece.
  public struct Piece: BitwiseCopyable {
    /// Where it goes.
    public var address: VirtualAddress
    /// Where it lies in the buffer.
    public var offset: Int
    /// Its length.
    public var byteCount: Int
  }

  private var pieces = [3 of Piece](repeating: Piece(address: VirtualAddress(0), offset: 0, byteCount: 0))
  private var count = 0
  /// The piece being copied.
  private var index = 0
  /// Bytes of that piece that have been copied.
  public var progress = 0
  /// What the call returns once everything is copied.
  public private(set) var value: UInt64 = 0
  /// The error that it returns instead; nil: `value`.
  public private(set) var error: Errno?

  init() {}

  /// Begins one without pieces.
  @inline(__always)
  public mutating func begin(value: UInt64, error: Errno? = nil) {
    count = 0
    index = 0
    progress = 0
    self.value = value
    self.error = error
  }

  /// Adds a piece, unless it is empty.
  @inline(__always)
  public mutating func append(address: VirtualAddress, offset: Int, byteCount: Int) {
    guard byteCount > 0 else { return }
    pieces[count] = Piece(address: address, offset: offset, byteCount: byteCount)
    count += 1
  }

  /// The piece being copied; nil when all are.
  @inline(__always)
  public var next: Piece? { index < count ? pieces[index] : nil }

  /// The piece has been copied whole.
  @inline(__always)
  public mutating func pieceIsDone() {
    index += 1
    progress = 0
  }
}
