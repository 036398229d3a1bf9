// Random actions of processes, and threads of them, that all act at once.

import ABI
import Processes

/// Draws what concurrent processes do.
public struct ConcurrentSimulation {
  private var random: SeededGenerator
  private let configuration: HardwareConfiguration
  /// The processes that have their mappings.
  private var begun: Set<Int32> = []
  /// Threads that were made besides those that processes begin with.
  private var threadCount: UInt64 = 0
  /// Whether vm.overcommit obeys RLIMIT_SWAP, and the programs are ordinary users with a limit, so that calls are refused
  /// somewhere on their way.
  private let limitsReservations: Bool
  private static let window = Program.window
  private static let path = Program.path

  /// A simulation whose machine and actions are drawn from `seed`.
  public init(seed: UInt64) {
    random = SeededGenerator(seed: seed ^ 0xC0C0)
    var configuration = HardwareConfiguration()
    configuration.seed = seed
    configuration.frameCount = 92 + random.number(below: 110)
    configuration.swapBlockCount = 800
    if seed % 3 == 1 { configuration.secondSwapBlockCount = 100 }
    if seed % 5 == 1 { configuration.compressedPageCount = 200 }
    configuration.frameCount += configuration.swapTableFrameCount
    configuration.immediateTransferOneIn = random.pick([3, 1_000_000]) ?? 3
    configuration.unitsPerTurn = seed % 2 == 0 ? 1 + Int(seed / 2 % 8) : nil
    configuration.turnNanoseconds = seed % 4 == 3 ? 1_000_000 : 0
    self.configuration = configuration
    limitsReservations = seed % 3 == 0
  }

  /// Runs `stepCount` events; what went wrong, or nil, and how many calls had been parked.
  public mutating func run(stepCount: Int) -> (problem: String?, parked: Int) {
    var run: ConcurrentRun?
    do throws(Difference) {
      let concurrent = try ConcurrentRun(configuration)
      run = concurrent
      if random.chance(oneIn: 3) {
        concurrent.machine.hardware.swap?.behaviour.readFailureOneIn = 12
      }
      while concurrent.stepCount < stepCount, concurrent.machine.report == nil {
        if random.chance(oneIn: 8) { try concurrent.tick() }
        if random.chance(oneIn: 5) { try concurrent.completeTransfer() }
        if random.chance(oneIn: 3) { concurrent.machine.hardware.processor.memoryUnit.speculate() }
        if random.chance(oneIn: 60) { concurrent.evict() }
        if let process = concurrent.running, concurrent.isBored {
          concurrent.enqueue(actions(process, concurrent.livingCount), for: process)
        }
        try concurrent.act()
      }
      try concurrent.finish()
      return (nil, concurrent.parkedCallCount)
    } catch {
      if let run { ConcurrentSimulation.abandon(run) }
      return (error.description, 0)
    }
  }

  /// A machine that went wrong cannot be taken apart safely: it is never released.
  static func abandon(_ run: ConcurrentRun) {
    // SAFETY: the extra count is never given back, on purpose.
    _ = unsafe Unmanaged.passRetained(run)
  }

  private static let objectPageCount: UInt64 = 10
  private static let anonymousPageCount: UInt64 = 20
  /// The private mapping of the object lies behind the shared one, anonymous memory behind that.
  private static let pageCount = 2 * objectPageCount + anonymousPageCount

  /// What a program begins with: the object "/a" or "/b", mapped shared and private, and private memory.
  private mutating func beginning() -> [Action] {
    let name = random.chance(oneIn: 2) ? "/a" : "/b"
    let size = Self.objectPageCount * 4096
    return [
      .store(Self.path, Array(name.utf8) + [0]),
      .call(.closeRange, [3, Self.firstEnd - 1, 0]),
      .call(.shmOpen2, [Self.path, 0x202, 0o666, 0, 0]),
      .call(.ftruncate, [3, size]),
      .call(.mmap, [Self.window, size, 3, 0x11, 3, 0]),
      .call(.mmap, [Self.window + size, size, 3, 0x12, 3, 0]),
      .call(
        .mmap,
        [Self.window + 2 * size, Self.anonymousPageCount * 4096, 3, 0x1012, UInt64(UInt32.max), 0]),
    ]
  }

  /// Nothing more than a little beyond what the beginning needs, or enough for a child or two.
  private mutating func limit() -> [Action] {
    let pages =
      random.chance(oneIn: 2) ? random.number(below: 60) : 2040 + random.number(below: 4000)
    let bytes = KernelMachine.bytes(of: UInt64(pages) * 4096)
    return [
      .store(Program.input, bytes + bytes), .call(.setrlimit, [12, Program.input]),
      .call(.setuid, [UInt64(random.number(in: 1...2))]),
    ]
  }

  /// What process 1 does first.
  private mutating func overcommit() -> [Action] {
    let name = Array("vm.overcommit".utf8)
    return [
      .store(Self.path, name), .store(Program.input, [2, 0, 0, 0]),
      .call(.sysctlbyname, [Self.path, UInt64(name.count), 0, 0, Program.input, 4]),
    ]
  }

  /// The descriptors of a pipe that those have in common who were forked since it was made.
  private static let firstEnd: UInt64 = 20
  private static let secondEnd: UInt64 = 21

  /// Process 1 makes another pipe.
  private func pipe() -> [Action] {
    [
      .call(.closefrom, [3]), .call(.pipe2, [Program.output, 0]), .call(.dup2, [3, Self.firstEnd]),
      .call(.dup2, [4, Self.secondEnd]), .call(.closeRange, [3, 4, 0]),
    ]
  }

  /// Reads and writes of the pipe, of all sizes.
  private mutating func pipeActions(_ address: UInt64) -> [Action] {
    let (one, other) =
      random.chance(oneIn: 4) ? (Self.secondEnd, Self.firstEnd) : (Self.firstEnd, Self.secondEnd)
    let size = UInt64(random.number(below: random.pick([20, 600, 9000, 70_000]) ?? 20))
    switch random.number(below: 12) {
    case 0...3: return [.call(.read, [one, address, size])]
    case 4...7: return [.call(.write, [other, address, size])]
    case 8, 9:
      let pieces = [Program.buffer, size / 3, address, size / 3, Program.buffer + 5000, size / 3]
      let number: SystemCallNumber = random.chance(oneIn: 2) ? .readv : .writev
      let descriptor = random.chance(oneIn: 3) ? 3 : number == .readv ? one : other
      return [
        .store(Program.input, pieces.flatMap { KernelMachine.bytes(of: $0) }),
        .call(number, [descriptor, Program.input, 3]),
      ]
    case 10:
      return [
        .call(
          .fcntl, [random.chance(oneIn: 2) ? one : other, 4, UInt64(random.number(below: 2) * 4)])
      ]
    default:
      return random.chance(oneIn: 3) ? [.call(.close, [one])] : [.call(.fstat, [one, address])]
    }
  }

  /// What threads of one process do with each other: begin, end, wait for words and wake, signal, and take the process over.
  private mutating func threadActions(_ actor: Int32) -> [Action] {
    let word = Program.buffer + UInt64(random.number(below: 3)) * 64
    switch random.number(below: 16) {
    case 0...3:
      threadCount += 1
      let stack = Self.window + 0x100_0000 + threadCount * 16384
      let parameters = [Program.text, 0, stack, 16384] + [UInt64](repeating: 0, count: 9)
      return [
        .call(.mmap, [stack, 16384, 3, 0x1012, UInt64(UInt32.max), 0]),
        .store(Program.input, parameters.flatMap { KernelMachine.bytes(of: $0) }),
        .call(.thrNew, [Program.input, 104]),
      ]
    case 4: return [.call(.thrExit, [0])]
    case 5, 6: return [.call(.umtxOp, [word, random.chance(oneIn: 2) ? 15 : 11, 0, 0, 0])]
    case 7, 8: return [.call(.umtxOp, [word, random.chance(oneIn: 2) ? 16 : 3, 1, 0, 0])]
    case 9: return [.call(.umtxOp, [word + 4096, random.chance(oneIn: 3) ? 6 : 5, 0, 0, 0])]
    case 10:
      let action = [Program.text, UInt64(random.number(below: 2) * 2), 0, 0]
      return [
        .store(Program.input + 128, action.flatMap { KernelMachine.bytes(of: $0) }),
        .call(.sigaction, [30, Program.input + 128, 0]),
      ]
    case 11, 12: return [.call(.thrKill, [UInt64.max, random.chance(oneIn: 4) ? 16 : 30])]
    case 13: return [.call(.kill, [UInt64(2 + random.number(below: 40)), 30])]
    case 14: return [.call(.schedYield, [])]
    default:
      guard random.chance(oneIn: 4) else { return [] }
      begun.remove(actor)
      return [
        .store(Program.path, Array("/bin/script".utf8) + [0]),
        .store(Program.input + 256, [Program.path, 0].flatMap { KernelMachine.bytes(of: $0) }),
        .call(.execve, [Program.path, Program.input + 256, Program.input + 264]),
      ]
    }
  }

  private mutating func actions(_ process: Int32, _ living: Int) -> [Action] {
    if process == 1 {
      if limitsReservations && begun.insert(process).inserted { return overcommit() }
      if begun.insert(0).inserted || random.chance(oneIn: 12) { return pipe() }
      // Who waits at a pipe that nobody else uses would wait for ever.
      if random.chance(oneIn: 10) {
        return [.call(.kill, [UInt64(2 + random.number(below: 40)), 9])]
      }
      if living < 5 { return [.call(.fork, [])] }
      // Everybody who is stopped goes on some time.
      let goOn: [Action] = random.chance(oneIn: 3) ? [.call(.kill, [UInt64.max, 19])] : []
      return goOn + [
        .call(.wait4, [UInt64(UInt32.max), Program.output, 3, 0]), .call(.schedYield, []),
      ]
    }
    // A thread has what its process has.
    if process < ProcessLimits.firstThreadIdentifier, begun.insert(process).inserted {
      return (limitsReservations ? limit() : []) + beginning()
    }
    let page = UInt64(random.number(below: Int(Self.pageCount)))
    let address = Self.window + page * 4096 + UInt64(random.number(below: 4000))
    let size = UInt64(random.number(below: Int(Self.objectPageCount) * 4096))
    switch random.number(below: 52) {
    case 32...43: return pipeActions(address)
    case 44...51: return threadActions(process)
    case 0: return beginning()
    case 1...5: return [.store(address, Operation.patternBytes(UInt8(page), count: 64))]
    case 6...9: return [.load(address)]
    case 10...14:
      // A run of pages, so that memory fills.
      return (page..<min(page + 8, Self.pageCount)).map {
        .store(Self.window + $0 * 4096, [UInt8($0)])
      }
    case 15:
      return [.call(.ftruncate, [3, random.chance(oneIn: 2) ? size : Self.objectPageCount * 4096])]
    case 16...18: return [.call(.pwrite, [3, address, UInt64(random.number(below: 20_000)), size])]
    case 19...21: return [.call(.pread, [3, address, UInt64(random.number(below: 20_000)), size])]
    case 22: return [.call(.write, [3, Program.buffer, 5000]), .call(.lseek, [3, size, 0])]
    case 23: return [.call(.munmap, [address & ~4095, 8192])]
    case 24: return living < 7 ? [.call(.fork, [])] : [.call(.schedYield, [])]
    case 25: return random.chance(oneIn: 4) ? [.call(.exit, [3])] : []
    case 26:
      // Kill, stop or continue somebody, in the middle of whatever it does.
      let target = UInt64(2 + random.number(below: 40))
      return [.call(.kill, [target, random.pick([9, 15, 17, 17, 17, 19, 19]) ?? 9])]
    case 27: return [.store(Self.path, Array("/a".utf8) + [0]), .call(.shmUnlink, [Self.path])]
    case 28: return [.call(.close, [3])]
    case 29, 30: return [.call(.fstat, [3, address])]
    default:
      return [.call(.mprotect, [address & ~4095, 8192, UInt64(random.number(below: 2) * 2 + 1)])]
    }
  }
}
