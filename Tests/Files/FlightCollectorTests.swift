// The collector of files in flight on graphs of its own: every small one, and larger ones that change between its steps.

import Testing

@testable import Files

/// Files with queues: who is in whose, and who has a descriptor.
private final class TestGraph: FlightGraph {
  typealias Node = Int
  struct Position {
    var node: Int
    var index: Int
  }

  var queues: [[Int]]
  var held: [Bool]
  var marks: [FlightMark<Int>]
  /// Those in flight, the newest first.
  var list: [Int] = []
  var disposed: [Int] = []

  init(queues: [[Int]], held: [Bool]) {
    self.queues = queues
    self.held = held
    marks = Array(repeating: FlightMark(), count: queues.count)
    list = queues.indices.filter { flightCount(of: $0) > 0 }
  }

  var firstInFlight: Int? { list.first }
  func nextInFlight(after node: Int) -> Int? {
    list.firstIndex(of: node).flatMap { $0 + 1 < list.count ? list[$0 + 1] : nil }
  }
  func flightCount(of node: Int) -> UInt32 {
    UInt32(queues.reduce(0) { sum, queue in sum + queue.count { $0 == node } })
  }
  func isHeldElsewhere(_ node: Int) -> Bool { held[node] }
  func beginning(of node: Int) -> Position? { Position(node: node, index: 0) }
  func next(_ position: inout Position) -> Int? {
    guard position.index < queues[position.node].count else { return nil }
    position.index += 1
    return queues[position.node][position.index - 1]
  }
  subscript(mark node: Int) -> FlightMark<Int> {
    get { marks[node] }
    set { marks[node] = newValue }
  }
  func dispose(_ node: Int) { disposed.append(node) }

  /// Those that are in flight and cannot be reached from who is held.
  var garbage: [Int] {
    var reached = Set(held.indices.filter { held[$0] })
    var work = Array(reached)
    while let node = work.popLast() {
      for next in queues[node] where reached.insert(next).inserted { work.append(next) }
    }
    return list.filter { !reached.contains($0) }
  }
}

@Suite struct FlightCollectorTests {
  private func run(_ collector: inout FlightCollector<TestGraph>, _ graph: TestGraph, budget: Int = 1) -> Int {
    var steps = 0
    while true {
      var left = budget
      steps += 1
      if collector.step(&left, graph) { return steps }
      if steps > 100_000 {
        Issue.record("the collector does not come to an end")
        return steps
      }
    }
  }

  @Test(arguments: 1...4) func `exactly what cannot be reached is disposed of`(count: Int) {
    // Who is not held and not in flight does not exist; everybody else may have everybody in the queue.
    for edges in 0..<1 << (count * count) {
      for holders in 0..<1 << count {
        // Of the many of four, some.
        if count == 4 && (edges &* 31 &+ holders) % 61 != 0 { continue }
        let graph = TestGraph(
          queues: (0..<count).map { node in (0..<count).filter { edges >> (node * count + $0) & 1 == 1 } },
          held: (0..<count).map { holders >> $0 & 1 == 1 })
        for node in 0..<count where !graph.held[node] && !graph.list.contains(node) { graph.queues[node] = [] }
        graph.list = graph.list.filter { graph.flightCount(of: $0) > 0 }
        guard graph.queues.indices.allSatisfy({ graph.held[$0] || graph.list.contains($0) || graph.queues[$0].isEmpty })
        else { continue }
        var collector = FlightCollector<TestGraph>()
        collector.request()
        _ = run(&collector, graph)
        #expect(Set(graph.disposed) == Set(graph.garbage), "\(graph.queues) \(graph.held)")
        if Set(graph.disposed) != Set(graph.garbage) { return }
      }
    }
  }

  @Test func `a file that is several times in a queue is counted as often`() {
    let graph = TestGraph(queues: [[1, 1, 1], [0, 0], [1]], held: [false, false, true])
    var collector = FlightCollector<TestGraph>()
    collector.request()
    _ = run(&collector, graph)
    #expect(graph.disposed == [])
    graph.held[2] = false
    graph.queues[2] = []
    collector.request()
    _ = run(&collector, graph)
    #expect(Set(graph.disposed) == [0, 1])
    #expect(collector.recycledCount == 2 && collector.runCount == 2)
  }

  @Test func `the work is what is in flight`() {
    // A ring of a thousand.
    let graph = TestGraph(queues: (0..<1000).map { [($0 + 1) % 1000] }, held: Array(repeating: false, count: 1000))
    graph.marks = Array(repeating: FlightMark(), count: 1000)
    var collector = FlightCollector<TestGraph>()
    collector.request()
    #expect(run(&collector, graph) < 8 * 1000)
    #expect(graph.disposed.count == 1000)
  }

  @Test(arguments: 1...200) func `nothing that can be reached is disposed of while programs go on`(seed: Int) {
    var state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    let count = 7
    let graph = TestGraph(queues: Array(repeating: [], count: count), held: Array(repeating: true, count: count))
    var collector = FlightCollector<TestGraph>()
    func send(_ node: Int, over receiver: Int) {
      graph.queues[receiver].append(node)
      if !graph.list.contains(node) { graph.list.insert(node, at: 0) }
      collector.touch(node, graph)
    }
    func receive(from receiver: Int) {
      guard !graph.queues[receiver].isEmpty else { return }
      let node = graph.queues[receiver].removeFirst()
      collector.queueChanges(receiver, graph)
      graph.held[node] = true
      collector.touch(node, graph)
      guard graph.flightCount(of: node) == 0 else { return }
      collector.leave(node, graph)
      graph.list.removeAll { $0 == node }
    }
    for _ in 0..<400 {
      let holders = graph.held.indices.filter { graph.held[$0] }
      guard !holders.isEmpty else { break }
      let holder = holders[random(holders.count)]
      switch random(4) {
      case 0, 1: send(holders[random(holders.count)], over: holder)
      case 2: receive(from: holder)
      default:
        // It stays only while it is in flight; otherwise it is still held.
        if graph.flightCount(of: holder) > 0 {
          graph.held[holder] = false
          collector.request()
        }
      }
      let before = graph.disposed.count
      var budget = random(6)
      _ = collector.step(&budget, graph)
      let garbage = Set(graph.garbage)
      #expect(graph.disposed[before...].allSatisfy { garbage.contains($0) })
    }
    // What is garbage in the end is found.
    collector.request()
    _ = run(&collector, graph)
    collector.request()
    graph.disposed = []
    _ = run(&collector, graph)
    #expect(Set(graph.disposed) == Set(graph.garbage))
  }
}
