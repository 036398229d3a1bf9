// What is left for the superuser when users have taken what they can, and the limits of what one user can take.

import ABI
import Files
import Memory
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct ReserveTests {
  private let area: UInt64 = 0x1_0000_0000
  private let nobody = UInt64.max

  /// Process 2, which runs as user 7 and is the current one afterwards.
  private func user(_ kernel: TestKernel) -> Int {
    let child = kernel.fork()
    kernel.run(child)
    #expect(kernel.call(.setuid, 7)?.failed == false)
    return child
  }

  /// What root has to be able to do whatever users have done.
  private func rootWorks(_ kernel: TestKernel, _ round: Int) {
    kernel.run(1)
    let child = kernel.fork()
    #expect(child > 1, "round \(round): \(kernel.result)")
    guard child > 1 else { return }
    let name = kernel.string("/root", at: TestKernel.data + 64)
    #expect(kernel.call(.shmOpen2, name, .createReadWrite, 0o600, 0, 0)?.failed == false, "round \(round)")
    let descriptor = kernel.result.value
    #expect(kernel.call(.ftruncate, descriptor, 2 * 4096)?.failed == false)
    let address = kernel.call(.mmap, 0, 2 * 4096, 3, 1, descriptor, 0)?.value ?? 0
    #expect(kernel.store([1], at: address) && kernel.store([1], at: address + 4096), "round \(round)")
    #expect(kernel.call(.munmap, address, 2 * 4096)?.failed == false)
    #expect(kernel.call(.shmUnlink, name)?.failed == false)
    #expect(kernel.call(.close, descriptor)?.failed == false)
    #expect(kernel.call(.kill, UInt64(child), 9)?.failed == false)
    #expect(kernel.wait(child).1 == .terminated(.sigkill))
  }

  @Test(arguments: [0, 300] as [UInt32]) func `the superuser works when names have taken all memory`(swapBlocks: UInt32)
    throws
  {
    let kernel = try TestKernel(frames: 2048, swapBlocks: swapBlocks)
    let child = user(kernel)
    let name = kernel.string("/held", at: TestKernel.data + 64)
    let descriptor = kernel.call(.shmOpen2, name, .createReadWrite, 0o600, 0, 0)?.value ?? 0
    kernel.call(.ftruncate, descriptor, 1 << 30)
    var pages: UInt64 = 0
    while kernel.kernel.inspectedProcesses.livingProcess(Int32(child)) != nil, pages < 4000 {
      kernel.run(child)
      kernel.call(.pwrite, descriptor, TestKernel.data, 1, pages * 4096)
      pages += 1
      if kernel.context == nil { kernel.sleepUntilDeadline() }
      if kernel.identifier != child { break }
    }
    #expect(pages > 1000)
    for round in 0..<10 { rootWorks(kernel, round) }
    // Its end does not need what it waits for, and gives nothing back but itself: the name holds the pages.
    kernel.call(.kill, UInt64(child), 9)
    #expect(kernel.wait(child).1 == .terminated(.sigkill))
    #expect(kernel.hardware.system.freeFrameCount < 200)
    for round in 0..<3 { rootWorks(kernel, round) }
    #expect(kernel.call(.shmUnlink, kernel.string("/held"))?.failed == false)
    #expect(kernel.hardware.system.freeFrameCount > 1500)
    for round in 0..<3 { rootWorks(kernel, round) }
  }

  @Test func `users leave frames for the superuser`() throws {
    let kernel = try TestKernel(frames: 2048)
    let system = kernel.hardware.system
    let child = user(kernel)
    kernel.call(.mmap, area, 4000 * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    var page: UInt64 = 0
    while kernel.store([1], at: area + page * 4096) { page += 1 }
    // Process 1 runs; the other waits.
    #expect(system.freeFrameCount >= system.reserveFrameCount + system.privilegedFrameCount - 1)
    #expect(kernel.kernel.processes.livingProcess(Int32(child)) != nil)
    for round in 0..<10 { rootWorks(kernel, round) }
  }

  @Test func `the superuser's need kills a process of a user`() throws {
    let kernel = try TestKernel(frames: 2048)
    let child = user(kernel)
    kernel.call(.mmap, area, 4000 * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    var page: UInt64 = 0
    while kernel.store([1], at: area + page * 4096) { page += 1 }
    #expect(kernel.kernel.processes.livingProcess(Int32(child)) != nil)
    kernel.call(.mmap, area, 200 * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    for page in 0..<UInt64(200) { #expect(kernel.store([1], at: area + page * 4096)) }
    // It goes on as soon as there are some, before the other has given everything back.
    #expect(kernel.kernel.processes.process(Int32(child))?.state != .running)
    #expect(kernel.wait(child).1 == .terminated(.sigkill))
  }

  // MARK: Limits of kernel memory

  @Test func `mappings of a user end with an error`() throws {
    let kernel = try TestKernel(frames: 2048)
    _ = user(kernel)
    let system = kernel.hardware.system
    system.accounts.kernelPageLimit = 100
    var count: UInt64 = 0
    while kernel.call(.mmap, area + count * 8192, 4096, count % 2 * 2 + 1, .fixedPrivateMemory, nobody, 0)?.failed
      == false
    {
      count += 1
    }
    #expect(kernel.result.errno == .enomem)
    #expect(count > 1500 && system.freeFrameCount > 1000)
    // What cuts a mapping in two makes one more.
    #expect(kernel.call(.munmap, area, count * 8192)?.failed == false)
    #expect(kernel.call(.mmap, area, 4096, .readWrite, .fixedPrivateMemory, nobody, 0)?.failed == false)
    // The superuser is not limited.
    kernel.run(1)
    for page in 0..<UInt64(4000) {
      #expect(
        kernel.call(.mmap, area + page * 8192, 4096, page % 2 * 2 + 1, .fixedPrivateMemory, nobody, 0)?.failed == false)
    }
  }

  @Test func `one page in every 2 MiB ends who touches them`() throws {
    let kernel = try TestKernel(frames: 4096)
    let child = user(kernel)
    let system = kernel.hardware.system
    kernel.call(.mmap, area, 8000 << 21, .readWrite, .fixedPrivateMemory, nobody, 0)
    var page: UInt64 = 0
    while page < 8000, kernel.store([1], at: area + page << 21) { page += 1 }
    #expect(page > 500 && page < 2000)
    #expect(system.freeFrameCount > 1000)
    kernel.run(1)
    #expect(kernel.wait(child).1 == .terminated(.sigkill))
    for round in 0..<3 { rootWorks(kernel, round) }
  }

  @Test func `holes in a mapping are limited too`() throws {
    let kernel = try TestKernel(frames: 2048)
    let child = user(kernel)
    kernel.hardware.system.accounts.kernelPageLimit = 100
    kernel.call(.mmap, area, 100_000 * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    var page: UInt64 = 1
    while page < 20_000, kernel.identifier == child {
      kernel.call(.munmap, area + page * 4096, 4096)
      page += 2
    }
    #expect(page > 3000 && page < 20_000)
    #expect(kernel.wait(child).1 == .terminated(.sigkill))
  }

  @Test func `who may have no more kernel memory keeps nobody from running`() throws {
    let kernel = try TestKernel(frames: 2048, turnNanoseconds: ProcessLimits.turnNanoseconds)
    let clock = kernel.hardware.clock
    let processes = kernel.kernel.inspectedProcesses
    let root = kernel.context
    _ = user(kernel)
    let taker = kernel.context
    let page = area + 1 << 38
    kernel.call(.mmap, page, 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    let larger = kernel.fork()
    kernel.run(larger)
    kernel.call(.mmap, area, 100 * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    for page in 0..<UInt64(100) { kernel.store([1], at: area + page * 4096) }
    // It has used up its turn when it is to go.
    for _ in 0..<1000 where kernel.context != taker {
      clock.advance(by: 1_000_000)
      kernel.tick()
    }
    let accounts = kernel.hardware.system.accounts
    accounts.kernelPageLimit = accounts.existingAccount(of: 7)?.kernelPageCount ?? 0
    // The page needs tables; the superuser wants the processor all the time.
    var attempts = 0
    for _ in 0..<1000 where processes.livingProcess(Int32(larger)) != nil {
      clock.advance(by: 10_000)
      if kernel.context == taker {
        attempts += 1
        kernel.touch(page)
      } else if kernel.context == root {
        kernel.tick()
      } else {
        kernel.call(.schedYield)
      }
    }
    #expect(processes.livingProcess(Int32(larger)) == nil)
    #expect(attempts > 0 && attempts <= 20, "\(attempts) attempts")
  }

  @Test func `who is killed at the limit in the middle of a write ends`() throws {
    let kernel = try TestKernel(frames: 4096)
    let child = user(kernel)
    let pages: UInt64 = 1200
    kernel.call(.mmap, area, pages * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    for page in 0..<pages { kernel.store([1], at: area + page * 4096) }
    let object = kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0o600, 0, 0)?.value ?? 0
    #expect(kernel.call(.ftruncate, object, pages * 4096)?.failed == false)
    let accounts = kernel.hardware.system.accounts
    accounts.kernelPageLimit = (accounts.existingAccount(of: 7)?.kernelPageCount ?? 0) + 1
    kernel.call(.pwrite, object, area, pages * 4096, 0)
    kernel.run(1)
    #expect(kernel.wait(child).1 == .terminated(.sigkill))
    #expect(accounts.existingAccount(of: 7) == nil)
  }

  @Test func `who grows an object whose maker has no processes is killed at the maker's limit`() throws {
    let kernel = try TestKernel(frames: 2048)
    let maker = user(kernel)
    let object = kernel.call(.shmOpen2, kernel.string("/others"), .createReadWrite, 0o600, 0, 0)?.value ?? 0
    #expect(kernel.call(.fchmod, object, 0o666)?.failed == false)
    #expect(kernel.call(.ftruncate, object, 1 << 40)?.failed == false)
    kernel.exit()
    kernel.run(1)
    #expect(kernel.wait(maker).0 == maker)
    let accounts = kernel.hardware.system.accounts
    accounts.kernelPageLimit = 60
    /// Pages that a writer gets into the object, one in every gibibyte.
    func write() -> UInt64 {
      let descriptor = kernel.call(.shmOpen2, kernel.string("/others"), 2, 0, 0, 0)?.value ?? 0
      let process = kernel.identifier
      var count: UInt64 = 0
      while count < 400, kernel.identifier == process {
        kernel.call(.pwrite, descriptor, TestKernel.data, 1, count << 30)
        count += 1
      }
      return count
    }
    let other = kernel.fork()
    kernel.run(other)
    kernel.call(.setuid, 8)
    let count = write()
    #expect(count > 50 && count < 300)
    kernel.run(1)
    #expect(kernel.wait(other).1 == .terminated(.sigkill))
    // The superuser is not limited.
    #expect(write() == 400)
    #expect(kernel.call(.shmUnlink, kernel.string("/others"))?.failed == false)
  }

  @Test func `names of a user end with an error`() throws {
    let kernel = try TestKernel(frames: 2048)
    kernel.kernel.files.maximumNamesPerUser = 20
    kernel.kernel.files.maximumNameCount = 30
    func names(_ first: Int) -> Int {
      var count = 0
      while count < 100 {
        let name = kernel.string("/name\(first + count)", at: TestKernel.data + 64)
        guard kernel.call(.shmOpen2, name, .createReadWrite, 0o600, 0, 0)?.failed == false else { break }
        kernel.call(.close, kernel.result.value)
        count += 1
      }
      return count
    }
    _ = user(kernel)
    #expect(names(1000) == 20 && kernel.result.errno == .enfile)
    kernel.call(.shmUnlink, kernel.string("/name1000", at: TestKernel.data + 64))
    #expect(names(2000) == 1)
    kernel.run(1)
    let other = kernel.fork()
    kernel.run(other)
    kernel.call(.setuid, 8)
    #expect(names(3000) == 10 && kernel.result.errno == .enfile)
    kernel.run(1)
    #expect(names(4000) == 100)
  }

  @Test func `descriptors and processes of a user end with errors`() throws {
    let kernel = try TestKernel(frames: 4096)
    _ = user(kernel)
    kernel.hardware.system.accounts.kernelPageLimit = 60
    while kernel.call(.fork)?.failed == false, kernel.result.value != 0 {}
    #expect(kernel.result.errno == .eagain)
    while kernel.call(.dup, 0)?.failed == false {}
    #expect(kernel.result.errno == .emfile)
  }

  @Test func `the limits are the superuser's to set`() throws {
    let kernel = try TestKernel()
    for (name, value) in [
      ("kern.ipc.shm_names_max", 5), ("kern.ipc.shm_names_per_user", 6), ("vm.martlet.user_kernel_pages", 70),
    ] {
      let address = kernel.string(name, at: TestKernel.data + 64)
      kernel.storeWord(UInt64(value), at: TestKernel.data)
      let count = UInt64(name.utf8.count)
      #expect(kernel.call(.sysctlbyname, address, count, 0, 0, TestKernel.data, 4)?.failed == false, "\(name)")
      kernel.storeWord(8, at: TestKernel.data + 8)
      #expect(
        kernel.call(.sysctlbyname, address, count, TestKernel.data + 16, TestKernel.data + 8, 0, 0)?.failed == false)
      #expect(kernel.loadWord(TestKernel.data + 16) & 0xFFFF_FFFF == UInt64(value))
    }
    _ = user(kernel)
    let name = kernel.string("vm.martlet.user_kernel_pages", at: TestKernel.data + 64)
    #expect(kernel.call(.sysctlbyname, name, 28, 0, 0, TestKernel.data, 4)?.errno == .eperm)
  }
}
