// Workers by place, so that one can be drawn by lot.
//
// Invariants
// - Places 1 to `count` name workers, which know their place; the last one takes the place of one that goes.
// - There are blocks for as many as there were at once; they stay until the queue goes.

import Memory
import Primitives

/// A part of a set.
struct WorkerBlock: BitwiseCopyable {
  var workers = [1024 of Handle<QueueWorker>](repeating: .none)
}

/// A set.
struct WorkerSet: BitwiseCopyable {
  private static let blockShift: UInt32 = 10
  private static let blockLimit: UInt32 = 4

  private var blocks = [4 of Handle<WorkerBlock>](repeating: .none)
  private(set) var count: UInt32 = 0

  init() {}

  /// The worker at a place.
  func worker(at place: UInt32, _ watch: EventWatchers) -> Handle<QueueWorker> {
    watch.workerBlocks[block(of: place)].workers[Int((place - 1) & 1023)]
  }

  private func block(of place: UInt32) -> Handle<WorkerBlock> { blocks[Int((place - 1) >> WorkerSet.blockShift)] }

  /// Sees that there is room for one more; whether there is.
  mutating func reserve(_ watch: EventWatchers, _ account: UserAccount) -> Bool {
    guard count >> WorkerSet.blockShift < WorkerSet.blockLimit else { return false }
    let index = Int(count >> WorkerSet.blockShift)
    if !blocks[index].isNone { return true }
    guard account.mayMakeKernelMemory, let block = watch.workerBlocks.allocate(WorkerBlock(), watch.memory) else {
      return false
    }
    account.countKernelMemory(MemoryLayout<WorkerBlock>.stride)
    blocks[index] = block
    return true
  }

  /// Enters a worker for which there is room; its place.
  mutating func add(_ worker: Handle<QueueWorker>, _ watch: EventWatchers) -> UInt32 {
    count += 1
    watch.workerBlocks[block(of: count)].workers[Int((count - 1) & 1023)] = worker
    return count
  }

  /// Takes out the worker at a place; gives the one that has the place then, if another has.
  mutating func remove(at place: UInt32, _ watch: EventWatchers) -> Handle<QueueWorker> {
    let last = worker(at: count, watch)
    count -= 1
    if place == count + 1 { return .none }
    watch.workerBlocks[block(of: place)].workers[Int((place - 1) & 1023)] = last
    return last
  }

  /// Blocks that it has.
  var blockCount: Int {
    var count = 0
    for index in 0..<Int(WorkerSet.blockLimit) where !blocks[index].isNone { count += 1 }
    return count
  }

  /// Gives the blocks back.
  mutating func release(_ watch: EventWatchers, _ account: UserAccount) {
    account.countKernelMemory(-blockCount * MemoryLayout<WorkerBlock>.stride)
    for index in 0..<Int(WorkerSet.blockLimit) where !blocks[index].isNone {
      watch.workerBlocks.release(blocks[index], watch.memory)
      blocks[index] = .none
    }
    count = 0
  }
}
