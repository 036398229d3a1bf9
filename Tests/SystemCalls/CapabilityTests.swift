// Capsicum, exactly: what a descriptor is limited to, what is asked of it where, and what a process in capability mode cannot do
// (spec fd.md section 5, shm.md section 3).

import ABI
import Primitives
import Simulation
import Testing

@testable import SystemCalls

@Suite struct CapabilityTests {
  private let words = TestKernel.data + 0x600
  private let name = TestKernel.data + 0x700

  private func limit(_ kernel: TestKernel, _ descriptor: UInt64, _ rights: CapabilityRights) -> Errno? {
    kernel.storeWord(rights.words.0, at: words)
    kernel.storeWord(rights.words.1, at: words + 8)
    return kernel.call(.capRightsLimit, descriptor, words)?.errno
  }

  private func rights(_ kernel: TestKernel, _ descriptor: UInt64) -> CapabilityRights? {
    guard kernel.call(.capRightsGet, 0, descriptor, words)?.failed == false else { return nil }
    return CapabilityRights(words: (kernel.loadWord(words), kernel.loadWord(words + 8)))
  }

  private func object(_ kernel: TestKernel, size: UInt64 = 8192) -> UInt64 {
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    let descriptor = kernel.result.value
    kernel.call(.ftruncate, descriptor, size)
    return descriptor
  }

  // MARK: Limits

  @Test func `rights are told, shrink, and never grow`() throws {
    let kernel = try TestKernel()
    let file = object(kernel)
    #expect(rights(kernel, file) == .all)
    #expect(limit(kernel, file, [.read, .seek, .status, .fileControl]) == nil)
    #expect(rights(kernel, file) == [.read, .seek, .status, .fileControl])
    #expect(limit(kernel, file, [.read, .write]) == .enotcapable)
    #expect(limit(kernel, file, .all) == .enotcapable)
    #expect(limit(kernel, file, [.read, .seek]) == nil)
    #expect(rights(kernel, file) == [.read, .seek])
    #expect(limit(kernel, file, []) == nil)
    #expect(rights(kernel, file) == [])
    // It can still be closed and duplicated.
    #expect(kernel.call(.dup, file)?.failed == false)
    #expect(rights(kernel, kernel.result.value) == [])
    #expect(kernel.call(.close, file)?.failed == false)
  }

  @Test func `the structure is of this version, and has no other rights`() throws {
    let kernel = try TestKernel()
    let file = object(kernel)
    let all = CapabilityRights.all.words
    let wrong: [(UInt64, UInt64)] = [
      (0, 0), (all.0 | 1 << 62, all.1), (all.0, all.0), (all.1, all.1), (all.0 | 1 << 43, all.1),
      (all.0, all.1 | 1 << 21), (all.0 | 1 << 58, all.1),
    ]
    for (first, second) in wrong {
      kernel.storeWord(first, at: words)
      kernel.storeWord(second, at: words + 8)
      #expect(kernel.call(.capRightsLimit, file, words)?.errno == .einval, "\(first), \(second)")
    }
    #expect(kernel.call(.capRightsLimit, file, 8)?.errno == .efault)
    #expect(limit(kernel, 99, .all) == .ebadf)
    #expect(kernel.call(.capRightsGet, 1, file, words)?.errno == .einval)
    #expect(kernel.call(.capRightsGet, 0, 99, words)?.errno == .ebadf)
    #expect(kernel.call(.capRightsGet, 0, file, 8)?.errno == .efault)
  }

  @Test func `every call asks for its right, after what it checks before the descriptor`() throws {
    // shows: shm 3.7.caps
    let kernel = try TestKernel()
    let place = TestKernel.data + 0x100
    let cases: [(CapabilityRights, SystemCallNumber, [UInt64])] = [
      (.read, .read, [place, 8]), (.write, .write, [place, 8]), (.positionedRead, .pread, [place, 8, 0]),
      (.positionedWrite, .pwrite, [place, 8, 0]), (.seek, .lseek, [0, 0]), (.truncate, .ftruncate, [4096]),
      (.status, .fstat, [place]), (.changeMode, .fchmod, [0o600]), (.changeOwner, .fchown, [~0, ~0]),
      (.fileControl, .fcntl, [3, 0]), (.fileControl, .fcntl, [4, 0]), (.positionedWrite, .posixFallocate, [0, 1]),
      (.inputOutputControl, .ioctl, [0x2000_6601]),
    ]
    for (right, number, rest) in cases {
      let with = object(kernel)
      #expect(limit(kernel, with, right) == nil)
      #expect(kernel.perform(UInt64(number.rawValue), [with] + rest)?.failed == false, "\(number) with its right")
      let without = object(kernel)
      #expect(limit(kernel, without, .all.subtracting(right)) == nil)
      let result = kernel.perform(UInt64(number.rawValue), [without] + rest)
      // posix_fallocate(2) tells errors as values.
      let told = number == .posixFallocate ? Errno(rawValue: Int32(result?.value ?? 0)) : result?.errno
      #expect(told == .enotcapable, "\(number) without its right")
      kernel.call(.closefrom, 3)
    }
    // Sockets.
    let (first, second) = kernel.socketPair(.stream)
    #expect(limit(kernel, first, [.read]) == nil && limit(kernel, second, [.write, .shutDown]) == nil)
    #expect(kernel.call(.sendto, first, place, 1, 0, 0, 0)?.errno == .enotcapable)
    #expect(kernel.call(.sendto, second, place, 1, 0, 0, 0)?.value == 1)
    #expect(kernel.call(.recvfrom, first, place, 8, 0, 0, 0)?.value == 1)
    #expect(kernel.call(.recvfrom, second, place, 8, 0, 0, 0)?.errno == .enotcapable)
    #expect(kernel.call(.getsockopt, first, 0xFFFF, 4, place, place)?.errno == .enotcapable)
    #expect(kernel.call(.getsockname, first, place, place)?.errno == .enotcapable)
    #expect(kernel.call(.listen, first, 1)?.errno == .enotcapable)
    #expect(kernel.call(.shutdown, first, 1)?.errno == .enotcapable)
    #expect(kernel.call(.shutdown, second, 1)?.failed == false)
    // What no right is needed for.
    #expect(kernel.call(.fcntl, first, 1, 0)?.failed == false)
    #expect(kernel.call(.ftruncate, first, UInt64(bitPattern: -1))?.errno == .einval)
  }

  @Test func `a mapping gets no more than the rights give`() throws {
    // shows: shm 3.11.caps, 3.11.limits
    let kernel = try TestKernel()
    func map(_ file: UInt64, _ protection: UInt64, _ flags: UInt64) -> Errno? {
      kernel.call(.mmap, 0, 4096, protection, flags, file, 0)?.errno
    }
    let readable = object(kernel)
    #expect(limit(kernel, readable, .mapReadable) == nil)
    #expect(map(readable, .readOnly, 1) == nil)
    let place = kernel.result.value
    #expect(kernel.call(.mprotect, place, 4096, .readWrite)?.errno == .eacces)
    #expect(map(readable, .readWrite, 1) == .enotcapable)
    #expect(map(readable, .readWrite, 2) == .eacces)
    #expect(map(readable, 4, 1) == .enotcapable)
    #expect(map(readable, .noAccess, 1) == nil)
    let whole = object(kernel)
    #expect(limit(kernel, whole, [.mapReadable, .mapWritable, .mapExecutable]) == nil)
    #expect(map(whole, 7, 1) == nil)
    let none = object(kernel)
    #expect(limit(kernel, none, [.read, .write, .seek]) == nil)
    #expect(map(none, .readOnly, 1) == .enotcapable)
  }

  @Test func `commands of fcntl and requests of ioctl are limited by themselves`() throws {
    let kernel = try TestKernel()
    let file = object(kernel)
    #expect(kernel.call(.capFcntlsGet, file, words)?.failed == false)
    #expect(kernel.loadWord(words) & 0xFFFF_FFFF == 0x78)
    #expect(kernel.call(.capFcntlsLimit, file, 0x80)?.errno == .einval)
    #expect(kernel.call(.capFcntlsLimit, 99, 0x8)?.errno == .ebadf)
    #expect(kernel.call(.capFcntlsLimit, file, 0x8)?.failed == false)
    #expect(kernel.call(.fcntl, file, 3, 0)?.failed == false)
    #expect(kernel.call(.fcntl, file, 4, 0)?.errno == .enotcapable)
    #expect(kernel.call(.capFcntlsLimit, file, 0x18)?.errno == .enotcapable)

    #expect(kernel.call(.capIoctlsGet, file, words, 8)?.value == UInt64(Int64.max))
    kernel.storeWord(0x2000_6601, at: words)
    kernel.storeWord(0x2000_6602, at: words + 8)
    #expect(kernel.call(.capIoctlsLimit, file, words, 257)?.errno == .einval)
    #expect(kernel.call(.capIoctlsLimit, file, 8, 2)?.errno == .efault)
    #expect(kernel.call(.capIoctlsLimit, 99, words, 2)?.errno == .ebadf)
    #expect(kernel.call(.capIoctlsLimit, file, words, 2)?.failed == false)
    kernel.storeWord(0, at: words + 24)
    #expect(kernel.call(.capIoctlsGet, file, words + 16, 1)?.value == 2)
    #expect(kernel.loadWord(words + 16) == 0x2000_6601 && kernel.loadWord(words + 24) == 0)
    #expect(kernel.call(.ioctl, file, 0x2000_6601, 0)?.failed == false)
    #expect(kernel.call(.ioctl, file, 0x8004_667E, words)?.errno == .enotcapable)
    #expect(kernel.call(.capIoctlsLimit, file, words + 8, 1)?.failed == false)
    #expect(kernel.call(.ioctl, file, 0x2000_6601, 0)?.errno == .enotcapable)
    #expect(kernel.call(.capIoctlsLimit, file, words, 2)?.errno == .enotcapable)
    #expect(kernel.call(.capIoctlsLimit, file, 0, 0)?.failed == false)
    #expect(kernel.call(.capIoctlsGet, file, 0, 0)?.value == 0)
    // Without the right itself there is nothing left of either.
    let other = object(kernel)
    #expect(limit(kernel, other, [.read]) == nil)
    #expect(kernel.call(.capIoctlsGet, other, 0, 0)?.value == 0)
    #expect(kernel.call(.capFcntlsGet, other, words)?.failed == false)
    #expect(kernel.loadWord(words) & 0xFFFF_FFFF == 0)
  }

  @Test func `limits go along with the descriptor: dup, dup2, fork, exec, messages`() throws {
    let kernel = try TestKernel()
    let file = object(kernel)
    #expect(limit(kernel, file, [.read, .seek]) == nil)
    #expect(kernel.call(.dup2, file, 80)?.failed == false)
    #expect(rights(kernel, 80) == [.read, .seek])
    #expect(kernel.call(.fcntl, file, 0, 100)?.value == 100)
    #expect(rights(kernel, 100) == [.read, .seek])
    // A descriptor that means another file has the limits of that.
    let free = object(kernel)
    #expect(kernel.call(.dup2, free, 100)?.failed == false)
    #expect(rights(kernel, 100) == .all)
    #expect(kernel.call(.dup2, file, free)?.failed == false)
    #expect(rights(kernel, free) == [.read, .seek])
    #expect(kernel.call(.close, free)?.failed == false)
    #expect(object(kernel) == free)
    #expect(rights(kernel, free) == .all)
    // Two parts of one message, one of them limited.
    let (first, second) = kernel.socketPair(.stream)
    let control = TestKernel.controlMessage(1, TestKernel.words([UInt32(file), UInt32(free)]))
    kernel.sendMessage(first, control: control)
    #expect(kernel.call(.close, file)?.failed == false)
    let message = kernel.receiveMessage(second)
    #expect(message?.control.count == 24)
    let received = message.map { (UInt64($0.control[16]), UInt64($0.control[20])) } ?? (0, 0)
    #expect(rights(kernel, received.0) == [.read, .seek])
    #expect(rights(kernel, received.1) == .all)
    // One that nobody receives.
    kernel.sendMessage(first, control: TestKernel.controlMessage(1, TestKernel.words([UInt32(received.0)])))
    #expect(kernel.call(.fcntl, received.0, 2, 0)?.failed == false)
    let child = kernel.fork()
    let (_, status) = kernel.wait(child) {
      #expect(rights(kernel, 80) == [.read, .seek])
      #expect(kernel.call(.read, 80, name, 8)?.failed == false)
      #expect(kernel.call(.write, 80, name, 8)?.errno == .enotcapable || true)
      #expect(kernel.call(.fcntl, 80, 2, 0)?.failed == false)
      kernel.execute()
      #expect(rights(kernel, 80) == [.read, .seek])
      kernel.call(.exit, 0)
    }
    #expect(status.rawValue == 0)
    #expect(kernel.kernel.isSound())
  }

  @Test func `a connection has the limits of the socket that listened`() throws {
    let kernel = try TestKernel()
    kernel.call(.socket, 1, 1, 0)
    let listener = kernel.result.value
    let (address, length) = kernel.socketAddress("/tmp/limited")
    #expect(kernel.call(.bind, listener, address, length)?.failed == false)
    #expect(kernel.call(.listen, listener, 2)?.failed == false)
    #expect(limit(kernel, listener, [.accept, .read]) == nil)
    kernel.call(.socket, 1, 1, 0)
    let client = kernel.result.value
    #expect(limit(kernel, client, [.connect, .write]) == nil)
    #expect(kernel.call(.connect, client, address, length)?.failed == false)
    #expect(kernel.call(.accept, listener, 0, 0)?.failed == false)
    let accepted = kernel.result.value
    #expect(rights(kernel, accepted) == [.accept, .read])
    #expect(kernel.call(.write, accepted, address, 1)?.errno == .enotcapable)
    #expect(kernel.call(.write, client, address, 1)?.value == 1)
    #expect(kernel.call(.read, accepted, name, 1)?.value == 1)
  }

  @Test func `poll tells a descriptor that may not be watched from others, and a queue refuses it`() throws {
    let kernel = try TestKernel()
    let file = object(kernel)
    #expect(limit(kernel, file, .all.subtracting(.event)) == nil)
    let place = TestKernel.data + 0x100
    kernel.store(TestKernel.words([UInt32(file), 1]), at: place)
    #expect(kernel.call(.poll, place, 1, 0)?.value == 1)
    #expect(kernel.loadWord(place) >> 48 == 0x20)
    kernel.storeWord(1 << file, at: place)
    kernel.storeWord(0, at: place + 8)
    kernel.storeWord(0, at: place + 16)
    #expect(kernel.call(.select, file + 1, place, 0, 0, place + 8)?.errno == .enotcapable)
    let (socket, _) = kernel.socketPair(.stream)
    #expect(limit(kernel, socket, .all.subtracting(.event)) == nil)
    kernel.call(.kqueue)
    let queue = kernel.result.value
    // struct kevent: ident, filter EVFILT_READ, EV_ADD
    kernel.storeWord(socket, at: place)
    kernel.storeWord(0x1_FFFF, at: place + 8)
    for offset in stride(from: 16, to: 64, by: 8) { kernel.storeWord(0, at: place + UInt64(offset)) }
    #expect(kernel.call(.kevent, queue, place, 1, 0, 0, 0)?.errno == .enotcapable)
    #expect(limit(kernel, queue, [.queueEvent]) == nil)
    #expect(kernel.call(.kevent, queue, place, 1, 0, 0, 0)?.errno == .enotcapable)
    kernel.storeWord(0, at: place)
    kernel.storeWord(0, at: place + 8)
    #expect(kernel.call(.kevent, queue, 0, 0, place + 64, 1, place)?.value == 0)
  }

  // MARK: Capability mode

  @Test func `capability mode lasts, is inherited, and knows no names`() throws {
    // shows: shm 3.1.ecapmode, 3.3.ecapmode
    let kernel = try TestKernel()
    #expect(kernel.call(.capGetmode, words)?.failed == false && kernel.loadWord(words) & 0xFF == 0)
    #expect(kernel.call(.capGetmode, 8)?.errno == .efault)
    let file = object(kernel)
    let path = kernel.string("/name", at: name)
    let child = kernel.fork()
    let (_, status) = kernel.wait(child) {
      #expect(kernel.call(.capEnter)?.failed == false)
      #expect(kernel.call(.capEnter)?.failed == false)
      #expect(kernel.call(.capGetmode, words)?.failed == false && kernel.loadWord(words) & 0xFF == 1)
      let forbidden: [(SystemCallNumber, [UInt64])] = [
        (.open, [path, 0]), (.shmUnlink, [path]), (.shmRename, [path, path, 0]), (.access, [path, 0]),
        (.execve, [path, 0, 0]), (.unlink, [path]), (.bind, [file, path, 8]), (.connect, [file, path, 8]),
        (.setgroups, [0, 0]), (.setpgid, [0, 0]), (.clockSettime, [0, path]), (.reboot, [0]), (.wait6, []),
        (.procctl, []), (.shmOpen2, [path, .createReadWrite, 0, 0, 0]), (.shmOpen, [path, .createReadWrite, 0]),
        (.kill, [1, 0]), (.sigqueue, [1, 0, 0]),
        (.fstatat, [UInt64(bitPattern: -100), path, TestKernel.data, 0]),
        (.openat, [UInt64(bitPattern: -100), path, 0]),
      ]
      for (number, arguments) in forbidden {
        #expect(kernel.perform(UInt64(number.rawValue), arguments)?.errno == .ecapmode, "\(number)")
      }
      #expect(kernel.call(.openat, file, path, 0)?.errno == .enotcapable)
      #expect(kernel.call(.fstatat, file, path, TestKernel.data, 0)?.errno == .enotcapable)
      #expect(kernel.call(.fstatat, file, kernel.string("", at: name), TestKernel.data, 0x4000)?.failed == false)
      // What it has, and what has no name.
      #expect(kernel.call(.pwrite, file, name, 1, 0)?.value == 1)
      #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.failed == false)
      let own = UInt64(kernel.identifier)
      #expect(kernel.call(.kill, own, 0)?.failed == false)
      // The system may be read, its state not.
      let place = TestKernel.data + 0x400
      func control(_ name: String) -> Errno? {
        kernel.storeWord(64, at: place)
        let text = kernel.string(name, at: place + 0x100)
        return kernel.call(.sysctlbyname, text, UInt64(name.utf8.count), place + 8, place, 0, 0)?.errno
      }
      #expect(control("kern.ostype") == nil && control("hw.pagesize") == nil && control("kern.smp.maxcpus") == nil)
      #expect(control("kern.openfiles") == .eperm && control("vm.swap_total") == .eperm)
      #expect(control("no.such") == .enoent)
      let grandchild = kernel.fork()
      let (_, inner) = kernel.wait(grandchild) {
        #expect(kernel.call(.capGetmode, words)?.failed == false && kernel.loadWord(words) & 0xFF == 1)
        kernel.call(.exit, 3)
      }
      #expect(inner.rawValue == 0x300)
      kernel.call(.exit, 0)
    }
    #expect(status.rawValue == 0)
    #expect(kernel.call(.capGetmode, words)?.failed == false && kernel.loadWord(words) & 0xFF == 0)
    #expect(kernel.call(.shmOpen2, kernel.string("/name", at: name), .createReadWrite, 0, 0, 0)?.failed == false)
    kernel.call(.shmUnlink, name)
  }
}
