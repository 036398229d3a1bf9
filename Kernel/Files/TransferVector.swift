// The pieces of a program's memory that a readv(2) or writev(2) moves, copied in once (spec sockets.md section 9).
//
// Invariants
// - Up to `inlineCount` pieces lie in the instance itself, more of them in `frameCount` frames, which it owns and whose bytes
//   its account pays for.
// - Only one transfer refers to it, whose next piece is `next`.

public import ABI
public import Memory
public import Primitives

/// The pieces of one call.
public final class TransferVector {
  /// Pieces that need no frame.
  static let inlineCount: UInt32 = 8
  private static let pieceByteCount = 16

  private let memory: MemorySystem
  private let account: UserAccount
  private let address: VirtualAddress
  private let count: Int
  private var inlineWords = [16 of UInt64](repeating: 0)
  private var frames = [4 of FrameNumber](repeating: .none)
  /// Frames that the pieces take.
  private(set) var frameCount = 0
  /// Bytes of the pieces that were copied in.
  private var progress = 0
  /// The piece that comes next.
  private var next = 0

  /// Pieces that are still to be copied in from `address`; nil when memory for them cannot be had now.
  ///
  /// Throws EINVAL for more than 1024, ENOMEM when who pays may have no more of the kernel's memory.
  public static func make(
    _ memory: MemorySystem, count: UInt32, at address: VirtualAddress, for account: UserAccount
  ) throws(Errno) -> TransferVector? {
    guard count <= UInt32(InterfaceLimits.vectorCount) else { throw .einval }
    if count > inlineCount && !account.mayMakeKernelMemory { throw .enomem }
    let vector = TransferVector(memory, count, address, account)
    return vector.takeFrames() ? vector : nil
  }

  private init(_ memory: MemorySystem, _ count: UInt32, _ address: VirtualAddress, _ account: UserAccount) {
    self.memory = memory
    self.account = account
    self.address = address
    self.count = Int(count)
  }

  private func takeFrames() -> Bool {
    guard count > Int(TransferVector.inlineCount) else { return true }
    while frameCount << Int(Page.shift) < byteCount {
      guard let frame = memory.allocateKernelFrame() else { return false }
      frames[frameCount] = frame
      frameCount += 1
      account.countKernelMemory(Int(Page.byteCount))
    }
    return true
  }

  deinit {
    for index in 0..<frameCount { memory.freeKernelFrame(frames[index]) }
    account.countKernelMemory(-frameCount << Int(Page.shift))
  }

  /// Bytes of the pieces themselves.
  private var byteCount: Int { count * TransferVector.pieceByteCount }

  /// Counts what it takes for an inspection.
  func inspect(_ memory: inout MemoryInspector) -> Int {
    memory.count(self)
    memory.count(kernelByteCount: frameCount << Int(Page.shift), of: account)
    return frameCount
  }

  /// Goes on copying the pieces in.
  public func fill(_ space: AddressSpace) -> UserCopyOutcome {
    if frameCount == 0 {
      return TransferVector.copyIn(address, byteCount, &inlineWords, &progress, space)
    }
    while progress < byteCount {
      let start = progress & ~Int(Page.offsetMask)
      let (place, isBeyond) = address.raw.addingReportingOverflow(UInt64(start))
      if isBeyond { return .fault }
      var done = progress - start
      let outcome = space.copyIn(
        to: frames[start >> Int(Page.shift)].address, byteCount: min(byteCount - start, Int(Page.byteCount)),
        from: VirtualAddress(place), progress: &done)
      progress = start + done
      guard case .complete = outcome else { return outcome }
    }
    return .complete
  }

  private static func copyIn(
    _ address: VirtualAddress, _ byteCount: Int, _ words: inout [16 of UInt64], _ progress: inout Int,
    _ space: AddressSpace
  ) -> UserCopyOutcome {
    var span = words.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    var part = bytes._mutatingExtracting(0..<byteCount)
    return space.copyIn(from: address, into: &part, progress: &progress)
  }

  private func word(_ index: Int) -> UInt64 {
    if frameCount == 0 { return inlineWords[index] }
    let offset = index * 8
    return memory.physical.load(frames[offset >> Int(Page.shift)].address + UInt64(offset) & Page.offsetMask)
  }

  /// The bytes of all pieces together, which must have been copied in.
  ///
  /// Throws EINVAL when they are more than SSIZE_MAX.
  func totalByteCount() throws(Errno) -> UInt64 {
    var total: UInt64 = 0
    for index in 0..<count {
      let length = word(2 * index + 1)
      guard length <= UInt64(Int64.max) - total else { throw .einval }
      total += length
    }
    return total
  }

  /// The next piece that is not empty; nil behind the last.
  func takePiece() -> (address: VirtualAddress, byteCount: UInt64)? {
    while next < count {
      let index = next
      next += 1
      let length = word(2 * index + 1)
      if length > 0 { return (VirtualAddress(word(2 * index)), length) }
    }
    return nil
  }

  /// Goes back to the first piece.
  public func rewind() { next = 0 }
}

/// A readv(2), writev(2), preadv(2) or pwritev(2) whose pieces are being copied in: its descriptor is looked at afterwards.
public struct PendingVector {
  let vector: TransferVector
  let descriptor: Int32
  /// The descriptor that is to be read or written.
  public var file: Int32 { descriptor }
  let position: Int64?
  let writes: Bool

  /// Describes a call.
  ///
  /// - Parameter position: where in the file; nil for readv(2) and writev(2).
  public init(_ vector: TransferVector, descriptor: Int32, at position: Int64?, writes: Bool) {
    self.vector = vector
    self.descriptor = descriptor
    self.position = position
    self.writes = writes
  }
}
