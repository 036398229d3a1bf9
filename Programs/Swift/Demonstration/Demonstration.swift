// The demonstration: a shared memory object from shm_open(2) to its end, shared by two processes.

import ABI
import Userland

@main struct Demonstration {
  /// What lies where in the shared object: whose turn it is, a word that the child squares, and the square.
  enum Offset {
    static let turn = 0
    static let question = 8
    static let answer = 16
  }
  enum Turn {
    static let parentAsks: UInt64 = 0
    static let childAnswers: UInt64 = 1
    static let answered: UInt64 = 2
  }

  static let name: StaticString = "/demonstration"
  static let byteCount = 8192

  static func main() {
    do throws(Errno) {
      try share()
    } catch {
      printLine("demonstration: failed with \(error)")
      Processes.exit(1)
    }
    Processes.exit(0)
  }

  static func share() throws(Errno) {
    let parent = Processes.identifier
    let descriptor = try SharedMemory.open(
      name, [.readWrite, .create, .exclusive], mode: [.ownerRead, .ownerWrite])
    try descriptor.truncate(to: Int64(byteCount))
    let status = try descriptor.status()
    let permissions = status.mode.intersection(.accessPermissions)
    printLine(
      "parent \(parent): \(name) is descriptor \(descriptor.rawValue), \(status.size) bytes, mode 0\(permissions)")

    let memory = try Mapping(descriptor, byteCount: byteCount, .init([.read, .write]), .shared)
    printLine("parent \(parent): mapped at \(hexadecimal: memory.address)")

    guard let child = try Processes.fork() else { answer(memory) }
    memory.store(111_111, at: Offset.question)
    memory.store(Turn.childAnswers, at: Offset.turn)
    let end = try Processes.wait(for: child)
    guard end.status == .exited(0), memory.load(at: Offset.turn) == Turn.answered else {
      printLine("demonstration: the child ended with status \(end.status.rawValue)")
      Processes.exit(1)
    }
    let square = memory.load(at: Offset.answer)
    printLine("parent \(parent): child \(child) answered \(square)")
    guard square == 111_111 * 111_111 else { Processes.exit(1) }

    try SharedMemory.unlink(name)
    do throws(Errno) {
      _ = try SharedMemory.open(name, .readWrite)
      printLine("demonstration: the name is still there after shm_unlink")
      Processes.exit(1)
    } catch {
      guard error == .enoent else { throw error }
    }
    try memory.unmap()
    try descriptor.close()
    printLine("parent \(parent): unlinked, unmapped and closed")
  }

  static func answer(_ memory: Mapping) -> Never {
    while memory.load(at: Offset.turn) != Turn.childAnswers { Processes.yield() }
    let question = memory.load(at: Offset.question)
    printLine("child \(Processes.identifier): asked for the square of \(question)")
    memory.store(question * question, at: Offset.answer)
    memory.store(Turn.answered, at: Offset.turn)
    Processes.exit(0)
  }
}
