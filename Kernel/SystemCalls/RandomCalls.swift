// getrandom(2), and the random bytes of kern.arandom. Both come from the generator (Primitives/RandomGenerator.swift), piece by
// piece through the thread's buffer, in which nothing of them stays.

import ABI
import Memory
import Primitives
import Processes

/// The flags of getrandom(2). None makes a difference: the generator is seeded before there are programs, so nobody waits.
private enum RandomFlags {
  /// GRND_NONBLOCK, GRND_RANDOM and GRND_INSECURE.
  static let all: UInt32 = 7
}

extension SystemCallTable {
  mutating func declareRandomCalls() {
    declare(.getrandom, "getrandom", [.pointer, .size, .bits]) { call throws(Errno) in try call.random() }
  }
}

extension SystemCall {
  /// getrandom(2): fills the whole buffer. EINVAL for unknown flags, and for a length above SSIZE_MAX.
  fileprivate func random() throws(Errno) -> Answer {
    let byteCount = arguments.second.raw
    guard arguments.third.word & ~RandomFlags.all == 0, byteCount <= UInt64(Int64.max) else { throw .einval }
    // What a program wants that seeds a generator of its own.
    if byteCount == 8 && store(kernel.services.randomWord(), (), at: arguments.first.address) { return .value(8) }
    return try continueRandom(PendingRandom())
  }

  /// Hands out what remains, in bounded steps.
  func continueRandom(_ pending: PendingRandom) throws(Errno) -> Answer {
    var pending = pending
    let wanted = arguments.second.raw
    for _ in 0..<SystemCallLimits.randomPiecesPerStep {
      if pending.pieceByteCount == 0 {
        guard pending.moved < wanted else { return .value(pending.moved) }
        pending.pieceByteCount = stageRandom(wanted - pending.moved)
      }
      let (address, overflow) = arguments.first.raw.addingReportingOverflow(pending.moved)
      guard !overflow else { throw .efault }
      let piece = RawSpan(_elements: thread.frame.value.buffer.span).extracting(0..<pending.pieceByteCount)
      switch space.copyOut(piece, to: VirtualAddress(address), progress: &pending.progress) {
      case .complete: break
      case .fault, .tooLong: throw .efault
      case .wait(let awaited): return wait(on: awaited, then: .phase(.random(pending)))
      }
      zero(pending.pieceByteCount)
      pending.moved += UInt64(pending.pieceByteCount)
      pending.pieceByteCount = 0
      pending.progress = 0
    }
    return pending.moved < wanted ? goOnLater(.phase(.random(pending))) : .value(pending.moved)
  }

  /// Puts as many random bytes into the buffer as are wanted and fit; how many.
  func stageRandom(_ byteCount: UInt64, limit: Int = ProcessLimits.callBufferByteCount) -> Int {
    let count = Int(min(byteCount, UInt64(limit)))
    for offset in stride(from: 0, to: count, by: 8) { stage(kernel.services.randomWord(), at: offset) }
    return count
  }
}
