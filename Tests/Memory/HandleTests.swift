// Handles, pinned records and links of frames that are used after what they mean has gone end the program, and say why.
import Primitives
import Simulation
import Testing

@testable import Memory

private struct Record: BitwiseCopyable {
  var number: UInt64 = 0
  var other: UInt64 = 0
}

private func makePool(_ machine: SimulatedHardware) -> Pool<Record> { Pool(machine.memory.physical, .mapEntry) }

private func make(_ number: UInt64, _ pool: Pool<Record>, _ machine: SimulatedHardware) -> Handle<Record> {
  guard let handle = pool.allocate(Record(number: number), machine.system) else { preconditionFailure("no frame") }
  return handle
}

/// A handle whose slot has another record by now.
private func stale() -> (Pool<Record>, Handle<Record>, SimulatedHardware) {
  let machine = SimulatedHardware()
  let pool = makePool(machine)
  let handle = make(1, pool, machine)
  _ = pool.take(handle, machine.system)
  precondition(make(2, pool, machine).address == handle.address)
  return (pool, handle, machine)
}

/// Whether a program ended with these words.
private func said(_ words: String, _ result: ExitTest.Result?) -> Bool {
  String(decoding: result?.standardErrorContent ?? [], as: UTF8.self).contains(words)
}

@Suite struct HandleTests {
  @Test func `a handle and a pinned record reach their record`() {
    let machine = SimulatedHardware()
    let pool = makePool(machine)
    let first = make(1, pool, machine)
    let second = make(2, pool, machine)
    let pinned = pool.pin(second)
    #expect(pool[first].number == 1 && pinned.value.number == 2 && first != second)
    pinned.value.number = 3
    #expect(pool.take(second, machine.system).number == 3 && pool.take(first, machine.system).number == 1)
    // The slot is the same, the handle is not.
    let third = make(4, pool, machine)
    #expect(third.address == first.address && third != first)
    _ = pool.take(third, machine.system)
    pool.trim(machine.system)
    #expect(machine.leakedFrames == 0)
  }

  @Test func `a stale handle traps when it is read, written, pinned, copied or released`() async {
    var result: ExitTest.Result?
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let (pool, handle, _) = stale()
      print(pool[handle].number)
    }
    #expect(said("a stale handle", result))
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let (pool, handle, _) = stale()
      pool[handle].number = 1
    }
    #expect(said("a stale handle", result))
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let (pool, handle, _) = stale()
      _ = pool.pin(handle)
    }
    #expect(said("a stale handle", result))
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let (pool, handle, machine) = stale()
      _ = pool.allocate(copyOf: handle, machine.system)
    }
    #expect(said("a stale handle", result))
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let (pool, handle, machine) = stale()
      _ = pool.take(handle, machine.system)
    }
    #expect(said("a stale handle", result))
  }

  @Test func `a handle whose record is gone traps although nothing has its place`() async {
    var result: ExitTest.Result?
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let machine = SimulatedHardware()
      let pool = makePool(machine)
      let handle = make(1, pool, machine)
      _ = pool.take(handle, machine.system)
      pool.trim(machine.system)
      print(pool[handle].number)
    }
    #expect(said("a stale handle", result))
  }

  @Test func `a forged handle, and one of another pool, trap`() async {
    var result: ExitTest.Result?
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let machine = SimulatedHardware()
      let pool = makePool(machine)
      let handle = make(1, pool, machine)
      print(pool[Handle(raw: handle.raw + 1)].number)
    }
    #expect(said("a forged handle", result))
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let machine = SimulatedHardware()
      let pool = makePool(machine)
      let handle = make(1, pool, machine)
      print(pool[Handle(raw: UInt32(handle.address.raw >> 4))].number)
    }
    #expect(said("a forged handle", result))
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let machine = SimulatedHardware()
      let pool = makePool(machine)
      let other = makePool(machine)
      let handle = make(1, pool, machine)
      _ = make(1, other, machine)
      print(other[handle].number)
    }
    #expect(said("a forged handle", result))
  }

  @Test func `a stale pinned record traps, and so does a part of it`() async {
    var result: ExitTest.Result?
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let machine = SimulatedHardware()
      let pool = makePool(machine)
      let handle = make(1, pool, machine)
      let pinned = pool.pin(handle)
      _ = pool.take(handle, machine.system)
      _ = make(2, pool, machine)
      print(pinned.value.number)
    }
    #expect(said("a stale pinned record", result))
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let machine = SimulatedHardware()
      let pool = makePool(machine)
      let handle = make(1, pool, machine)
      let part = pool.pin(handle).part(UInt64.self, atByteOffset: 8)
      _ = pool.take(handle, machine.system)
      part.value = 5
    }
    #expect(said("a stale pinned record", result))
  }

  @Test func `a frame that is taken out of a list twice, or out of another one, or put in twice, traps`() async {
    var result: ExitTest.Result?
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let machine = SimulatedHardware()
      defer { withExtendedLifetime(machine) {} }
      let table = machine.system.frames
      var list = FrameList()
      list.append(FrameNumber(0), table)
      list.append(FrameNumber(1), table)
      list.remove(FrameNumber(0), table)
      list.remove(FrameNumber(0), table)
    }
    #expect(said("and is in none", result))
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let machine = SimulatedHardware()
      defer { withExtendedLifetime(machine) {} }
      let table = machine.system.frames
      var list = FrameList()
      var other = FrameList()
      list.append(FrameNumber(0), table)
      list.append(FrameNumber(1), table)
      other.remove(FrameNumber(1), table)
    }
    #expect(said("that it is not in", result))
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let machine = SimulatedHardware()
      defer { withExtendedLifetime(machine) {} }
      let table = machine.system.frames
      var list = FrameList()
      list.append(FrameNumber(0), table)
      list.prepend(FrameNumber(0), table)
    }
    #expect(said("is in one already", result))
  }

  @Test func `an owner that is put on the teardown list twice traps`() async {
    await #expect(processExitsWith: .failure) {
      var list = TeardownList()
      let owner = AnyOwner()
      list.putBack(owner)
      list.putBack(owner)
    }
  }
}
