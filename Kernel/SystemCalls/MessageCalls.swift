// sendto(2), recvfrom(2), sendmsg(2), recvmsg(2) (spec sockets.md section 4).
//
// What is only bytes is a read or write like any other. What has a name or control messages with it is a message: its place has
// what goes with the bytes, the thread's record where to store what comes with them.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareMessageCalls() {
    declare(.sendto, "sendto", [.descriptor, .bytes, .size, .bits, .pointer, .size], .waits(HeapCost.send)) {
      call throws(Errno) in try call.sendTo()
    }
    declare(.recvfrom, "recvfrom", [.descriptor, .pointer, .size, .bits, .pointer, .pointer], .waits(HeapCost.send)) {
      call throws(Errno) in try call.receiveFrom()
    }
    let message = MemoryDemand.waits(HeapCost.message)
    declare(.sendmsg, "sendmsg", [.descriptor, .pointer, .bits], message) { call throws(Errno) in
      try call.sendMessage()
    }
    declare(.recvmsg, "recvmsg", [.descriptor, .pointer, .bits], message) { call throws(Errno) in
      try call.receiveMessage()
    }
  }
}

extension SystemCall {
  fileprivate static let pieceByteCountLimit = UInt64(Int64.max)

  // MARK: Bytes only

  /// Begins a send or receive of one piece of memory.
  @inline(__always)
  private func move(_ flags: MessageFlags, receives: Bool) throws(Errno) -> Answer {
    let byteCount = arguments.third.raw
    let address = arguments.second.address
    let rights: CapabilityRights = receives ? .read : .write
    let file = try fileReference(arguments.first.descriptor, needing: rights)
    guard let socket = file.narrowed(to: SocketFile.self) else { throw .enotsock }
    return try socket.tryBorrow { socket throws(Errno) in
      if byteCount &- 1 < ShortTransfer.mostBytes {
        let short = ShortTransfer(address: address, byteCount: byteCount, at: nil, writes: !receives)
        if let moved = spaceReference.borrow({ socket.moveAtOnce(short, flags, $0) }) { return .value(moved) }
      }
      return try move(socket, flags, receives: receives)
    }
  }

  /// The same of one that is not done at once.
  @inline(never)
  private func move(_ socket: SocketFile, _ flags: MessageFlags, receives: Bool) throws(Errno) -> Answer {
    let byteCount = arguments.third.raw
    guard byteCount <= SystemCall.pieceByteCountLimit else { throw .einval }
    var transfer = Transfer(address: arguments.second.address, checkedByteCount: byteCount, at: nil, flags)
    let progress: Progress
    do throws(Errno) {
      progress = try spaceReference.tryBorrow { space throws(Errno) in
        receives ? try socket.receive(&transfer, space) : try socket.send(&transfer, space)
      }
    } catch {
      throw receives ? error : withSignal(error, isSilent: socket.isSilent || flags.contains(.noSignal))
    }
    if progress == .complete { return .value(transfer.moved) }
    return unfinished(progress, receives ? .file(.read(socket, transfer)) : .file(.write(socket, transfer)))
  }

  @inline(__always)
  fileprivate func sendTo() throws(Errno) -> Answer {
    let flags = MessageFlags(rawValue: arguments.fourth.word)
    if arguments.fifth.isNull { return try move(flags, receives: false) }
    return try sendTo(flags)
  }

  @inline(never)
  private func sendTo(_ flags: MessageFlags) throws(Errno) -> Answer {
    guard let address = try fetchSocketAddress(arguments.fifth.address, arguments.sixth.word) else { return .restart }
    if process.isInCapabilityMode { throw .ecapmode }
    let file = try socketFile(needing: [.write, .connect])
    let byteCount = arguments.third.raw
    guard byteCount <= SystemCall.pieceByteCountLimit else { throw .einval }
    var transfer = Transfer(address: arguments.second.address, checkedByteCount: byteCount, at: nil, flags)
    transfer.socketPlace = makePlace(for: file, to: address)
    thread.frame.value.message = PendingMessage()
    return try goOn(file, transfer)
  }

  /// A place for a message to somebody.
  private func makePlace(for file: SocketFile, to address: SocketAddress) -> SocketPlace {
    let place = file.makePlace(receives: false)
    place.hasDestination = true
    switch address {
    case .named(let name): place.name = name
    case .wrong(let error): place.nameError = error
    }
    place.caller = process.credentials
    return place
  }

  @inline(__always)
  fileprivate func receiveFrom() throws(Errno) -> Answer {
    let flags = MessageFlags(rawValue: arguments.fourth.word)
    if arguments.fifth.isNull && arguments.sixth.isNull { return try move(flags, receives: true) }
    return try receiveFrom(flags)
  }

  @inline(never)
  private func receiveFrom(_ flags: MessageFlags) throws(Errno) -> Answer {
    var pending = PendingMessage()
    if !arguments.sixth.isNull {
      guard let room = try fetchLength(arguments.sixth) else { return .restart }
      pending.header.nameByteCount = room
    }
    pending.header.name = arguments.fifth.raw
    pending.lengthAddress = arguments.sixth.raw
    let file = try socketFile(needing: .read)
    let byteCount = arguments.third.raw
    guard byteCount <= SystemCall.pieceByteCountLimit else { throw .einval }
    var transfer = Transfer(address: arguments.second.address, checkedByteCount: byteCount, at: nil, flags)
    let place = file.makePlace(receives: true)
    place.wantsName = pending.header.name != 0
    transfer.socketPlace = place
    thread.frame.value.message = pending
    return try goOn(file, transfer)
  }

  // MARK: Messages

  /// The structure of a message; nil when the call has to be answered with `restart`. Throws EFAULT.
  private func fetchHeader() throws(Errno) -> MessageHeader? {
    guard try fetch(arguments.second.range(MessageHeader.byteCount)) else { return nil }
    return thread.staged(MessageHeader.self, at: 0).value
  }

  /// The pieces of a message; nil when the call has to be answered with `restart`.
  ///
  /// Throws EMSGSIZE for more than 1024, EFAULT, ENOBUFS when the user may have no more of the kernel's memory.
  private func fetchPieces(_ header: MessageHeader) throws(Errno) -> MessagePieces? {
    guard header.pieceCount >= 0, header.pieceCount <= Int32(InterfaceLimits.vectorCount) else { throw .emsgsize }
    if header.pieceCount == 1 {
      guard try fetch(UserRange(start: VirtualAddress(header.pieces), byteCount: 16)) else { return nil }
      return .one(VirtualAddress(stagedLong(at: 0)), byteCount: stagedLong(at: 8))
    }
    guard header.pieceCount <= 8 || process.credentials.account.mayMakeKernelMemory else { throw .enobufs }
    let vector = try TransferVector.make(
      kernel.memory, count: UInt32(header.pieceCount), at: VirtualAddress(header.pieces),
      for: process.credentials.account
    )
    guard let vector else {
      thread.wanted = .frames
      return nil
    }
    return try isDone(vector.fill(space)) ? .several(vector) : nil
  }

  /// The control messages of a message; nil when the call has to be answered with `restart`.
  ///
  /// Throws EINVAL, EMSGSIZE, EFAULT.
  private func fetchControl(_ header: MessageHeader) throws(Errno) -> SocketControlInput? {
    guard header.controlByteCount >= UInt32(ControlMessageHeader.byteCount) else { throw .einval }
    guard header.controlByteCount <= UInt32(SocketControlInput.largestByteCount) else { throw .emsgsize }
    guard let input = SocketControlInput(kernel.memory, byteCount: Int(header.controlByteCount)) else {
      thread.wanted = .frames
      return nil
    }
    return try isDone(input.fill(from: VirtualAddress(header.control), space)) ? input : nil
  }

  /// Throws, in this order: EFAULT for the structure; EMSGSIZE, EFAULT for the pieces; what is wrong with the address; EINVAL,
  /// EMSGSIZE, EFAULT for the control messages; EBADF, ENOTSOCK; EINVAL; what the socket throws.
  fileprivate func sendMessage() throws(Errno) -> Answer {
    if let sent = try sendMessageAtOnce() { return .value(sent) }
    return try beginSending()
  }

  /// The same of one that is not sent at once.
  @inline(never)
  private func beginSending() throws(Errno) -> Answer {
    guard let header = try fetchHeader() else { return .restart }
    let flags = MessageFlags(rawValue: arguments.third.word)
    guard let pieces = try fetchPieces(header) else { return .restart }
    var address: SocketAddress?
    if header.name != 0 {
      address = try fetchSocketAddress(VirtualAddress(header.name), header.nameByteCount)
      if address == nil { return .restart }
    }
    var control: SocketControlInput?
    if header.control != 0 {
      control = try fetchControl(header)
      if control == nil { return .restart }
    }
    if address != nil && process.isInCapabilityMode { throw .ecapmode }
    let file = try socketFile(needing: address == nil ? .write : [.write, .connect])
    var transfer = try pieces.transfer(flags)
    let place = address.map { makePlace(for: file, to: $0) } ?? file.makePlace(receives: false)
    place.controlInput = control
    transfer.socketPlace = place
    thread.frame.value.message = PendingMessage()
    return try goOn(file, transfer)
  }

  /// Throws, in this order: EFAULT for the structure; EMSGSIZE, EFAULT for the pieces; EBADF, ENOTSOCK; EINVAL; what the socket
  /// throws.
  fileprivate func receiveMessage() throws(Errno) -> Answer {
    if let received = receiveMessageAtOnce() { return .value(received) }
    return try beginReceiving()
  }

  /// The same of one that is not received at once.
  @inline(never)
  private func beginReceiving() throws(Errno) -> Answer {
    var pending = PendingMessage()
    guard let header = try fetchHeader() else { return .restart }
    pending.header = header
    pending.header.flags = arguments.third.word
    pending.headerAddress = arguments.second.raw
    guard let pieces = try fetchPieces(pending.header) else { return .restart }
    let file = try socketFile(needing: .read)
    var transfer = try pieces.transfer(MessageFlags(rawValue: arguments.third.word))
    let place = file.makePlace(receives: true)
    place.wantsName = pending.header.name != 0
    place.wantsControl = pending.header.control != 0
    transfer.socketPlace = place
    thread.frame.value.message = pending
    return try goOn(file, transfer)
  }

  // MARK: Going on

  /// Goes on with a message that has waited.
  func resume(_ file: SocketFile, _ transfer: consuming Transfer) throws(Errno) -> Answer {
    if let received = receiveMessageAtOnce(file, transfer) { return .value(received) }
    return try goOn(file, transfer)
  }

  /// Goes on with a message.
  func goOn(_ file: SocketFile, _ transfer: consuming Transfer) throws(Errno) -> Answer {
    var transfer = transfer
    let receives = transfer.socketPlace?.receives ?? false
    if let place = transfer.socketPlace {
      if place.isReceived { return try conclude(file, transfer) }
      place.table = BackReference(table)
    }
    let progress: Progress
    do throws(Errno) {
      progress = receives ? try file.receive(&transfer, space) : try file.send(&transfer, space)
    } catch {
      throw receives
        ? error : withSignal(error, isSilent: file.isSilent || transfer.messageFlags.contains(.noSignal))
    }
    if progress == .complete { return try conclude(file, transfer) }
    return unfinished(progress, .file(.message(file, transfer)))
  }

  /// Stores what comes with a message, and returns how many bytes were moved.
  ///
  /// Throws what `install` throws.
  func conclude(_ file: SocketFile, _ transfer: Transfer) throws(Errno) -> Answer {
    var pending = thread.frame.value.message
    guard let place = transfer.socketPlace, place.receives else { return .value(transfer.moved) }
    var controlByteCount = 0
    if let control = place.control {
      guard let stored = try install(control, of: place, pending) else {
        var transfer = transfer
        transfer.isReceived()
        return unfinished(.wait(thread.wanted), .file(.message(file, transfer)))
      }
      controlByteCount = stored
    }
    beginDelivery(value: transfer.moved)
    if pending.header.name != 0 {
      var told = 0
      if place.hasSender { told = min(Int(pending.header.nameByteCount), stageAddress(place.name, at: 0)) }
      if told > 0 {
        thread.frame.value.delivery.append(
          address: VirtualAddress(pending.header.name), offset: 0, byteCount: told)
      }
      pending.header.nameByteCount = UInt32(told)
    }
    if pending.lengthAddress != 0 {
      stage(pending.header.nameByteCount, at: MessageLayout.length)
      thread.frame.value.delivery.append(
        address: VirtualAddress(pending.lengthAddress), offset: MessageLayout.length, byteCount: 4)
    }
    if pending.headerAddress != 0 {
      if pending.header.control != 0 { pending.header.controlByteCount = UInt32(controlByteCount) }
      let flags = MessageFlags(rawValue: pending.header.flags).subtracting(.truncated).union(place.outcome)
      pending.header.flags = flags.rawValue
      store(pending.header, at: thread.bufferAddress + UInt64(MessageLayout.header))
      thread.frame.value.delivery.append(
        address: VirtualAddress(pending.headerAddress), offset: MessageLayout.header, byteCount: MessageHeader.byteCount
      )
    }
    return .deliver
  }

  /// Stores the structure as it goes to the program: what is between its members is zero.
  @inline(__always)
  func store(_ header: MessageHeader, at place: PhysicalAddress) {
    let words: [6 of UInt64] = [
      header.name, UInt64(header.nameByteCount), header.pieces, UInt64(UInt32(bitPattern: header.pieceCount)),
      header.control, UInt64(header.controlByteCount) | UInt64(header.flags) << 32,
    ]
    kernel.memory.physical.store(bytesOf: words, at: place)
  }
}

/// The pieces of a program's memory that a message has: most have one, which needs no vector.
private enum MessagePieces {
  case one(VirtualAddress, byteCount: UInt64)
  case several(TransferVector)

  /// The transfer of a message that has them. Throws EINVAL when they are more than SSIZE_MAX together.
  func transfer(_ flags: MessageFlags) throws(Errno) -> Transfer {
    switch self {
    case .one(let address, let byteCount):
      guard byteCount <= SystemCall.pieceByteCountLimit else { throw .einval }
      return Transfer(address: address, checkedByteCount: byteCount, at: nil, flags)
    case .several(let vector): return try Transfer(vector, at: nil, flags)
    }
  }
}

/// Where what comes with a message is staged in a thread's buffer, behind the name.
private enum MessageLayout {
  static let length = 120
  static let header = 128
}
