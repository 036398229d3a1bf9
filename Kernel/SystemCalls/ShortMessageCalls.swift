// Messages of one small piece that are sent or received at once, with descriptors or without: what most are (Socket+Short.swift).
//
// Invariant: all of the program's memory is reached before anything changes. A message that is not done at once has changed
// nothing, and goes the way of all others (MessageCalls.swift) with the same result.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCall {
  /// The socket of a message, if it is one that may be used so.
  @inline(__always)
  private func socketReference(needing rights: CapabilityRights) -> BackReference<SocketFile>? {
    guard let file = try? fileReference(arguments.first.descriptor, needing: rights) else { return nil }
    return file.narrowed(to: SocketFile.self)
  }

  /// The piece of a message that has one and nothing to do with names, if it is of 1 to `ShortTransfer.mostBytes` bytes.
  @inline(__always)
  private func shortPiece(
    of header: MessageHeader, at headerPlace: PhysicalAddress, _ space: AddressSpace, writes: Bool
  ) -> ShortTransfer? {
    guard header.pieceCount == 1, header.name == 0,
      let place = space.translate(
        VirtualAddress(header.pieces), byteCount: 16, .read, beside: arguments.second.address, at: headerPlace)
    else { return nil }
    let (address, byteCount) = kernel.memory.physical.loadPair(at: place)
    guard byteCount &- 1 < ShortTransfer.mostBytes else { return nil }
    return ShortTransfer(address: VirtualAddress(address), byteCount: byteCount, at: nil, writes: writes)
  }

  // MARK: Sending

  /// What a sendmsg(2) has sent, if that could be done at once.
  ///
  /// Throws what is wrong with the control messages, which comes last of what it throws.
  @inline(__always)
  func sendMessageAtOnce() throws(Errno) -> UInt64? {
    guard let file = socketReference(needing: .write) else { return nil }
    return try spaceReference.tryBorrow { space throws(Errno) in
      guard let place = space.translate(arguments.second.address, byteCount: MessageHeader.byteCount, .read) else {
        return nil
      }
      let header = kernel.memory.physical.load(bytesOf: MessageHeader.self, at: place)
      guard let short = shortPiece(of: header, at: place, space, writes: true) else { return nil }
      let flags = MessageFlags(rawValue: arguments.third.word)
      if header.control == 0 { return file.borrow { $0.moveAtOnce(short, flags, space) } }
      guard let control = stageControl(header, at: place, space) else { return nil }
      return try lendTable { table throws(Errno) in
        try file.tryBorrow { file throws(Errno) in try file.sendAtOnce(short, with: control, flags, table, space) }
      }
    }
  }

  /// Copies the control messages of a message into the buffer, if they are few and can be reached.
  @inline(__always)
  private func stageControl(
    _ header: MessageHeader, at headerPlace: PhysicalAddress, _ space: AddressSpace
  ) -> StagedControl? {
    let byteCount = Int(header.controlByteCount)
    guard byteCount >= ControlMessageHeader.byteCount, byteCount <= SocketControl.smallByteCount,
      let place = space.translate(
        VirtualAddress(header.control), byteCount: byteCount, .read, beside: arguments.second.address, at: headerPlace)
    else { return nil }
    let physical = kernel.memory.physical
    let staged = thread.bufferAddress
    let (inWords, rest) = (byteCount & ~7, byteCount & 7)
    physical.copyWords(place, to: staged, count: inWords >> 3)
    if rest != 0 {
      physical.copy(place + UInt64(inWords), to: staged + UInt64(inWords), byteCount: rest)
    }
    return StagedControl(staged, byteCount: byteCount, physical)
  }

  // MARK: Receiving

  /// What a recvmsg(2) has received, if that could be done at once.
  @inline(__always)
  func receiveMessageAtOnce() -> UInt64? {
    guard let file = socketReference(needing: .read) else { return nil }
    let flags = MessageFlags(rawValue: arguments.third.word)
    return spaceReference.borrow { space in
      guard let place = space.translate(arguments.second.address, byteCount: MessageHeader.byteCount, .write) else {
        return nil
      }
      let header = kernel.memory.physical.load(bytesOf: MessageHeader.self, at: place)
      guard let short = shortPiece(of: header, at: place, space, writes: false) else { return nil }
      let address = arguments.second.address
      return file.borrow { receiveAtOnce(short, header, flags, address, at: place, from: $0, hasTurn: false, space) }
    }
  }

  /// The same of one that has waited for its turn, or for something to come.
  @inline(__always)
  func receiveMessageAtOnce(_ file: SocketFile, _ transfer: Transfer) -> UInt64? {
    guard let short = transfer.shortReceive, thread.frame.value.message.isShort else { return nil }
    let address = VirtualAddress(thread.frame.value.message.headerAddress)
    return spaceReference.borrow { space in
      guard let place = space.translate(address, byteCount: MessageHeader.byteCount, .write) else { return nil }
      let header = thread.frame.value.message.header
      return receiveAtOnce(short, header, transfer.messageFlags, address, at: place, from: file, hasTurn: true, space)
    }
  }

  /// Receives a record that is there, whose descriptors, if it has any, and their control message have room; the structure is
  /// stored at `place`, where `address` is.
  @inline(__always)
  private func receiveAtOnce(
    _ short: ShortTransfer, _ header: MessageHeader, _ flags: MessageFlags, _ address: VirtualAddress,
    at place: PhysicalAddress, from file: SocketFile, hasTurn: Bool, _ space: AddressSpace
  ) -> UInt64? {
    guard let record = file.shortRecord(short, flags, hasTurn: hasTurn) else { return nil }
    var header = header
    header.flags = flags.subtracting(.truncated).union(record.outcome).rawValue
    if record.fileCount == 0 {
      guard file.takeAtOnce(record, short, space) else { return nil }
      if header.control != 0 { header.controlByteCount = 0 }
    } else {
      let byteCount = ControlMessageHeader.space(4 &* record.fileCount)
      guard header.control != 0, Int(header.controlByteCount) >= byteCount,
        let control = space.translate(
          VirtualAddress(header.control), byteCount: byteCount, .write, beside: address, at: place),
        take(record, short, from: file, to: control, closeOnExec: flags.contains(.closeOnExec), space)
      else { return nil }
      header.controlByteCount = UInt32(truncatingIfNeeded: byteCount)
    }
    store(header, at: place)
    return UInt64(record.byteCount)
  }

  /// Receives a record with descriptors, and stores the control message that names them; whether it could be done at once.
  @inline(__always)
  private func take(
    _ record: ShortRecord, _ short: ShortTransfer, from file: SocketFile, to place: PhysicalAddress, closeOnExec: Bool,
    _ space: AddressSpace
  ) -> Bool {
    let physical = kernel.memory.physical
    var position = place + UInt64(ControlMessageHeader.payloadOffset)
    let isTaken = lendTable { table in
      file.takeAtOnce(record, short, space, into: table, closeOnExec: closeOnExec) { descriptor in
        physical.store(bytesOf: descriptor, at: position)
        position = position + 4
      }
    }
    if !isTaken { return false }
    if record.fileCount & 1 != 0 { physical.store(bytesOf: UInt32(0), at: position) }
    storeHeader(ControlMessageHeader.rights, payloadByteCount: 4 &* record.fileCount, at: place)
    return true
  }
}

extension PendingMessage {
  /// Whether it is what `receiveMessageAtOnce` knows: a recvmsg(2) that does not ask for a name.
  fileprivate var isShort: Bool { headerAddress != 0 && header.name == 0 }
}
