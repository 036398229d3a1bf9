// A fork(2) under way: what the child will own, copied in bounded steps.
//
// Invariants
// - It counts among `pendingForkCount` and the user's processes, so a place is kept for the child until it exists.
// - What it owns goes to the child when everything is there, and is released otherwise: the record and the space by `deinit`
//   (constant work), the descriptors by steps before it: here after an error, by the end of the process when that is killed.

import ABI
public import Files
public import Memory

/// A fork(2) under way.
public final class PendingFork {
  private enum Phase {
    case memory
    case descriptors
    case undoing(Errno)
  }

  private let system: ProcessSystem
  private var record: Handle<ThreadRecord>
  /// The child's address space.
  public private(set) var space: AddressSpace?
  /// The child's descriptor table, once the address space is complete.
  public private(set) var files: FileTable?
  private let account: UserAccount
  private var position = ForkPosition()
  private var phase = Phase.memory

  /// Whether the child's thread has its record.
  var hasRecord: Bool { !record.isNone }

  init(_ system: ProcessSystem, _ record: Handle<ThreadRecord>, _ space: AddressSpace, _ account: UserAccount) {
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
    if !record.isNone { _ = system.records.take(record, system.memory) }
    space?.retire()
  }

  /// Copies some more; whether everything is there.
  ///
  /// Throws ENOMEM when memory cannot be had or reserved, and everything is undone.
  func step(_ parent: Process, _ budget: inout Int) throws(Errno) -> Bool {
    switch phase {
    case .memory:
      guard let source = parent.addressSpace, let space else { preconditionFailure("fork of a process without memory") }
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
      table = FileTable(source.fileSystem)
      files = table
    }
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

  /// Hands over everything; nil while it is incomplete.
  func complete() -> (record: Handle<ThreadRecord>, space: AddressSpace, files: FileTable)? {
    guard let space, let files else { return nil }
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
