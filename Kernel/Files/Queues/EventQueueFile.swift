// The file through which descriptors reach a queue of events (spec kqueue.md sections 3 and 10).

public import ABI
import Memory
import Primitives

/// A queue as an open file.
public final class EventQueueFile: OpenFile {
  /// What it reaches.
  public let queue: EventQueue

  init(_ fileServices: FileServices, _ queue: EventQueue) {
    self.queue = queue
    super.init(BackReference(fileServices), [.read, .write], isSeekable: false, isForOneProcess: true)
    queue.file = BackReference(self)
  }

  deinit { queue.close() }

  override var informationType: FileInformationType { .queue }

  override func describe(_ information: inout FileInformation, _ path: inout [1024 of UInt8]) -> Int {
    information.setQueue(number: queue.number, count: Int32(clamping: queue.readyCount))
    return 0
  }

  /// fstat(2): a pipe of nothing.
  public override func status() throws(Errno) -> Stat {
    var stat = Stat()
    stat.mode = .fifo
    return stat
  }

  /// Ready to be read when a note is.
  public override func poll(_ events: UInt16) -> UInt16 {
    queue.wasUsed = true
    return queue.availableCount > 0 ? events & PollEvents.readable : 0
  }

  override func attach(_ filter: EventFilter) throws(Errno) {
    guard filter == .read else { throw .einval }
    queue.wasUsed = true
  }

  override func readiness(_ filter: EventFilter, lowWater: Int64?) -> Readiness {
    Readiness(Int64(queue.availableCount), isReady: queue.availableCount > 0)
  }

  /// FKQMULTI and FKQTUNE. Throws EINVAL for what they do not know, ENOMEM.
  override func performControl(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) {
    let word = data.span.loadUInt32(at: 0)
    switch request {
    case .setQueuePolicy: try queue.setPolicy(QueuePolicy(word))
    case .tuneQueue: try queue.tune(word)
    default: throw .enotty
    }
  }
}
