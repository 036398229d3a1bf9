// The structures under processes, against naive models: timers, the index of slots, sets of signals.

import ABI
import Simulation
import Testing

@testable import Processes

@Suite struct TableTests {
  @Test func `timers come out in order whatever is removed`() {
    var generator = SeededGenerator(seed: 1)
    var queue = TimerQueue<ThreadSlot>(slotCount: 200)
    var model: [UInt32: UInt64] = [:]
    for _ in 0..<5000 {
      let slot = UInt32.random(in: 0..<200, using: &generator)
      switch Int.random(in: 0..<4, using: &generator) {
      case 0, 1:
        if model[slot] == nil {
          let deadline = UInt64.random(in: 0..<1000, using: &generator)
          queue.insert(ThreadSlot(slot), deadlineNanoseconds: deadline)
          model[slot] = deadline
        }
      case 2:
        queue.remove(ThreadSlot(slot))
        model[slot] = nil
      default:
        let now = UInt64.random(in: 0..<400, using: &generator)
        if let due = queue.popDue(now)?.raw {
          #expect(model[due] == model.values.min())
          #expect((model[due] ?? .max) <= now)
          model[due] = nil
        } else {
          #expect((model.values.min() ?? .max) > now)
        }
      }
      #expect(queue.earliest == model.values.min())
    }
  }

  @Test func `the index finds exactly the slots with a key`() {
    var generator = SeededGenerator(seed: 1)
    var index = SlotIndex(slotCount: 100)
    var model: [UInt32: Int32] = [:]
    for _ in 0..<3000 {
      let slot = UInt32.random(in: 0..<100, using: &generator)
      if model[slot] != nil {
        index.remove(slot)
        model[slot] = nil
      } else {
        let key = Int32.random(in: 1...20, using: &generator)
        index.insert(slot, key: key)
        model[slot] = key
      }
      let key = Int32.random(in: 1...20, using: &generator)
      var found: Set<UInt32> = []
      var next = index.first(key)
      while let member = next {
        #expect(found.insert(member).inserted)
        next = index.next(after: member)
      }
      #expect(found == Set(model.filter { $0.value == key }.keys))
    }
  }

  @Test func `signal sets hold all signals`() {
    var set = SignalSet()
    #expect(set.isEmpty && set.first == nil)
    for number in Int32(1)...128 {
      let signal = Signal(rawValue: number)
      #expect(!set.contains(signal))
      set.insert(signal)
      #expect(set.contains(signal))
    }
    for number in Int32(1)...128 {
      #expect(set.first == Signal(rawValue: number))
      set.remove(Signal(rawValue: number))
    }
    #expect(set.isEmpty)
    #expect(SignalSet.unblockable.contains(.sigkill) && SignalSet.unblockable.contains(.sigstop))
    #expect(SignalSet.unblockable.subtracting(.unblockable).isEmpty)
  }

  @Test func `default actions are those of the manual`() {
    #expect(Signal.sigkill.defaultAction == .terminate)
    #expect(Signal.sigusr1.defaultAction == .terminate)
    #expect(Signal(rawValue: 100).defaultAction == .terminate)
    #expect(Signal.sigtstp.defaultAction == .stop)
    #expect(Signal.sigcont.defaultAction == .resume)
    #expect(Signal.sigchld.defaultAction == .ignore)
    #expect(Signal.sigwinch.defaultAction == .ignore)
  }

  @Test func `the number of processes follows memory`() {
    #expect(ProcessLimits.processCount(forFrames: 100) == 84)
    #expect(ProcessLimits.processCount(forFrames: 65536) == 20 + 16 * 128)
    #expect(ProcessLimits.processCount(forFrames: 1 << 22) == 20 + 16 * 384)
  }

  @Test func `a thread context has the layout of the entry code`() {
    #expect(MemoryLayout<ThreadContext>.size == 1088)
    #expect(MemoryLayout<ThreadContext>.offset(of: \.rsp) == 56)
    #expect(MemoryLayout<ThreadContext>.offset(of: \.r15) == 120)
    #expect(MemoryLayout<ThreadContext>.offset(of: \.rip) == 128)
    #expect(MemoryLayout<ThreadContext>.offset(of: \.rflags) == 136)
    #expect(MemoryLayout<ThreadContext>.offset(of: \.fsBase) == 144)
    #expect(MemoryLayout<ThreadContext>.offset(of: \.returnPath) == 160)
    #expect(MemoryLayout<ThreadContext>.offset(of: \.floatingPoint) == 256)
  }
}
