// The argument and environment strings of execve(2) on their way from the old address space to the new one.
//
// Invariants
// - The strings lie packed, each with its NUL, arguments first: `byteCount` bytes in `frameCount` frames, which this instance
//   owns and gives back when it goes.
// - `byteCount` never exceeds ARG_MAX, so the number of frames is bounded and `deinit` is constant work.

import ABI
import Memory
import Primitives

/// Staged strings.
final class ArgumentStaging {
  private static let frameLimit = InterfaceLimits.argumentByteCount / 4096

  private let memory: MemorySystem
  private var frames = [128 of FrameNumber](repeating: .none)
  private(set) var frameCount = 0
  /// Bytes staged.
  private(set) var byteCount = 0
  /// Argument strings staged.
  private(set) var argumentCount = 0
  /// Bytes of them.
  private(set) var argumentByteCount = 0
  /// Environment strings staged.
  var environmentCount = 0

  init(_ memory: MemorySystem) {
    self.memory = memory
  }

  deinit {
    for index in 0..<frameCount { memory.freeKernelFrame(frames[index]) }
  }

  /// Adds the first `count` bytes of `bytes`. E2BIG beyond ARG_MAX, ENOMEM without a frame.
  func append(_ bytes: Span<UInt8>, count: Int) throws(Errno) {
    guard byteCount + count <= InterfaceLimits.argumentByteCount else { throw .e2big }
    var done = 0
    while done < count {
      if byteCount == frameCount * 4096 {
        guard frameCount < ArgumentStaging.frameLimit else { throw .e2big }
        guard let frame = memory.allocateKernelFrame() else { throw .enomem }
        frames[frameCount] = frame
        frameCount += 1
      }
      let piece = min(count - done, frameCount * 4096 - byteCount)
      memory.physical.write(RawSpan(_elements: bytes), from: done, byteCount: piece, to: address(of: byteCount))
      byteCount += piece
      done += piece
    }
  }

  /// What was added last ended an argument.
  func endArgument() {
    argumentCount += 1
    argumentByteCount = byteCount
  }

  /// The arguments as a title, if they are short enough for one.
  var title: ProcessTitle {
    var title = ProcessTitle()
    guard argumentByteCount > 0, argumentByteCount <= ProcessTitle.capacity else { return title }
    var bytes = [244 of UInt8](repeating: 0)
    var span = bytes.mutableSpan
    var room = MutableRawSpan(_elements: &span)
    memory.physical.read(address(of: 0), into: &room, at: 0, byteCount: argumentByteCount)
    title.set(bytes.span.extracting(0..<argumentByteCount))
    return title
  }

  /// Where the staged byte at `offset` lies.
  func address(of offset: Int) -> PhysicalAddress {
    frames[offset / 4096].address + UInt64(offset % 4096)
  }

  /// The bytes from `offset` on that lie in one frame.
  func contiguousByteCount(from offset: Int) -> Int {
    min(byteCount - offset, 4096 - offset % 4096)
  }

  /// The offset behind the NUL of the string that starts at `offset`.
  func end(ofStringAt offset: Int) -> Int {
    var position = offset
    while position < byteCount {
      let count = contiguousByteCount(from: position)
      if let zero = memory.physical.firstZero(address(of: position), byteCount: count) { return position + zero + 1 }
      position += count
    }
    return position
  }
}
