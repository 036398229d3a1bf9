// Making queues (kqueue(2)).

public import ABI
import Memory
import Primitives

extension FileServices {
  /// Answers an interrupt of the console.
  public func serveConsole() {
    console.serve()
    if !console.watchers.isEmpty { watchers.ask(console.watchers) }
  }

  /// kqueue(2): an empty queue. The caller has made sure of the heap's reserve.
  ///
  /// - Parameter limit: RLIMIT_KQUEUES; 0 and infinity: none.
  ///
  /// Throws ENOMEM when the user has as many as that, ENFILE, EMFILE.
  public func makeQueue(
    for process: Int32, _ caller: Credentials, limit: Int64, closeOnExec: Bool, in table: FileTable
  ) throws(Errno) -> Int32 {
    if limit != ResourceLimit.infinity && limit != 0 {
      guard Int64(caller.account.eventQueueCount) < limit else { throw .enomem }
    }
    try admitFile(caller)
    let queue = EventQueue(watchers, process: process, caller.account)
    let descriptor = try table.install(EventQueueFile(self, queue), closeOnExec: closeOnExec)
    queue.table = BackReference(table)
    queue.nextOfTable = table.firstQueue
    table.firstQueue.instance?.previousOfTable = BackReference(queue)
    table.firstQueue = BackReference(queue)
    return descriptor
  }
}
