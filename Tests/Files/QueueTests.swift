// Queues of events of which any thread may be told anything: classes and their shares, settings, and how a queue goes.
import ABI
import Memory
import Primitives
import Testing

@testable import Files

@Suite struct QueueTests {
  // MARK: Classes (spec kqueue.md 13.2)

  @Test(arguments: [UInt32?.none, 0, 0x0101_0204]) func `a call is told its share of each class`(_ policy: UInt32?)
    throws
  {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: policy)
      for number in 0..<8 as Range<UInt64> {
        try client.change(number, number % 2 == 0 ? [.add, .clear, .realTime] : [.add, .clear])
      }
      for share in 1...100 as ClosedRange<UInt32> {
        try client.tune(2, share)
        for room in 1...5 as ClosedRange<UInt32> {
          for number in 0..<8 as Range<UInt64> { try client.trigger(number) }
          let events = try client.collect(count: Int32(room))
          let limit = min(4, Int(max(1, (room * share + 99) / 100)))
          #expect(events.prefix(limit).allSatisfy { $0.flags.contains(.realTime) }, "\(share) \(room)")
          #expect(events.dropFirst(limit).allSatisfy { !$0.flags.contains(.realTime) }, "\(share) \(room)")
          #expect(events.count == limit + min(4, Int(room) - limit), "\(share) \(room)")
          while try !client.collect(count: 8).isEmpty {}
        }
      }
      try client.close()
    }
  }

  @Test func `by default what is of the real-time class comes first`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine)
      try client.change(1, [.add])
      try client.change(2, [.add, .realTime])
      try client.trigger(1)
      try client.trigger(2)
      #expect(try client.collect().identifiers == [2, 1])
      #expect(try client.collect(count: 1).identifiers == [2])
      #expect(try client.collect(count: 1)[0].flags == .realTime)
      try client.close()
    }
  }

  // MARK: Settings

  @Test func `what cannot be set is refused and changes nothing`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine)
      for (object, value) in [(0, 1), (2, 0), (2, 101), (2, 65535), (3, 1), (65535, 1)] as [(UInt32, UInt32)] {
        #expect(error { () throws(Errno) in try client.tune(object, value) } == .einval)
      }
      #expect(client.queue.realTimeShare == 100 && client.queue.targetFrequency == 0)
      try client.tune(1, 65535)
      try client.tune(1, 0)
      for word in [0x0000_0301, 0xff04, 0x0901_0000, 0x0900_0000] as [UInt32] {
        #expect(error { () throws(Errno) in try client.control(.setQueuePolicy, word) } == .einval)
      }
      #expect(!client.queue.isMulti)
      try client.control(.setQueuePolicy, 0x0801_0204)
      #expect(error { () throws(Errno) in try client.control(.setQueuePolicy, 0x0801_0204) } == .einval)
      #expect(error { () throws(Errno) in try client.control(.bytesToRead, 0) } == .enotty)
      try client.close()
    }
  }

  @Test func `a queue that was used knows no threads apart`() throws {
    try withMachine { machine in
      let (polled, changed, watched) = (
        try QueueClient(machine), try QueueClient(machine), try QueueClient(machine)
      )
      _ = try machine.table.file(at: polled.descriptor).poll(1)
      try changed.change(1, .add)
      try changed.change(UInt64(watched.descriptor), .add, filter: .read)
      for client in [polled, changed, watched] {
        #expect(error { () throws(Errno) in try client.control(.setQueuePolicy, 0) } == .einval)
      }
      for client in [changed, polled, watched] { try client.close() }
    }
  }

  // MARK: The end

  @Test(arguments: [nil, 0x0101_0204] as [UInt32?]) func `a queue goes in steps`(_ policy: UInt32?) throws {
    try withMachine { machine in
      let client = try QueueClient(machine, policy: policy)
      let (first, second) = try machine.pipe()
      try machine.write(second, [1])
      try client.change(UInt64(first), .add, filter: .read)
      for number in 0..<2000 as Range<UInt64> {
        try client.change(number, [.add])
        try client.trigger(number)
      }
      try client.collect(1)
      try client.collect(2)
      let notes = client.watch
      #expect(notes.noteCount == 2001)
      try client.close()
      #expect(notes.noteCount == 2001)
      // What it still has means nothing to anybody.
      machine.waker.channels = []
      try machine.write(second, [2])
      #expect(machine.waker.channels.isEmpty)
      var steps = 0
      while !machine.system.drainTeardown(budget: 64) {
        steps += 1
        #expect(notes.noteCount >= 2001 - 64 * steps)
      }
      #expect(steps >= 2001 / 64 && steps < 60)
      #expect(notes.noteCount == 0 && notes.workers.count == 0 && notes.groups.count == 0)
      #expect(notes.queueThreads.count == 0 && notes.workerBlocks.count == 0)
    }
  }

  @Test func `a file that only a closed queue holds goes with it`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine)
      let (first, second) = try machine.pipe()
      try client.change(UInt64(first), .add, filter: .read)
      let count = machine.files.openFileCount
      try client.close()
      try machine.table.close(first)
      #expect(machine.files.openFileCount == count - 1)
      while !machine.system.drainTeardown(budget: 8) {}
      #expect(machine.files.openFileCount == count - 2)
      try machine.table.close(second)
    }
  }

  @Test func `an empty queue is gone at once`() throws {
    try withMachine { machine in
      let client = try QueueClient(machine)
      try client.change(1, .add)
      try client.change(1, .delete)
      try client.close()
      #expect(machine.system.drainTeardown(budget: 0))
    }
  }

  @Test func `the generator is Park and Miller's`() {
    for seed in [0, 1, 2, 1000, 0x7fff_fffe, 0x7fff_ffff, .max] as [UInt64] {
      var state = seed % 0x7fff_ffff == 0 ? 123_459_876 : seed % 0x7fff_ffff
      for _ in 0..<50 { state = state * 16807 % 0x7fff_ffff }
      var generator = QueueRandom(seed: seed)
      for _ in 0..<20 {
        state = state * 16807 % 0x7fff_ffff
        #expect(generator.next(below: .max) == UInt32(state))
      }
    }
  }
}
