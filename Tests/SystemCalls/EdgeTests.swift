// Calls at their edges: structures that cross pages, buffers that end in the middle, descriptors that were only reserved,
// and who is chosen when memory has run out.

import ABI
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct EdgeTests {
  private let data = TestKernel.data
  private let area: UInt64 = 0x1_0000_0000
  private let nobody = UInt64.max

  @Test func `a structure that crosses pages arrives whole`() throws {
    let kernel = try TestKernel()
    let size = Stat.byteCount
    #expect(kernel.call(.fstat, 0, data)?.failed == false)
    let wanted = try #require(kernel.load(data, size))
    // Two pages that are there, whose frames need not follow each other; what is behind the structure stays.
    kernel.call(.mmap, area, 2 * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    kernel.store([1], at: area + 4096)
    for left in stride(from: 8, through: size + 8, by: 8) {
      let address = area + 4096 - UInt64(left)
      kernel.store([UInt8](repeating: 0xEE, count: size + 16), at: address - 8)
      #expect(kernel.call(.fstat, 0, address)?.failed == false)
      let marks = [UInt8](repeating: 0xEE, count: 8)
      #expect(kernel.load(address - 8, size + 16) == marks + wanted + marks, "\(left)")
    }
    // The second page is missing: nothing of the next frame may be touched.
    kernel.call(.munmap, area + 4096, 4096)
    for left in [8, 100, 128, 200, size - 8] {
      #expect(kernel.call(.fstat, 0, area + 4096 - UInt64(left))?.errno == .efault, "\(left)")
    }
    #expect(kernel.call(.fstat, 0, area + 4096 - UInt64(size))?.failed == false)
  }

  @Test func `the console writes what it could read`() throws {
    let kernel = try TestKernel()
    kernel.call(.mmap, area, 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    kernel.store([UInt8](repeating: 0x61, count: 300), at: area + 4096 - 300)
    _ = kernel.hardware.processor.takeConsoleOutput()
    #expect(kernel.call(.write, 1, area + 4096 - 300, 1000)?.value == 300)
    #expect(kernel.hardware.processor.takeConsoleOutput() == [UInt8](repeating: 0x61, count: 300))
    #expect(kernel.call(.write, 1, area + 4096, 1)?.errno == .efault)
  }

  @Test(arguments: [0, 1, 2, 3]) func `a descriptor that is not used in the end leaves nothing`(which: Int) throws {
    // shows: shm 3.1.failure-closes
    let kernel = try TestKernel()
    let name = kernel.string("/name")
    #expect(kernel.call(.shmOpen2, name, .createReadWrite, 0o600, 0, 0)?.value == 3)
    for descriptor in 4..<64 { #expect(kernel.call(.dup, 0)?.integer == descriptor) }
    switch which {
    case 0: #expect(kernel.call(.open, kernel.string("/dev/none", at: data + 64), 0)?.errno == .enoent)
    case 1: #expect(kernel.call(.shmOpen2, name, .createExclusiveReadWrite, 0, 0, 0)?.errno == .eexist)
    case 2: #expect(kernel.call(.shmOpen2, kernel.string("/none", at: data + 64), 2, 0, 0, 0)?.errno == .enoent)
    default: #expect(kernel.call(.shmOpen2, 1, 0, 0, 0, 0)?.errno == .einval)
    }
    // The table is dropped, and would not be if it still had room for descriptor 64.
    let child = kernel.fork()
    #expect(kernel.wait(child) { kernel.exit() }.0 == child)
    kernel.exit()
    #expect(kernel.report?.isClean == true)
  }

  @Test func `the largest is who holds most`() throws {
    let kernel = try TestKernel()
    func grow(_ process: Int, _ pages: UInt64) {
      kernel.run(process)
      kernel.call(.mmap, area, pages * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
      for page in 0..<pages { kernel.store([1], at: area + page * 4096) }
    }
    let small = kernel.fork()
    grow(small, 30)
    kernel.run(1)
    let large = kernel.fork()
    grow(large, 60)
    // A child that has ended holds nothing any more.
    let guest = kernel.fork()
    kernel.run(guest)
    kernel.exit()
    while kernel.kernel.inspectedProcesses.livingProcess(Int32(guest)) != nil { kernel.call(.schedYield) }
    kernel.run(1)
    #expect(kernel.kernel.processes.killLargest()?.identifier == Int32(large))
    // Who is about to end is not chosen twice, and process 1 never.
    #expect(kernel.kernel.processes.killLargest()?.identifier == Int32(small))
    #expect(kernel.kernel.processes.killLargest() == nil)
    #expect(kernel.wait(small).0 == small && kernel.wait(large).0 == large)
  }

  @Test func `floating point registers are their thread's own and clean in a new program`() throws {
    let kernel = try TestKernel()
    let unit = kernel.hardware.floatingPoint
    unit.registers = (1, 2)
    let child = kernel.fork()
    kernel.run(child)
    #expect(unit.registers == (1, 2))
    unit.registers = (3, 4)
    kernel.run(1)
    #expect(unit.registers == (1, 2))
    kernel.run(child)
    #expect(unit.registers == (3, 4))
    kernel.execute()
    kernel.run(child)
    #expect(unit.registers == (0, 0))
  }
}
