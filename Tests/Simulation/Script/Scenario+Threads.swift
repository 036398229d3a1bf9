// Scenarios of two threads of one process: memory, descriptors and programs that one of them changes under the other, signals in the
// middle of calls, and words that they wait for. A handler returns at once.

import ABI
import Processes

extension Scenario {
  /// The identifiers of the thread that process 1 begins with, and of the second.
  private static let firstThread = UInt64(ProcessLimits.firstThreadIdentifier)
  private static let secondThread = firstThread + 1
  private static let caught: Signal = .sigusr1
  /// A word, and a mutex, a lock or a semaphore; what they guard.
  private static let word = Program.buffer + 5 * 4096
  private static let one = word + 0x100
  private static let other = word + 0x200
  private static let everyOther = UInt64.max

  private static func bytes(_ words: UInt64...) -> [UInt8] {
    words.flatMap { KernelMachine.bytes(of: $0) }
  }

  /// thr_new(2): the second thread begins where the program does, on a stack of its own.
  static let newThread: [Action] = [
    .store(
      Program.input,
      bytes(Program.text, 0, Program.data + 7 * 4096, 4096) + [UInt8](repeating: 0, count: 72)),
    .call(.thrNew, [Program.input, 104]),
  ]

  /// sigaction(2)
  private static func catching(_ signal: Signal, restarts: Bool = true) -> [Action] {
    [
      .store(Program.input, bytes(Program.text, restarts ? 2 : 0, 0, 0)),
      .call(.sigaction, [UInt64(signal.rawValue), Program.input, 0]),
    ]
  }

  private static func signal(_ thread: UInt64) -> Action {
    .call(.thrKill, [thread, UInt64(caught.rawValue)])
  }

  private static func umtx(
    _ operation: UserMutexOperation, _ value: UInt64 = 0, at place: UInt64 = word
  ) -> Action {
    .call(.umtxOp, [place, UInt64(operation.rawValue), value, 0, 0])
  }

  /// All of them.
  static func threads(_ open: [Action], _ content: [Action]) -> [Scenario] {
    var scenarios = shared(open, content) + words + signals
    for (name, child) in cutCalls {
      for restarts in [true, false] {
        var scenario = Scenario(
          name: "signals in \(name), which a handler \(restarts ? "restarts" : "interrupts")",
          before: open + catching(caught, restarts: restarts),
          parent: [signal(everyOther), signal(everyOther)],
          child: child, after: content)
        scenario.unitsPerTurn = 1
        scenarios.append(scenario)
      }
    }
    for index in scenarios.indices {
      scenarios[index].usesThread = true
      scenarios[index].length = 5
    }
    return scenarios
  }

  /// Calls that are cut where a step is a page.
  private static var cutCalls: [(String, [Action])] {
    [
      ("a pwrite", [.call(.pwrite, [3, Program.buffer, 9000, 10])]),
      ("a write", [.call(.write, [3, Program.buffer, 9000])]),
      ("a pread", read(3, at: 90)),
      ("a truncate", [.call(.ftruncate, [3, 100])]),
      ("a munmap", [.call(.munmap, [Program.window, 3 * 4096])]),
      ("a fork", [.call(.fork, []), .load(Program.window + 100)]),
    ]
  }

  /// One thread changes what the other uses.
  private static func shared(_ open: [Action], _ content: [Action]) -> [Scenario] {
    let window = Program.window
    let uses: [Action] = [.load(window + 100), .store(window + 4196, [7]), .load(window + 8292)]
    let mapped = (0..<3).map { Action.load(window + $0 * 4096 + 100) }
    let kept = open + [.call(.dup2, [3, 9])]
    var execution = Scenario(
      name: "execve against a write",
      before: kept + [
        .store(Program.path, Array("/bin/script".utf8) + [0]),
        .store(Program.input + 128, bytes(Program.path, 0)),
      ],
      parent: [.call(.execve, [Program.path, Program.input + 128, Program.input + 136])],
      child: [.call(.pwrite, [9, Program.buffer, 9000, 10])],
      after: read(9, at: 0) + read(9, at: 9000))
    execution.hidesTheKilled = true
    execution.unitsPerTurn = 1
    return [
      Scenario(
        name: "faults against a mapping that takes the place", before: open,
        parent: [.call(.mmap, [window, 3 * 4096, 3, 0x1012, UInt64(UInt32.max), 0])], child: uses,
        after: content + mapped),
      Scenario(
        name: "faults against munmap", before: open + catching(.sigsegv),
        parent: [.call(.munmap, [window, 8192])],
        child: uses, after: content),
      Scenario(
        name: "faults against mprotect", before: open + catching(.sigsegv) + catching(.sigbus),
        parent: [.call(.mprotect, [window, 8192, 1]), .call(.mprotect, [window, 8192, 3])],
        child: uses, after: content),
      Scenario(
        name: "fork against a store", before: open,
        parent: [.call(.fork, []), .load(Program.buffer + 50)],
        child: [.store(Program.buffer + 50, [9]), .load(Program.buffer + 50)], after: content),
      Scenario(
        name: "close against a read", before: kept,
        parent: [.call(.close, [3]), .call(.shmOpen2, [1, 2, 0o600, 0, 0])],
        child: read(3, at: 90) + [.call(.pwrite, [3, Program.buffer, 100, 0])],
        after: read(9, at: 0)),
      execution, lookIntoRead(kept),
    ]
  }

  /// Whoever sees the first page of a read in its buffer is behind it: what it gives is what was there then.
  private static func lookIntoRead(_ open: [Action]) -> Scenario {
    let target = Program.buffer + 16384
    var scenario = Scenario(
      name: "a look into the buffer of a read, and a truncate",
      before: open + [.store(target, [9]), .store(target + 8192, [9])],
      parent: [.call(.read, [3, target, 9000])],
      child: [.load(target + 100), .call(.ftruncate, [9, 2153])], after: read(9, at: 0) + [.load(target + 4196)])
    scenario.unitsPerTurn = 1
    return scenario
  }

  /// Words of memory that threads wait for: no wake is lost, and what is guarded is never seen half done.
  private static var words: [Scenario] {
    let guarded = { (value: UInt8, lock: Action, unlock: Action) -> [Action] in
      [lock, .store(one, [value]), .store(other, [value]), unlock]
    }
    let looks: [Action] = [.load(word, byteCount: 4), .load(one), .load(other)]
    let ready: [Action] = [
      .store(word, [UInt8](repeating: 0, count: 64)), .store(one, [0]), .store(other, [0]),
    ]
    let lock = umtx(.mutexLock)
    let unlock = umtx(.mutexUnlock)
    let release = umtx(.readWriteUnlock)
    var scenarios: [Scenario] = [
      Scenario(
        name: "a wait against a wake", before: ready, parent: [umtx(.waitWord)],
        child: [.store(word, [1]), umtx(.wake, 1)], after: looks),
      Scenario(
        name: "a private wait against a wake", before: ready, parent: [umtx(.waitWordPrivate)],
        child: [.store(word, [1]), umtx(.wakePrivate, 1)], after: looks),
      Scenario(
        name: "a mutex against a mutex", before: ready, parent: guarded(1, lock, unlock),
        child: guarded(2, lock, unlock), after: looks),
      Scenario(
        name: "a writer against a reader", before: ready,
        parent: guarded(1, umtx(.writeLock), release),
        child: [umtx(.readLock), .load(one), .load(other), release], after: looks),
      Scenario(
        name: "a semaphore", before: ready, parent: [umtx(.semaphoreWait)],
        child: [.store(word, [1]), umtx(.semaphoreWake)], after: looks),
      Scenario(
        name: "thr_suspend against thr_wake", before: ready, parent: [.call(.thrSuspend, [0])],
        child: [.call(.thrWake, [firstThread])], after: []),
    ]
    for restarts in [true, false] {
      scenarios.append(
        Scenario(
          name: "a mutex that is \(restarts ? "restarted" : "interrupted") by a signal",
          before: ready + [.store(word, bytes(secondThread))]
            + catching(caught, restarts: restarts), parent: [lock],
          child: [signal(firstThread), unlock], after: looks))
    }
    return scenarios
  }

  /// Signals against calls that wait.
  private static var signals: [Scenario] {
    let target = Program.buffer + 4 * 4096
    let blocked: [Action] = [
      .store(Program.input + 0x200, bytes(1 << UInt64(caught.rawValue - 1), 0)),
      .store(Program.input + 0x240, bytes(0, 0)),
      .call(.sigprocmask, [1, Program.input + 0x200, 0]),
    ]
    return [
      Scenario(
        name: "a signal against a read that begins anew",
        before: [
          .call(.pipe2, [Program.output, 0]),
          .store(Program.buffer, [UInt8](repeating: 3, count: 300)),
        ] + catching(caught),
        parent: [.call(.read, [3, target, 400]), .load(target)],
        child: [signal(firstThread), .call(.write, [4, Program.buffer, 300])], after: []),
      Scenario(
        name: "a signal against sigsuspend", before: catching(caught) + blocked,
        parent: [.call(.sigsuspend, [Program.input + 0x240])], child: [signal(firstThread)],
        after: []),
      Scenario(
        name: "a signal against sigwait", before: catching(caught) + blocked,
        parent: [.call(.sigwait, [Program.input + 0x200, Program.output]), .load(Program.output)],
        child: [signal(firstThread)], after: []),
      Scenario(
        name: "a signal for the process against a change of masks",
        before: catching(caught) + blocked,
        parent: [.call(.sigprocmask, [2, Program.input + 0x200, 0])],
        child: [.call(.kill, [1, UInt64(caught.rawValue)]), .call(.getpid, [])], after: []),
    ]
  }
}
