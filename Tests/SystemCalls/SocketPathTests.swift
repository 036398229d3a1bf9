// Names of sockets as entries of directories (spec sockets.md section 3.3): looked at, asked about, changed, removed, renamed; and
// bindat(2) and connectat(2).

import ABI
import Processes
import Simulation
import SystemCalls
import Testing

@Suite struct SocketPathTests {
  private static let current = UInt64(bitPattern: -100)
  private static let path = TestKernel.data + 0x100
  private static let stat = TestKernel.data + 0x400

  private func socket(_ kernel: TestKernel, _ type: UInt64 = 1) -> UInt64 {
    kernel.call(.socket, 1, type, 0)?.value ?? 99
  }

  private func bind(_ kernel: TestKernel, _ path: String, _ type: UInt64 = 1) -> UInt64 {
    let descriptor = socket(kernel, type)
    let (address, count) = kernel.socketAddress(path)
    #expect(kernel.call(.bind, descriptor, address, count)?.value == 0)
    return descriptor
  }

  private func connect(_ kernel: TestKernel, _ path: String, _ type: UInt64 = 1) -> CallResult? {
    let (address, count) = kernel.socketAddress(path)
    return kernel.call(.connect, socket(kernel, type), address, count)
  }

  private func error(_ kernel: TestKernel, _ number: SystemCallNumber, _ path: String, _ rest: UInt64...) -> Errno? {
    kernel.perform(UInt64(number.rawValue), [kernel.string(path, at: Self.path)] + rest)?.errno
  }

  private func errorAt(
    _ kernel: TestKernel, _ number: SystemCallNumber, _ path: String, _ rest: UInt64...,
    from start: UInt64 = SocketPathTests.current
  ) -> Errno? {
    kernel.perform(UInt64(number.rawValue), [start, kernel.string(path, at: Self.path)] + rest)?.errno
  }

  private func stat(_ kernel: TestKernel, _ path: String) -> Stat? {
    guard errorAt(kernel, .fstatat, path, Self.stat, 0) == nil else { return nil }
    let bytes = kernel.load(Self.stat, 224) ?? []
    return Stat(decoding: bytes.span)
  }

  @Test func `what is at a path`() throws {
    let kernel = try TestKernel()
    kernel.call(.umask, 0o027)
    kernel.hardware.clock.advance(by: 3_000_000_000)
    _ = bind(kernel, "/tmp/a")
    let node = try #require(stat(kernel, "/tmp//./a"))
    #expect(node.mode.rawValue == 0o140750)
    #expect(node.linkCount == 1 && node.size == 0 && node.blockCount == 0 && node.preferredBlockByteCount == 4096)
    #expect(node.birthTime == node.changeTime && node.birthTime.seconds > 0)
    _ = bind(kernel, "/var/run/b")
    let other = try #require(stat(kernel, "/var/run/b"))
    #expect(other.device == node.device && other.inode != node.inode)
    for (path, mode) in [
      ("/", 0o040755), ("/tmp", 0o041777), ("/var", 0o040755), ("/var/run/", 0o040755), ("/dev", 0o040755),
      ("/bin", 0o040755), ("/dev/null", 0o020666), ("/bin/prog", 0o100555), (".", 0o040755), ("tmp/a", 0o140750),
      ("/dev/fd/0", 0o020666), ("/dev/tty", 0o020666),
    ] as [(String, UInt16)] {
      #expect(stat(kernel, path)?.mode.rawValue == mode, "\(path)")
    }
    for (path, error) in [
      ("", Errno.enoent), ("/tmp/b", .enoent), ("/tmp/a/", .enotdir), ("/tmp/a/b", .enotdir), ("/no/a", .enoent),
      ("/tmp/" + String(repeating: "x", count: 256), .enametoolong),
    ] {
      #expect(errorAt(kernel, .fstatat, path, Self.stat, 0) == error, "\(path)")
    }
  }

  @Test func `where relative paths begin`() throws {
    let kernel = try TestKernel()
    let descriptor = bind(kernel, "/tmp/a")
    #expect(errorAt(kernel, .fstatat, "tmp/a", Self.stat, 0, from: 99) == .ebadf)
    #expect(errorAt(kernel, .fstatat, "tmp/a", Self.stat, 0, from: descriptor) == .enotdir)
    #expect(errorAt(kernel, .fstatat, "/tmp/a", Self.stat, 0, from: 99) == nil)
    #expect(errorAt(kernel, .fstatat, "", Self.stat, 0, from: 99) == .enoent)
    #expect(errorAt(kernel, .fstatat, "", Self.stat, 0x4000, from: 99) == .ebadf)
    // An empty path is the descriptor itself.
    #expect(errorAt(kernel, .fstatat, "", Self.stat, 0x4000, from: descriptor) == nil)
    #expect(kernel.loadWord(Self.stat + 24) & 0xFFFF == 0o140666)
    #expect(errorAt(kernel, .fchmodat, "", 0o600, 0x4000, from: descriptor) == .enotdir)
    #expect(errorAt(kernel, .fchmodat, "", 0o600, 0x4000, from: 0) == nil)
    #expect(stat(kernel, "/dev/console")?.mode.rawValue == 0o020600)
    for number in [SystemCallNumber.fstatat, .fchmodat] {
      #expect(errorAt(kernel, number, "/tmp/a", Self.stat, 0x100) == .einval)
      // Flags come before the path.
      #expect(kernel.call(number, Self.current, 1, Self.stat, 0x100)?.errno == .einval)
      #expect(kernel.call(number, Self.current, 1, Self.stat, 0)?.errno == .efault)
    }
    #expect(errorAt(kernel, .fchownat, "/tmp/a", 0, 0, 0x800) == .einval)
    #expect(errorAt(kernel, .unlinkat, "/tmp/a", 0x200) == .einval)
    #expect(errorAt(kernel, .faccessat, "/tmp/a", 0, 0x800) == .einval)
    #expect(errorAt(kernel, .faccessat, "/tmp/a", 8, 0) == .einval)
    #expect(kernel.call(.access, 1, 8)?.errno == .einval)
    #expect(errorAt(kernel, .fstatat, "/tmp/a", 0, 0) == .efault)
  }

  @Test func `a name that is removed leaves the socket alone`() throws {
    let kernel = try TestKernel()
    let listener = bind(kernel, "/tmp/a")
    kernel.call(.listen, listener, 5)
    #expect(connect(kernel, "/tmp/a")?.value == 0)
    #expect(error(kernel, .unlink, "/tmp/a") == nil)
    #expect(connect(kernel, "/tmp/a")?.errno == .enoent)
    #expect(error(kernel, .unlink, "/tmp/a") == .enoent)
    #expect(kernel.call(.accept, listener, 0, 0)?.failed == false)
    // The name is free, and the socket has its own still.
    kernel.storeWord(106, at: TestKernel.data + 0x700)
    #expect(kernel.call(.getsockname, listener, TestKernel.data + 0x708, TestKernel.data + 0x700)?.value == 0)
    #expect(kernel.load(TestKernel.data + 0x708, 8) == [8, 1] + Array("/tmp/a".utf8))
    let again = bind(kernel, "/tmp/a")
    kernel.call(.close, again)
    #expect(connect(kernel, "/tmp/a")?.errno == .econnrefused)
    #expect(errorAt(kernel, .unlinkat, "/tmp/a", 0x800) == .enotdir)
    #expect(errorAt(kernel, .unlinkat, "/tmp/a", 0x2000) == nil)
    for (path, error) in [
      ("/tmp", Errno.erofs), ("/dev/null", .erofs), ("/bin/prog", .erofs), ("/bin/no", .enoent), ("", .enoent),
      ("/tmp/a/", .enoent), ("/no/a", .enoent), ("/dev/null/a", .enotdir),
    ] {
      #expect(self.error(kernel, .unlink, path) == error, "\(path)")
    }
  }

  private func rename(_ kernel: TestKernel, _ old: String, _ new: String) -> Errno? {
    kernel.call(.rename, kernel.string(old, at: Self.path), kernel.string(new, at: Self.path + 0x200))?.errno
  }

  @Test func `renaming`() throws {
    let kernel = try TestKernel()
    let listener = bind(kernel, "/tmp/a")
    kernel.call(.listen, listener, 5)
    let inode = stat(kernel, "/tmp/a")?.inode
    #expect(rename(kernel, "/tmp/a", "/var/run/other") == nil)
    #expect(stat(kernel, "/var/run/other")?.inode == inode && stat(kernel, "/tmp/a") == nil)
    #expect(connect(kernel, "/var/run/other")?.value == 0)
    #expect(connect(kernel, "/tmp/a")?.errno == .enoent)
    // Longer than a socket can be named.
    let long = "/tmp/" + String(repeating: "n", count: 255)
    #expect(rename(kernel, "/var/run/other", long) == nil)
    #expect(stat(kernel, long)?.inode == inode)
    #expect(rename(kernel, long, long + "n") == .enametoolong)
    // What has the new name is removed; its socket goes on without one.
    let second = bind(kernel, "/tmp/b")
    kernel.call(.listen, second, 5)
    #expect(rename(kernel, long, "/tmp/b") == nil)
    #expect(stat(kernel, "/tmp/b")?.inode == inode && stat(kernel, long) == nil)
    kernel.call(.close, listener)
    #expect(connect(kernel, "/tmp/b")?.errno == .econnrefused)
    #expect(rename(kernel, "/tmp/b", "/tmp/b") == nil && stat(kernel, "/tmp/b") != nil)
    for (old, new, error) in [
      ("/tmp/no", "/tmp/c", Errno.enoent), ("/tmp/no", "/no/c", .enoent), ("/dev/null", "/tmp/c", .erofs),
      ("/bin/prog", "/tmp/c", .erofs), ("/tmp", "/tmp/c", .erofs), ("/tmp/b", "/tmp", .eisdir),
      ("/tmp/b", "/c", .erofs), ("/tmp/b", "/bin/c", .erofs), ("/tmp/b", "/dev/c", .exdev),
      ("/tmp/b", "/dev/null", .exdev), ("/tmp/b", "/no/c", .enoent), ("/tmp/b", "/tmp/c/", .enoent),
      ("/tmp/b", "/tmp/b/", .enotdir), ("/tmp/b", "/tmp/b/c", .enotdir), ("/tmp/b", "", .enoent),
    ] {
      #expect(rename(kernel, old, new) == error, "\(old) \(new)")
    }
    #expect(kernel.call(.rename, kernel.string("/tmp/b", at: Self.path), 1)?.errno == .efault)
    #expect(kernel.call(.rename, kernel.string("/tmp/no", at: Self.path), 1)?.errno == .enoent)
    #expect(
      kernel.call(
        .renameat, 99, kernel.string("/tmp/b", at: Self.path), 99, kernel.string("tmp/c", at: Self.path + 0x200))?
        .errno == .ebadf)
    #expect(
      kernel.call(
        .renameat, 99, kernel.string("/tmp/b", at: Self.path), Self.current,
        kernel.string("tmp/c", at: Self.path + 0x200))?.value == 0)
    #expect(stat(kernel, "/tmp/c")?.inode == inode)
  }

  @Test func `what others may do`() throws {
    let kernel = try TestKernel()
    kernel.call(.umask, 0)
    for path in ["/tmp/root", "/var/run/root"] { _ = bind(kernel, path) }
    #expect(error(kernel, .chmod, "/tmp/root", 0o705) == nil)
    let child = kernel.fork()
    kernel.run(child)
    kernel.store(TestKernel.words([40, 50]), at: TestKernel.data)
    kernel.call(.setgroups, 2, TestKernel.data)
    kernel.call(.setresgid, 40, 40, 40)
    kernel.call(.setresuid, 30, 30, 30)
    let own = bind(kernel, "/tmp/own")
    // /tmp is sticky, /var/run the superuser's.
    #expect(error(kernel, .unlink, "/tmp/root") == .eperm)
    #expect(error(kernel, .unlink, "/var/run/root") == .eacces)
    #expect(rename(kernel, "/tmp/root", "/tmp/x") == .eperm)
    #expect(rename(kernel, "/tmp/own", "/tmp/root") == .eperm)
    #expect(rename(kernel, "/tmp/own", "/var/run/x") == .eacces)
    #expect(rename(kernel, "/tmp/own", "/tmp/mine") == nil)
    // Modes.
    #expect(error(kernel, .access, "/tmp/root", 5) == nil && error(kernel, .access, "/tmp/root", 2) == .eacces)
    #expect(error(kernel, .chmod, "/tmp/root", 0o777) == .eperm)
    #expect(error(kernel, .chmod, "/tmp/mine", 0o1777) == .eftype)
    // The file is of group 0, as its directory.
    #expect(error(kernel, .chmod, "/tmp/mine", 0o2777) == .eperm)
    #expect(error(kernel, .lchmod, "/tmp/mine", 0o4070) == nil)
    #expect(stat(kernel, "/tmp/mine")?.mode.rawValue == 0o144070)
    #expect(error(kernel, .access, "/tmp/mine", 4) == .eacces)
    #expect(connect(kernel, "/tmp/mine")?.errno == .eacces)
    #expect(error(kernel, .chmod, "/bin/prog", 0o777) == .erofs && error(kernel, .chmod, "/tmp", 0o777) == .erofs)
    // Owners.
    let same = UInt64(UInt32.max)
    #expect(error(kernel, .chown, "/tmp/root", same, same) == nil)
    #expect(error(kernel, .chown, "/tmp/root", 30, same) == .eperm)
    #expect(error(kernel, .chown, "/tmp/mine", 31, same) == .eperm)
    #expect(error(kernel, .chown, "/tmp/mine", same, 60) == .eperm)
    #expect(error(kernel, .lchown, "/tmp/mine", 30, 50) == nil)
    let status = try #require(stat(kernel, "/tmp/mine"))
    #expect(status.groupIdentifier == 50 && status.userIdentifier == 30)
    // Set-user-id goes when somebody else than the superuser changes the owner.
    #expect(status.mode.rawValue == 0o140070)
    kernel.call(.close, own)
    #expect(error(kernel, .unlink, "/tmp/mine") == nil)
    kernel.exit()
    kernel.run(1)
    _ = kernel.wait(child)
    #expect(error(kernel, .chown, "/tmp/root", 7, 8) == nil)
    #expect(stat(kernel, "/tmp/root")?.userIdentifier == 7)
  }

  @Test func `access goes by the real user, eaccess by the effective one`() throws {
    let kernel = try TestKernel()
    _ = bind(kernel, "/tmp/root")
    #expect(error(kernel, .chmod, "/tmp/root", 0o740) == nil)
    kernel.call(.setresgid, 0, 40, 40)
    kernel.call(.setresuid, 30, 0, 0)
    // User 30, whose real group is the name's.
    #expect(error(kernel, .access, "/tmp/root", 4) == nil && error(kernel, .access, "/tmp/root", 2) == .eacces)
    #expect(error(kernel, .eaccess, "/tmp/root", 7) == nil)
    #expect(errorAt(kernel, .faccessat, "/tmp/root", 7, 0x100) == nil)
    #expect(errorAt(kernel, .faccessat, "/tmp/root", 7, 0) == .eacces)
    // The superuser executes what somebody may.
    #expect(error(kernel, .chmod, "/tmp/root", 0) == nil)
    #expect(error(kernel, .eaccess, "/tmp/root", 6) == nil && error(kernel, .eaccess, "/tmp/root", 1) == .eacces)
    for (path, mode, error) in [
      ("/", UInt64(2), Errno.erofs), ("/bin/prog", 2, .erofs), ("/bin/prog", 5, nil), ("/tmp", 7, nil),
      ("/dev/null", 6, nil), ("/no", 0, .enoent),
    ] as [(String, UInt64, Errno?)] {
      #expect(self.error(kernel, .eaccess, path, mode) == error, "\(path)")
    }
  }

  @Test func `bindat and connectat begin where they are told`() throws {
    let kernel = try TestKernel()
    let (listener, file) = (socket(kernel), socket(kernel))
    let (address, count) = kernel.socketAddress("tmp/at")
    #expect(kernel.call(.bindat, 99, 98, 1, 8)?.errno == .efault)
    #expect(kernel.call(.bindat, 99, 98, address, count)?.errno == .ebadf)
    #expect(kernel.call(.bindat, 99, 0, address, count)?.errno == .enotsock)
    #expect(kernel.call(.bindat, 99, listener, address, count)?.errno == .ebadf)
    #expect(kernel.call(.bindat, file, listener, address, count)?.errno == .enotdir)
    #expect(kernel.call(.bindat, Self.current, listener, address, count)?.value == 0)
    #expect(kernel.call(.bindat, 99, listener, address, count)?.errno == .einval)
    kernel.call(.listen, listener, 1)
    #expect(kernel.call(.connectat, 99, file, address, count)?.errno == .ebadf)
    #expect(kernel.call(.connectat, listener, file, address, count)?.errno == .enotdir)
    #expect(kernel.call(.connectat, Self.current, file, address, count)?.value == 0)
    // From the root on the descriptor does not matter.
    let (whole, length) = kernel.socketAddress("/tmp/at")
    #expect(kernel.call(.bindat, 99, socket(kernel), whole, length)?.errno == .eaddrinuse)
    #expect(kernel.call(.connectat, 99, socket(kernel), whole, length)?.value == 0)
  }
}
