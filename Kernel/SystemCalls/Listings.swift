// Lists that sysctl(3) gives, record after record: names of shared memory (kern.ipc.posix_shm_list; spec shm.md, section 5), what a
// process has open and mapped (kern.proc.filedesc, kern.proc.vmmap), processes (kern.proc.pid and its like).
//
// A listing goes on in bounded steps and holds nothing between them. A record is made and copied out in one event: the program's
// memory is made writable before, and if that has to be waited for, the record is made anew. What finds no room is told as FreeBSD
// does it, each list in its way (`Cut`).

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCall {
  /// Where a listing of descriptors begins: with the program, the current directory, the root.
  static let firstListedFile: Int32 = -3

  /// What becomes of a record for which there is not enough room.
  enum Cut {
    /// Its beginning is stored, and what remains is counted; then ENOMEM.
    case stored
    /// The list ends in front of it, with ENOMEM.
    case fails
    /// The list ends in front of it.
    case ends
  }

  /// Begins or goes on with a list.
  func continueListing(_ pending: PendingListing) throws(Errno) -> Answer {
    var pending = pending
    var budget = SystemCallLimits.recordsPerListStep
    while budget > 0 {
      budget -= 1
      let answer: Answer?
      switch pending.subject {
      case .names(let listing, let isAtName):
        answer = try listName(listing, isAtName: isAtName, &pending, &budget)
      case .descriptors(let listed, let next): answer = try listDescriptor(listed, next, &pending)
      case .mappings(let listed, let listing): answer = try listMapping(listed, listing, &pending, &budget)
      case .processes(let listing): answer = try listProcess(listing, &pending, &budget)
      case .totals(let count): answer = try countTotals(count, &pending, &budget)
      case .strings(let listed, let listing): answer = try listString(listed, listing, &pending, &budget)
      }
      if let answer { return answer }
    }
    return goOnLater(.phase(.listing(pending)))
  }

  // MARK: Lists

  private func listName(
    _ current: NameListing, isAtName: Bool, _ pending: inout PendingListing, _ budget: inout Int
  ) throws(Errno) -> Answer? {
    var listing = current
    if !isAtName {
      let isThere = kernel.files.advance(&listing, &thread.frame.value.buffer, budget: &budget)
      pending.subject = .names(listing, isAtName: isThere == true)
      if isThere == false { return endListing(pending) }
      guard isThere == true else { return nil }
    }
    var information = FileInformation(sharedMemoryMode: listing.mode, size: listing.size)
    let byteCount = FileInformation.byteCount(pathByteCount: listing.pathByteCount)
    information.setByteCount(byteCount)
    if let answer = try put(information.bytes, listing.pathByteCount, byteCount, &pending, .stored) { return answer }
    pending.subject = .names(listing, isAtName: false)
    return nil
  }

  private func listDescriptor(
    _ listed: ListedProcess, _ next: Int32, _ pending: inout PendingListing
  ) throws(Errno) -> Answer? {
    guard let subject = listed.process(kernel.processes), let table = subject.files else { return endListing(pending) }
    var descriptor = next
    var found: (FileInformation, pathByteCount: Int)?
    switch next {
    case -3:
      found = kernel.files.information(ofProgramAt: subject.imageStart, &thread.frame.value.buffer)
    case -2:
      found = kernel.files.informationOfRoot(as: FileInformation.currentDirectory, &thread.frame.value.buffer)
    case -1: found = kernel.files.informationOfRoot(as: FileInformation.rootDirectory, &thread.frame.value.buffer)
    default:
      guard let used = table.lowestUsed(from: Int(next)) else { return endListing(pending) }
      descriptor = Int32(truncatingIfNeeded: used)
      found = try table.information(of: descriptor, &thread.frame.value.buffer)
    }
    if let found {
      var information = found.0
      let pathByteCount = found.pathByteCount
      let byteCount = FileInformation.byteCount(pathByteCount: pathByteCount)
      information.setByteCount(byteCount)
      if let answer = try put(information.bytes, pathByteCount, byteCount, &pending, .fails) { return answer }
    }
    pending.subject = .descriptors(listed, next: descriptor + 1)
    return nil
  }

  private func listMapping(
    _ listed: ListedProcess, _ current: MappingListing, _ pending: inout PendingListing, _ budget: inout Int
  ) throws(Errno) -> Answer? {
    guard let subject = listed.process(kernel.processes), let space = subject.addressSpace else {
      return endListing(pending)
    }
    var listing = current
    let (isComplete, mapping) = space.next(&listing, &budget)
    pending.subject = .mappings(listed, listing)
    guard isComplete else { return nil }
    guard let mapping else { return endListing(pending) }
    var pathByteCount = 0
    var information = mapping.information
    if let object = mapping.object {
      if let status = kernel.files.status(of: object) { information.setNode(.regular, status) }
      pathByteCount = kernel.files.copyPath(of: object, into: &thread.frame.value.buffer)
    }
    let byteCount = MappingInformation.byteCount(pathByteCount: pathByteCount)
    information.setByteCount(byteCount)
    if let answer = try put(information.bytes, pathByteCount, byteCount, &pending, .ends) { return answer }
    space.advance(&listing)
    pending.subject = .mappings(listed, listing)
    return nil
  }

  private func listProcess(
    _ current: ProcessListing, _ pending: inout PendingListing, _ budget: inout Int
  ) throws(Errno) -> Answer? {
    var listing = current
    let (isComplete, information) = kernel.processes.next(&listing, &budget)
    pending.subject = .processes(listing)
    guard isComplete else { return nil }
    guard let information else {
      // Who asks how much there is is told of a few more, which may come before he asks for them.
      if arguments.third.isNull && !listing.isOfOne {
        pending.byteCount += SystemCall.expectedProcessCount * UInt64(ProcessInformation.byteCount)
      }
      return endListing(pending)
    }
    if let answer = try put(information.bytes, 0, ProcessInformation.byteCount, &pending, .stored) { return answer }
    kernel.processes.advance(&listing)
    pending.subject = .processes(listing)
    return nil
  }

  private func countTotals(
    _ current: TotalsCount, _ pending: inout PendingListing, _ budget: inout Int
  ) throws(Errno) -> Answer? {
    var count = current
    var totals = SystemTotals(thread.frame.value.buffer.span)
    let isComplete = kernel.processes.count(&count, into: &totals, &budget)
    totals.encode(into: &thread.frame.value.buffer)
    pending.subject = .totals(count)
    guard isComplete else { return nil }
    let size = SystemTotals.byteCount
    guard try putOld(size, pending.room) else { return wait(on: thread.wanted, then: .phase(.listing(pending))) }
    return pending.room < UInt64(size) ? end(pending.room, .enomem) : end(UInt64(size))
  }

  private static let expectedProcessCount: UInt64 = 5

  /// The list is complete.
  func endListing(_ pending: PendingListing) -> Answer {
    let isCut = !arguments.third.isNull && pending.byteCount > pending.room
    return end(isCut ? pending.room : pending.byteCount, isCut ? .enomem : nil)
  }

  // MARK: Records

  /// Copies what there is room for of a record out, if the caller wants it: the structure, then the path from the front of the
  /// buffer, then zeros. Returns what the call answers where it does not go on to the next.
  ///
  /// Throws EFAULT.
  func put<let count: Int>(
    _ structure: borrowing [count of UInt8], _ pathByteCount: Int, _ byteCount: Int, _ pending: inout PendingListing,
    _ cut: Cut
  ) throws(Errno) -> Answer? {
    if !arguments.third.isNull {
      let room = pending.room > pending.byteCount ? pending.room - pending.byteCount : 0
      if room < UInt64(byteCount) {
        switch cut {
        case .stored: break
        case .fails: return end(pending.byteCount, .enomem)
        case .ends: return end(pending.byteCount)
        }
      }
      let stored = Int(min(UInt64(byteCount), room))
      let start = VirtualAddress(arguments.third.raw &+ pending.byteCount)
      if stored > 0 {
        switch space.makeWritable(at: start, byteCount: stored) {
        case .complete: break
        case .fault, .tooLong: throw .efault
        case .wait(let awaited): return wait(on: awaited, then: .phase(.listing(pending)))
        }
        try copyOut(structure, pathByteCount, at: start, stored)
      }
    }
    pending.byteCount += UInt64(byteCount)
    return nil
  }

  private func copyOut<let count: Int>(
    _ structure: borrowing [count of UInt8], _ pathByteCount: Int, at start: VirtualAddress, _ byteCount: Int
  ) throws(Errno) {
    let headEnd = min(byteCount, count)
    let pathEnd = max(headEnd, min(byteCount, count + pathByteCount))
    var progress = 0
    guard
      try isDone(
        space.copyOut(
          RawSpan(_elements: structure.span).extracting(0..<headEnd), to: start, progress: &progress))
    else { throw .efault }
    progress = 0
    let path = RawSpan(_elements: thread.frame.value.buffer.span).extracting(0..<pathEnd - headEnd)
    guard
      try isDone(space.copyOut(path, to: VirtualAddress(start.raw &+ UInt64(headEnd)), progress: &progress))
    else { throw .efault }
    progress = 0
    guard
      try isDone(
        space.zeroOut(
          to: VirtualAddress(start.raw &+ UInt64(pathEnd)), byteCount: byteCount - pathEnd, progress: &progress))
    else { throw .efault }
  }

  // MARK: F_KINFO

  /// fcntl(2) with F_KINFO: the whole structure with the path in it.
  ///
  /// Throws ECAPMODE in capability mode; EFAULT, EINVAL unless the structure says how large it is; EBADF, ENOTCAPABLE.
  func tellInformation(of descriptor: Descriptor, at place: Argument) throws(Errno) -> Answer {
    if process.isInCapabilityMode { throw .ecapmode }
    guard try fetch(place.range(4)) else { return .restart }
    guard stagedWord(at: 0) == UInt32(FileInformation.wholeByteCount) else { throw .einval }
    _ = try fileReference(descriptor, needing: .fileControl)
    switch space.makeWritable(at: place.address, byteCount: FileInformation.wholeByteCount) {
    case .complete: break
    case .fault, .tooLong: throw .efault
    case .wait(let awaited):
      thread.wanted = awaited
      return .restart
    }
    var (information, pathByteCount) = try table.information(of: descriptor.number, &thread.frame.value.buffer)
    information.setByteCount(FileInformation.wholeByteCount)
    try copyOut(information.bytes, pathByteCount, at: place.address, FileInformation.wholeByteCount)
    return .value(0)
  }
}
