// Queues that know threads apart (FKQMULTI; spec kqueue.md sections 11 and 13): who is told, who is not, and what is counted.
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

@Suite struct QueueWorkerTests {
  private static let policies: [UInt32] = [0, 0x001, 0x201, 0x002, 0x102, 0x202, 0x004, 0x104, 0x204, 0x0801_0204]

  // MARK: The processing rule

  @Test func `what a thread was told of nobody else is told before it comes back`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: 0)
      for thread in 1...4 as ClosedRange<Int32> { #expect(try client.collect(thread).isEmpty) }
      try client.change(7, [.add])
      try client.trigger(7)
      let woken = client.takeWoken()
      #expect(woken.count == 1)
      #expect(client.wake(woken[0]).identifiers == [7])
      for _ in 0..<50 {
        try client.trigger(7)
        for thread in 1...4 as ClosedRange<Int32> where thread != woken[0] {
          #expect(try client.collect(thread).isEmpty)
        }
        #expect(client.takeWoken().isEmpty)
        #expect(client.queue.availableCount == 0)
        #expect(try machine.table.file(at: client.descriptor).poll(1) == 0)
      }
      // It comes back: whoever has the note is woken, or has it again.
      let found = try client.collect(woken[0])
      if found.isEmpty {
        let next = client.takeWoken()
        #expect(next.count == 1 && client.wake(next[0]).identifiers == [7])
      } else {
        #expect(found.identifiers == [7])
      }
      try client.close()
    }
  }

  @Test func `a level that still holds is told to the same thread first`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: 0)
      #expect(try client.collect().isEmpty)
      for number in 1...4 as ClosedRange<UInt64> {
        try client.change(number, number == 3 ? [.add, .clear] : [.add])
        try client.trigger(number)
      }
      #expect(client.wake(1, steals: false).identifiers == [1, 2, 3, 4])
      try client.trigger(3)
      try client.change(2, .clear)
      #expect(try client.collect().identifiers == [1, 4, 3])
      #expect(try client.collect().identifiers == [1, 4])
      try client.change(1, .delete)
      try client.change(4, [.disable])
      #expect(try client.collect().isEmpty)
      try client.close()
    }
  }

  @Test func `a note that is dispatched comes back when it is enabled and its thread has come back`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: 0x204)
      #expect(try client.collect(1).isEmpty)
      try client.change(1, [.add, .dispatch])
      try client.trigger(1)
      #expect(client.wake(1).identifiers == [1])
      try client.change(1, .enable)
      #expect(try client.collect(2).isEmpty)
      #expect(try client.collect(1).identifiers == [1])
      #expect(try client.collect(1).isEmpty)
      try client.close()
    }
  }

  // MARK: Who is told

  @Test func `what was ready before there was a thread is the first one's`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: 0x204)
      for number in 0..<200 as Range<UInt64> {
        try client.change(number, [.add, .clear])
        try client.trigger(number)
      }
      #expect(client.queue.availableCount == 200)
      #expect(try machine.table.file(at: client.descriptor).poll(1) == 1)
      var found: [UInt64] = []
      while case let events = try client.collect(5, count: 50), !events.isEmpty { found += events.identifiers }
      #expect(found == Array(0..<200))
      #expect(client.statistics.scheduledCount == 200 && client.statistics.eventCount == 200)
      try client.close()
    }
  }

  @Test(arguments: policies) func `only the thread that is chosen is woken, and all are chosen`(_ policy: UInt32) throws
  {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: policy)
      try client.change(1, [.add, .clear])
      for thread in 1...4 as ClosedRange<Int32> { #expect(try client.collect(thread, steals: false).isEmpty) }
      var counts: [Int32: Int] = [:]
      _ = client.takeWoken()
      for _ in 0..<400 {
        try client.trigger(1)
        let woken = client.takeWoken()
        #expect(woken.count == 1)
        #expect(client.wake(woken[0], steals: false).identifiers == [1])
        counts[woken[0], default: 0] += 1
        #expect(try client.collect(woken[0], steals: false).isEmpty)
      }
      #expect(counts.count == 4 && counts.values.allSatisfy { $0 > 40 }, "\(counts)")
      #expect(client.statistics.scheduledCount == 400 && client.statistics.eventCount == 400)
      #expect(client.statistics.fallbackCount == (policy == 0x004 ? 400 : 0))
      #expect(client.statistics.mismatchCount == 0)
      try client.close()
    }
  }

  @Test func `leaves keep what is theirs`() throws {
    try withMachine { machine in
      machine.files.watchers.hasLeaves = true
      for policy in [0x001, 0x002] as [UInt32] {
        let client = try QueueClient(machine, policy: policy)
        for thread in 0..<8 as Range<Int32> {
          client.watch.currentLeaf = Int(thread) / 2
          #expect(try client.collect(thread + 1).isEmpty)
        }
        try client.change(1, [.add, .clear])
        client.watch.currentLeaf = 3
        for round in 0..<100 {
          if round == 50 { client.watch.currentLeaf = 1 }
          try client.trigger(1)
          let woken = client.takeWoken()
          let leaf = policy == 0x001 || round < 50 ? 3 : 1
          #expect(woken.count == 1 && Int(woken[0] - 1) / 2 == leaf)
          _ = client.wake(woken[0])
          #expect(try client.collect(woken[0]).isEmpty)
        }
        #expect(client.statistics.mismatchCount == (policy == 0x001 ? 50 : 0))
        // Where nobody is, anybody is chosen.
        client.watch.currentLeaf = 9
        try client.change(2, [.add, .clear])
        try client.trigger(2)
        #expect(client.statistics.fallbackCount == 1)
        try client.close()
        while !machine.system.drainTeardown(budget: 100) {}
      }
    }
  }

  @Test func `the one that will be done first is chosen`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: 0x204)
      // Two threads, of which one takes a hundred times as long.
      for _ in 0..<3 {
        for (thread, nanoseconds) in [(1, 100_000), (2, 1000)] as [(Int32, UInt64)] {
          try client.change(UInt64(thread), [.add, .oneShot, .affinity], thread: thread)
          try client.trigger(UInt64(thread))
          #expect(try client.collect(thread).identifiers == [UInt64(thread)])
          machine.clock.advance(by: nanoseconds)
          #expect(try client.collect(thread).isEmpty)
        }
      }
      for number in 10..<40 as Range<UInt64> {
        try client.change(number, [.add, .clear])
        try client.trigger(number)
      }
      let counts = [1, 2].map { client.watch.workers[client.queue.worker(of: $0)].lists.count }
      // The first of them may go anywhere; from then on the slow one has more to do.
      #expect(counts[0] <= 1 && counts[0] + counts[1] == 30, "\(counts)")
      try client.close()
    }
  }

  @Test func `a thread gets only so much that it comes back as often as it is asked to`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: 0)
      for number in 0..<20 as Range<UInt64> {
        try client.change(number, [.add, .clear])
        try client.trigger(number)
      }
      #expect(try client.collect(count: 2).count == 2)
      machine.clock.advance(by: 200_000)
      // An event takes 100 µs: 4 of them are 400 µs.
      try client.tune(1, 2500)
      #expect(try client.collect(count: 10).count == 4)
      machine.clock.advance(by: 400_000)
      try client.tune(1, 65535)
      #expect(try client.collect(count: 10).count == 1)
      machine.clock.advance(by: 100_000)
      try client.tune(1, 0)
      #expect(try client.collect(count: 10).count == 10)
      try client.close()
    }
  }

  // MARK: Affinity

  @Test func `what is tied to a thread is told to it alone as long as it is there`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: 0x0801_0204)
      for thread in 1...4 as ClosedRange<Int32> { #expect(try client.collect(thread).isEmpty) }
      for number in 1...8 as ClosedRange<UInt64> { try client.change(number, [.add, .clear, .affinity], thread: 3) }
      for number in 1...8 as ClosedRange<UInt64> { try client.trigger(number) }
      #expect(client.takeWoken() == [3])
      for thread in [1, 2, 4] as [Int32] { #expect(client.wake(thread).isEmpty) }
      #expect(client.wake(3).identifiers == Array(1...8))
      for number in 1...8 as ClosedRange<UInt64> { try client.trigger(number) }
      client.end(3)
      var found: Set<UInt64> = []
      for thread in [1, 2, 4] as [Int32] { found.formUnion(client.wake(thread).identifiers) }
      for thread in [1, 2, 4] as [Int32] { found.formUnion(try client.collect(thread).identifiers) }
      #expect(found == Set(1...8))
      // A thread that has the number of one that is gone is another.
      #expect(try client.collect(3).isEmpty)
      _ = client.takeWoken()
      try client.trigger(1)
      #expect(client.takeWoken().count == 1)
      try client.close()
    }
  }

  @Test func `a thread that has not come for events has what is tied to it when it does`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: 0)
      #expect(try client.collect(1).isEmpty)
      try client.change(5, [.add, .clear, .affinity], thread: 2)
      try client.trigger(5)
      #expect(client.takeWoken().isEmpty && client.queue.availableCount == 1)
      #expect(try client.collect(2).identifiers == [5])
      // Without EV_ADD the bit keeps the user's data, as on every queue.
      try client.change(5, [.keepUserData], EventNotes.trigger)
      try client.close()
    }
  }

  // MARK: Stealing

  @Test func `an idle thread takes what another does not get round to`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: 0x0201_0000)
      #expect(try client.collect(1).isEmpty)
      for number in 0..<10 as Range<UInt64> {
        try client.change(number, [.add, .clear])
        try client.trigger(number)
      }
      // Two at a time, from the front; never what was told.
      #expect(client.wake(1).count == 8)
      #expect(try client.collect(2).identifiers == [9, 8])
      #expect(try client.collect(3).isEmpty)
      #expect(client.statistics(of: 2).stolenCount == 2 && client.statistics(of: 2).scannedCount == 2)
      #expect(client.statistics(of: 3).stolenCount == 0)
      // What was stolen is not stolen again before it was told.
      for number in [8, 9] as [UInt64] { try client.trigger(number) }
      #expect(client.queue.availableCount == 0)
      try client.close()
    }
  }
}
