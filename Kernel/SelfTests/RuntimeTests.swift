// The runtime under Swift: block memory functions, the heap, objects and their ends.

internal import Memory
internal import Primitives
internal import Runtime

var runtimeTests: [SelfTest] {
  [
    SelfTest(name: "runtime: filling, comparing and moving blocks of every small length", body: blockFunctions),
    SelfTest(name: "runtime: overlapping blocks move both ways", body: overlappingMoves),
    SelfTest(name: "runtime: objects of every size class come and go without a trace", body: objectSizes),
    SelfTest(name: "runtime: a class payload in an enum survives, and deinit runs", body: classPayload),
  ]
}

private func blockFunctions(_ memory: MemorySystem) -> UInt32? {
  var source = [200 of UInt8](repeating: 0)
  for index in 0..<200 { source[index] = UInt8(truncatingIfNeeded: index &* 7 &+ 1) }
  for length in Array(0...34) + [63, 64, 65, 150] {
    var target = [UInt8](repeating: 0xEE, count: 200)
    for index in 0..<length { target[index + 3] = source[index] }
    var copy = [UInt8](repeating: 0xEE, count: 200)
    copy.replaceSubrange(3..<3 + length, with: (0..<length).map { source[$0] })
    if let line = expect(copy == target) { return line }
    BlockFunctions.fill(&copy, with: 9, count: length)
    for index in 0..<200 {
      let expected = index < length ? 9 : target[index]
      if let line = expect(copy[index] == expected) { return line }
    }
  }
  return nil
}

private func overlappingMoves(_ memory: MemorySystem) -> UInt32? {
  for length in [0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 64, 100] {
    for distance in [-40, -8, -1, 0, 1, 7, 33] {
      var bytes = [UInt8](repeating: 0, count: 200)
      for index in 0..<200 { bytes[index] = UInt8(index) }
      BlockFunctions.move(in: &bytes, from: 50, to: 50 + distance, count: length)
      for index in 0..<200 {
        let offset = index - 50 - distance
        let expected = offset >= 0 && offset < length ? UInt8(50 + offset) : UInt8(index)
        if let line = expect(bytes[index] == expected) { return line }
      }
    }
  }
  return nil
}

private func objectSizes(_ memory: MemorySystem) -> UInt32? {
  guard let heap = memory.services.heap else { return expect(false) }
  let before = heap.allocatedByteCount
  for size in stride(from: 1, to: 3000, by: 97) {
    var arrays: [[UInt8]] = []
    for value in 0..<8 { arrays.append([UInt8](repeating: UInt8(value), count: size)) }
    for value in 0..<8 {
      if let line = expect(arrays[value].first == UInt8(value) && arrays[value].last == UInt8(value)) { return line }
    }
  }
  return expect(heap.allocatedByteCount == before)
}

private final class Probe {
  let value: Int
  let count: Counter
  init(_ value: Int, _ count: Counter) {
    self.value = value
    self.count = count
  }
  deinit { count.ended += 1 }
}

private final class Counter {
  var ended = 0
}

private enum Choice {
  case none
  case first(Probe)
  case second(Probe)
}

private func classPayload(_ memory: MemorySystem) -> UInt32? {
  let counter = Counter()
  var choices: [Choice] = [.none, .first(Probe(1, counter)), .second(Probe(2, counter))]
  var sum = 0
  for choice in choices {
    switch choice {
    case .none: break
    case .first(let probe): sum += probe.value
    case .second(let probe): sum += probe.value * 10
    }
  }
  if let line = expect(sum == 21) { return line }
  choices = []
  return expect(counter.ended == 2)
}
