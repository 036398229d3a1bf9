// Mappings of objects: what mmap(2) refuses and undoes, faults behind the end, and what mprotect(2), msync(2) and others do to them
// (spec shm.md sections 3.11 to 3.18).

import ABI
import Memory
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct ObjectMappingTests {
  private let page = Page.byteCount
  private let data = TestKernel.data
  private let place = TestKernel.data + 0x100
  private let area: UInt64 = 0x1_0000_0000
  private let nobody = UInt64.max

  /// An object that may be sealed.
  private func object(_ kernel: TestKernel, pages: UInt64) throws -> UInt64 {
    let object = try #require(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0o600, 1, 0)).value
    #expect(kernel.call(.ftruncate, object, pages * page)?.integer == 0)
    return object
  }

  private func map(
    _ kernel: TestKernel, _ object: UInt64, pages: UInt64, at address: UInt64, _ protection: UInt64 = .readWrite,
    _ flags: UInt64 = .fixedSharedFile
  ) -> Errno? { kernel.call(.mmap, address, pages * page, protection, flags, object, 0)?.errno }

  /// How many mappings there are, as st_nlink tells.
  private func mappings(_ kernel: TestKernel, _ object: UInt64) -> UInt64 {
    #expect(kernel.call(.fstat, object, place)?.integer == 0)
    return kernel.loadWord(place + StatField.linkCount) - 1
  }

  /// Whether the kernel can store for the program there.
  private func isWritable(_ kernel: TestKernel, _ address: UInt64) -> Bool {
    kernel.call(.clockGettime, 0, address)?.errno == nil
  }

  /// How a child ends that does this.
  private func status(_ kernel: TestKernel, _ body: () -> Void) -> WaitStatus {
    _ = kernel.fork()
    return kernel.wait {
      body()
      if kernel.identifier != 1 { kernel.exit() }
    }.1
  }

  // MARK: mmap

  @Test func `a mapping has three rights at most, and is shared or private`() throws {
    // shows: shm 3.11.prot, 3.11.neither
    let kernel = try TestKernel()
    for bits in [8, 0x80, 1 << 15, 1 << 19, 1 << 31] as [UInt64] {
      #expect(kernel.call(.mmap, 0, page, bits, .privateMemory, nobody, 0)?.errno == .einval, "\(bits)")
    }
    #expect(kernel.call(.mmap, 0, page, 7 | 7 << 16, .privateMemory, nobody, 0)?.failed == false)
    let object = try object(kernel, pages: 1)
    #expect(kernel.call(.mmap, 0, page, .readWrite, 0, object, 0)?.errno == .einval)
    // The descriptor is looked at before.
    #expect(kernel.call(.mmap, 0, page, .readWrite, 0, 99, 0)?.errno == .ebadf)
    for flags in [1, 2] as [UInt64] {
      #expect(kernel.call(.mmap, 0, page, .readWrite, flags, object, 0)?.failed == false)
    }
  }

  @Test func `two bits are ignored, and alignments are between a page and the whole address space`() throws {
    // shows: shm 3.11.ignored-flags, 3.11.alignment
    let kernel = try TestKernel()
    for bits in [0x20, 0x40, 0x60] as [UInt64] {
      #expect(kernel.call(.mmap, 0, page, .readWrite, .privateMemory | bits, nobody, 0)?.failed == false)
    }
    for shift in [2, 11, 64, 127, 128, 255] as [UInt64] {
      #expect(
        kernel.call(.mmap, 0, page, .readWrite, .privateMemory | shift << 24, nobody, 0)?.errno == .einval, "\(shift)")
    }
    for (shift, bits) in [(1, 21), (12, 12), (16, 16), (21, 21), (30, 30)] as [(UInt64, UInt64)] {
      let result = kernel.call(.mmap, 0, page, .readWrite, .privateMemory | shift << 24, nobody, 0)
      #expect(result?.failed == false && (result?.value ?? 1) & (1 << bits - 1) == 0, "\(shift)")
    }
    #expect(kernel.call(.mmap, 0, page, .readWrite, .privateMemory | 63 << 24, nobody, 0)?.errno == .enomem)
  }

  @Test func `a guard is asked for with nothing else`() throws {
    // shows: shm 3.11.guard
    let kernel = try TestKernel()
    let guardRange: UInt64 = 0x2000
    func error(_ flags: UInt64, _ protection: UInt64 = .noAccess, _ file: UInt64? = nil, _ offset: UInt64 = 0) -> Errno?
    {
      kernel.call(.mmap, area, page, protection, guardRange | flags, file ?? nobody, offset)?.errno
    }
    for flags in [1, 2, 0x200, 0x1000, 0x800, 0x2_0000, 0x4_0000] as [UInt64] {
      #expect(error(flags) == .einval, "\(flags)")
    }
    for protection in [1, 2, 4] as [UInt64] { #expect(error(0, protection) == .einval) }
    #expect(error(0, .noAccess, 0) == .einval && error(0, .noAccess, nobody, page) == .einval)
    for flags in [0, 0x10, 0x8_0000, 21 << 24] as [UInt64] { #expect(error(flags) == nil, "\(flags)") }
    #expect(error(0x4010) == .enomem)
  }

  @Test func `a mapping that is refused leaves nothing of itself`() throws {
    // shows: shm 3.11.vmem, 3.11.undo
    let kernel = try TestKernel()
    let object = try object(kernel, pages: 4)
    #expect(kernel.setLimit(10, page)?.integer == 0)
    #expect(map(kernel, object, pages: 4, at: area) == .enomem)
    #expect(mappings(kernel, object) == 0)
    // F_SEAL_WRITE: there is no mapping that could be stored to.
    #expect(kernel.call(.fcntl, object, 19, 8)?.integer == 0)
  }

  @Test func `a fixed mapping replaces what is there, an exclusive one does not`() throws {
    // shows: shm 3.11.fixed-replaces, 3.11.fixed-excl
    let kernel = try TestKernel()
    let object = try object(kernel, pages: 3)
    kernel.call(.mmap, area, 3 * page, .readWrite, .fixedPrivateMemory, nobody, 0)
    for index in 0..<3 as Range<UInt64> { kernel.store([7], at: area + index * page) }
    #expect(map(kernel, object, pages: 1, at: area + page, .readWrite, .fixedSharedFile | 0x4000) == .enomem)
    #expect(kernel.load(area + page, 1) == [7] && mappings(kernel, object) == 0)
    #expect(map(kernel, object, pages: 1, at: area + page) == nil)
    #expect((0..<3 as Range<UInt64>).map { kernel.load(area + $0 * page, 1) } == [[7], [0], [7]])
  }

  @Test func `where it is set, a mapping never allows more than was asked for`() throws {
    // shows: shm 3.11.imply-prot-max
    let kernel = try TestKernel()
    func set(_ value: UInt64) {
      let node = "vm.imply_prot_max"
      kernel.storeWord(value, at: place)
      let name = kernel.string(node)
      #expect(kernel.call(.sysctlbyname, name, UInt64(node.utf8.count), 0, 0, place, 4)?.integer == 0)
    }
    func protect(_ protection: UInt64, _ flags: UInt64 = .privateMemory) -> Errno? {
      let start = kernel.call(.mmap, 0, page, protection, flags, nobody, 0)?.value ?? 0
      return kernel.call(.mprotect, start, page, .readWrite)?.errno
    }
    let anything: UInt64 = .readOnly | 7 << 16
    #expect(protect(.readOnly) == nil)
    set(1)
    #expect(protect(.readOnly) == .eacces && protect(.readWrite) == nil)
    // Not where the program said it itself, nor for what allows nothing yet.
    #expect(protect(anything) == nil && protect(.noAccess) == nil)
    set(0)
    #expect(protect(.readOnly) == nil)
  }

  // MARK: Faults

  @Test func `behind the end there is SIGBUS, and private memory once something was stored`() throws {
    // shows: shm 3.12.past-end, 3.12.private-past-end, 3.12.kernel-access
    let kernel = try TestKernel()
    let object = try object(kernel, pages: 1)
    let copy = area + 16 * page
    #expect(map(kernel, object, pages: 3, at: area) == nil)
    #expect(map(kernel, object, pages: 3, at: copy, .readWrite, .fixedPrivateFile) == nil)
    #expect(status(kernel) { _ = kernel.load(area + page, 1) } == .terminated(.sigbus))
    #expect(status(kernel) { kernel.store([1], at: area + page) } == .terminated(.sigbus))
    #expect(status(kernel) { _ = kernel.load(copy + page, 1) } == .terminated(.sigbus))
    let ended = status(kernel) {
      #expect(kernel.store([5], at: copy + page) && kernel.load(copy + page, 2) == [5, 0])
      #expect(kernel.load(copy + 2 * page, 1) == [0])
    }
    #expect(ended == .exited(0))
    // The kernel for the program.
    #expect(!isWritable(kernel, area + page))
    #expect(kernel.call(.pread, object, area + page, 1, 0)?.errno == .efault)
    #expect(kernel.call(.pwrite, object, area + page, 1, 0)?.errno == .efault)
  }

  @Test func `a handler is told what was wrong with an access, and where`() throws {
    // shows: shm 3.12.past-end, 3.12.accerr, 3.12.maperr
    let kernel = try TestKernel()
    let object = try object(kernel, pages: 1)
    #expect(map(kernel, object, pages: 2, at: area) == nil)
    #expect(map(kernel, object, pages: 1, at: area + 2 * page, .readOnly) == nil)
    kernel.storeWord(0x40_1234, at: place)
    kernel.storeWord(UInt64(SignalActionFlags.information.rawValue), at: place + 8)
    for offset in [16, 24] as [UInt64] { kernel.storeWord(0, at: place + offset) }
    for signal in [Signal.sigbus, .sigsegv] {
      #expect(kernel.call(.sigaction, UInt64(signal.rawValue), place, 0)?.integer == 0)
    }
    let wrong: [(UInt64, Signal, SignalCode)] = [
      (area + page + 5, .sigbus, .busObject), (area + 2 * page + 6, .sigsegv, .segmentAccess),
      (area + 3 * page + 7, .sigsegv, .segmentNotMapped),
    ]
    kernel.store([0], at: data + 0x8000 - 8)
    for (address, signal, code) in wrong {
      kernel.setRegister(56, data + 0x8000)
      kernel.touch(address)
      let frame = kernel.register(56)
      #expect(kernel.loadWord(frame) == 0x40_1234)
      // siginfo_t: signal, code, address.
      #expect(kernel.loadWord(frame + 896) & 0xFFFF_FFFF == UInt64(signal.rawValue))
      #expect(kernel.loadWord(frame + 904) & 0xFFFF_FFFF == UInt64(code.rawValue))
      #expect(kernel.loadWord(frame + 920) == address)
      kernel.call(.sigreturn, frame + 16)
    }
  }

  @Test func `an object with pages in swap has nothing behind its end for anybody`() throws {
    // shows: shm 3.12.private-past-end, 3.12.swap
    let kernel = try TestKernel(frames: 256, swapBlocks: 1024)
    let object = try object(kernel, pages: 400)
    #expect(map(kernel, object, pages: 400, at: area) == nil)
    for index in 0..<400 as Range<UInt64> { kernel.store([UInt8(index & 0x7F)], at: area + index * page) }
    #expect(kernel.hardware.system.usedSwapBlockCount > 0)
    let copy = area + 0x100_0000
    #expect(map(kernel, object, pages: 401, at: copy, .readWrite, .fixedPrivateFile) == nil)
    #expect(status(kernel) { kernel.store([1], at: copy + 400 * page) } == .terminated(.sigbus))
    for index in stride(from: 0 as UInt64, to: 400, by: 37) {
      #expect(kernel.load(copy + index * page, 1) == [UInt8(index & 0x7F)])
    }
  }

  @Test func `private copies outlive what they were made of`() throws {
    // shows: shm 3.12.private-survive
    let kernel = try TestKernel()
    let object = try object(kernel, pages: 2)
    #expect(map(kernel, object, pages: 2, at: area, .readWrite, .fixedPrivateFile) == nil)
    kernel.store([9], at: area + page)
    #expect(kernel.call(.ftruncate, object, 0)?.integer == 0)
    #expect(kernel.load(area + page, 2) == [9, 0])
    #expect(kernel.call(.ftruncate, object, 2 * page)?.integer == 0)
    #expect(kernel.load(area + page, 1) == [9] && kernel.load(area, 1) == [0])
  }

  // MARK: mprotect

  @Test func `mprotect passes holes, and joins what has become alike`() throws {
    // shows: shm 3.14.holes, 3.14.joined, 3.14.prot-max
    let kernel = try TestKernel()
    let object = try object(kernel, pages: 5)
    #expect(map(kernel, object, pages: 5, at: area) == nil)
    #expect(mappings(kernel, object) == 1)
    #expect(kernel.call(.mprotect, area + page, page, .readOnly)?.integer == 0)
    #expect(mappings(kernel, object) == 3)
    #expect(kernel.call(.mprotect, area + page, page, .readWrite)?.integer == 0)
    #expect(mappings(kernel, object) == 1)
    #expect(kernel.call(.munmap, area + 2 * page, page)?.integer == 0)
    #expect(kernel.call(.mprotect, area, 5 * page, .readOnly)?.integer == 0)
    for index in [0, 1, 3, 4] as [UInt64] { #expect(!isWritable(kernel, area + index * page)) }
    // More than the maximum that is given with it, and more than the one that was.
    #expect(kernel.call(.mprotect, area, page, .readWrite | 1 << 16)?.errno == .enotsup)
    #expect(kernel.call(.mprotect, area, page, .readOnly | 1 << 16)?.integer == 0)
    #expect(kernel.call(.mprotect, area, 2 * page, .readWrite)?.errno == .eacces)
    #expect(!isWritable(kernel, area + page))
    #expect(kernel.call(.mprotect, area + page, page, .readWrite)?.integer == 0)
  }

  @Test func `what a descriptor was opened for is all that its shared mappings ever allow`() throws {
    // shows: shm 3.14.readonly, 3.14.eacces
    let kernel = try TestKernel()
    let path = kernel.string("/o", at: data + 0x1000)
    let writable = try #require(kernel.call(.shmOpen2, path, .createReadWrite, 0o600, 0, 0)).value
    #expect(kernel.call(.ftruncate, writable, page)?.integer == 0)
    let readable = try #require(kernel.call(.shmOpen2, path, 0, 0, 0, 0)).value
    for (file, flags, error) in [
      (writable, .fixedSharedFile, nil), (readable, .fixedSharedFile, .eacces), (readable, .fixedPrivateFile, nil),
    ] as [(UInt64, UInt64, Errno?)] {
      #expect(map(kernel, file, pages: 1, at: area, .readOnly, flags) == nil)
      #expect(kernel.call(.mprotect, area, page, .readWrite)?.errno == error)
      #expect(isWritable(kernel, area) == (error == nil))
    }
  }

  // MARK: Advice

  @Test func `ranges that wrap are no ranges`() throws {
    // shows: shm 3.15.range, 3.16.rounded, 3.18.wrap
    let kernel = try TestKernel()
    #expect(kernel.call(.mmap, area, page, .readWrite, .fixedPrivateMemory, nobody, 0)?.value == area)
    #expect(kernel.call(.msync, area, 0 &- page, 0)?.errno == .einval)
    #expect(kernel.call(.msync, area + 7, 1, 0)?.integer == 0)
    #expect(kernel.call(.minherit, area, 0 &- page, 0)?.errno == .einval)
    // To the address again: nothing is stored.
    #expect(kernel.call(.mincore, area + 5, 0 &- 5, 8)?.integer == 0)
    #expect(kernel.call(.mincore, area, 0 &- page, 8)?.errno == .enomem)
  }

  @Test func `msync writes and discards nothing of an object`() throws {
    // shows: shm 3.15.shm, 3.15.survives
    let kernel = try TestKernel()
    let object = try object(kernel, pages: 2)
    #expect(map(kernel, object, pages: 2, at: area) == nil)
    kernel.store([3], at: area + page)
    for flags in [0, 1, 2] as [UInt64] {
      #expect(kernel.call(.msync, area, 2 * page, flags)?.integer == 0)
      #expect(kernel.call(.mincore, area + page, page, place)?.integer == 0)
      #expect((kernel.load(place, 1) == [0]) == (flags == 2))
      #expect(kernel.call(.pread, object, place, 1, page)?.integer == 1 && kernel.load(place, 1) == [3])
      #expect(kernel.load(area + page, 1) == [3])
    }
  }
}
