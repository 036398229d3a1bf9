// vfork(2) and rfork(2): a child in its parent's memory, and a parent that waits (spec abi.md section 15).

import ABI
import Memory
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct LendingTests {
  private let data = TestKernel.data
  private let nobody = UInt64.max

  private func process(_ kernel: TestKernel, _ identifier: Int32) -> Process? {
    kernel.kernel.processes.process(identifier)
  }

  /// Makes a child by vfork, and lets it run; its identifier.
  @discardableResult
  private func lend(_ kernel: TestKernel) -> Int {
    let processes = kernel.kernel.processes
    guard let parent = processes.currentProcess else { preconditionFailure("nobody runs") }
    kernel.call(.vfork)
    guard case .process(.lend(let slot, let identifier)) = processes.firstThread(of: parent)?.continuation,
      let child = processes[slot].flatMap({ processes.firstThread(of: $0) })
    else {
      Issue.record("the parent does not wait")
      return 0
    }
    for _ in 0..<50 where kernel.context != child.record.address { kernel.call(.schedYield) }
    #expect(kernel.result == CallResult(value: 0, failed: false) && kernel.register(24) == 1)
    return Int(identifier)
  }

  @Test func `a child of vfork runs in its parent's memory until it ends`() throws {
    let kernel = try TestKernel()
    let parent = kernel.context
    let stranger = kernel.fork()
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.value == 3)
    kernel.call(.ftruncate, 3, 4096)
    let child = lend(kernel)
    #expect(stranger == 2 && child == 3)
    // What it stores, maps and does to the break is the parent's; what it does to descriptors is not.
    kernel.storeWord(5, at: data)
    let mapped = try #require(kernel.call(.mmap, 0, 4096, 3, 1, 3, 0)).value
    kernel.store([3], at: mapped)
    let end = try #require(kernel.call(.break, 0)).value
    #expect(kernel.call(.break, end + 1)?.value == end + 4096)
    #expect(kernel.call(.close, 3)?.integer == 0)
    // The parent has no turn meanwhile, whatever happens.
    for _ in 0..<10 {
      kernel.tick()
      #expect(kernel.context != parent)
      kernel.call(.schedYield)
    }
    kernel.run(child)
    kernel.exit(7)
    for _ in 0..<50 where kernel.context != parent { kernel.call(.schedYield) }
    #expect(kernel.context == parent && kernel.result == CallResult(value: UInt64(child), failed: false))
    #expect(kernel.register(24) == 0)
    #expect(kernel.loadWord(data) == 5 && kernel.load(mapped, 1) == [3])
    #expect(kernel.call(.break, 0)?.value == end + 4096)
    #expect(kernel.call(.lseek, 3, 0, 2)?.value == 4096)
    #expect(kernel.wait(child).1 == .exited(7))
  }

  @Test func `a failed execution is told through memory and a successful one lets the parent go on`() throws {
    let kernel = try TestKernel()
    let parent = kernel.context
    lend(kernel)
    let error = try #require(kernel.execute("/bin/none"))
    #expect(error.errno == .enoent)
    kernel.storeWord(error.value, at: data)
    #expect(kernel.context != parent)
    kernel.exit(127)
    #expect(kernel.context == parent && kernel.loadWord(data) == error.value)
    #expect(kernel.wait(2).1 == .exited(127))

    lend(kernel)
    kernel.storeWord(6, at: data)
    kernel.execute()
    for _ in 0..<50 where kernel.context != parent { kernel.call(.schedYield) }
    #expect(kernel.context == parent && kernel.result.value == 3 && kernel.loadWord(data) == 6)
    #expect(process(kernel, 1)?.addressSpace?.userCount == 1)
    #expect(process(kernel, 3)?.addressSpace !== process(kernel, 1)?.addressSpace)
    let (_, status) = kernel.wait(3) {
      // The new program has memory of its own.
      kernel.storeWord(9, at: data)
      kernel.exit(5)
    }
    #expect(status == .exited(5) && kernel.loadWord(data) == 6)
  }

  @Test func `a kill of the lender acts when the child lets go`() throws {
    let kernel = try TestKernel()
    let first = kernel.context
    let lender = kernel.fork()
    kernel.run(lender)
    lend(kernel)
    let borrower = kernel.identifier
    kernel.storeWord(77, at: data)
    for _ in 0..<50 where kernel.context != first { kernel.call(.schedYield) }
    #expect(kernel.call(.kill, UInt64(lender), 9)?.integer == 0)
    for _ in 0..<6 { kernel.call(.schedYield) }
    #expect(process(kernel, Int32(lender))?.state == .running)
    kernel.run(borrower)
    #expect(kernel.loadWord(data) == 77 && kernel.store([1], at: data))
    kernel.exit(1)
    kernel.run(1)
    #expect(kernel.wait(lender).1 == .terminated(.sigkill))
  }

  @Test func `a killed or faulting child lets go`() throws {
    let kernel = try TestKernel()
    let parent = kernel.context
    lend(kernel)
    #expect(!kernel.store([1], at: 0x1_0000))
    #expect(kernel.context == parent && kernel.result.value == 2)
    #expect(kernel.wait(2).1 == .terminated(.sigsegv))
    // Killed by another, in the middle of a long call that changes the common map.
    let other = kernel.fork()
    #expect(kernel.call(.mmap, 0x10_0000_0000, 4000 << 12, .readWrite, .fixedPrivateMemory, nobody, 0)?.failed == false)
    for page in 0..<400 as Range<UInt64> {
      kernel.store([UInt8(truncatingIfNeeded: page)], at: 0x10_0000_0000 + page << 12)
    }
    #expect(lend(kernel) == 4)
    kernel.call(.munmap, 0x10_0000_0000, 4000 << 12)
    if kernel.identifier == other {
      #expect(kernel.call(.kill, 4, 9)?.integer == 0)
    } else {
      kernel.exit(0)
    }
    for _ in 0..<50 where kernel.context != parent { kernel.call(.schedYield) }
    #expect(kernel.context == parent && kernel.result.value == 4)
    // What it had begun it has finished.
    for page in [0, 399] as [UInt64] {
      #expect(kernel.call(.clockGettime, 0, 0x10_0000_0000 + page << 12)?.errno == .efault)
    }
    #expect(kernel.call(.munmap, 0x10_0000_0000, 4000 << 12)?.integer == 0)
  }

  @Test func `a lender stops and is seen to stop`() throws {
    let kernel = try TestKernel()
    let first = kernel.context
    let lender = kernel.fork()
    kernel.run(lender)
    lend(kernel)
    let borrower = kernel.identifier
    for _ in 0..<50 where kernel.context != first { kernel.call(.schedYield) }
    #expect(kernel.call(.kill, UInt64(lender), UInt64(Signal.sigstop.rawValue))?.integer == 0)
    #expect(kernel.call(.wait4, UInt64(lender), data + 0x800, 2 | 1, 0)?.integer == lender)
    kernel.run(borrower)
    kernel.exit(0)
    for _ in 0..<50 where kernel.context != first { kernel.call(.schedYield) }
    for _ in 0..<6 { kernel.call(.schedYield) }
    #expect(kernel.identifier == 1)
    #expect(kernel.call(.kill, UInt64(lender), UInt64(Signal.sigcont.rawValue))?.integer == 0)
    kernel.run(lender)
    kernel.exit(3)
    #expect(kernel.wait(lender).1 == .exited(3))
  }

  @Test func `lenders can be lent to`() throws {
    let kernel = try TestKernel()
    lend(kernel)
    lend(kernel)
    #expect(kernel.identifier == 3 && kernel.call(.getppid)?.integer == 2)
    kernel.storeWord(31, at: data)
    // A child by fork(2) has a copy.
    #expect(kernel.fork() == 4)
    kernel.storeWord(32, at: data)
    let (_, status) = kernel.wait(4) { kernel.exit(Int(kernel.loadWord(data))) }
    #expect(status == .exited(31))
    kernel.exit()
    #expect(kernel.identifier == 2)
    kernel.exit()
    #expect(kernel.identifier == 1 && kernel.loadWord(data) == 32)
    #expect(process(kernel, 1)?.addressSpace?.userCount == 1)
  }

  @Test func `what a borrower of another user maps is charged to it and the lenders own again afterwards`() throws {
    let kernel = try TestKernel()
    let accounts = kernel.hardware.system.accounts
    lend(kernel)
    #expect(kernel.call(.setuid, 5)?.integer == 0)
    kernel.call(.mmap, 0x10_0000_0000, 8 << 12, .readWrite, .fixedPrivateMemory, nobody, 0)
    #expect(accounts.account(of: 5).reservedPageCount == 8)
    kernel.exit()
    kernel.call(.mmap, 0x20_0000_0000, 8 << 12, .readWrite, .fixedPrivateMemory, nobody, 0)
    #expect(accounts.account(of: 5).reservedPageCount == 8 && kernel.call(.getuid)?.integer == 0)
    kernel.call(.munmap, 0x10_0000_0000, 8 << 12)
    #expect(accounts.account(of: 5).reservedPageCount == 0)
  }

  @Test func `the end of process 1 ends lenders too`() throws {
    let kernel = try TestKernel()
    let lender = kernel.fork()
    kernel.run(lender)
    lend(kernel)
    kernel.run(1)
    kernel.exit(4)
    #expect(kernel.report?.status == 4 << 8 && kernel.report?.hasLeaks == false)
  }

  @Test func `a vfork that finds no memory leaves nothing behind`() throws {
    let kernel = try TestKernel()
    for descriptor in 3..<70 as Range<UInt64> { #expect(kernel.call(.dup, 0)?.value == descriptor) }
    for point in [.frame, .threadRecord, .descriptorNode, .processSlot] as [FailurePoint] {
      var number: UInt32 = 1
      while true {
        kernel.hardware.services.failures.fail(point, number: number)
        let result = try #require(kernel.call(.vfork))
        let hasFailed = kernel.hardware.services.failures.count(point) >= number
        kernel.hardware.services.failures.disarm()
        #expect(result.failed == hasFailed)
        #expect(!hasFailed || kernel.identifier == 1 && process(kernel, 1)?.addressSpace?.userCount == 1)
        if !hasFailed { break }
        number += 1
      }
      kernel.exit()
      #expect(kernel.call(.wait4, nobody, 0, 0, 0)?.failed == false)
    }
  }

  // MARK: rfork

  @Test func `rfork checks its flags`() throws {
    let kernel = try TestKernel()
    let wrong: [UInt64] = [
      0x8000_0000, 0x8000_0014, 0x14 | 0x1000, 0x1004, 0x14 | 1 << 17, 0x14 | 1 << 18, 0x14 | 1 << 28, 0x15, 0x16, 0x8,
      0x14 | 0x1E << 20, 0x1E << 20, 0x14 | 0x8_0000 | 0x81 << 20, 0x14 | 1 << 29, 0x14 | 1 << 30,
    ]
    // Not to be had here: shared descriptors, leaders and dispositions, and memory that both use at a time.
    let refused: [UInt64] = [0x10, 0x30, 0x34, 0x1030, 0x2014, 0x4014]
    for flags in wrong + refused {
      #expect(kernel.call(.rfork, flags)?.errno == .einval, "\(flags)")
      #expect(kernel.kernel.processes.processCount == 1)
    }
  }

  @Test func `rfork makes a child with the descriptors that were asked for`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.rfork, 0x14)?.value == 2)
    #expect(kernel.wait(2) { kernel.exit(kernel.call(.dup, 0)?.integer ?? 0) }.1 == .exited(3))
    #expect(kernel.call(.rfork, 0x1010)?.value == 3)
    #expect(kernel.wait(3) { kernel.exit(kernel.call(.dup, 0)?.errno == .ebadf ? 8 : 9) }.1 == .exited(8))
    // As vfork(2), and with an empty table.
    #expect(kernel.call(.rfork, 0x34 | 0x8000)?.value == 0)
    kernel.storeWord(44, at: data)
    kernel.exit()
    #expect(kernel.result.value == 4 && kernel.loadWord(data) == 44)
    #expect(kernel.call(.rfork, 0x1030 | 0x8000)?.value == 0)
    #expect(kernel.call(.dup, 0)?.errno == .ebadf)
    kernel.exit()
    #expect(kernel.result.value == 5)
    // The parent waits although the child has memory of its own.
    #expect(kernel.call(.rfork, 0x14 | 0x8000)?.value == 0)
    kernel.storeWord(45, at: data)
    kernel.exit()
    #expect(kernel.result.value == 6 && kernel.loadWord(data) == 44)
  }

  @Test func `rfork without a process changes the caller`() throws {
    let kernel = try TestKernel()
    for flags in [0, 0x4, 0x20, 0x24, 0x40] as [UInt64] {
      #expect(kernel.call(.rfork, flags) == CallResult(value: 0, failed: false))
      #expect(kernel.kernel.processes.processCount == 1 && kernel.call(.fcntl, 0, 1)?.failed == false)
    }
    #expect(kernel.call(.rfork, 0x1000)?.value == 0)
    for descriptor in 0..<3 as Range<UInt64> { #expect(kernel.call(.fcntl, descriptor, 1)?.errno == .ebadf) }
  }

  @Test func `a child that ends with another signal is for who asks for it`() throws {
    let kernel = try TestKernel()
    // SIGCHLD, in the long form; then no signal at all, and one that is ignored.
    #expect(kernel.call(.rfork, 0x14 | 0x8_0000 | 20 << 20)?.value == 2)
    #expect(kernel.wait { kernel.exit() }.0 == 2)
    for (flags, identifier) in [(0x8_0000, 3), (0x8_0000 | 28 << 20, 4)] as [(UInt64, Int)] {
      #expect(kernel.call(.rfork, 0x14 | flags)?.integer == identifier)
      #expect(kernel.call(.wait4, UInt64(identifier), 0, 1, 0)?.errno == .echild)
      #expect(kernel.call(.wait4, nobody, 0, 1, 0)?.errno == .echild)
      let (found, status) = kernel.wait(identifier, options: 0x8000_0000) { kernel.exit(6) }
      #expect(found == identifier && status == .exited(6))
    }
    // Nobody's but process 1's from the beginning.
    let parent = kernel.fork()
    kernel.run(parent)
    let child = try #require(kernel.call(.rfork, 0x54)).integer
    #expect(kernel.call(.wait4, nobody, 0, 1, 0)?.errno == .echild)
    kernel.run(child)
    #expect(kernel.call(.getppid)?.integer == 1)
  }
}
