// The part of an inspection that is about sockets: what a visit reaches, and whether it is all there is.

import ABI
import Memory
import Primitives

/// What an inspection found of sockets.
struct SocketInspection {
  private var socketCount = 0
  private var chunkCount = 0
  private var frameCount = 0
  private var placesInLines = 0
  private var visitedPlacesInLines = 0

  /// Visits a socket, what waits in it, and the sockets that only it reaches. Calls `visitCredentials` for whoever is at the
  /// other end.
  mutating func visit(
    _ socket: Socket, _ memory: inout MemoryInspector,
    _ visitCredentials: (Credentials, inout MemoryInspector) -> Void
  ) {
    if socket.inspection == memory.generation { return }
    socket.inspection = memory.generation
    socketCount += 1
    memory.count(socket)
    let services = socket.services
    visit(socket.received, of: socket, services, &memory)
    visit(socket.sent, of: socket, services, &memory)
    placesInLines += socket.receivers.count + socket.senders.count
    if let credentials = socket.peerCredentials { visitCredentials(credentials, &memory) }
    if let name = socket.name { countOnce(name, &memory) }
    if let peer = socket.peer.instance {
      memory.require(
        socket.type == .datagram || peer.peer == BackReference(socket), "ends of a connection", socket.inode)
      // One that waits to be accepted is reached by its listener, or when that is closed by nobody else.
      if peer.file.isEmpty { visit(peer, &memory, visitCredentials) }
    }
    var waiting = socket.firstWaiting.borrowed
    var count: Int32 = 0
    while let other = waiting.instance {
      count += 1
      visit(other, &memory, visitCredentials)
      waiting = other.nextWaiting.borrowed
    }
    memory.require(count == socket.waitingCount, "connections that wait", UInt64(count))
    if let listener = socket.listener.instance, listener.has(.closed) { visit(listener, &memory, visitCredentials) }
    memory.require(
      socket.isReady == !socket.sent.isEmpty, "datagrams that their receiver does not know of", socket.inode)
  }

  private func countOnce(_ name: SocketName, _ memory: inout MemoryInspector) {
    if name.inspection == memory.generation { return }
    name.inspection = memory.generation
    memory.count(name)
  }

  private mutating func visit(
    _ queue: SocketQueue, of socket: Socket, _ services: SocketServices, _ memory: inout MemoryInspector
  ) {
    var record = queue.first
    var (data, counted, cost, kernel) = (0, 0, 0, 0)
    while !record.isNone {
      data += Int(services.chunks[record].recordByteCount)
      counted += SocketQueue.countedByteCount(record, services)
      cost += Int(services.chunks[record].cost)
      let (bytes, kernelBytes) = visit(record: record, services, &memory)
      memory.require(
        bytes == Int(services.chunks[record].recordByteCount), "bytes of a socket's record", UInt64(bytes))
      kernel += kernelBytes
      record = services.chunks[record].nextRecord
    }
    memory.require(
      data == queue.dataByteCount && counted == queue.byteCount && cost == queue.cost
        && kernel == queue.kernelByteCount, "counts of a socket's queue", UInt64(queue.byteCount))
    memory.count(kernelByteCount: kernel, of: socket.account)
  }

  /// Visits the chunks of a record. Returns its bytes, and those that it takes of the kernel's memory.
  private mutating func visit(
    record: Handle<SocketChunk>, _ services: SocketServices, _ memory: inout MemoryInspector
  ) -> (Int, Int) {
    var (bytes, kernel) = (0, 0)
    if let name = services.chunks[record].name.borrowed.instance { countOnce(name, &memory) }
    if let control = services.chunks[record].control.borrowed.instance { memory.count(control) }
    var chunk = record
    while !chunk.isNone {
      chunkCount += 1
      if services.chunks[chunk].frame != .none { frameCount += 1 }
      bytes += Int(services.chunks[chunk].byteCount)
      kernel += services.chunks[chunk].kernelByteCount
      chunk = services.chunks[chunk].next
    }
    return (bytes, kernel)
  }

  /// Visits the place of a call that waits.
  mutating func visit(_ place: SocketPlace, _ memory: inout MemoryInspector) {
    memory.count(place)
    if place.isInLine { visitedPlacesInLines += 1 }
    if let name = place.name { countOnce(name, &memory) }
    if let input = place.controlInput {
      memory.count(input)
      frameCount += 1
    }
    if let control = place.control { memory.count(control) }
    if !place.message.isEmpty { _ = visit(record: place.message.first, place.socket.services, &memory) }
  }

  /// Compares what there is with what was reached. Returns the frames that were found.
  mutating func finish(_ services: SocketServices, _ memory: inout MemoryInspector) -> Int {
    var record = services.firstRemainingRecord
    while !record.isNone {
      _ = visit(record: record, services, &memory)
      record = services.chunks[record].nextRecord
    }
    if !services.spare.isNone { chunkCount += 1 }
    services.names.forEach { $0.inspect(&memory) }
    memory.require(chunkCount == services.chunks.count, "chunks that no socket has", UInt64(chunkCount))
    memory.require(socketCount == services.socketCount, "sockets that nothing reaches", UInt64(socketCount))
    memory.require(
      placesInLines == visitedPlacesInLines, "places in lines of sockets that nobody has", UInt64(placesInLines))
    return frameCount
  }
}
