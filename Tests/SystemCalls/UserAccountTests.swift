// What is counted for each real user: processes and reserved swap.

import ABI
import Memory
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct UserAccountTests {
  private let area: UInt64 = 0x1_0000_0000
  private let nobody = UInt64.max

  private func account(_ kernel: TestKernel, _ user: UInt32) -> UserAccount {
    kernel.hardware.system.accounts.account(of: user)
  }

  /// Process 2 runs as user 7 and can be told apart from process 1, whose context is returned.
  private func runAsUser(_ kernel: TestKernel) -> PhysicalAddress? {
    let first = kernel.context
    _ = kernel.fork()
    kernel.call(.schedYield)
    #expect(kernel.context != first)
    #expect(kernel.call(.setuid, 7)?.failed == false)
    return first
  }

  @Test func `processes are counted per user`() throws {
    let kernel = try TestKernel(frames: 4096)
    #expect(kernel.setLimit(7, 4)?.integer == 0)
    let first = runAsUser(kernel)
    let second = kernel.context
    #expect(account(kernel, 0).processCount == 1)
    #expect(account(kernel, 7).processCount == 1)
    for _ in 0..<3 { #expect(kernel.call(.fork)?.failed == false) }
    #expect(account(kernel, 7).processCount == 4)
    #expect(kernel.call(.fork)?.errno == .eagain)
    #expect(account(kernel, 7).processCount == 4)
    // A zombie counts until it is waited for.
    kernel.call(.kill, 3, 9)
    while kernel.kernel.inspectedProcesses.livingProcess(3) != nil { kernel.call(.schedYield) }
    while kernel.context != second { kernel.call(.schedYield) }
    #expect(kernel.call(.fork)?.errno == .eagain)
    #expect(kernel.call(.wait4, 3, 0, 0, 0)?.integer == 3)
    #expect(kernel.call(.fork)?.failed == false)
    while kernel.context != first { kernel.call(.schedYield) }
    // The superuser is not limited.
    for _ in 0..<5 { #expect(kernel.call(.fork)?.failed == false) }
  }

  @Test func `the real user decides about the number of processes`() throws {
    let kernel = try TestKernel(frames: 4096)
    #expect(kernel.setLimit(7, 1)?.integer == 0)
    _ = kernel.fork()
    kernel.call(.schedYield)
    #expect(kernel.call(.setreuid, 7, 0)?.failed == false)
    #expect(kernel.call(.geteuid)?.value == 0)
    #expect(kernel.call(.fork)?.errno == .eagain)
  }

  @Test func `an account goes with its last use`() throws {
    let kernel = try TestKernel()
    let before = kernel.hardware.system.accounts.count
    _ = runAsUser(kernel)
    kernel.call(.shmOpen2, kernel.string("/kept"), .createReadWrite, 0o600, 0, 0)
    kernel.call(.ftruncate, 3, 10 * 4096)
    kernel.exit()
    #expect(kernel.hardware.system.accounts.count == before + 1)
    #expect(account(kernel, 7).reservedPageCount == 10)
    #expect(account(kernel, 7).processCount == 1)
    #expect(kernel.call(.wait4, 2, 0, 0, 0)?.integer == 2)
    #expect(account(kernel, 7).processCount == 0)
    kernel.call(.shmUnlink, kernel.string("/kept"))
    #expect(kernel.hardware.system.accounts.count == before)
  }

  @Test func `reservations belong to who made them`() throws {
    let kernel = try TestKernel()
    let first = runAsUser(kernel)
    let second = kernel.context
    kernel.call(.shmOpen2, kernel.string("/object"), .createReadWrite, 0o666, 0, 0)
    kernel.call(.fchmod, 3, 0o666)
    kernel.call(.ftruncate, 3, 20 * 4096)
    let own = account(kernel, 7).reservedPageCount
    kernel.call(.mmap, area, 30 * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    #expect(account(kernel, 7).reservedPageCount == own + 30)
    kernel.call(.munmap, area + 10 * 4096, 5 * 4096)
    #expect(account(kernel, 7).reservedPageCount == own + 25)
    kernel.call(.mmap, area + 0x100_0000, 8 * 4096, .readOnly, .fixedPrivateMemory, nobody, 0)
    kernel.call(.mprotect, area + 0x100_0000, 8 * 4096, 3)
    #expect(account(kernel, 7).reservedPageCount == own + 33)
    kernel.call(.munmap, area, 0x200_0000)
    #expect(account(kernel, 7).reservedPageCount == own)
    kernel.call(.mmap, area, 4 * 4096, .readWrite, .fixedSharedMemory, nobody, 0)
    #expect(account(kernel, 7).reservedPageCount == own + 4)
    while kernel.context != first { kernel.call(.schedYield) }
    // What another user grows stays the creator's.
    let root = account(kernel, 0).reservedPageCount
    kernel.call(.shmOpen2, kernel.string("/object"), 2, 0, 0, 0)
    kernel.call(.ftruncate, 3, 50 * 4096)
    #expect(account(kernel, 7).reservedPageCount == own + 34)
    kernel.call(.ftruncate, 3, 5 * 4096)
    #expect(account(kernel, 0).reservedPageCount == root)
    // And what a process reserved before it changed its user stays the old one's.
    kernel.call(.mmap, area, 6 * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    kernel.call(.setuid, 9)
    #expect(account(kernel, 0).reservedPageCount == root + 6)
    kernel.call(.mmap, area + 0x100_0000, 2 * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    #expect(account(kernel, 9).reservedPageCount == 2)
    while kernel.context != second { kernel.call(.schedYield) }
    #expect(account(kernel, 7).reservedPageCount == own + 4 - 15)
  }

  @Test func `the limit of swap applies only when asked for and not to the superuser`() throws {
    // shows: difference overcommit-limit
    let kernel = try TestKernel()
    #expect(kernel.setLimit(12, 1000 * 4096)?.integer == 0)
    let first = runAsUser(kernel)
    let second = kernel.context
    #expect(kernel.call(.mmap, area, 3000 * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)?.failed == false)
    kernel.call(.munmap, area, 3000 * 4096)
    while kernel.context != first { kernel.call(.schedYield) }
    kernel.storeWord(2, at: TestKernel.data)
    let name = kernel.string("vm.overcommit", at: TestKernel.data + 16)
    #expect(kernel.call(.sysctlbyname, name, 13, 0, 0, TestKernel.data, 4)?.failed == false)
    #expect(kernel.call(.mmap, area, 3000 * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)?.failed == false)
    while kernel.context != second { kernel.call(.schedYield) }
    let left = 1000 - account(kernel, 7).reservedPageCount
    #expect(kernel.call(.mmap, area, (left + 1) * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)?.errno == .enomem)
    #expect(kernel.call(.mmap, area, left * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)?.value == area)
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    #expect(kernel.call(.ftruncate, 3, 1)?.errno == .enomem)
    // A child's memory counts too.
    #expect(kernel.call(.fork)?.errno == .enomem)
    kernel.call(.munmap, area, 4096)
    #expect(kernel.call(.ftruncate, 3, 1)?.failed == false)
  }

  @Test func `users whose numbers fall together have accounts of their own`() throws {
    let kernel = try TestKernel()
    let accounts = kernel.hardware.system.accounts
    // The table's hash is the top byte of a product: these three come to lie in one place of it.
    func place(_ user: UInt32) -> UInt32 { (user &* 0x9E37_79B1) >> 24 }
    let users = Array((1000...100_000 as ClosedRange<UInt32>).filter { place($0) == place(1000) }.prefix(3))
    let before = accounts.count
    var held = users.map { accounts.account(of: $0) }
    #expect(accounts.count == before + 3)
    for (user, account) in zip(users, held) {
      #expect(account.user == user && accounts.account(of: user) === account)
    }
    // The one in the middle of the list goes; the others stay what they are.
    held.remove(at: 1)
    #expect(accounts.count == before + 2)
    #expect(accounts.account(of: users[0]) === held[0] && accounts.account(of: users[2]) === held[1])
    held = []
    #expect(accounts.count == before)
  }
}
