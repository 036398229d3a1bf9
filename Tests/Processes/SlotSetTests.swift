// The set of places in use: exact, and gone through in order.
import Simulation
import Testing

@testable import Processes

@Suite struct SlotSetTests {
  @Test(arguments: [1, 63, 64, 65, 4096, 6164, 10_000]) func `it agrees with a set`(slotCount: Int) {
    var set = SlotSet(slotCount: slotCount)
    var model: Set<Int> = []
    var generator = SeededGenerator(seed: UInt64(slotCount))
    for round in 0..<300 {
      let slot = generator.number(below: slotCount)
      if model.contains(slot) {
        set.remove(slot)
        model.remove(slot)
      } else {
        set.insert(slot)
        model.insert(slot)
      }
      #expect(set.contains(slot) == model.contains(slot))
      if round % 50 != 49 { continue }
      var found: [Int] = []
      var next = set.next(from: 0)
      while next < slotCount {
        found.append(next)
        next = set.next(from: next + 1)
      }
      #expect(found == model.sorted() && set.next(from: slotCount) == slotCount)
    }
  }
}
