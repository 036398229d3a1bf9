// Stacks that grow: MAP_STACK and the program's own (spec shm.md 3.11 step 6; abi.md, "Seen on the real kernel and not obvious").

import ABI
import Memory
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct StackTests {
  private let page: UInt64 = 4096
  private let data = TestKernel.data
  private let top = UserSpace.stackTop
  private let step = UserSpace.stackGrowthByteCount
  private let stack: UInt64 = 0x1402
  private let nobody = UInt64.max

  private func map(_ kernel: TestKernel, _ address: UInt64, pages: UInt64, _ flags: UInt64) -> CallResult? {
    kernel.call(.mmap, address, pages * page, 3, flags, nobody, 0)
  }

  /// Whether a child may store somewhere; the parent's memory stays as it is.
  private func isReachable(_ kernel: TestKernel, _ address: UInt64) -> Bool {
    let child = kernel.fork()
    let (_, status) = kernel.wait(child) {
      kernel.run(child)
      if kernel.store([1], at: address) { kernel.exit() }
    }
    return status == .exited(0)
  }

  private func space(_ kernel: TestKernel) -> AddressSpace {
    guard let space = kernel.kernel.processes.process(1)?.addressSpace else { preconditionFailure("process 1 is gone") }
    return space
  }

  // MARK: MAP_STACK

  @Test func `a stack has a guard at its low end`() throws {
    // shows: shm 3.11.stack, 3.11.stack-one-page, 3.11.stack-einval
    let kernel = try TestKernel()
    #expect(map(kernel, 0, pages: 1, stack)?.errno == .einval)
    for pages in [2, 3, 16, 32, 33, 34, 256] as [UInt64] {
      let start = try #require(map(kernel, 0, pages: pages, stack)).value
      #expect(isReachable(kernel, start + pages * page - 1) && isReachable(kernel, start + page), "\(pages)")
      #expect(!isReachable(kernel, start) && !isReachable(kernel, start + page - 1), "\(pages)")
      #expect(kernel.call(.mprotect, start, page, 3)?.integer == 0 && !isReachable(kernel, start))
      #expect(kernel.call(.munmap, start, pages * page)?.integer == 0)
    }
    // A failed one keeps what was there.
    let kept = try #require(map(kernel, 0, pages: 1, 0x1002)).value
    kernel.store([6], at: kept)
    #expect(map(kernel, kept, pages: 1, stack | 0x10)?.errno == .einval && kernel.load(kept, 1) == [6])
    #expect(kernel.call(.mmap, 0, 16 * page, 1, stack, nobody, 0)?.errno == .einval)
    #expect(kernel.call(.mmap, 0, 16 * page, 3, 0x401, 1, 0)?.errno == .einval)
  }

  @Test func `only what has grown of a stack is reserved`() throws {
    // shows: shm 3.11.stack, 3.11.stack-reserves
    let kernel = try TestKernel()
    let system = kernel.hardware.system
    let before = system.accounting.reserved
    let mapped = space(kernel).virtualByteCount
    let start = try #require(map(kernel, 0, pages: 2048, stack)).value
    let end = start + 2048 * page
    func grown() -> UInt64 {
      #expect(space(kernel).virtualByteCount - mapped == (system.accounting.reserved - before) * page)
      return (system.accounting.reserved - before) * page
    }
    #expect(grown() == step)
    #expect(kernel.store([1], at: end - step) && kernel.load(end - 1, 1) == [0])
    #expect(grown() == step)
    // A load grows it as a store does, in whole steps from where it is.
    #expect(kernel.load(end - step - 1, 1) == [0])
    #expect(grown() == 2 * step)
    #expect(kernel.store([2], at: end - 5 * step + 5))
    #expect(grown() == 5 * step)
    // So does the kernel on behalf of a program.
    #expect(kernel.call(.clockGettime, 0, end - 6 * step)?.integer == 0)
    #expect(grown() == 6 * step)
    // Down to the guard, and no further.
    #expect(kernel.store([3], at: start + page))
    #expect(grown() == 2047 * page)
    #expect(kernel.call(.clockGettime, 0, start + 8)?.errno == .efault)
    #expect(kernel.load(end - step, 1) == [1] && kernel.load(end - 5 * step + 5, 1) == [2])
    #expect(kernel.call(.munmap, start, 2048 * page)?.integer == 0)
    #expect(system.accounting.reserved == before && space(kernel).virtualByteCount == mapped)
  }

  @Test func `a stack that cannot be reserved does not grow`() throws {
    let kernel = try TestKernel(frames: 1024, swapBlocks: 256)
    let start = try #require(map(kernel, 0, pages: 2048, stack)).value
    let end = start + 2048 * page
    // A user, and no more may be reserved.
    #expect(kernel.call(.seteuid, 5)?.integer == 0)
    kernel.hardware.system.setOvercommit(1)
    #expect(kernel.hardware.system.accounting.reserved + 32 <= 256)
    #expect(kernel.store([1], at: end - step - 1))
    #expect(kernel.call(.clockGettime, 0, end - (300 << 12))?.errno == .efault)
    kernel.hardware.system.setOvercommit(0)
    #expect(kernel.call(.clockGettime, 0, end - (300 << 12))?.integer == 0)
    // Nor beyond RLIMIT_AS.
    let limit = space(kernel).virtualByteCount + step
    #expect(kernel.setLimit(10, limit)?.integer == 0)
    #expect(kernel.call(.clockGettime, 0, end - (400 << 12))?.errno == .efault)
    let grown = kernel.hardware.system.accounting.reserved
    #expect(kernel.call(.clockGettime, 0, end - (321 << 12))?.integer == 0)
    #expect(kernel.hardware.system.accounting.reserved == grown + 32)
  }

  @Test func `a gap without its stack is a guard and no more`() throws {
    let kernel = try TestKernel()
    let start = try #require(map(kernel, 0, pages: 512, stack)).value
    let end = start + 512 * page
    // A child's stack grows by itself.
    _ = kernel.fork()
    let (_, status) = kernel.wait {
      if kernel.store([1], at: end - 2 * step) { kernel.exit() }
    }
    #expect(status == .exited(0))
    // What is mapped between a gap and its stack ends the growth.
    #expect(map(kernel, end - step - page, pages: 1, 0x1012)?.failed == false)
    #expect(!isReachable(kernel, end - step - 2 * page) && isReachable(kernel, end - step - page))
    // Into a gap only goes what may replace.
    #expect(map(kernel, start + 4 * page, pages: 2, 0x5012)?.errno == .enomem)
    #expect(kernel.call(.munmap, end - step - page, page)?.integer == 0)
    #expect(!isReachable(kernel, end - step - page))
    // A gap that was cut is shorter, and the guard is its lowest page.
    #expect(kernel.call(.munmap, start, 512 * page)?.integer == 0)
    let other = try #require(map(kernel, start, pages: 512, stack | 0x10)).value
    #expect(other == start && kernel.call(.munmap, start, 256 * page)?.integer == 0)
    #expect(!isReachable(kernel, start + 256 * page) && isReachable(kernel, start + 257 * page))
    #expect(isReachable(kernel, end - 1))
  }

  @Test func `a stack that replaces much is made in steps`() throws {
    let kernel = try TestKernel(unitsPerTurn: 8)
    let area: UInt64 = 0x10_0000_0000
    #expect(map(kernel, area, pages: 512, 0x1012)?.value == area)
    for index in 0..<200 as Range<UInt64> { kernel.store([1], at: area + index * page) }
    let parent = kernel.context
    let other = kernel.fork()
    _ = map(kernel, area, pages: 512, stack | 0x10)
    for _ in 0..<1000 where kernel.context != parent { kernel.call(.schedYield) }
    #expect(kernel.context == parent && kernel.result == CallResult(value: area, failed: false))
    #expect(kernel.load(area + 511 * page, 1) == [0] && !isReachable(kernel, area) && isReachable(kernel, area + page))
    // Killed on the way, it leaves nothing behind.
    kernel.run(other)
    for index in 0..<200 as Range<UInt64> { kernel.store([1], at: area + 300 * page + index * page) }
    _ = map(kernel, area, pages: 512, stack | 0x10)
    for _ in 0..<1000 where kernel.context != parent { kernel.call(.schedYield) }
    #expect(kernel.call(.kill, UInt64(other), 9)?.integer == 0)
    #expect(kernel.wait(other).0 == other)
  }

  /// security.bsd.stack_guard_page: one page, unless root says otherwise; a stack keeps what it was made with.
  @Test func `the size of the guard can be set`() throws {
    let kernel = try TestKernel()
    let name = kernel.string("security.bsd.stack_guard_page", at: data)
    func set(_ count: UInt64) -> CallResult? {
      kernel.storeWord(count, at: data + 0x100)
      return kernel.call(.sysctlbyname, name, 29, 0, 0, data + 0x100, 4)
    }
    kernel.storeWord(8, at: data + 0x180)
    #expect(kernel.call(.sysctlbyname, name, 29, data + 0x188, data + 0x180, 0, 0)?.integer == 0)
    #expect(kernel.loadWord(data + 0x180) == 4 && kernel.loadWord(data + 0x188) & 0xFFFF_FFFF == 1)
    let old = try #require(map(kernel, 0, pages: 64, stack)).value
    #expect(set(3)?.integer == 0)
    #expect(map(kernel, 0, pages: 3, stack)?.errno == .einval)
    let start = try #require(map(kernel, 0, pages: 64, stack)).value
    #expect(!isReachable(kernel, start + 2 * page) && isReachable(kernel, start + 3 * page))
    #expect(!isReachable(kernel, old) && isReachable(kernel, old + page))
    #expect(set(0)?.integer == 0)
    let bare = try #require(map(kernel, 0, pages: 1, stack)).value
    #expect(isReachable(kernel, bare))
    let long = try #require(map(kernel, 0, pages: 64, stack)).value
    #expect(isReachable(kernel, long) && kernel.store([1], at: long))
    #expect(set(UInt64(UInt32.max))?.integer == 0)
    #expect(map(kernel, 0, pages: 64, stack)?.errno == .einval)
    #expect(set(1)?.integer == 0)
  }

  // MARK: The program's stack

  @Test func `the program's stack grows to its limit as it is now`() throws {
    let kernel = try TestKernel()
    let limit = UserSpace.defaultStackByteCount
    #expect(space(kernel).virtualByteCount < 1 << 20)
    #expect(
      isReachable(kernel, top - step) && isReachable(kernel, top - limit) && !isReachable(kernel, top - limit - 1))
    // Raised: further, up to all that is kept for it but the guard.
    #expect(kernel.setLimit(3, 64 << 20)?.integer == 0)
    #expect(isReachable(kernel, top - (64 << 20)) && !isReachable(kernel, top - (64 << 20) - 1))
    #expect(kernel.setLimit(3, 512 << 20)?.integer == 0)
    #expect(isReachable(kernel, top - (512 << 20) + page) && !isReachable(kernel, top - (512 << 20)))
    // Lowered: less, and what has grown beyond it is out of reach until it is raised again.
    #expect(kernel.store([7], at: top - (4 << 20)))
    #expect(kernel.setLimit(3, 1 << 20, 64 << 20)?.integer == 0)
    #expect(isReachable(kernel, top - (1 << 20)) && !isReachable(kernel, top - (1 << 20) - 1))
    #expect(!isReachable(kernel, top - (4 << 20)) && !isReachable(kernel, top - (8 << 20)))
    #expect(kernel.setLimit(3, 16 << 20, 64 << 20)?.integer == 0)
    #expect(kernel.load(top - (4 << 20), 1) == [7] && isReachable(kernel, top - (16 << 20)))
    // Not a whole number of pages: what is whole.
    #expect(kernel.setLimit(3, 20 << 20 + 5, 64 << 20)?.integer == 0)
    #expect(!isReachable(kernel, top - (20 << 20) - 1) && isReachable(kernel, top - (20 << 20)))
  }

  @Test func `what is kept for the program's stack is taken`() throws {
    let kernel = try TestKernel()
    let bottom = top - UserSpace.maximumStackByteCount
    for address in [bottom, bottom + page, top - (8 << 20), top - step - page, top - page] {
      #expect(map(kernel, address, pages: 1, 0x5012)?.errno == .enomem)
    }
    #expect(map(kernel, bottom - page, pages: 1, 0x5012)?.value == bottom - page)
    let other = try #require(map(kernel, bottom, pages: 2, 0x1002))
    #expect(!other.failed && other.value < bottom)
    // What replaces a part of it can be had, and ends the growth there.
    #expect(map(kernel, top - (1 << 20), pages: 1, 0x1012)?.failed == false)
    #expect(isReachable(kernel, top - (1 << 20) + 2 * page) && !isReachable(kernel, top - (1 << 20) - 1))
  }

  @Test func `the address space limit counts what the program's stack has grown`() throws {
    let kernel = try TestKernel()
    let before = space(kernel).virtualByteCount
    #expect(kernel.setLimit(10, before + 2 * step)?.integer == 0)
    #expect(isReachable(kernel, top - 3 * step) && !isReachable(kernel, top - 3 * step - 1))
    #expect(kernel.store([1], at: top - 2 * step) && space(kernel).virtualByteCount == before + step)
    #expect(kernel.call(.mmap, 0, step + page, .readWrite, .privateMemory, nobody, 0)?.errno == .enomem)
    #expect(kernel.call(.mmap, 0, step, .readWrite, .privateMemory, nobody, 0)?.failed == false)
  }

  @Test func `arguments that take more than a stack has at first find their place`() throws {
    let kernel = try TestKernel(frames: 4096)
    let path = kernel.string("/bin/prog", at: data)
    let text = try #require(map(kernel, 0x10_0000_0000, pages: 8, 0x1012)).value
    kernel.store([UInt8](repeating: 65, count: 20000) + [0], at: text)
    let vector = text + 6 * page
    for index in 0..<20 as Range<UInt64> { kernel.storeWord(text, at: vector + 8 * index) }
    kernel.storeWord(0, at: vector + 160)
    #expect(kernel.call(.execve, path, vector, 0)?.failed == false)
    #expect(space(kernel).virtualByteCount > 4 * step)
    #expect(isReachable(kernel, top - (8 << 20)))
    // A limit below what a stack has at first does not make it less, but more than it does not fit.
    _ = kernel.fork()
    let (_, status) = kernel.wait {
      let name = kernel.string("/bin/prog", at: data)
      let other = map(kernel, 0x10_0000_0000, pages: 8, 0x1012)?.value ?? 0
      kernel.store([UInt8](repeating: 65, count: 20000) + [0], at: other)
      for index in 0..<20 as Range<UInt64> { kernel.storeWord(other, at: other + 6 * page + 8 * index) }
      kernel.storeWord(0, at: other + 6 * page + 160)
      _ = kernel.setLimit(3, 4096, at: data + 0x100)
      let isTooMuch = kernel.call(.execve, name, other + 6 * page, 0)?.errno == .e2big
      kernel.storeWord(0, at: other + 6 * page + 8)
      kernel.call(.execve, name, other + 6 * page, 0)
      let hasStack = kernel.store([1], at: top - step)
      kernel.exit(isTooMuch && hasStack ? 0 : 1)
    }
    #expect(status == .exited(0))
  }
}
