// The records that wait in a socket.
//
// Invariants
// - `first` to `lastRecord` are linked by `nextRecord`; `lastChunk` is the last chunk of the last record.
// - The counts are the sums over all records. What the chunks take of the kernel's memory is counted for the account of the
//   socket whose queue it is.

import ABI
import Memory
import Primitives

/// A queue.
struct SocketQueue: BitwiseCopyable {
  private(set) var first = Handle<SocketChunk>.none
  private(set) var lastRecord = Handle<SocketChunk>.none
  private(set) var lastChunk = Handle<SocketChunk>.none
  /// Bytes of data.
  private(set) var dataByteCount = 0
  /// Bytes that count: data, control, names.
  private(set) var byteCount = 0
  /// What the records cost (SocketRoom).
  private(set) var cost = 0
  /// Bytes of the kernel's memory.
  private(set) var kernelByteCount = 0

  @inline(__always)
  var isEmpty: Bool { first.isNone }

  /// Puts a record of one or more chunks behind the others. Its first chunk says what it counts as.
  @inline(__always)
  mutating func append(_ message: SocketMessage, _ services: SocketServices, _ account: UserAccount) {
    let record = message.first
    if first.isNone { first = record } else { services.chunks[lastRecord].nextRecord = record }
    lastRecord = record
    lastChunk = message.last
    let chunk = services.chunks.pin(record)
    chunk.value.recordByteCount = UInt32(message.byteCount)
    dataByteCount &+= message.byteCount
    byteCount &+= chunk.value.countedByteCount
    cost &+= Int(chunk.value.cost)
    count(kernelByteCount: message.kernelByteCount, account)
  }

  @inline(__always)
  private mutating func count(kernelByteCount byteCount: Int, _ account: UserAccount) {
    kernelByteCount += byteCount
    account.countKernelMemory(byteCount)
  }

  /// Adds the bytes of a message to the last record of a stream, which is not empty.
  mutating func extend(by message: SocketMessage, _ services: SocketServices, _ account: UserAccount) {
    if message.byteCount == 0 { return services.release(message.first) }
    let record = lastRecord
    let roomLeft = services.chunks[lastChunk].roomLeft
    let added = services.chunks[message.first].byteCount
    if message.first == message.last && added <= roomLeft {
      let target = services.place(of: lastChunk, at: services.chunks[lastChunk].byteCount)
      services.memory.physical.copy(
        services.place(of: message.first, at: 0), to: target, byteCount: Int(added))
      services.chunks[lastChunk].byteCount += added
      services.release(message.first)
    } else {
      services.chunks[lastChunk].next = message.first
      lastChunk = message.last
      count(kernelByteCount: message.kernelByteCount, account)
    }
    services.chunks[record].recordByteCount += UInt32(message.byteCount)
    dataByteCount += message.byteCount
    byteCount += message.byteCount
    setStreamCost(of: services.chunks.pin(record))
  }

  /// What a record of a stream costs follows from what is left of it.
  @inline(__always)
  private mutating func setStreamCost(of record: PinnedRecord<SocketChunk>) {
    var cost = SocketRoom.costOfData(Int(record.value.recordByteCount), .stream)
    let control = record.value.control.borrowed
    if !control.isEmpty { cost &+= control.borrow { $0.cost } }
    self.cost &+= cost &- Int(record.value.cost)
    record.value.cost = UInt32(truncatingIfNeeded: cost)
  }

  // MARK: Small pieces of streams

  /// Where so many bytes of a stream go that nothing comes with: behind the last, or into a new chunk. None: only by a way that
  /// is longer.
  @inline(__always)
  func placeForSmallPiece(_ byteCount: UInt32, _ services: SocketServices) -> Handle<SocketChunk> {
    if first.isNone { return services.takeSmallChunk() ?? .none }
    return services.chunks[lastChunk].roomLeft >= byteCount ? lastChunk : .none
  }

  /// Takes in the bytes that were stored in the chunk that `placeForSmallPiece` gave.
  @inline(__always)
  mutating func addSmallPiece(
    _ byteCount: UInt32, in chunk: Handle<SocketChunk>, _ services: SocketServices, _ account: UserAccount
  ) {
    services.chunks.pin(chunk).value.byteCount &+= byteCount
    if first.isNone {
      first = chunk
      lastRecord = chunk
      lastChunk = chunk
      count(kernelByteCount: SocketChunk.slotByteCount, account)
    }
    let record = services.chunks.pin(lastRecord)
    record.value.recordByteCount &+= byteCount
    dataByteCount &+= Int(byteCount)
    self.byteCount &+= Int(byteCount)
    setStreamCost(of: record)
  }

  /// The first record, if it is a small chunk with something in it.
  @inline(__always)
  func smallRecord(_ services: SocketServices) -> Handle<SocketChunk> {
    if first.isNone { return first }
    let chunk = services.chunks.pin(first)
    let isSmall = chunk.value.next.isNone && chunk.value.frame == .none && chunk.value.byteCount > 0
    return isSmall ? first : .none
  }

  /// Removes that record, all of which was received with what came with it.
  @inline(__always)
  mutating func removeSmallRecord(_ services: SocketServices, _ account: UserAccount) {
    let record = first
    let chunk = services.chunks.pin(record)
    dataByteCount &-= Int(chunk.value.byteCount)
    byteCount &-= chunk.value.countedByteCount
    cost &-= Int(chunk.value.cost)
    first = chunk.value.nextRecord
    if first.isNone {
      lastRecord = .none
      lastChunk = .none
    }
    count(kernelByteCount: -SocketChunk.slotByteCount, account)
    services.releaseSmallChunk(record)
  }

  /// Takes the first record out.
  @inline(__always)
  mutating func removeFirst(_ services: SocketServices, _ account: UserAccount) -> SocketMessage {
    let record = first
    let next = services.chunks[record].nextRecord
    services.chunks[record].nextRecord = .none
    first = next
    var message = SocketMessage()
    message.first = record
    message.last = record
    message.byteCount = Int(services.chunks[record].recordByteCount)
    message.kernelByteCount = services.chunks[record].kernelByteCount
    while !services.chunks[message.last].next.isNone {
      message.last = services.chunks[message.last].next
      message.kernelByteCount += services.chunks[message.last].kernelByteCount
    }
    if next.isNone {
      lastRecord = .none
      lastChunk = .none
    }
    dataByteCount -= message.byteCount
    byteCount -= services.chunks[record].countedByteCount
    cost -= Int(services.chunks[record].cost)
    count(kernelByteCount: -message.kernelByteCount, account)
    return message
  }

  /// Takes what came with the first record of a stream: it comes with the first byte only.
  mutating func takeControl(_ services: SocketServices) -> SocketControl? {
    guard let control = services.chunks[first].control.take() else { return nil }
    byteCount -= Int(services.chunks[first].controlByteCount)
    services.chunks[first].controlByteCount = 0
    setStreamCost(of: services.chunks.pin(first))
    return control
  }

  /// Removes bytes from the front of the first chunk of a stream; chunks that are empty go, with them the record.
  @inline(__always)
  mutating func consume(_ count: UInt32, _ services: SocketServices, _ account: UserAccount) {
    let record = first
    services.chunks[record].recordByteCount -= count
    dataByteCount -= Int(count)
    byteCount -= Int(count)
    services.chunks[record].start += count
    services.chunks[record].byteCount -= count
    if services.chunks[record].byteCount == 0 {
      removeEmptyChunk(services, account)
    } else {
      setStreamCost(of: services.chunks.pin(record))
    }
  }

  /// Removes the first chunk, in which nothing is left; the next one takes over what it said of the record.
  @inline(__always)
  mutating func removeEmptyChunk(_ services: SocketServices, _ account: UserAccount) {
    let chunk = first
    let next = services.chunks[chunk].next
    count(kernelByteCount: -services.chunks[chunk].kernelByteCount, account)
    if next.isNone {
      first = services.chunks[chunk].nextRecord
      cost -= Int(services.chunks[chunk].cost)
      if first.isNone {
        lastRecord = .none
        lastChunk = .none
      }
    } else {
      services.chunks[next].nextRecord = services.chunks[chunk].nextRecord
      services.chunks[next].recordByteCount = services.chunks[chunk].recordByteCount
      services.chunks[next].cost = services.chunks[chunk].cost
      services.chunks[next].controlByteCount = services.chunks[chunk].controlByteCount
      if lastRecord == chunk { lastRecord = next }
      first = next
      setStreamCost(of: services.chunks.pin(next))
    }
    services.release(chunk)
  }

  /// Empties the queue: what it had is left to be torn down.
  mutating func drop(_ services: SocketServices, _ account: UserAccount) {
    if first.isNone { return }
    account.countKernelMemory(-kernelByteCount)
    services.leave(first, last: lastRecord, kernelByteCount: kernelByteCount)
    self = SocketQueue()
  }

  /// Hands all records over to another socket's queue, which is empty.
  mutating func move(to other: inout SocketQueue, _ account: UserAccount, _ newAccount: UserAccount) {
    account.countKernelMemory(-kernelByteCount)
    newAccount.countKernelMemory(kernelByteCount)
    other = self
    self = SocketQueue()
  }
}
