// Sockets (spec sockets.md sections 3 to 6): what goes through, how much, and what is refused.
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

extension Machine {
  /// Makes a pair of sockets.
  func socketPair(_ type: SocketType, nonBlocking: Bool = true) throws(Errno) -> (Int32, Int32) {
    let flags = UInt32(type.rawValue) | (nonBlocking ? SocketTypeFlags.nonBlocking : 0)
    return try files.makeSocketPair(domain: 1, flags, protocol: 0, caller, process: 7, into: table)
  }

  func makeSocket(_ type: SocketType) throws(Errno) -> Int32 {
    try files.makeSocket(
      domain: 1, UInt32(type.rawValue) | SocketTypeFlags.nonBlocking, protocol: 0, caller, into: table)
  }

  func socket(_ descriptor: Int32) throws(Errno) -> SocketFile {
    guard let file = try table.file(at: descriptor) as? SocketFile else { throw .enotsock }
    return file
  }

  /// Sends bytes that begin at the buffer.
  @discardableResult
  func send(_ descriptor: Int32, _ bytes: [UInt8], _ flags: MessageFlags = []) throws(Errno) -> Int {
    precondition(store(bytes, at: Machine.buffer))
    var transfer = Transfer(
      address: VirtualAddress(Machine.buffer), checkedByteCount: UInt64(bytes.count), at: nil, flags)
    let file = try socket(descriptor)
    while try step(file.send(&transfer, space)) {}
    return Int(transfer.moved)
  }

  func receive(_ descriptor: Int32, _ count: Int, _ flags: MessageFlags = []) throws(Errno) -> [UInt8] {
    var transfer = Transfer(
      address: VirtualAddress(Machine.buffer + 0x8_0000), checkedByteCount: UInt64(count), at: nil, flags)
    let file = try socket(descriptor)
    while try step(file.receive(&transfer, space)) {}
    return Array(load(count, at: Machine.buffer + 0x8_0000)!.prefix(Int(transfer.moved)))
  }

  func name(_ path: String) -> SocketAddress { .named(SocketName(Array(path.utf8).span)) }

  func bind(_ descriptor: Int32, _ path: String) throws(Errno) {
    try files.bind(try socket(descriptor), to: name(path), caller, mask: [])
  }

  func connect(_ descriptor: Int32, _ path: String) throws(Errno) {
    try files.connect(try socket(descriptor), to: name(path), caller, process: 9)
  }

  func accept(_ descriptor: Int32) throws(Errno) -> Int32? {
    try files.accept(
      try socket(descriptor), nil, .given(nonBlocking: true, closeOnExec: false), caller, into: table)?.0
  }

  /// An option that is an int.
  func option(_ descriptor: Int32, _ option: Int32, level: Int32 = SocketLevel.socket) throws(Errno) -> Int32 {
    var data = [128 of UInt8](repeating: 0)
    var span = data.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    _ = try socket(descriptor).option(level, option, into: &bytes)
    return Int32(bitPattern: data.span.loadUInt32(at: 0))
  }

  func setOption(_ descriptor: Int32, _ option: Int32, _ value: Int32) throws(Errno) {
    var data = [UInt8](repeating: 0, count: 16)
    for index in 0..<4 { data[index] = UInt8(truncatingIfNeeded: value >> Int32(8 * index)) }
    try socket(descriptor).setOption(SocketLevel.socket, option, data.span)
  }
}

@Suite struct SocketTests {
  private static let types: [SocketType] = [.stream, .datagram, .sequencedPacket]

  @Test(arguments: types) func `what one end sends the other receives`(_ type: SocketType) throws {
    try withMachine { machine in
      let (first, second) = try machine.socketPair(type)
      for count in [1, 191, 192, 193, 4096, 4097, 8000] {
        #expect(try machine.send(first, pattern(count, from: count)) == count)
        #expect(try machine.bytesToRead(second) == UInt32(count))
        #expect(try machine.receive(second, 9000) == pattern(count, from: count))
      }
      #expect(error { () throws(Errno) in _ = try machine.receive(first, 1) } == .eagain)
    }
  }

  @Test func `a stream has no boundaries, and gives its bytes in any pieces`() throws {
    try withMachine { machine in
      let (first, second) = try machine.socketPair(.stream)
      var sent = 0
      for count in [1, 100, 200, 5, 3000, 700] {
        try machine.send(first, pattern(count, from: sent))
        sent += count
      }
      var received: [UInt8] = []
      for count in [1, 1, 50, 400, 2000, 9000] { received += try machine.receive(second, count) }
      #expect(received == pattern(sent))
    }
  }

  @Test(arguments: types, [[], .peek] as [MessageFlags])
  func `a receive that has stored bytes goes on to its end, whatever becomes of its process`(
    _ type: SocketType, _ flags: MessageFlags
  ) throws {
    try withMachine(frameCount: 512, swapBlocks: 400) { machine in
      machine.hardware.swap?.mostPagesPerTransfer = 1
      let (first, second) = try machine.socketPair(type)
      try machine.send(first, pattern(300))
      let end = Machine.buffer + 0x8_1000
      #expect(machine.store([7], at: end - 100) && machine.store([7], at: end))
      machine.evict()
      machine.isDiskSlow = true
      _ = machine.load(1, at: end - 100)
      let file = try machine.socket(second)
      // The second page of its memory is missing.
      var transfer = Transfer(address: VirtualAddress(end - 100), checkedByteCount: 300, at: nil, flags)
      guard case .wait(let wait) = try file.receive(&transfer, machine.space), wait.channel.comesByItself else {
        Issue.record("the page was there")
        return
      }
      #expect(FileContinuation.message(file, transfer).outlastsStop)
      // Nobody gets in between.
      #expect(error { () throws(Errno) in _ = try machine.receive(second, 1) } == .eagain)
      machine.hardware.completeTransfers()
      while try machine.step(file.receive(&transfer, machine.space)) {}
      #expect(transfer.moved == 300 && machine.load(300, at: end - 100) == pattern(300))
      #expect(try machine.bytesToRead(second) == (flags == .peek ? 300 : 0))
    }
  }

  // MARK: Room

  /// How many messages of a size fit, and what the next one gives.
  private func count(_ type: SocketType, _ byteCount: Int) throws -> (Int, Errno?) {
    var count = 0
    var last: Errno?
    try withMachine(frameCount: 8192) { machine in
      let (first, _) = try machine.socketPair(type)
      while last == nil && count < 100_000 {
        var moved = 0
        last = error { () throws(Errno) in moved = try machine.send(first, pattern(byteCount)) }
        if last == nil && (type != .stream || moved > 0) { count += type == .stream ? moved : 1 }
      }
    }
    return (count, last)
  }

  @Test(arguments: [(100, 8200), (1000, 9000), (8000, 16_000), (8192, 8192), (20_000, 8192), (1, 8192)])
  func `bytes of a stream until its sender is stopped`(_ byteCount: Int, _ total: Int) throws {
    let (sent, last) = try count(.stream, byteCount)
    #expect(sent == total)
    #expect(last == .eagain)
  }

  @Test(arguments: [(1, 128), (100, 26), (8176, 1)])
  func `packets that fit`(_ byteCount: Int, _ packets: Int) throws {
    #expect(try count(.sequencedPacket, byteCount) == (packets, .eagain))
  }

  @Test(arguments: [(8192, 1), (8150, 2), (100, 51), (48, 256), (0, 256)])
  func `datagrams that fit`(_ byteCount: Int, _ messages: Int) throws {
    #expect(try count(.datagram, byteCount) == (messages, .enobufs))
  }

  @Test func `empty packets count, so that there is an end of them`() throws {
    #expect(try count(.sequencedPacket, 0) == (128, .eagain))
  }

  @Test func `a stopped sender goes on as soon as less than its buffer is queued`() throws {
    try withMachine { machine in
      let (first, second) = try machine.socketPair(.stream)
      #expect(try machine.send(first, pattern(8191)) == 8191)
      #expect(try machine.send(first, pattern(20_000)) == 8192)
      _ = try machine.receive(second, 8191)
      #expect(error { () throws(Errno) in try machine.send(first, [1]) } == .eagain)
      _ = try machine.receive(second, 1)
      #expect(try machine.send(first, [1]) == 1)
      #expect(try machine.socket(first).poll(4) == 0)
    }
  }

  @Test func `frames that cannot be had are an error where nobody waits`() throws {
    try withMachine { machine in
      let (first, second) = try machine.socketPair(.stream)
      machine.system.services.failures.fail(.kernelFrame, number: 1)
      #expect(error { () throws(Errno) in try machine.send(first, pattern(1000)) } == .enobufs)
      machine.system.services.failures.disarm()
      #expect(try machine.send(first, pattern(1000)) == 1000)
      #expect(try machine.receive(second, 2000) == pattern(1000))
    }
  }

  // MARK: Ends

  @Test func `a chain of thousands of chunks, and of sockets, is torn down in steps`() throws {
    try withMachine(frameCount: 8192) { machine in
      for _ in 0..<40 {
        let (first, second) = try machine.socketPair(.stream)
        try machine.setOption(first, SocketOptionNumber.sendBuffer, 300_000)
        while error({ () throws(Errno) in try machine.send(first, pattern(3000)) }) == nil {}
        _ = second
      }
      let before = machine.system.freeFrameCount
      var budget = Int.max
      #expect(machine.table.closeAll(budget: &budget))
      #expect(machine.system.freeFrameCount < before + 100)
      var steps = 0
      while !machine.system.drainTeardown(budget: 64) { steps += 1 }
      #expect(steps > 40)
      #expect(machine.files.counts.sockets == 0)
    }
  }

  @Test func `a receiver with hundreds of senders tells them in steps, and each learns of it at once if it asks`()
    throws
  {
    try withMachine(frameCount: 8192) { machine in
      let receiver = try machine.makeSocket(.datagram)
      try machine.bind(receiver, "/tmp/many")
      var senders: [Int32] = []
      for _ in 0..<200 {
        let sender = try machine.makeSocket(.datagram)
        try machine.connect(sender, "/tmp/many")
        try machine.send(sender, [1])
        senders.append(sender)
      }
      #expect(try machine.bytesToRead(receiver) == 200)
      try machine.table.close(receiver)
      #expect(machine.files.counts.sockets == 201)
      #expect(error { () throws(Errno) in try machine.send(senders[0], [1]) } == .econnreset)
      #expect(error { () throws(Errno) in try machine.send(senders[199], [1]) } == .econnreset)
      #expect(error { () throws(Errno) in try machine.send(senders[0], [1]) } == .edestaddrreq)
      while !machine.system.drainTeardown(budget: 8) {}
      #expect(machine.files.counts.sockets == 200)
      #expect(error { () throws(Errno) in try machine.send(senders[100], [1]) } == .econnreset)
    }
  }

  @Test func `a listening socket that goes resets all who wait, in steps`() throws {
    try withMachine(frameCount: 8192) { machine in
      let listener = try machine.makeSocket(.stream)
      try machine.bind(listener, "/tmp/listener")
      try machine.socket(listener).listen(-1, machine.caller, process: 7)
      var clients: [Int32] = []
      for _ in 0..<100 {
        let client = try machine.makeSocket(.stream)
        try machine.connect(client, "/tmp/listener")
        try machine.send(client, [1, 2, 3])
        clients.append(client)
      }
      let accepted = try #require(try machine.accept(listener))
      #expect(try machine.receive(accepted, 10) == [1, 2, 3])
      try machine.table.close(listener)
      while !machine.system.drainTeardown(budget: 8) {}
      #expect(machine.files.counts.sockets == 101)
      #expect(error { () throws(Errno) in _ = try machine.receive(clients[99], 1) } == .econnreset)
      #expect(try machine.receive(clients[99], 1) == [])
      #expect(error { () throws(Errno) in try machine.send(clients[50], [1]) } == .epipe)
      #expect(try machine.send(clients[0], [9]) == 1)
    }
  }

  // MARK: Names

  @Test func `paths are those of few directories, with the usual detours`() throws {
    try withMachine { machine in
      let end = try machine.makeSocket(.datagram)
      for (path, wanted) in [
        ("/x", Errno.erofs), ("/var/x", .erofs), ("/tmp", .eaddrinuse), ("/dev/null", .eaddrinuse), ("/no/x", .enoent),
        ("/tmp/x/", .enoent), ("/dev/null/x", .enotdir), ("x", .erofs), ("/bin/x", .erofs),
      ] {
        #expect(error { () throws(Errno) in try machine.bind(end, path) } == wanted, "\(path)")
      }
      try machine.bind(end, "//tmp/.././tmp//name")
      let other = try machine.makeSocket(.datagram)
      #expect(error { () throws(Errno) in try machine.bind(other, "tmp/name") } == .eaddrinuse)
      #expect(error { () throws(Errno) in try machine.bind(other, "/tmp/name/x") } == .enotdir)
      try machine.connect(other, "/tmp/name")
      #expect(try machine.socket(other).peerName()?.addressByteCount == 22)
      #expect(error { () throws(Errno) in _ = try machine.open("/tmp/name", .readWrite) } == .eopnotsupp)
      #expect(error { () throws(Errno) in _ = try machine.open("/tmp", []) } == .eisdir)
    }
  }

  @Test func `who may not write to a name may not connect to it`() throws {
    try withMachine { machine in
      let end = try machine.makeSocket(.datagram)
      try machine.files.bind(
        try machine.socket(end), to: machine.name("/tmp/own"), machine.caller, mask: FileMode(rawValue: 0o022))
      machine.caller.effectiveUser = 5
      let other = try machine.makeSocket(.datagram)
      #expect(error { () throws(Errno) in try machine.connect(other, "/tmp/own") } == .eacces)
      #expect(error { () throws(Errno) in try machine.bind(other, "/var/run/x") } == .eacces)
      machine.caller.effectiveUser = 0
    }
  }

  @Test(arguments: [(0, 1), (1, 2), (2, 4), (3, 5), (5, 8), (10, 16), (-1, 193)])
  func `connections that wait`(_ backlog: Int32, _ wanted: Int) throws {
    try withMachine(frameCount: 8192) { machine in
      let listener = try machine.makeSocket(.sequencedPacket)
      try machine.bind(listener, "/tmp/l")
      try machine.socket(listener).listen(backlog, machine.caller, process: 7)
      var count = 0
      var last: Errno?
      while last == nil {
        let client = try machine.makeSocket(.sequencedPacket)
        last = error { () throws(Errno) in try machine.connect(client, "/tmp/l") }
        if last == nil { count += 1 }
      }
      #expect(count == wanted && last == .econnrefused)
      #expect(try machine.option(listener, SocketOptionNumber.queueLength) == Int32(wanted))
    }
  }
}
