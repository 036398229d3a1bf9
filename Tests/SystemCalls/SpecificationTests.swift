// Rules of the specification that were misread once where no script could tell: by kernel and reference model alike, or in
// what the model leaves out.

import ABI
import Simulation
import Testing

@testable import SystemCalls

@Suite struct SpecificationTests {
  private let data = TestKernel.data
  private let minusOne = UInt64.max

  private func setOvercommit(_ kernel: TestKernel, _ value: UInt64) -> CallResult? {
    let name = kernel.string("vm.overcommit")
    kernel.storeWord(value, at: data + 0x100)
    return kernel.call(.sysctlbyname, name, 13, 0, 0, data + 0x100, 4)
  }

  /// Executes the same program anew; what its auxiliary vector says, by type.
  private func execute(_ kernel: TestKernel) -> [UInt64: UInt64] {
    kernel.execute(at: data + 0x800)
    #expect(kernel.register(128) == TestProgram.entry)
    var position = kernel.register(40) + 32
    var vector: [UInt64: UInt64] = [:]
    while kernel.loadWord(position) != 0 && vector.count < 40 {
      vector[kernel.loadWord(position)] = kernel.loadWord(position + 8)
      position += 16
    }
    return vector
  }

  /// shm.md 3.11, step 13.
  @Test func `only hints from the program to its farthest data are moved behind that`() throws {
    // shows: shm 3.11.hint-data
    let kernel = try TestKernel()
    let behindData = data + UserSpace.maximumDataByteCount
    func place(_ hint: UInt64) -> UInt64? {
      kernel.call(.mmap, hint, 4096, .readWrite, .privateMemory, minusOne, 0)?.value
    }
    func check() {
      for hint in [UserSpace.start, 0x1_0000, 0x3F_F000] { #expect(place(hint) == hint) }
      let moved: [UInt64] = [0, 0x40_0000, 0x50_0000, data + 0x10_0000, behindData - 4096]
      for (index, hint) in moved.enumerated() {
        #expect(place(hint) == behindData + UInt64(index) * 4096, "\(hint)")
      }
      #expect(place(behindData + (1 << 30)) == behindData + (1 << 30))
    }
    // A child is no different.
    _ = kernel.fork()
    let (_, status) = kernel.wait {
      check()
      kernel.exit()
    }
    #expect(status == .exited(0))
    check()
  }

  /// abi.md section 7: the search begins at the next whole page, so that the data segment can reach its limit.
  @Test func `a limit inside a page leaves that page to the data`() throws {
    let kernel = try TestKernel()
    #expect(kernel.setLimit(2, 65536 + 4097, 65536 + 4097)?.integer == 0)
    #expect(kernel.call(.mmap, 0, 4096, .readWrite, .privateMemory, minusOne, 0)?.value == data + 65536 + 8192)
    #expect(kernel.call(.break, data + 65536 + 4096)?.failed == false)
    // Only whole pages can be had.
    #expect(kernel.call(.break, data + 65536 + 4097)?.errno == .enomem)
  }

  /// abi.md section 2: SIGSYS is posted, so that who ignores it only sees the error.
  @Test func `who ignores SIGSYS only sees the error`() throws {
    let kernel = try TestKernel()
    _ = kernel.fork()
    let (_, status) = kernel.wait {
      kernel.storeWord(1, at: data)
      #expect(kernel.call(.sigaction, 12, data, 0)?.integer == 0)
      #expect(kernel.perform(590, [])?.errno == .enosys)
      #expect(kernel.perform(100_000, [])?.errno == .enosys)
      #expect(kernel.perform(0, [591])?.errno == .enosys)
      kernel.storeWord(0, at: data)
      #expect(kernel.call(.sigaction, 12, data, 0)?.integer == 0)
      kernel.perform(590, [])
    }
    #expect(status == .terminated(.sigsys))
  }

  /// abi.md section 13, AT_BSDFLAGS (27) and AT_USRSTACKLIM (36).
  @Test func `the auxiliary vector tells overcommit and the limit of the stack`() throws {
    let kernel = try TestKernel()
    #expect(execute(kernel)[27] == 1)
    #expect(setOvercommit(kernel, 1)?.integer == 0)
    #expect(kernel.setLimit(3, 5_000_001, 6_000_000)?.integer == 0)
    let vector = execute(kernel)
    #expect(vector[27] == 3)
    #expect(vector[36] == 5_000_001)
    #expect(setOvercommit(kernel, 4)?.integer == 0)
    #expect(execute(kernel)[27] == 1)
  }

  /// abi.md section 6: F_SETFL changes the read-ahead bit, which open(2) knows as O_CREAT.
  @Test func `the read ahead bit is a status flag`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.shmOpen2, kernel.string("/o"), .createReadWrite, 0o600, 0, 0)?.integer == 3)
    #expect(kernel.call(.fcntl, 3, 3)?.integer == 2)
    #expect(kernel.call(.fcntl, 3, 4, 0x208)?.integer == 0)
    #expect(kernel.call(.fcntl, 3, 3)?.integer == 0x20A)
    #expect(kernel.call(.fcntl, 3, 4, 0)?.integer == 0)
    #expect(kernel.call(.fcntl, 3, 3)?.integer == 2)
  }

  /// fd.md section 4: a minimum that is not below the limit is EINVAL, 0 too.
  @Test func `where no descriptor is allowed no minimum is`() throws {
    let kernel = try TestKernel()
    #expect(kernel.setLimit(8, 0, 100)?.integer == 0)
    #expect(kernel.call(.fcntl, 0, 0, 0)?.errno == .einval)
    #expect(kernel.call(.fcntl, 0, 17, 0)?.errno == .einval)
    #expect(kernel.call(.dup, 0)?.errno == .emfile)
  }

  /// shm.md 3.22: what is not malformed is passed down, however long its parameter; 2008's answer is EOPNOTSUPP.
  @Test func `requests with long parameters reach the file`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.shmOpen, kernel.string("/o"), .createReadWrite, 0o600)?.integer == 3)
    #expect(kernel.call(.shmOpen2, kernel.string("/o"), 2, 0, 0, 0)?.integer == 4)
    for request in [0x5FFF_6601, 0x8100_6601, 0xDFFF_6601] as [UInt64] {
      #expect(kernel.call(.ioctl, 3, request, data)?.errno == .eopnotsupp, "\(request)")
      #expect(kernel.call(.ioctl, 4, request, data)?.errno == .enotty, "\(request)")
      #expect(kernel.call(.ioctl, 9, request, data)?.errno == .ebadf, "\(request)")
    }
    #expect(kernel.call(.ioctl, 3, 0x8100_6601, 8)?.errno == .efault)
    #expect(kernel.call(.ioctl, 4, 0x8100_6601, 8)?.errno == .efault)
  }
}
