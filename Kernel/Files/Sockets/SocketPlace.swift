// Where sends and receives wait for their turn, for bytes, or for room.
//
// Rules
// - A socket has a line of receivers and one of senders. The first in line has that direction of the socket: it may sleep in the
//   middle of its work and nobody gets in between. Who comes while there is a line stands behind, or gives EAGAIN.
// - Each waits on a channel of its own, and only the first is woken. Whoever leaves, in whatever way, wakes the next (`deinit`):
//   a wake-up is never lost.
// - A call whose process stops gives its place up, unless it is in the middle of a piece.

public import ABI
import Memory
public import Primitives

extension WaitChannel {
  /// Whether whoever waits on it waits for somebody at a socket.
  public var isForSocket: Bool { isOf(WaitChannel.socketKind) }

  private static var socketKind: Kind { Kind(33) }

  /// The channel of a call that waits.
  static func socket(_ number: UInt64) -> WaitChannel { WaitChannel(socketKind, number) }
}

/// The calls that use one direction of a socket and are parked or cut; the first has it.
struct SocketLine {
  fileprivate(set) var first = BackReference<SocketPlace>()
  fileprivate var last = BackReference<SocketPlace>()

  /// Whether nobody has it.
  @inline(__always)
  var isEmpty: Bool { first.isEmpty }

  /// Makes the first look again.
  @inline(__always)
  func wake() { if !first.isEmpty { first.borrow { $0.wake() } } }

  /// How many stand in line, for an inspection.
  var count: Int {
    var count = 0
    var position = first
    while let place = position.instance {
      count += 1
      position = place.behind
    }
    return count
  }
}

/// A place, and what a call keeps besides its transfer.
public final class SocketPlace: Nameable {
  /// The socket that it sends to or receives from.
  let socket: Socket
  /// Whether it receives.
  public let receives: Bool
  private let number: UInt64
  private(set) var isInLine = false
  fileprivate private(set) var ahead = BackReference<SocketPlace>()
  fileprivate private(set) var behind = BackReference<SocketPlace>()
  /// The record that is being made, or that was taken and is being copied.
  var message = SocketMessage()
  /// Bytes of the piece that it becomes.
  var pieceByteCount = 0
  /// How far the chunk is copied that is being.
  var chunk = Handle<SocketChunk>.none
  var chunkOffset: UInt32 = 0
  /// Until when it waits; the greatest number: for ever.
  public internal(set) var deadline = UInt64.max
  /// What the transfer had moved when it began to wait.
  var movedBefore: UInt64 = 0

  // What comes with a message (sendmsg(2), recvmsg(2)).
  /// Whether the caller wants to know who sent the message …
  public var wantsName = false
  /// … and what came with it.
  public var wantsControl = false
  /// To whom a message goes, or who sent it.
  public var name: SocketName?
  /// Whether there is somebody of whom a name can be told: messages have one, streams not.
  public internal(set) var hasSender = false
  /// What is wrong with the name that was given.
  public var nameError: Errno?
  /// Who sends it, where that matters.
  public var caller: Credentials?
  /// Whether it goes to somebody in particular.
  public var hasDestination = false
  /// The control messages as the caller gave them.
  public var controlInput: SocketControlInput?
  /// The descriptors of whoever sends or receives, for this event.
  public var table = BackReference<FileTable>()
  /// What was received with the message.
  public internal(set) var control: SocketControl?
  /// What the file of an accepted connection is to be like, for a call that waits for one.
  public var acceptedFlags = AcceptedFlags.inherited
  /// What its descriptor will be limited to: what that of the listening socket was.
  public var acceptedLimits: DescriptorLimits?
  /// Whether everything was received, but not all of it stored.
  public var isReceived = false
  /// MSG_EOR, MSG_TRUNC and MSG_CTRUNC of what was received.
  public internal(set) var outcome: MessageFlags = []

  init(_ socket: Socket, receives: Bool) {
    self.socket = socket
    self.receives = receives
    number = socket.services.nextNumber()
    socket.services.livePlaceCount += 1
  }

  /// Bytes of the sender's name that can be told; 0 when there is nobody of whom one can.
  public var nameByteCount: Int { hasSender ? name?.addressByteCount ?? SocketRoom.unnamedByteCount : 0 }

  /// Not all that came with the message could be told (MSG_CTRUNC).
  public func isControlCut() { outcome.insert(.controlTruncated) }

  /// What the place waits for.
  var wait: Wait { Wait(.socket(number)) }

  /// Makes its thread look again.
  func wake() { socket.wake(.socket(number)) }

  /// Whether it is its turn.
  var isFirst: Bool { isInLine && ahead.isEmpty }

  /// Goes to the end of the line, unless it stands there.
  func lineUp() {
    if isInLine { return }
    isInLine = true
    ahead = socket[line: receives].last
    behind = BackReference()
    if let last = ahead.instance {
      last.behind = BackReference(self)
    } else {
      socket[line: receives].first = BackReference(self)
    }
    socket[line: receives].last = BackReference(self)
  }

  /// Stands in the line of those who wait for connections. A connection wakes the first; who leaves wakes the next, so that as
  /// many wake as there are connections, and none is missed.
  public func awaitConnection() -> Wait {
    lineUp()
    return wait
  }

  /// Leaves the line; the next has its turn.
  func leaveLine() {
    if !isInLine { return }
    isInLine = false
    if let ahead = ahead.instance {
      ahead.behind = behind
    } else {
      socket[line: receives].first = behind
      behind.instance?.wake()
    }
    if let behind = behind.instance { behind.ahead = ahead } else { socket[line: receives].last = ahead }
    ahead = BackReference()
    behind = BackReference()
  }

  /// Begins to wait, for no longer than the socket's timeout says if there was progress since it began.
  func beginWait(_ timeout: UInt64, moved: UInt64) {
    if deadline != .max && moved == movedBefore { return }
    movedBefore = moved
    if timeout == 0 { return }
    let (end, overflow) = socket.nanoseconds.addingReportingOverflow(timeout)
    deadline = overflow ? .max : end
  }

  /// Whether it has waited as long as it may.
  var isLate: Bool { deadline != .max && socket.nanoseconds >= deadline }

  deinit {
    leaveLine()
    socket.services.drop(&message)
    socket.services.livePlaceCount -= 1
  }
}

/// What a thread's record keeps of a call that moves a message: where what comes with it goes.
public struct PendingMessage: BitwiseCopyable {
  /// The structure as it was copied in.
  public var header = MessageHeader()
  /// Where it lies, for recvmsg(2); otherwise 0.
  public var headerAddress: UInt64 = 0
  /// Where the length of the sender's name goes, for recvfrom(2); otherwise 0.
  public var lengthAddress: UInt64 = 0

  /// Of nothing.
  public init() {}
}
