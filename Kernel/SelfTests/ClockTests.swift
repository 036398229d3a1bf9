// Time as the kernel sees it.

internal import Memory
internal import Primitives

var clockTests: [SelfTest] {
  [
    SelfTest(name: "clock: goes forward", body: goesForward),
    SelfTest(name: "clock: the date lies in this century", body: dateIsPlausible),
  ]
}

private func goesForward(_ memory: MemorySystem) -> UInt32? {
  var last = memory.services.processor.nanoseconds
  for _ in 0..<1000 {
    let now = memory.services.processor.nanoseconds
    if let line = expect(now >= last) { return line }
    last = now
  }
  return nil
}

private func dateIsPlausible(_ memory: MemorySystem) -> UInt32? {
  let seconds =
    (memory.services.processor.nanoseconds &+ memory.services.processor.realTimeOffsetNanoseconds) / 1_000_000_000
  return expect(seconds > 1_700_000_000 && seconds < 4_102_444_800)
}
