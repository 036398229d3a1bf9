// execve(2) through the whole kernel: what a new program gets, and every refusal.

import ABI
import Processes
import Testing

@testable import SystemCalls

@Suite struct ExecutionTests {
  @Test func `an executed program gets its arguments and keeps its identifier`() throws {
    let kernel = try TestKernel(modules: [("one", TestProgram.image), ("two", TestProgram.image)])
    kernel.store([99], at: TestKernel.data)
    let path = kernel.string("/bin/two", at: TestKernel.data + 0x100)
    let long = String(repeating: "x", count: 5000)
    let arguments = kernel.strings(["zero", long, ""], at: TestKernel.data + 0x1000)
    let environment = kernel.strings(["A=1", "B=2"], at: TestKernel.data + 0x4000)
    #expect(kernel.call(.dup2, 0, 9)?.integer == 9)
    #expect(kernel.call(.fcntl, 9, 2, 1)?.integer == 0)
    kernel.call(.execve, path, arguments, environment)
    #expect(kernel.register(128) == TestProgram.entry)
    #expect(kernel.register(0) == 0)
    #expect(kernel.register(144 + 16) == 1)
    let base = kernel.register(40)
    #expect(kernel.loadWord(base) == 3)
    #expect(kernel.loadString(kernel.loadWord(base + 8)) == "zero")
    #expect(kernel.loadString(kernel.loadWord(base + 16)) == long)
    #expect(kernel.loadString(kernel.loadWord(base + 24)) == "")
    #expect(kernel.loadWord(base + 32) == 0)
    #expect(kernel.loadString(kernel.loadWord(base + 40)) == "A=1")
    #expect(kernel.loadString(kernel.loadWord(base + 48)) == "B=2")
    #expect(kernel.loadWord(base + 56) == 0)
    #expect(kernel.load(TestKernel.data, 1) == [0])
    #expect(kernel.identifier == 1)
    let name = kernel.kernel.processes.process(1).map { process in
      (0..<process.nameByteCount).map { process.name[$0] }
    }
    #expect(name == Array("two".utf8))
    #expect(kernel.call(.fcntl, 9, 1)?.errno == .ebadf)
    #expect(kernel.call(.fcntl, 2, 1)?.integer == 0)
  }

  @Test func `an executed program has no handlers, and ignores what was ignored`() throws {
    let kernel = try TestKernel()
    let action = TestKernel.data + 0x900
    func handler(of signal: Signal) -> UInt64 {
      #expect(kernel.call(.sigaction, UInt64(signal.rawValue), 0, action)?.failed == false)
      return kernel.loadWord(action)
    }
    for (signal, handler) in [(.sigusr1, TestProgram.entry), (.sigusr2, 1)] as [(Signal, UInt64)] {
      kernel.storeWord(handler, at: action)
      for offset in [8, 16, 24] as [UInt64] { kernel.storeWord(0, at: action + offset) }
      #expect(kernel.call(.sigaction, UInt64(signal.rawValue), action, 0)?.failed == false)
    }
    #expect(handler(of: .sigusr1) == TestProgram.entry && handler(of: .sigusr2) == 1)
    kernel.execute()
    #expect(handler(of: .sigusr1) == 0 && handler(of: .sigusr2) == 1)
  }

  @Test func `bad files are refused with ENOEXEC`() throws {
    typealias Change = (inout [UInt8]) -> Void
    let changes: [(String, Change)] = [
      ("text", { $0 = Array("#!/bin/sh\n".utf8) + [UInt8](repeating: 10, count: 100) }),
      ("empty", { $0 = [] }),
      ("short", { $0 = Array($0.prefix(63)) }),
      ("class", { $0[4] = 1 }),
      ("endian", { $0[5] = 2 }),
      ("abi", { $0[7] = 3 }),
      ("machine", { TestProgram.put(UInt16(3), at: 18, in: &$0) }),
      ("object", { TestProgram.put(UInt16(1), at: 16, in: &$0) }),
      ("entrysize", { TestProgram.put(UInt16(57), at: 54, in: &$0) }),
      ("headers", { TestProgram.put(UInt64(8192), at: 32, in: &$0) }),
      ("nosegments", { TestProgram.put(UInt16(0), at: 56, in: &$0) }),
      ("truncated", { $0 = Array($0.prefix(10000)) }),
      (
        "cutheaders",
        {
          TestProgram.put(UInt64(64), at: 64 + 32, in: &$0)
          $0 = Array($0.prefix(64 + 56))
        }
      ),
      ("kernel", { TestProgram.put(UInt64(0xFFFF_8000_0000_0000), at: 64 + 56 + 16, in: &$0) }),
      ("high", { TestProgram.put(UInt64(0x7FFF_0000_0000), at: 64 + 56 + 16, in: &$0) }),
      ("null", { TestProgram.put(UInt64(0), at: 64 + 16, in: &$0) }),
      ("stack", { TestProgram.put(UInt64(0x3FFF_FFFF_0000), at: 64 + 56 + 16, in: &$0) }),
      ("overlap", { TestProgram.put(UInt64(0x40_0800), at: 64 + 56 + 16, in: &$0) }),
      ("huge", { TestProgram.put(UInt64.max, at: 64 + 56 + 40, in: &$0) }),
      ("shrunk", { TestProgram.put(UInt64(16383), at: 64 + 56 + 40, in: &$0) }),
      ("beyond", { TestProgram.put(UInt64.max - 10, at: 64 + 56 + 8, in: &$0) }),
      ("entry", { TestProgram.put(UInt64(0x8000_0000_0000), at: 24, in: &$0) }),
      ("interpreter", { TestProgram.put(UInt32(3), at: 64 + 56, in: &$0) }),
    ]
    var modules = [("good", TestProgram.image)]
    for (name, change) in changes {
      var image = TestProgram.image
      change(&image)
      modules.append((name, image))
    }
    let kernel = try TestKernel(modules: modules)
    let arguments = kernel.strings(["x"], at: TestKernel.data + 0x1000)
    for (name, _) in changes {
      let path = kernel.string("/bin/" + name)
      #expect(kernel.call(.execve, path, arguments, 0)?.errno == .enoexec, "\(name)")
      #expect(throws: Errno.enoexec, "\(name)") { _ = try TestKernel(modules: modules, path: "/bin/" + name) }
    }
  }

  @Test func `errors come in FreeBSD's order`() throws {
    let kernel = try TestKernel()
    let arguments = kernel.strings(["x"], at: TestKernel.data + 0x1000)
    let path = kernel.string("/bin/none")
    #expect(kernel.call(.execve, 8, arguments, 0)?.errno == .efault)
    #expect(kernel.call(.execve, path, arguments, 0)?.errno == .enoent)
    #expect(kernel.call(.execve, path, 8, 0)?.errno == .efault)
    #expect(kernel.call(.execve, path, arguments, 8)?.errno == .efault)
    #expect(kernel.call(.execve, path, 0, 0)?.errno == .efault)
    kernel.storeWord(0x10, at: TestKernel.data + 0x2000)
    #expect(kernel.call(.execve, path, TestKernel.data + 0x2000, 0)?.errno == .efault)
    kernel.storeWord(0, at: TestKernel.data + 0x2000)
    #expect(kernel.call(.execve, path, TestKernel.data + 0x2000, 0)?.errno == .einval)
    #expect(kernel.call(.execve, kernel.string("/dev/null"), arguments, 0)?.errno == .eacces)
    #expect(kernel.call(.execve, kernel.string("/bin/prog/x"), arguments, 0)?.errno == .enotdir)
    kernel.store([UInt8](repeating: 65, count: 2000), at: TestKernel.data + 0x4000)
    #expect(kernel.call(.execve, TestKernel.data + 0x4000, arguments, 0)?.errno == .enametoolong)
  }

  @Test func `too many arguments are refused with E2BIG`() throws {
    let kernel = try TestKernel(frames: 4096)
    let area = try #require(kernel.call(.mmap, 0, 1 << 20, .readWrite, .privateMemory, UInt64(bitPattern: -1))?.value)
    let text = area + 0x8_0000
    kernel.store([UInt8](repeating: 65, count: 60000) + [0], at: text)
    for index in 0..<9 { kernel.storeWord(text, at: area + UInt64(8 * index)) }
    kernel.storeWord(0, at: area + 72)
    #expect(kernel.call(.execve, kernel.string("/bin/prog"), area, 0)?.errno == .e2big)
    kernel.storeWord(0, at: area + 64)
    kernel.call(.execve, kernel.string("/bin/prog"), area, 0)
    #expect(kernel.register(128) == TestProgram.entry)
    #expect(kernel.loadWord(kernel.register(40)) == 8)
  }

  @Test func `process 1 needs a file`() throws {
    #expect(throws: Errno.enoent) { _ = try TestKernel(path: "/bin/none") }
    #expect(throws: Errno.enoent) { _ = try TestKernel(modules: []) }
  }
}
