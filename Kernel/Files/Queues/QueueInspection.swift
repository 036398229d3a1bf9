// The part of an inspection that is about queues of events: what is reached, and whether it is all there is.

import ABI
import Memory
import Primitives

/// What an inspection found of queues.
struct QueueInspection {
  private var noteCount = 0
  private var noteBlockCount = 0
  private var groupCount = 0
  private var workerCount = 0
  private var workerBlockCount = 0

  /// Visits a queue and its workers.
  mutating func visit(_ queue: EventQueue, _ memory: inout MemoryInspector) {
    var (count, ready, held) = (0, 0, 0)
    let watch = queue.watch
    queue.forEachNote { note in
      count += 1
      if note.isQueued { ready += 1 }
      if note.isQueued && !note.holder.isNone { held += 1 }
      memory.count(kernelByteCount: EventQueue.noteByteCount, of: queue.account)
    }
    noteCount += count
    noteBlockCount += queue.noteTable.blockCount
    memory.count(kernelByteCount: queue.noteTable.byteCount, of: queue.account)
    memory.require(
      count == queue.noteCount && ready == queue.readyCount && held == queue.heldReadyCount,
      "notes of a queue of events", UInt64(count))
    var listed = Int(queue.lists.count)
    visitWorkers(of: queue, watch, &listed, &memory)
    memory.require(listed == queue.readyCount, "notes in lists", UInt64(listed))
    memory.require(!queue.isAwaited || queue.lists.count == 0, "a thread asleep that is to be told", queue.number)
  }

  private mutating func visitWorkers(
    of queue: EventQueue, _ watch: EventWatchers, _ listed: inout Int, _ memory: inout MemoryInspector
  ) {
    guard queue.isMulti else { return }
    groupCount += 1
    let group = watch.groups[queue.group]
    let account = queue.account
    memory.count(kernelByteCount: MemoryLayout<WorkerGroup>.stride, of: account)
    var found: UInt32 = 0
    watch.forEachWorker { worker in
      guard worker.queue == BackReference(queue) else { return }
      found += 1
      listed += Int(worker.lists.count)
      memory.require(
        !worker.isAwaited || worker.availableCount == 0, "a thread asleep that is to be told", worker.number)
      memory.require(worker.heldCount <= worker.lists.count, "notes that a worker cannot tell", worker.number)
    }
    memory.require(found == group.count, "workers of a queue", UInt64(found))
    memory.count(kernelByteCount: Int(found) * MemoryLayout<QueueWorker>.stride, of: account)
    workerCount += Int(found)
    var blocks = group.active.blockCount
    for leaf in 0..<WorkerGroup.leafLimit { blocks += group.leaves[leaf].blockCount }
    workerBlockCount += blocks
    memory.count(kernelByteCount: blocks * MemoryLayout<WorkerBlock>.stride, of: account)
    for place in 1..<max(1, group.active.count + 1) {
      let worker = group.active.worker(at: place, watch)
      memory.require(watch.workers[worker].place == place, "place of a worker", UInt64(place))
    }
  }

  /// Compares the notes of the queues of a table with what its descriptors mean: none survives its file.
  static func compareNotes(of table: FileTable, _ memory: inout MemoryInspector) {
    var place = table.firstQueue
    while let queue = place.instance {
      queue.forEachNote { note in
        guard note.event.filter.isOfDescriptor else { return }
        let file = try? table.reference(at: Int32(truncatingIfNeeded: note.event.identifier))
        memory.require(file == note.file.borrowed, "a note that has survived its descriptor", note.event.identifier)
      }
      place = queue.nextOfTable
    }
  }

  /// Compares what was found with what there is.
  func finish(_ watch: EventWatchers, _ memory: inout MemoryInspector) {
    memory.require(noteCount == watch.noteCount, "notes of events", UInt64(noteCount))
    memory.require(noteBlockCount == watch.noteBlocks.count, "blocks of notes", UInt64(noteBlockCount))
    memory.require(groupCount == watch.groups.count, "groups of workers", UInt64(groupCount))
    memory.require(workerCount == watch.workers.count, "workers of queues", UInt64(workerCount))
    memory.require(workerBlockCount == watch.workerBlocks.count, "blocks of workers", UInt64(workerBlockCount))
  }
}

extension EventWatchers {
  /// Calls `body` with every worker of every queue.
  fileprivate func forEachWorker(_ body: (QueueWorker) -> Void) {
    for bucket in 0..<256 {
      var thread = threadBuckets[bucket]
      while !thread.isNone {
        var worker = queueThreads[thread].first
        while !worker.isNone {
          body(workers[worker])
          worker = workers[worker].nextOfThread
        }
        thread = queueThreads[thread].next
      }
    }
  }
}
