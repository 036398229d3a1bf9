// Several threads in one process: how they end, stop and go on together, and change the map one after the other. There is no
// call yet that makes one, so the test does.

import ABI
import Files
import Memory
import Primitives
import Processes
import Testing

@testable import SystemCalls

@Suite struct ThreadTests {
  private let area: UInt64 = 0x1_0000_0000
  private let anonymous: UInt64 = 0x1012
  private let nobody = UInt64.max

  /// Makes a thread of the current process that goes on like the current one, ready.
  private func addThread(_ kernel: TestKernel) throws -> Thread {
    let processes = kernel.kernel.inspectedProcesses
    let process = try #require(processes.currentProcess)
    let thread = try processes.makeThread(process, like: try #require(processes.current))
    processes.begin(thread, madeBy: try #require(processes.current))
    return thread
  }

  /// Lets the others run until it is the turn of a thread.
  private func run(_ kernel: TestKernel, _ thread: Thread) {
    for _ in 0..<200 where kernel.context != thread.record.address { kernel.call(.schedYield) }
    #expect(kernel.context == thread.record.address, "the thread does not run")
  }

  private func expectSound(_ kernel: TestKernel, _ location: SourceLocation = #_sourceLocation) {
    guard let violation = kernel.kernel.inspect() else { return }
    Issue.record("inspection: \(violation.message) (\(violation.detail))", sourceLocation: location)
  }

  private func process(_ kernel: TestKernel, _ identifier: Int32) -> Process? {
    kernel.kernel.inspectedProcesses.process(identifier)
  }

  /// A child of process 1 with so many threads, one of which has the processor; the identifiers of the child's threads.
  private func makeThreads(_ kernel: TestKernel, _ count: Int) throws -> [Thread] {
    let parent = kernel.context
    _ = kernel.fork()
    kernel.call(.wait4, nobody, TestKernel.data + 0x800, 0, 0)
    #expect(kernel.context != parent)
    var threads = [try #require(kernel.thread(of: 2))]
    for _ in 1..<count { threads.append(try addThread(kernel)) }
    #expect(process(kernel, 2)?.threadCount == count)
    return threads
  }

  private func exitThread(_ kernel: TestKernel) throws {
    let processes = kernel.kernel.inspectedProcesses
    processes.exitThread(try #require(processes.current), try #require(processes.currentProcess))
    kernel.advance()
  }

  private func status(_ kernel: TestKernel) -> WaitStatus {
    WaitStatus(rawValue: Int32(truncatingIfNeeded: kernel.loadWord(TestKernel.data + 0x800)))
  }

  @Test func `a process ends with its last thread`() throws {
    let kernel = try TestKernel()
    let parent = kernel.context
    let threads = try makeThreads(kernel, 3)
    var identifiers: Set<UInt64> = []
    for thread in threads {
      run(kernel, thread)
      kernel.call(.thrSelf, TestKernel.data)
      identifiers.insert(kernel.loadWord(TestKernel.data))
      #expect(kernel.identifier == 2)
      #expect(process(kernel, 2)?.state == .running)
      try exitThread(kernel)
    }
    #expect(identifiers.count == 3)
    for _ in 0..<10 where kernel.context != parent { kernel.advance() }
    #expect(kernel.context == parent && kernel.result == CallResult(value: 2, failed: false))
    #expect(status(kernel) == .exited(0))
  }

  @Test func `exit ends every thread, whatever it is in the middle of`() throws {
    let kernel = try TestKernel(unitsPerTurn: 4)
    let parent = kernel.context
    let threads = try makeThreads(kernel, 5)
    run(kernel, threads[0])
    kernel.storeWord(1000, at: TestKernel.data)
    kernel.storeWord(0, at: TestKernel.data + 8)
    kernel.call(.nanosleep, TestKernel.data, 0)
    run(kernel, threads[1])
    kernel.perform(UInt64(SystemCallNumber.read.rawValue), [0, TestKernel.data, 1])
    run(kernel, threads[2])
    kernel.call(.mmap, area, 100 * 4096, 3, anonymous, nobody, 0)
    for page in 0..<UInt64(100) { kernel.store([1], at: area + page * 4096) }
    kernel.perform(UInt64(SystemCallNumber.munmap.rawValue), [area, 100 * 4096])
    #expect(kernel.context != threads[2].record.address)
    run(kernel, threads[3])
    kernel.perform(UInt64(SystemCallNumber.fork.rawValue), [])
    run(kernel, threads[4])
    kernel.call(.exit, 7)
    for _ in 0..<200 where kernel.context != parent { kernel.advance() }
    #expect(kernel.context == parent && kernel.result == CallResult(value: 2, failed: false))
    #expect(status(kernel) == .exited(7))
    expectSound(kernel)
  }

  @Test func `a killed process loses every thread`() throws {
    let kernel = try TestKernel()
    let parent = kernel.context
    let threads = try makeThreads(kernel, 4)
    run(kernel, threads[1])
    kernel.perform(UInt64(SystemCallNumber.read.rawValue), [0, TestKernel.data, 1])
    run(kernel, threads[2])
    kernel.call(.kill, 2, 9)
    for _ in 0..<200 where kernel.context != parent { kernel.advance() }
    #expect(kernel.context == parent && status(kernel) == .terminated(.sigkill))
    expectSound(kernel)
  }

  @Test func `a stop is told once all threads have stopped, and all go on together`() throws {
    let kernel = try TestKernel(unitsPerTurn: 4)
    let first = kernel.context
    _ = kernel.fork()
    kernel.call(.schedYield)
    #expect(kernel.context != first && kernel.identifier == 2)
    let threads = [try #require(kernel.thread(of: 2)), try addThread(kernel), try addThread(kernel)]
    run(kernel, threads[0])
    kernel.call(.mmap, area, 100 * 4096, 3, anonymous, nobody, 0)
    for page in 0..<UInt64(100) { kernel.store([1], at: area + page * 4096) }
    // One thread is in the middle of a change of the map, which goes on to its end first.
    kernel.perform(UInt64(SystemCallNumber.munmap.rawValue), [area, 100 * 4096])
    for _ in 0..<10 where kernel.context != first { kernel.call(.schedYield) }
    #expect(kernel.context == first)
    kernel.call(.kill, 2, 17)
    let child = try #require(process(kernel, 2))
    #expect(threads.map(\.isSuspended) == [false, true, true])
    #expect(kernel.call(.wait4, 2, 0, 1 | 2, 0)?.integer == 0)
    for _ in 0..<100 where threads.contains(where: { !$0.isSuspended }) { kernel.call(.schedYield) }
    #expect(threads.allSatisfy { $0.isSuspended && $0.continuation.isNone })
    #expect(kernel.call(.wait4, 2, 0, 1 | 2, 0)?.integer == 2)
    #expect(kernel.call(.wait4, 2, 0, 1 | 2, 0)?.integer == 0)
    expectSound(kernel)
    kernel.call(.kill, 2, 19)
    #expect(threads.allSatisfy { !$0.isSuspended } && !child.isStopped)
    for thread in threads { run(kernel, thread) }
    expectSound(kernel)
  }

  @Test func `a program that is executed has one thread`() throws {
    let kernel = try TestKernel()
    let threads = try makeThreads(kernel, 4)
    run(kernel, threads[1])
    kernel.perform(UInt64(SystemCallNumber.read.rawValue), [0, TestKernel.data, 1])
    run(kernel, threads[2])
    let survivor = threads[2]
    _ = kernel.execute()
    for _ in 0..<100 where !(process(kernel, 2)?.hasExecuted ?? true) { kernel.advance() }
    let child = try #require(process(kernel, 2))
    #expect(child.hasExecuted && child.threadCount == 1)
    #expect(kernel.kernel.inspectedProcesses.firstThread(of: child) === survivor)
    expectSound(kernel)
  }

  @Test func `a child has one thread, and the parent keeps its own`() throws {
    let kernel = try TestKernel()
    let threads = try makeThreads(kernel, 3)
    run(kernel, threads[1])
    let child = kernel.fork()
    #expect(child == 3 && process(kernel, 3)?.threadCount == 1 && process(kernel, 2)?.threadCount == 3)
    expectSound(kernel)
  }

  /// What needs the map while another thread changes it.
  private enum Want: CaseIterable {
    case fault, map, protect, fork
  }

  @Test(arguments: Want.allCases)
  private func `while one thread changes the map in steps, another's change or fault waits`(want: Want) throws {
    let kernel = try TestKernel(unitsPerTurn: 4)
    let threads = try makeThreads(kernel, 3)
    run(kernel, threads[0])
    kernel.call(.mmap, area, 400 * 4096, 3, anonymous, nobody, 0)
    for page in 0..<UInt64(400) { kernel.store([1], at: area + page * 4096) }
    kernel.call(.mmap, area + 0x100_0000, 4096, 3, anonymous, nobody, 0)
    kernel.perform(UInt64(SystemCallNumber.munmap.rawValue), [area, 400 * 4096])
    let space = try #require(process(kernel, 2)?.addressSpace)
    run(kernel, threads[1])
    #expect(space.editor == threads[0].identifier)
    switch want {
    case .fault: kernel.touch(area + 0x100_0000)
    case .map: kernel.perform(UInt64(SystemCallNumber.mmap.rawValue), [area, 4096, 3, anonymous, nobody, 0])
    case .protect: kernel.perform(UInt64(SystemCallNumber.mprotect.rawValue), [area + 0x100_0000, 4096, 1])
    case .fork: kernel.perform(UInt64(SystemCallNumber.fork.rawValue), [])
    }
    // It waits while the third thread lets the change go on step by step, until that is complete.
    var stepCount = 0
    while space.editor == threads[0].identifier, stepCount < 1000 {
      #expect(kernel.context == threads[2].record.address)
      expectSound(kernel)
      kernel.call(.schedYield)
      stepCount += 1
    }
    #expect(stepCount > 10 && stepCount < 1000)
    run(kernel, threads[1])
    switch want {
    case .fault: #expect(kernel.load(area + 0x100_0000, 1) == [0])
    case .map: #expect(kernel.register(0) == area)
    case .protect: #expect(kernel.register(0) == 0)
    case .fork: #expect(kernel.register(0) == 3)
    }
    expectSound(kernel)
  }

  @Test func `the lock on the map goes with the thread that had it`() throws {
    let kernel = try TestKernel(unitsPerTurn: 4)
    let threads = try makeThreads(kernel, 2)
    run(kernel, threads[0])
    // What execve reads must be there without a fault, which would wait.
    kernel.store([0], at: TestKernel.data + 0x100)
    kernel.call(.mmap, area, 100 * 4096, 3, anonymous, nobody, 0)
    for page in 0..<UInt64(100) { kernel.store([1], at: area + page * 4096) }
    kernel.perform(UInt64(SystemCallNumber.munmap.rawValue), [area, 100 * 4096])
    #expect(process(kernel, 2)?.addressSpace?.editor == threads[0].identifier)
    run(kernel, threads[1])
    // Executing a program ends the other in the middle of its change.
    _ = kernel.execute()
    for _ in 0..<200 where !(process(kernel, 2)?.hasExecuted ?? true) { kernel.advance() }
    #expect(process(kernel, 2)?.threadCount == 1 && process(kernel, 2)?.addressSpace?.editor == 0)
    expectSound(kernel)
  }

  @Test func `two threads that leave at the same time end the process`() throws {
    let kernel = try TestKernel()
    let parent = kernel.context
    let threads = try makeThreads(kernel, 2)
    let processes = kernel.kernel.inspectedProcesses
    let child = try #require(process(kernel, 2))
    for thread in threads { processes.exitThread(thread, child) }
    for _ in 0..<10 where kernel.context != parent { kernel.advance() }
    #expect(kernel.context == parent && kernel.result == CallResult(value: 2, failed: false))
    #expect(status(kernel) == .exited(0))
  }

  @Test func `of a killed process only the threads that wait for frames are cut short`() throws {
    let kernel = try TestKernel(unitsPerTurn: 4)
    let parent = kernel.context
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 1, 0)
    kernel.call(.ftruncate, 3, 400 * 4096)
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 1, 0)
    kernel.call(.ftruncate, 4, 400 * 4096)
    kernel.call(.mmap, area, 400 * 4096, 3, 0x11, 3, 0)
    for page in 0..<UInt64(400) { kernel.store([1], at: area + page * 4096) }
    let threads = try makeThreads(kernel, 3)
    run(kernel, threads[0])
    kernel.perform(UInt64(SystemCallNumber.ftruncate.rawValue), [3, 4096])
    run(kernel, threads[1])
    kernel.perform(UInt64(SystemCallNumber.pwrite.rawValue), [4, area, 4096 * 300, 0])
    #expect(threads[0].continuation.outlastsKill && threads[1].continuation.outlastsKill)
    let processes = kernel.kernel.inspectedProcesses
    processes.post(.sigkill, to: try #require(process(kernel, 2)))
    // It has tried again since, and there is no frame.
    processes.scheduler.remove(threads[1].slot)
    processes.park(threads[1], on: .frames)
    #expect(processes.endKilledWaiter())
    #expect(!processes.endKilledWaiter())
    for _ in 0..<1000 where kernel.context != parent { kernel.advance() }
    #expect(kernel.context == parent && status(kernel) == .terminated(.sigkill))
    // The shrinking has come to its end, so that there can be another.
    kernel.call(.fstat, 3, TestKernel.data + 0x400)
    #expect(kernel.loadWord(TestKernel.data + 0x400 + 112) == 4096)
    #expect(kernel.call(.ftruncate, 3, 0) == CallResult(value: 0, failed: false))
    expectSound(kernel)
  }

  @Test func `a stop in the middle of an execve is told, and holds nobody back who ends`() throws {
    let kernel = try TestKernel()
    let first = kernel.context
    _ = kernel.fork()
    kernel.call(.schedYield)
    let threads = [try #require(kernel.thread(of: 2)), try addThread(kernel)]
    run(kernel, threads[0])
    kernel.perform(UInt64(SystemCallNumber.read.rawValue), [0, TestKernel.data, 1])
    run(kernel, threads[1])
    let processes = kernel.kernel.inspectedProcesses
    let child = try #require(process(kernel, 2))
    #expect(processes.becomeOnlyThread(threads[1], of: child) != nil)
    processes.post(.sigstop, to: child)
    for _ in 0..<100 where child.threadCount > 1 || kernel.context != first {
      if kernel.context == first { kernel.call(.schedYield) } else { kernel.advance() }
    }
    #expect(child.threadCount == 1 && child.isStopped)
    #expect(kernel.call(.wait4, 2, 0, 1 | 2, 0)?.integer == 2)
    expectSound(kernel)
    kernel.call(.kill, 2, 9)
  }

  @Test func `what is replaced in steps is there before and after`() throws {
    let kernel = try TestKernel(unitsPerTurn: 4)
    let threads = try makeThreads(kernel, 4)
    run(kernel, threads[0])
    kernel.store([0], at: TestKernel.data)
    kernel.call(.mmap, area, 400 * 4096, 3, anonymous, nobody, 0)
    for page in 0..<UInt64(400) { kernel.store([1], at: area + page * 4096) }
    kernel.perform(UInt64(SystemCallNumber.mmap.rawValue), [area, 400 * 4096, 3, anonymous, nobody, 0])
    let space = try #require(process(kernel, 2)?.addressSpace)
    for _ in 0..<10 { kernel.call(.schedYield) }
    run(kernel, threads[1])
    #expect(space.editor == threads[0].identifier)
    kernel.touch(area)
    #expect(kernel.context != threads[1].record.address)
    run(kernel, threads[2])
    kernel.perform(UInt64(SystemCallNumber.mincore.rawValue), [area, 400 * 4096, TestKernel.data])
    for _ in 0..<2000 where space.editor == threads[0].identifier { kernel.call(.schedYield) }
    run(kernel, threads[1])
    #expect(kernel.load(area, 1) == [0])
    run(kernel, threads[2])
    #expect(kernel.result == CallResult(value: 0, failed: false))
    expectSound(kernel)
  }

  @Test func `a child is paid for by the user that its parent has become`() throws {
    let kernel = try TestKernel(unitsPerTurn: 4)
    let threads = try makeThreads(kernel, 2)
    run(kernel, threads[0])
    for page in 0..<UInt64(100) {
      kernel.call(.mmap, area + page * 8192, 4096, 3, anonymous, nobody, 0)
      kernel.store([1], at: area + page * 8192)
    }
    kernel.perform(UInt64(SystemCallNumber.fork.rawValue), [])
    run(kernel, threads[1])
    #expect(process(kernel, 2)?.addressSpace?.editor == threads[0].identifier)
    kernel.call(.setuid, 5)
    for _ in 0..<2000 where process(kernel, 3) == nil { kernel.call(.schedYield) }
    let child = try #require(process(kernel, 3))
    #expect(child.credentials.user == 5)
    #expect(child.addressSpace?.account?.user == 5 && child.files?.account?.user == 5)
    expectSound(kernel)
  }

  @Test func `a process has no more threads than one may have`() throws {
    let kernel = try TestKernel(frames: 8192)
    let threads = try makeThreads(kernel, ProcessLimits.maximumThreadsPerProcess)
    let child = try #require(process(kernel, 2))
    #expect(throws: Errno.eproclim) { try kernel.kernel.inspectedProcesses.makeThread(child, like: threads[0]) }
    // A process that has its place finds one for its thread.
    #expect(kernel.fork() == 3)
  }
}
