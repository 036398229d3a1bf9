// Threads in tests: thr_new(2) through a structure in the program's memory, and letting one thread or another run.

import ABI
import Memory
import Primitives
import Processes
import Testing

@testable import SystemCalls

extension TestKernel {
  /// Where the structure of thr_new(2) is put.
  static let threadParameters: UInt64 = data + 0xE00
  /// Where the stacks of new threads lie: 4 KiB each.
  static let threadStacks: UInt64 = data + 0x4000

  /// The thread that has the processor.
  var current: Thread? { kernel.inspectedProcesses.current }

  /// A field of `struct thr_param`, by its offset.
  typealias ThreadField = (offset: UInt64, value: UInt64)

  /// thr_new(2) with a stack, and the fields that are given.
  @discardableResult
  func callNewThread(_ fields: ThreadField..., byteCount: UInt64 = 104) -> CallResult? {
    for offset in stride(from: UInt64(0), to: 104, by: 8) { storeWord(0, at: Self.threadParameters + offset) }
    storeWord(0x40_0100, at: Self.threadParameters)
    storeWord(Self.threadStacks, at: Self.threadParameters + 16)
    storeWord(4096, at: Self.threadParameters + 24)
    for field in fields { storeWord(field.value, at: Self.threadParameters + field.offset) }
    return call(.thrNew, Self.threadParameters, byteCount)
  }

  /// Makes a thread of the current process with thr_new(2).
  func newThread() throws -> Thread {
    let maker = context
    #expect(callNewThread((56, Self.threadParameters + 0x80)) == CallResult(value: 0, failed: false))
    #expect(context == maker)
    let identifier = Int32(truncatingIfNeeded: loadWord(Self.threadParameters + 0x80))
    return try #require(kernel.inspectedProcesses.thread(identifier))
  }

  /// Lets the others run until it is the turn of a thread; false when it never is.
  @discardableResult
  func run(_ thread: Thread) -> Bool {
    for _ in 0..<200 where context != thread.record.address {
      if context == nil { return false }
      call(.schedYield)
    }
    return context == thread.record.address
  }

  /// Whether a thread sleeps on a word and nobody has woken it.
  func isAsleep(_ thread: Thread) -> Bool { kernel.inspectedProcesses.isAsleep(thread) }

  /// Makes a call of a thread that then sleeps, and lets somebody else run.
  func sleep(
    _ thread: Thread, _ number: SystemCallNumber, _ arguments: UInt64..., at location: SourceLocation = #_sourceLocation
  ) {
    #expect(run(thread), "the thread does not run", sourceLocation: location)
    perform(UInt64(number.rawValue), arguments)
    #expect(context != thread.record.address, "the thread does not sleep", sourceLocation: location)
  }

  /// What a call of a thread gave that is over.
  func result(of thread: Thread) -> CallResult {
    CallResult(value: thread.context.rax, failed: thread.context.rflags & 1 != 0)
  }

  /// The walk over the whole kernel finds nothing wrong.
  func expectSound(_ location: SourceLocation = #_sourceLocation) {
    guard let violation = kernel.inspect() else { return }
    Issue.record("inspection: \(violation.message) (\(violation.detail))", sourceLocation: location)
  }
}
