// Executables of every shape that execve(2) accepts, and long paths and argument lists.

import ABI
import Simulation
import Testing

@testable import SystemCalls

@Suite struct ImageTests {
  private let data = TestKernel.data
  private let minusOne = UInt64.max

  /// An executable with these loaded segments, whose content is their number.
  private func image(
    type: UInt16 = 2, entry: UInt64 = 0x40_0100,
    _ segments: [(kind: UInt32, flags: UInt32, offset: UInt64, address: UInt64, file: UInt64, memory: UInt64)]
  ) -> [UInt8] {
    var bytes = TestProgram.image
    for index in 4096..<bytes.count { bytes[index] = UInt8(index >> 12) }
    TestProgram.put(type, at: 16, in: &bytes)
    TestProgram.put(entry, at: 24, in: &bytes)
    TestProgram.put(UInt16(segments.count), at: 56, in: &bytes)
    for (index, segment) in segments.enumerated() {
      TestProgram.programHeader(
        index, type: segment.kind, flags: segment.flags, offset: segment.offset, address: segment.address,
        fileByteCount: segment.file, memoryByteCount: segment.memory, in: &bytes)
    }
    return bytes
  }

  /// What a child may do at an address.
  private func may(_ kernel: TestKernel, _ address: UInt64) -> (load: Bool, store: Bool, execute: Bool) {
    func attempt(_ body: () -> Bool) -> Bool {
      _ = kernel.fork()
      return kernel.wait {
        if body() { kernel.exit(0) }
      }.1 == .exited(0)
    }
    return (
      attempt { kernel.load(address, 1) != nil }, attempt { kernel.store([1], at: address) },
      attempt {
        let running = kernel.context
        if !kernel.kernel.exception(ProcessorException(vector: 14, errorCode: 0x14, address: address)) {
          kernel.advance()
        }
        return kernel.context == running
      }
    )
  }

  @Test func `segments that share a page share their rights`() throws {
    // Text to 0x401800, constants from there, data from 0x402400 in the page of the constants' end, and an empty one.
    let program = image([
      (1, 5, 0, 0x40_0000, 0x1800, 0x1800), (1, 4, 0x1800, 0x40_1800, 0xA00, 0xA00),
      (1, 6, 0x2400, 0x40_2400, 0x100, 0x3000), (4, 4, 0x100, 0x40_0000, 0x10, 0x10), (1, 6, 0, 0x50_0000, 0, 0),
      (1, 6, 0, 0x60_0000, 0, 0x1_0000),
    ])
    let kernel = try TestKernel(modules: [("odd", program)])
    #expect(may(kernel, 0x40_0100) == (true, false, true))
    #expect(may(kernel, 0x40_1100) == (true, false, true))
    #expect(may(kernel, 0x40_1900) == (true, false, true))
    #expect(may(kernel, 0x40_2100) == (true, true, false))
    #expect(may(kernel, 0x40_2480) == (true, true, false))
    #expect(may(kernel, 0x40_5300) == (true, true, false))
    #expect(may(kernel, 0x40_6000) == (false, false, false))
    #expect(may(kernel, 0x50_0000) == (false, false, false))
    #expect(may(kernel, 0x60_0000) == (true, true, false))
    #expect(kernel.load(0x40_17FF, 2) == [1, 1])
    #expect(kernel.load(0x40_21FF, 1) == [2])
    // Behind the constants' end is what the file has there, and behind the data's file part there are zeros.
    #expect(kernel.load(0x40_2200, 1) == [2] && kernel.load(0x40_2400, 1) == [2])
    #expect(kernel.load(0x40_24FF, 2) == [2, 0] && kernel.load(0x40_2FFF, 2) == [0, 0])
    // The data segment that `break` moves is the last one.
    #expect(kernel.call(.break, 0)?.value == 0x61_0000)
    #expect(kernel.call(.break, 0x61_0001)?.value == 0x61_1000)
  }

  @Test func `a segment inside its predecessor's page adds its rights`() throws {
    let program = image([
      (1, 4, 0, 0x40_0000, 0x1100, 0x1100), (1, 5, 0x1200, 0x40_1200, 0x100, 0x100), (1, 6, 0, data, 0, 65536),
    ])
    let kernel = try TestKernel(modules: [("odd", program)])
    #expect(may(kernel, 0x40_0100) == (true, false, false))
    #expect(may(kernel, 0x40_1000) == (true, false, true))
    #expect(kernel.load(0x40_1200, 1) == [1])
  }

  @Test func `a position independent program gets a base and its headers are found`() throws {
    let program = image(
      type: 3, entry: 0x100,
      [(6, 4, 64, 64, 112, 112), (1, 5, 0, 0, 4096, 4096), (1, 6, 4096, 0x20_0000, 16384, 65536)])
    let kernel = try TestKernel(modules: [("pie", program)])
    let base = kernel.register(128) - 0x100
    #expect(base == 0x102_1000)
    let vector = kernel.register(40) + 32
    #expect(kernel.loadWord(vector) == 3 && kernel.loadWord(vector + 8) == base + 64)
    #expect(kernel.load(base + 0x20_0000, 1) == [1])
    #expect(kernel.call(.mmap, data, 65536, .readWrite, .fixedPrivateMemory, minusOne, 0)?.value == data)
    #expect(may(kernel, base + 0x100) == (true, false, true))
  }

  @Test func `a program without segments is none`() throws {
    let programs = [image([(4, 4, 0, 0, 8, 8)]), image([(1, 5, 0, 0x40_0000, 0, 0)])]
    for program in programs {
      #expect(throws: Errno.enoexec) { _ = try TestKernel(modules: [("none", program)]) }
    }
  }

  @Test func `a long path is handed to the program whole`() throws {
    let kernel = try TestKernel()
    let text = String(repeating: "/", count: 1000) + "bin/./prog"
    kernel.execute(text, at: data)
    #expect(kernel.register(128) == TestProgram.entry)
    let base = kernel.register(40)
    #expect(kernel.loadWord(base) == 1 && kernel.loadString(kernel.loadWord(base + 8)) == text)
    var position = base + 32
    while kernel.loadWord(position) != 15 && kernel.loadWord(position) != 0 { position += 16 }
    #expect(kernel.loadWord(position) == 15 && kernel.loadString(kernel.loadWord(position + 8)) == text)
  }

  @Test func `many strings cross pages and turns`() throws {
    let kernel = try TestKernel(frames: 4096)
    let count = 600
    let area = try #require(kernel.call(.mmap, 0, 1 << 20, .readWrite, .privateMemory, minusOne, 0)?.value)
    let texts = (0..<count).map { String(repeating: "x", count: $0 % 37) + "\($0)" }
    _ = kernel.strings(texts, at: area)
    let child = kernel.fork()
    let parent = kernel.context
    kernel.call(.execve, kernel.string("/bin/prog"), area, area)
    // Long calls give others a turn.
    #expect(kernel.context != parent && kernel.identifier == child)
    kernel.run(1)
    // The stack pointer is where the specification puts it below the argument count.
    let base = kernel.register(56) + 8
    #expect(kernel.loadWord(base) == UInt64(count))
    for vector in [base + 8, base + 8 * UInt64(count + 2)] {
      for index in 0..<count {
        let string = kernel.loadString(kernel.loadWord(vector + UInt64(8 * index)))
        #expect(string == texts[index])
      }
      #expect(kernel.loadWord(vector + UInt64(8 * count)) == 0)
    }
    #expect(kernel.load(data, 1) == [0])
  }

  @Test func `strings that end nowhere and vectors that wrap`() throws {
    let kernel = try TestKernel()
    let path = kernel.string("/bin/prog")
    // A string that runs into nothing, and one whose start lies there.
    let page = try #require(kernel.call(.mmap, 0, 4096, .readWrite, .privateMemory, minusOne, 0)?.value)
    kernel.store([UInt8](repeating: 65, count: 4096), at: page)
    for address in [page + 4095, page, page + 4096, minusOne] {
      kernel.storeWord(address, at: data + 0x800)
      kernel.storeWord(0, at: data + 0x808)
      #expect(kernel.call(.execve, path, data + 0x800, 0)?.errno == .efault)
    }
    #expect(kernel.call(.execve, path, minusOne - 7, 0)?.errno == .efault)
    #expect(kernel.call(.execve, path, page + 4092, 0)?.errno == .efault)
    // With a small stack, which has 128 KiB all the same, there is no room for more strings than that.
    let long = try #require(kernel.call(.mmap, 0, 40 * 4096, .readWrite, .privateMemory, minusOne, 0)?.value)
    kernel.store([UInt8](repeating: 65, count: 40 * 4096 - 1) + [0], at: long)
    #expect(kernel.setLimit(3, 8192, 8192, at: data + 0x900)?.integer == 0)
    kernel.storeWord(long, at: data + 0x800)
    #expect(kernel.call(.execve, path, data + 0x800, 0)?.errno == .e2big)
    #expect(kernel.loadString(path) == "/bin/prog")
  }

  @Test func `execution changes the identity flag and forbids setpgid by the parent`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.setresuid, 0, 0, 5)?.integer == 0)
    #expect(kernel.call(.issetugid)?.integer == 1)
    let child = kernel.fork()
    #expect(kernel.call(.setpgid, UInt64(child), 0)?.integer == 0)
    kernel.run(child)
    kernel.execute()
    kernel.run(child)
    #expect(kernel.call(.issetugid)?.integer == 0)
    kernel.run(1)
    #expect(kernel.call(.setpgid, UInt64(child), 0)?.errno == .eacces)
    #expect(kernel.call(.setpgid, 99_998, 0)?.errno == .esrch)
    #expect(kernel.call(.setpgid, 0, minusOne)?.errno == .einval)
    #expect(kernel.call(.getpgid, 99_998)?.errno == .esrch)
    #expect(kernel.call(.getsid, 99_998)?.errno == .esrch)
    #expect(kernel.call(.getsid, UInt64(child))?.integer == 1)
    #expect(kernel.call(.getpgid, 0)?.integer == 1)
  }
}
