// __sysctl and __sysctlbyname: the order of what they do, and what an error leaves behind.

import ABI
import Memory
import Simulation
import Testing

@testable import SystemCalls

@Suite struct SystemControlTests {
  private let out = TestKernel.data + 0x400
  private let length = TestKernel.data + 0x3F8
  private let new = TestKernel.data + 0x300

  /// Sets vm.overcommit with these arguments.
  private func control(
    _ kernel: TestKernel, old: UInt64, oldLength: UInt64, new: UInt64, newLength: UInt64, name: String = "vm.overcommit"
  ) -> Errno? {
    let address = kernel.string(name)
    return kernel.call(.sysctlbyname, address, UInt64(name.utf8.count), old, oldLength, new, newLength)?.errno
  }

  private func overcommit(_ kernel: TestKernel) -> UInt32 { kernel.hardware.system.accounting.overcommit }

  @Test func `the old value goes out before the new one is set`() throws {
    let kernel = try TestKernel()
    kernel.storeWord(4, at: new)
    kernel.storeWord(4, at: length)
    #expect(control(kernel, old: 8, oldLength: length, new: new, newLength: 4) == .efault)
    #expect(overcommit(kernel) == 0)
    kernel.storeWord(UInt64.max, at: out)
    #expect(control(kernel, old: out, oldLength: length, new: new, newLength: 4) == nil)
    #expect(overcommit(kernel) == 4)
    #expect(kernel.loadWord(out) == 0xFFFF_FFFF_0000_0000)
    #expect(kernel.loadWord(length) == 4)
  }

  @Test func `a short buffer gets what fits and changes nothing`() throws {
    let kernel = try TestKernel()
    kernel.storeWord(4, at: new)
    kernel.storeWord(2, at: length)
    kernel.storeWord(UInt64.max, at: out)
    #expect(control(kernel, old: out, oldLength: length, new: new, newLength: 4) == .enomem)
    #expect(overcommit(kernel) == 0)
    #expect(kernel.loadWord(out) == 0xFFFF_FFFF_FFFF_0000)
    #expect(kernel.loadWord(length) == 2)
    // Without a buffer only the length is told, and the value is set.
    #expect(control(kernel, old: 0, oldLength: length, new: new, newLength: 4) == nil)
    #expect(kernel.loadWord(length) == 4)
    #expect(overcommit(kernel) == 4)
  }

  @Test func `the superuser sets how many files there may be`() throws {
    let kernel = try TestKernel()
    func files() -> UInt64 {
      kernel.storeWord(4, at: length)
      kernel.storeWord(0, at: out)
      #expect(control(kernel, old: out, oldLength: length, new: 0, newLength: 0, name: "kern.maxfiles") == nil)
      return kernel.loadWord(out)
    }
    func set(_ count: UInt64) -> Errno? {
      kernel.storeWord(count, at: new)
      return control(kernel, old: 0, oldLength: 0, new: new, newLength: 4, name: "kern.maxfiles")
    }
    func open() -> CallResult? { kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0) }
    let old = files()
    #expect(set(old + 100) == nil)
    #expect(files() == old + 100)
    // Three are open. Of 40 the last two are the superuser's, and one fewer than 40 can be had.
    #expect(set(40) == nil)
    #expect(kernel.call(.seteuid, 7)?.integer == 0)
    var count = 3
    while let result = open(), !result.failed { count += 1 }
    #expect(open()?.errno == .enfile && count == 37)
    #expect(set(100) == .eperm)
    #expect(kernel.call(.seteuid, 0)?.integer == 0)
    while let result = open(), !result.failed { count += 1 }
    #expect(open()?.errno == .enfile && count == 39)
    // Below what is open nothing can be opened, and nothing is closed.
    #expect(set(10) == nil)
    #expect(open()?.errno == .enfile && kernel.call(.dup, 38)?.integer == 39)
    #expect(set(50) == nil)
    #expect(open()?.failed == false)
    #expect(set(0xFFFF_FFFF) == nil)
    #expect(files() == 0xFFFF_FFFF && open()?.errno == .enfile)
    #expect(set(old) == nil && open()?.failed == false)
  }

  @Test func `the program of a process is told by its number`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    func path(_ numbers: [UInt32], room: UInt64 = 64, new: UInt64 = 0) -> CallResult? {
      kernel.store(
        numbers.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }, at: self.new)
      kernel.storeWord(room, at: length)
      kernel.store([UInt8](repeating: 0xFF, count: 32), at: out)
      return kernel.call(.sysctl, self.new, UInt64(numbers.count), out, length, new, 4)
    }
    let none = UInt32.max
    for who in [none, 1, UInt32(child)] {
      #expect(path([1, 14, 12, who])?.integer == 0)
      #expect(kernel.loadString(out) == "/bin/prog" && kernel.loadWord(length) == 10)
    }
    #expect(path([1, 14, 12, none], room: 5)?.errno == .enomem)
    #expect(kernel.load(out, 6) == Array("/bin/".utf8) + [0xFF])
    // Without a process, with too much, with none that exists, and never set.
    #expect(path([1, 14, 12])?.errno == .einval)
    #expect(path([1, 14, 12, 1, 1])?.errno == .einval)
    #expect(path([1, 14, 12, 7777])?.errno == .esrch)
    #expect(path([1, 14, 12, 7777], new: 8)?.errno == .eperm)
    #expect(path([1, 14])?.errno == .eisdir)
    #expect(path([1, 14, 99, 1])?.errno == .enoent)
    #expect(control(kernel, old: 0, oldLength: 0, new: 0, newLength: 0, name: "kern.proc.pathname") == .einval)
    // From the name to the numbers, to which the process is added.
    kernel.storeWord(64, at: length)
    kernel.storeWord(3 << 32, at: new)
    let name = kernel.string("kern.proc.pathname")
    #expect(kernel.call(.sysctl, new, 2, out, length, name, 18)?.integer == 0)
    #expect(kernel.loadWord(out) == 14 << 32 | 1 && kernel.load(out + 8, 4) == [12, 0, 0, 0])
    #expect(kernel.loadWord(length) == 12)
    // Who has ended executes nothing.
    kernel.run(child)
    kernel.exit()
    kernel.run(1)
    #expect(path([1, 14, 12, UInt32(child)])?.integer == 0)
    #expect(kernel.loadWord(length) == 0)
    #expect(kernel.wait(child).0 == child)
    #expect(path([1, 14, 12, UInt32(child)])?.errno == .esrch)
  }

  @Test func `every swap device is told of by its place`() throws {
    let kernel = try TestKernel(swapBlocks: 256)
    let name = kernel.string("vm.swap_info")
    kernel.storeWord(64, at: length)
    kernel.storeWord(3 << 32, at: new)
    #expect(kernel.call(.sysctl, new, 2, out, length, name, 12)?.integer == 0)
    #expect(kernel.loadWord(length) == 8)
    let node = kernel.loadWord(out)
    func tell(_ numbers: Int, of place: UInt64 = 0, room: UInt64 = 64, new value: UInt64 = 0) -> CallResult? {
      kernel.storeWord(node, at: new)
      kernel.storeWord(place, at: new + 8)
      kernel.storeWord(room, at: length)
      kernel.store([UInt8](repeating: 0xFF, count: 48), at: out)
      return kernel.call(.sysctl, new, UInt64(numbers), out, length, value, 4)
    }
    #expect(tell(3)?.integer == 0)
    #expect(kernel.loadWord(length) == 32)
    // The version, the device, flags and size, what is used of it.
    #expect(kernel.loadWord(out) == 2 && kernel.loadWord(out + 8) == 0x400)
    #expect(kernel.loadWord(out + 16) == 256 << 32 && kernel.loadWord(out + 24) == 0)
    #expect(kernel.loadWord(out + 32) == UInt64.max)
    // A short buffer gets what fits.
    #expect(tell(3, room: 4)?.errno == .enomem && kernel.load(out, 5) == [2, 0, 0, 0, 0xFF])
    // Of no place, of one that nobody has, of too much, and never set.
    #expect(tell(2)?.errno == .einval)
    #expect(control(kernel, old: 0, oldLength: 0, new: 0, newLength: 0, name: "vm.swap_info") == .einval)
    #expect(tell(3, of: 1)?.errno == .enoent && tell(3, of: UInt64(UInt32.max))?.errno == .enoent)
    #expect(tell(4)?.errno == .einval)
    #expect(tell(3, new: out)?.errno == .eperm)
  }

  @Test func `errors come in FreeBSD's order`() throws {
    let kernel = try TestKernel()
    kernel.storeWord(4, at: length)
    // The length, permission, the old value, the new length, the new value.
    #expect(control(kernel, old: out, oldLength: 8, new: 8, newLength: 1, name: "hw.pagesize") == .efault)
    #expect(control(kernel, old: 8, oldLength: length, new: 8, newLength: 1, name: "hw.pagesize") == .eperm)
    #expect(control(kernel, old: 8, oldLength: length, new: 8, newLength: 1) == .efault)
    kernel.storeWord(4, at: length)
    #expect(control(kernel, old: out, oldLength: length, new: 8, newLength: 1) == .einval)
    #expect(control(kernel, old: out, oldLength: length, new: 8, newLength: 8) == .efault)
    // More bytes than an int has are no error.
    kernel.storeWord(1, at: new)
    #expect(control(kernel, old: out, oldLength: length, new: new, newLength: 8) == nil)
    #expect(overcommit(kernel) == 1)
    kernel.call(.setuid, 1)
    #expect(control(kernel, old: 8, oldLength: length, new: 8, newLength: 1) == .eperm)
    #expect(kernel.call(.sysctlbyname, TestKernel.data, 0, 0, 0, 0, 0)?.errno == .einval)
    #expect(kernel.call(.sysctlbyname, TestKernel.data, 1024, 0, 0, 0, 0)?.errno == .einval)
  }
}
