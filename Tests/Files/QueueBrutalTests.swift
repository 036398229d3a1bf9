// Threads that come and go, hold what they were told, steal and are interrupted, while a queue is tuned: every trigger is told
// exactly once, and never to two threads at a time (spec kqueue.md section 13, "brutal").
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

@Suite struct QueueBrutalTests {
  /// What a run does.
  private final class Run {
    let client: QueueClient
    var random: SplitMix
    var threads: [Int32] = []
    var lastThread: Int32 = 0
    /// Who was told of a connection and has not come back; how often each was triggered and told.
    var holders: [UInt64: Int32] = [:]
    var isPending: Set<UInt64> = []
    var triggers = 0
    var told = 0

    init(_ client: QueueClient, seed: UInt64) {
      self.client = client
      random = SplitMix(seed: seed)
    }

    func draw(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }

    func note(_ events: [KernelEvent], to thread: Int32) {
      for event in events {
        #expect(holders[event.identifier] == nil, "told to two threads")
        #expect(isPending.remove(event.identifier) != nil, "told without a trigger")
        holders[event.identifier] = thread
        told += 1
      }
    }

    func step(notes: Int) throws {
      switch draw(20) {
      case 0 where threads.count < 8:
        lastThread += 1
        threads.append(lastThread)
      case 1 where threads.count > 1:
        let thread = threads.remove(at: draw(threads.count))
        client.end(thread)
        holders = holders.filter { $0.value != thread }
      case 2: try client.tune(1, UInt32(1 + draw(10000)))
      case 3: try client.tune(2, UInt32(1 + draw(100)))
      case 4: client.machine.clock.advance(by: UInt64(draw(50_000)))
      case 5, 6, 7, 8, 9, 10, 11:
        guard !threads.isEmpty else { return }
        let thread = threads[draw(threads.count)]
        holders = holders.filter { $0.value != thread }
        note(try client.collect(thread, count: Int32(1 + draw(6))), to: thread)
      case 12:
        for thread in client.takeWoken() { note(client.wake(thread), to: thread) }
      default:
        let number = UInt64(draw(notes))
        // A trigger that was not told yet is the same one.
        if isPending.insert(number).inserted { triggers += 1 }
        try client.trigger(number)
      }
    }
  }

  @Test(
    arguments: [0, 0x001, 0x201, 0x0201_0201, 0x002, 0x202, 0x204, 0x0101_0000, 0x0801_0204] as [UInt32], [1, 2, 3])
  func `no event is lost and none doubled`(_ policy: UInt32, _ seed: Int) throws {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: policy)
      let run = Run(client, seed: UInt64(seed))
      for number in 0..<64 as Range<UInt64> {
        try client.change(number, number < 32 ? [.add, .clear, .realTime] : [.add, .clear])
      }
      for _ in 0..<4000 { try run.step(notes: 64) }
      try client.tune(1, 0)
      try client.tune(2, 50)
      // Everybody comes back until nobody is told anything more.
      if run.threads.isEmpty { run.threads.append(1000) }
      var quiet = 0
      while quiet < 3 {
        quiet += 1
        for thread in run.threads {
          run.holders = run.holders.filter { $0.value != thread }
          let events = try client.collect(thread)
          run.note(events, to: thread)
          if !events.isEmpty { quiet = 0 }
        }
      }
      #expect(run.isPending.isEmpty)
      #expect(run.told == run.triggers)
      #expect(client.statistics.eventCount == UInt64(run.told))
      #expect(client.queue.readyCount == 0 && client.queue.heldReadyCount == 0)
      for thread in run.threads { client.end(thread) }
      #expect(client.watch.workers.count == 0 && client.watch.queueThreads.count == 0)
      try client.close()
    }
  }

  @Test func `without ends everything that is scheduled is told once`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: 0x0101_0202)
      let run = Run(client, seed: 9)
      run.threads = [1, 2, 3, 4]
      for number in 0..<32 as Range<UInt64> { try client.change(number, [.add, .clear]) }
      for thread in run.threads { run.note(try client.collect(thread), to: thread) }
      for _ in 0..<3000 {
        let number = UInt64(run.draw(32))
        if run.isPending.insert(number).inserted { run.triggers += 1 }
        try client.trigger(number)
        let thread = run.threads[run.draw(4)]
        run.holders = run.holders.filter { $0.value != thread }
        run.note(try client.collect(thread), to: thread)
      }
      for thread in run.threads + run.threads + run.threads {
        run.holders = run.holders.filter { $0.value != thread }
        run.note(try client.collect(thread), to: thread)
      }
      #expect(run.told == run.triggers && run.isPending.isEmpty)
      #expect(client.statistics.scheduledCount == UInt64(run.triggers))
      #expect(client.statistics.eventCount == UInt64(run.told))
      try client.close()
    }
  }

  @Test func `the end of a thread that has much goes in steps`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: 0)
      #expect(try client.collect(1).isEmpty)
      for number in 0..<1000 as Range<UInt64> {
        try client.change(number, number < 8 && number % 2 == 0 ? [.add] : [.add, .clear])
        try client.trigger(number)
      }
      #expect(client.wake(1).count == 8)
      #expect(try client.collect(2).isEmpty)
      var steps = 0
      while !client.watch.threadEnds(1) {
        steps += 1
        // What comes meanwhile goes to the other.
        try client.trigger(UInt64(9 + 2 * steps))
      }
      #expect(steps >= 1000 / 32 && steps < 60)
      var found: Set<UInt64> = []
      while found.count < 996, case let events = try client.collect(2, count: 100), !events.isEmpty {
        found.formUnion(events.identifiers)
      }
      // Those that were told, of which the level holds, and the others that were not.
      #expect(found.count == 996)
      try client.close()
    }
  }
}
