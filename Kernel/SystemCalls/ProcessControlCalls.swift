// What sysctl(3) tells of processes (kern.proc; spec abi.md section 17): of one what each has one of, or lists of them; and the
// title that a process gives itself.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCall {
  /// What a process has of what each has. For path and arguments −1 is the caller, for the count of descriptors 0, and of a process that has ended there is nothing.
  ///
  /// Throws EPERM for a new value, and for the trampoline of somebody else's process; EINVAL unless exactly one process is
  /// named, ESRCH when there is none.
  func control(
    _ node: SystemControl.Process, of identifier: Int32?, _ room: UInt64
  ) throws(Errno) -> Answer {
    guard arguments.fifth.isNull || node == .arguments else { throw .eperm }
    guard let identifier else { throw .einval }
    if node == .descriptorCount {
      // Of the caller only, who is 0.
      guard identifier == 0 else { throw .einval }
      stage(UInt32(table.count))
      return try giveValue(4, room)
    }
    let isCaller = identifier == -1 && (node == .path || node == .arguments)
    guard let subject = isCaller ? process : kernel.processes.process(identifier) else { throw .esrch }
    switch node {
    case .path:
      guard subject.state == .running, let program = kernel.files.program(at: subject.imageStart) else {
        return try giveValue(0, room)
      }
      return try giveValue(program.stagePath(&thread.frame.value.buffer), room)
    case .trampoline:
      guard subject.state == .running else { throw .esrch }
      guard kernel.processes.maySend(nil, from: process, to: subject) else { throw .eperm }
      zero(SystemCall.trampolineByteCount)
      stage(ABI.UserSpace.signalTrampoline, at: 0)
      stage(ABI.UserSpace.signalTrampoline + ABI.UserSpace.signalTrampolineByteCount, at: 8)
      return try giveValue(SystemCall.trampolineByteCount, room)
    case .arguments: return try controlArguments(of: subject, room)
    case .environment, .auxiliaryVector:
      guard subject.state == .running else { throw .esrch }
      guard kernel.processes.mayInspect(subject, by: process) else { throw .eperm }
      let kind: StringListing.Kind = node == .environment ? .environment : .auxiliaryVector
      return try continueListing(
        PendingListing(.strings(ListedProcess(subject), StringListing(kind)), room: room))
    case .processStrings:
      guard subject.state == .running else { throw .esrch }
      guard kernel.processes.mayInspect(subject, by: process) else { throw .eperm }
      stage(ABI.UserSpace.processStrings)
      return try giveValue(8, room)
    case .systemName:
      return try giveValue(stage(text: "FreeBSD ELF64"), room)
    case .descriptors, .mappings:
      guard subject.state == .running else { throw .esrch }
      guard kernel.processes.mayInspect(subject, by: process) else { throw .eperm }
      let listed = ListedProcess(subject)
      return try continueListing(
        PendingListing(
          node == .mappings
            ? .mappings(listed, MappingListing())
            : .descriptors(listed, next: SystemCall.firstListedFile), room: room))
    case .creationMask:
      guard kernel.processes.mayInspect(subject, by: process) else { throw .eperm }
      stage(subject.creationMask.rawValue)
      return try giveValue(2, room)
    case .release:
      guard kernel.processes.mayInspect(subject, by: process) else { throw .eperm }
      stage(InterfaceLimits.osReleaseDate)
      return try giveValue(4, room)
    default: throw .einval
    }
  }

  /// Processes, each of them or each of their threads.
  ///
  /// Throws EINVAL unless what chooses among them is there, ESRCH for a single one that is not.
  func listProcesses(
    _ node: SystemControl.Process, _ identifier: Int32?, _ tellsThreads: Bool, _ room: UInt64
  ) throws(Errno) -> Answer {
    guard arguments.fifth.isNull else { throw .eperm }
    guard identifier != nil || node == .all || node == .processes else { throw .einval }
    let chosen = identifier ?? 0
    let selection: ProcessSelection
    switch node {
    case .identifier:
      guard let subject = kernel.processes.process(chosen) else { throw .esrch }
      selection = .one(subject.slot)
    case .group: selection = .group(chosen)
    case .session: selection = .session(chosen)
    case .effectiveUser: selection = .user(UInt32(bitPattern: chosen), isReal: false)
    case .realUser: selection = .user(UInt32(bitPattern: chosen), isReal: true)
    case .realGroup: selection = .userGroup(UInt32(bitPattern: chosen), isReal: true)
    case .effectiveGroup: selection = .userGroup(UInt32(bitPattern: chosen), isReal: false)
    default: selection = .all
    }
    return try continueListing(
      PendingListing(.processes(ProcessListing(selection, tellsThreads: tellsThreads)), room: room))
  }

  /// The bytes of a struct kinfo_sigtramp.
  private static var trampolineByteCount: Int { 48 }

  // MARK: Arguments

  /// Tells the arguments of a process, or its title; then sets the title of the caller, if a new one is given. (FreeBSD's
  /// sysctl_kern_proc_args: a title that is too long is refused, one of no bytes leaves the arguments to be read where they lie.)
  ///
  /// Throws EPERM for a new title of another process, ENOMEM for one that is too long, or when the memory of the process does
  /// not have what it says.
  private func controlArguments(of subject: Process, _ room: UInt64) throws(Errno) -> Answer {
    guard arguments.fifth.isNull || subject === process else { throw .eperm }
    let size = subject.title.byteCount
    guard size > 0 else {
      guard subject.state == .running else { return try giveValue(0, room) }
      return try continueListing(
        PendingListing(.strings(ListedProcess(subject), StringListing(.arguments)), room: room))
    }
    for index in 0..<size { buffer[index] = subject.title.bytes[index] }
    guard try putOld(size, room) else { return .restart }
    if !arguments.third.isNull && room < UInt64(size) { return end(room, .enomem) }
    guard try setTitle() else { return .restart }
    return end(UInt64(size))
  }

  /// Sets the caller's title if a new one is given; false when that has to be waited for (`Thread.wanted`).
  func setTitle() throws(Errno) -> Bool {
    let (new, newLength) = (arguments.fifth, arguments.sixth.raw)
    if new.isNull { return true }
    guard newLength <= UInt64(ProcessTitle.capacity) else { throw .enomem }
    let byteCount = Int(newLength)
    guard try fetch(new.range(byteCount)) else { return false }
    process.title.set(thread.frame.value.buffer.span.extracting(0..<byteCount))
    return true
  }
}
