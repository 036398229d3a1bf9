// socket(2), socketpair(2), accept(2), bind(2), connect(2) (spec sockets.md section 3).

public import ABI
import Memory
import Primitives

/// What an accepted socket's file is like.
public enum AcceptedFlags {
  /// Like the listening one's (accept(2)).
  case inherited
  /// As the caller says (accept4(2)).
  case given(nonBlocking: Bool, closeOnExec: Bool)
}

/// An address that a caller gave.
public enum SocketAddress {
  /// That of a socket here.
  case named(SocketName)
  /// No address of such a socket: of another family, too long or too short.
  case wrong(Errno)

  /// The name. Throws what is wrong with it.
  public func name() throws(Errno) -> SocketName {
    switch self {
    case .named(let name): return name
    case .wrong(let error): throw error
    }
  }
}

extension FileServices {
  /// The type that a caller means.
  ///
  /// Throws EAFNOSUPPORT for other families, EPROTOTYPE and EPROTONOSUPPORT for other types.
  public static func socketType(
    domain: Int32, _ type: UInt32, protocol number: Int32
  ) throws(Errno) -> SocketType {
    guard domain == AddressFamily.local else { throw .eafnosupport }
    let bare = type & ~(SocketTypeFlags.closeOnExec | SocketTypeFlags.nonBlocking)
    if bare <= 0xFF, let type = SocketType(rawValue: UInt8(bare)) { return type }
    throw number == 0 && bare != 0 ? .eprototype : .eprotonosupport
  }

  /// Refuses a further socket.
  ///
  /// Throws ENOBUFS when there are as many as may be, or its buffers are more than the user may have (RLIMIT_SBSIZE).
  private func admitSocket(_ type: SocketType, _ account: UserAccount) throws(Errno) {
    guard sockets.socketCount < sockets.maximumSocketCount else { throw .enobufs }
    let limits = sockets.initialLimits(type)
    guard max(limits.send, limits.receive) <= sockets.largestLimit else { throw .enobufs }
    guard sockets.admits(limits.send + limits.receive, for: account, services.caller.instance) else { throw .enobufs }
    if services.isToFail(.socketBuffer) { throw .enobufs }
  }

  private func makeSocket(_ type: SocketType, _ caller: Credentials) throws(Errno) -> Socket {
    try admitSocket(type, caller.account)
    return Socket(self, type, caller.account, user: caller.effectiveUser, group: caller.effectiveGroup)
  }

  private func fileFlags(nonBlocking: Bool) -> FileFlags {
    nonBlocking ? [.read, .write, .nonBlocking] : [.read, .write]
  }

  /// socket(2).
  ///
  /// Throws ENFILE, EMFILE, then what the type throws, then ENOBUFS.
  public func makeSocket(
    domain: Int32, _ type: UInt32, protocol number: Int32, _ caller: Credentials, into table: FileTable
  ) throws(Errno) -> Int32 {
    try admitFile(caller)
    let descriptor = try table.reserveLowest()
    do throws(Errno) {
      let kind = try FileServices.socketType(domain: domain, type, protocol: number)
      let socket = try makeSocket(kind, caller)
      let file = SocketFile(self, socket, fileFlags(nonBlocking: type & SocketTypeFlags.nonBlocking != 0))
      table.fill(descriptor, file, closeOnExec: type & SocketTypeFlags.closeOnExec != 0)
      return descriptor
    } catch {
      table.abandon(descriptor)
      throw error
    }
  }

  /// socketpair(2).
  ///
  /// Throws what the type throws, ENOBUFS, then ENFILE, EMFILE; then nothing is left open.
  public func makeSocketPair(
    domain: Int32, _ type: UInt32, protocol number: Int32, _ caller: Credentials, process: Int32, into table: FileTable
  ) throws(Errno) -> (Int32, Int32) {
    let kind = try FileServices.socketType(domain: domain, type, protocol: number)
    let first = try makeSocket(kind, caller)
    let second: Socket
    do throws(Errno) {
      second = try makeSocket(kind, caller)
    } catch {
      first.close()
      throw error
    }
    first.pair(with: second, caller, process: process)
    let flags = fileFlags(nonBlocking: type & SocketTypeFlags.nonBlocking != 0)
    let closesOnExec = type & SocketTypeFlags.closeOnExec != 0
    var firstDescriptor: Int32?
    do throws(Errno) {
      let descriptor = try install(first, flags, closesOnExec, caller, in: table)
      firstDescriptor = descriptor
      return (descriptor, try install(second, flags, closesOnExec, caller, in: table))
    } catch {
      if let firstDescriptor { try? table.close(firstDescriptor) } else { first.close() }
      second.close()
      throw error
    }
  }

  /// Gives a socket a file and a descriptor.
  private func install(
    _ socket: Socket, _ flags: FileFlags, _ closesOnExec: Bool, _ caller: Credentials, in table: FileTable
  ) throws(Errno) -> Int32 {
    try admitFile(caller)
    let descriptor = try table.reserveLowest()
    table.fill(descriptor, SocketFile(self, socket, flags), closeOnExec: closesOnExec)
    return descriptor
  }

  // MARK: Names

  /// bind(2) and bindat(2). What there is at a path is looked up as a program's name is, but that the last component need not be
  /// there.
  ///
  /// - Parameter start: where a relative path begins.
  ///
  /// Throws EINVAL when it is bound or listens; ENOENT, EBADF, ENOTDIR, ENAMETOOLONG; EADDRINUSE; EACCES, EROFS; ENOSPC.
  public func bind(
    _ file: SocketFile, to address: SocketAddress, from start: PathStart = .root, _ caller: Credentials, mask: FileMode
  ) throws(Errno) {
    let socket = file.socket
    let name = try address.name()
    if socket.name != nil || socket.has(.listening) { throw .einval }
    guard name.stringByteCount > 0 else { throw .enoent }
    let node = try name.withPath { path throws(Errno) in
      try start.check(path)
      let entry = try lookUpEntry(path)
      if entry.found != nil { throw .eaddrinuse }
      guard case .bindable(let directory) = entry.directory else { throw .erofs }
      let component = path.extracting(entry.name)
      try directory.ownership.check(.write, by: caller)
      guard caller.account.mayMakeKernelMemory else { throw .enospc }
      let mode = FileMode.accessPermissions.subtracting(mask)
      return sockets.names.make(
        directory, component, Ownership(user: caller.effectiveUser, group: 0, mode: mode), inode: sockets.nextInode(),
        timestamp, caller.account)
    }
    node.socket = BackReference(socket)
    socket.node = BackReference(node)
    socket.name = name
  }

  /// The socket that is bound to a name, for connect(2) and sendto(2).
  ///
  /// Throws ENOENT, EBADF, ENOTDIR, ENAMETOOLONG; ENOTSOCK for what is no socket; EACCES without permission to write; ECONNREFUSED when
  /// the socket has gone; EPROTOTYPE when it is of another type.
  func findSocket(
    _ name: SocketName, from start: PathStart = .root, of type: SocketType, _ caller: Credentials
  ) throws(Errno) -> Socket {
    guard name.stringByteCount > 0 else { throw .enoent }
    let place = try name.withPath { path throws(Errno) in
      try start.check(path)
      return try resolve(path)
    }
    guard case .node(let node) = place else { throw .enotsock }
    try node.ownership.check(.write, by: caller)
    guard let socket = node.socket.instance else { throw .econnrefused }
    guard socket.type == type else { throw .eprototype }
    return socket
  }

  /// connect(2) and connectat(2), which never wait.
  ///
  /// Throws EISCONN, EOPNOTSUPP for a listening socket, what is wrong with the address, what `findSocket` throws,
  /// ECONNREFUSED, ENOBUFS.
  public func connect(
    _ file: SocketFile, to address: SocketAddress, from start: PathStart = .root, _ caller: Credentials, process: Int32
  ) throws(Errno) {
    let socket = file.socket
    if socket.has(.listening) { throw .eopnotsupp }
    socket.noticeClosedPeer()
    if socket.has(.connected) {
      guard socket.type == .datagram else { throw .eisconn }
      socket.disconnectDatagram()
      socket.becameWritable()
    }
    socket.pendingError = 0
    let other = try findSocket(try address.name(), from: start, of: socket.type, caller)
    if socket.type == .datagram {
      socket.connectDatagram(to: other)
      return socket.becameWritable()
    }
    guard other.has(.listening), other.hasRoomForConnection else { throw .econnrefused }
    try admitSocket(socket.type, other.account)
    let accepted = Socket(self, socket.type, other.account, user: other.user, group: other.group)
    accepted.inherit(other)
    accepted.setPeer(caller, process: process)
    socket.setPeer(other.peerCredentials, process: other.peerProcess)
    socket.join(accepted)
    other.enqueue(accepted)
    socket.becameWritable()
  }

  // MARK: Accepting

  /// accept(2): the descriptor and the socket; nil when there is none yet (`SocketPlace.awaitConnection`).
  ///
  /// Throws EINVAL for a socket that does not listen; ENFILE, EMFILE; the pending error; EAGAIN instead of waiting.
  ///
  /// - Parameter limits: what the descriptor of the listening socket is limited to, and so that of the connection.
  public func accept(
    _ file: SocketFile, _ limits: DescriptorLimits?, _ flags: AcceptedFlags, _ caller: Credentials,
    into table: FileTable
  ) throws(Errno) -> (Int32, SocketFile)? {
    let listener = file.socket
    guard listener.has(.listening) else { throw .einval }
    try admitFile(caller)
    let descriptor = try table.reserveLowest()
    if limits != nil && !table.prepareLimits(descriptor) {
      table.abandon(descriptor)
      throw .emfile
    }
    if let error = listener.takePendingError() {
      table.abandon(descriptor)
      throw error
    }
    guard let socket = listener.dequeue() else {
      table.abandon(descriptor)
      if file.flags.contains(.nonBlocking) { throw .eagain }
      return nil
    }
    var fileFlags: FileFlags = [.read, .write]
    var closesOnExec = false
    switch flags {
    case .inherited: fileFlags.formUnion(file.flags.intersection([.nonBlocking, .asynchronous]))
    case .given(let isNonBlocking, let closes):
      if isNonBlocking { fileFlags.insert(.nonBlocking) }
      closesOnExec = closes
    }
    let accepted = SocketFile(self, socket, fileFlags)
    if case .inherited = flags { accepted.signalOwner = file.signalOwner }
    table.fill(descriptor, accepted, closeOnExec: closesOnExec)
    if let limits { table.putLimits(limits, of: descriptor) }
    return (descriptor, accepted)
  }
}

extension Socket {
  /// Gives up its name: the node stays.
  func leaveName() {
    node.instance?.socket = BackReference()
    node = BackReference()
  }

  /// What an accepted socket has from the listening one.
  func inherit(_ listener: Socket) {
    name = listener.name
    options = listener.options.intersection(.inherited)
    setLimits(send: listener.sendLimit, receive: listener.receiveLimit)
    (sendLowWater, receiveLowWater) = (listener.sendLowWater, listener.receiveLowWater)
    (sendTimeout, receiveTimeout) = (listener.sendTimeout, listener.receiveTimeout)
    lingerSeconds = listener.lingerSeconds
    wantsCredentials = listener.wantsCredentials
  }

  /// Sets how much it may queue.
  func setLimits(send: UInt64, receive: UInt64) {
    account.socketByteCount += Int(send + receive) - Int(sendLimit + receiveLimit)
    sendLimit = send
    receiveLimit = receive
  }
}

extension SocketServices {
  /// SO_SNDBUF and SO_RCVBUF of a new socket.
  func initialLimits(_ type: SocketType) -> (send: UInt64, receive: UInt64) {
    switch type {
    case .stream: streamSpace
    case .sequencedPacket: packetSpace
    // What a connected sender may have queued is what a receiver may have; the largest message is another matter.
    case .datagram: (datagramSpace.receive, datagramSpace.receive)
    }
  }

  /// Whether a user may have buffers of so many bytes more.
  func admits(_ byteCount: UInt64, for account: UserAccount, _ caller: Caller?) -> Bool {
    let limit = caller?.socketByteLimit ?? UInt64.max
    return limit == UInt64.max || UInt64(account.socketByteCount) + byteCount <= limit
  }
}
