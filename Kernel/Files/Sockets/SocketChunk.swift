// What a socket's queue stores bytes in: records of a pool, each with a little room of its own or with a frame.
//
// Invariants
// - A chunk is in one place: a queue of a socket, a message that is being made or taken (SocketMessage), or what is left to be
//   torn down (SocketRemains).
// - A record is a chain of chunks by `next`; records follow one another by `nextRecord` of their first chunks. What is said of a
//   whole record (`recordByteCount` and what comes behind it) is said in its first chunk.
// - `byteCount` bytes from `start` on lie in the frame, if there is one, otherwise in the chunk's own room.

import ABI
import Memory
public import Primitives

/// A chunk; its own room lies behind it in its slot.
struct SocketChunk: BitwiseCopyable {
  var next = Handle<SocketChunk>.none
  var nextRecord = Handle<SocketChunk>.none
  var start: UInt32 = 0
  var byteCount: UInt32 = 0
  var frame = FrameNumber.none
  /// Bytes of data in the record.
  var recordByteCount: UInt32 = 0
  /// What the record costs its queue (SocketRoom).
  var cost: UInt32 = 0
  /// Bytes of control, and of the sender's name, that the record counts as.
  var controlByteCount: UInt32 = 0
  var nameByteCount: UInt16 = 0
  /// Files in a chunk that was a message's and is left to be torn down (SocketControl).
  var fileCount: UInt16 = 0
  /// Whether the sender said that it ends here (MSG_EOR).
  var isEnd = false
  /// Whether somebody has looked at it (MSG_PEEK).
  var isPeeked = false
  /// What came with the bytes.
  var control = HeldReference<SocketControl>()
  /// Who sent it, if that socket had a name.
  var name = HeldReference<SocketName>()

  /// Bytes of a slot …
  static let slotByteCount = 256
  /// … and where its own room begins.
  static let roomOffset: UInt32 = 64
  static let ownRoom: UInt32 = 192

  /// Where the bytes lie of a chunk without a frame.
  @inline(__always)
  func placeOfRoom(in chunk: Handle<SocketChunk>) -> PhysicalAddress {
    chunk.address + UInt64(SocketChunk.roomOffset &+ start)
  }

  /// Where bytes can be added: up to here.
  var end: UInt32 { frame == .none ? SocketChunk.ownRoom : UInt32(Page.byteCount) }
  /// Bytes for which there is room behind those that are there.
  var roomLeft: UInt32 { end &- start &- byteCount }
  /// Bytes that the record counts as.
  @inline(__always)
  var countedByteCount: Int { Int(recordByteCount) &+ Int(controlByteCount) &+ Int(nameByteCount) }
  /// Bytes of the kernel's memory that it takes.
  var kernelByteCount: Int { SocketChunk.slotByteCount + (frame == .none ? 0 : Int(Page.byteCount)) }
}

/// A record that is being made or taken, which no queue has.
struct SocketMessage: BitwiseCopyable {
  var first = Handle<SocketChunk>.none
  var last = Handle<SocketChunk>.none
  /// Bytes in it.
  var byteCount = 0
  /// Bytes of the kernel's memory that its chunks take.
  var kernelByteCount = 0

  @inline(__always)
  var isEmpty: Bool { first.isNone }

  /// An empty one.
  init() {}

  /// One of these chunks.
  @inline(__always)
  init(first: Handle<SocketChunk>, last: Handle<SocketChunk>, byteCount: Int, kernelByteCount: Int) {
    self.first = first
    self.last = last
    self.byteCount = byteCount
    self.kernelByteCount = kernelByteCount
  }
}

/// The name of a socket as bind(2) was given it: the bytes of `sun_path` and what follows up to the length.
public final class SocketName: Nameable {
  private var bytes = [104 of UInt8](repeating: 0)
  /// Bytes behind the length and family.
  public let pathByteCount: Int
  /// Bytes of the path: up to the first NUL.
  let stringByteCount: Int
  /// The inspection that visited it last.
  var inspection: UInt32 = 0

  /// A name of at most 104 bytes.
  public init(_ path: Span<UInt8>) {
    precondition(path.count <= 104)
    pathByteCount = path.count
    var length = path.count
    for index in path.indices {
      bytes[index] = path[index]
      if path[index] == 0 && index < length { length = index }
    }
    stringByteCount = length
  }

  /// Lends the path.
  @inline(__always)
  func withPath<Value>(_ body: (Span<UInt8>) throws(Errno) -> Value) throws(Errno) -> Value {
    try body(bytes.span.extracting(0..<stringByteCount))
  }

  /// One of its bytes.
  public func byte(at index: Int) -> UInt8 { bytes[index] }

  /// The length of the whole address (sun_len).
  public var addressByteCount: Int { pathByteCount + 2 }
}
