// Programs at a console whose other end reads slowly.

import ABI
import Files
import Processes
import Simulation
import SystemCalls
import Testing

@Suite("A slow console")
struct SlowConsoleTests {
  private static let capacity = FileLimits.consoleOutputByteCount

  private func slowKernel() throws -> TestKernel {
    let kernel = try TestKernel()
    kernel.hardware.processor.console.limitRoom(to: 0)
    return kernel
  }

  /// Memory full of one letter.
  private func letters(_ letter: UInt8, _ kernel: TestKernel) -> UInt64 {
    let address = UInt64(kernel.call(.mmap, 0, 1 << 20, 3, 0x1000, UInt64.max, 0)?.integer ?? 0)
    kernel.store([UInt8](repeating: letter, count: 8192), at: address)
    return address
  }

  /// Writes 8 KiB, or waits for that.
  private func writeMuch(_ address: UInt64, _ kernel: TestKernel) { kernel.call(.write, 1, address, 8192) }

  @Test func `others run while a writer waits, and the writer goes on when somebody has read`() throws {
    let kernel = try slowKernel()
    let child = kernel.fork()
    for _ in 0..<100 where kernel.context != nil {
      guard kernel.identifier == child else {
        kernel.call(.wait4, UInt64.max, 0, 0, 0)
        continue
      }
      writeMuch(letters(65, kernel), kernel)
    }
    // The child waits for the console and process 1 for the child.
    #expect(kernel.isIdle && kernel.idleUntil == nil && kernel.report == nil)
    #expect(kernel.hardware.processor.consoleOutput.isEmpty)
    kernel.readConsole(Self.capacity / 4 - 1)
    #expect(kernel.isIdle)
    kernel.readConsole(1)
    #expect(!kernel.isIdle && kernel.identifier == child)
    kernel.exit(3)
    kernel.readConsole(1 << 20)
    #expect(kernel.identifier == 1)
  }

  @Test func `two writers both get on`() throws {
    let kernel = try slowKernel()
    let child = kernel.fork()
    var addresses: [Int: UInt64] = [:]
    var counts: [UInt8: Int] = [:]
    for _ in 0..<4000 {
      if kernel.context == nil {
        kernel.readConsole(700)
        for byte in kernel.hardware.processor.takeConsoleOutput() { counts[byte, default: 0] += 1 }
        continue
      }
      let process = kernel.identifier
      guard let address = addresses[process] else {
        addresses[process] = letters(process == child ? 66 : 65, kernel)
        continue
      }
      // One of them writes much at a time, the other little.
      kernel.call(.write, 1, address, process == child ? 100 : 8192)
    }
    #expect(counts[65, default: 0] > 50_000 && counts[66, default: 0] > 50_000, "\(counts)")
  }

  @Test func `a writer that is killed while it waits is gone, and others get on`() throws {
    let kernel = try slowKernel()
    let child = kernel.fork()
    kernel.run(child)
    let address = letters(65, kernel)
    for _ in 0..<100 where kernel.identifier == child { writeMuch(address, kernel) }
    // Process 1 runs, because the child waits.
    #expect(kernel.call(.kill, UInt64(child), 9)?.integer == 0)
    let (waited, status) = kernel.wait(child)
    #expect(waited == child && status == .terminated(.sigkill))
    kernel.readConsole(Self.capacity)
    #expect(kernel.call(.write, 1, TestKernel.data, 5)?.integer == 5)
  }

  @Test func `the machine does not stop before everything is out`() throws {
    let kernel = try slowKernel()
    kernel.store([UInt8](repeating: 65, count: 4096), at: TestKernel.data)
    #expect(kernel.call(.write, 1, TestKernel.data, 4096)?.integer == 4096)
    kernel.exit()
    #expect(kernel.report == nil && kernel.isIdle && kernel.idleUntil == nil)
    kernel.readConsole(4095)
    #expect(kernel.report == nil)
    kernel.readConsole(1)
    #expect(kernel.report?.isClean == true)
    #expect(kernel.hardware.processor.takeConsoleOutput() == [UInt8](repeating: 65, count: 4096))
  }

  @Test func `TIOCDRAIN sleeps until everything is out`() throws {
    let kernel = try slowKernel()
    kernel.store([UInt8](repeating: 65, count: 50), at: TestKernel.data)
    #expect(kernel.call(.write, 1, TestKernel.data, 50)?.integer == 50)
    #expect(kernel.call(.ioctl, 1, 0x4004_7473, TestKernel.data)?.integer == 0)
    #expect(kernel.loadWord(TestKernel.data) & 0xFFFF_FFFF == 50)
    #expect(kernel.call(.ioctl, 1, 0x2000_745E, 0) == nil)
    kernel.readConsole(49)
    #expect(kernel.isIdle)
    kernel.readConsole(1)
    #expect(kernel.result.integer == 0 && !kernel.isIdle)
  }
}
