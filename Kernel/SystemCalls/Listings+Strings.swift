// The arguments, the environment and the auxiliary vector of a process, read where they lie (sysctl kern.proc.args, env, auxv).
//
// What is asked for lies in the memory of a process that goes on meanwhile, and may be anything by the time. So it is read piece by
// piece, each inside one page, and nothing is kept between two. A page that has to be brought in comes by itself, whatever
// becomes of the process; when that has ended by then, the listing ends with ESRCH.

import ABI
import Memory
import Primitives
import Processes

extension SystemCall {
  /// Bytes of strings that are told at most, as FreeBSD has it: twice the longest path and ARG_MAX.
  private static var stringLimit: UInt64 { 2 * UInt64(1024 + InterfaceLimits.argumentByteCount) }
  /// Entries of an auxiliary vector at most (PROC_AUXV_MAX).
  private static var auxiliaryLimit: Int { 256 }
  private static var auxiliaryByteCount: Int { 16 }
  /// Bytes of a string that are read at a time.
  private static var pieceByteCount: Int { 256 }
  /// What such a piece takes off the budget of a listing.
  private static var pieceCost: Int { 4 }

  /// Does one step of such a listing.
  ///
  /// Throws ESRCH when the process has ended; ENOMEM when there is nothing where it says that it is, ENOEXEC when what it says
  /// cannot be.
  func listString(
    _ listed: ListedProcess, _ current: StringListing, _ pending: inout PendingListing, _ budget: inout Int
  ) throws(Errno) -> Answer? {
    guard let space = listed.process(kernel.processes)?.addressSpace else { throw .esrch }
    var listing = current
    var answer: Answer?
    switch listing.phase {
    case .place: answer = try findVector(&listing, space, pending)
    case .count(let count): answer = try countEntries(count, &listing, space, pending)
    case .next: answer = try beginString(&listing, space, &pending)
    case .string(let address):
      budget -= SystemCall.pieceCost
      answer = try tellPiece(at: address, isFirst: false, &listing, space, &pending)
    case .end: return try endStrings(pending)
    }
    if answer == nil { pending.subject = .strings(listed, listing) }
    return answer
  }

  // MARK: Steps

  /// Reads where the vector is.
  private func findVector(
    _ listing: inout StringListing, _ space: AddressSpace, _ pending: PendingListing
  ) throws(Errno) -> Answer? {
    let size = ABI.UserSpace.processStringsByteCount
    if let wait = try read(ABI.UserSpace.processStrings, size, space) {
      return self.wait(on: wait, then: .phase(.listing(pending)))
    }
    let isOfArguments = listing.kind == .arguments
    listing.vector = stagedLong(at: isOfArguments ? 0 : 16)
    let count = Int(stagedWord(at: isOfArguments ? 8 : 24))
    guard listing.kind == .auxiliaryVector else {
      guard count <= InterfaceLimits.argumentByteCount else { throw .enoexec }
      listing.left = count
      listing.phase = .next
      return nil
    }
    // It lies behind the pointers of the environment and a null pointer.
    listing.vector &+= 8 * UInt64(count + 1)
    guard listing.vector % 8 == 0 else { throw .enoexec }
    listing.phase = .count(0)
    return nil
  }

  /// Looks at an entry of the auxiliary vector, of which so many are not the last.
  private func countEntries(
    _ count: Int, _ listing: inout StringListing, _ space: AddressSpace, _ pending: PendingListing
  ) throws(Errno) -> Answer? {
    guard count < SystemCall.auxiliaryLimit else { throw .enoexec }
    let size = SystemCall.auxiliaryByteCount
    if let wait = try read(listing.vector &+ UInt64(size * count), size, space) {
      return self.wait(on: wait, then: .phase(.listing(pending)))
    }
    listing.phase = .count(count + 1)
    if stagedLong(at: 0) == AuxiliaryType.end.rawValue {
      listing.left = count + 1
      listing.phase = .next
    }
    return nil
  }

  /// Tells the next entry of an auxiliary vector, or begins with the next string.
  private func beginString(
    _ listing: inout StringListing, _ space: AddressSpace, _ pending: inout PendingListing
  ) throws(Errno) -> Answer? {
    guard listing.left > 0, pending.byteCount < SystemCall.stringLimit else {
      listing.phase = .end
      return nil
    }
    let isOfEntries = listing.kind == .auxiliaryVector
    let size = isOfEntries ? SystemCall.auxiliaryByteCount : 8
    if let wait = try read(listing.vector, size, space) {
      return self.wait(on: wait, then: .phase(.listing(pending)))
    }
    let pointer = stagedLong(at: 0)
    if isOfEntries {
      if let answer = try put([] as [0 of UInt8], size, size, &pending, .stored) { return answer }
    } else if pointer == 0 {
      // The program has taken out what came from here on.
      listing.phase = .end
      return nil
    } else if let answer = try tellPiece(at: pointer, isFirst: true, &listing, space, &pending) {
      return answer
    }
    listing.vector &+= UInt64(size)
    listing.left -= 1
    return nil
  }

  /// Tells a piece of a string, with a NUL behind the last one.
  private func tellPiece(
    at address: UInt64, isFirst: Bool, _ listing: inout StringListing, _ space: AddressSpace,
    _ pending: inout PendingListing
  ) throws(Errno) -> Answer? {
    let size = min(SystemCall.pieceByteCount, Int(Page.byteCount - address & Page.offsetMask))
    var isReadable = true
    do throws(Errno) {
      if let wait = try read(address, size, space) { return self.wait(on: wait, then: .phase(.listing(pending))) }
    } catch {
      // A string ends where the memory does.
      if isFirst { throw error }
      isReadable = false
    }
    var length = 0
    while isReadable, length < size, buffer[length] != 0 { length += 1 }
    var isLast = length < size || !isReadable
    let most = Int(SystemCall.stringLimit - pending.byteCount) - 1
    if length >= most {
      length = most
      isLast = true
    }
    if let answer = try put([] as [0 of UInt8], length, isLast ? length + 1 : length, &pending, .stored) {
      return answer
    }
    listing.phase = isLast ? .next : .string(address &+ UInt64(length))
    return nil
  }

  /// Everything was told. Now a new title is set, if one is given.
  private func endStrings(_ pending: PendingListing) throws(Errno) -> Answer {
    let isCut = !arguments.third.isNull && pending.byteCount > pending.room
    if !isCut {
      guard try setTitle() else { return wait(on: thread.wanted, then: .phase(.listing(pending))) }
    }
    return endListing(pending)
  }

  /// Reads a piece of the memory of a process to the front of the buffer. Returns what has to be waited for, if anything.
  ///
  /// Throws ENOMEM when there is nothing.
  private func read(_ address: UInt64, _ byteCount: Int, _ space: AddressSpace) throws(Errno) -> Wait? {
    var progress = 0
    let range = UserRange(start: VirtualAddress(address), byteCount: byteCount)
    switch space.copyIn(range, into: &thread.frame.value.buffer, &progress) {
    case .complete: return nil
    case .wait(let awaited): return awaited
    case .fault, .tooLong: throw .enomem
    }
  }
}
