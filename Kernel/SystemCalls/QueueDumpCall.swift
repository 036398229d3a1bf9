// FKQMPRNT: the state of a queue as text (spec kqueue.md section 10). It passes through the thread's buffer, piece by piece.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCall {
  /// Pieces that a step copies before others have a turn.
  private static let dumpPiecesPerTurn = 16

  /// Begins to tell the state of a queue; where it goes was copied in.
  func dump(_ file: EventQueueFile) -> Answer {
    thread.frame.value.dump = QueueDump(to: stagedLong(at: 0))
    return goOnDumping(file)
  }

  /// Goes on with that. A place that cannot be written to ends it; that is no error.
  func goOnDumping(_ file: EventQueueFile) -> Answer {
    var dump = thread.frame.value.dump
    for _ in 0..<SystemCall.dumpPiecesPerTurn {
      if dump.stagedCount == 0 {
        guard let line = dump.next(file.queue) else { return .value(0) }
        dump.stagedCount = line.span.count
        for index in 0..<dump.stagedCount { thread.frame.value.buffer[index] = line.span[index] }
      }
      let bytes = RawSpan(_elements: thread.frame.value.buffer.span).extracting(0..<dump.stagedCount)
      switch space.copyOut(bytes, to: VirtualAddress(dump.address), progress: &dump.progress) {
      case .complete: break
      case .fault, .tooLong: return .value(0)
      case .wait(let awaited):
        thread.frame.value.dump = dump
        return wait(on: awaited, then: .file(.dump(file)))
      }
      dump.address &+= UInt64(dump.stagedCount)
      dump.stagedCount = 0
      dump.progress = 0
    }
    thread.frame.value.dump = dump
    return goOnLater(.file(.dump(file)))
  }
}
