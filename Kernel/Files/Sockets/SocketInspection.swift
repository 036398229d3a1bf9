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
  private var controlCount = 0
  private var flightCount = 0
  /// Limits of descriptors in messages that were found for the first time.
  private(set) var limitsCount = 0

  /// Visits a socket, what waits in it, and the sockets that only it reaches. Calls `visitCredentials` for whoever is at the
  /// other end, and `visitFile` for the files of messages, but those of sockets (`visitFlights`).
  mutating func visit(
    _ socket: Socket, _ memory: inout MemoryInspector,
    _ visitCredentials: (Credentials, inout MemoryInspector) -> Void,
    _ visitFile: (OpenFile, inout MemoryInspector) -> Void
  ) {
    if socket.inspection == memory.generation { return }
    socket.inspection = memory.generation
    socketCount += 1
    memory.count(socket)
    let services = socket.services
    visit(socket.received, of: socket, services, &memory, visitCredentials, visitFile)
    visit(socket.sent, of: socket, services, &memory, visitCredentials, visitFile)
    placesInLines += socket.receivers.count + socket.senders.count
    if let credentials = socket.peerCredentials { visitCredentials(credentials, &memory) }
    if let name = socket.name { countOnce(name, &memory) }
    if let peer = socket.peer.instance {
      memory.require(
        socket.type == .datagram || peer.peer == BackReference(socket), "ends of a connection", socket.inode)
      // One that waits to be accepted is reached by its listener, or when that is closed by nobody else.
      if peer.file.isEmpty { visit(peer, &memory, visitCredentials, visitFile) }
    }
    var waiting = socket.firstWaiting.borrowed
    var count: Int32 = 0
    while let other = waiting.instance {
      count += 1
      visit(other, &memory, visitCredentials, visitFile)
      waiting = other.nextWaiting.borrowed
    }
    memory.require(count == socket.waitingCount, "connections that wait", UInt64(count))
    if let listener = socket.listener.instance, listener.has(.closed) {
      visit(listener, &memory, visitCredentials, visitFile)
    }
    memory.require(
      socket.isReady == !socket.sent.isEmpty, "datagrams that their receiver does not know of", socket.inode)
  }

  private func countOnce(_ name: SocketName, _ memory: inout MemoryInspector) {
    if name.inspection == memory.generation { return }
    name.inspection = memory.generation
    memory.count(name)
  }

  private mutating func visit(
    _ queue: SocketQueue, of socket: Socket, _ services: SocketServices, _ memory: inout MemoryInspector,
    _ visitCredentials: (Credentials, inout MemoryInspector) -> Void,
    _ visitFile: (OpenFile, inout MemoryInspector) -> Void
  ) {
    var record = queue.first
    var (data, counted, cost, kernel) = (0, 0, 0, 0)
    while !record.isNone {
      data += Int(services.chunks[record].recordByteCount)
      counted += services.chunks[record].countedByteCount
      cost += Int(services.chunks[record].cost)
      let (bytes, kernelBytes) = visit(record: record, services, &memory, visitCredentials, visitFile)
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
    record: Handle<SocketChunk>, _ services: SocketServices, _ memory: inout MemoryInspector,
    _ visitCredentials: (Credentials, inout MemoryInspector) -> Void,
    _ visitFile: (OpenFile, inout MemoryInspector) -> Void
  ) -> (Int, Int) {
    var (bytes, kernel) = (0, 0)
    if let name = services.chunks[record].name.borrowed.instance { countOnce(name, &memory) }
    if let control = services.chunks[record].control.borrowed.instance {
      visit(control, &memory, visitCredentials, visitFile)
    }
    visitFiles(of: record, from: 0, count: Int(services.chunks[record].fileCount), services, &memory, visitFile)
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

  // MARK: Files of messages

  private mutating func visit(
    _ control: SocketControl, _ memory: inout MemoryInspector,
    _ visitCredentials: (Credentials, inout MemoryInspector) -> Void,
    _ visitFile: (OpenFile, inout MemoryInspector) -> Void
  ) {
    let services = control.services
    memory.count(control)
    if let sender = control.sender { visitCredentials(sender, &memory) }
    controlCount += 1
    chunkCount += 1
    if services.chunks[control.chunk].frame != .none { frameCount += 1 }
    if let account = control.account {
      memory.count(kernelByteCount: control.kernelByteCount + control.limitByteCount, of: account)
    }
    if control.hasLimits {
      chunkCount += 1
      frameCount += 1
      for index in control.takenCount..<control.fileCount {
        if let limits = control.limits(at: index).instance { limitsCount += limits.visit(&memory) }
      }
    }
    visitFiles(of: control.chunk, from: control.takenCount, count: control.fileCount, services, &memory, visitFile)
  }

  /// Visits what places of a message name: the messages that have the file of a socket are counted, and compared in the end.
  private mutating func visitFiles(
    of chunk: Handle<SocketChunk>, from first: Int, count: Int, _ services: SocketServices,
    _ memory: inout MemoryInspector,
    _ visitFile: (OpenFile, inout MemoryInspector) -> Void
  ) {
    for index in first..<count {
      let place = services.place(of: chunk, at: 8 &* UInt32(index))
      let named = services.memory.physical.load(bytesOf: BackReference<OpenFile>.self, at: place)
      guard let file = named.instance else { continue }
      flightCount += 1
      guard let socket = (file as? SocketFile)?.socket else {
        visitFile(file, &memory)
        continue
      }
      if socket.flightInspection != memory.generation {
        socket.flightInspection = memory.generation
        socket.inspectedFlights = 0
      }
      socket.inspectedFlights += 1
    }
  }

  /// Compares the sockets in flight with the messages that were found, when everything else was visited.
  private func finishFlights(_ services: SocketServices, _ memory: inout MemoryInspector) {
    memory.require(flightCount == services.flightCount, "descriptors in messages", UInt64(flightCount))
    memory.require(controlCount == services.liveControlCount, "lists of files in messages", UInt64(controlCount))
    var position = services.flights.first
    while let socket = position.instance {
      let found = socket.flightInspection == memory.generation ? socket.inspectedFlights : 0
      memory.require(
        found == socket.flightCount && found > 0 && !socket.flightReference.borrowed.isEmpty,
        "messages that have a socket", socket.inode)
      memory.require(
        !socket.isUnreachable || socket.flightReference.isOnlyReference(), "a socket given up that can be reached",
        socket.inode)
      position = socket.flightLinks.next
    }
  }

  /// Visits the place of a call that waits.
  mutating func visit(
    _ place: SocketPlace, _ memory: inout MemoryInspector,
    _ visitCredentials: (Credentials, inout MemoryInspector) -> Void,
    _ visitFile: (OpenFile, inout MemoryInspector) -> Void
  ) {
    memory.count(place)
    if place.isInLine { visitedPlacesInLines += 1 }
    if let name = place.name { countOnce(name, &memory) }
    if let input = place.controlInput {
      memory.count(input)
      if input.frame != .none { frameCount += 1 }
    }
    if let control = place.control { visit(control, &memory, visitCredentials, visitFile) }
    if !place.message.isEmpty {
      _ = visit(record: place.message.first, place.socket.services, &memory, visitCredentials, visitFile)
    }
  }

  /// Compares what there is with what was reached. Returns the frames that were found.
  mutating func finish(
    _ services: SocketServices, _ memory: inout MemoryInspector,
    _ visitCredentials: (Credentials, inout MemoryInspector) -> Void,
    _ visitFile: (OpenFile, inout MemoryInspector) -> Void
  ) -> Int {
    var record = services.firstRemainingRecord
    while !record.isNone {
      // A closed socket is there until what held sockets in its queue is gone.
      if let holder = services.chunks[record].control.borrowed.instance?.holder {
        visit(holder, &memory, visitCredentials, visitFile)
      }
      _ = visit(record: record, services, &memory, visitCredentials, visitFile)
      record = services.chunks[record].nextRecord
    }
    if !services.spare.isNone { chunkCount += 1 }
    if let control = services.spareControl.borrowed.instance {
      memory.count(control)
      chunkCount += 1
    }
    services.names.forEach { $0.inspect(&memory) }
    finishFlights(services, &memory)
    memory.require(chunkCount == services.chunks.count, "chunks that no socket has", UInt64(chunkCount))
    memory.require(socketCount == services.socketCount, "sockets that nothing reaches", UInt64(socketCount))
    memory.require(
      placesInLines == visitedPlacesInLines, "places in lines of sockets that nobody has", UInt64(placesInLines))
    return frameCount
  }
}
