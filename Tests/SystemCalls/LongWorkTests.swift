// Calls whose work has no constant bound go on in steps: others run between them, each step is small, and a process that
// is killed in the middle of one leaves nothing behind.

import ABI
import Files
import Memory
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct LongWorkTests {
  private let area: UInt64 = 0x1_0000_0000
  private let anonymous: UInt64 = .fixedPrivateMemory
  private let nobody = UInt64.max

  /// Maps `count` pages one by one, with every other one read-only so that they stay apart, and stores to those that allow.
  private func mapPages(_ kernel: TestKernel, _ count: UInt64) {
    for page in 0..<count {
      kernel.call(.mmap, area + page * 4096, 4096, 1 + page % 2 * 2, anonymous, nobody, 0)
      if page % 2 == 1 { kernel.store([1], at: area + page * 4096) }
    }
  }

  private func process(_ kernel: TestKernel, _ identifier: Int) -> Process? {
    kernel.kernel.inspectedProcesses.process(Int32(identifier))
  }

  private func writableCount(_ space: AddressSpace) -> Int {
    var count = 0
    space.inspectTables { _, _, level, entry in if level == 0 && entry & 2 != 0 { count += 1 } }
    return count
  }

  /// Lets whoever runs yield until `context` runs; calls `body` each time the other one does.
  private func yield(_ kernel: TestKernel, until context: PhysicalAddress?, _ body: () -> Void = {}) {
    for _ in 0..<10_000 where kernel.context != context {
      body()
      kernel.call(.schedYield)
    }
    #expect(kernel.context == context)
  }

  @Test func `fork copies a large address space in small steps`() throws {
    let kernel = try TestKernel(frames: 4096, unitsPerTurn: 16)
    _ = kernel.fork()
    let parent = kernel.context
    mapPages(kernel, 600)
    let space = try #require(process(kernel, 1)?.addressSpace)
    #expect(writableCount(space) >= 300)
    kernel.call(.fork)
    var steps = 0
    var entries = 0
    var writable = writableCount(space)
    yield(kernel, until: parent) {
      guard case .process(.fork(let pending)) = kernel.thread(of: 1)?.continuation else { return }
      steps += 1
      let copied = pending.space?.entryCount ?? 0
      #expect(copied - entries <= 16)
      entries = copied
      let left = writableCount(space)
      #expect(writable - left <= 16 + 8)
      writable = left
    }
    #expect(kernel.result == CallResult(value: 3, failed: false))
    #expect(steps > 30)
    let child = try #require(process(kernel, 3)?.addressSpace)
    #expect(child.entryCount == space.entryCount)
    // What is stored afterwards is the parent's own.
    kernel.store([2], at: area + 4096)
    while kernel.identifier != 3 { kernel.call(.schedYield) }
    #expect(kernel.load(area + 4096, 1) == [1])
  }

  /// Has process 2 begin what `begin` does and kills it after 0, 1, … steps of that, until it gets to the end; every time
  /// nothing may be left. `check` looks at the machine before the kill, and is told whether the end was reached.
  private func killAtEveryStep(
    atLeast stepCount: Int, frames: Int = 1024, _ begin: (TestKernel) -> Void,
    check: (TestKernel, _ isDone: Bool) -> Void = { _, _ in }
  ) throws {
    var step = 0
    var isDone = false
    while !isDone {
      let kernel = try TestKernel(frames: frames, unitsPerTurn: 4)
      _ = kernel.fork()
      let first = kernel.context
      kernel.call(.schedYield)
      let second = kernel.context
      begin(kernel)
      for _ in 0..<step where kernel.context == first { kernel.call(.schedYield) }
      isDone = kernel.context == second
      check(kernel, isDone)
      yield(kernel, until: first)
      kernel.call(.kill, UInt64.max, 9)
      let (identifier, status) = kernel.wait(2)
      #expect(identifier == 2 && status == .terminated(.sigkill))
      #expect(kernel.kernel.inspectedProcesses.pendingForkCount == 0)
      kernel.exit()
      #expect(kernel.report?.isClean == true, "step \(step): \(String(describing: kernel.report))")
      step += 1
    }
    #expect(step > stepCount)
  }

  @Test func `a process killed at any step of its fork leaves nothing`() throws {
    try killAtEveryStep(atLeast: 12, frames: 2048) { kernel in
      mapPages(kernel, 24)
      for number in 55..<75 { kernel.call(.dup2, 0, UInt64(number)) }
      kernel.call(.fork)
    }
  }

  @Test(arguments: [1, 1000]) func `a fork that cannot have its descriptors undoes itself`(unitsPerTurn: Int) throws {
    let kernel = try TestKernel(frames: 16384, unitsPerTurn: unitsPerTurn)
    for number in 1...12 { kernel.call(.dup2, 0, UInt64(number * 70)) }
    var number: UInt32 = 1
    while true {
      kernel.hardware.services.failures.fail(.frame, number: number)
      let result = try #require(kernel.call(.fork))
      kernel.hardware.services.failures.disarm()
      if !result.failed { break }
      #expect(result.errno == .enomem)
      #expect(kernel.kernel.inspectedFiles.counts.tables == 1)
      #expect(kernel.kernel.inspectedProcesses.processCount == 1)
      number += 1
    }
    #expect(number > 3)
    kernel.exit()
    #expect(kernel.report?.isClean == true, "\(String(describing: kernel.report))")
  }

  @Test func `munmap of a large range is cut`() throws {
    let kernel = try TestKernel(frames: 4096, unitsPerTurn: 16)
    _ = kernel.fork()
    let parent = kernel.context
    kernel.call(.mmap, area, 1000 * 4096, 3, anonymous, nobody, 0)
    // (Holes, so that no leaf maps 2 MiB.)
    for page in 0..<UInt64(1000) where page % 256 != 255 { kernel.store([1], at: area + page * 4096) }
    let space = try #require(process(kernel, 1)?.addressSpace)
    var resident = space.residentPageCount
    let begin = resident
    var steps = 0
    kernel.call(.munmap, area, 1000 * 4096)
    yield(kernel, until: parent) {
      steps += 1
      #expect(resident - space.residentPageCount <= 16 + 8)
      resident = space.residentPageCount
    }
    #expect(steps > 40)
    #expect(kernel.result == CallResult(value: 0, failed: false))
    #expect(begin - space.residentPageCount == 997)
  }

  @Test(arguments: [false, true]) func `empty tables take their share of a step`(forks: Bool) throws {
    let kernel = try TestKernel(frames: 4096, unitsPerTurn: 16)
    _ = kernel.fork()
    let parent = kernel.context
    let reach: UInt64 = 2 << 20
    kernel.call(.mmap, area, 400 * reach, 3, anonymous, nobody, 0)
    for table in 0..<UInt64(400) { kernel.store([1], at: area + table * reach) }
    // The translations go, the tables stay.
    kernel.call(.mprotect, area, 400 * reach, 0)
    yield(kernel, until: parent)
    var steps = 0
    if forks { kernel.call(.fork) } else { kernel.call(.munmap, area, 400 * reach) }
    yield(kernel, until: parent) { steps += 1 }
    #expect(kernel.result == CallResult(value: forks ? 3 : 0, failed: false))
    #expect(steps >= 400 / 20)
  }

  @Test func `a mapping over a large range is cut and all or nothing`() throws {
    try killAtEveryStep(atLeast: 8) { kernel in
      mapPages(kernel, 40)
      kernel.call(.mmap, area, 40 * 4096, 3, anonymous, nobody, 0)
    } check: { kernel, isDone in
      guard isDone else { return }
      #expect(kernel.result == CallResult(value: area, failed: false))
      for page in 0..<UInt64(40) { #expect(kernel.load(area + page * 4096, 1) == [0]) }
      #expect(kernel.store([7], at: area))
    }
  }

  @Test func `mprotect of a large range is cut`() throws {
    let kernel = try TestKernel(frames: 4096, unitsPerTurn: 16)
    _ = kernel.fork()
    let parent = kernel.context
    kernel.call(.mmap, area, 1000 * 4096, 3, anonymous, nobody, 0)
    // (Holes, so that no leaf maps 2 MiB.)
    for page in 0..<UInt64(1000) where page % 256 != 255 { kernel.store([1], at: area + page * 4096) }
    let space = try #require(process(kernel, 1)?.addressSpace)
    for protection in [1, 0] as [UInt64] {
      var count = protection == 1 ? writableCount(space) : space.residentPageCount
      let begin = count
      var steps = 0
      kernel.call(.mprotect, area, 1000 * 4096, protection)
      yield(kernel, until: parent) {
        steps += 1
        let left = protection == 1 ? writableCount(space) : space.residentPageCount
        #expect(count - left <= 16 + 8)
        count = left
      }
      #expect(steps > 40)
      #expect(kernel.result == CallResult(value: 0, failed: false))
      #expect(begin - (protection == 1 ? writableCount(space) : space.residentPageCount) == 997)
    }
    kernel.call(.mprotect, area, 1000 * 4096, 3)
    #expect(kernel.load(area + 999 * 4096, 1) == [1])
  }

  @Test func `mprotect is all or nothing and reserves what becomes writable`() throws {
    var reserved: UInt64 = 0
    try killAtEveryStep(atLeast: 8) { kernel in
      let second = kernel.context
      mapPages(kernel, 40)
      // A mapping behind them that must not become writable: nothing may change.
      kernel.call(.mmap, area + 40 * 4096, 4096, 1 | 1 << 16, anonymous, nobody, 0)
      reserved = kernel.hardware.system.accounting.reserved
      kernel.call(.mprotect, area, 41 * 4096, 3)
      yield(kernel, until: second)
      #expect(kernel.result.errno == .eacces)
      #expect(kernel.hardware.system.accounting.reserved == reserved)
      kernel.call(.mprotect, area, 40 * 4096, 3)
    } check: { kernel, isDone in
      let system = kernel.hardware.system
      guard isDone else {
        #expect(system.accounting.reserved <= reserved + 20)
        return
      }
      #expect(kernel.result == CallResult(value: 0, failed: false))
      #expect(system.accounting.reserved == reserved + 20)
      for page in 0..<UInt64(40) { #expect(kernel.store([7], at: area + page * 4096)) }
    }
  }

  @Test func `a mapping that is being made keeps stores from being sealed`() throws {
    let kernel = try TestKernel(frames: 4096, unitsPerTurn: 16)
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 1, 0)
    kernel.call(.ftruncate, 3, 400 * 4096)
    _ = kernel.fork()
    let parent = kernel.context
    mapPages(kernel, 400)
    kernel.call(.mmap, area, 400 * 4096, .readWrite, .fixedSharedFile, 3, 0)
    var steps = 0
    yield(kernel, until: parent) {
      steps += 1
      #expect(kernel.call(.fcntl, 3, 19, 8)?.errno == .ebusy)
    }
    #expect(steps > 10)
    #expect(kernel.result == CallResult(value: area, failed: false))
    #expect(kernel.call(.fcntl, 3, 19, 8)?.errno == .ebusy)
    kernel.call(.munmap, area, 400 * 4096)
    while kernel.context == parent { kernel.call(.schedYield) }
    yield(kernel, until: parent)
    #expect(kernel.call(.fcntl, 3, 19, 8) == CallResult(value: 0, failed: false))
  }

  @Test func `a mapping that is never made counts no more`() throws {
    let kernel = try TestKernel(frames: 4096, unitsPerTurn: 16)
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 1, 0)
    kernel.call(.ftruncate, 3, 400 * 4096)
    _ = kernel.fork()
    let first = kernel.context
    kernel.call(.schedYield)
    mapPages(kernel, 400)
    kernel.call(.mmap, area, 400 * 4096, .readWrite, .fixedSharedFile, 3, 0)
    #expect(kernel.context == first)
    #expect(kernel.call(.fcntl, 3, 19, 8)?.errno == .ebusy)
    kernel.call(.kill, 2, 9)
    _ = kernel.wait(2)
    #expect(kernel.call(.fcntl, 3, 19, 8) == CallResult(value: 0, failed: false))
  }

  @Test func `marking many descriptors is cut`() throws {
    let kernel = try TestKernel(frames: 16384, unitsPerTurn: 1)
    _ = kernel.fork()
    let parent = kernel.context
    for number in 0..<80 { kernel.call(.dup2, 0, UInt64(number * 10 + 5)) }
    kernel.call(.closeRange, 6, 700, 4)
    var steps = 0
    yield(kernel, until: parent) { steps += 1 }
    #expect(steps >= 10)
    #expect(kernel.result == CallResult(value: 0, failed: false))
    for number in 0..<80 {
      let descriptor = UInt64(number * 10 + 5)
      #expect(kernel.call(.fcntl, descriptor, 1, 0)?.value == (descriptor > 5 && descriptor <= 700 ? 1 : 0))
    }
  }

  @Test func `the kernel comes back for interrupts while nobody else is ready`() throws {
    let kernel = try TestKernel(frames: 8192)
    let pages: UInt64 = 6000
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    kernel.call(.ftruncate, 3, pages * 4096)
    kernel.call(.mmap, area, pages * 4096, .readWrite, .fixedSharedFile, 3, 0)
    for page in 0..<pages { kernel.store([1], at: area + page * 4096) }
    kernel.call(.close, 3)
    // Nothing here may keep the address space: at -O the kernel can end before what refers to its parts.
    func residentPageCount() -> Int { process(kernel, 1)?.addressSpace?.residentPageCount ?? 0 }
    let system = kernel.hardware.system
    var (resident, free) = (residentPageCount(), system.freeFrameCount)
    let count = kernel.returnCount
    kernel.betweenReturns = {
      #expect(resident - residentPageCount() <= 16 * 600)
      #expect(system.freeFrameCount - free <= 16 * 600)
      resident = residentPageCount()
      free = system.freeFrameCount
    }
    kernel.call(.munmap, area, pages * 4096)
    #expect(kernel.returnCount > count)
    kernel.betweenReturns = nil
    #expect(kernel.result == CallResult(value: 0, failed: false))
  }

  // MARK: Giving back

  @Test func `what is being given back is waited for and not refused`() throws {
    let kernel = try TestKernel(frames: 1024)
    let system = kernel.hardware.system
    _ = kernel.fork()
    let parent = kernel.context
    kernel.call(.schedYield)
    let child = kernel.context
    kernel.call(.mmap, area, 2000 * 4096, 3, anonymous, nobody, 0)
    var page: UInt64 = 0
    while system.freeFrameCount > system.reserveFrameCount + 4 {
      kernel.store([1], at: area + page * 4096)
      page += 1
    }
    // Refused while the child has it all …
    yield(kernel, until: parent)
    var isRefused = false
    for _ in 0..<200 where !isRefused {
      isRefused = kernel.call(.mmap, area, 4096, 3, anonymous, nobody, 0)?.errno == .enomem
    }
    #expect(isRefused)
    yield(kernel, until: child)
    kernel.exit()
    // … and given once it is about to go.
    #expect(kernel.context == parent && kernel.kernel.inspectedProcesses.isGivingBack)
    #expect(kernel.call(.mmap, area, 4096, 3, anonymous, nobody, 0)?.failed == false)
  }

  @Test func `who releases much works it off while others run`() throws {
    let kernel = try TestKernel(frames: 8192)
    let system = kernel.hardware.system
    _ = kernel.fork()
    let parent = kernel.context
    kernel.call(.mmap, area, 4000 * 4096, 3, anonymous, nobody, 0)
    for page in 0..<UInt64(4000) { kernel.store([1], at: area + page * 4096) }
    let before = system.freeFrameCount
    kernel.call(.munmap, area, 4000 * 4096)
    var steps = 0
    yield(kernel, until: parent) {
      steps += 1
      // Others owe nothing for it.
      let free = system.freeFrameCount
      #expect(kernel.call(.getppid)?.value == 1)
      #expect(system.freeFrameCount - free <= 16)
    }
    #expect(steps > 10)
    #expect(system.freeFrameCount >= before + 4000)
    #expect(!system.hasTeardown)
  }

  @Test func `a process that was waited for has given everything back`() throws {
    let kernel = try TestKernel(frames: 8192)
    let system = kernel.hardware.system
    let before = system.freeFrameCount
    let child = kernel.fork()
    _ = kernel.wait(child) {
      kernel.call(.mmap, area, 4000 * 4096, 3, anonymous, nobody, 0)
      for page in 0..<UInt64(4000) { kernel.store([1], at: area + page * 4096) }
      kernel.exit()
    }
    #expect(!system.hasTeardown)
    #expect(system.freeFrameCount > before - 64)
  }

  @Test func `a signal to many is cut and reaches those who are made meanwhile`() throws {
    let kernel = try TestKernel(frames: 16384, maximumProcessCount: 400)
    let parent = kernel.context
    for _ in 0..<200 { _ = kernel.fork() }
    kernel.call(.kill, UInt64.max, 9)
    var count = 0
    yield(kernel, until: parent) {
      count += 1
      if kernel.call(.fork)?.failed == true { count = 0 }
    }
    #expect(count > 0)
    #expect(kernel.result == CallResult(value: 0, failed: false))
    kernel.kernel.inspectedProcesses.inspectProcesses { process in
      let isDoomed = process.state != .running || process.pendingSignals.contains(.sigkill)
      #expect(isDoomed || process.identifier == 1)
    }
  }
}
