// Who pays for memory, and who is killed when there is none left: the user who has most, then the process that holds most.

import ABI
import Memory
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct VictimTests {
  private let area: UInt64 = 0x1_0000_0000
  private let nobody = UInt64.max

  private func account(_ kernel: TestKernel, _ user: UInt32) throws -> UserAccount {
    try #require(kernel.hardware.system.accounts.existingAccount(of: user))
  }

  /// A child of process 1 that runs as a user; it runs afterwards.
  private func child(_ kernel: TestKernel, user: UInt64) -> Int {
    kernel.run(1)
    let child = kernel.fork()
    kernel.run(child)
    if user != 0 { #expect(kernel.call(.setuid, user)?.failed == false) }
    return child
  }

  private func touch(_ kernel: TestKernel, pages: UInt64) {
    kernel.call(.mmap, area, pages * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    for page in 0..<pages { kernel.store([1], at: area + page * 4096) }
  }

  /// Makes an object and fills it without mapping it; its descriptor.
  private func fill(_ kernel: TestKernel, name: UInt64 = 1, pages: UInt64) -> UInt64 {
    let descriptor = kernel.call(.shmOpen2, name, .createReadWrite, 0o600, 0, 0)?.value ?? 0
    #expect(kernel.call(.ftruncate, descriptor, pages * 4096)?.failed == false)
    for page in 0..<pages { #expect(kernel.call(.pwrite, descriptor, TestKernel.data, 1, page * 4096)?.value == 1) }
    return descriptor
  }

  private func victims(_ kernel: TestKernel, _ scope: VictimScope = .anybody) -> [Int] {
    var result: [Int] = []
    while let victim = kernel.kernel.processes.killLargest(scope) { result.append(Int(victim.identifier)) }
    return result
  }

  // MARK: Who pays

  @Test func `pages of an object belong to its maker`() throws {
    let kernel = try TestKernel()
    let maker = child(kernel, user: 7)
    let before = try account(kernel, 7).objectPageCount
    let descriptor = fill(kernel, name: kernel.string("/held", at: TestKernel.data + 64), pages: 40)
    #expect(try account(kernel, 7).objectPageCount == before + 41)  // and the page of the name
    kernel.call(.fchmod, descriptor, 0o666)
    kernel.call(.close, descriptor)
    let other = child(kernel, user: 8)
    let opened = kernel.call(.shmOpen2, kernel.string("/held", at: TestKernel.data + 64), 2, 0, 0, 0)?.value ?? 0
    #expect(kernel.call(.ftruncate, opened, 50 * 4096)?.failed == false)
    #expect(kernel.call(.pwrite, opened, TestKernel.data, 1, 45 * 4096)?.value == 1)
    #expect(try account(kernel, 7).objectPageCount == before + 42)
    kernel.run(maker)
    kernel.exit()
    kernel.run(other)
    kernel.exit()
    kernel.run(1)
    // Only the name is left, and it still counts.
    #expect(kernel.wait(maker).0 == maker && kernel.wait(other).0 == other)
    #expect(try account(kernel, 7).objectPageCount == 41)
    #expect(try account(kernel, 7).nameCount == 1)
    #expect(kernel.call(.shmUnlink, kernel.string("/held"))?.integer == 0)
    #expect(kernel.hardware.system.accounts.existingAccount(of: 7) == nil)
  }

  @Test func `kernel memory belongs to the real user`() throws {
    let kernel = try TestKernel(frames: 4096)
    let root = try account(kernel, 0)
    let before = root.kernelByteCount
    _ = child(kernel, user: 0)
    for page in 0..<UInt64(100) {
      kernel.call(.mmap, area + page * (4 << 20), 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    }
    for page in 0..<UInt64(20) { kernel.store([1], at: area + page * (4 << 20)) }
    for descriptor in 0..<UInt64(200) { kernel.call(.dup2, 0, 64 + descriptor) }
    let taken = root.kernelByteCount - before
    #expect(taken > 100 * 100 + 20 * 4096 + 4 * 512)
    // Records and tables follow the process; objects that exist do not.
    kernel.call(.setuid, 7)
    let mine = try account(kernel, 7)
    #expect(mine.kernelByteCount > 100 * 100 + 20 * 4096 + 4 * 512)
    #expect(mine.kernelByteCount + root.kernelByteCount - before == taken)
    kernel.call(.munmap, area, 100 * (4 << 20))
    kernel.call(.closefrom, 3)
    #expect(mine.kernelByteCount < 16 * 4096)
  }

  // MARK: Who is killed

  @Test func `who fills an object by pwrite is killed before others`() throws {
    let kernel = try TestKernel()
    let guilty = child(kernel, user: 7)
    let descriptor = fill(kernel, pages: 60)
    #expect(kernel.call(.dup, descriptor)?.failed == false)
    let others = [child(kernel, user: 7), child(kernel, user: 8)]
    for other in others {
      kernel.run(other)
      touch(kernel, pages: 30)
    }
    #expect(victims(kernel) == [guilty] + others)
  }

  @Test func `many small processes of a user are killed before a larger one of another`() throws {
    let kernel = try TestKernel()
    var small: Set<Int> = []
    for _ in 0..<4 {
      small.insert(child(kernel, user: 7))
      touch(kernel, pages: 30)
    }
    let large = child(kernel, user: 8)
    touch(kernel, pages: 90)
    let superuser = child(kernel, user: 0)
    touch(kernel, pages: 200)
    // Not until those are gone, and what they had with them, has the user less than the other.
    let order = victims(kernel)
    #expect(Set(order.prefix(4)) == small)
    #expect(Array(order.dropFirst(4)) == [large, superuser])
  }

  @Test func `the superuser's children of process 1 come last`() throws {
    let kernel = try TestKernel()
    let session = child(kernel, user: 0)
    touch(kernel, pages: 100)
    let inner = kernel.fork()
    kernel.run(inner)
    kernel.call(.munmap, area, 100 * 4096)
    let user = child(kernel, user: 7)
    touch(kernel, pages: 100)
    #expect(victims(kernel, .users) == [user])
    #expect(victims(kernel) == [inner, session])
  }

  @Test func `users who take little are not killed for what the superuser has taken`() throws {
    let kernel = try TestKernel()
    let user = child(kernel, user: 7)
    touch(kernel, pages: 10)
    let session = child(kernel, user: 0)
    touch(kernel, pages: 300)
    #expect(victims(kernel, .users) == [])
    #expect(victims(kernel) == [session, user])
  }

  @Test func `the superuser may use what is kept for it without end`() throws {
    let kernel = try TestKernel(turnNanoseconds: 10_000_000)
    let user = child(kernel, user: 7)
    touch(kernel, pages: 10)
    kernel.run(1)
    let system = kernel.hardware.system
    kernel.call(.mmap, area, 4000 * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    var page: UInt64 = 0
    while system.freeFrameCount > system.reserveFrameCount + system.privilegedFrameCount / 2 {
      #expect(kernel.store([1], at: area + page * 4096))
      page += 1
    }
    for _ in 0..<300 {
      kernel.hardware.clock.advance(by: 10_000_000)
      kernel.tick()
    }
    #expect(kernel.kernel.processes.process(Int32(user))?.state == .running)
    #expect(system.freeFrameCount < system.reserveFrameCount + system.privilegedFrameCount)
  }

  @Test func `one step looks at little and the result is the same`() throws {
    let kernel = try TestKernel(frames: 4096)
    _ = child(kernel, user: 7)
    for page in 0..<UInt64(300) {
      kernel.call(.mmap, area + page * 8192, 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
    }
    let guilty = child(kernel, user: 7)
    _ = fill(kernel, pages: 60)
    for descriptor in 0..<UInt64(100) { kernel.call(.dup2, 0, 64 + descriptor) }
    var search = VictimSearch(.anybody)
    var steps = 0
    var killed = 0
    while true {
      var budget = 3
      let outcome = kernel.kernel.processes.step(&search, budget: &budget)
      #expect(budget > -4)
      steps += 1
      if case .again = outcome { continue }
      if case .killed(let victim) = outcome { killed = Int(victim.identifier) }
      break
    }
    #expect(killed == guilty)
    #expect(steps > 100)
  }

  // MARK: procctl(2)

  private func protect(_ kernel: TestKernel, _ type: UInt64, _ identifier: Int, _ flags: UInt64) -> Errno? {
    kernel.storeWord(flags, at: TestKernel.data)
    return kernel.call(.procctl, type, UInt64(bitPattern: Int64(identifier)), 1, TestKernel.data)?.errno
  }

  @Test func `procctl checks in FreeBSD's order`() throws {
    let kernel = try TestKernel()
    let user = child(kernel, user: 7)
    #expect(kernel.call(.procctl, 9, 99, 77, 8)?.errno == .einval)
    #expect(kernel.call(.procctl, 9, 99, 1, 8)?.errno == .efault)
    #expect(protect(kernel, 9, 1, 1) == .einval)
    #expect(protect(kernel, 0, 99, 9) == .esrch)
    #expect(protect(kernel, 2, 99, 9) == .esrch)
    #expect(protect(kernel, 0, user, 9) == .einval)
    #expect(protect(kernel, 0, user, 0x41) == .einval)
    #expect(protect(kernel, 0, user, 1) == .eperm)
    #expect(protect(kernel, 0, 0, 0x32) == .eperm)
    kernel.run(1)
    #expect(protect(kernel, 0, 0, 1) == nil)
    #expect(protect(kernel, 2, 1, 0x31) == nil)
    #expect(protect(kernel, 0, user, 2) == nil)
    #expect(protect(kernel, 0, user + 1 << 32, 9) == .einval)
    #expect(protect(kernel, 0, 1 << 32, 1) == .esrch)
  }

  @Test func `who is protected is killed after all others`() throws {
    let kernel = try TestKernel()
    let first = child(kernel, user: 7)
    touch(kernel, pages: 60)
    let second = child(kernel, user: 7)
    touch(kernel, pages: 30)
    kernel.run(1)
    #expect(protect(kernel, 0, first, 1) == nil)
    #expect(victims(kernel, .users) == [second])
    #expect(protect(kernel, 0, first, 2) == nil)
    #expect(victims(kernel, .users) == [first])
  }

  @Test func `protection is inherited only where that was asked for`() throws {
    let kernel = try TestKernel()
    let parent = child(kernel, user: 0)
    let grandchild = kernel.fork()
    kernel.run(1)
    let processes = kernel.kernel.processes
    func isProtected(_ number: Int) -> Bool { processes.process(Int32(number))?.isProtected ?? false }
    #expect(protect(kernel, 0, parent, 1) == nil)
    #expect(isProtected(parent) && !isProtected(grandchild))
    #expect(protect(kernel, 0, parent, 0x11) == nil)
    #expect(isProtected(grandchild))
    kernel.run(parent)
    let without = kernel.fork()
    #expect(!isProtected(without))
    #expect(protect(kernel, 0, 0, 0x21) == nil)
    let with = kernel.fork()
    #expect(isProtected(with))
    kernel.run(with)
    #expect(isProtected(kernel.fork()))
    kernel.run(1)
    #expect(protect(kernel, 0, parent, 0x12) == nil)
    #expect(!isProtected(parent) && !isProtected(grandchild) && !isProtected(with))
  }
}
