// Who a process is: every call that changes users and groups, by a superuser and by somebody else.

import ABI
import Testing

@testable import SystemCalls

@Suite struct IdentityTests {
  private let unchanged = UInt64(UInt32.max)
  private let data = TestKernel.data

  /// Real, effective and saved users.
  private func users(_ kernel: TestKernel) -> [UInt32] { identifiers(kernel, .getresuid) }
  /// Real, effective and saved groups.
  private func groups(_ kernel: TestKernel) -> [UInt32] { identifiers(kernel, .getresgid) }

  private func identifiers(_ kernel: TestKernel, _ call: SystemCallNumber) -> [UInt32] {
    #expect(kernel.call(call, data, data + 4, data + 8)?.integer == 0)
    let bytes = kernel.load(data, 12) ?? []
    return stride(from: 0, to: 12, by: 4).map { start in
      (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
    }
  }

  /// Does the same in a child, so that the parent stays who it is.
  private func asChild(_ kernel: TestKernel, _ body: () -> Void) {
    _ = kernel.fork()
    let (_, status) = kernel.wait {
      body()
      kernel.exit(7)
    }
    #expect(status == .exited(7))
  }

  @Test func `the superuser sets all three at once`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.issetugid)?.integer == 0)
    #expect(kernel.call(.setgid, 5)?.integer == 0)
    #expect(groups(kernel) == [5, 5, 5])
    #expect(kernel.call(.issetugid)?.integer == 1)
    #expect(kernel.call(.getgid)?.integer == 5 && kernel.call(.getegid)?.integer == 5)
    #expect(kernel.call(.setuid, 6)?.integer == 0)
    #expect(users(kernel) == [6, 6, 6])
    #expect(kernel.call(.getuid)?.integer == 6 && kernel.call(.geteuid)?.integer == 6)
    #expect(kernel.call(.setuid, 0)?.errno == .eperm)
    #expect(kernel.call(.setgid, 0)?.errno == .eperm)
    #expect(users(kernel) == [6, 6, 6] && groups(kernel) == [5, 5, 5])
  }

  @Test func `anybody may take the real or the saved user as the effective one`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.setresuid, 1, 2, 3)?.integer == 0)
    #expect(users(kernel) == [1, 2, 3])
    #expect(kernel.call(.seteuid, 1)?.integer == 0)
    #expect(users(kernel) == [1, 1, 3])
    #expect(kernel.call(.seteuid, 2)?.errno == .eperm)
    #expect(kernel.call(.seteuid, 3)?.integer == 0)
    #expect(users(kernel) == [1, 3, 3])
    // setuid(2) takes the real or the effective one, and sets all three.
    #expect(kernel.call(.setuid, 2)?.errno == .eperm)
    #expect(kernel.call(.setuid, 3)?.integer == 0)
    #expect(users(kernel) == [3, 3, 3])
  }

  @Test func `anybody may take the real or the saved group as the effective one`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.setresgid, 1, 2, 3)?.integer == 0)
    #expect(kernel.call(.seteuid, 9)?.integer == 0)
    #expect(groups(kernel) == [1, 2, 3])
    #expect(kernel.call(.setegid, 4)?.errno == .eperm)
    #expect(kernel.call(.setegid, 2)?.errno == .eperm)
    #expect(kernel.call(.setegid, 3)?.integer == 0)
    #expect(groups(kernel) == [1, 3, 3])
    #expect(kernel.call(.setegid, 1)?.integer == 0)
    #expect(groups(kernel) == [1, 1, 3])
    #expect(kernel.call(.setgid, 3)?.errno == .eperm)
    #expect(kernel.call(.setgid, 1)?.integer == 0)
    #expect(groups(kernel) == [1, 1, 1])
    #expect(kernel.call(.setgid, 2)?.errno == .eperm)
    // The superuser may take any.
    #expect(kernel.call(.seteuid, 0)?.integer == 0)
    #expect(kernel.call(.setegid, 8)?.integer == 0)
    #expect(groups(kernel) == [1, 8, 1])
  }

  @Test func `setreuid sets the saved user when the real one is given or the effective one differs from it`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.setreuid, unchanged, 4)?.integer == 0)
    #expect(users(kernel) == [0, 4, 4])
    asChild(kernel) {
      #expect(kernel.call(.setreuid, 4, unchanged)?.integer == 0)
      #expect(users(kernel) == [4, 4, 4])
      #expect(kernel.call(.setreuid, 0, unchanged)?.errno == .eperm)
      #expect(kernel.call(.setreuid, unchanged, 0)?.errno == .eperm)
      #expect(kernel.call(.setreuid, 4, 5)?.errno == .eperm)
      #expect(users(kernel) == [4, 4, 4])
    }
    asChild(kernel) {
      #expect(kernel.call(.setreuid, unchanged, 0)?.integer == 0)
      // The effective one is the real one, and no real one was given: the saved one stays.
      #expect(users(kernel) == [0, 0, 4])
      #expect(kernel.call(.setresuid, 1, 2, 3)?.integer == 0)
      #expect(kernel.call(.setreuid, 2, unchanged)?.errno == .eperm)
      #expect(kernel.call(.setreuid, unchanged, 3)?.integer == 0)
      #expect(users(kernel) == [1, 3, 3])
      #expect(kernel.call(.setreuid, 3, 1)?.integer == 0)
      #expect(users(kernel) == [3, 1, 1])
    }
  }

  @Test func `setregid does for groups what setreuid does for users`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.setregid, unchanged, 4)?.integer == 0)
    #expect(groups(kernel) == [0, 4, 4])
    #expect(kernel.call(.setregid, unchanged, 0)?.integer == 0)
    #expect(groups(kernel) == [0, 0, 4])
    #expect(kernel.call(.setresgid, 1, 2, 3)?.integer == 0)
    #expect(kernel.call(.seteuid, 9)?.integer == 0)
    #expect(kernel.call(.setregid, 2, unchanged)?.errno == .eperm)
    #expect(kernel.call(.setregid, unchanged, 4)?.errno == .eperm)
    #expect(kernel.call(.setregid, 3, 4)?.errno == .eperm)
    #expect(groups(kernel) == [1, 2, 3])
    #expect(kernel.call(.setregid, 3, unchanged)?.integer == 0)
    #expect(groups(kernel) == [3, 2, 2])
    #expect(kernel.call(.setregid, unchanged, 3)?.integer == 0)
    #expect(groups(kernel) == [3, 3, 2])
    #expect(kernel.call(.setregid, 2, 2)?.integer == 0)
    #expect(groups(kernel) == [2, 2, 2])
  }

  @Test func `setresuid and setresgid take any of the three`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.setresgid, 1, 2, 3)?.integer == 0)
    #expect(kernel.call(.setresuid, 1, 2, 3)?.integer == 0)
    for (call, now) in [(SystemCallNumber.setresuid, users), (.setresgid, groups)] {
      #expect(kernel.call(call, 3, 1, 2)?.integer == 0)
      #expect(now(kernel) == [3, 1, 2])
      #expect(kernel.call(call, 4, unchanged, unchanged)?.errno == .eperm)
      #expect(kernel.call(call, unchanged, 4, unchanged)?.errno == .eperm)
      #expect(kernel.call(call, unchanged, unchanged, 4)?.errno == .eperm)
      #expect(kernel.call(call, 1, 2, 4)?.errno == .eperm)
      #expect(now(kernel) == [3, 1, 2])
      #expect(kernel.call(call, unchanged, unchanged, unchanged)?.integer == 0)
      #expect(now(kernel) == [3, 1, 2])
      #expect(kernel.call(call, 2, 2, 2)?.integer == 0)
      #expect(now(kernel) == [2, 2, 2])
    }
  }

  @Test func `new objects belong to the effective user and group`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.setresgid, 1, 2, 3)?.integer == 0)
    #expect(kernel.call(.setresuid, 4, 5, 6)?.integer == 0)
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0o600, 0, 0)?.integer == 3)
    #expect(kernel.call(.fstat, 3, data)?.integer == 0)
    #expect(kernel.loadWord(data + 28) == 2 << 32 | 5)
  }

  @Test func `only the addresses that are given are written`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.setresgid, 1, 2, 3)?.integer == 0)
    for index in 0..<3 {
      kernel.storeWord(UInt64.max, at: data)
      var arguments: [UInt64] = [0, 0, 0]
      arguments[index] = data
      #expect(kernel.call(.getresgid, arguments[0], arguments[1], arguments[2])?.integer == 0)
      #expect(kernel.loadWord(data) == UInt64(0xFFFF_FFFF) << 32 | UInt64(index + 1))
    }
    #expect(kernel.call(.getresgid, 8, 0, 0)?.errno == .efault)
    #expect(kernel.call(.getresuid, data, 0, 8)?.errno == .efault)
  }

  @Test func `the list of groups begins with the effective one`() throws {
    let kernel = try TestKernel()
    kernel.storeWord(20 << 32 | 10, at: data)
    kernel.storeWord(30, at: data + 8)
    #expect(kernel.call(.setgroups, 3, data)?.integer == 0)
    #expect(groups(kernel) == [0, 10, 0])
    #expect(kernel.call(.getgroups, 0, 8)?.integer == 3)
    #expect(kernel.call(.getgroups, 2, data + 0x100)?.errno == .einval)
    #expect(kernel.call(.getgroups, 3, 8)?.errno == .efault)
    kernel.storeWord(UInt64.max, at: data + 0x108)
    #expect(kernel.call(.getgroups, 4, data + 0x100)?.integer == 3)
    #expect(kernel.loadWord(data + 0x100) == 20 << 32 | 10)
    #expect(kernel.loadWord(data + 0x108) == UInt64(0xFFFF_FFFF) << 32 | 30)
    #expect(kernel.call(.setegid, 11)?.integer == 0)
    #expect(kernel.call(.getgroups, 3, data + 0x100)?.integer == 3)
    #expect(kernel.loadWord(data + 0x100) == 20 << 32 | 11)
    // None leaves the effective group alone.
    #expect(kernel.call(.setgroups, 0, 8)?.integer == 0)
    #expect(kernel.call(.getgroups, 1, data + 0x100)?.integer == 1)
    #expect(kernel.loadWord(data + 0x100) & 0xFFFF_FFFF == 11)
    #expect(kernel.call(.setgroups, 257, data)?.errno == .einval)
    #expect(kernel.call(.setgroups, 1, 8)?.errno == .efault)
    #expect(kernel.call(.seteuid, 1)?.integer == 0)
    #expect(kernel.call(.setgroups, 1, data)?.errno == .eperm)
    #expect(kernel.call(.setgroups, 257, data)?.errno == .einval)
    #expect(kernel.call(.setgroups, 1, 8)?.errno == .efault)
  }

  @Test func `setgroups checks its arguments in order`() throws {
    let kernel = try TestKernel()
    kernel.call(.setuid, 5)
    #expect(kernel.call(.setgroups, UInt64(UInt32.max), 8)?.errno == .einval)
    #expect(kernel.call(.setgroups, 100_000, 8)?.errno == .einval)
    #expect(kernel.call(.setgroups, 2, 8)?.errno == .efault)
    #expect(kernel.call(.setgroups, 2, TestKernel.data)?.errno == .eperm)
    #expect(kernel.call(.setgroups, 0, 8)?.errno == .eperm)
  }

  @Test(arguments: [false, true]) func `execution saves what differs and stays tainted`(isGroup: Bool) throws {
    let kernel = try TestKernel()
    asChild(kernel) {
      #expect(kernel.call(isGroup ? .setegid : .seteuid, 5)?.integer == 0)
      #expect(isGroup ? groups(kernel) == [0, 5, 0] : users(kernel) == [0, 5, 0])
      let child = kernel.identifier
      kernel.execute()
      kernel.run(child)
      #expect(isGroup ? groups(kernel) == [0, 5, 5] : users(kernel) == [0, 5, 5])
      #expect(isGroup ? users(kernel) == [0, 0, 0] : groups(kernel) == [0, 0, 0])
      #expect(kernel.call(.issetugid)?.integer == 1)
    }
  }
}
