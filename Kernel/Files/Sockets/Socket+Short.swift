// A few bytes that nothing stands in the way of, with descriptors or without: what most sends and receives are, with no detour.
//
// Invariant: what is not done at once has changed nothing, and goes the way of all others (Socket+Send.swift, Socket+Receive.swift)
// with the same result.

public import ABI
public import Memory
import Primitives

extension Socket {
  // MARK: Sending

  /// Whether a send of so many bytes, and of control messages, has nothing to wait for and nothing to be told but what is wrong
  /// with those.
  @inline(__always)
  private func sendsAtOnce(_ byteCount: Int, controlByteCount: Int) -> Bool {
    state == .connected && pendingError == 0 && senders.isEmpty && byteCount <= Int(SocketChunk.ownRoom)
      && UInt64(byteCount &+ controlByteCount) <= sendLimit && account.mayMakeKernelMemory
  }

  /// Sends a few bytes over a stream, if that can be done at once; how much was.
  @inline(__always)
  func sendAtOnce(_ short: ShortTransfer, _ space: AddressSpace) -> UInt64? {
    guard type == .stream, sendsAtOnce(short.byteCount, controlByteCount: 0) else { return nil }
    return peer.borrow { peer in peer.take(short, self, space) }
  }

  /// Takes a small piece that the peer sends into the queue.
  @inline(__always)
  private func take(_ short: ShortTransfer, _ sender: Socket, _ space: AddressSpace) -> UInt64? {
    if wantsCredentials != 0 { return nil }
    let byteCount = UInt32(truncatingIfNeeded: short.byteCount)
    let chunk = received.placeForSmallPiece(byteCount, services)
    if chunk.isNone { return nil }
    let physical = services.memory.physical
    guard let reached = short.reach(short.byteCount, space, physical) else {
      if received.isEmpty { services.releaseSmallChunk(chunk) }
      return nil
    }
    let target = services.place(of: chunk, at: services.chunks[chunk].byteCount)
    short.move(short.byteCount, reached, target, space, physical)
    received.addSmallPiece(byteCount, in: chunk, services, account)
    sender.hasSent(to: self)
    return UInt64(short.byteCount)
  }

  /// Sends a few bytes with control messages, over a stream or as a packet, if that can be done at once; how much was.
  ///
  /// Throws what is wrong with the control messages, which comes last of what a send throws.
  @inline(__always)
  func sendAtOnce(
    _ short: ShortTransfer, with input: StagedControl, _ flags: MessageFlags, _ table: FileTable, _ space: AddressSpace
  ) throws(Errno) -> UInt64? {
    guard type != .datagram, sendsAtOnce(short.byteCount, controlByteCount: input.byteCount) else { return nil }
    return try peer.tryBorrow { peer throws(Errno) in
      let services = self.services
      let physical = services.memory.physical
      guard peer.wantsCredentials == 0, let reached = short.reach(short.byteCount, space, physical),
        let chunk = services.takeSmallChunk()
      else { return nil }
      let control: HeldReference<SocketControl>
      do throws(Errno) {
        control = try makeControl(input, table)
      } catch {
        services.releaseSmallChunk(chunk)
        throw error
      }
      let content = services.chunks.pin(chunk)
      short.move(short.byteCount, reached, content.value.placeOfRoom(in: chunk), space, physical)
      content.value.byteCount = UInt32(truncatingIfNeeded: short.byteCount)
      describe(chunk, control, flags)
      put(
        SocketMessage(
          first: chunk, last: chunk, byteCount: short.byteCount, kernelByteCount: SocketChunk.slotByteCount),
        into: peer)
      hasSent(to: peer)
      return UInt64(short.byteCount)
    }
  }

  // MARK: Receiving

  /// Receives a small record of a stream that nothing comes with, if that can be done at once; how much was.
  @inline(__always)
  func receiveAtOnce(_ short: ShortTransfer, _ space: AddressSpace) -> UInt64? {
    guard type == .stream, let record = shortRecord(limit: short.byteCount, hasTurn: receivers.isEmpty),
      record.fileCount == 0
    else { return nil }
    return takeAtOnce(record, short, space) ? UInt64(record.byteCount) : nil
  }

  /// The first record, if a receive takes all of it without waiting, and only descriptors without limits come with it.
  @inline(__always)
  func shortRecord(limit: Int, hasTurn: Bool) -> ShortRecord? {
    guard hasTurn, type == .sequencedPacket || type == .stream && receiveLowWater <= 1 else { return nil }
    let first = received.smallRecord(services)
    if first.isNone { return nil }
    let chunk = services.chunks.pin(first)
    let byteCount = Int(chunk.value.byteCount)
    if byteCount > limit { return nil }
    var fileCount = 0
    if !chunk.value.control.borrowed.isEmpty {
      fileCount = chunk.value.control.borrowed.borrow { $0.simpleFileCount }
      if fileCount == 0 { return nil }
    }
    return ShortRecord(
      chunk: first, byteCount: byteCount, fileCount: fileCount, outcome: chunk.value.isEnd ? .endOfRecord : [])
  }

  /// Receives that record, which nothing comes with, if the memory can be reached; whether it can.
  @inline(__always)
  func takeAtOnce(_ record: ShortRecord, _ short: ShortTransfer, _ space: AddressSpace) -> Bool {
    let physical = services.memory.physical
    guard let reached = short.reach(record.byteCount, space, physical) else { return false }
    let chunk = services.chunks.pin(record.chunk)
    short.move(record.byteCount, reached, chunk.value.placeOfRoom(in: record.chunk), space, physical)
    received.removeSmallRecord(services, account)
    tellSender()
    return true
  }

  /// Receives that record and gives its files descriptors, if there is room and the memory can be reached; tells them in turn.
  @inline(__always)
  func takeAtOnce(
    _ record: ShortRecord, _ short: ShortTransfer, _ space: AddressSpace, into table: FileTable, closeOnExec: Bool,
    _ tell: (Int32) -> Void
  ) -> Bool {
    var lowest = table.lowestFree(for: record.fileCount)
    if lowest == nil { return false }
    let physical = services.memory.physical
    guard let reached = short.reach(record.byteCount, space, physical) else { return false }
    let chunk = services.chunks.pin(record.chunk)
    let control = chunk.value.control.move()
    short.move(record.byteCount, reached, chunk.value.placeOfRoom(in: record.chunk), space, physical)
    received.removeSmallRecord(services, account)
    tellSender()
    control.borrowed.borrow { control in
      control.leaveHolder()
      for _ in 0..<record.fileCount {
        guard let descriptor = lowest ?? (try? table.reserveLowest()) else {
          preconditionFailure("room for descriptors is gone")
        }
        lowest = nil
        control.installNext(descriptor, in: table, closeOnExec: closeOnExec)
        tell(descriptor)
      }
    }
    services.giveBack(control)
    return true
  }
}

/// A record that can be received at once.
public struct ShortRecord {
  let chunk: Handle<SocketChunk>
  /// Bytes of it.
  public let byteCount: Int
  /// Files that come with it, in one control message; 0: nothing does.
  public let fileCount: Int
  /// MSG_EOR, if the sender set it.
  public let outcome: MessageFlags
}

extension SocketFile {
  /// A send or receive of a few bytes with these flags, if it can be done at once; how much was moved.
  @inline(__always)
  public func moveAtOnce(_ short: ShortTransfer, _ flags: MessageFlags, _ space: AddressSpace) -> UInt64? {
    if short.writes {
      return flags.isDisjoint(with: .unusualToSend) ? socket.sendAtOnce(short, space) : nil
    }
    return flags.isDisjoint(with: .unusualToReceive) ? socket.receiveAtOnce(short, space) : nil
  }

  /// A send of a few bytes with control messages, if it can be done at once; how much was.
  ///
  /// Throws what is wrong with the control messages.
  @inline(__always)
  public func sendAtOnce(
    _ short: ShortTransfer, with input: StagedControl, _ flags: MessageFlags, _ table: FileTable, _ space: AddressSpace
  ) throws(Errno) -> UInt64? {
    // Packets have ends.
    guard flags.isDisjoint(with: isStream ? .unusualToSend : .outOfBand) else { return nil }
    return try socket.sendAtOnce(short, with: input, flags, table, space)
  }

  /// What a receive of a message with these flags takes at once.
  ///
  /// - Parameter hasTurn: whether it is first in line, if there is a line.
  @inline(__always)
  public func shortRecord(_ short: ShortTransfer, _ flags: MessageFlags, hasTurn: Bool) -> ShortRecord? {
    guard flags.isDisjoint(with: .unusualToReceive) else { return nil }
    return socket.shortRecord(limit: short.byteCount, hasTurn: hasTurn || socket.receivers.isEmpty)
  }

  /// Receives that record, which nothing comes with, if the memory can be reached; whether it can.
  @inline(__always)
  public func takeAtOnce(_ record: ShortRecord, _ short: ShortTransfer, _ space: AddressSpace) -> Bool {
    socket.takeAtOnce(record, short, space)
  }

  /// Receives that record and gives its files descriptors, if there is room and the memory can be reached; tells them in turn.
  /// Returns whether it was; if not, nothing has happened.
  @inline(__always)
  public func takeAtOnce(
    _ record: ShortRecord, _ short: ShortTransfer, _ space: AddressSpace, into table: FileTable, closeOnExec: Bool,
    _ tell: (Int32) -> Void
  ) -> Bool {
    socket.takeAtOnce(record, short, space, into: table, closeOnExec: closeOnExec, tell)
  }
}

extension Transfer {
  /// A receive that has waited, of one short piece, of which nothing has been done yet and whose turn it is; otherwise nil.
  public var shortReceive: ShortTransfer? {
    guard let place = socketPlace, place.receives, place.isFirst, !hasBegun else { return nil }
    return untouchedShort(writes: false)
  }
}

extension MessageFlags {
  /// Those with which a send goes its longer way.
  fileprivate static let unusualToSend: MessageFlags = [.endOfRecord, .outOfBand]
  /// The same of a receive.
  fileprivate static let unusualToReceive: MessageFlags = [.peek, .outOfBand, .waitAll]
}
