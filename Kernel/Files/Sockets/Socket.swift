// A socket of the family AF_UNIX (spec sockets.md sections 3 to 7), whether a file reaches it or it waits to be accepted.
//
// Invariants
// - `peer` names whom it is connected to while that exists. Connections of streams and packets go both ways: each is the other's
//   peer. A datagram socket is in the list of those that are connected to its peer.
// - What was sent to a stream or packet socket is in its `received`. What a connected datagram socket has sent and nobody has
//   read yet is in its own `sent`, which its user pays for; it is in the list of its peer's that have something while that is
//   not empty. Datagrams from sockets that are not connected are in `received`.
// - `isStopped` is the sender's mark that the room rule keeps it from sending (SocketRoom).
// - A listening socket owns those that wait to be accepted. Their file is empty, their `listener` names it.

import ABI
public import Memory
import Primitives

/// What has become of a socket.
struct SocketState: OptionSet, BitwiseCopyable {
  let rawValue: UInt8
  /// It is connected (SS_ISCONNECTED); a stream is not any more when its peer has gone.
  static let connected = SocketState(rawValue: 1)
  /// Nothing more can be sent (SBS_CANTSENDMORE).
  static let cannotSend = SocketState(rawValue: 2)
  /// Nothing more will be received (SBS_CANTRCVMORE).
  static let cannotReceive = SocketState(rawValue: 4)
  /// It accepts connections.
  static let listening = SocketState(rawValue: 8)
  /// It may not send before something is read.
  static let stopped = SocketState(rawValue: 16)
  /// No file reaches it any more, and none will.
  static let closed = SocketState(rawValue: 32)
}

/// A socket.
public final class Socket: AnyOwner {
  /// What all sockets share.
  let services: SocketServices
  /// The files of the kernel.
  let files: FileServices
  let type: SocketType
  /// Who pays for what is queued here.
  let account: UserAccount
  let user: UInt32
  let group: UInt32
  let inode: UInt64
  /// The file that reaches it, unless it waits to be accepted.
  var file = BackReference<SocketFile>()
  var state: SocketState = []
  /// The error that the next call reports; 0: none.
  var pendingError: Int32 = 0
  var peer = BackReference<Socket>()
  var received = SocketQueue()
  var sent = SocketQueue()

  // Options (SocketOptions.swift).
  var options: SocketFlags = []
  var sendLimit: UInt64
  var receiveLimit: UInt64
  var sendLowWater: UInt64 = 2048
  var receiveLowWater: UInt64 = 1
  /// SO_SNDTIMEO and SO_RCVTIMEO in nanoseconds; 0: for ever.
  var sendTimeout: UInt64 = 0
  var receiveTimeout: UInt64 = 0
  var lingerSeconds: Int16 = 0
  var timestampClock: UInt32 = 0
  /// What it wants to know of those who send to it (CredentialsWish).
  var wantsCredentials: UInt8 = 0

  // Who waits; for connections, too.
  var receivers = SocketLine()
  var senders = SocketLine()

  // Names, and who is at the other end.
  var name: SocketName?
  var node = BackReference<SocketNode>()
  var peerCredentials: Credentials?
  var peerProcess: Int32 = 0

  // Datagrams: those that are connected to this one, and those of them that have sent something.
  var connectedSenders = SocketList()
  var readySenders = SocketList()
  var connectedLinks = SocketLinks()
  var readyLinks = SocketLinks()
  var isReady = false
  /// Bytes of data that those have sent.
  var connectedByteCount = 0

  // Connections that wait to be accepted.
  var backlog: Int32 = 0
  var waitingCount: Int32 = 0
  var firstWaiting = HeldReference<Socket>()
  var lastWaiting = BackReference<Socket>()
  var nextWaiting = HeldReference<Socket>()
  var listener = BackReference<Socket>()

  // Messages that its file is in, and what holds sockets in its own queue (SocketFlight.swift).
  var flightCount: UInt32 = 0
  var flightReference = HeldReference<SocketFile>()
  var flightLinks = SocketLinks()
  var flightMark = FlightMark<BackReference<Socket>>()
  var firstControl = BackReference<SocketControl>()
  /// Whether the collector has found that nobody reaches it; then what it has is given up.
  var isUnreachable = false

  /// The inspection that visited it last, and the messages that it found its file in.
  var inspection: UInt32 = 0
  var flightInspection: UInt32 = 0
  var inspectedFlights: UInt32 = 0

  /// A socket that `FileServices.admitSocket` has admitted.
  init(_ files: FileServices, _ type: SocketType, _ account: UserAccount, user: UInt32, group: UInt32) {
    let services = files.sockets
    self.services = services
    self.files = files
    self.type = type
    self.account = account
    self.user = user
    self.group = group
    inode = services.nextInode()
    (sendLimit, receiveLimit) = services.initialLimits(type)
    sendLowWater = min(sendLowWater, sendLimit)
    super.init()
    services.socketCount += 1
    account.socketByteCount += Int(sendLimit + receiveLimit)
  }

  /// It has been taken apart (`close`).
  deinit {
    account.socketByteCount -= Int(sendLimit + receiveLimit)
    services.socketCount -= 1
  }

  /// Those that depend on it are told of its end.
  public override func tearDown(_ budget: inout Int, _ system: MemorySystem) -> Bool {
    if isUnreachable && !has(.closed) { return disposeOfQueue(&budget) }
    return tellOfEnd(&budget)
  }

  func wake(_ channel: WaitChannel) { files.wake(channel) }

  /// Now, in nanoseconds since boot.
  var nanoseconds: UInt64 { files.services.nanoseconds }

  subscript(line receives: Bool) -> SocketLine {
    @inline(__always) get { receives ? receivers : senders }
    @inline(__always)
    set { if receives { receivers = newValue } else { senders = newValue } }
  }

  @inline(__always)
  func has(_ mark: SocketState) -> Bool { state.contains(mark) }

  // MARK: Telling

  /// Something can be received, or will never be.
  @inline(__always)
  func becameReadable() {
    receivers.wake()
    if !file.isEmpty {
      file.borrow { file in
        if !file.watchers.isEmpty { files.watchers.tell(of: file, .read) }
        if file.flags.contains(.asynchronous) { file.signalOwnerOfEvent() }
      }
    }
  }

  /// Something can be sent, or will never be.
  @inline(__always)
  func becameWritable() {
    senders.wake()
    if !file.isEmpty {
      file.borrow { file in
        if !file.watchers.isEmpty { files.watchers.tell(of: file, .write) }
        if file.flags.contains(.asynchronous) { file.signalOwnerOfEvent() }
      }
    }
  }

  // MARK: Errors

  /// Takes the pending error, if there is one.
  ///
  /// - Parameter keeping: whether it stays (MSG_PEEK).
  func takePendingError(keeping: Bool = false) -> Errno? {
    if pendingError == 0 { return nil }
    let error = Errno(rawValue: pendingError)
    if !keeping { pendingError = 0 }
    return error
  }
}

/// Neighbours in a list of sockets.
struct SocketLinks: BitwiseCopyable {
  var next = BackReference<Socket>()
  var previous = BackReference<Socket>()
}

/// The lists that a datagram socket can be in.
enum SocketListKind {
  /// Of those that are connected to another.
  case connected
  /// Of those that have sent it something.
  case ready
  /// Of those whose files are in messages.
  case flight
}

/// A list of sockets, which it does not own.
struct SocketList: BitwiseCopyable {
  private(set) var first = BackReference<Socket>()

  var isEmpty: Bool { first.isEmpty }

  /// Puts a socket in front.
  mutating func prepend(_ socket: Socket, _ kind: SocketListKind) {
    socket[links: kind] = SocketLinks(next: first)
    first.instance?[links: kind].previous = BackReference(socket)
    first = BackReference(socket)
  }

  /// Takes a socket out.
  mutating func remove(_ socket: Socket, _ kind: SocketListKind) {
    let links = socket[links: kind]
    links.next.instance?[links: kind].previous = links.previous
    if let previous = links.previous.instance { previous[links: kind].next = links.next } else { first = links.next }
    socket[links: kind] = SocketLinks()
  }
}

extension Socket {
  /// Its neighbours in a list.
  subscript(links kind: SocketListKind) -> SocketLinks {
    get {
      switch kind {
      case .connected: connectedLinks
      case .ready: readyLinks
      case .flight: flightLinks
      }
    }
    set {
      switch kind {
      case .connected: connectedLinks = newValue
      case .ready: readyLinks = newValue
      case .flight: flightLinks = newValue
      }
    }
  }
}
