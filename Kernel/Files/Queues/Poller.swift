// A call of poll(2) or select(2) that waits, or asks about more than fits into the thread's buffer.
//
// It costs nothing while it waits. What happens to something that it watches puts that one watch in the list of those that are
// asked again, and wakes the thread once.

public import ABI
public import Memory
public import Primitives

/// A call that waits for descriptors; dropping it gives up everything.
public final class Poller: Nameable {
  private let watchers: EventWatchers
  private let record: Handle<PollerRecord>

  /// One that watches nothing yet; nil when memory cannot be had now. The caller has made sure of the heap's reserve.
  ///
  /// Throws ENOMEM when the user may have no more of the kernel's memory.
  public static func make(_ watchers: EventWatchers, for account: UserAccount) throws(Errno) -> Poller? {
    guard account.mayMakeKernelMemory else { throw .enomem }
    let record = PollerRecord(number: watchers.nextQueueNumber())
    return watchers.pollers.allocate(record, watchers.memory).map { Poller(watchers, $0, account) }
  }

  private init(_ watchers: EventWatchers, _ record: Handle<PollerRecord>, _ account: UserAccount) {
    self.watchers = watchers
    self.record = record
    watchers.pollers[record].account.fill(account)
    account.countKernelMemory(EventWatchers.pollerByteCount)
  }

  deinit { watchers.abandon(record) }

  // MARK: Windows

  /// The part of a thread's buffer that a window takes, in bytes.
  public static let windowByteCount = 126 * 8

  /// Keeps the front of a buffer as the window behind the others; false when memory cannot be had now. Throws ENOMEM when the user
  /// may have no more.
  public func addWindow(_ buffer: borrowing [1024 of UInt8]) throws(Errno) -> Bool {
    try checkMemory()
    guard let window = watchers.pollWindows.allocate(PollWindow(), watchers.memory) else { return false }
    let last = watchers.pollers[record].lastWindow
    if last.isNone {
      watchers.pollers[record].firstWindow = window
    } else {
      watchers.pollWindows[last].next = window
    }
    watchers.pollers[record].lastWindow = window
    watchers.pollers[record].windowCount += 1
    count(EventWatchers.windowByteCount)
    watchers.pollers[record].cursor = window
    save(buffer)
    return true
  }

  /// Goes back to the first window.
  public func rewind() { watchers.pollers[record].cursor = watchers.pollers[record].firstWindow }

  /// Copies the window at the cursor into a buffer.
  public func load(_ buffer: inout [1024 of UInt8]) {
    let window = watchers.pollWindows.pin(watchers.pollers[record].cursor)
    var span = buffer.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    for index in 0..<126 { bytes.store(window.value.words[index], at: 8 * index) }
  }

  /// Copies a buffer into the window at the cursor.
  public func save(_ buffer: borrowing [1024 of UInt8]) {
    let window = watchers.pollWindows.pin(watchers.pollers[record].cursor)
    let bytes = buffer.span
    for index in 0..<126 { window.value.words[index] = bytes.loadUInt64(at: 8 * index) }
  }

  /// Goes on to the next window.
  public func advance() {
    watchers.pollers[record].cursor = watchers.pollWindows[watchers.pollers[record].cursor].next
  }

  // MARK: Watches

  /// Watches a file that a descriptor means; false when memory cannot be had now. Throws ENOMEM when the user may have no more.
  public func watch(_ file: OpenFile, at descriptor: Int32, for events: UInt16) throws(Errno) -> Bool {
    try checkMemory()
    let watch = PollWatch(descriptor: descriptor, events: events, poller: record)
    guard let handle = watchers.pollWatches.allocate(watch, watchers.memory) else { return false }
    watchers.pollWatches[handle].nextOfPoller = watchers.pollers[record].firstWatch
    watchers.pollers[record].firstWatch = handle
    watchers.pollers[record].watchCount += 1
    count(EventWatchers.watchByteCount)
    watchers.link(handle, to: file)
    return true
  }

  private func checkMemory() throws(Errno) {
    let mayMake = watchers.pollers[record].account.borrowed.borrow { $0.mayMakeKernelMemory }
    guard mayMake else { throw .enomem }
  }

  private func count(_ byteCount: Int) {
    watchers.pollers[record].account.borrowed.borrow { $0.countKernelMemory(byteCount) }
  }

  /// Takes one of the watches to which something has happened, and asks what its descriptor means now: the events that hold; nil
  /// when there is none left.
  public func askSignalled(_ table: FileTable) -> UInt16? {
    let handle = watchers.pollers[record].firstSignalled
    if handle.isNone { return nil }
    watchers.pollers[record].firstSignalled = watchers.pollWatches[handle].nextSignalled
    watchers.pollWatches[handle].isSignalled = false
    guard let file = try? table.file(at: watchers.pollWatches[handle].descriptor, needing: .event) else {
      return PollEvents.invalid
    }
    if watchers.pollWatches[handle].file != BackReference(file) {
      watchers.unlink(handle)
      watchers.link(handle, to: file)
    }
    return file.poll(watchers.pollWatches[handle].events)
  }

  /// What the thread waits for.
  public func awaitSignal() -> Wait {
    watchers.pollers[record].isAwaited = true
    return Wait(.poll(watchers.pollers[record].number))
  }

  // MARK: Inspection

  /// Counts what it takes; gives its watches and its windows.
  func inspect(_ memory: inout MemoryInspector) -> (watchCount: Int, windowCount: Int) {
    memory.count(self)
    return watchers.inspect(record, &memory)
  }
}
