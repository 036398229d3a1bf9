// sysctl kern.ipc.posix_shm_list: what there is by name (spec shm.md, section 5).

import ABI
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct NameListTests {
  private struct Record {
    var path: String
    var size: UInt64
    var mode: UInt64
  }

  private let buffer: UInt64 = 0x1_0000_0000
  private let bufferPages: UInt64 = 64
  private let length = TestKernel.data + 0x700
  private let node = "kern.ipc.posix_shm_list"

  private func make(_ kernel: TestKernel, _ name: String, size: UInt64 = 0, mode: UInt64 = 0o600) {
    let path = kernel.string(name, at: TestKernel.data + 0x1000)
    #expect(kernel.call(.shmOpen2, path, .createReadWrite, mode, 0, 0)?.failed == false)
    let descriptor = kernel.result.value
    if size > 0 { #expect(kernel.call(.ftruncate, descriptor, size)?.failed == false) }
    kernel.call(.close, descriptor)
  }

  /// Asks for the list; nil room: only how much there is. Returns the error and the length told.
  private func list(_ kernel: TestKernel, room: UInt64?) -> (Errno?, UInt64) {
    let name = kernel.string(node, at: TestKernel.data + 0x800)
    kernel.storeWord(room ?? 0, at: length)
    let error = kernel.call(.sysctlbyname, name, UInt64(node.utf8.count), room == nil ? 0 : buffer, length, 0, 0)?.errno
    return (error, kernel.loadWord(length))
  }

  /// What is in the buffer: path, size and mode of each record.
  private func records(_ kernel: TestKernel, _ byteCount: UInt64) -> [Record] {
    var result: [Record] = []
    var offset: UInt64 = 0
    while offset < byteCount {
      let start = buffer + offset
      let head = kernel.loadWord(start)
      let size = head & 0xFFFF_FFFF
      #expect(head >> 32 == 8 && size % 8 == 0 && size > 368)
      let path = kernel.loadString(start + 368)
      let wanted = (368 + path.utf8.count + 1 + 7) / 8 * 8
      #expect(size == UInt64(wanted))
      result.append(Record(path: path, size: kernel.loadWord(start + 312), mode: kernel.loadWord(start + 328)))
      for zero in [8, 16, 24, 200, 336, 360] as [UInt64] { #expect(kernel.loadWord(start + zero) == 0) }
      offset += size
    }
    return result
  }

  private func start() throws -> TestKernel {
    let kernel = try TestKernel(frames: 4096)
    kernel.call(.mmap, TestKernel.data, 0x2000, .readWrite, .fixedPrivateMemory, UInt64.max, 0)
    kernel.call(.mmap, buffer, bufferPages * 4096, .readWrite, .fixedPrivateMemory, UInt64.max, 0)
    return kernel
  }

  @Test func `every name has its record`() throws {
    let kernel = try start()
    #expect(list(kernel, room: nil) == (nil, 0))
    #expect(list(kernel, room: 100) == (nil, 0))
    let long = "/" + String(repeating: "long", count: 250)
    make(kernel, "/a")
    make(kernel, long, size: 5 << 40, mode: 0o640)
    make(kernel, "/b/c", size: 4097)
    let total: UInt64 = 376 + 1376 + 376
    #expect(list(kernel, room: nil) == (nil, total))
    #expect(list(kernel, room: bufferPages * 4096) == (nil, total))
    let found = records(kernel, total).sorted { $0.path < $1.path }
    #expect(found.map(\.path) == ["/a", "/b/c", long])
    #expect(found.map(\.size) == [0, 4097, 5 << 40])
    #expect(found.map(\.mode) == [0o100600, 0o100600, 0o100640])
    // Everybody may read it, nobody set it.
    #expect(kernel.call(.setuid, 7)?.failed == false)
    #expect(list(kernel, room: total) == (nil, total))
    let name = kernel.string(node, at: TestKernel.data + 0x800)
    #expect(kernel.call(.sysctlbyname, name, UInt64(node.utf8.count), 0, 0, buffer, 4)?.errno == .eperm)
  }

  @Test func `a short buffer gets what fits`() throws {
    let kernel = try start()
    for index in 0..<3 { make(kernel, "/name\(index)") }
    #expect(list(kernel, room: 3 * 376) == (nil, 3 * 376))
    let whole = try #require(kernel.load(buffer, 3 * 376))
    for room in [0, 1, 367, 368, 372, 376, 700, 3 * 376 - 1] {
      kernel.store([UInt8](repeating: 0xEE, count: 4 * 376), at: buffer)
      #expect(list(kernel, room: UInt64(room)) == (.enomem, UInt64(room)))
      let wanted: [UInt8] = Array(whole[0..<room]) + [UInt8](repeating: 0xEE, count: 3 * 376 - room)
      #expect(kernel.load(buffer, 3 * 376) == wanted)
    }
    // A buffer that ends in the middle.
    kernel.call(.munmap, buffer + 4096, bufferPages * 4096 - 4096)
    for index in 3..<20 { make(kernel, "/name\(index)") }
    #expect(list(kernel, room: 20 * 376).0 == .efault)
  }

  @Test func `a long list lets others run and survives what they do`() throws {
    let kernel = try start()
    for index in 0..<400 { make(kernel, "/name.\(index)") }
    let lister = kernel.context
    let other = kernel.fork()
    let name = kernel.string(node, at: TestKernel.data + 0x800)
    kernel.storeWord(bufferPages * 4096, at: length)
    kernel.call(.sysctlbyname, name, UInt64(node.utf8.count), buffer, length, 0, 0)
    var turns = 0
    while kernel.context != lister {
      // The other one takes names away and makes new ones meanwhile.
      let path = kernel.string("/name.\(turns)", at: TestKernel.data + 0x1000)
      kernel.call(.shmUnlink, path)
      if kernel.context != lister { make(kernel, "/new.\(turns)") }
      turns += 1
      kernel.call(.schedYield)
    }
    #expect(turns > 3)
    #expect(kernel.result.failed == false)
    let found = records(kernel, kernel.loadWord(length)).map(\.path)
    #expect(Set(found).count == found.count)
    for index in turns + 1..<400 { #expect(found.contains("/name.\(index)")) }
    kernel.call(.kill, UInt64(other), 9)
  }
}
