// The table of system calls: for every number its declaration, and what is to be done before its handler runs.
//
// Invariants, checked when the table is made
// - Every number is declared once.
// - What a call declares, with one object for a fault, is never more than the reserve holds.

import ABI
import Primitives

/// What is to be done before a handler runs.
struct Preparation: OptionSet, BitwiseCopyable {
  let rawValue: UInt8
  /// It may have to wait for memory, or be refused.
  static let admission = Preparation(rawValue: 1)
  /// It makes objects, so the heap must have a reserve.
  static let reserve = Preparation(rawValue: 2)
  /// Something is copied in.
  static let copyIn = Preparation(rawValue: 4)
  /// Its first argument is the number of the call that is meant (`syscall`, `__syscall`).
  static let indirect = Preparation(rawValue: 8)
  /// It names something that everybody shares, which a process in capability mode cannot.
  static let naming = Preparation(rawValue: 16)
}

/// One entry of the table.
struct SystemCallEntry: BitwiseCopyable {
  /// The declaration, which the table keeps alive.
  var declaration: BackReference<SystemCallDeclaration>
  var preparation: Preparation
  /// The place of the declaration in the order of declaring.
  var index: UInt8
  /// The structure that is copied in, if it is of whole words and short.
  var structure = ShortStructure()
}

/// A structure of some words, which is usually copied in without further ado.
struct ShortStructure: BitwiseCopyable {
  /// Its size; 0 for none.
  var wordCount: UInt8 = 0
  /// The argument that names it.
  var argument: UInt8 = 0
  /// Whether that may be the null pointer.
  var isOptional = false

  /// The longest.
  static let longestByteCount = 32

  /// There is none.
  init() {}

  init(_ copyIn: CopyIn) {
    switch copyIn {
    case .structure(let argument, let byteCount): set(argument, byteCount)
    case .optionalStructure(let argument, let byteCount):
      set(argument, byteCount)
      isOptional = true
    case .nothing, .path, .chosen: break
    }
  }

  private mutating func set(_ argument: Int, _ byteCount: Int) {
    guard byteCount % 8 == 0, byteCount <= ShortStructure.longestByteCount else { return }
    wordCount = UInt8(byteCount / 8)
    self.argument = UInt8(argument)
  }
}

/// All entries, by number.
struct SystemCallTable {
  /// Numbers below this can mean something: those of FreeBSD's table.
  static let count = Int(SystemCallNumber.tableEnd)

  /// Every declaration. The first stands for numbers that no call has, the second for calls of FreeBSD that are not here, the
  /// third for indirect calls.
  private(set) var declarations: [SystemCallDeclaration] = []
  /// What stands for numbers that no call has.
  private(set) var unknown: SystemCallEntry
  private var entries: [590 of SystemCallEntry]

  subscript(number: Int) -> SystemCallEntry {
    @inline(__always) get { entries[number] }
  }

  init() {
    let nothing = SystemCallDeclaration(.syscall, "unknown call", []) { call throws(Errno) in throw call.unknownCall() }
    let absent = SystemCallDeclaration(.syscall, "missing call", []) { _ throws(Errno) in throw .enosys }
    let indirect = SystemCallDeclaration(.syscall, "syscall", []) { _ throws(Errno) in throw .enosys }
    declarations = [nothing, absent, indirect]
    unknown = SystemCallEntry(declaration: BackReference(nothing), preparation: [], index: 0)
    let missing = SystemCallEntry(declaration: BackReference(absent), preparation: [], index: 1)
    entries = [590 of SystemCallEntry](repeating: unknown)
    // All calls that FreeBSD has; those that exist here are put over them.
    SystemCallNumber.forEachOfFreeBSD { number in entries[number] = missing }
    let call = SystemCallEntry(declaration: BackReference(indirect), preparation: .indirect, index: 2)
    entries[Int(SystemCallNumber.syscall.rawValue)] = call
    entries[Int(SystemCallNumber.syscallWide.rawValue)] = call
    declareProcessCalls()
    declareThreadCalls()
    declarePriorityCalls()
    declareUserMutexCalls()
    declareIdentityCalls()
    declareFileCalls()
    declareSharedMemoryCalls()
    declareMemoryCalls()
    declareTimeCalls()
    declareSystemCalls()
    declareQueueCalls()
    declarePollCalls()
    declareSocketCalls()
    declareFileSystemCalls()
    declareCapabilityCalls()
  }

  /// Whether a number is that of a call that exists here.
  func exists(_ number: Int) -> Bool { entries[number].index > 1 }

  /// Whether a number means nothing to FreeBSD either.
  func isUnknown(_ number: Int) -> Bool { entries[number].index == unknown.index }

  /// A call is not for processes in capability mode: it gives ECAPMODE.
  mutating func forbidInCapabilityMode(_ number: SystemCallNumber) {
    precondition(exists(Int(number.rawValue)), "no such call")
    entries[Int(number.rawValue)].preparation.insert(.naming)
  }

  /// Whether a call is for processes in capability mode, too.
  func isAllowedInCapabilityMode(_ number: Int) -> Bool { !entries[number].preparation.contains(.naming) }

  /// Declares a call.
  ///
  /// - Parameters:
  ///   - arguments: what its arguments are.
  ///   - copyIn: what is copied in before the handler runs.
  ///   - demand: what it does about memory.
  ///   - givesBack: whether a call that can need memory only gives back this time.
  mutating func declare(
    _ number: SystemCallNumber, _ name: String, _ arguments: ArgumentList, copyIn: CopyIn = .nothing,
    _ demand: MemoryDemand = .none, givesBack: @escaping (borrowing SystemCall) -> Bool = { _ in false },
    _ handler: @escaping SystemCallDeclaration.Handler
  ) {
    let heap = demand.heapBound
    precondition(
      heap.objectCount + HeapLimits.fault.objectCount <= HeapLimits.reservePageCount, "bound beyond the reserve")
    precondition(!exists(Int(number.rawValue)), "call declared twice")
    let declaration = SystemCallDeclaration(
      number, name, arguments, copyIn: copyIn, demand, givesBack: givesBack, handler)
    var preparation: Preparation = []
    switch demand {
    case .none, .asks: break
    case .refuses, .waits: preparation.formUnion(heap.objectCount > 0 ? [.admission, .reserve] : .admission)
    }
    if case .nothing = copyIn {} else { preparation.insert(.copyIn) }
    entries[Int(number.rawValue)] = SystemCallEntry(
      declaration: BackReference(declaration), preparation: preparation, index: UInt8(declarations.count),
      structure: ShortStructure(copyIn))
    declarations.append(declaration)
  }
}
