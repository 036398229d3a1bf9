// Control messages as a caller of sendmsg(2) gave them, and what becomes of them (spec sockets.md section 8).
//
// Invariant: they are read once from where they have been copied to, which is the kernel's alone.

import ABI
public import Memory
public import Primitives

/// Control messages as a caller of sendmsg(2) gave them, wherever they have been copied to.
protocol ControlMessages {
  /// How many bytes there are.
  var byteCount: Int { get }
  /// An unsigned int among them, which lies at a multiple of four.
  func word(at offset: Int) -> UInt32
}

/// A few of them in memory that is the kernel's alone, for a message that is sent at once.
public struct StagedControl: ControlMessages {
  let byteCount: Int
  private let place: PhysicalAddress
  private let physical: PhysicalMemory

  /// Describes at most `SocketControl.smallByteCount` bytes from `place` on.
  @inline(__always)
  public init(_ place: PhysicalAddress, byteCount: Int, _ physical: PhysicalMemory) {
    self.byteCount = byteCount
    self.place = place
    self.physical = physical
  }

  @inline(__always)
  func word(at offset: Int) -> UInt32 {
    physical.load(bytesOf: UInt32.self, at: place + UInt64(truncatingIfNeeded: offset))
  }
}

/// Control messages that a call keeps while it waits: a few bytes here, at most 2048 in a frame.
public final class SocketControlInput: Nameable, ControlMessages {
  private let memory: MemorySystem
  /// The frame that they are in; none: they are in `words`.
  let frame: FrameNumber
  private var words = [12 of UInt64](repeating: 0)
  /// How many bytes there are.
  public let byteCount: Int
  private var progress = 0

  /// The most that there may be (MCLBYTES).
  public static let largestByteCount = 2048
  /// Up to here they need no frame.
  private static let smallByteCount = 96

  /// Room for so many bytes; nil when memory cannot be had.
  public init?(_ memory: MemorySystem, byteCount: Int) {
    var frame = FrameNumber.none
    if byteCount > SocketControlInput.smallByteCount {
      guard let made = memory.allocateKernelFrame() else { return nil }
      frame = made
    }
    self.memory = memory
    self.frame = frame
    self.byteCount = byteCount
  }

  deinit { if frame != .none { memory.freeKernelFrame(frame) } }

  /// Copies the bytes in.
  public func fill(from address: VirtualAddress, _ space: AddressSpace) -> UserCopyOutcome {
    if frame != .none {
      return space.copyIn(to: frame.address, byteCount: byteCount, from: address, progress: &progress)
    }
    return SocketControlInput.copyIn(address, byteCount, &words, &progress, space)
  }

  private static func copyIn(
    _ address: VirtualAddress, _ byteCount: Int, _ words: inout [12 of UInt64], _ progress: inout Int,
    _ space: AddressSpace
  ) -> UserCopyOutcome {
    var span = words.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    var part = bytes._mutatingExtracting(0..<byteCount)
    return space.copyIn(from: address, into: &part, progress: &progress)
  }

  /// An unsigned int among them, which lies at a multiple of four.
  func word(at offset: Int) -> UInt32 {
    if frame != .none { return memory.physical.load(bytesOf: UInt32.self, at: frame.address + UInt64(offset)) }
    let word = words[offset >> 3]
    return UInt32(truncatingIfNeeded: offset & 4 == 0 ? word : word >> 32)
  }
}

extension Socket {
  /// Makes what comes with a message of what the caller of sendmsg(2) gave; nothing when nothing does.
  ///
  /// Throws EINVAL for what is no control message, or one of a kind that cannot be sent; EMSGSIZE for too many descriptors in one;
  /// EBADF, EOPNOTSUPP for the first descriptor that is not open or cannot be sent; ENOBUFS when there is no memory. What is thrown
  /// comes in the order of the messages.
  @inline(__always)
  func makeControl<Input: ControlMessages>(
    _ input: Input, _ table: FileTable
  ) throws(Errno) -> HeldReference<SocketControl> {
    var control = services.makeControl(for: account, inputByteCount: input.byteCount)
    if control.borrowed.isEmpty { throw .enobufs }
    do throws(Errno) {
      try control.borrowed.tryBorrow { control throws(Errno) in try control.take(input, table) }
    } catch {
      _ = control.take()
      throw error
    }
    if control.borrowed.borrow({ $0.partCount }) == 0 { _ = control.take() }
    return control
  }
}

extension SocketControl {
  /// Takes in all control messages; those without descriptors are nothing.
  ///
  /// Throws EINVAL, EMSGSIZE, EBADF, EOPNOTSUPP, ENOBUFS.
  func take<Input: ControlMessages>(_ input: Input, _ table: FileTable) throws(Errno) {
    var offset = 0
    while input.byteCount &- offset >= ControlMessageHeader.byteCount {
      let byteCount = Int(input.word(at: offset))
      guard input.word(at: offset &+ 4) == UInt32(SocketLevel.socket), byteCount >= ControlMessageHeader.payloadOffset,
        byteCount <= input.byteCount &- offset
      else { throw .einval }
      let payloadByteCount = byteCount &- ControlMessageHeader.payloadOffset
      let type = input.word(at: offset &+ 8)
      if type == ControlMessageHeader.rights {
        try takeRights(input, at: offset &+ ControlMessageHeader.payloadOffset, count: payloadByteCount >> 2, table)
      } else {
        // What it says is not looked at: the kernel says it.
        try takeRequest(type)
      }
      offset &+= ControlMessageHeader.space(payloadByteCount)
    }
    guard offset >= input.byteCount else { throw .einval }
  }

  @inline(never)
  private func takeRequest(_ type: UInt32) throws(Errno) {
    guard let kind = SocketControlKind(requested: type) else { throw .einval }
    noteSender(for: kind)
    addPart(kind)
  }

  @inline(__always)
  private func takeRights<Input: ControlMessages>(
    _ input: Input, at first: Int, count: Int, _ table: FileTable
  ) throws(Errno) {
    guard ControlMessageHeader.space(8 * count) <= SocketControlInput.largestByteCount else { throw .emsgsize }
    for index in 0..<count {
      let descriptor = Int32(bitPattern: input.word(at: first &+ 4 &* index))
      try table.reference(at: descriptor).tryBorrow { file throws(Errno) in
        if file.isForOneProcess { throw .eopnotsupp }
        try add(file, table.limitLeafCount == 0 ? nil : table.limits(of: descriptor))
      }
    }
    if count > 0 { addPart(.rights, fileCount: count) }
  }
}
