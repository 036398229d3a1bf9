// poll(2), ppoll(2), select(2), pselect(2): their arguments (spec kqueue.md section 8). What they do is in PollCalls+Scan.swift.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declarePollCalls() {
    let demand = MemoryDemand.asks(HeapCost.poller)
    declare(.poll, "poll", [.pointer, .integer, .integer], demand) { call throws(Errno) in try call.poll() }
    declare(.ppoll, "ppoll", [.pointer, .integer, .pointer, .pointer], demand) { call throws(Errno) in
      try call.pollMasked()
    }
    declare(
      .select, "select", [.integer, .pointer, .pointer, .pointer, .pointer],
      copyIn: .optionalStructure(argument: 4, byteCount: Timeval.byteCount), demand
    ) { call throws(Errno) in try call.select() }
    declare(.pselect, "pselect", [.integer, .pointer, .pointer, .pointer, .pointer, .pointer], demand) {
      call throws(Errno) in try call.selectMasked()
    }
  }
}

extension SystemCall {
  /// The least limit of entries of poll(2) (FD_SETSIZE).
  private static let leastEntryLimit = 1024
  /// The longest wait that is not for ever, in seconds.
  private static let longestWaitSeconds: Int64 = 1 << 30

  /// What remains of the call.
  var polling: PendingPoll {
    @inline(__always)
    _read { yield thread.frame.value.polling }
    @inline(__always)
    nonmutating _modify { yield &thread.frame.value.polling }
  }

  fileprivate func poll() throws(Errno) -> Answer {
    let milliseconds = Int64(arguments.third.integer)
    guard milliseconds >= -1 else { throw .einval }
    if let ready = pollAtOnce(arguments.second.word, mayWait: milliseconds != 0) { return .value(ready) }
    var pending = try pendingEntries()
    if milliseconds >= 0 {
      pending.time = Timespec(seconds: milliseconds / 1000, nanoseconds: milliseconds % 1000 * 1_000_000)
    }
    return try begin(pending)
  }

  fileprivate func pollMasked() throws(Errno) -> Answer {
    var limit = PendingPoll()
    guard try fetchTime(arguments.third, into: &limit), try fetchMask(arguments.fourth.address, into: &limit) else {
      return .restart
    }
    var pending = try pendingEntries()
    (pending.time, pending.isTimeValid, pending.mask) = (limit.time, limit.isTimeValid, limit.mask)
    return try begin(pending)
  }

  /// Throws EINVAL for more entries than a process may have descriptors.
  private func pendingEntries() throws(Errno) -> PendingPoll {
    let count = Int(arguments.second.word)
    guard count <= max(SystemCall.leastEntryLimit, kernel.files.maximumFilesPerProcess) else { throw .einval }
    var pending = PendingPoll()
    pending.address = arguments.first.raw
    pending.count = count
    return pending
  }

  fileprivate func select() throws(Errno) -> Answer {
    var pending = PendingPoll()
    if !arguments.fifth.isNull {
      let time = Timeval(seconds: stagedSigned(at: 0), microseconds: stagedSigned(at: 8))
      pending.isTimeValid = time.isValid
      pending.time = Timespec(
        seconds: time.seconds, nanoseconds: time.microseconds.multipliedReportingOverflow(by: 1000).partialValue)
    }
    return try beginSelect(pending)
  }

  /// pselect(2), whose mask is installed before anything else is looked at; of its time only whole microseconds count.
  fileprivate func selectMasked() throws(Errno) -> Answer {
    var pending = PendingPoll()
    guard try fetchTime(arguments.fifth, into: &pending), try fetchMask(arguments.sixth.address, into: &pending) else {
      return .restart
    }
    if let time = pending.time, pending.isTimeValid {
      pending.time = Timespec(seconds: time.seconds, nanoseconds: time.nanoseconds / 1000 * 1000)
    }
    installMask(pending.mask)
    pending.mask = nil
    return try beginSelect(pending)
  }

  private func beginSelect(_ beginning: PendingPoll) throws(Errno) -> Answer {
    let count = arguments.first.integer
    guard count >= 0 else { throw .einval }
    var pending = beginning
    pending.isSelect = true
    pending.address = arguments.second.raw
    pending.writeAddress = arguments.third.raw
    pending.exceptionAddress = arguments.fourth.raw
    pending.wantedCount = Int(count)
    pending.count = min(Int(count), table.descriptorEnd)
    if pending.wantedCount > pending.count {
      pending.phase = .excess
      pending.position = pending.count
    }
    return try begin(pending)
  }

  private func begin(_ pending: PendingPoll) throws(Errno) -> Answer {
    polling = pending
    return try goOnPolling(nil)
  }

  // MARK: At once

  /// The usual poll(2): all of its entries lie in one page that is there, and something is ready or nothing is waited for.
  /// Nil when it is not so: then nothing has happened.
  func pollAtOnce(_ count: UInt32, mayWait: Bool) -> UInt64? {
    let count = Int(count)
    guard count <= PendingPoll.entriesPerWindow else { return nil }
    let physical = kernel.memory.physical
    return spaceReference.borrow { space in
      let address = arguments.first.address
      guard let entries = space.translate(address, byteCount: 8 &* count, .read) else { return nil }
      let ready = BackReference(table).borrow { table in
        var ready: UInt64 = 0
        for index in 0..<count {
          let entry = physical.load(bytesOf: UInt64.self, at: entries + UInt64(8 &* index))
          let found = ask(Int32(truncatingIfNeeded: entry), UInt16(truncatingIfNeeded: entry &>> 32), table)
          stage(found, at: 2 &* index)
          if found != 0 { ready &+= 1 }
        }
        return ready
      }
      guard ready > 0 || !mayWait, let results = space.translate(address, byteCount: 8 &* count, .write) else {
        return nil
      }
      for index in 0..<count {
        physical.store(
          bytesOf: thread.frame.value.buffer.span.loadUInt16(at: 2 &* index), at: results + UInt64(8 &* index &+ 6))
      }
      return ready
    }
  }

  // MARK: Times and masks

  private func stagedSigned(at offset: Int) -> Int64 { Int64(bitPattern: stagedLong(at: offset)) }

  /// Copies a struct timespec in; false when the call has to be answered with `restart`. Throws EFAULT.
  private func fetchTime(_ argument: Argument, into pending: inout PendingPoll) throws(Errno) -> Bool {
    if argument.isNull { return true }
    guard try fetch(argument.range(Timespec.byteCount)) else { return false }
    let time = Timespec(decoding: thread.frame.value.buffer.span)
    pending.time = time
    pending.isTimeValid = time.isValid && time.seconds >= 0
    return true
  }

  /// The same for a sigset_t.
  private func fetchMask(_ address: VirtualAddress, into pending: inout PendingPoll) throws(Errno) -> Bool {
    if address.raw == 0 { return true }
    guard try fetch(UserRange(start: address, byteCount: 16)) else { return false }
    pending.mask = stagedSet(at: 0)
    return true
  }

  /// Installs a mask until the call is over.
  func installMask(_ mask: SignalSet?) {
    guard let mask else { return }
    kernel.processes.suspendMask(mask, of: thread, process)
    // It is put back between events.
    kernel.processes.processor.needsAttention = true
  }

  /// When the time that the program gave is over: 0 for no time at all.
  ///
  /// Throws EINVAL for what is no time.
  func pollDeadline() throws(Errno) -> UInt64 {
    guard let time = polling.time else { return .max }
    guard polling.isTimeValid else { throw .einval }
    if time.seconds == 0 && time.nanoseconds == 0 { return 0 }
    return kernel.deadline(
      after: time.seconds > SystemCall.longestWaitSeconds
        ? Timespec(seconds: SystemCall.longestWaitSeconds, nanoseconds: 0) : time)
  }
}
