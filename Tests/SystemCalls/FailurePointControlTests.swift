// sysctl(3) of the fail points, `debug.fail_point.NAME` (Diagnosis.md): who may read and set them, and what is given back.

import ABI
import Primitives
import Simulation
import Testing

@testable import SystemCalls

@Suite struct FailurePointControlTests {
  private let out = TestKernel.data + 0x400
  private let length = TestKernel.data + 0x3F8
  private let new = TestKernel.data + 0x600
  private let name = "debug.fail_point.open_file"

  /// Sets a fail point; `byteCount` is the length of the text unless given.
  private func set(_ kernel: TestKernel, _ text: String, byteCount: UInt64? = nil, name: String? = nil) -> CallResult? {
    _ = kernel.string(text, at: new)
    let address = kernel.string(name ?? self.name)
    return kernel.call(
      .sysctlbyname, address, UInt64((name ?? self.name).utf8.count), 0, 0, new, byteCount ?? UInt64(text.utf8.count))
  }

  /// The setting as it is read; nil after an error.
  private func setting(_ kernel: TestKernel) -> String? {
    kernel.storeWord(100, at: length)
    let address = kernel.string(name)
    let result = kernel.call(.sysctlbyname, address, UInt64(name.utf8.count), out, length, 0, 0)
    guard result?.failed == false else { return nil }
    let text = kernel.loadString(out)
    #expect(kernel.loadWord(length) == UInt64(text.utf8.count + 1))
    return text
  }

  @Test func `a setting is read, set, and makes calls fail as often as it says`() throws {
    let kernel = try TestKernel()
    #expect(setting(kernel) == "off")
    #expect(set(kernel, "2*return(5)") == CallResult(value: 0, failed: false))
    #expect(setting(kernel) == "2*return(5)")
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.errno == .enfile)
    #expect(setting(kernel) == "1*return(5)")
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.errno == .enfile)
    #expect(setting(kernel) == "off")
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0) == CallResult(value: 3, failed: false))
  }

  @Test func `a point that is set for a process fails for no other`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    #expect(set(kernel, "return(0)[pid \(child)]")?.failed == false)
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0) == CallResult(value: 3, failed: false))
    _ = kernel.wait(child) {
      #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.errno == .enfile)
      kernel.exit()
    }
    #expect(set(kernel, "off")?.failed == false)
  }

  @Test func `the setting that a call gives back is the new one`() throws {
    let kernel = try TestKernel()
    kernel.storeWord(100, at: length)
    _ = kernel.string("25%return", at: new)
    let address = kernel.string(name)
    #expect(kernel.call(.sysctlbyname, address, UInt64(name.utf8.count), out, length, new, 9)?.failed == false)
    #expect(kernel.loadString(out) == "25%return")
    #expect(kernel.loadWord(length) == 10)
    #expect(set(kernel, "off")?.failed == false)
  }

  @Test func `a wrong setting changes nothing`() throws {
    let kernel = try TestKernel()
    #expect(set(kernel, "3*return")?.failed == false)
    #expect(set(kernel, "retrun")?.errno == .einval)
    #expect(set(kernel, "return", byteCount: 0)?.errno == .einval)
    #expect(set(kernel, "return", byteCount: 513)?.errno == .einval)
    let address = kernel.string(name)
    #expect(kernel.call(.sysctlbyname, address, UInt64(name.utf8.count), 0, 0, 8, 6)?.errno == .efault)
    #expect(setting(kernel) == "3*return")
    #expect(set(kernel, "return", name: "debug.fail_point.nothing")?.errno == .enoent)
    // The bytes behind a NUL do not count, and 512 bytes are read.
    #expect(set(kernel, "off", byteCount: 512)?.failed == false)
    #expect(setting(kernel) == "off")
  }

  @Test func `only the superuser sets, everybody reads`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.setuid, 7)?.failed == false)
    #expect(set(kernel, "return")?.errno == .eperm)
    #expect(set(kernel, "return", byteCount: 0)?.errno == .eperm)
    #expect(setting(kernel) == "off")
  }

  @Test func `a buffer that is too short gets what fits, and the setting is in force`() throws {
    let kernel = try TestKernel()
    kernel.storeWord(UInt64.max, at: out)
    kernel.storeWord(2, at: length)
    _ = kernel.string("1*return", at: new)
    let address = kernel.string(name)
    #expect(kernel.call(.sysctlbyname, address, UInt64(name.utf8.count), out, length, new, 8)?.errno == .enomem)
    #expect(kernel.load(out, 3) == [UInt8(ascii: "1"), UInt8(ascii: "*"), 255])
    #expect(kernel.loadWord(length) == 2)
    #expect(setting(kernel) == "1*return")
    #expect(set(kernel, "off")?.failed == false)
  }

  @Test func `a point has numbers, and the others do not exist`() throws {
    let kernel = try TestKernel()
    let numbers = TestKernel.data + 0x500
    kernel.storeWord(UInt64(3) << 32, at: numbers)
    kernel.storeWord(8, at: length)
    _ = kernel.string(name, at: new)
    #expect(kernel.call(.sysctl, numbers, 2, out, length, new, UInt64(name.utf8.count))?.failed == false)
    #expect(kernel.loadWord(length) == 8)
    let identifier = kernel.loadWord(out)
    #expect(identifier == 5 | (1000 + UInt64(FailurePoint.openFile.rawValue)) << 32)
    kernel.storeWord(identifier, at: numbers)
    kernel.storeWord(100, at: length)
    #expect(kernel.call(.sysctl, numbers, 2, out, length, 0, 0)?.failed == false)
    #expect(kernel.loadString(out) == "off")
    for (first, second) in [(5, 999), (5, 1000 + UInt64(FailurePoint.allCases.count)), (5, 1256), (6, 1012)]
      as [(UInt64, UInt64)]
    {
      kernel.storeWord(first | second << 32, at: numbers)
      #expect(kernel.call(.sysctl, numbers, 2, out, length, 0, 0)?.errno == .enoent)
    }
  }
}
