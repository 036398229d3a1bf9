// Small scenarios of two processes, or two threads of one, that act at once on the same objects, in every order of their steps (issue "The whole
// kernel inside a test", Interleavings).
//
// Every action is to look as if it happened at one instant between its beginning and its end: what the programs see in any
// order of steps must be what they see in some order of whole actions, each complete before the next one begins. That goes for
// a process that is stopped or killed in the middle of its actions, too.

import ABI

/// A small scenario: what process 1 does before, and what its child, or another thread, and it do at the same time.
public struct Scenario: Sendable {
  /// What it is called.
  public let name: String
  let before: [Action]
  let parent: [Action]
  let child: [Action]
  /// What process 1 looks at when both are through.
  let after: [Action]
  /// How much of a longer call is done before others have their turn; nil: as much as usual.
  var unitsPerTurn: Int?
  /// Whether nobody sees what the child saw: it was killed, perhaps in a call that took effect and never returned.
  var hidesTheKilled = false
  /// Whether the two are threads of process 1.
  public internal(set) var usesThread = false
  /// How many steps are tried in every order by `make simulate KIND=orders`.
  public internal(set) var length = 7

  private static let window = Program.window
  private static let path = Program.path
  private static let parentIdentifier: Int32 = 1
  private static let childIdentifier: Int32 = 2

  /// A read of three pages, and a look at what came.
  static func read(_ descriptor: UInt64, at offset: UInt64) -> [Action] {
    [.call(.pread, [descriptor, Program.buffer, 9000, offset])]
      + (0..<3).map { .load(Program.buffer + $0 * 4096, byteCount: $0 < 2 ? 4096 : 808) }
  }

  /// All of them.
  public static var all: [Scenario] {
    let name: [Action] = [.store(path, Array("/a".utf8) + [0])]
    let open: [Action] =
      name + [
        .call(.shmOpen2, [path, 0x202, 0o666, 0, 0]), .call(.ftruncate, [3, 3 * 4096]),
        .call(.mmap, [window, 3 * 4096, 3, 0x11, 3, 0]), .store(window + 100, [1, 2, 3]),
        .store(window + 4196, [1, 2, 3]), .store(window + 8292, [1, 2, 3]),
        .store(Program.buffer + 50, [4, 5, 6]), .store(Program.buffer + 5000, [4, 5, 6]),
      ]
    let content = read(3, at: 0) + read(3, at: 9000)
    return [
      Scenario(
        name: "read against truncate", before: open,
        parent: [.call(.ftruncate, [3, 4000]), .call(.ftruncate, [3, 12288])],
        child: read(3, at: 90) + [.call(.pwrite, [3, Program.buffer, 9000, 0])], after: content),
      Scenario(
        name: "read against write", before: open,
        parent: [
          .call(.pwrite, [3, Program.buffer, 9000, 10]), .call(.write, [3, Program.buffer, 4200]),
        ],
        child: read(3, at: 90) + read(3, at: 0), after: content),
      Scenario(
        name: "two writes with one offset", before: open,
        parent: [
          .call(.write, [3, Program.buffer, 4200]), .call(.write, [3, Program.buffer + 40, 4200]),
        ],
        child: [
          .call(.write, [3, Program.buffer + 4990, 2000]), .call(.read, [3, Program.buffer, 100]),
        ],
        after: content),
      Scenario(
        name: "fault against truncate", before: open,
        parent: [
          .call(.ftruncate, [3, 8292]), .call(.ftruncate, [3, 12288]), .store(window + 9000, [9]),
        ],
        child: [.load(window + 8292), .store(window + 100, [7]), .load(window + 4196)],
        after: content),
      Scenario(
        name: "fault beyond the end", before: open,
        parent: [.call(.ftruncate, [3, 5000]), .call(.ftruncate, [3, 12288])],
        child: [.store(window + 5000, [8]), .load(window + 8292, byteCount: 3)], after: content),
      Scenario(
        name: "fork against page-out",
        before: open + [
          .call(.mmap, [window + 65536, 8192, 3, 0x1012, UInt64(UInt32.max), 0]),
          .store(window + 65536, [5]),
        ],
        parent: [.store(window + 65536, [6]), .call(.fork, []), .load(window + 65536)],
        child: [.store(window + 65536, [7]), .call(.fork, []), .load(window + 65536)],
        after: content),
      Scenario(
        name: "unlink against open", before: open,
        parent: [.call(.shmUnlink, [path]), .call(.shmOpen2, [path, 0x202, 0o666, 0, 0])],
        child: [
          .call(.shmOpen2, [path, 0x402, 0o666, 0, 0]), .call(.close, [3]),
          .call(.shmUnlink, [path]),
        ],
        after: content + [.call(.shmOpen2, [path, 2, 0, 0, 0])] + read(4, at: 0)),
      Scenario(
        name: "exit against page-in", before: open,
        parent: [.load(window + 100), .load(window + 4196)],
        child: [.load(window + 100), .call(.exit, [0])],
        after: [.call(.wait4, [2, 0, 0, 0])] + content),
      Scenario(
        name: "kill against a parked read", before: open,
        parent: [.call(.kill, [2, 9]), .call(.wait4, [2, Program.output, 0, 0])],
        child: read(3, at: 90),
        after: content),
    ] + interruptions(open, content) + pipes + threads(open, content)
  }

  /// Two processes at one pipe, with room for all that is written: each write and each read is one step.
  private static var pipes: [Scenario] {
    let (first, second, target) = (
      Program.buffer + 3900, Program.buffer + 8100, Program.buffer + 4 * 4096
    )
    let before: [Action] = [
      .call(.pipe2, [Program.output, 0]), .store(first, [UInt8](repeating: 1, count: 196)),
      .store(first + 196, [UInt8](repeating: 2, count: 204)),
      .store(second, [UInt8](repeating: 3, count: 92)),
      .store(second + 92, [UInt8](repeating: 4, count: 408)), .call(.write, [4, first, 400]),
      .call(.write, [4, second, 100]),
    ]
    let after: [Action] = [
      .call(.read, [3, target, 4000]), .load(target, byteCount: 1300),
      .call(.fstat, [3, Program.output]),
    ]
    let writes: [Action] = [.call(.write, [4, second, 500])]
    let reads: [Action] = [
      .call(.read, [3, target + 4000, 300]), .load(target + 4000), .load(target + 4299),
    ]
    var scenarios: [Scenario] = []
    for (name, child) in [("write", writes), ("read", reads)] as [(String, [Action])] {
      scenarios.append(
        Scenario(
          name: "a \(name) against a write of a pipe", before: before,
          parent: [.call(.write, [4, first, 400])],
          child: child, after: after))
      scenarios.append(
        Scenario(
          name: "a \(name) against a read of a pipe", before: before,
          parent: [.call(.read, [3, target + 4050, 100])],
          child: child, after: after))
      for isKill in [false, true] {
        var scenario = Scenario(
          name: "a \(isKill ? "kill" : "stop") in a \(name) of a pipe", before: before,
          parent: [.call(.kill, [2, isKill ? 9 : 17]), .call(.write, [4, first, 400])]
            + (isKill ? [.call(.wait4, [2, 0, 0, 0])] : [.call(.kill, [2, 19])]),
          child: child, after: after)
        scenario.hidesTheKilled = isKill
        scenario.length = 5
        scenarios.append(scenario)
      }
    }
    for index in scenarios.indices { scenarios[index].unitsPerTurn = 1 }
    return scenarios
  }

  /// What the child does is interrupted by a stop or a kill, while its parent wants the same object.
  private static func interruptions(_ open: [Action], _ content: [Action]) -> [Scenario] {
    let calls: [(name: String, child: [Action])] = [
      ("pwrite", [.call(.pwrite, [3, Program.buffer, 9000, 10])]),
      ("write", [.call(.write, [3, Program.buffer, 9000])]),
      ("pread", read(3, at: 90)),
      ("read", [.call(.read, [3, Program.buffer, 9000])]),
      ("truncate", [.call(.ftruncate, [3, 100])]),
    ]
    let wants: [(name: String, parent: [Action])] = [
      ("pwrite", [.call(.pwrite, [3, Program.buffer + 40, 4200, 4000])]),
      ("pread", read(3, at: 0)),
      ("truncate", [.call(.ftruncate, [3, 5000])]),
      ("lseek", [.call(.lseek, [3, 0, 1])]),
      ("seal", [.call(.fcntl, [3, 19, 4])]),
    ]
    var scenarios: [Scenario] = []
    for call in calls {
      for want in wants {
        let waiting = "in a \(call.name) that a \(want.name) waits for"
        let stop = [.call(.kill, [2, 17])] + want.parent + [.call(.kill, [2, 19])]
        let kill =
          [.call(.kill, [2, 9])] + want.parent + [.call(.wait4, [2, Program.output, 0, 0])]
        for (name, parent) in [("stop", stop), ("kill", kill)] as [(String, [Action])] {
          var scenario = Scenario(
            name: "\(name) \(waiting)", before: open, parent: parent, child: call.child,
            after: content)
          // A page a step: every call of more is cut.
          scenario.unitsPerTurn = 1
          scenario.hidesTheKilled = name == "kill"
          scenario.length = 5
          scenarios.append(scenario)
        }
      }
    }
    return scenarios
  }

  /// The machine after `before`: the child runs, everything is in swap if `isSwapped`. Returns who the child is.
  private func begin(_ concurrent: ConcurrentRun, isSwapped: Bool) throws(Difference) -> Int32 {
    concurrent.enqueue(
      before + (usesThread ? Self.newThread : [.call(.fork, [])]), for: Self.parentIdentifier)
    while !concurrent.isThrough(Self.parentIdentifier) {
      try concurrent.act()
      try concurrent.completeTransfer()
    }
    if isSwapped { concurrent.evict() }
    let other =
      usesThread ? concurrent.threads(of: Self.parentIdentifier).first : Self.childIdentifier
    guard let other else { throw Difference("there is no second thread") }
    concurrent.enqueue(parent, for: Self.parentIdentifier)
    concurrent.enqueue(child, for: other)
    return other
  }

  /// What process 1 sees when all is over, added to what both saw.
  private func end(_ concurrent: ConcurrentRun, _ other: Int32) throws(Difference) -> [String] {
    concurrent.enqueue(after, for: Self.parentIdentifier)
    while try concurrent.performNext(of: Self.parentIdentifier) {}
    // A killed process is gone when it has had its turn; a handler that is due runs then.
    for _ in 0..<8 { if usesThread { try concurrent.act() } else { try concurrent.tick() } }
    var outcome = concurrent.outcome(of: [Self.parentIdentifier] + (hidesTheKilled ? [] : [other]))
    if concurrent.handlerCount > 0 { outcome.append("\(concurrent.handlerCount) handlers") }
    try concurrent.finish()
    return outcome
  }

  /// Runs the scenario in the order that the digits of `order` say, everything being in swap at first and the device slow.
  /// Returns what was wrong, if anything was.
  public func run(order: Int, length: Int, allowed: Set<[String]>) -> String? {
    var configuration = HardwareConfiguration()
    configuration.frameCount = 160
    configuration.immediateTransferOneIn = 1_000_000
    configuration.unitsPerTurn = unitsPerTurn
    var run: ConcurrentRun?
    do throws(Difference) {
      let concurrent = try ConcurrentRun(configuration)
      run = concurrent
      let other = try begin(concurrent, isSwapped: true)
      var rest = order
      for _ in 0..<length {
        switch rest % 3 {
        case 0: try concurrent.act()
        case 1: try concurrent.tick()
        default: try concurrent.completeTransfer()
        }
        rest /= 3
      }
      for _ in 0..<1000 {
        if concurrent.isThrough(Self.parentIdentifier) && concurrent.isThrough(other) { break }
        try concurrent.act()
        try concurrent.completeTransfer()
      }
      let outcome = try end(concurrent, other)
      if allowed.contains(outcome) { return nil }
      return "\(name), order \(order): no order of whole actions gives \(outcome)"
    } catch {
      if let run { ConcurrentSimulation.abandon(run) }
      return "\(name), order \(order): \(error.description)"
    }
  }

  /// What the programs see in every order of whole actions.
  public func sequentialOutcomes() throws(Difference) -> Set<[String]> {
    var outcomes: Set<[String]> = []
    let count = parent.count + child.count
    for pattern in 0..<(1 << count) where pattern.nonzeroBitCount == child.count {
      let concurrent = try ConcurrentRun(HardwareConfiguration())
      do throws(Difference) {
        if let outcome = try sequentialOutcome(concurrent, pattern, count) {
          outcomes.insert(outcome)
        }
      } catch {
        ConcurrentSimulation.abandon(concurrent)
        throw error
      }
    }
    return outcomes
  }

  /// What the programs see when the bits of `pattern` say whose action is next; nil when one would have to wait for the other:
  /// it does not act in one instant then, and the order does not count.
  private func sequentialOutcome(
    _ concurrent: ConcurrentRun, _ pattern: Int, _ count: Int
  ) throws(Difference) -> [String]? {
    let other = try begin(concurrent, isSwapped: false)
    for position in 0..<count where concurrent.sleeper == nil {
      let process = pattern >> position & 1 == 1 ? other : Self.parentIdentifier
      _ = try concurrent.performNext(of: process)
    }
    if let sleeper = concurrent.sleeper {
      try concurrent.finish(by: sleeper == other ? Self.parentIdentifier : other)
      return nil
    }
    // What it did not come to while it was stopped.
    while try concurrent.performNext(of: other) {}
    return try end(concurrent, other)
  }
}
