// Registering changes (spec kqueue.md section 5) and asking filters (section 7). What is told of them is in
// EventQueue+Collect.swift.

public import ABI
import Memory
import Primitives

/// What is known of the process that a change is about (EVFILT_PROC).
public enum WatchedProcess: BitwiseCopyable {
  /// There is none, or the change is about something else.
  case none
  /// It lives.
  case living
  /// It has ended, with this status.
  case ended(status: Int32)
}

extension EventQueue {
  /// Registers one change; afterwards its other fields are as kevent(2) would tell them. `table` is the caller's, and `thread`
  /// identifies it.
  ///
  /// Throws EINVAL, EBADF, ENOENT, ESRCH, ENOMEM, EPERM, ENXIO, ENODEV, EPIPE as the filter says.
  public func register(
    _ change: inout KernelEvent, _ table: FileTable, _ process: WatchedProcess, thread: Int32
  ) throws(Errno) {
    guard !change.flags.isSuperset(of: [.enable, .disable]), change.filter.isKnown,
      isMulti || !change.flags.isSuperset(of: [.add, .keepUserData])
    else { throw .einval }
    var file: OpenFile?
    if change.filter.isOfDescriptor {
      guard let descriptor = Int32(exactly: change.identifier) else { throw .ebadf }
      let found = try table.file(at: descriptor, needing: .event)
      guard BackReference(found).rawAddress != self.file.rawAddress else { throw .einval }
      file = found
    }
    var handle = find(change.identifier, change.filter)
    if handle.isNone {
      guard change.flags.contains(.add) else { throw .enoent }
      if change.flags.contains(.delete) {
        // FreeBSD makes the note and deletes it: attaching may refuse.
        try checkAttach(&change, file, process)
        return
      }
      handle = try make(&change, file, process, thread)
    } else if change.flags.contains(.delete) {
      delete(handle)
      return
    } else {
      update(handle, change)
    }
    if !watch.notes[handle].isDisabled && (fires(handle) || watch.notes[handle].isActive) { activate(handle) }
    watch.tellOuterQueues()
  }

  // MARK: New notes

  private func checkAttach(
    _ change: inout KernelEvent, _ file: OpenFile?, _ process: WatchedProcess
  ) throws(Errno) {
    change.flags.subtract([.add, .delete, .enable, .disable, .forceOneShot])
    switch change.filter {
    case .asynchronous, .list: throw .eperm
    case .sendfile: throw .enxio
    case .process:
      switch process {
      case .none: throw .esrch
      case .living: break
      case .ended: guard change.filterFlags & EventNotes.exit != 0 else { throw .esrch }
      }
      change.flags.insert(.clear)
    case .signal: change.flags.insert(.clear)
    case .timer:
      let isAbsolute = change.filterFlags & EventNotes.absoluteTime != 0
      _ = try timerRequest(change)
      if !isAbsolute { change.flags.insert(.clear) }
    default: try file?.attach(change.filter)
    }
  }

  private func make(
    _ change: inout KernelEvent, _ file: OpenFile?, _ process: WatchedProcess, _ thread: Int32
  ) throws(Errno) -> Handle<EventNote> {
    let isDisabled = change.flags.contains(.disable)
    let (wantedFlags, wantedData) = (change.filterFlags, change.data)
    try checkAttach(&change, file, process)
    let timer = change.filter == .timer ? try timerRequest(change) : nil
    change.filterFlags = 0
    change.data = 0
    var note = EventNote(
      event: change, wantedFlags: wantedFlags, wantedData: wantedData, queue: BackReference(self))
    note.isDisabled = isDisabled
    if isMulti && change.flags.contains(.affinity) {
      note.affinity = watch.workers[try makeWorker(of: thread)].number
      note.affineThread = thread
    }
    if let file { note.file.fill(file) }
    if change.filter == .process, case .ended(let status) = process {
      note.event.flags.formUnion([.end, .oneShot])
      note.event.filterFlags = EventNotes.exit
      note.event.data = Int64(status)
    }
    do throws(Errno) {
      let handle = try insert(note)
      if let timer { begin(handle, timer) }
      return handle
    } catch {
      _ = note.file.take()
      throw error
    }
  }

  // MARK: Notes that exist

  private func update(_ handle: Handle<EventNote>, _ change: KernelEvent) {
    if change.flags.contains(.forceOneShot) {
      watch.notes[handle].event.flags.insert(.oneShot)
      activate(handle)
    }
    if change.flags.contains(.enable) { watch.notes[handle].isDisabled = false }
    if change.flags.contains(.disable) { watch.notes[handle].isDisabled = true }
    if !change.flags.contains(.keepUserData) || (isMulti && change.flags.contains(.add)) {
      watch.notes[handle].event.userData = change.userData
    }
    switch change.filter {
    case .user: updateUser(handle, change)
    case .timer: if change.flags.contains(.add) { restartTimer(handle, change) }
    default:
      watch.notes[handle].wantedFlags = change.filterFlags
      watch.notes[handle].wantedData = change.data
    }
  }

  private func updateUser(_ handle: Handle<EventNote>, _ change: KernelEvent) {
    if change.filterFlags & EventNotes.trigger != 0 { watch.notes[handle].isTriggered = true }
    let operand = change.filterFlags & EventNotes.userFlags
    switch change.filterFlags & EventNotes.userControl {
    case EventNotes.userAnd: watch.notes[handle].wantedFlags &= operand
    case EventNotes.userOr: watch.notes[handle].wantedFlags |= operand
    case EventNotes.userCopy: watch.notes[handle].wantedFlags = operand
    default: break
    }
    watch.notes[handle].wantedData = change.data
    if change.flags.contains(.clear) { watch.notes[handle].isTriggered = false }
  }

  // MARK: Filters

  /// Asks the filter of a note whether it fires now.
  func evaluate(_ handle: Handle<EventNote>) {
    if fires(handle) { activate(handle) }
  }

  /// Whether the filter of a note fires; what it says is in the note then.
  func fires(_ handle: Handle<EventNote>) -> Bool {
    switch watch.notes[handle].event.filter {
    case .user: return watch.notes[handle].isTriggered
    case .signal: return watch.notes[handle].event.data != 0
    case .process: return watch.notes[handle].event.filterFlags != 0
    case .timer: return advanceTimer(handle, now: watch.memory.services.nanoseconds)
    case .fileSystems: return false
    default: break
    }
    let filter = watch.notes[handle].event.filter
    let hasLowWater = watch.notes[handle].wantedFlags & EventNotes.lowWater != 0
    let lowWater = hasLowWater ? watch.notes[handle].wantedData : nil
    var readiness = watch.notes[handle].file.borrowed.borrow { $0.readiness(filter, lowWater: lowWater) }
    if watch.notes[handle].wantedFlags & EventNotes.alwaysReady != 0 && readiness.isRegular { readiness.isReady = true }
    watch.notes[handle].event.data = readiness.data
    if readiness.isEnd {
      watch.notes[handle].event.flags.insert(.end)
    } else {
      watch.notes[handle].event.flags.remove(.end)
    }
    watch.notes[handle].event.filterFlags = readiness.flags
    return readiness.isReady
  }

  // MARK: Children of processes that are tracked

  /// Watches the child of a process that a note tracks: one note tells of it at once, another has the same interest. Whether
  /// both could be made.
  func track(_ child: Int32, like handle: Handle<EventNote>) -> Bool {
    if isClosed { return true }
    let original = watch.notes[handle]
    var event = original.event
    event.identifier = UInt64(UInt32(bitPattern: child))
    event.flags.subtract([.end, .oneShot])
    event.filterFlags = EventNotes.child
    event.data = Int64(truncatingIfNeeded: original.event.identifier)
    var first = EventNote(event: event, wantedFlags: 0, wantedData: 0, queue: BackReference(self))
    first.event.flags.insert(.oneShot)
    event.filterFlags = 0
    event.data = 0
    var second = EventNote(event: event, wantedFlags: original.wantedFlags, wantedData: 0, queue: BackReference(self))
    first.affinity = original.affinity
    first.affineThread = original.affineThread
    second.affinity = original.affinity
    second.affineThread = original.affineThread
    do throws(Errno) {
      activate(try insert(first))
      _ = try insert(second)
      return true
    } catch {
      return false
    }
  }
}
