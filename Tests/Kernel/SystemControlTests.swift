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

  @Test func theOldValueGoesOutBeforeTheNewOneIsSet() throws {
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

  @Test func aShortBufferGetsWhatFitsAndChangesNothing() throws {
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

  @Test func errorsComeInFreeBSDsOrder() throws {
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
