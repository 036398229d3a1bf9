// Telling those who poll, and giving up what they watched.

import ABI
import Memory
import Primitives

extension EventWatchers {
  /// Watches that are given up at once with their call; more are torn down in steps.
  private static let quickWatchCount: UInt32 = 64
  static var pollerByteCount: Int { MemoryLayout<PollerRecord>.stride }
  static var watchByteCount: Int { MemoryLayout<PollWatch>.stride }
  static var windowByteCount: Int { MemoryLayout<PollWindow>.stride }

  // MARK: Telling

  /// Something has happened that is about some of the bits of poll(2), and about the end of the file in any case.
  func signal(_ first: Handle<PollWatch>, _ events: UInt16 = .max) {
    var handle = first
    while !handle.isNone {
      if pollWatches[handle].events & events != 0 || events == .max { signal(handle) }
      handle = pollWatches[handle].next
    }
  }

  private func signal(_ handle: Handle<PollWatch>) {
    let poller = pollWatches[handle].poller
    if pollWatches[handle].isSignalled || pollers[poller].isAbandoned { return }
    pollWatches[handle].isSignalled = true
    pollWatches[handle].nextSignalled = pollers[poller].firstSignalled
    pollers[poller].firstSignalled = handle
    guard pollers[poller].isAwaited else { return }
    pollers[poller].isAwaited = false
    memory.services.wake(.poll(pollers[poller].number))
  }

  // MARK: Lists

  /// Enters a watch in the list of a file.
  func link(_ handle: Handle<PollWatch>, to file: OpenFile) {
    var list = file.watchers
    pollWatches[handle].file = BackReference(file)
    pollWatches[handle].next = list.firstPoll
    pollWatches[handle].previous = .none
    if !list.firstPoll.isNone { pollWatches[list.firstPoll].previous = handle }
    list.firstPoll = handle
    file.watchers = list
  }

  /// Takes a watch out of the list of its file, if that is there.
  func unlink(_ handle: Handle<PollWatch>) {
    let file = pollWatches[handle].file
    if file.isEmpty { return }
    let (next, previous) = (pollWatches[handle].next, pollWatches[handle].previous)
    if !next.isNone { pollWatches[next].previous = previous }
    if previous.isNone { file.borrow { $0.watchers.firstPoll = next } } else { pollWatches[previous].next = next }
    pollWatches[handle].file = BackReference()
    pollWatches[handle].next = .none
    pollWatches[handle].previous = .none
  }

  /// A file goes that is polled: nobody else has its list.
  func fileIsGone(_ first: Handle<PollWatch>) {
    var handle = first
    while !handle.isNone {
      let next = pollWatches[handle].next
      pollWatches[handle].file = BackReference()
      pollWatches[handle].next = .none
      pollWatches[handle].previous = .none
      signal(handle)
      handle = next
    }
  }

  /// A file goes that has its list with others.
  func fileIsGone(_ file: BackReference<OpenFile>, _ first: Handle<PollWatch>) {
    var handle = first
    while !handle.isNone {
      let next = pollWatches[handle].next
      if pollWatches[handle].file == file {
        unlink(handle)
        signal(handle)
      }
      handle = next
    }
  }

  // MARK: Giving up

  /// The call of a poller is over.
  func abandon(_ poller: Handle<PollerRecord>) {
    pollers[poller].isAbandoned = true
    var budget = Int(EventWatchers.quickWatchCount)
    if pollers[poller].watchCount <= EventWatchers.quickWatchCount {
      _ = giveUp(poller, &budget)
    } else {
      pollers[poller].nextAbandoned = abandoned.first
      abandoned.first = poller
      abandoned.watchers = BackReference(self)
      memory.tearDownLater(abandoned)
    }
  }

  /// Gives up some of what a poller has; whether nothing is left of it.
  func giveUp(_ poller: Handle<PollerRecord>, _ budget: inout Int) -> Bool {
    while !pollers[poller].firstWatch.isNone {
      if budget <= 0 { return false }
      budget -= 1
      let handle = pollers[poller].firstWatch
      unlink(handle)
      pollers[poller].firstWatch = pollWatches[handle].nextOfPoller
      pollers[poller].watchCount -= 1
      pollWatches.release(handle, memory)
      pollers[poller].account.borrowed.borrow { $0.countKernelMemory(-EventWatchers.watchByteCount) }
    }
    while !pollers[poller].firstWindow.isNone {
      if budget <= 0 { return false }
      budget -= 1
      let window = pollers[poller].firstWindow
      pollers[poller].firstWindow = pollWindows[window].next
      pollers[poller].windowCount -= 1
      pollWindows.release(window, memory)
      pollers[poller].account.borrowed.borrow { $0.countKernelMemory(-EventWatchers.windowByteCount) }
    }
    var record = pollers.take(poller, memory)
    let account = record.account.take()
    account?.countKernelMemory(-EventWatchers.pollerByteCount)
    return true
  }

  /// Gives back frames that are only kept for speed.
  func trim() {
    notes.trim(memory)
    noteBlocks.trim(memory)
    groups.trim(memory)
    workers.trim(memory)
    workerBlocks.trim(memory)
    queueThreads.trim(memory)
    timers.trim(memory)
    pollWatches.trim(memory)
    pollWindows.trim(memory)
    pollers.trim(memory)
  }

  /// Frames that hold records.
  var recordFrameCount: Int {
    notes.frameCount + noteBlocks.frameCount + timers.frameCount + pollWatches.frameCount + pollWindows.frameCount
      + pollers.frameCount + groups.frameCount + workers.frameCount + workerBlocks.frameCount + queueThreads.frameCount
  }

  // MARK: Inspection

  func inspect(
    _ poller: Handle<PollerRecord>, _ memory: inout MemoryInspector
  ) -> (watchCount: Int, windowCount: Int) {
    let record = pollers[poller]
    let (watchCount, windowCount) = (Int(record.watchCount), Int(record.windowCount))
    var found = 0
    var handle = record.firstWatch
    while !handle.isNone {
      found += 1
      if record.isAwaited, let file = pollWatches[handle].file.instance {
        // What is ready has been told, and who was told does not sleep.
        let events = pollWatches[handle].events
        memory.require(
          file.isBeingEnded || file.poll(events) & events == 0, "a call that sleeps beside what it waits for",
          UInt64(pollWatches[handle].descriptor))
      }
      handle = pollWatches[handle].nextOfPoller
    }
    memory.require(found == watchCount, "watches of a poller", UInt64(found))
    memory.count(
      kernelByteCount: EventWatchers.pollerByteCount + watchCount * EventWatchers.watchByteCount
        + windowCount * EventWatchers.windowByteCount, of: record.account.borrowed.instance)
    return (watchCount, windowCount)
  }

  /// How many notes a list has.
  func count(_ list: NoteList) -> Int {
    var count = 0
    var handle = list.first
    while !handle.isNone {
      count += 1
      handle = notes[handle].nextWatcher
    }
    return count
  }

  /// Visits what is being given up; how many pollers, watches and windows there are of it.
  func inspectAbandoned(_ memory: inout MemoryInspector) -> (Int, watchCount: Int, windowCount: Int) {
    var total = (0, watchCount: 0, windowCount: 0)
    var poller = abandoned.first
    while !poller.isNone {
      let counts = inspect(poller, &memory)
      total = (total.0 + 1, total.1 + counts.watchCount, total.2 + counts.windowCount)
      poller = pollers[poller].nextAbandoned
    }
    return total
  }
}

/// Gives up what calls have watched that are over, in steps.
final class AbandonedPollers: AnyOwner {
  var watchers = BackReference<EventWatchers>()
  var first = Handle<PollerRecord>.none

  override var teardownUnitCount: Int {
    guard let watchers = watchers.instance, !first.isNone else { return 1 }
    return Int(watchers.pollers[first].watchCount + watchers.pollers[first].windowCount) + 1
  }

  override func tearDown(_ budget: inout Int, _ system: MemorySystem) -> Bool {
    guard let watchers = watchers.instance else { return true }
    while !first.isNone {
      let next = watchers.pollers[first].nextAbandoned
      guard watchers.giveUp(first, &budget) else { return false }
      first = next
    }
    return true
  }
}
