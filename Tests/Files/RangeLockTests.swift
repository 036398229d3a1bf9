// The range lock against a naive list of requests (spec vm.md, section 12).
import Simulation
import Testing

@testable import Files

@Suite("Range lock")
struct RangeLockTests {
  @Test
  func `readers share, writers exclude, and nobody overtakes a conflicting request`() {
    var lock = RangeLock()
    let reader = LockedRange(start: 0, end: 10, isExclusive: false)
    let writer = LockedRange(start: 5, end: 15, isExclusive: true)
    #expect(lock.isFree(reader) && lock.isFree(writer))
    let first = lock.enter(reader, number: 1)
    #expect(lock.isFree(reader) && !lock.isFree(writer))
    let second = lock.enter(writer, number: 2)
    #expect(first.hasTurn && !second.hasTurn)
    // A reader that came after the waiting writer waits too.
    #expect(!lock.isFree(reader))
    #expect(lock.isFree(LockedRange(start: 0, end: 5, isExclusive: false)))
    #expect(lock.isFree(LockedRange(start: 15, end: 20, isExclusive: true)))
    var woken: [UInt32] = []
    lock.leave(first) { woken.append($0.number) }
    #expect(second.hasTurn && woken == [2])
    lock.leave(second) { woken.append($0.number) }
    #expect(lock.isEmpty && woken == [2])
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `agrees with a list of requests under random operations, and wakes exactly those whose turn it is by that`(
    seed: UInt64
  ) {
    var generator = SeededGenerator(seed: seed)
    var lock = RangeLock()
    var model: [(range: LockedRange, entry: RangeLockEntry)] = []
    func isBlocked(_ range: LockedRange, behind count: Int) -> Bool {
      model[0..<count].contains { entry in
        (entry.range.isExclusive || range.isExclusive) && entry.range.start < range.end
          && range.start < entry.range.end
      }
    }
    func waiting() -> Set<UInt32> {
      Set(model.indices.filter { isBlocked(model[$0].range, behind: $0) }.map { model[$0].entry.number })
    }
    for step in 0..<3000 as Range<UInt32> {
      if Int.random(in: 0..<12, using: &generator) >= model.count {
        let start = UInt64.random(in: 0..<100, using: &generator)
        let range = LockedRange(
          start: start, end: start + UInt64.random(in: 0..<30, using: &generator),
          isExclusive: Bool.random(using: &generator))
        #expect(lock.isFree(range) == !isBlocked(range, behind: model.count))
        model.append((range, lock.enter(range, number: step)))
      } else {
        let before = waiting()
        let leaving = model.remove(at: Int.random(in: 0..<model.count, using: &generator)).entry
        var woken: [UInt32] = []
        lock.leave(leaving) { woken.append($0.number) }
        #expect(Set(woken) == before.subtracting(waiting()).subtracting([leaving.number]))
        #expect(Set(woken).count == woken.count)
      }
      #expect(lock.isEmpty == model.isEmpty)
      for (index, entry) in model.enumerated() {
        #expect(entry.entry.hasTurn == !isBlocked(entry.range, behind: index))
      }
    }
  }
}
