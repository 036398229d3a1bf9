// The inspection of the whole kernel (Diagnosis.md): what reads of `vm.martlet.inspect` and the watched kernel say, and that
// nothing is wrong between the steps of calls that take long.

import ABI
@testable import Files
@testable import Memory
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite("Inspection") struct InspectionTests {
  private let area: UInt64 = 0x1_0000_0000

  /// Reads vm.martlet.inspect.
  private func inspect(_ kernel: TestKernel) -> CallResult? {
    let name = "vm.martlet.inspect"
    let address = kernel.string(name)
    return kernel.call(.sysctlbyname, address, UInt64(name.utf8.count), 0, 0, 0, 0)
  }

  private func console(_ kernel: TestKernel) -> String {
    String(decoding: kernel.hardware.processor.takeConsoleOutput(), as: UTF8.self)
  }

  @Test(arguments: [false, true])
  func `a violation is told to the reader, and to the console unless the kernel is quiet`(isQuiet: Bool) throws {
    let kernel = try TestKernel(isQuiet: isQuiet)
    let system = kernel.hardware.system
    #expect(inspect(kernel)?.failed == false)
    #expect(console(kernel) == "")
    #expect(kernel.kernel.plantViolation(Array("charge".utf8)))
    #expect(inspect(kernel)?.errno == .edoofus)
    let charges = system.accounting.reserved - 1
    let line = "martlet: inspection: reserved swap differs from the charges (\(charges))\r\n"
    #expect(console(kernel) == (isQuiet ? "" : line))
    #expect(kernel.kernel.hasViolation)
    system.release(1, of: nil)
    #expect(inspect(kernel)?.failed == false)
    // What was found once is not forgotten.
    kernel.exit()
    #expect(kernel.report?.hasViolation == true && kernel.report?.isClean == false)
    #expect(kernel.report?.hasLeaks == false)
  }

  @Test func `only the superuser has the kernel inspected`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.setuid, 7)?.failed == false)
    #expect(inspect(kernel)?.errno == .eperm)
  }

  @Test func `a violation of an unknown name is not planted`() throws {
    let kernel = try TestKernel()
    #expect(!kernel.kernel.plantViolation(Array("charges".utf8)))
    #expect(!kernel.kernel.plantViolation(Array("".utf8)))
    #expect(inspect(kernel)?.failed == false)
  }

  @Test func `a watched kernel is inspected after every so many events, and says so once`() throws {
    let kernel = try TestKernel()
    let system = kernel.hardware.system
    kernel.kernel.startMonitoring(inspectionInterval: 3)
    #expect(kernel.kernel.plantViolation(Array("charge".utf8)))
    _ = kernel.identifier
    _ = kernel.identifier
    #expect(!kernel.kernel.hasViolation && console(kernel) == "")
    _ = kernel.identifier
    #expect(kernel.kernel.hasViolation)
    #expect(console(kernel).hasPrefix("martlet: inspection: reserved swap differs from the charges ("))
    for _ in 0..<6 { _ = kernel.identifier }
    #expect(console(kernel) == "")
    system.release(1, of: nil)
  }

  @Test func `nothing is wrong between the steps of execve`() throws {
    let kernel = try TestKernel(
      modules: [("one", TestProgram.image), ("two", TestProgram.image)])
    let path = kernel.string("/bin/two", at: TestKernel.data + 0x100)
    // 1000 arguments are more than one turn takes.
    let text = kernel.string("argument", at: TestKernel.data + 0x200)
    let vector = TestKernel.data + 0x1000
    for index in 0..<UInt64(1000) { kernel.storeWord(text, at: vector + index * 8) }
    kernel.storeWord(0, at: vector + 8000)
    var stepsOfExecute = 0
    kernel.betweenReturns = {
      if let violation = kernel.kernel.inspect() { Issue.record("\(violation)") }
      if case .process(.execute) = kernel.thread(of: 1)?.continuation {
        stepsOfExecute += 1
      }
    }
    _ = kernel.fork()
    kernel.run(1)
    kernel.call(.execve, path, vector, vector + 8000)
    while kernel.kernel.inspectedProcesses.currentProcess?.identifier != 1 { kernel.call(.schedYield) }
    kernel.betweenReturns = nil
    #expect(stepsOfExecute > 0)
    #expect(kernel.register(128) == TestProgram.entry)
    let base = kernel.register(40)
    #expect(kernel.loadWord(base) == 1000)
    #expect(kernel.loadString(kernel.loadWord(base + 8 * 1000)) == "argument")
    #expect(kernel.loadWord(base + 8 * 1001) == 0)
  }

  @Test func `lseek waits while a write of the same open file is under way`() throws {
    let kernel = try TestKernel()
    // More than one turn moves.
    let byteCount = UInt64(2 * FileLimits.pagesPerTransferStep) * 4096
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    kernel.call(.ftruncate, 3, 2 * byteCount)
    kernel.call(.mmap, area, byteCount, .readWrite, .fixedPrivateMemory, UInt64.max, 0)
    kernel.store([1], at: area)
    let child = kernel.fork()
    kernel.run(child)
    let childContext = kernel.context
    kernel.run(1)
    let parent = kernel.context
    kernel.betweenReturns = {
      if let violation = kernel.kernel.inspect() { Issue.record("\(violation)") }
    }
    kernel.call(.write, 3, area, byteCount)
    #expect(kernel.context == childContext)
    // The offset is the write's until it has moved everything.
    kernel.call(.lseek, 3, 5, 1)
    #expect(kernel.context == parent)
    #expect(kernel.result == CallResult(value: byteCount, failed: false))
    kernel.run(child)
    kernel.betweenReturns = nil
    #expect(kernel.call(.lseek, 3, 0, 1) == CallResult(value: byteCount + 5, failed: false))
  }

  /// The descriptor of a seek that waits may go: it has its file, and keeps neither that nor its place.
  @Test func `a seek that waits for its turn is done, whatever becomes of its descriptor`() throws {
    let kernel = try TestKernel()
    let byteCount = UInt64(16 * FileLimits.pagesPerTransferStep) * 4096
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    kernel.call(.ftruncate, 3, 2 * byteCount)
    kernel.call(.mmap, area, byteCount, .readWrite, .fixedPrivateMemory, UInt64.max, 0)
    let seeker = try #require(kernel.current)
    let writer = try kernel.newThread()
    let closer = try kernel.newThread()
    let openFiles = kernel.kernel.inspectedFiles.counts.openFiles
    kernel.run(writer)
    kernel.call(.write, 3, area, byteCount)
    kernel.run(seeker)
    kernel.call(.lseek, 3, 5, 1)
    #expect(seeker.place != nil)
    kernel.run(closer)
    kernel.call(.close, 3)
    #expect(kernel.result == CallResult(value: 0, failed: false))
    #expect(seeker.place != nil, "nobody waits any more")
    kernel.run(seeker)
    #expect(kernel.result == CallResult(value: byteCount + 5, failed: false))
    #expect(seeker.place == nil && kernel.kernel.inspectedFiles.counts.openFiles == openFiles - 1)
    kernel.expectSound()
  }

  @Test func `an open that empties an object waits while it is written to`() throws {
    let kernel = try TestKernel()
    let byteCount = UInt64(2 * FileLimits.pagesPerTransferStep) * 4096
    let path = kernel.string("/object", at: TestKernel.data + 0x100)
    kernel.call(.shmOpen2, path, .createReadWrite, 0o600, 0, 0)
    kernel.call(.ftruncate, 3, byteCount)
    kernel.call(.mmap, area, byteCount, .readWrite, .fixedPrivateMemory, UInt64.max, 0)
    kernel.store([1], at: area)
    let child = kernel.fork()
    kernel.run(child)
    let childContext = kernel.context
    kernel.run(1)
    let parent = kernel.context
    var waits = 0
    kernel.betweenReturns = {
      if let violation = kernel.kernel.inspect() { Issue.record("\(violation)") }
      let thread = kernel.thread(of: Int32(child))
      if case .file(.open(let pending)) = thread?.continuation {
        waits += 1
        #expect((pending.inspectedFile as? SharedMemoryFile)?.object.size == Int64(byteCount))
      }
    }
    kernel.call(.write, 3, area, byteCount)
    #expect(kernel.context == childContext)
    kernel.call(.shmOpen2, path, .truncateReadWrite, 0, 0, 0)
    #expect(kernel.context == parent)
    #expect(kernel.result == CallResult(value: byteCount, failed: false))
    kernel.call(.schedYield)
    kernel.betweenReturns = nil
    #expect(kernel.context == childContext)
    #expect(kernel.result == CallResult(value: 4, failed: false))
    #expect(waits > 0)
    #expect(kernel.call(.lseek, 4, 0, 2) == CallResult(value: 0, failed: false))
  }
}
