// Reads and writes of few bytes, some of which are done at once and some step by step: nobody can tell which (shm.md 3.19, 3.20).

import ABI
import Primitives
import Simulation
import Testing

@testable import SystemCalls

@Suite struct ShortTransferTests {
  /// A file of a few pages beside an array, and calls of every kind on both.
  private final class Comparison {
    static let fileByteCount = 3 * 4096 + 100
    static let memoryByteCount = 5 * 4096
    static let vector = TestKernel.data + 0x200

    let kernel: TestKernel
    var random: SeededGenerator
    let file: UInt64
    let memory: UInt64
    /// The same memory, where nothing has been touched: a store makes its page.
    var content = [UInt8](repeating: 0, count: fileByteCount)
    var bytes = [UInt8](repeating: 0, count: memoryByteCount)
    var offset = 0

    init(seed: UInt64) throws {
      kernel = try TestKernel()
      random = SeededGenerator(seed: seed)
      kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
      file = kernel.result.value
      kernel.call(.ftruncate, file, UInt64(Comparison.fileByteCount))
      kernel.call(.mmap, 0, UInt64(Comparison.memoryByteCount), .readWrite, .privateMemory, .max, 0)
      memory = kernel.result.value
    }

    func step() {
      let position = random.chance(oneIn: 2) ? random.number(below: Comparison.fileByteCount + 200) : nil
      let writes = random.chance(oneIn: 2)
      var pieces: [(start: Int, byteCount: Int)] = []
      let most = [16, 700, 4096, 6000][random.number(below: 4)]
      for _ in 0..<(random.chance(oneIn: 2) ? 1 : random.number(in: 1...9)) {
        let byteCount = random.number(in: 0...most)
        pieces.append((random.number(below: Comparison.memoryByteCount - byteCount), byteCount))
      }
      if random.chance(oneIn: 5) { seek() }
      if random.chance(oneIn: 8) { punch() }
      if writes { scribble() }
      let start = position ?? offset
      let moved = writes ? write(pieces, at: start) : read(pieces, at: start)
      if position == nil { offset += moved }
      #expect(call(pieces, at: position, writes: writes) == UInt64(moved), "\(pieces) at \(position ?? -1)")
      #expect(kernel.load(memory, Comparison.memoryByteCount) == bytes, "\(pieces) at \(position ?? -1)")
    }

    private func call(_ pieces: [(start: Int, byteCount: Int)], at position: Int?, writes: Bool) -> UInt64? {
      if pieces.count == 1 {
        let number: SystemCallNumber =
          position == nil ? (writes ? .write : .read) : (writes ? .pwrite : .pread)
        return kernel.call(
          number, file, memory + UInt64(pieces[0].start), UInt64(pieces[0].byteCount), UInt64(position ?? 0))?.value
      }
      for (index, piece) in pieces.enumerated() {
        kernel.storeWord(memory + UInt64(piece.start), at: Comparison.vector + UInt64(16 * index))
        kernel.storeWord(UInt64(piece.byteCount), at: Comparison.vector + UInt64(16 * index + 8))
      }
      let number: SystemCallNumber =
        position == nil ? (writes ? .writev : .readv) : (writes ? .pwritev : .preadv)
      return kernel.call(number, file, Comparison.vector, UInt64(pieces.count), UInt64(position ?? 0))?.value
    }

    private func write(_ pieces: [(start: Int, byteCount: Int)], at start: Int) -> Int {
      var position = start
      for piece in pieces {
        for index in 0..<piece.byteCount where position < content.count {
          content[position] = bytes[piece.start + index]
          position += 1
        }
      }
      return position - start
    }

    private func read(_ pieces: [(start: Int, byteCount: Int)], at start: Int) -> Int {
      var position = start
      for piece in pieces {
        for index in 0..<piece.byteCount where position < content.count {
          bytes[piece.start + index] = content[position]
          position += 1
        }
      }
      return position - start
    }

    /// A page of the program's memory is filled, or given up, so that the next who wants it finds none.
    private func scribble() {
      let page = random.number(below: Comparison.memoryByteCount / 4096)
      if random.chance(oneIn: 3) {
        kernel.call(
          .mmap, memory + UInt64(4096 * page), 4096, .readWrite, .fixedPrivateMemory, .max, 0)
        for index in 0..<4096 { bytes[4096 * page + index] = 0 }
        return
      }
      let fresh = (0..<4096).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      kernel.store(fresh, at: memory + UInt64(4096 * page))
      bytes.replaceSubrange(4096 * page..<4096 * page + 4096, with: fresh)
    }

    /// A page of the file goes, which reads as zeros then.
    private func punch() {
      let page = random.number(below: 3)
      kernel.storeWord(UInt64(4096 * page), at: Comparison.vector)
      kernel.storeWord(4096, at: Comparison.vector + 8)
      #expect(kernel.call(.fspacectl, file, 1, Comparison.vector, 0, 0)?.failed == false)
      for index in 0..<4096 { content[4096 * page + index] = 0 }
    }

    private func seek() {
      offset = random.number(below: Comparison.fileByteCount)
      #expect(kernel.call(.lseek, file, UInt64(offset), 0)?.value == UInt64(offset))
    }
  }

  @Test(arguments: 1...12) func `every transfer is what it would be byte by byte`(seed: UInt64) throws {
    let comparison = try Comparison(seed: seed)
    for _ in 0..<60 { comparison.step() }
  }

  @Test func `a piece is what the pieces before it have made of it`() throws {
    // The second piece lies where the first is stored.
    let kernel = try TestKernel()
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    let file = kernel.result.value
    kernel.call(.ftruncate, file, 4096)
    kernel.call(.mmap, 0, 4096, .readWrite, 1, file, 0)
    let shown = kernel.result.value
    kernel.storeWord(0x1122_3344_5566_7788, at: shown + 100)
    for (index, word) in [shown + 100, 8, shown, 8].enumerated() {
      kernel.storeWord(word, at: TestKernel.data + UInt64(8 * index))
    }
    #expect(kernel.call(.pwritev, file, TestKernel.data, 2, 0)?.value == 16)
    #expect(kernel.loadWord(shown) == 0x1122_3344_5566_7788)
    #expect(kernel.loadWord(shown + 8) == 0x1122_3344_5566_7788)
  }

  @Test func `pieces that lie in what is read into are those that there were`() throws {
    let kernel = try TestKernel()
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    let file = kernel.result.value
    kernel.call(.ftruncate, file, 4096)
    let vector = TestKernel.data + 64
    for (index, word) in [vector, 32, TestKernel.data, 8].enumerated() {
      kernel.storeWord(word, at: vector + UInt64(8 * index))
    }
    kernel.storeWord(1, at: TestKernel.data)
    #expect(kernel.call(.preadv, file, vector, 2, 0)?.value == 40)
    #expect(kernel.load(vector, 32) == [UInt8](repeating: 0, count: 32))
    #expect(kernel.loadWord(TestKernel.data) == 0)
  }

  @Test func `short transfers are refused as long ones are`() throws {
    let kernel = try TestKernel()
    kernel.call(.shmOpen2, .anonymousObject, 0, 0, 0, 0)
    let readOnly = kernel.result.value
    // SHM_ALLOW_SEALING
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 1, 0)
    let file = kernel.result.value
    kernel.call(.ftruncate, file, 4096)
    kernel.storeWord(1, at: TestKernel.data)
    kernel.storeWord(TestKernel.data, at: TestKernel.data + 64)
    kernel.storeWord(8, at: TestKernel.data + 72)
    let vector = TestKernel.data + 64
    #expect(kernel.call(.write, readOnly, TestKernel.data, 8)?.errno == .ebadf)
    #expect(kernel.call(.writev, readOnly, vector, 1)?.errno == .ebadf)
    #expect(kernel.call(.pread, file, TestKernel.data, 8, .max)?.errno == .einval)
    #expect(kernel.call(.preadv, file, vector, 1, .max)?.errno == .einval)
    #expect(kernel.call(.pwrite, file, 8, 8, 0)?.errno == .efault)
    #expect(kernel.call(.readv, 99, vector, 1)?.errno == .ebadf)
    #expect(kernel.call(.fcntl, file, 19, 8)?.failed == false)
    #expect(kernel.call(.pwrite, file, TestKernel.data, 8, 0)?.errno == .eperm)
    #expect(kernel.call(.pwritev, file, vector, 1, 0)?.errno == .eperm)
    #expect(kernel.call(.lseek, file, 0, 1)?.value == 0)
  }

  @Test func `a pipe takes and gives pieces across the end of its ring`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.pipe2, TestKernel.data + 8, 4)?.value == 0)
    let ends = kernel.loadWord(TestKernel.data + 8)
    let (reader, writer) = (ends & 0xFFFF_FFFF, ends >> 32)
    kernel.call(.mmap, 0, 8192, .readWrite, .privateMemory, .max, 0)
    let memory = kernel.result.value
    var random = SeededGenerator(seed: 7)
    var waiting: [UInt8] = []
    var next: UInt8 = 0
    for _ in 0..<400 {
      let start = UInt64(random.number(below: 4000))
      let byteCount = random.number(in: 1...700)
      if random.chance(oneIn: 2) {
        let piece = (0..<byteCount).map { _ in
          next &+= 1
          return next
        }
        kernel.store(piece, at: memory + start)
        guard let result = kernel.call(.write, writer, memory + start, UInt64(byteCount)), !result.failed else {
          #expect(kernel.result.errno == .eagain)
          next &-= UInt8(truncatingIfNeeded: byteCount)
          continue
        }
        waiting += piece.prefix(Int(result.value))
        next &-= UInt8(truncatingIfNeeded: byteCount - Int(result.value))
      } else if let result = kernel.call(.read, reader, memory + start, UInt64(byteCount)), !result.failed {
        let expected = waiting.prefix(byteCount)
        #expect(kernel.load(memory + start, expected.count) == Array(expected) && result.value == expected.count)
        waiting.removeFirst(expected.count)
      } else {
        #expect(waiting.isEmpty && kernel.result.errno == .eagain)
      }
    }
  }
}
