// Resource limits and usage, and the limits on processes.

import ABI
import Simulation
import Testing

@testable import SystemCalls

@Suite struct LimitTests {
  private let data = TestKernel.data
  private let infinity = UInt64(Int64.max)

  private func limit(_ kernel: TestKernel, _ which: UInt64) -> [UInt64] {
    #expect(kernel.call(.getrlimit, which, data)?.integer == 0)
    return [kernel.loadWord(data), kernel.loadWord(data + 8)]
  }

  @Test func `limits start as the specification says`() throws {
    let kernel = try TestKernel(maximumProcessCount: 100)
    for which in [0, 1, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15] as [UInt64] {
      #expect(limit(kernel, which) == [infinity, infinity], "\(which)")
    }
    #expect(limit(kernel, 2) == [UserSpace.maximumDataByteCount, UserSpace.maximumDataByteCount])
    #expect(limit(kernel, 3) == [UserSpace.defaultStackByteCount, UserSpace.maximumStackByteCount])
    #expect(limit(kernel, 7) == [90, 90])
    let files = limit(kernel, 8)
    #expect(files[0] == files[1] && Int(files[0]) == kernel.call(.getdtablesize)?.integer)
    for which in [16, UInt64.max] {
      #expect(kernel.call(.getrlimit, which, data)?.errno == .einval)
      #expect(kernel.call(.setrlimit, which, data)?.errno == .einval)
    }
    #expect(kernel.call(.getrlimit, 0, 8)?.errno == .efault)
    #expect(kernel.call(.setrlimit, 16, 8)?.errno == .efault)
  }

  @Test func `only the superuser raises a hard limit`() throws {
    let kernel = try TestKernel()
    #expect(kernel.setLimit(0, 50, 100)?.integer == 0)
    #expect(limit(kernel, 0) == [50, 100])
    #expect(kernel.setLimit(0, 200, 100)?.integer == 0)
    // A soft limit above the hard one is cut.
    #expect(limit(kernel, 0) == [100, 100])
    #expect(kernel.call(.seteuid, 5)?.integer == 0)
    #expect(kernel.setLimit(0, 101, 100)?.errno == .eperm)
    #expect(kernel.setLimit(0, 100, 101)?.errno == .eperm)
    #expect(kernel.setLimit(0, 10, infinity)?.errno == .eperm)
    #expect(limit(kernel, 0) == [100, 100])
    #expect(kernel.setLimit(0, 7, 90)?.integer == 0)
    #expect(limit(kernel, 0) == [7, 90])
    #expect(kernel.setLimit(0, 90, 90)?.integer == 0)
    #expect(kernel.call(.seteuid, 0)?.integer == 0)
    // Negative means infinity, and so is a raise.
    #expect(kernel.setLimit(0, UInt64.max, UInt64.max)?.integer == 0)
    #expect(limit(kernel, 0) == [infinity, infinity])
  }

  @Test func `a user has one process at least`() throws {
    let kernel = try TestKernel()
    #expect(kernel.setLimit(7, 0, 50)?.integer == 0)
    #expect(limit(kernel, 7) == [1, 50])
    #expect(kernel.setLimit(7, 0, 0)?.integer == 0)
    #expect(limit(kernel, 7) == [1, 1])
    #expect(kernel.setLimit(6, 0, 0)?.integer == 0)
    #expect(limit(kernel, 6) == [0, 0])
  }

  @Test func `some limits have a ceiling`() throws {
    let kernel = try TestKernel(maximumProcessCount: 100)
    let files = limit(kernel, 8)[1]
    let ceilings: [(UInt64, UInt64)] = [
      (2, UserSpace.maximumDataByteCount), (3, UserSpace.maximumStackByteCount), (7, 100), (8, files), (10, infinity),
    ]
    for (which, ceiling) in ceilings {
      #expect(kernel.setLimit(which, infinity, infinity)?.integer == 0)
      #expect(limit(kernel, which) == [ceiling, ceiling])
    }
  }

  @Test func `a child has its parent's limits and changes only its own`() throws {
    let kernel = try TestKernel()
    #expect(kernel.setLimit(8, 20, 30)?.integer == 0)
    _ = kernel.fork()
    _ = kernel.wait {
      #expect(limit(kernel, 8) == [20, 30])
      #expect(kernel.setLimit(8, 5, 6)?.integer == 0)
      #expect(kernel.call(.getdtablesize)?.integer == 5)
      kernel.exit()
    }
    #expect(limit(kernel, 8) == [20, 30])
    #expect(kernel.call(.dup2, 0, 19)?.integer == 19)
    #expect(kernel.call(.dup2, 0, 20)?.errno == .ebadf)
    #expect(kernel.call(.fcntl, 0, 0, 19)?.errno == .emfile)
    #expect(kernel.call(.fcntl, 0, 0, 20)?.errno == .einval)
    // What is open beyond a lowered limit stays open.
    #expect(kernel.setLimit(8, 3, 30)?.integer == 0)
    #expect(kernel.call(.write, 19, data, 0)?.integer == 0)
    #expect(kernel.call(.dup, 0)?.errno == .emfile)
    #expect(kernel.call(.close, 19)?.integer == 0)
  }

  @Test func `the data segment keeps to its limit`() throws {
    let kernel = try TestKernel()
    let start = data + 65536
    // What the program brings with it counts.
    #expect(kernel.setLimit(2, 65536 + 8192, infinity)?.integer == 0)
    #expect(kernel.call(.break, start + 8193)?.errno == .enomem)
    #expect(kernel.call(.break, start + 8192)?.value == start + 8192)
    #expect(kernel.store([1], at: start + 8191))
    // Going back is allowed even beyond the limit.
    #expect(kernel.setLimit(2, 4096, infinity)?.integer == 0)
    #expect(kernel.call(.break, start + 8193)?.errno == .enomem)
    #expect(kernel.call(.break, start + 4096)?.value == start + 4096)
    // Where something is mapped already the segment cannot go.
    #expect(kernel.setLimit(2, infinity, infinity)?.integer == 0)
    let blocked = kernel.call(.mmap, start + 16384, 4096, .readWrite, .fixedPrivateMemory, UInt64.max, 0)
    #expect(blocked?.value == start + 16384)
    #expect(kernel.call(.break, start + 16385)?.errno == .enomem)
    #expect(kernel.call(.break, 0)?.value == start + 4096)
    #expect(kernel.call(.break, start + 16384)?.value == start + 16384)
  }

  @Test func `a user has no more processes than allowed`() throws {
    let kernel = try TestKernel()
    #expect(kernel.setLimit(7, 3, 3)?.integer == 0)
    // The superuser is not counted.
    for _ in 0..<4 { #expect(kernel.fork() > 0) }
    #expect(kernel.call(.setresuid, 50, 50, 50)?.integer == 0)
    #expect(kernel.fork() > 0)
    #expect(kernel.fork() > 0)
    #expect(kernel.call(.fork)?.errno == .eagain)
    kernel.exit()
    #expect(kernel.report?.isClean == true)
  }

  @Test func `the last places are the superuser's`() throws {
    let kernel = try TestKernel(frames: 4096, maximumProcessCount: 64)
    #expect(kernel.setLimit(7, infinity, infinity)?.integer == 0)
    // The real user counts.
    #expect(kernel.call(.setreuid, 50, 0)?.integer == 0)
    var count = 1
    while !(kernel.call(.fork)?.failed ?? true) { count += 1 }
    #expect(kernel.result.errno == .eagain)
    #expect(count == 54)
    #expect(kernel.call(.setreuid, 0, UInt64(UInt32.max))?.integer == 0)
    while !(kernel.call(.fork)?.failed ?? true) { count += 1 }
    #expect(count == 64)
    kernel.exit()
    #expect(kernel.report?.isClean == true)
  }

  @Test func `usage is counted and handed to the parent`() throws {
    let kernel = try TestKernel()
    func usage(_ who: UInt64) -> [UInt64] {
      #expect(kernel.call(.getrusage, who, data + 0x400)?.integer == 0)
      return (0..<18).map { kernel.loadWord(data + 0x400 + UInt64(8 * $0)) }
    }
    kernel.store([1], at: data + 0x400)
    kernel.hardware.clock.advance(by: 2_345_678_000)
    kernel.tick()
    let before = usage(0)
    #expect(before[0] == 2 && before[1] >= 345_678 && before[1] < 350_000)
    // Two new pages: two faults that needed no transfer.
    kernel.store([1], at: data + 0x8000)
    kernel.store([1], at: data + 0x9000)
    let after = usage(0)
    #expect(after[8] == before[8] + 2 && after[9] == 0)
    #expect(usage(UInt64.max) == [UInt64](repeating: 0, count: 18))
    _ = kernel.fork()
    let parent = kernel.context
    kernel.call(.wait4, UInt64.max, 0, 0, data + 0x600)
    #expect(kernel.context != parent)
    #expect(usage(0)[0] == 0)
    kernel.hardware.clock.advance(by: 1_000_000_000)
    kernel.tick()
    kernel.exit()
    for _ in 0..<10 where kernel.context != parent { kernel.call(.schedYield) }
    #expect(kernel.loadWord(data + 0x600) == 1)
    #expect(usage(UInt64.max)[0] == 1)
    #expect(usage(0)[0] == before[0])
    #expect(kernel.call(.getrusage, 2, data)?.errno == .einval)
    #expect(kernel.call(.getrusage, 0, 8)?.errno == .efault)
    #expect(kernel.call(.getrusage, UInt64(bitPattern: -2), data)?.errno == .einval)
  }
}
