// Who has an object together: after fork(2) and execve(2), and by messages (spec shm.md sections 3.27 to 3.29).

import ABI
import Files
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct ObjectSharingTests {
  private let page = Page.byteCount
  private let place = TestKernel.data + 0x100
  private let name = TestKernel.data + 0x4000
  private let area: UInt64 = 0x1_0000_0000

  private func make(_ kernel: TestKernel, mode: UInt64 = 0o600) throws -> UInt64 {
    let path = kernel.string("/o", at: name)
    let object = try #require(kernel.call(.shmOpen2, path, .createReadWrite, mode, 1, 0)).value
    #expect(kernel.call(.ftruncate, object, page)?.integer == 0)
    return object
  }

  private func offset(_ kernel: TestKernel, _ object: UInt64) -> UInt64? { kernel.call(.lseek, object, 0, 1)?.value }

  private func linkCount(_ kernel: TestKernel, _ object: UInt64) -> UInt64 {
    #expect(kernel.call(.fstat, object, place)?.integer == 0)
    return kernel.loadWord(place + StatField.linkCount)
  }

  @Test func `a child has the same files, and a mapping more of the same object`() throws {
    // shows: shm 3.28.descriptors, 3.28.shared, 3.28.names
    let kernel = try TestKernel()
    let object = try make(kernel)
    #expect(kernel.call(.mmap, area, page, .readWrite, .fixedSharedFile, object, 0)?.value == area)
    #expect(linkCount(kernel, object) == 2)
    let child = kernel.fork()
    #expect(linkCount(kernel, object) == 3)
    // F_SEAL_WRITE: the child could still store there.
    #expect(kernel.call(.munmap, area, page)?.integer == 0)
    #expect(kernel.call(.fcntl, object, 19, 8)?.errno == .ebusy)
    let (_, status) = kernel.wait(child) {
      kernel.store([6], at: area + 9)
      #expect(kernel.call(.write, object, area + 9, 5)?.integer == 5)
      #expect(kernel.call(.shmOpen2, name, .readWriteFile, 0, 1, 0)?.failed == false)
      kernel.exit()
    }
    #expect(status == .exited(0))
    #expect(offset(kernel, object) == 5 && linkCount(kernel, object) == 1)
    #expect(kernel.call(.pread, object, place, 1, 0)?.integer == 1 && kernel.load(place, 1) == [6])
    #expect(kernel.call(.fcntl, object, 19, 8)?.integer == 0)
    #expect(kernel.call(.shmUnlink, name)?.integer == 0)
  }

  @Test func `a private mapping is a copy on both sides`() throws {
    // shows: shm 3.28.private, 3.11.entry-private
    let kernel = try TestKernel()
    let object = try make(kernel)
    #expect(kernel.call(.mmap, area, page, .readWrite, .fixedPrivateFile, object, 0)?.value == area)
    kernel.store([1], at: area)
    let child = kernel.fork()
    kernel.store([2], at: area + 1)
    let (_, status) = kernel.wait(child) {
      #expect(kernel.load(area, 2) == [1, 0])
      kernel.store([3], at: area)
      kernel.exit()
    }
    #expect(status == .exited(0) && kernel.load(area, 2) == [1, 2])
    #expect(kernel.call(.pread, object, place, 2, 0)?.integer == 2 && kernel.load(place, 2) == [0, 0])
  }

  @Test func `a new program has what was not to be closed`() throws {
    // shows: shm 3.27.exec, 3.27.dup
    let kernel = try TestKernel()
    let old = try #require(kernel.call(.shmOpen, .anonymousObject, .readWriteFile, 0)).value
    let kept = try #require(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)).value
    let copy = try #require(kernel.call(.dup, old)).value
    #expect([old, kept, copy].map { kernel.call(.fcntl, $0, 1, 0)?.integer } == [1, 0, 0])
    kernel.execute()
    #expect(kernel.call(.fcntl, old, 1, 0)?.errno == .ebadf)
    #expect([kept, copy].map { kernel.call(.fcntl, $0, 3, 0)?.integer } == [2, 2])
  }

  @Test func `an object in a message lives, and arrives with its offset for whoever receives it`() throws {
    // shows: shm 3.29.passable, 3.29.in-flight, 3.29.same-file, 3.29.no-check
    // shows: difference peek
    let kernel = try TestKernel()
    let object = try make(kernel, mode: 0)
    #expect(kernel.call(.lseek, object, 3, 0)?.integer == 3)
    let (first, second) = kernel.socketPair(.stream)
    let control = TestKernel.controlMessage(1, TestKernel.words([UInt32(object)]))
    for _ in 0..<2 { #expect(kernel.sendMessage(first, control: control)?.failed == false) }
    #expect(kernel.call(.close, object)?.integer == 0)
    #expect(kernel.call(.setuid, 7)?.integer == 0)
    #expect(kernel.call(.shmOpen2, name, 0, 0, 0, 0)?.errno == .eacces)
    // Looking only gives no descriptors (MSG_PEEK), and leaves them to be received.
    #expect(kernel.receiveMessage(second, flags: 2)?.control == [])
    for (flags, descriptorFlags) in [(0, 0), (0x4_0000, 1)] as [(UInt64, Int)] {
      let message = try #require(kernel.receiveMessage(second, flags: flags))
      #expect(message.control.count == 24)
      let received = UInt64(message.control[16])
      #expect(kernel.call(.fcntl, received, 1, 0)?.integer == descriptorFlags)
      #expect(kernel.call(.fcntl, received, 3, 0)?.integer == 2)
      #expect(offset(kernel, received) == 3 + UInt64(descriptorFlags))
      #expect(kernel.call(.write, received, place, 1)?.integer == 1)
    }
  }

  @Test func `an object that only a message has goes with it`() throws {
    // shows: shm 3.29.in-flight
    let kernel = try TestKernel()
    let object = try make(kernel)
    let (first, second) = kernel.socketPair(.stream)
    kernel.sendMessage(first, control: TestKernel.controlMessage(1, TestKernel.words([UInt32(object)])))
    #expect(kernel.call(.close, object)?.integer == 0 && kernel.call(.shmUnlink, name)?.integer == 0)
    #expect(kernel.kernel.inspectedFiles.counts.sharedMemoryObjects == 1)
    for socket in [first, second] { #expect(kernel.call(.close, socket)?.integer == 0) }
    for _ in 0..<10 { kernel.call(.schedYield) }
    #expect(kernel.kernel.inspectedFiles.counts.sharedMemoryObjects == 0)
  }
}
