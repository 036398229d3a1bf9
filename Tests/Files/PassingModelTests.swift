// Descriptors in messages against a naive model: who can be reached is found by looking everywhere, after every step anew. What
// cannot be must be gone once the collector has run, and what arrives must be what was sent.
import ABI
import Foundation
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

/// What a descriptor means, in the model.
private enum ModelEnd: Hashable {
  case socket(Int)
  case object(Int)
}

/// Sockets with their queues, and what descriptors mean.
private struct ModelOfPassing {
  var descriptors: [Int32: ModelEnd] = [:]
  /// What each socket would receive: a message is the list of its control messages.
  var queues: [Int: [[[ModelEnd]]]] = [:]
  var peers: [Int: Int] = [:]
  var files: [ModelEnd: ObjectIdentifier] = [:]

  /// Everything that descriptors lead to, through queues, too.
  var reachable: Set<ModelEnd> {
    var found = Set(descriptors.values)
    var work = Array(found)
    while let end = work.popLast() {
      guard case .socket(let number) = end else { continue }
      for next in (queues[number] ?? []).joined().joined() where found.insert(next).inserted { work.append(next) }
    }
    return found
  }

  /// Forgets what cannot be reached.
  mutating func collect() {
    let alive = reachable
    for number in queues.keys where !alive.contains(.socket(number)) {
      queues[number] = nil
      peers[number] = nil
    }
    for (number, peer) in peers where queues[peer] == nil { peers[number] = nil }
  }

  var flightCount: Int { queues.values.joined().joined().reduce(0) { $0 + $1.count } }
}

/// How many cycles there are to be.
private let cycleCount = ProcessInfo.processInfo.environment["MARTLET_PASSING_CYCLES"].flatMap(Int.init) ?? 400

@Suite struct PassingModelTests {
  private static let types: [SocketType] = [.stream, .datagram, .sequencedPacket]

  private func check(_ machine: Machine, _ model: inout ModelOfPassing) throws {
    machine.files.sockets.collect()
    while !machine.files.memory.drainTeardown(budget: 16) {}
    model.collect()
    let alive = model.reachable
    let sockets = alive.filter { if case .socket = $0 { true } else { false } }.count
    try #require(machine.files.sockets.socketCount == sockets)
    try #require(machine.files.counts.openFiles == alive.count)
    try #require(machine.files.sockets.flightCount == model.flightCount)
    for (descriptor, end) in model.descriptors {
      try #require(ObjectIdentifier(try machine.table.file(at: descriptor)) == model.files[end])
    }
  }

  @Test(arguments: share(of: 0..<40)) func `steps at random`(_ seed: Int) throws {
    let machine = try Machine(frameCount: 4096)
    defer { #expect(machine.leakedFrames() == 0) }
    var model = ModelOfPassing()
    var generator = SeededGenerator(seed: UInt64(seed))
    var lastNumber = 0
    func note(_ descriptor: Int32, _ end: ModelEnd) throws {
      model.descriptors[descriptor] = end
      model.files[end] = ObjectIdentifier(try machine.table.file(at: descriptor))
    }
    for _ in 0..<250 {
      let open = model.descriptors.keys.sorted()
      let sockets = open.filter { if case .socket = model.descriptors[$0] { true } else { false } }
      let choice = Int.random(in: 0..<10, using: &generator)
      if sockets.count < 3 || choice == 0 && open.count < 20 {
        let (first, second) = try machine.socketPair(Self.types.randomElement(using: &generator)!)
        try note(first, .socket(lastNumber + 1))
        try note(second, .socket(lastNumber + 2))
        for number in 1...2 { model.queues[lastNumber + number] = [] }
        model.peers[lastNumber + 1] = lastNumber + 2
        model.peers[lastNumber + 2] = lastNumber + 1
        lastNumber += 2
      } else if choice == 1 && open.count < 20 {
        let file = try machine.open2(nil as String?, .readWrite)
        lastNumber += 1
        try note(file, .object(lastNumber))
      } else if choice < 5, let from = sockets.randomElement(using: &generator),
        case .socket(let number) = model.descriptors[from]
      {
        let lists = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
          (0..<Int.random(in: 1...4, using: &generator)).map { _ in open.randomElement(using: &generator)! }
        }
        let peer = model.peers[number]
        let failure = error { () throws(Errno) in _ = try machine.send(from, lists: lists) }
        if failure == nil {
          let sent = lists.map { list in list.map { model.descriptors[$0]! } }
          try #require(peer != nil)
          model.queues[peer!]?.append(sent)
        } else {
          // Nobody is there, or there is no room: of messages as small as these 60 fit.
          try #require(peer == nil || (model.queues[peer!]?.count ?? 0) > 20)
        }
      } else if choice < 8, let at = sockets.randomElement(using: &generator),
        case .socket(let number) = model.descriptors[at]
      {
        let expected = model.queues[number]?.first
        var lists: [[Int32]]?
        _ = error { () throws(Errno) in lists = try machine.receiveFiles(at) }
        if let expected {
          let got = try #require(lists)
          try #require(got.map(\.count) == expected.map(\.count))
          for (descriptor, end) in zip(got.joined(), expected.joined()) {
            try #require(ObjectIdentifier(try machine.table.file(at: descriptor)) == model.files[end])
            model.descriptors[descriptor] = end
          }
          model.queues[number]?.removeFirst()
        } else {
          try #require((lists ?? []).isEmpty)
        }
      } else if choice == 8, let old = open.randomElement(using: &generator), open.count < 20 {
        let copy = try machine.table.duplicate(old)
        model.descriptors[copy] = model.descriptors[old]
      } else if let closed = open.randomElement(using: &generator) {
        model.descriptors[closed] = nil
        try machine.table.close(closed)
      }
      try check(machine, &model)
    }
    for descriptor in model.descriptors.keys.sorted() { try machine.table.close(descriptor) }
    model.descriptors = [:]
    try check(machine, &model)
  }

  /// A moderate number of cycles, or as many as MARTLET_PASSING_CYCLES says: a socket through itself, pairs through each other, and
  /// chains, each with an object of 1 MiB.
  @Test(arguments: types) func `cycles come back`(_ type: SocketType) throws {
    let machine = try Machine(frameCount: 8192)
    defer { #expect(machine.leakedFrames() == 0) }
    let (before, reserved) = (machine.files.counts, machine.system.accounting.reserved)
    func object() throws -> Int32 {
      let file = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(file, 1 << 20)
      try machine.write(file, [1], at: 1 << 19)
      return file
    }
    func close(_ descriptors: Int32...) throws { for descriptor in descriptors { try machine.table.close(descriptor) } }
    var done = 0
    while done < cycleCount {
      for _ in 0..<20 {
        let (first, second) = try machine.socketPair(type)
        let file = try object()
        try machine.send(first, lists: [[second, file]])
        try close(file, first, second)
        let (third, fourth) = try machine.socketPair(type)
        let (fifth, sixth) = try machine.socketPair(type)
        let (one, two) = (try object(), try object())
        try machine.send(third, lists: [[sixth, one]])
        try machine.send(fifth, lists: [[fourth, two]])
        try close(one, two, third, fourth, fifth, sixth)
        done += 2
        var steps = 0
        while !machine.files.memory.drainTeardown(budget: 16) { steps += 1 }
        #expect(steps < 1000)
      }
      var (inner, other) = try machine.socketPair(type)
      for _ in 0..<min(1000, cycleCount / 4) {
        let (outer, end) = try machine.socketPair(type)
        let file = try object()
        try machine.send(outer, lists: [[inner, other, file]])
        try close(file, inner, other)
        (inner, other) = (outer, end)
        done += 1
      }
      try close(inner, other)
      let (first, second) = try machine.socketPair(.stream)
      try close(first, second)
      while !machine.files.memory.drainTeardown(budget: 16) {}
      #expect(machine.files.sockets.flightCount == 0 && machine.files.sockets.deferredCount == 0)
      #expect(machine.files.counts == before)
      #expect(machine.system.accounting.reserved == reserved)
    }
  }
}
