// mmap(2) of the files of /bin: read-only, or private, with the pages shared by all who map them.

import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import SystemCalls

@Suite struct FileMappingTests {
  private static let content = (0..<(3 * 4096 + 1000)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
  private let minusOne = UInt64.max
  private let shared = UInt64(MapFlags.shared.rawValue)
  private let `private` = UInt64(MapFlags.privateCopy.rawValue)

  private func makeKernel(frames: Int = 2048, swapBlocks: UInt32 = 0) throws -> TestKernel {
    try TestKernel(
      frames: frames, swapBlocks: swapBlocks, modules: [("prog", TestProgram.image), ("data", Self.content)])
  }

  private func open(_ kernel: TestKernel, _ path: String = "/bin/data", _ flags: UInt64 = 0) -> UInt64 {
    kernel.call(.open, kernel.string(path), flags)?.value ?? minusOne
  }

  private func map(
    _ kernel: TestKernel, _ file: UInt64, _ protection: UInt64, _ flags: UInt64, pages: UInt64 = 4, offset: UInt64 = 0
  ) -> CallResult? { kernel.call(.mmap, 0, pages * 4096, protection, flags, file, offset) }

  @Test func `a file is seen as it is, with zeros behind its end`() throws {
    let kernel = try makeKernel()
    let file = open(kernel)
    let whole = Self.content + [UInt8](repeating: 0, count: 4096 - 1000)
    for flags in [shared, `private`] {
      let address = try #require(map(kernel, file, .readOnly, flags)?.value)
      #expect(kernel.load(address, 4 * 4096) == whole)
      #expect(kernel.call(.munmap, address, 4 * 4096)?.failed == false)
    }
    // From a page on; the descriptor may go.
    let address = try #require(map(kernel, file, .readOnly, shared, pages: 2, offset: 8192)?.value)
    kernel.call(.close, file)
    #expect(kernel.load(address, 8192) == Array(whole[8192...]))
  }

  @Test func `what is behind the last page is SIGBUS`() throws {
    let kernel = try makeKernel()
    for flags in [shared, `private`] {
      let child = kernel.fork()
      let (_, status) = kernel.wait(child) {
        guard let address = map(kernel, open(kernel), .readOnly, flags, pages: 6)?.value else { return kernel.exit() }
        #expect(kernel.load(address + 3 * 4096, 4096) != nil)
        #expect(kernel.load(address + 4 * 4096, 1) == nil)
      }
      #expect(status.rawValue & 0x7F == Signal.sigbus.rawValue)
    }
  }

  @Test func `nothing that is stored reaches the file`() throws {
    let kernel = try makeKernel()
    let file = open(kernel)
    let first = try #require(map(kernel, file, .readWrite, `private`)?.value)
    let second = try #require(map(kernel, file, .readOnly, shared)?.value)
    kernel.storeWord(0x1234_5678, at: first + 4096)
    #expect(kernel.loadWord(first + 4096) == 0x1234_5678)
    #expect(kernel.load(second, 8192) == Array(Self.content[..<8192]))
    // The rest of the page is what it was, and so it is in a child, which stores for itself.
    #expect(kernel.load(first + 4104, 4088) == Array(Self.content[4104..<8192]))
    let child = kernel.fork()
    let (_, status) = kernel.wait(child) {
      #expect(kernel.loadWord(first + 4096) == 0x1234_5678)
      kernel.storeWord(7, at: first)
      kernel.exit()
    }
    #expect(status == .exited(0))
    #expect(kernel.load(first, 8) == Array(Self.content[..<8]))
    var buffer = kernel.call(.pread, file, TestKernel.data, 8, 4096)
    #expect(buffer?.integer == 8 && kernel.load(TestKernel.data, 8) == Array(Self.content[4096..<4104]))
    // What must not be stored to, and may not be later.
    #expect(map(kernel, file, .readWrite, shared)?.errno == .eacces)
    buffer = kernel.call(.mprotect, second, 4096, .readWrite)
    #expect(buffer?.errno == .eacces)
    #expect(kernel.call(.mprotect, second, 4096, UInt64(Protection([.read, .execute]).rawValue))?.failed == false)
    #expect(map(kernel, file, .readOnly, shared, offset: UInt64(Int64.max) & ~4095)?.errno == .einval)
    #expect(map(kernel, file, .readOnly, 0)?.errno == .einval)
    // Beyond the end there may be a mapping.
    #expect(map(kernel, file, .readOnly, shared, offset: 1 << 40)?.failed == false)
  }

  @Test func `a page is there once, however many map it, and goes with the last of them`() throws {
    let kernel = try makeKernel()
    let system = kernel.hardware.system
    let file = open(kernel)
    let first = try #require(map(kernel, file, .readOnly, shared)?.value)
    for page in 0..<4 as Range<UInt64> { _ = kernel.load(first + page * 4096, 1) }
    let objects = system.counters.liveObjects
    let child = kernel.fork()
    let (_, status) = kernel.wait(child) {
      // Tables for the mapping come first.
      guard let second = map(kernel, open(kernel), .readOnly, `private`)?.value,
        let third = map(kernel, open(kernel), .readOnly, shared)?.value
      else { return kernel.exit(1) }
      _ = kernel.load(second, 1)
      _ = kernel.load(third, 1)
      let free = system.freeFrameCount
      for page in 0..<4 as Range<UInt64> {
        #expect(kernel.load(second + page * 4096, 16) == kernel.load(third + page * 4096, 16))
      }
      #expect(system.freeFrameCount == free && system.counters.liveObjects <= objects + 3)
      kernel.exit()
    }
    #expect(status == .exited(0))
    let free = system.freeFrameCount
    kernel.call(.munmap, first, 4 * 4096)
    #expect(system.freeFrameCount >= free + 4)
    // And comes again.
    let again = try #require(map(kernel, file, .readOnly, shared)?.value)
    #expect(kernel.load(again, 8) == Array(Self.content[..<8]))
  }

  @Test func `pages of a file are dropped, not written out, and made again`() throws {
    let kernel = try makeKernel(frames: 256)
    let address = try #require(map(kernel, open(kernel), .readOnly, shared)?.value)
    #expect(kernel.load(address, Self.content.count) == Self.content)
    // Without swap, only what can be made again can go.
    let pages: UInt64 = 160
    let memory = kernel.call(.mmap, 0, pages * 4096, .readWrite, .privateMemory, minusOne, 0)?.value ?? 0
    let system = kernel.hardware.system
    var page: UInt64 = 0
    while page < pages, system.freeFrameCount > system.reserveFrameCount + 1, system.counters.pagesReclaimed < 4 {
      kernel.storeWord(1, at: memory + page * 4096)
      page += 1
    }
    kernel.call(.munmap, memory, pages * 4096)
    #expect(system.counters.swapPagesOut == 0)
    #expect(kernel.load(address, Self.content.count) == Self.content)
  }

  @Test func `MAP_PREFAULT_READ maps what is in memory at once`() throws {
    let kernel = try makeKernel()
    let system = kernel.hardware.system
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    let object = kernel.result.value
    kernel.call(.ftruncate, object, 600 * 4096)
    for page in stride(from: UInt64(0), to: 600, by: 2) {
      kernel.call(.pwrite, object, TestKernel.data, 1, page * 4096)
    }
    let prefault = shared | UInt64(MapFlags.prefaultRead.rawValue)
    let address = try #require(map(kernel, object, .readWrite, prefault, pages: 600)?.value)
    var faults = system.counters.faults
    for page in stride(from: UInt64(0), to: 600, by: 2) { _ = kernel.load(address + page * 4096, 1) }
    #expect(system.counters.faults == faults)
    // What was not there is not made, and what is stored to is noticed.
    faults = system.counters.faults
    kernel.store([1], at: address)
    _ = kernel.load(address + 4096, 1)
    #expect(system.counters.faults == faults + 2)
    // Without the flag each page has its fault.
    let other = try #require(map(kernel, object, .readOnly, shared, pages: 600)?.value)
    faults = system.counters.faults
    for page in 0..<10 as Range<UInt64> { _ = kernel.load(other + 2 * page * 4096, 1) }
    #expect(system.counters.faults == faults + 10)
  }

  @Test func `pages of a file are locked, looked at and told of like others`() throws {
    let kernel = try makeKernel()
    let file = open(kernel)
    let address = try #require(map(kernel, file, .readOnly, shared)?.value)
    #expect(kernel.call(.mlock, address, 4 * 4096)?.failed == false)
    #expect(kernel.call(.mincore, address, 4 * 4096, TestKernel.data)?.failed == false)
    #expect(kernel.load(TestKernel.data, 4)?.allSatisfy { $0 & 1 == 1 } == true)
    #expect(kernel.call(.munlock, address, 4 * 4096)?.failed == false)
    for flags in [1, 2, 0] as [UInt64] { #expect(kernel.call(.msync, address, 4 * 4096, flags)?.failed == false) }
    for advice in 0...5 as ClosedRange<UInt64> {
      #expect(kernel.call(.madvise, address, 4 * 4096, advice)?.failed == false)
    }
    #expect(kernel.load(address, 8) == Array(Self.content[..<8]))
    // kern.proc.vmmap
    let (number, length, place) = (TestKernel.data + 0x100, TestKernel.data + 0x140, TestKernel.data + 0x1000)
    kernel.store(TestKernel.words([1, 14, 32, 1]), at: number)
    kernel.storeWord(0x4000, at: length)
    #expect(kernel.call(.sysctl, number, 4, place, length, 0, 0)?.failed == false)
    let bytes = try #require(kernel.load(place, Int(kernel.loadWord(length))))
    func field(_ position: Int, _ offset: Int, _ byteCount: Int) -> UInt64 {
      (0..<byteCount).reduce(0) { $0 | UInt64(bytes[position + offset + $1]) << UInt64(8 * $1) }
    }
    var position = 0
    var found = false
    while position < bytes.count {
      if field(position, 8, 8) == address {
        found = true
        #expect(field(position, 4, 4) == 2 && field(position, 68, 4) == 1 && field(position, 72, 8) == 13288)
        let path = bytes[(position + 136)...].prefix { $0 != 0 }
        #expect(String(decoding: path, as: UTF8.self) == "/bin/data")
      }
      position += Int(field(position, 0, 4))
    }
    #expect(found)
  }

  @Test func `who executes a file shares the pages of its text`() throws {
    let kernel = try makeKernel()
    let system = kernel.hardware.system
    // The text is the first page of the file.
    #expect(kernel.load(0x40_0000, 4096) == Array(TestProgram.image[..<4096]))
    let child = kernel.fork()
    let (_, status) = kernel.wait(child) {
      kernel.execute()
      // Tables come first, with another page of the file.
      let mapped = kernel.call(.mmap, 0, 8192, .readOnly, shared, open(kernel, "/bin/prog"), 0)?.value ?? 0
      _ = kernel.load(mapped + 4096, 1)
      _ = kernel.load(TestProgram.entry, 1)
      let free = system.freeFrameCount
      #expect(kernel.load(0x40_0000, 16) == Array(TestProgram.image[..<16]))
      #expect(kernel.load(mapped, 4096) == kernel.load(0x40_0000, 4096))
      #expect(free == system.freeFrameCount)
      // It may be changed, for who changes it alone.
      #expect(kernel.call(.mprotect, 0x40_0000, 4096, .readWrite)?.failed == false)
      kernel.storeWord(0, at: 0x40_0000)
      #expect(kernel.load(mapped, 4096) == Array(TestProgram.image[..<4096]))
      kernel.exit()
    }
    #expect(status == .exited(0))
    #expect(kernel.load(0x40_0000, 4096) == Array(TestProgram.image[..<4096]))
  }
}
