// The reference model: what the specification says a program sees, kept in dictionaries and byte arrays.
//
// The kernel goes first; then the model is told what it gave, checks it, and takes over what the specification leaves to
// the kernel (addresses chosen by mmap, process identifiers, inode numbers).
import ABI

/// A difference between the kernel and the model.
public struct Difference: Error, CustomStringConvertible {
  /// What differs.
  public let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// All processes, names and objects of one simulated system, as they ought to be.
public final class ReferenceModel {
  var processes: [Int: ModelProcess] = [:]
  var names: [String: ModelObject] = [:]
  /// What mappings of the files of /bin show, by content.
  var programObjects: [[UInt8]: ModelObject] = [:]
  /// st_dev of all objects, once seen, and the objects whose numbers were seen; an object is never forgotten here, because a
  /// number is never used again.
  var objectDevice: UInt64?
  var inodes: [UInt64: ModelObject] = [:]
  /// The names that sockets are bound to, or were.
  var socketNames: [String: ModelSocketName] = [:]
  /// st_dev of all pipes, once seen.
  var pipeDevice: UInt64?
  /// What fstat(2) told of devices and files of /bin.
  var fileIdentities: [String: ModelFileIdentity] = [:]
  /// When the operation being checked took effect, at the earliest and at the latest (nanoseconds since 1970).
  var now = ModelInstant(earliest: 0, latest: 0)
  /// What the kernel left in the buffers of the call, as read back by the driver.
  var outputs: [CallOutput] = []
  /// What came out of the console during the step.
  var consoleOutput: [UInt8] = []
  /// Bytes that were written to the console and have not come out.
  var consoleWritten: [UInt8] = []
  /// Bytes that arrived on the console and were not read yet.
  var consoleInput: [UInt8] = []
  /// Pointers of the call that point elsewhere.
  var places: [CallPointer: UInt64] = [:]
  /// The kernel's number of every process that ever was.
  var identifiers: [Int: Int32] = [:]
  /// Whether a call that does not exist raises SIGSYS (kern.signosys).
  var unknownCallsRaiseSignal = true
  /// vm.overcommit
  var overcommit: UInt32 = 0
  /// Frames that are free or can be made so, the reserve left out, before and after the operation; only looked at where
  /// `vm.overcommit` counts them.
  var pageableFrameCounts: ClosedRange<UInt64> = 0...UInt64.max
  /// What the machine knows of itself before and after the operation.
  var figures = (before: MachineFigures(), after: MachineFigures())
  /// What the kernel has let go of although the model still counts it (`hasOrphanedObject`), after the step before.
  var letGo = SwapReservation()
  /// Reservations that vm.overcommit refused, as it had to.
  var refusalCount = 0
  /// What the operation gave.
  var observed = Observation.ended
  /// Who makes the call that is looked at.
  var acting: ModelProcess?
  /// How often a thread fell asleep on a word.
  var sleepCount = 0
  let facts: SystemFacts
  /// Which swap devices are in use.
  var swapIsInUse: [Bool]
  /// Owners of the devices, by their names.
  var devices = [
    "console": ModelOwnership(), "null": ModelOwnership(), "zero": ModelOwnership(), "full": ModelOwnership(),
    "random": ModelOwnership(mode: 0o644),
  ]
  /// kern.maxfiles
  var maximumFileCount: Int

  /// A system with process 1 only, its console on 0, 1 and 2, and its memory as the loader left it.
  init(first: ModelProcess, facts: SystemFacts) {
    self.facts = facts
    swapIsInUse = facts.swapPageCounts.map { _ in true }
    maximumFileCount = facts.maximumFileCount
    processes[0] = first
    identifiers[0] = first.identifier
    first.limits = Self.initialLimits(facts)
    for number in 0...2 {
      let console = ModelFile(kind: .console, isReadable: true, isWritable: true)
      first.descriptors[Int32(number)] = ModelDescriptor(file: console, closesOnExec: false)
    }
  }

  /// The processes that have not ended.
  var running: [ModelProcess] {
    processes.values.filter { $0.state == .running }.sorted { $0.number < $1.number }
  }

  /// The threads that are blocked, of processes in the order of their numbers.
  var blockedThreads: [(ModelProcess, ModelThread)] {
    running.flatMap { process in process.threads.filter { $0.blocked != nil }.map { (process, $0) } }
  }

  /// The processes that can take a step.
  var runnable: [ModelProcess] { running.filter(\.isRunnable) }

  /// Checks what process `number` got from `operation` and takes over its effects.
  func apply(_ operation: Operation, by number: Int, _ observed: Observation) throws(Difference) {
    guard let process = processes[number] else { throw Difference("no process \(number) in the model") }
    places = [:]
    self.observed = observed
    acting = process
    defer { acting = nil }
    let thread = process.thread
    let hasOthers = process.threads.count > 1
    let expected = try expectation(operation, process, observed)
    places = [:]
    switch (expected, observed) {
    case (.anything, _): return
    case (.value(let wanted), .value(let got)) where wanted == got: return
    case (.error(let wanted), .error(let got)) where wanted.rawValue == got: return
    case (.bytes(let wanted), .bytes(let got)):
      if let at = wanted.indices.first(where: { $0 >= got.count || wanted[$0] != got[$0] }) {
        throw Difference("byte \(at) is \(at < got.count ? String(got[at]) : "missing"), expected \(wanted[at])")
      }
    case (.ended, .ended): return
    case (.handled, .handled): return
    // Another thread ends the process in its own turn, when the call may have returned.
    case (.ended, .value(0)) where hasOthers && process.state != .running: return
    case (.blocked, .blocked):
      // What sigreturn(2) went on with, or the call itself.
      thread.blocked = thread.resumed ?? operation
      thread.resumed = nil
    default: throw Difference("got \(observed), expected \(expected)")
    }
  }

  /// Checks what a call gave that a thread had been blocked in.
  func complete(_ process: ModelProcess, _ observed: Observation) throws(Difference) {
    let thread = process.thread
    guard let operation = thread.blocked else { throw Difference("process \(process.number) was not blocked") }
    if try isInterrupted(process, thread, operation, observed) { return }
    thread.blocked = nil
    if operation.call is KillCall || operation.call is QueueSignalCall || operation.call is ThreadSignalCall {
      // It had stopped itself, and goes on now.
      if observed != .value(0) { throw Difference("got \(observed), expected 0") }
      return
    }
    if operation.call is SignalMaskCall {
      // The same; where the old mask was to go may be nowhere.
      if observed != .value(0) && observed != .error(Errno.efault.rawValue) {
        throw Difference("got \(observed), expected 0")
      }
      return
    }
    try apply(operation, by: process.number, observed)
  }

  func expectation(
    _ operation: Operation, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    switch operation {
    case .through(_, let inner): return try expectation(inner, process, observed)
    case .misplaced(let pointer, let address, let inner):
      places[pointer] = address
      return try expectation(inner, process, observed)
    case .systemCall(let made): return try made.call.answer(self, process, observed)
    case .load(let address, let byteCount):
      return memoryAccess(process, address, byteCount, write: false) { .bytes(process.load(address, byteCount)) }
    case .store(let address, let byteCount, let pattern):
      return memoryAccess(process, address, byteCount, write: true) {
        process.store(Operation.patternBytes(pattern, count: byteCount), at: address)
        return .value(0)
      }
    case .fetch(let address): return fetch(process, address)
    case .evict: return .anything
    case .type(let text):
      consoleInput += Array(text.utf8)
      return .value(0)
    }
  }

  // MARK: Memory of the caller

  /// Where a pointer of the call points.
  func place(_ pointer: CallPointer) -> UInt64 { places[pointer] ?? Program.place(pointer) }

  /// Whether the kernel can read, or write, so many bytes there.
  func reaches(_ process: ModelProcess, _ pointer: CallPointer, _ byteCount: Int, write: Bool) -> Bool {
    places[pointer] == nil || process.access(place(pointer), byteCount, write: write) == .fine
  }

  /// What the kernel left there; throws when it is shorter than it should be.
  func output(_ pointer: CallPointer, _ byteCount: Int) throws(Difference) -> [UInt8] {
    guard let output = outputs.first(where: { $0.pointer == pointer }), output.bytes.count >= byteCount else {
      throw Difference("the call left nothing behind")
    }
    return output.bytes
  }

  /// Compares a field of what the kernel left behind.
  func check(_ name: String, _ bytes: [UInt8], _ offset: Int, _ byteCount: Int, _ wanted: UInt64) throws(Difference) {
    let got = littleEndian(bytes, offset, byteCount: byteCount)
    if got != wanted { throw Difference("\(name) is \(got), expected \(wanted)") }
  }

  private func fetch(_ process: ModelProcess, _ address: UInt64) -> Expectation {
    switch process.fetch(address) {
    case .fine:
      // It leaves the marks of a load.
      _ = process.load(address, 1)
      return .value(0)
    case .signal(let signal, let code): return fault(process, signal, code, address, error: 16)
    case .open: return .anything
    }
  }

  private func memoryAccess(
    _ process: ModelProcess, _ address: UInt64, _ byteCount: Int, write: Bool, _ effect: () -> Expectation
  ) -> Expectation {
    switch process.access(address, byteCount, write: write) {
    case .fine: return effect()
    case .signal(let signal, let code): return fault(process, signal, code, address, error: write ? 2 : 0)
    case .open: return .anything
    }
  }
}

/// What the specification allows an operation to give.
enum Expectation {
  case value(UInt64)
  case error(Errno)
  case bytes([UInt8])
  case ended
  /// A handler begins in its place.
  case handled
  /// The call waits.
  case blocked
  /// Checked already.
  case anything
}

/// The 64-bit word at an offset of encoded bytes.
func littleEndian(_ bytes: [UInt8], _ offset: Int, byteCount: Int = 8) -> UInt64 {
  var value: UInt64 = 0
  for index in (0..<byteCount).reversed() where offset + index < bytes.count {
    value = value << 8 | UInt64(bytes[offset + index])
  }
  return value
}
