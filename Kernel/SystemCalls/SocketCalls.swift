// socket(2), socketpair(2), bind(2), connect(2), listen(2), accept(2), accept4(2), shutdown(2), getsockname(2), getpeername(2)
// (spec sockets.md section 3).

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareSocketCalls() {
    declare(.socket, "socket", [.integer, .bits, .integer], .refuses(.enobufs, HeapCost.socket + HeapCost.socketFile)) {
      call throws(Errno) in
      try call.makeSocket()
    }
    declare(
      .socketpair, "socketpair", [.integer, .bits, .integer, .pointer],
      .refuses(.enobufs, HeapCost.socket * 2 + HeapCost.socketFile * 2),
      { call throws(Errno) in try call.makeSocketPair() })
    declare(
      .bind, "bind", [.descriptor, .pointer, .size], .refuses(.enobufs, HeapCost.socketName + HeapCost.socketNode)
    ) { call throws(Errno) in
      try call.bindSocket()
    }
    declare(
      .bindat, "bindat", [.descriptor, .descriptor, .pointer, .size],
      .refuses(.enobufs, HeapCost.socketName + HeapCost.socketNode)
    ) { call throws(Errno) in try call.bindSocketFromDescriptor() }
    declare(
      .connectat, "connectat", [.descriptor, .descriptor, .pointer, .size],
      .refuses(.enobufs, HeapCost.socketName + HeapCost.socket)
    ) { call throws(Errno) in try call.connectSocketFromDescriptor() }
    declare(
      .connect, "connect", [.descriptor, .pointer, .size], .refuses(.enobufs, HeapCost.socketName + HeapCost.socket)
    ) { call throws(Errno) in
      try call.connectSocket()
    }
    declare(.listen, "listen", [.descriptor, .integer]) { call throws(Errno) in
      let file = try call.socketFile(needing: .listen)
      try file.listen(
        call.arguments.second.integer, call.process.credentials, process: call.process.identifier)
      return .value(0)
    }
    declare(.accept, "accept", [.descriptor, .pointer, .pointer], .refuses(.enfile, HeapCost.accept)) {
      call throws(Errno) in
      try call.accept(.inherited)
    }
    declare(.accept4, "accept4", [.descriptor, .pointer, .pointer, .bits], .refuses(.enfile, HeapCost.accept)) {
      call throws(Errno) in
      let flags = call.arguments.fourth.word
      guard flags & ~(SocketTypeFlags.closeOnExec | SocketTypeFlags.nonBlocking) == 0 else { throw .einval }
      return try call.accept(
        .given(
          nonBlocking: flags & SocketTypeFlags.nonBlocking != 0, closeOnExec: flags & SocketTypeFlags.closeOnExec != 0))
    }
    declare(.shutdown, "shutdown", [.descriptor, .integer]) { call throws(Errno) in
      guard let kind = ShutdownKind(rawValue: call.arguments.second.integer) else { throw .einval }
      let file = try call.socketFile(needing: .shutDown)
      return try file.shut(kind) ? .value(0) : call.goOnLater(.phase(.whole))
    }
    declare(.getsockname, "getsockname", [.descriptor, .pointer, .pointer]) { call throws(Errno) in
      try call.tellName(needing: .socketName) { file throws(Errno) in file.ownName }
    }
    declare(.getpeername, "getpeername", [.descriptor, .pointer, .pointer]) { call throws(Errno) in
      try call.tellName(needing: .peerName) { file throws(Errno) in try file.peerName() }
    }
    declareSocketOptionCalls()
    declareMessageCalls()
    declareSendFileCall()
  }
}

extension SystemCall {
  /// The socket that the first argument names.
  ///
  /// Throws EBADF, ENOTCAPABLE, ENOTSOCK.
  func socketFile(needing rights: CapabilityRights) throws(Errno) -> SocketFile {
    try socketFile(arguments.first, needing: rights)
  }

  /// The socket that an argument names.
  ///
  /// Throws EBADF, ENOTCAPABLE, ENOTSOCK.
  func socketFile(_ argument: Argument, needing rights: CapabilityRights) throws(Errno) -> SocketFile {
    guard let file = try file(argument.descriptor, needing: rights) as? SocketFile else { throw .enotsock }
    return file
  }

  fileprivate func makeSocket() throws(Errno) -> Answer {
    let arguments = self.arguments
    let descriptor = try lend { credentials, table throws(Errno) in
      try kernel.files.makeSocket(
        domain: arguments.first.integer, arguments.second.word, protocol: arguments.third.integer, credentials,
        into: table
      )
    }
    return .value(UInt64(descriptor))
  }

  /// Throws what socket(2) throws, in another order, then EFAULT; then nothing is left open.
  fileprivate func makeSocketPair() throws(Errno) -> Answer {
    let arguments = self.arguments
    _ = try FileServices.socketType(
      domain: arguments.first.integer, arguments.second.word, protocol: arguments.third.integer)
    // The memory is looked for before there is anything that would have to be taken back.
    var isReachable = true
    switch space.makeWritable(at: arguments.fourth.address, byteCount: 8) {
    case .complete: break
    case .wait(let awaited):
      thread.wanted = awaited
      return .restart
    case .fault, .tooLong: isReachable = false
    }
    let (first, second) = try lend { credentials, table throws(Errno) in
      try kernel.files.makeSocketPair(
        domain: arguments.first.integer, arguments.second.word, protocol: arguments.third.integer, credentials,
        process: process.identifier, into: table)
    }
    stage(first, at: 0)
    stage(second, at: 4)
    // What was reachable at the beginning of an event is at its end.
    if isReachable, try put(arguments.fourth.range(8)) { return .value(0) }
    try table.close(first)
    try table.close(second)
    throw .efault
  }

  // MARK: Addresses

  /// An address of so many bytes that a program gave; nil when the call has to be answered with `restart`.
  ///
  /// Throws ENAMETOOLONG, EINVAL, EFAULT: what is wrong before the descriptor is looked at.
  func fetchSocketAddress(_ address: VirtualAddress, _ byteCount: UInt32) throws(Errno) -> SocketAddress? {
    guard byteCount <= SocketAddressLayout.longest else { throw .enametoolong }
    guard byteCount >= SocketAddressLayout.pathOffset else { throw .einval }
    guard try fetch(UserRange(start: address, byteCount: Int(byteCount))) else { return nil }
    guard buffer[1] == UInt8(AddressFamily.local) else { return .wrong(.eafnosupport) }
    let pathByteCount = Int(byteCount) - Int(SocketAddressLayout.pathOffset)
    guard pathByteCount > 0, pathByteCount <= AddressFamily.pathByteCount else { return .wrong(.einval) }
    return .named(SocketName(thread.frame.value.buffer.span.extracting(2..<2 + pathByteCount)))
  }

  /// Puts the address of a socket into the buffer. Returns its length.
  func stageAddress(_ name: SocketName?, at offset: Int) -> Int {
    zero(from: offset, 112)
    let byteCount = name?.addressByteCount ?? SocketAddressLayout.unnamedByteCount
    stage(UInt8(byteCount), at: offset)
    stage(UInt8(AddressFamily.local), at: offset + 1)
    if let name { for index in 0..<name.pathByteCount { stage(name.byte(at: index), at: offset + 2 + index) } }
    return byteCount
  }

  fileprivate func bindSocket() throws(Errno) -> Answer {
    guard let address = try fetchSocketAddress(arguments.second.address, arguments.third.word) else { return .restart }
    try kernel.files.bind(try socketFile(needing: .bind), to: address, process.credentials, mask: process.creationMask)
    return .value(0)
  }

  fileprivate func connectSocket() throws(Errno) -> Answer {
    guard let address = try fetchSocketAddress(arguments.second.address, arguments.third.word) else { return .restart }
    try kernel.files.connect(
      try socketFile(needing: .connect), to: address, process.credentials, process: process.identifier)
    return .value(0)
  }

  /// bindat(2): a relative path begins at the first descriptor.
  fileprivate func bindSocketFromDescriptor() throws(Errno) -> Answer {
    guard let address = try fetchSocketAddress(arguments.third.address, arguments.fourth.word) else { return .restart }
    try kernel.files.bind(
      try socketFile(arguments.second, needing: .bind), to: address, from: socketPathStart(), process.credentials,
      mask: process.creationMask)
    return .value(0)
  }

  /// connectat(2), the same.
  fileprivate func connectSocketFromDescriptor() throws(Errno) -> Answer {
    guard let address = try fetchSocketAddress(arguments.third.address, arguments.fourth.word) else { return .restart }
    try kernel.files.connect(
      try socketFile(arguments.second, needing: .connect), to: address, from: socketPathStart(), process.credentials,
      process: process.identifier)
    return .value(0)
  }

  /// Where the path of bindat(2) and connectat(2) begins; that from no descriptor is for who may use all paths.
  private func socketPathStart() throws(Errno) -> PathStart {
    if process.isInCapabilityMode && arguments.first.descriptor == .currentDirectory { throw .ecapmode }
    return openPathStart(arguments.first)
  }

  /// The length that a pointer names; nil when the call has to be answered with `restart`.
  ///
  /// Throws EFAULT.
  func fetchLength(_ pointer: Argument) throws(Errno) -> UInt32? {
    guard try fetch(pointer.range(4)) else { return nil }
    return stagedWord(at: 0)
  }

  /// getsockname(2) and getpeername(2): the length is read before the descriptor is looked at.
  fileprivate func tellName(
    needing rights: CapabilityRights, _ name: (SocketFile) throws(Errno) -> SocketName?
  ) throws(Errno) -> Answer {
    guard let room = try fetchLength(arguments.third) else { return .restart }
    let byteCount = stageAddress(try name(try socketFile(needing: rights)), at: 0)
    stage(UInt32(byteCount), at: 128)
    beginDelivery()
    let told = min(Int(room), byteCount)
    if told > 0 { thread.frame.value.delivery.append(address: arguments.second.address, offset: 0, byteCount: told) }
    thread.frame.value.delivery.append(address: arguments.third.address, offset: 128, byteCount: 4)
    return .deliver
  }

  // MARK: Accepting

  /// Throws EFAULT for a length that cannot be read, EBADF, ENOTSOCK, what `FileServices.accept` throws, and EFAULT when the name
  /// cannot be stored: then the connection is closed.
  fileprivate func accept(_ flags: AcceptedFlags) throws(Errno) -> Answer {
    guard let room = try roomForName() else { return .restart }
    let file = try socketFile(needing: .accept)
    return try accept(from: file, table.limits(of: arguments.first.descriptor.number), flags, room, nil)
  }

  /// Goes on with an accept(2) that has waited.
  func goOnAccepting(_ listener: SocketFile, _ place: SocketPlace) throws(Errno) -> Answer {
    guard let room = try roomForName() else { return wait(on: thread.wanted, then: .file(.accept(listener, place))) }
    return try accept(from: listener, place.acceptedLimits, place.acceptedFlags, room, place)
  }

  /// The room for the name of whoever connected; nil when the call has to wait for what the thread wants. Throws EFAULT.
  private func roomForName() throws(Errno) -> UInt32? {
    arguments.second.isNull ? 0 : try fetchLength(arguments.third)
  }

  private func accept(
    from listener: SocketFile, _ limits: DescriptorLimits?, _ flags: AcceptedFlags, _ room: UInt32,
    _ place: SocketPlace?
  ) throws(Errno) -> Answer {
    var isReachable = true
    let byteCount = min(Int(room), listener.nextNameByteCount)
    for index in 0..<2 where !arguments.second.isNull {
      let address = index == 0 ? arguments.second.address : arguments.third.address
      switch space.makeWritable(at: address, byteCount: index == 0 ? byteCount : 4) {
      case .complete: break
      case .wait(let awaited):
        thread.wanted = awaited
        return place.map { wait(on: awaited, then: .file(.accept(listener, $0))) } ?? .restart
      case .fault, .tooLong: isReachable = false
      }
    }
    let accepted = try lend { credentials, table throws(Errno) in
      try kernel.files.accept(listener, limits, flags, credentials, into: table)
    }
    guard let (descriptor, file) = accepted else {
      let place = place ?? listener.makePlace(receives: true)
      place.acceptedFlags = flags
      place.acceptedLimits = limits
      return wait(on: place.awaitConnection(), then: .file(.accept(listener, place)))
    }
    if arguments.second.isNull { return .value(UInt64(descriptor)) }
    let full = stageAddress(file.acceptedName, at: 0)
    if isReachable, try put(UserRange(start: arguments.second.address, byteCount: byteCount)) {
      stage(UInt32(full), at: 0)
      if try put(arguments.third.range(4)) { return .value(UInt64(descriptor)) }
    }
    try table.close(descriptor)
    throw .efault
  }
}

/// `struct sockaddr_un`
enum SocketAddressLayout {
  /// Bytes of the longest address that is copied in.
  static let longest: UInt32 = 255
  /// Where the path begins.
  static let pathOffset: UInt32 = 2
  /// Bytes that are told of a socket without a name.
  static let unnamedByteCount = 16
}
