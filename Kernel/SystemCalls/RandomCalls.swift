// getrandom(2), and the random bytes of kern.arandom. Both come from the generator (Memory/RandomGenerator.swift), piece by
// piece through the thread's buffer, in which nothing of them stays.

import ABI
import Memory
import Processes

/// The flags of getrandom(2). None makes a difference: the generator is seeded before there are programs, so nobody waits.
private enum RandomFlags {
  /// GRND_NONBLOCK, GRND_RANDOM and GRND_INSECURE.
  static let all: UInt32 = 7
}

extension Kernel {
  /// getrandom(2): fills the whole buffer. EINVAL for unknown flags, and for a length above SSIZE_MAX.
  func random(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    guard areRandomFlags(arguments.third), arguments.second <= UInt64(Int64.max) else { throw .einval }
    return try continueRandom(PendingRandom(), arguments, thread, process)
  }

  @inline(__always)
  func areRandomFlags(_ argument: UInt64) -> Bool { UInt32(truncatingIfNeeded: argument) & ~RandomFlags.all == 0 }

  /// Hands out what remains, in bounded steps.
  func continueRandom(
    _ pending: PendingRandom, _ arguments: Arguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    var pending = pending
    for _ in 0..<SystemCallLimits.randomPiecesPerStep {
      if pending.pieceByteCount == 0 {
        guard pending.moved < arguments.second else { return .value(pending.moved) }
        pending.pieceByteCount = stageRandom(arguments.second - pending.moved, thread)
      }
      let (address, overflow) = arguments.first.addingReportingOverflow(pending.moved)
      guard !overflow else { throw .efault }
      switch space(process).copyOut(
        &thread.frame.value.buffer, count: pending.pieceByteCount, to: address, &pending.progress)
      {
      case .complete: break
      case .fault, .tooLong: throw .efault
      case .wait(let channel): return park(thread, .random(pending), on: channel)
      }
      zero(&thread.frame.value.buffer, pending.pieceByteCount)
      pending.moved += UInt64(pending.pieceByteCount)
      pending.pieceByteCount = 0
      pending.progress = 0
    }
    return pending.moved < arguments.second ? cut(thread, .random(pending)) : .value(pending.moved)
  }

  /// Puts as many random bytes into the thread's buffer as are wanted and fit; how many.
  func stageRandom(_ byteCount: UInt64, limit: Int = ProcessLimits.callBufferByteCount, _ thread: Thread) -> Int {
    let count = Int(min(byteCount, UInt64(limit)))
    for offset in stride(from: 0, to: count, by: 8) {
      stage(memory.randomWord(), at: offset, &thread.frame.value.buffer)
    }
    return count
  }
}
