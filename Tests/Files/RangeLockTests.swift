// The range lock against a naive list of requests (spec vm.md, section 12).
import Simulation
import Testing

@testable import Files

@Suite("Range lock")
struct RangeLockTests {
  @Test("readers share, writers exclude, and nobody overtakes a conflicting request")
  func order() {
    var lock = RangeLock()
    let reader = LockedRange(start: 0, end: 10, isExclusive: false)
    let writer = LockedRange(start: 5, end: 15, isExclusive: true)
    #expect(lock.isFree(reader) && lock.isFree(writer))
    let first = lock.enter(reader)
    #expect(lock.isFree(reader) && !lock.isFree(writer))
    let second = lock.enter(writer)
    #expect(lock.hasTurn(first) && !lock.hasTurn(second))
    // A reader that came after the waiting writer waits too.
    #expect(!lock.isFree(reader))
    #expect(lock.isFree(LockedRange(start: 0, end: 5, isExclusive: false)))
    #expect(lock.isFree(LockedRange(start: 15, end: 20, isExclusive: true)))
    lock.leave(first)
    #expect(lock.hasTurn(second))
    lock.leave(second)
    #expect(lock.isEmpty)
  }

  @Test("agrees with a list of requests under random operations", arguments: [1, 2, 3, 4] as [UInt64])
  func random(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var lock = RangeLock()
    var model: [(LockedRange, RangeLockTicket)] = []
    func isBlocked(_ range: LockedRange, behind count: Int) -> Bool {
      model[0..<count].contains { entry in
        (entry.0.isExclusive || range.isExclusive) && entry.0.start < range.end && range.start < entry.0.end
      }
    }
    for _ in 0..<3000 {
      if Int.random(in: 0..<12, using: &generator) >= model.count {
        let start = UInt64.random(in: 0..<100, using: &generator)
        let range = LockedRange(
          start: start, end: start + UInt64.random(in: 0..<30, using: &generator),
          isExclusive: Bool.random(using: &generator))
        #expect(lock.isFree(range) == !isBlocked(range, behind: model.count))
        model.append((range, lock.enter(range)))
      } else {
        lock.leave(model.remove(at: Int.random(in: 0..<model.count, using: &generator)).1)
      }
      #expect(lock.isEmpty == model.isEmpty)
      for (index, entry) in model.enumerated() {
        #expect(lock.hasTurn(entry.1) == !isBlocked(entry.0, behind: index))
      }
    }
  }
}
