// Stops and kills in the middle of calls: what has begun finishes first, what has not holds up nobody (DESIGN, "Steps are
// invisible"; spec shm.md 2.4).

import ABI
import Files
import Processes
import Testing

@testable import SystemCalls

@Suite struct StopTests {
  private let area: UInt64 = 0x1_0000_0000
  private let pages: UInt64 = 40

  /// A call on descriptor 3, an object of 40 pages of 1s, that is cut several times, and what it leaves when it is whole.
  private struct LongCall: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let number: SystemCallNumber
    let arguments: [UInt64]
    var size: UInt64 = 40 * 4096
    var last: UInt8 = 1
  }

  private static let calls: [LongCall] = [
    LongCall(
      testDescription: "pwrite", number: .pwrite, arguments: [3, 0x1_0000_0000, 40 * 4096, 0], last: 2),
    LongCall(testDescription: "write", number: .write, arguments: [3, 0x1_0000_0000, 40 * 4096], last: 2),
    LongCall(testDescription: "pread", number: .pread, arguments: [3, 0x1_0000_0000, 40 * 4096, 0]),
    LongCall(testDescription: "read", number: .read, arguments: [3, 0x1_0000_0000, 40 * 4096]),
    LongCall(testDescription: "ftruncate", number: .ftruncate, arguments: [3, 4096], size: 4096),
  ]

  /// What another process wants of the same object meanwhile.
  private static let wants: [(String, SystemCallNumber, [UInt64])] = [
    ("pwrite", .pwrite, [3, TestKernel.data, 1, 5]), ("pread", .pread, [3, TestKernel.data, 1, 5]),
    ("ftruncate", .ftruncate, [3, 41 * 4096]), ("lseek", .lseek, [3, 0, 1]), ("F_ADD_SEALS", .fcntl, [3, 19, 4]),
  ]

  /// Process 2 is in the middle of the call, and process 1 runs.
  private func begin(_ call: LongCall) throws -> TestKernel {
    let kernel = try TestKernel(frames: 1024, unitsPerTurn: 4)
    let first = kernel.context
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 1, 0)
    kernel.call(.ftruncate, 3, pages * 4096)
    kernel.call(.mmap, area, pages * 4096, .readWrite, .fixedPrivateMemory, UInt64.max, 0)
    for page in 0..<pages {
      kernel.store([1], at: area + page * 4096)
      kernel.call(.pwrite, 3, area + page * 4096, 4096, page * 4096)
      kernel.store([2], at: area + page * 4096)
    }
    _ = kernel.fork()
    kernel.call(.schedYield)
    #expect(kernel.context != first)
    kernel.perform(UInt64(call.number.rawValue), call.arguments)
    #expect(kernel.context == first)
    let continuation = try #require(kernel.thread(of: 2)?.continuation)
    #expect(continuation.outlastsStop && continuation.outlastsKill)
    return kernel
  }

  private func process(_ kernel: TestKernel) -> Process? { kernel.kernel.inspectedProcesses.process(2) }

  private func isWhole(_ call: LongCall, _ kernel: TestKernel) -> Bool {
    kernel.call(.fstat, 3, TestKernel.data + 0x400)
    let size = kernel.loadWord(TestKernel.data + 0x400 + 112)
    kernel.call(.pread, 3, TestKernel.data, 1, call.size - 4096)
    return size == call.size && kernel.load(TestKernel.data, 1) == [call.last]
  }

  @Test(arguments: calls.indices, wants.indices)
  func `a stopped process holds nobody up`(index: Int, want: Int) throws {
    let call = Self.calls[index]
    let kernel = try begin(call)
    let first = kernel.context
    kernel.call(.kill, 2, 17)
    // The stop is not told before the call has ended, and nobody sees the object half made.
    #expect(kernel.call(.wait4, 2, 0, 1 | 2, 0)?.integer == 0)
    kernel.perform(UInt64(Self.wants[want].1.rawValue), Self.wants[want].2)
    for _ in 0..<100 where kernel.context != first { kernel.advance() }
    #expect(kernel.context == first && kernel.result.failed == false, "\(call.testDescription), \(Self.wants[want].0)")
    #expect(kernel.wait(2, options: 2) == (2, .stopped(.sigstop)))
    let thread = try #require(kernel.thread(of: 2))
    #expect(thread.isSuspended && thread.continuation.isNone)
    #expect(kernel.kernel.inspectedFiles.counts.holds == 0)
    kernel.call(.kill, 2, 19)
    kernel.call(.schedYield)
    #expect(kernel.result == CallResult(value: call.number == .ftruncate ? 0 : pages * 4096, failed: false))
  }

  @Test(arguments: calls.indices, [9, 15, 11] as [UInt64])
  func `a kill does not tear a call`(index: Int, signal: UInt64) throws {
    let call = Self.calls[index]
    let kernel = try begin(call)
    kernel.call(.kill, 2, signal)
    let (identifier, status) = kernel.wait(2)
    #expect(identifier == 2 && status == .terminated(Signal(rawValue: Int32(signal))))
    #expect(isWhole(call, kernel))
    // The offset is the whole call's, too.
    let moved = call.number == .write || call.number == .read ? pages * 4096 : 0
    #expect(kernel.call(.lseek, 3, 0, 1)?.value == moved)
    kernel.exit()
    #expect(kernel.report?.isClean == true, "\(String(describing: kernel.report))")
  }

  @Test(arguments: wants.indices) func `who waits in line and is stopped lets those behind pass`(want: Int) throws {
    let kernel = try TestKernel(frames: 1024, unitsPerTurn: 4)
    let first = kernel.context
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 1, 0)
    kernel.call(.ftruncate, 3, pages * 4096)
    kernel.call(.mmap, area, pages * 4096, .readWrite, .fixedPrivateMemory, UInt64.max, 0)
    for page in 0..<pages { kernel.store([1], at: area + page * 4096) }
    for _ in 0..<2 { _ = kernel.fork() }
    // Process 2 is in the middle of a write, process 3 waits for it, and then is stopped.
    kernel.call(.schedYield)
    kernel.call(.write, 3, area, pages * 4096)
    kernel.perform(UInt64(Self.wants[want].1.rawValue), Self.wants[want].2)
    for _ in 0..<100 where kernel.context != first { kernel.advance() }
    #expect(kernel.kernel.inspectedFiles.counts.holds == 2)
    kernel.call(.kill, 3, 17)
    #expect(kernel.kernel.inspectedFiles.counts.holds == 1)
    for _ in 0..<100 where kernel.context != first { kernel.call(.schedYield) }
    #expect(kernel.call(.wait4, 3, 0, 1 | 2, 0)?.integer == 3)
    kernel.call(.write, 3, area, 1)
    for _ in 0..<100 where kernel.context != first { kernel.call(.schedYield) }
    #expect(kernel.context == first)
    #expect(kernel.kernel.inspectedFiles.counts.holds == 0)
    // It queues up anew.
    kernel.call(.kill, 3, 19)
    for _ in 0..<100 where kernel.context == first { kernel.call(.schedYield) }
    for _ in 0..<100 where kernel.identifier != 3 { kernel.call(.schedYield) }
    #expect(kernel.identifier == 3)
    kernel.exit()
  }

  @Test func `nobody sees a size that nobody set`() throws {
    let kernel = try TestKernel(frames: 1024, unitsPerTurn: 4)
    let first = kernel.context
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 1, 0)
    kernel.call(.ftruncate, 3, pages * 4096)
    kernel.call(.mmap, area, pages * 4096, .readWrite, .fixedSharedFile, 3, 0)
    for page in 0..<pages { kernel.store([1], at: area + page * 4096) }
    _ = kernel.fork()
    kernel.call(.schedYield)
    let second = kernel.context
    kernel.call(.ftruncate, 3, 100)
    #expect(kernel.context == first)
    var looks = 0
    for _ in 0..<100 where kernel.context == first {
      looks += 1
      kernel.call(.fstat, 3, TestKernel.data)
      #expect(kernel.loadWord(TestKernel.data + 112) == pages * 4096)
      #expect(kernel.loadWord(TestKernel.data + 120) == pages)
      #expect(kernel.call(.lseek, 3, 0, 2)?.value == pages * 4096)
      kernel.call(.schedYield)
      if kernel.context == second { break }
    }
    #expect(looks >= 8)
    #expect(kernel.result == CallResult(value: 0, failed: false))
    kernel.call(.fstat, 3, TestKernel.data)
    #expect(kernel.loadWord(TestKernel.data + 112) == 100 && kernel.loadWord(TestKernel.data + 120) == 1)
    // A fault on what is being cut off waits for the end, and finds it gone.
    kernel.call(.ftruncate, 3, pages * 4096)
    for page in 0..<pages { kernel.store([1], at: area + page * 4096) }
    kernel.call(.ftruncate, 3, 4096)
    #expect(kernel.context == first)
    #expect(kernel.load(area + (pages - 1) * 4096, 1) == nil)
    #expect(kernel.context == second)
    #expect(kernel.result == CallResult(value: 0, failed: false))
    kernel.call(.schedYield)
    #expect(kernel.context == first)
    #expect(kernel.load(area + (pages - 1) * 4096, 1) == nil)
    for _ in 0..<100 where kernel.report == nil { kernel.advance() }
    #expect(kernel.report?.status == 10)
  }

  @Test(arguments: [9, 15, 17] as [UInt64])
  func `a signal to a group reaches all of it though it reaches the sender first`(
    signal: UInt64
  ) throws {
    let kernel = try TestKernel(frames: 8192, maximumProcessCount: 300)
    var children: [Int32] = []
    for _ in 0..<200 {
      let child = Int32(kernel.fork())
      #expect(child > 1)
      children.append(child)
    }
    kernel.run(Int(children[0]))
    kernel.call(.kill, 0, signal)
    for _ in 0..<2000 where kernel.context != nil { kernel.call(.schedYield) }
    var left = 0
    kernel.kernel.inspectedProcesses.inspectProcesses {
      if $0.identifier != 1 && $0.state == .running && !$0.isStopped { left += 1 }
    }
    #expect(left == 0)
  }

  @Test func `a killed writer that cannot have memory is ended`() throws {
    // Process 2 fills an object; no memory is left, and it is the largest.
    let kernel = try TestKernel(frames: 256)
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 1, 0)
    kernel.call(.ftruncate, 3, 1000 * 4096)
    let first = kernel.context
    _ = kernel.fork()
    kernel.call(.schedYield)
    kernel.call(.mmap, area, 64 * 4096, .readWrite, .fixedPrivateMemory, UInt64.max, 0)
    for page in 0..<UInt64(64) { kernel.store([1], at: area + page * 4096) }
    for round in 0..<20 as Range<UInt64> where kernel.context != first {
      kernel.call(.pwrite, 3, area, 64 * 4096, round * 64 * 4096)
      if kernel.context == first { kernel.call(.wait4, 2, 0, 0, 0) }
    }
    #expect(kernel.context == first)
    #expect(kernel.kernel.inspectedFiles.counts.holds == 0)
    #expect(kernel.call(.wait4, UInt64.max, 0, 1, 0)?.failed == true)
    kernel.exit()
  }
}
