// getrandom(2), kern.arandom and AT_CANARY: secrets between users, whatever they have drawn themselves.

import ABI
import Primitives
import Simulation
import Testing

@testable import SystemCalls

@Suite struct RandomCallTests {
  private let data = TestKernel.data

  private func word(_ kernel: TestKernel) -> UInt64? {
    #expect(kernel.call(.getrandom, data, 8, 0)?.integer == 8)
    return kernel.loadWord(data)
  }

  private func canary(_ kernel: TestKernel) -> [UInt8]? {
    // argc, argv, NULL, envp's NULL, then the vector.
    let base = kernel.register(40)
    var entry = base + 8 * (kernel.loadWord(base) + 3)
    while kernel.loadWord(entry) != 0 {
      if kernel.loadWord(entry) == 16 { return kernel.load(kernel.loadWord(entry + 8), 64) }
      entry += 16
    }
    return nil
  }

  @Test func `two machines that differ in entropy only share nothing`() throws {
    func draw(_ seed: UInt64) throws -> (UInt64?, [UInt8]?) {
      let kernel = try TestKernel(entropySeed: seed)
      // The canary first: it is found by the register that the first call's argument takes the place of.
      let secret = canary(kernel)
      return (word(kernel), secret)
    }
    let (first, second, again) = (try draw(1), try draw(2), try draw(1))
    #expect(first.0 != nil && first.1?.count == 64 && Set(first.1 ?? []).count > 30)
    #expect(first.0 != second.0 && first.1 != second.1)
    // A run can be repeated.
    #expect(first.0 == again.0 && first.1 == again.1)
  }

  @Test func `one word drawn says nothing of the next`() throws {
    let kernel = try TestKernel()
    // The generator of before mixed a counter that moved by the time between two calls: undone, one word gave the rest.
    func undone(_ word: UInt64) -> UInt64 {
      var value = word ^ word >> 31 ^ word >> 62
      value = value &* 0x3196_42b2_d24d_8ec3
      value = value ^ value >> 27 ^ value >> 54
      value = value &* 0x96de_1b17_3f11_9089
      return value ^ value >> 30 ^ value >> 60
    }
    let first = try #require(word(kernel))
    let before = kernel.hardware.services.nanoseconds
    let second = try #require(word(kernel))
    let after = kernel.hardware.services.nanoseconds
    let step = undone(second) &- undone(first) &- 0x9e37_79b9_7f4a_7c15
    #expect(!(before...after).contains(step))
  }

  @Test func `the whole buffer is filled however large`() throws {
    let kernel = try TestKernel(frames: 4096)
    let area = try #require(kernel.call(.mmap, 0, 1 << 20, .readWrite, .privateMemory, UInt64.max, 0)?.value)
    for count in [1, 7, 8, 9, 1023, 1024, 1025, 4097, 100_000] {
      kernel.store([UInt8](repeating: 0, count: count + 1), at: area)
      #expect(kernel.call(.getrandom, area, UInt64(count), 0)?.integer == count)
      let bytes = try #require(kernel.load(area, count + 1))
      #expect(bytes[count] == 0)
      // No stretch of it was left out: eight zeros in a row do not happen.
      for start in stride(from: 0, to: count - 7, by: 8) { #expect(bytes[start..<start + 8].contains { $0 != 0 }) }
    }
    #expect(kernel.call(.getrandom, area, (1 << 20) + 1, 0)?.errno == .efault)
    #expect(kernel.call(.getrandom, area, UInt64(Int64.max), 0)?.errno == .efault)
    #expect(kernel.call(.getrandom, area, UInt64(Int64.max) + 1, 0)?.errno == .einval)
    #expect(kernel.call(.getrandom, UInt64.max - 7, 8, 0)?.errno == .efault)
  }

  @Test func `flags and lengths are checked and nothing else is written`() throws {
    let kernel = try TestKernel()
    kernel.store([UInt8](repeating: 0, count: 2048), at: data)
    #expect(kernel.call(.getrandom, data, 1024, 0)?.integer == 1024)
    let bytes = try #require(kernel.load(data, 2048))
    #expect(Set(bytes[0..<1024]).count > 100 && bytes[1024...].allSatisfy { $0 == 0 })
    #expect(kernel.call(.getrandom, data, 0, 7)?.integer == 0)
    #expect(kernel.call(.getrandom, data, 8, 8)?.errno == .einval)
    #expect(kernel.call(.getrandom, 8, 8, 0)?.errno == .efault)
    // The upper half of an integer argument means nothing.
    #expect(kernel.call(.getrandom, data, 9, 0xDEAD_BEEF << 32)?.integer == 9)
    #expect(kernel.load(data + 9, 1) == [bytes[9]])
  }

  @Test func `a large request lets others run and ends with its process`() throws {
    let kernel = try TestKernel(frames: 8192)
    let area = try #require(kernel.call(.mmap, 0, 8 << 20, .readWrite, .privateMemory, UInt64.max, 0)?.value)
    let child = kernel.fork()
    let parent = kernel.context
    kernel.call(.getrandom, area, 8 << 20, 0)
    #expect(kernel.context != parent && kernel.identifier == child)
    #expect(kernel.call(.kill, 1, 0)?.integer == 0)
    kernel.exit()
    #expect(kernel.context == parent)
  }

  @Test func `the node fills the buffer given up to 256 bytes`() throws {
    let kernel = try TestKernel()
    let (out, length, name) = (data + 0x400, data + 0x3F8, data + 0x300)
    for (room, wanted) in [(0, 0), (1, 1), (8, 8), (37, 37), (256, 256), (300, 256)] as [(UInt64, UInt64)] {
      kernel.store([UInt8](repeating: 0, count: 320), at: out)
      kernel.storeWord(room, at: length)
      _ = kernel.string("kern.arandom", at: name)
      #expect(kernel.call(.sysctlbyname, name, 12, out, length, 0, 0)?.failed == false)
      #expect(kernel.loadWord(length) == wanted)
      let bytes = try #require(kernel.load(out, 320))
      #expect(bytes[Int(wanted)...].allSatisfy { $0 == 0 })
      if wanted >= 8 { #expect(Set(bytes[..<Int(wanted)]).count > Int(wanted) / 3) }
      kernel.storeWord(room, at: length)
      #expect(kernel.call(.sysctlbyname, name, 12, 0, length, 0, 0)?.failed == false)
      #expect(kernel.loadWord(length) == wanted)
    }
  }

  @Test func `a machine without entropy says so once unless it is quiet`() throws {
    func output(_ seed: UInt64?, isQuiet: Bool) throws -> String {
      let kernel = try TestKernel(isQuiet: isQuiet, entropySeed: seed)
      return String(decoding: kernel.hardware.processor.takeConsoleOutput(), as: UTF8.self)
    }
    let text = "martlet: this machine has no source of entropy: random numbers can be guessed\r\n"
    #expect(try output(nil, isQuiet: false) == text)
    #expect(try output(nil, isQuiet: true) == "")
    #expect(try output(1, isQuiet: false) == "")
  }
}
