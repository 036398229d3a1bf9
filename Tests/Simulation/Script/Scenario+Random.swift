// Scenarios of two threads of one process that are drawn from a seed: something long, cut into the smallest steps, while the other
// thread does something, too. What both see, and what is there afterwards, must be what some order of whole actions gives.

import ABI

extension Scenario {
  /// What two threads do at the same time, drawn from a seed.
  public static func drawn(seed: UInt64) -> Scenario {
    var random = SeededGenerator(seed: seed ^ 0x5CE0)
    let isOfMemory = random.chance(oneIn: 2)
    var long = isOfMemory ? [longOfMemory(&random)] : [longOfFile(&random)]
    if random.chance(oneIn: 3) { long.append(isOfMemory ? short(&random) : shortOfFile(&random)) }
    var other: [[Action]] = []
    for _ in 0...random.number(below: 2) {
      if random.chance(oneIn: 3) {
        other.append(isOfMemory ? longOfMemory(&random) : longOfFile(&random))
      } else {
        other.append(isOfMemory ? short(&random) : shortOfFile(&random))
      }
    }
    // A signal that comes while a program is executed has no handler any more.
    func leaveOutSignals(_ actions: [[Action]]) -> [Action] {
      actions.flatMap { $0 }.filter { action in
        if case .call(let number, _) = action { number != .kill && number != .thrKill } else { true }
      }
    }
    // Who ends the process, or executes a program, does nothing afterwards.
    let ends = random.chance(oneIn: 6)
    let last: [Action] = ends ? [random.chance(oneIn: 2) ? .call(.exit, [0]) : execution] : []
    let isOfFirst = random.chance(oneIn: 2) || last == [execution]
    if ends { (long, other) = ([leaveOutSignals(long)], [leaveOutSignals(other)]) }
    let first = (isOfFirst ? long : other).flatMap { $0 } + (isOfFirst ? last : [])
    let second = (isOfFirst ? other : long).flatMap { $0 } + (isOfFirst ? [] : last)
    var scenario = Scenario(
      name: "two threads of seed \(seed)", before: preparation(&random), parent: Array(first.prefix(4)),
      child: Array(second.prefix(4)), after: ends ? [] : lookAround)
    scenario.usesThread = true
    scenario.unitsPerTurn = 1 + random.number(below: 3)
    scenario.hidesTheKilled = ends
    return scenario
  }

  /// Runs the scenario in so many orders of steps; what was wrong, if anything was.
  public func problem(orderCount: Int, seed: UInt64) -> String? {
    guard let allowed = try? sequentialOutcomes() else { return "\(name) fails even in order" }
    var random = SeededGenerator(seed: seed ^ 0x0DE5)
    for _ in 0..<orderCount {
      // Steps that let the device complete are rarer than those of the threads.
      var order = 0
      for _ in 0..<Self.drawnLength { order = order * 3 + (random.pick([0, 0, 0, 1, 1, 2]) ?? 0) }
      if let problem = run(order: order, length: Self.drawnLength, allowed: allowed) {
        return "\(problem)\nfirst: \(parent)\nsecond: \(child)"
      }
    }
    return nil
  }

  /// Steps of an order.
  private static let drawnLength = 12
  private static let pages: UInt64 = 3
  /// An object of three pages on descriptors 3 and 9, mapped at the window, and private memory behind that.
  private static let shared = Program.window
  private static let own = Program.window + 0x10000

  private static func preparation(_ random: inout SeededGenerator) -> [Action] {
    var actions: [Action] = [
      .store(Program.path, Array("/a".utf8) + [0]), .call(.shmOpen2, [Program.path, 0x202, 0o666, 0, 0]),
      .call(.ftruncate, [3, pages * 4096]), .call(.dup2, [3, 9]),
      .call(.mmap, [shared, pages * 4096, 3, 0x11, 3, 0]),
      .call(.mmap, [own, pages * 4096, 3, 0x1012, UInt64(UInt32.max), 0]),
    ]
    for page in 0..<pages {
      actions += [.store(shared + page * 4096 + 100, [1, 2]), .store(own + page * 4096 + 100, [3, 4])]
    }
    for signal in [30, 10, 11] as [UInt64] {
      let action = [Program.text, random.chance(oneIn: 2) ? 2 : 0, 0, 0].flatMap { KernelMachine.bytes(of: $0) }
      actions += [.store(Program.input, action), .call(.sigaction, [signal, Program.input, 0])]
    }
    return actions + [
      .store(Program.path, Array("/bin/script".utf8) + [0]),
      .store(Program.input + 128, KernelMachine.bytes(of: Program.path) + KernelMachine.bytes(of: UInt64(0))),
    ]
  }

  private static let execution = Action.call(.execve, [Program.path, Program.input + 128, Program.input + 136])

  /// What is there when both are through.
  private static var lookAround: [Action] {
    var actions = read(9, at: 0)
    actions += [.call(.fstat, [9, Program.output]), .load(Program.output + 112, byteCount: 8)]
    for page in 0..<pages {
      actions.append(.load(shared + page * 4096 + 100))
      actions.append(.load(own + page * 4096 + 100))
    }
    return actions
  }

  private static func longOfMemory(_ random: inout SeededGenerator) -> [Action] {
    let start = random.chance(oneIn: 2) ? shared : own
    let size = UInt64(random.number(in: 2...3)) * 4096
    return switch random.number(below: 8) {
    case 0, 1: [.call(.munmap, [start, size])]
    case 2: [.call(.mprotect, [start, size, 1])]
    case 3: [.call(.mmap, [start, size, 3, 0x1012, UInt64(UInt32.max), 0])]
    case 4, 5: [.call(.fork, [])]
    case 6: [.call(.mlock, [start, size])]
    default: [.call(.mmap, [start, size, 3, 0x11, 9, 0])]
    }
  }

  private static func short(_ random: inout SeededGenerator) -> [Action] {
    let page = UInt64(random.number(below: 3)) * 4096
    let start = random.chance(oneIn: 2) ? shared : own
    return switch random.number(below: 9) {
    case 0, 1: [.load(start + page + 100)]
    case 2, 3: [.store(start + page + 100, [UInt8(random.number(below: 200))])]
    case 4: [.call(.munmap, [start + page, 4096])]
    case 5: [.call(.thrKill, [UInt64.max, 30])]
    case 6: [.call(.kill, [1, 30])]
    case 7: [.call(.mprotect, [start + page, 4096, 3])]
    default: [.call(.close, [3])]
    }
  }

  private static func longOfFile(_ random: inout SeededGenerator) -> [Action] {
    switch random.number(below: 6) {
    case 0: [.call(.ftruncate, [9, UInt64(random.number(below: 9000))])]
    case 1: [.call(.pwrite, [9, Program.buffer, 9000, 10])]
    case 2: [.call(.write, [9, Program.buffer, 8200])]
    case 3: [.call(.pread, [9, Program.buffer + 16384, 9000, 50]), .load(Program.buffer + 16384 + 50, byteCount: 8)]
    case 4: [.call(.read, [9, Program.buffer + 16384, 9000])]
    default: [.call(.fork, [])]
    }
  }

  private static func shortOfFile(_ random: inout SeededGenerator) -> [Action] {
    switch random.number(below: 8) {
    case 0: [.call(.ftruncate, [9, 12288])]
    case 1: [.call(.lseek, [9, UInt64(random.number(below: 5000)), UInt64(random.number(below: 2))])]
    case 2: [.call(.close, [3])]
    case 3: [.call(.pwrite, [3, Program.buffer + 100, 3, UInt64(random.number(below: 9000))])]
    case 4: [.call(.thrKill, [UInt64.max, 30])]
    case 5: [.call(.dup2, [2, 3])]
    case 6: [.call(.fcntl, [9, 3])]
    default: [.call(.kill, [1, 30])]
    }
  }
}
