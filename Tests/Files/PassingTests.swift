// Descriptors in messages (spec sockets.md section 8): what arrives, what is refused, and that nothing stays of what is dropped.
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

extension Machine {
  /// Control messages as a caller gives them, one with each list of descriptors.
  private func input(_ lists: [[Int32]]) -> SocketControlInput {
    var words: [UInt32] = []
    for list in lists {
      words += [UInt32(16 + 4 * list.count), UInt32(SocketLevel.socket), 1, 0]
      words += list.map { UInt32(bitPattern: $0) }
      if list.count % 2 == 1 { words.append(0) }
    }
    let input = SocketControlInput(files.memory, byteCount: 4 * words.count)!
    let bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    precondition(store(bytes, at: Machine.buffer + 4096))
    guard case .complete = input.fill(from: VirtualAddress(Machine.buffer + 4096), space) else {
      preconditionFailure("control messages that cannot be read")
    }
    return input
  }

  /// Sends a byte with descriptors.
  @discardableResult
  fileprivate func send(_ descriptor: Int32, files lists: [Int32]...) throws(Errno) -> Int {
    try send(descriptor, lists: lists)
  }

  /// The same.
  @discardableResult
  func send(_ descriptor: Int32, _ bytes: [UInt8] = [1], lists: [[Int32]]) throws(Errno) -> Int {
    precondition(store(bytes, at: Machine.buffer))
    let file = try socket(descriptor)
    var transfer = Transfer(
      address: VirtualAddress(Machine.buffer), checkedByteCount: UInt64(bytes.count), at: nil, [])
    let place = file.makePlace(receives: false)
    place.controlInput = input(lists)
    place.table = BackReference(table)
    transfer.socketPlace = place
    while try step(file.send(&transfer, space)) {}
    return Int(transfer.moved)
  }

  /// Receives a byte, and the descriptors that come with it.
  func receiveFiles(_ descriptor: Int32) throws(Errno) -> [[Int32]] {
    let file = try socket(descriptor)
    var transfer = Transfer(
      address: VirtualAddress(Machine.buffer), checkedByteCount: 1, at: nil, [])
    let place = file.makePlace(receives: true)
    place.wantsControl = true
    place.table = BackReference(table)
    transfer.socketPlace = place
    while try step(file.receive(&transfer, space)) {}
    guard let control = place.control else { return [] }
    try table.makeRoom(for: control.fileCount, limited: false)
    defer { table.endRoom(for: control.fileCount) }
    var lists: [[Int32]] = []
    for part in 0..<control.partCount {
      var list: [Int32] = []
      let count = control.fileCount(ofPart: part)
      try control.install(count: count, in: table, closeOnExec: false) { list.append($0) }
      lists.append(list)
    }
    return lists
  }

  /// Whether nothing that descriptors reach, directly or through queues, was given up.
  fileprivate func nothingReachableIsGivenUp(_ descriptors: [Int32]) throws -> Bool {
    var work = try descriptors.map { try socket($0).socket }
    var seen = Set(work.map(ObjectIdentifier.init))
    let graph = SocketFlightGraph(services: files.sockets)
    while let socket = work.popLast() {
      if socket.isUnreachable { return false }
      guard var position = graph.beginning(of: BackReference(socket)) else { continue }
      while let next = graph.next(&position)?.instance {
        if seen.insert(ObjectIdentifier(next)).inserted { work.append(next) }
      }
    }
    return true
  }

  fileprivate func drain() { while !files.memory.drainTeardown(budget: 16) {} }
}

@Suite struct PassingTests {
  private static let types: [SocketType] = [.stream, .datagram, .sequencedPacket]

  @Test(arguments: types) func `descriptors arrive as they were sent`(_ type: SocketType) throws {
    let machine = try Machine()
    defer { #expect(machine.leakedFrames() == 0) }
    let (first, second) = try machine.socketPair(type)
    let (third, fourth) = try machine.socketPair(.stream)
    let before = machine.files.counts
    try machine.send(first, files: [third, fourth, third], [fourth])
    #expect(machine.files.sockets.flightCount == 4)
    let lists = try machine.receiveFiles(second)
    #expect(lists.map(\.count) == [3, 1])
    #expect(try machine.table.file(at: lists[0][0]) === machine.table.file(at: third))
    #expect(try machine.table.file(at: lists[1][0]) === machine.table.file(at: fourth))
    for descriptor in lists.joined() { try machine.table.close(descriptor) }
    machine.drain()
    #expect(machine.files.sockets.flightCount == 0 && machine.files.sockets.flights.isEmpty)
    #expect(machine.files.counts == before)
  }

  @Test(arguments: types) func `what is refused sends nothing`(_ type: SocketType) throws {
    let machine = try Machine()
    defer { #expect(machine.leakedFrames() == 0) }
    let (first, second) = try machine.socketPair(type)
    #expect(throws: Errno.ebadf) { try machine.send(first, files: [first], [second, 99]) }
    #expect(throws: Errno.emsgsize) { try machine.send(first, files: Array(repeating: first, count: 255)) }
    #expect(machine.files.sockets.flightCount == 0 && machine.files.sockets.liveControlCount == 0)
    #expect(throws: Errno.eagain) { try machine.receive(second, 1) }
  }

  @Test(arguments: types) func `sockets that only one another's queues have are found`(_ type: SocketType) throws {
    let machine = try Machine()
    defer { #expect(machine.leakedFrames() == 0) }
    let before = machine.files.counts
    let (first, second) = try machine.socketPair(type)
    let (third, fourth) = try machine.socketPair(type)
    try machine.send(first, files: [fourth, fourth])
    try machine.send(third, files: [second])
    for descriptor in [second, fourth, first] { try machine.table.close(descriptor) }
    machine.drain()
    try machine.table.close(third)
    machine.drain()
    #expect(machine.files.sockets.flightCount == 0)
    #expect(machine.files.counts == before)
  }

  @Test func `a chain of hundreds unwinds in steps`() throws {
    let machine = try Machine(frameCount: 8192)
    defer { #expect(machine.leakedFrames() == 0) }
    let before = machine.files.counts
    var (first, second) = try machine.socketPair(.stream)
    for _ in 0..<400 {
      let (outer, other) = try machine.socketPair(.stream)
      try machine.send(outer, files: [first, second])
      try machine.table.close(first)
      try machine.table.close(second)
      (first, second) = (outer, other)
    }
    machine.drain()
    #expect(machine.files.sockets.flightCount == 800)
    try machine.table.close(first)
    try machine.table.close(second)
    machine.drain()
    #expect(machine.files.counts == before)
  }

  @Test(arguments: share(of: 0..<60))
  func `whatever is sent and received, nothing is lost that can be reached, and nothing stays`(_ seed: Int) throws {
    let machine = try Machine()
    defer { #expect(machine.leakedFrames() == 0) }
    let before = machine.files.counts
    var generator = SeededGenerator(seed: UInt64(seed))
    var open: [Int32] = []
    for _ in 0..<400 {
      let choice = Int.random(in: 0..<8, using: &generator)
      if open.count < 4 || choice == 0 && open.count < 24 {
        let (first, second) = try machine.socketPair(PassingTests.types.randomElement(using: &generator)!)
        open += [first, second]
      } else if choice < 4 {
        let names = (0..<Int.random(in: 1...7, using: &generator)).map { _ in open.randomElement(using: &generator)! }
        _ = try? machine.send(open.randomElement(using: &generator)!, files: names)
      } else if choice < 6 {
        if let lists = try? machine.receiveFiles(open.randomElement(using: &generator)!) { open += lists.joined() }
      } else {
        try machine.table.close(open.remove(at: Int.random(in: 0..<open.count, using: &generator)))
      }
      // A step or two of what releases left behind, with the collector's among it.
      _ = machine.files.memory.drainTeardown(budget: Int.random(in: 0..<4, using: &generator))
      guard try machine.nothingReachableIsGivenUp(open) else {
        Issue.record("a socket that can be reached was given up")
        return
      }
    }
    for descriptor in open { try machine.table.close(descriptor) }
    machine.drain()
    machine.files.sockets.collect()
    machine.drain()
    #expect(machine.files.sockets.flightCount == 0)
    #expect(machine.files.counts == before)
  }
}
