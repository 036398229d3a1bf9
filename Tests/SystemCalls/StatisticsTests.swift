// What vmstat(8), top(1) and getloadavg(3) ask sysctl(3) for: counters, sizes, the load and the time of the processor; and the names of
// nodes that have others below them.

import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import SystemCalls

@Suite struct StatisticsTests {
  private let length = TestKernel.data + 0x3F8
  private let place = TestKernel.data + 0x400
  private let name = TestKernel.data + 0x200

  /// The value of a node; nothing when there is none.
  private func read(_ kernel: TestKernel, _ node: String, room: UInt64 = 128) -> [UInt8] {
    kernel.storeWord(room, at: length)
    let text = kernel.string(node, at: name)
    guard let result = kernel.call(.sysctlbyname, text, UInt64(node.utf8.count), place, length, 0, 0), !result.failed
    else { return [] }
    return kernel.load(place, Int(kernel.loadWord(length))) ?? []
  }

  private func number(_ bytes: some Collection<UInt8>) -> UInt64 {
    bytes.enumerated().reduce(0) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
  }

  private func words(_ bytes: [UInt8]) -> [UInt64] {
    stride(from: 0, to: bytes.count, by: 8).map { number(bytes[$0..<min($0 + 8, bytes.count)]) }
  }

  private func error(_ kernel: TestKernel, _ node: String, new: UInt64 = 0) -> Errno? {
    kernel.storeWord(128, at: length)
    let text = kernel.string(node, at: name)
    return kernel.call(.sysctlbyname, text, UInt64(node.utf8.count), place, length, new, 4)?.errno
  }

  private func sleep(_ kernel: TestKernel, seconds: UInt64) {
    kernel.storeWord(seconds, at: place)
    kernel.storeWord(0, at: place + 8)
    kernel.call(.nanosleep, place, 0)
    while kernel.isIdle { kernel.sleepUntilDeadline() }
  }

  // MARK: Counters

  @Test func `vmstat finds all that it asks for`() throws {
    let kernel = try TestKernel(swapBlocks: 64)
    let counters = [
      "sys.v_swtch", "sys.v_trap", "sys.v_syscall", "sys.v_intr", "sys.v_soft", "vm.v_vm_faults", "vm.v_io_faults",
      "vm.v_cow_faults", "vm.v_cow_optim", "vm.v_zfod", "vm.v_ozfod", "vm.v_swapin", "vm.v_swapout", "vm.v_swappgsin",
      "vm.v_swappgsout", "vm.v_vnodein", "vm.v_vnodeout", "vm.v_vnodepgsin", "vm.v_vnodepgsout", "vm.v_intrans",
      "vm.v_reactivated", "vm.v_pdwakeups", "vm.v_pdpages", "vm.v_dfree", "vm.v_pfree", "vm.v_tfree", "vm.v_forks",
      "vm.v_vforks", "vm.v_rforks", "vm.v_kthreads", "vm.v_forkpages", "vm.v_vforkpages", "vm.v_rforkpages",
      "vm.v_kthreadpages",
    ]
    for counter in counters {
      #expect(read(kernel, "vm.stats." + counter).count == 8, "\(counter)")
      // As programs from before FreeBSD 12 ask.
      #expect(read(kernel, "vm.stats." + counter, room: 4).count == 4, "\(counter)")
    }
    let sizes = [
      "v_page_size", "v_page_count", "v_free_reserved", "v_free_target", "v_free_min", "v_free_count", "v_wire_count",
      "v_active_count", "v_inactive_target", "v_inactive_count", "v_laundry_count", "v_pageout_free_min",
      "v_interrupt_free_min", "v_free_severe",
    ]
    for size in sizes { #expect(read(kernel, "vm.stats.vm." + size).count == 4, "\(size)") }
    func count(_ name: String) -> UInt64 { number(read(kernel, "vm.stats.vm." + name)) }
    let pages =
      count("v_free_count") + count("v_active_count") + count("v_inactive_count") + count("v_laundry_count")
      + count("v_wire_count")
    #expect(pages == count("v_page_count"))
    #expect(count("v_free_min") < count("v_free_target") && count("v_free_reserved") < count("v_free_min"))
  }

  @Test func `counters count what happens`() throws {
    let kernel = try TestKernel(frames: 512, swapBlocks: 1024)
    kernel.hardware.swap?.behaviour.immediateOneIn = 3
    func count(_ name: String) -> UInt64 { number(read(kernel, "vm.stats." + name)) }
    let calls = count("sys.v_syscall")
    for _ in 0..<10 { kernel.call(.getpid) }
    #expect(count("sys.v_syscall") == calls + 11)
    let (forks, vforks, copies) = (count("vm.v_forks"), count("vm.v_vforks"), count("vm.v_cow_faults"))
    let switches = count("sys.v_swtch")
    let child = kernel.fork()
    kernel.storeWord(1, at: TestKernel.data + 0x1000)
    #expect(kernel.wait(child) { kernel.exit() }.0 == child)
    kernel.call(.vfork)
    kernel.exit()
    #expect(kernel.wait().1 == .exited(0))
    #expect(count("vm.v_forks") == forks + 1 && count("vm.v_vforks") == vforks + 1)
    #expect(count("vm.v_forkpages") > 0 && count("vm.v_rforks") == 0)
    #expect(count("vm.v_cow_faults") > copies && count("sys.v_swtch") >= switches + 4)
    // Memory that is reached for, written out, brought back and given up.
    let (zeroed, faults, traps) = (count("vm.v_zfod"), count("vm.v_vm_faults"), count("sys.v_trap"))
    let ended = count("vm.v_pfree")
    let pages: UInt64 = 700
    let address = kernel.call(.mmap, 0, pages * 4096, .readWrite, .privateMemory, UInt64.max, 0)?.value ?? 0
    for page in 0..<pages { kernel.storeWord(page + 1, at: address + page * 4096) }
    for page in 0..<pages { #expect(kernel.loadWord(address + page * 4096) == page + 1) }
    #expect(count("vm.v_zfod") == zeroed + pages)
    #expect(count("vm.v_vm_faults") >= faults + pages && count("sys.v_trap") >= traps + pages)
    for name in ["v_io_faults", "v_swapin", "v_swapout", "v_pdpages", "v_pdwakeups", "v_dfree"] {
      #expect(count("vm." + name) > 0, "\(name)")
    }
    kernel.call(.munmap, address, pages * 4096)
    #expect(count("vm.v_pfree") >= ended + 100 && count("vm.v_tfree") >= count("vm.v_dfree") + 100)
  }

  // MARK: The processor

  @Test func `the load is an average that decays`() throws {
    let kernel = try TestKernel()
    func load() -> [Double] {
      let bytes = read(kernel, "vm.loadavg")
      #expect(bytes.count == 24 && number(bytes[16..<24]) == 2048)
      return (0..<3).map { Double(number(bytes[(4 * $0)..<(4 * $0 + 4)])) / 2048 }
    }
    /// Lets time pass while programs run.
    func run(seconds: Int) {
      for _ in 0..<(seconds * 10) {
        kernel.hardware.clock.advance(by: 100_000_000)
        kernel.tick()
      }
    }
    #expect(load() == [0, 0, 0])
    let child = kernel.fork()
    run(seconds: 60)
    // Two threads for a minute: 2 (1 - 1/e), and less in the longer averages.
    let busy = load()
    #expect(abs(busy[0] - 1.264) < 0.03 && abs(busy[1] - 0.363) < 0.03 && abs(busy[2] - 0.129) < 0.03)
    kernel.run(child)
    kernel.exit()
    kernel.run(1)
    #expect(kernel.wait(child).0 == child)
    sleep(kernel, seconds: 60)
    let calm = load()
    #expect(abs(calm[0] - busy[0] / 2.718) < 0.03 && calm[1] < busy[1] && calm[2] < busy[2])
    sleep(kernel, seconds: 1_000_000)
    #expect(load() == [0, 0, 0])
    #expect(read(kernel, "kern.fscale").count == 4 && number(read(kernel, "kern.ccpu")) == 0)
  }

  @Test func `the time of the processor is told by what it was spent with`() throws {
    let kernel = try TestKernel()
    func ticks() -> [UInt64] {
      let bytes = read(kernel, "kern.cp_time")
      #expect(bytes.count == 40 && read(kernel, "kern.cp_times").count == 40)
      return words(bytes)
    }
    func run() {
      kernel.hardware.clock.advance(by: 2_000_000_000)
      kernel.tick()
    }
    let begin = ticks()
    run()
    let busy = ticks()
    #expect(busy[0] - begin[0] >= 250 && busy[4] == begin[4])
    sleep(kernel, seconds: 10)
    let idle = ticks()
    #expect(idle[4] - busy[4] >= 1270 && idle[0] - busy[0] < 10)
    #expect(kernel.call(.setpriority, 0, 0, 10)?.failed == false)
    run()
    let nice = ticks()
    #expect(nice[1] - idle[1] >= 250 && nice[0] - idle[0] < 10)
    #expect(nice[3] < 10)
  }

  @Test func `the beginning is told, and the last process`() throws {
    let kernel = try TestKernel()
    let time = words(read(kernel, "kern.boottime"))
    let services = kernel.hardware.system.services
    #expect(time.count == 2 && time[0] == services.bootNanoseconds / 1_000_000_000 && time[1] < 1_000_000)
    let child = kernel.fork()
    #expect(number(read(kernel, "kern.lastpid")) == UInt64(child))
    #expect(kernel.wait(child) { kernel.exit() }.0 == child)
  }

  // MARK: vm.vmtotal

  @Test func `the totals count every object once`() throws {
    let kernel = try TestKernel()
    func totals() throws -> SystemTotals {
      let bytes = read(kernel, "vm.vmtotal")
      try #require(bytes.count == 88)
      return SystemTotals(bytes.span)
    }
    let before = try totals()
    #expect(before.runnable == 1 && before.sleeping == 0)
    #expect(before.free == UInt64(kernel.hardware.system.freeFrameCount))
    let shared = kernel.call(.mmap, 0, 100 * 4096, .readWrite, .sharedMemory, UInt64.max, 0)?.value ?? 0
    for page in 0..<10 as Range<UInt64> { kernel.storeWord(1, at: shared + page * 4096) }
    let mapped = try totals()
    #expect(mapped.virtual == before.virtual + 100 && mapped.activeVirtual == before.activeVirtual + 100)
    #expect(mapped.resident == before.resident + 10 && mapped.activeResident == before.activeResident + 10)
    // An object without a mapping does not count.
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    kernel.call(.ftruncate, kernel.result.value, 50 * 4096)
    #expect(try totals().virtual == mapped.virtual)
    let child = kernel.fork()
    let (_, status) = kernel.wait(child) {
      // The other waits, and shares the object; what is private has a shadow as soon as it is stored to.
      kernel.storeWord(1, at: TestKernel.data + 0x5000)
      guard let both = try? totals() else { return kernel.exit(1) }
      #expect(both.sleeping == 1 && both.runnable == 1)
      #expect(both.virtual >= mapped.virtual + 16 && both.virtual < mapped.virtual + 100)
      kernel.exit()
    }
    #expect(status == .exited(0))
    // A short buffer; only the length.
    #expect(read(kernel, "vm.vmtotal", room: 80).isEmpty && kernel.loadWord(length) == 80)
    let text = kernel.string("vm.vmtotal", at: name)
    #expect(kernel.call(.sysctlbyname, text, 10, 0, length, 0, 0)?.failed == false)
    #expect(kernel.loadWord(length) == 88)
    kernel.storeWord(128, at: length)
    #expect(kernel.call(.sysctlbyname, text, 10, 8, length, 0, 0)?.errno == .efault)
  }

  @Test func `totals of many mappings are counted in steps`() throws {
    let kernel = try TestKernel()
    for index in 0..<1500 as Range<UInt64> {
      kernel.call(.mmap, 0x2000_0000 + index * 0x2000, 4096, .readWrite, .fixedSharedMemory, UInt64.max, 0)
    }
    let returns = kernel.returnCount
    let bytes = read(kernel, "vm.vmtotal")
    #expect(bytes.count == 88 && SystemTotals(bytes.span).virtual >= 1500 && kernel.returnCount > returns)
  }

  // MARK: Inner nodes

  @Test func `what has nodes below it has no value`() throws {
    let kernel = try TestKernel()
    for node in ["kern", "kern.", "vm.stats", "vm.stats.vm.", "kern.proc", "debug.fail_point", "net.local.stream"] {
      #expect(error(kernel, node) == .eisdir, "\(node)")
      #expect(error(kernel, node, new: place) == .eisdir, "\(node)")
    }
    #expect(error(kernel, "kern.ostype.") == nil)
    for node in ["kern..", ".", "kern.ostype.x", "kern.proc.pid.1", "vm.stats.vm.v_nothing", "kernel"] {
      #expect(error(kernel, node) == .enoent, "\(node)")
    }
    // By numbers: of kern.proc; and one that goes on below a value.
    kernel.store(TestKernel.words([1, 14, 0, 0]), at: name)
    kernel.storeWord(8, at: length)
    #expect(kernel.call(.sysctl, name, 2, place, length, 0, 0)?.errno == .eisdir)
    kernel.store(TestKernel.words([1, 1, 1]), at: name)
    #expect(kernel.call(.sysctl, name, 3, place, length, 0, 0)?.errno == .enotdir)
    // The length is looked at before the numbers, and after a name.
    kernel.store(TestKernel.words([1, 9999]), at: name)
    #expect(kernel.call(.sysctl, name, 2, place, 8, 0, 0)?.errno == .efault)
    #expect(kernel.call(.sysctl, name, 2, place, length, 0, 0)?.errno == .enoent)
    #expect(kernel.call(.sysctlbyname, kernel.string("kern.no", at: name), 7, place, 8, 0, 0)?.errno == .enoent)
    // From names to numbers.
    func numbers(_ node: String) -> [UInt8] {
      kernel.store(TestKernel.words([0, 3]), at: place + 0x100)
      kernel.storeWord(64, at: length)
      let text = kernel.string(node, at: name)
      let count = UInt64(node.utf8.count)
      guard kernel.call(.sysctl, place + 0x100, 2, place, length, text, count)?.failed == false else { return [] }
      return kernel.load(place, Int(kernel.loadWord(length))) ?? []
    }
    #expect(numbers("kern") == TestKernel.words([1]) && numbers("kern.proc") == TestKernel.words([1, 14]))
    #expect(numbers("vm.loadavg") == TestKernel.words([2, 2]))
    #expect(numbers("kern.boottime") == TestKernel.words([1, 21]))
    let stats = numbers("vm.stats")
    #expect(stats.count == 8)
    kernel.store(stats, at: name)
    #expect(kernel.call(.sysctl, name, 2, place, length, 0, 0)?.errno == .eisdir)
  }
}
