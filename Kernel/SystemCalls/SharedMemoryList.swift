// sysctl kern.ipc.posix_shm_list: a packed kinfo_file record for every name of shared memory (spec shm.md, section 5; spec
// abi.md, "kinfo_file").
//
// The listing goes from name to name in bounded steps and holds nothing between them; the path of the name that it is at is
// in the thread's call buffer, where the record's path is copied from. What finds no room is counted, as FreeBSD does: with
// a buffer the call ends with ENOMEM then, without one it tells how much there is.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCall {
  /// Begins or goes on with the list.
  func continueList(_ pending: PendingNameList) throws(Errno) -> Answer {
    var pending = pending
    let old = arguments.third
    var budget = SystemCallLimits.namesPerListStep
    while true {
      if !pending.isAtName {
        switch kernel.files.advance(&pending.listing, &thread.frame.value.buffer, budget: &budget) {
        case .none: return goOnLater(.phase(.nameList(pending)))
        case .some(false):
          let isCut = !old.isNull && pending.byteCount > pending.room
          return end(isCut ? pending.room : pending.byteCount, isCut ? .enomem : nil)
        case .some(true): pending.isAtName = true
        }
      }
      if !old.isNull, let awaited = try copyRecord(&pending, to: old.raw) {
        return wait(on: awaited, then: .phase(.nameList(pending)))
      }
      pending.byteCount += UInt64(FileInformation.byteCount(pathByteCount: pending.listing.pathByteCount))
      pending.isAtName = false
      pending.progress = 0
    }
  }

  /// Copies what there is room for of one record out: first the fixed part, then the path, then zeros up to its end. The
  /// what to wait for, or nil when it is done.
  private func copyRecord(_ pending: inout PendingNameList, to address: UInt64) throws(Errno) -> Wait? {
    let listing = pending.listing
    let size = FileInformation.byteCount(pathByteCount: listing.pathByteCount)
    let count = pending.room > pending.byteCount ? Int(min(UInt64(size), pending.room - pending.byteCount)) : 0
    let start = address &+ pending.byteCount
    let head = FileInformation.sharedMemory(recordByteCount: size, mode: listing.mode, size: listing.size)
    let pathStart = FileInformation.pathOffset
    // Each part has its own share of the progress.
    if pending.progress < min(count, pathStart) {
      var progress = pending.progress
      let outcome = space.copyOut(
        RawSpan(_elements: head.span).extracting(0..<min(count, pathStart)), to: VirtualAddress(start),
        progress: &progress)
      pending.progress = progress
      if let awaited = try wait(of: outcome) { return awaited }
    }
    let pathEnd = min(count, pathStart + listing.pathByteCount)
    if pending.progress < pathEnd {
      var progress = pending.progress - pathStart
      let path = RawSpan(_elements: thread.frame.value.buffer.span).extracting(0..<pathEnd - pathStart)
      let outcome = space.copyOut(path, to: VirtualAddress(start &+ UInt64(pathStart)), progress: &progress)
      pending.progress = pathStart + progress
      if let awaited = try wait(of: outcome) { return awaited }
    }
    if pending.progress < count {
      var progress = pending.progress - pathEnd
      let outcome = space.zeroOut(
        to: VirtualAddress(start &+ UInt64(pathEnd)), byteCount: count - pathEnd, progress: &progress)
      pending.progress = pathEnd + progress
      if let awaited = try wait(of: outcome) { return awaited }
    }
    return nil
  }

  private func wait(of outcome: UserCopyOutcome) throws(Errno) -> Wait? {
    switch outcome {
    case .complete: return nil
    case .fault, .tooLong: throw .efault
    case .wait(let awaited): return awaited
    }
  }
}
