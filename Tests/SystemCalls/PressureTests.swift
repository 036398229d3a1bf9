// Too little memory: paging, waiting for frames, and the last resort.

import ABI
import Memory
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct PressureTests {
  private let minusOne = UInt64.max

  private func mapShared(_ kernel: TestKernel, pages: UInt64) -> UInt64 {
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    let descriptor = kernel.result.value
    kernel.call(.ftruncate, descriptor, pages * 4096)
    return kernel.call(.mmap, 0, pages * 4096, 3, 1, descriptor, 0)?.value ?? 0
  }

  @Test(arguments: [1, 3]) func `more than memory is written and read back`(immediateOneIn: Int) throws {
    // shows: shm 3.12.swap
    let kernel = try TestKernel(frames: 256, swapBlocks: 1024)
    kernel.hardware.swap?.behaviour.immediateOneIn = immediateOneIn
    let pages: UInt64 = 400
    let address = mapShared(kernel, pages: pages)
    for page in 0..<pages { kernel.storeWord(page ^ 0x5A5A, at: address + page * 4096) }
    for page in 0..<pages { #expect(kernel.loadWord(address + page * 4096) == page ^ 0x5A5A) }
    for page in stride(from: UInt64(7), to: pages * 13, by: 13) {
      #expect(kernel.loadWord(address + page % pages * 4096) == (page % pages) ^ 0x5A5A)
    }
    #expect(kernel.hardware.system.counters.swapPagesIn > 0)
    #expect(kernel.hardware.system.counters.swapPagesOut > 0)
    kernel.exit()
    #expect(kernel.report?.isClean == true, "\(String(describing: kernel.report))")
  }

  @Test func `a changed page gives its old block back where swap is full`() throws {
    // All that is written fits into memory and swap together, but not into swap alone.
    let kernel = try TestKernel(frames: 256, swapBlocks: 200)
    let pages: UInt64 = 300
    let address = mapShared(kernel, pages: pages)
    for round in 0..<8 as Range<UInt64> {
      for page in 0..<pages { kernel.storeWord(page + round, at: address + page * 4096) }
    }
    for page in 0..<pages { #expect(kernel.loadWord(address + page * 4096) == page + 7) }
    kernel.exit()
    #expect(kernel.report?.isClean == true, "\(String(describing: kernel.report))")
  }

  @Test func `what fails no more is tried again`() throws {
    let kernel = try TestKernel(frames: 256, swapBlocks: 1024)
    let system = kernel.hardware.system
    let address = mapShared(kernel, pages: 400)
    let name = "debug.fail_point.swap_block"
    kernel.store(Array(name.utf8), at: TestKernel.data)
    kernel.store(Array("returnoff".utf8), at: TestKernel.data + 64)
    let count = UInt64(name.utf8.count)
    #expect(kernel.call(.sysctlbyname, TestKernel.data, count, 0, 0, TestKernel.data + 64, 6)?.failed == false)
    var page: UInt64 = 0
    while system.freeFrameCount > system.reserveFrameCount + 1 {
      #expect(kernel.store([1], at: address + page * 4096))
      page += 1
    }
    #expect(kernel.call(.mmap, 0, 4096, .readWrite, .privateMemory, minusOne, 0)?.errno == .enomem)
    #expect(kernel.call(.sysctlbyname, TestKernel.data, count, 0, 0, TestKernel.data + 70, 3)?.failed == false)
    #expect(kernel.call(.mmap, 0, 4096, .readWrite, .privateMemory, minusOne, 0)?.failed == false)
  }

  @Test func `the largest process is killed when nothing else helps`() throws {
    // shows: shm 3.12.no-memory
    let kernel = try TestKernel(frames: 256)
    let child = kernel.fork()
    let (identifier, status) = kernel.wait {
      let address = mapShared(kernel, pages: 1000)
      for page in 0..<UInt64(1000) {
        guard kernel.store([1], at: address + page * 4096) else { break }
      }
    }
    #expect(identifier == child)
    #expect(status == .terminated(.sigkill))
    let text = String(decoding: kernel.hardware.processor.takeConsoleOutput(), as: UTF8.self)
    #expect(text == "martlet: process 2 killed: out of memory\r\n")
    kernel.exit()
    #expect(kernel.report?.isClean == true)
  }

  @Test func `the map of a child that is being made counts for its parent`() throws {
    let kernel = try TestKernel(frames: 4096, unitsPerTurn: 64)
    // Process 3 has 200 pages and a large map; that of its half-made child makes it larger than process 2.
    let (larger, forking) = (2, 3)
    kernel.call(.fork)
    kernel.run(1)
    kernel.call(.fork)
    kernel.run(forking)
    var address = mapShared(kernel, pages: 200)
    for page in 0..<UInt64(200) { kernel.store([1], at: address + page * 4096) }
    for page in 0..<UInt64(4000) {
      kernel.call(.mmap, 0x2_0000_0000 + page * 8192, 4096, .readOnly, .fixedPrivateMemory, minusOne, 0)
    }
    let processes = kernel.kernel.inspectedProcesses
    let space = try #require(processes.process(Int32(forking))?.addressSpace)
    let mapPageCount = UInt64(space.kernelByteCount) / 4096
    let pageCount = 200 + mapPageCount + mapPageCount / 2
    #expect(mapPageCount > 40)
    kernel.run(larger)
    address = mapShared(kernel, pages: pageCount)
    for page in 0..<pageCount { kernel.store([1], at: address + page * 4096) }
    kernel.run(forking)
    kernel.call(.fork)
    func isNearlyMade() -> Bool {
      guard case .process(.fork(let pending)) = kernel.thread(of: Int32(forking))?.continuation else {
        return false
      }
      return (pending.space?.entryCount ?? 0) > 3900
    }
    for _ in 0..<1000 where !isNearlyMade() { kernel.call(.schedYield) }
    #expect(isNearlyMade())
    #expect(processes.killLargest()?.identifier == Int32(forking))
    #expect(processes.killLargest()?.identifier == Int32(larger))
  }

  @Test func `process 1 alone ends with SIGBUS`() throws {
    // shows: shm 3.12.no-memory
    let kernel = try TestKernel(frames: 256)
    let address = mapShared(kernel, pages: 1000)
    for page in 0..<UInt64(1000) {
      guard kernel.store([1], at: address + page * 4096) else { break }
    }
    #expect(kernel.report?.status == 10)
  }

  @Test func `calls refuse without a heap reserve`() throws {
    let kernel = try TestKernel()
    let name = kernel.string("/x")
    kernel.hardware.heap.alwaysFails = true
    #expect(kernel.call(.fork)?.errno == .enomem)
    #expect(kernel.call(.shmOpen2, name, .createReadWrite, 0, 0, 0)?.errno == .enfile)
    #expect(kernel.call(.mmap, 0, 4096, .readWrite, .privateMemory, minusOne, 0)?.errno == .enomem)
    #expect(kernel.call(.close, 0)?.integer == 0)
    #expect(kernel.call(.getpid)?.integer == 1)
    kernel.hardware.heap.alwaysFails = false
    #expect(kernel.call(.shmOpen2, name, .createReadWrite, 0, 0, 0)?.integer == 0)
  }

  @Test func `descriptors and mappings end with errors`() throws {
    let kernel = try TestKernel(frames: 512)
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    while !(kernel.call(.dup, 3)?.failed ?? true) {}
    #expect(kernel.result.errno == .emfile)
    #expect(kernel.call(.closefrom, 4)?.integer == 0)
    var address: UInt64 = 0x1_0000_0000
    while !(kernel.call(.mmap, address, 4096, UInt64(1 + address / 8192 % 2 * 2), .fixedSharedFile, 3, 0)?.failed
      ?? true)
    {
      address += 8192
    }
    #expect(kernel.result.errno == .enomem)
    #expect(address > 0x1_0010_0000)
    kernel.exit()
    #expect(kernel.report?.isClean == true, "\(String(describing: kernel.report))")
  }

  @Test func `names end with an error`() throws {
    let kernel = try TestKernel(frames: 256)
    var count = 0
    while count < 100_000 {
      kernel.storeWord(0x2F, at: TestKernel.data)
      kernel.storeWord(0x2F | UInt64(0x61_6161 + count) << 8, at: TestKernel.data)
      let result = kernel.call(.shmOpen2, TestKernel.data, .createReadWrite, 0o600, 0, 0)
      if result?.failed ?? true { break }
      kernel.call(.close, result?.value ?? 0)
      count += 1
    }
    #expect(count > 10)
    kernel.exit()
    #expect(kernel.report?.isClean == true, "\(String(describing: kernel.report))")
  }
}
