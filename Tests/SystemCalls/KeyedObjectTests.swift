// _umtx_op(2): objects that are found by a word, UMTX_OP_SHM (spec signals.md section 3.4).

import ABI
import Files
import Memory
import Primitives
import Processes
import Testing

@testable import SystemCalls

@Suite struct KeyedObjectTests {
  private let word = TestKernel.data
  private let area: UInt64 = 0x1_0000_0000
  private let success = CallResult(value: 0, failed: false)

  private func shm(_ kernel: TestKernel, _ flags: UInt64, _ address: UInt64) -> CallResult? {
    kernel.call(.umtxOp, 0, 25, flags, address, 0)
  }

  private func count(_ kernel: TestKernel) -> Int { kernel.kernel.inspectedFiles.keyedObjects.count }

  @Test func `the object of a word is made once, and both find it`() throws {
    let kernel = try TestKernel()
    kernel.store([1], at: word)
    for flags in [0, 3, 16] as [UInt64] { #expect(shm(kernel, flags, word)?.errno == .einval) }
    #expect(shm(kernel, 2, word)?.errno == .esrch && shm(kernel, 4, word)?.errno == .esrch)
    #expect(shm(kernel, 1, 0x7000_0000_0000)?.errno == .efault)
    #expect(shm(kernel, 1, 0x40_0000)?.errno == .efault, "not writable")
    #expect(shm(kernel, 1, word) == CallResult(value: 3, failed: false))
    #expect(shm(kernel, 1, word) == CallResult(value: 4, failed: false))
    #expect(shm(kernel, 2, word) == CallResult(value: 5, failed: false))
    #expect(shm(kernel, 2, word + 8)?.errno == .esrch)
    #expect(count(kernel) == 1)
    kernel.call(.mmap, area, 4096, .readWrite, .fixedSharedFile, 3, 0)
    kernel.call(.mmap, area + 4096, 4096, .readWrite, .fixedSharedFile, 5, 0)
    kernel.store([7], at: area + 9)
    #expect(kernel.load(area + 4096 + 9, 1) == [7])
    #expect(kernel.call(.fcntl, 3, 1, 0) == CallResult(value: 1, failed: false), "close-on-exec")
    kernel.expectSound()
    #expect(shm(kernel, 8, area + 100) == success)
    #expect(shm(kernel, 4, word) == success && count(kernel) == 0)
    #expect(shm(kernel, 8, area + 100)?.errno == .enotty)
    #expect(shm(kernel, 8, 0x7000_0000_0000)?.errno == .efault)
    kernel.call(.mmap, area + 8192, 4096, .readWrite, .fixedPrivateMemory, UInt64.max, 0)
    #expect(shm(kernel, 8, area + 8192)?.errno == .einval)
    // What was shown before still is.
    #expect(kernel.load(area + 9, 1) == [7])
    kernel.expectSound()
  }

  @Test func `another process finds it by another address, and it is forgotten with the object of the word`() throws {
    let kernel = try TestKernel()
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    kernel.call(.ftruncate, 3, 8192)
    kernel.call(.mmap, area, 8192, .readWrite, .fixedSharedFile, 3, 0)
    #expect(shm(kernel, 1, area + 4096) == CallResult(value: 4, failed: false))
    // A word in the page of that, and one in that of the next.
    kernel.call(.mmap, area + 0x10000, 4096, .readWrite, .fixedSharedFile, 4, 0)
    #expect(shm(kernel, 1, area + 0x10000) == CallResult(value: 5, failed: false))
    let parent = kernel.context
    let child = kernel.fork()
    kernel.run(child)
    kernel.call(.mmap, area + 0x20000, 4096, .readWrite, .fixedSharedFile, 3, 4096)
    #expect(shm(kernel, 2, area + 0x20000) == CallResult(value: 6, failed: false))
    kernel.exit()
    for _ in 0..<50 where kernel.context != parent { kernel.advance() }
    kernel.call(.wait4, UInt64(child), 0, 0, 0)
    #expect(count(kernel) == 2)
    kernel.expectSound()
    kernel.call(.munmap, area, 0x20000)
    kernel.call(.close, 3)
    kernel.call(.close, 4)
    for _ in 0..<10 { kernel.call(.schedYield) }
    #expect(count(kernel) == 0)
    kernel.expectSound()
  }

  @Test func `a user may have so many, and others have none of their own after them`() throws {
    let kernel = try TestKernel()
    kernel.store([1], at: word)
    #expect(kernel.setLimit(14, 2, at: TestKernel.data + 0x100) == success)
    #expect(shm(kernel, 1, word)?.failed == false && shm(kernel, 1, word + 8)?.failed == false)
    #expect(shm(kernel, 1, word + 16)?.errno == .enomem)
    #expect(shm(kernel, 1, word + 8)?.failed == false)
    #expect(shm(kernel, 4, word) == success)
    #expect(shm(kernel, 1, word + 16)?.failed == false)
    kernel.expectSound()
  }
}
