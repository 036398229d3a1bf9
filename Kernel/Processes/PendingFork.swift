// A fork(2) under way: what the child will own, copied in bounded steps.
//
// Invariants
// - It counts among `pendingForkCount` and the user's processes, so a place is kept for the child until it exists.
// - What it owns goes to the child when everything is there, and is released otherwise: the record and the space by `deinit`
//   (constant work), the descriptors by steps before it: here after an error, by the end of the process when that is killed.

public import ABI
public import Files
public import Memory

/// What a child gets that is not a copy, and what its parent does (rfork(2)).
public struct ForkOptions: Equatable, BitwiseCopyable, Sendable {
  /// The child runs in the parent's memory; `suspendsParent` goes with it.
  public var lendsMemory = false
  /// The parent waits until the child executes a program or ends.
  public var suspendsParent = false
  /// The child's descriptor table is empty.
  public var clearsDescriptors = false
  /// The child is process 1's.
  public var isForgotten = false
  /// What tells the parent of the child's end.
  public var endSignal = Signal.sigchld

  /// fork(2)
  public init() {}

  /// vfork(2)
  public static var virtual: ForkOptions {
    var options = ForkOptions()
    options.lendsMemory = true
    options.suspendsParent = true
    return options
  }
}

/// A fork(2) under way.
public final class PendingFork {
  private enum Phase {
    case memory
    case descriptors
    case undoing(Errno)
  }

  private let system: ProcessSystem
  private var record: Handle<ThreadRecord>
  /// What the child gets.
  public let options: ForkOptions
  /// The child's address space; nil when it is to have the parent's.
  public private(set) var space: AddressSpace?
  /// The child's descriptor table, once the address space is complete.
  public private(set) var files: FileTable?
  private let account: UserAccount
  private var position = ForkPosition()
  private var phase = Phase.memory

  /// Whether the child's thread has its record.
  var hasRecord: Bool { !record.isNone }

  init(
    _ system: ProcessSystem, _ record: Handle<ThreadRecord>, _ space: AddressSpace?, _ account: UserAccount,
    _ options: ForkOptions
  ) {
    self.options = options
    self.system = system
    self.record = record
    self.space = space
    self.account = account
    system.pendingForkCount += 1
    account.processCount += 1
  }

  deinit {
    system.pendingForkCount -= 1
    account.processCount -= 1
    if !record.isNone { system.records.release(record, system.memory) }
    space?.retire()
  }

  /// Copies some more; whether everything is there.
  ///
  /// Throws ENOMEM when memory cannot be had or reserved, and everything is undone.
  func step(_ parent: Process, _ budget: inout Int) throws(Errno) -> Bool {
    switch phase {
    case .memory:
      guard let source = parent.addressSpace else { preconditionFailure("fork of a process without memory") }
      guard let space else {
        phase = .descriptors
        return try copyDescriptors(parent, &budget)
      }
      guard try source.copy(into: space, from: &position, &budget) else { return false }
      space.program = source.program
      phase = .descriptors
      return try copyDescriptors(parent, &budget)
    case .descriptors: return try copyDescriptors(parent, &budget)
    case .undoing(let error): return try undo(error, &budget)
    }
  }

  private func copyDescriptors(_ parent: Process, _ budget: inout Int) throws(Errno) -> Bool {
    guard let source = parent.files else { preconditionFailure("fork of a process without descriptors") }
    let table: FileTable
    if let files {
      table = files
    } else {
      table = FileTable(source.fileServices)
      table.account = account
      files = table
    }
    if options.clearsDescriptors { return true }
    do throws(Errno) {
      return try table.copy(from: source, budget: &budget)
    } catch {
      phase = .undoing(error)
      return try undo(error, &budget)
    }
  }

  private func undo(_ error: Errno, _ budget: inout Int) throws(Errno) -> Bool {
    if let files, !files.closeAll(budget: &budget) { return false }
    files = nil
    throw error
  }

  /// Hands over everything; nil while it is incomplete. The address space is nil when it is to be the parent's.
  func complete() -> (record: Handle<ThreadRecord>, space: AddressSpace?, files: FileTable)? {
    guard let files else { return nil }
    let result = (record, space, files)
    record = .none
    self.space = nil
    self.files = nil
    return result
  }

  /// Hands over the descriptors, because the process is killed: its end closes them in steps.
  func takeFiles() -> FileTable? {
    let table = files
    files = nil
    return table
  }
}
