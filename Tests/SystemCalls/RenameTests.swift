// shm_rename(2), exactly (spec shm.md section 3.4).

import ABI
import Primitives
import Simulation
import Testing

@testable import SystemCalls

@Suite struct RenameTests {
  private let first = TestKernel.data + 0x100
  private let second = TestKernel.data + 0x900

  private func make(_ kernel: TestKernel, _ name: String, size: UInt64, mode: UInt64 = 0o600) throws {
    let path = kernel.string(name, at: first)
    #expect(kernel.call(.shmOpen2, path, .createReadWrite, mode, 0, 0)?.failed == false)
    let descriptor = kernel.result.value
    #expect(kernel.call(.ftruncate, descriptor, size)?.failed == false)
    kernel.call(.close, descriptor)
  }

  /// The size of the object with a name; nil when there is none.
  private func size(_ kernel: TestKernel, _ name: String) -> UInt64? {
    let path = kernel.string(name, at: first)
    guard let opened = kernel.call(.shmOpen2, path, .readWriteFile, 0, 0, 0), !opened.failed else { return nil }
    kernel.call(.fstat, opened.value, second)
    let size = kernel.loadWord(second + StatField.size)
    kernel.call(.close, opened.value)
    return size
  }

  private func rename(_ kernel: TestKernel, _ from: String, _ to: String, _ flags: UInt64 = 0) -> Errno? {
    let path = kernel.string(from, at: first)
    return kernel.call(.shmRename, path, kernel.string(to, at: second), flags)?.errno
  }

  @Test func `an object takes its name along, over another too`() throws {
    // shows: shm 3.4.relinks, 3.4.replaced
    let kernel = try TestKernel()
    try make(kernel, "/a", size: 1)
    try make(kernel, "/b", size: 2)
    #expect(rename(kernel, "/a", "/c") == nil)
    #expect(size(kernel, "/a") == nil && size(kernel, "/c") == 1)
    #expect(rename(kernel, "/c", "/b") == nil)
    #expect(size(kernel, "/c") == nil && size(kernel, "/b") == 1)
    // Long names have blocks of their own.
    let long = "/" + String(repeating: "n", count: 1000)
    #expect(rename(kernel, "/b", long) == nil)
    #expect(size(kernel, long) == 1)
    #expect(rename(kernel, long, "/b") == nil)
    #expect(size(kernel, "/b") == 1)
    #expect(kernel.call(.shmUnlink, kernel.string("/b", at: first))?.failed == false)
  }

  @Test func `flags keep or exchange what is there`() throws {
    // shows: shm 3.4.eexist, 3.4.exchange, 3.4.exchange-missing
    let kernel = try TestKernel()
    try make(kernel, "/a", size: 1)
    try make(kernel, "/b", size: 2)
    #expect(rename(kernel, "/a", "/b", 1) == .eexist)
    #expect(rename(kernel, "/a", "/b", 2) == nil)
    #expect(size(kernel, "/a") == 2 && size(kernel, "/b") == 1)
    #expect(rename(kernel, "/a", "/c", 1) == nil)
    #expect(rename(kernel, "/c", "/d", 2) == nil)
    #expect(size(kernel, "/c") == nil && size(kernel, "/d") == 2)
  }

  @Test func `errors come in their order`() throws {
    // shows: shm 3.4.flags, 3.4.both-flags, 3.4.anon, 3.4.paths, 3.4.same, 3.4.enoent
    let kernel = try TestKernel()
    try make(kernel, "/a", size: 1)
    let bad: UInt64 = 8
    let name = kernel.string("/a", at: first)
    let none = kernel.string("/none", at: second)
    #expect(kernel.call(.shmRename, bad, bad, 4)?.errno == .einval)
    #expect(kernel.call(.shmRename, bad, bad, 3)?.errno == .einval)
    #expect(kernel.call(.shmRename, 1, bad, 0)?.errno == .einval)
    #expect(kernel.call(.shmRename, bad, 1, 0)?.errno == .einval)
    #expect(kernel.call(.shmRename, bad, name, 0)?.errno == .efault)
    #expect(kernel.call(.shmRename, none, bad, 0)?.errno == .efault)
    #expect(kernel.call(.shmRename, kernel.string("relative", at: second), bad, 0)?.errno == .einval)
    #expect(rename(kernel, "/none", "relative") == .einval)
    #expect(rename(kernel, "/none", "/a") == .enoent)
    #expect(rename(kernel, "/a", "/" + String(repeating: "n", count: 1022)) == nil)
    #expect(rename(kernel, "/none", "/" + String(repeating: "n", count: 1023)) == .enametoolong)
    // A name that stays is not looked up.
    #expect(rename(kernel, "/none", "/none") == nil)
  }

  @Test func `both objects have to let themselves be read and written`() throws {
    // shows: shm 3.4.eacces-from, 3.4.eacces-to
    let kernel = try TestKernel()
    kernel.call(.umask, 0)
    try make(kernel, "/mine", size: 1, mode: 0o644)
    try make(kernel, "/open", size: 2, mode: 0o666)
    #expect(kernel.call(.setuid, 7)?.failed == false)
    #expect(rename(kernel, "/mine", "/x") == .eacces)
    #expect(rename(kernel, "/open", "/mine") == .eacces)
    #expect(rename(kernel, "/mine", "/open", 2) == .eacces)
    #expect(rename(kernel, "/mine", "/open", 1) == .eexist)
    #expect(rename(kernel, "/open", "/x") == nil)
    #expect(size(kernel, "/x") == 2)
  }

  @Test func `a new name changes no time`() throws {
    // shows: shm 3.4.timestamps
    let kernel = try TestKernel()
    try make(kernel, "/a", size: 1)
    try make(kernel, "/b", size: 2)
    let object = try #require(kernel.call(.shmOpen2, kernel.string("/a", at: first), .readWriteFile, 0, 0, 0)).value
    func status() -> [UInt8]? {
      kernel.call(.fstat, object, second)
      return kernel.load(second, 224)
    }
    let before = status()
    for (name, flags) in [("/c", 0), ("/b", 2), ("/b", 0)] as [(String, UInt64)] {
      kernel.hardware.clock.advance(by: 1_000_000_000)
      let from = size(kernel, "/c") == nil ? "/a" : "/c"
      #expect(rename(kernel, from, name, flags) == nil)
      #expect(status() == before, "\(name) \(flags)")
    }
  }

  @Test func `objects of one bucket are told apart`() throws {
    let kernel = try TestKernel(frames: 4096)
    for index in 0..<1500 { try make(kernel, "/name \(index)", size: UInt64(index)) }
    var random = SeededGenerator(seed: 5)
    var sizes = Array(0..<1500).map { UInt64($0) }
    for _ in 0..<600 {
      let (from, to) = (Int(random.next() % 1500), Int(random.next() % 1500))
      #expect(rename(kernel, "/name \(from)", "/name \(to)", 2) == nil)
      sizes.swapAt(from, to)
      let new = "/other \(random.next() % 1000)"
      if rename(kernel, "/name \(to)", new, 1) == nil { #expect(rename(kernel, new, "/name \(to)") == nil) }
    }
    for index in stride(from: 0, to: 1500, by: 7) { #expect(size(kernel, "/name \(index)") == sizes[index]) }
  }
}
