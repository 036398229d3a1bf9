// sysctl kern.proc of arguments, environment and auxiliary vector: what others are told of a program, wherever that lies, and whatever
// the program has made of it (FreeBSD's sysctl_kern_proc_args and its like).

import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import SystemCalls

@Suite struct ProcessControlTests {
  private let number = TestKernel.data + 0x100
  private let length = TestKernel.data + 0x140
  private let new = TestKernel.data + 0x180
  private let place = TestKernel.data + 0x8000

  private static let arguments: UInt32 = 7
  private static let environment: UInt32 = 35
  private static let auxiliaryVector: UInt32 = 36
  private static let processStrings: UInt32 = 38

  /// Asks for a node of a process; a title may be given.
  private func ask(
    _ kernel: TestKernel, _ node: UInt32, _ process: Int, room: Int = 0x8000, title: [UInt8]? = nil,
    isQuery: Bool = false
  ) -> CallResult? {
    kernel.store(TestKernel.words([1, 14, node, UInt32(truncatingIfNeeded: process)]), at: number)
    kernel.storeWord(UInt64(room), at: length)
    if let title { kernel.store(title, at: new) }
    return kernel.call(
      .sysctl, number, 4, isQuery ? 0 : place, length, title == nil ? 0 : new, UInt64(title?.count ?? 0))
  }

  private func told(_ kernel: TestKernel, _ node: UInt32, _ process: Int) -> [UInt8] {
    guard let result = ask(kernel, node, process), !result.failed else { return [] }
    return kernel.load(place, Int(kernel.loadWord(length))) ?? []
  }

  private func bytes(_ strings: [String]) -> [UInt8] { strings.flatMap { Array($0.utf8) + [0] } }

  /// Executes the program with these arguments and this environment.
  private func execute(_ kernel: TestKernel, _ arguments: [String], _ environment: [String]) {
    let path = kernel.string("/bin/prog", at: TestKernel.data)
    let first = kernel.strings(arguments, at: TestKernel.data + 0x2000)
    let second = kernel.strings(environment, at: TestKernel.data + 0x9000)
    kernel.call(.execve, path, first, second)
  }

  private func setVector(_ kernel: TestKernel, at offset: UInt64, _ value: UInt64) {
    kernel.storeWord(value, at: UserSpace.processStrings + offset)
  }

  @Test func `short arguments are told as they were given`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    let given = bytes(["/bin/prog", "a", "b"])
    for who in [-1, 1, child] { #expect(told(kernel, Self.arguments, who) == given) }
    // What the program makes of its memory changes nothing.
    let vector = kernel.loadWord(UserSpace.processStrings)
    kernel.store(Array("xxx".utf8), at: kernel.loadWord(vector))
    kernel.storeWord(0, at: vector + 8)
    #expect(told(kernel, Self.arguments, 1) == given)
    // Unless it is asked to be read.
    #expect(ask(kernel, Self.arguments, 1, title: [])?.integer == 0)
    #expect(told(kernel, Self.arguments, 1) == bytes(["xxxn/prog"]))
    #expect(told(kernel, Self.arguments, child) == given)
    // A short buffer gets what fits, and only the length can be asked for.
    #expect(ask(kernel, Self.arguments, child, room: 3)?.errno == .enomem)
    #expect(kernel.loadWord(length) == 3 && kernel.load(place, 3) == Array("/bi".utf8))
    #expect(ask(kernel, Self.arguments, 1, room: 4)?.errno == .enomem)
    #expect(kernel.loadWord(length) == 4 && kernel.load(place, 4) == Array("xxxn".utf8))
    for who in [child, 1] {
      #expect(ask(kernel, Self.arguments, who, isQuery: true)?.integer == 0)
      #expect(kernel.loadWord(length) == UInt64(who == child ? given.count : 10))
    }
    kernel.run(child)
    kernel.exit()
    // Who has ended is still known by its name.
    kernel.run(1)
    #expect(told(kernel, Self.arguments, child) == given)
    #expect(kernel.wait(child).0 == child)
    #expect(ask(kernel, Self.arguments, child)?.errno == .esrch)
  }

  @Test func `a process gives itself a title, and no other`() throws {
    let kernel = try TestKernel()
    let title = Array("prog: at work\0".utf8)
    #expect(ask(kernel, Self.arguments, 1, title: title)?.integer == 0)
    #expect(told(kernel, Self.arguments, 1) == title)
    // The old one goes out first; where that finds no room the new one is not set.
    #expect(ask(kernel, Self.arguments, -1, room: 2, title: Array("x\0".utf8))?.errno == .enomem)
    #expect(told(kernel, Self.arguments, 1) == title)
    #expect(ask(kernel, Self.arguments, 1, title: [UInt8](repeating: 1, count: 245))?.errno == .enomem)
    #expect(ask(kernel, Self.arguments, 1, title: [UInt8](repeating: 1, count: 244))?.integer == 0)
    #expect(told(kernel, Self.arguments, 1).count == 244)
    let child = kernel.fork()
    #expect(told(kernel, Self.arguments, child).count == 244)
    #expect(ask(kernel, Self.arguments, child, title: title)?.errno == .eperm)
    #expect(ask(kernel, Self.environment, 1, title: title)?.errno == .eperm)
    kernel.run(child)
    kernel.exit()
    // A new program has its arguments.
    kernel.run(1)
    execute(kernel, ["new"], [])
    #expect(told(kernel, Self.arguments, 1) == bytes(["new"]))
    // Bad names.
    kernel.store(TestKernel.words([1, 14, 7, 1, 1]), at: number)
    #expect(kernel.call(.sysctl, number, 3, 0, 0, 0, 0)?.errno == .einval)
    #expect(kernel.call(.sysctl, number, 5, 0, 0, 0, 0)?.errno == .einval)
  }

  @Test func `long arguments and the environment are read where they lie`() throws {
    let kernel = try TestKernel()
    let long = String(repeating: "0123456789abcdef", count: 330)
    let arguments = ["prog", "", long, "end"]
    let environment = (0..<40).map { "VARIABLE_\($0)=" + String(repeating: "v", count: $0 * 7) }
    execute(kernel, arguments, environment)
    #expect(told(kernel, Self.arguments, 1) == bytes(arguments))
    #expect(told(kernel, Self.environment, 1) == bytes(environment))
    #expect(ask(kernel, Self.environment, 1, isQuery: true)?.integer == 0)
    #expect(kernel.loadWord(length) == UInt64(bytes(environment).count))
    // Where the memory ends in the middle of a string, the string ends.
    let first = kernel.loadWord(kernel.loadWord(UserSpace.processStrings))
    let vector = kernel.loadWord(UserSpace.processStrings + 16)
    kernel.storeWord(TestKernel.data + 0x10000 - 5, at: vector)
    kernel.store(Array("abcde".utf8), at: TestKernel.data + 0x10000 - 5)
    kernel.storeWord(first, at: vector + 8)
    kernel.storeWord(0, at: vector + 16)
    #expect(told(kernel, Self.environment, 1) == bytes(["abcde", "prog"]))
  }

  @Test func `the auxiliary vector is told up to its end`() throws {
    let kernel = try TestKernel()
    let vector = told(kernel, Self.auxiliaryVector, 1)
    var entries: [UInt64: UInt64] = [:]
    var types: [UInt64] = []
    for start in stride(from: 0, to: vector.count, by: 16) {
      let words = (0..<2).map { word in
        (0..<8).reduce(UInt64(0)) { $0 | UInt64(vector[start + 8 * word + $1]) << UInt64(8 * $1) }
      }
      types.append(words[0])
      entries[words[0]] = words[1]
    }
    #expect(vector.count == 25 * 16 && types.last == 0 && !types.dropLast().contains(0))
    #expect(entries[AuxiliaryType.pageByteCount.rawValue] == 4096)
    #expect(entries[AuxiliaryType.processStrings.rawValue] == UserSpace.processStrings)
    #expect(ask(kernel, Self.processStrings, 1)?.integer == 0)
    #expect(kernel.loadWord(length) == 8 && kernel.loadWord(place) == UserSpace.processStrings)
    #expect(ask(kernel, Self.auxiliaryVector, 1, room: 20)?.errno == .enomem && kernel.loadWord(length) == 20)
    #expect(ask(kernel, Self.auxiliaryVector, -1)?.errno == .esrch)
  }

  @Test func `what a program says of its memory is not believed`() throws {
    let kernel = try TestKernel()
    let (arguments, environment) = (
      kernel.loadWord(UserSpace.processStrings), kernel.loadWord(UserSpace.processStrings + 16)
    )
    #expect(ask(kernel, Self.arguments, 1, title: [])?.integer == 0)
    // Too many, an address that is none, one that cannot be.
    setVector(kernel, at: 8, 524_289)
    #expect(ask(kernel, Self.arguments, 1)?.errno == .enoexec)
    setVector(kernel, at: 8, 2)
    setVector(kernel, at: 0, 8)
    #expect(ask(kernel, Self.arguments, 1)?.errno == .enomem)
    setVector(kernel, at: 0, UInt64.max - 3)
    #expect(ask(kernel, Self.arguments, 1)?.errno == .enomem)
    setVector(kernel, at: 0, arguments)
    kernel.storeWord(16, at: arguments + 8)
    #expect(ask(kernel, Self.arguments, 1)?.errno == .enomem)
    setVector(kernel, at: 24, 524_289)
    #expect(ask(kernel, Self.environment, 1)?.errno == .enoexec)
    setVector(kernel, at: 24, 0)
    setVector(kernel, at: 16, environment + 4)
    #expect(ask(kernel, Self.auxiliaryVector, 1)?.errno == .enoexec)
    // A vector without an end.
    setVector(kernel, at: 16, TestKernel.data + 0x4000)
    kernel.store([UInt8](repeating: 1, count: 0x3000), at: TestKernel.data + 0x4000)
    #expect(ask(kernel, Self.auxiliaryVector, 1)?.errno == .enoexec)
    setVector(kernel, at: 16, TestKernel.data + 0x10000 - 24)
    kernel.store([UInt8](repeating: 1, count: 24), at: TestKernel.data + 0x10000 - 24)
    #expect(ask(kernel, Self.auxiliaryVector, 1)?.errno == .enomem)
    // Many pointers to one long string: what is told has an end.
    let string = kernel.call(.mmap, 0, 0x8000, .readWrite, .privateMemory, UInt64.max, 0)?.value ?? 0
    kernel.store([UInt8](repeating: 65, count: 0x7FFF), at: string)
    kernel.store((0..<64).flatMap { _ in (0..<8).map { UInt8(truncatingIfNeeded: string >> (8 * $0)) } }, at: place)
    setVector(kernel, at: 16, place)
    setVector(kernel, at: 24, 64)
    #expect(ask(kernel, Self.environment, 1, isQuery: true)?.integer == 0)
    #expect(kernel.loadWord(length) == 2 * (1024 + 524_288))
  }

  @Test func `the memory of another is for its user and the superuser`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    let (_, status) = kernel.wait(child) {
      kernel.call(.setuid, 7)
      for node in [Self.environment, Self.auxiliaryVector, Self.processStrings] {
        #expect(ask(kernel, node, 1)?.errno == .eperm)
        #expect(ask(kernel, node, child)?.failed == false)
      }
      #expect(told(kernel, Self.arguments, 1) == bytes(["/bin/prog", "a", "b"]))
      #expect(ask(kernel, Self.environment, 7777)?.errno == .esrch)
      // In capability mode it gives itself a title, and reads none.
      kernel.call(.capEnter)
      #expect(ask(kernel, Self.arguments, child, title: [65, 0], isQuery: true)?.failed == false)
      #expect(ask(kernel, Self.arguments, child)?.errno == .eperm)
      kernel.exit(3)
    }
    #expect(status == .exited(3))
  }

  // MARK: Paging

  /// A machine on which everything but what runs is in swap.
  private func fillMemory(_ kernel: TestKernel, of process: Int) {
    let pages: UInt64 = 400
    let address = kernel.call(.mmap, 0, pages * 4096, .readWrite, .privateMemory, UInt64.max, 0)?.value ?? 0
    for page in 0..<pages {
      // Others have their turns while it waits.
      while !kernel.store([1], at: address + page * 4096) { kernel.run(process) }
    }
  }

  @Test func `what is in swap is brought in`() throws {
    let kernel = try TestKernel(frames: 256, swapBlocks: 1024)
    let environment = (0..<30).map { "VARIABLE_\($0)=" + String(repeating: "v", count: 300) }
    execute(kernel, ["prog"], environment)
    let child = kernel.fork()
    let before = kernel.hardware.system.counters.swapPagesIn
    let (_, status) = kernel.wait(child) {
      fillMemory(kernel, of: child)
      #expect(told(kernel, Self.environment, 1) == bytes(environment))
      kernel.exit()
    }
    #expect(status == .exited(0))
    #expect(kernel.hardware.system.counters.swapPagesIn > before)
  }

  @Test func `who ends while its memory is brought in is not there any more`() throws {
    let kernel = try TestKernel(frames: 256, swapBlocks: 1024)
    execute(kernel, ["prog"], ["A=B"])
    let subject = kernel.fork()
    let reader = kernel.fork()
    kernel.run(reader)
    fillMemory(kernel, of: reader)
    // From now on the device takes its time. What the call itself needs is there.
    #expect(ask(kernel, 40, reader)?.failed == false)
    kernel.hardware.swap?.behaviour.immediateOneIn = 1_000_000
    let context = kernel.context
    _ = ask(kernel, Self.environment, subject)
    #expect(kernel.context != context)
    kernel.run(subject)
    kernel.exit()
    for _ in 0..<100 where kernel.context != context {
      kernel.hardware.clock.advance(by: 10_000_000)
      _ = kernel.hardware.deliverTransfers()
      kernel.tick()
      if kernel.context != nil && kernel.context != context { kernel.call(.schedYield) }
    }
    #expect(kernel.context == context && kernel.result.errno == .esrch)
    kernel.exit()
    kernel.run(1)
    for child in [subject, reader] { #expect(kernel.wait(child).0 == child) }
  }
}
