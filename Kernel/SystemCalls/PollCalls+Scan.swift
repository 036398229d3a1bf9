// The steps of poll(2) and select(2): windows are copied in, their descriptors asked; if none is ready they are watched, and what
// has happened to them is looked at; at last everything is asked again for the results, and windows are copied out.
//
// - Each step handles a window or a part of one. Between steps the descriptors may mean something else, and what is watched may
//   become ready; before the thread sleeps nothing of that was missed.
// - A call of one window that finds something ready, or may not wait, allocates nothing.
// - While it sleeps only what has happened is asked, so waking costs what is woken. (FreeBSD asks about everything again when that
//   was nothing after all, and so may find other descriptors closed.)

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCall {
  /// Steps that a call takes before others have a turn.
  private static let pollStepsPerTurn = 16
  /// Watches that are asked in a step.
  private static let signalsPerStep = 64

  /// Goes on with a poll(2) or select(2).
  func goOnPolling(_ held: consuming Poller?) throws(Errno) -> Answer {
    var poller = held
    for _ in 0..<SystemCall.pollStepsPerTurn {
      let answer: Answer?
      switch polling.phase {
      case .excess: answer = try checkExcess()
      case .copyIn: answer = try copyWindowIn(&poller)
      case .begin: answer = try beginPolling()
      case .ask: answer = try askWindow(&poller)
      case .watch: answer = try watchWindow(&poller)
      case .signals: answer = askSignalled(poller)
      case .copyOut: answer = try copyWindowOut(poller)
      }
      guard let answer else { continue }
      switch answer {
      case .wait, .waitForDeadline: thread.continuation = .file(.poll(poller))
      default: break
      }
      return answer
    }
    return goOnLater(.file(.poll(poller)))
  }

  // MARK: Copying in

  /// Nothing may be in the sets beyond all descriptors. Throws EBADF, EFAULT.
  private func checkExcess() throws(Errno) -> Answer? {
    let end = (polling.wantedCount + 7) / 8
    let start = polling.position / 8
    let address = polling.address(ofSet: polling.part)
    let byteCount = address == 0 ? 0 : min(Poller.windowByteCount, end - start)
    if byteCount > 0 {
      let range = UserRange(start: VirtualAddress(address &+ UInt64(start)), byteCount: byteCount)
      let outcome = spaceReference.borrow {
        $0.copyIn(range, into: &thread.frame.value.buffer, &thread.frame.value.polling.progress)
      }
      if let answer = try finished(outcome) { return answer }
      for index in 0..<byteCount where thread.frame.value.buffer[index] != 0 {
        let isLast = start + index == polling.wantedCount / 8
        let inside: UInt8 = isLast ? 1 << UInt8(polling.wantedCount % 8) - 1 : .max
        guard thread.frame.value.buffer[index] & inside == 0 else { throw .ebadf }
      }
    }
    polling.position += byteCount * 8
    if byteCount > 0 && polling.position < polling.wantedCount { return nil }
    polling.part += 1
    polling.position = polling.count
    if polling.part < 3 { return nil }
    polling.part = 0
    polling.position = 0
    polling.phase = .copyIn
    return nil
  }

  /// What a copy of the window's front gives; nil when it is done.
  private func finished(_ outcome: UserCopyOutcome) throws(Errno) -> Answer? {
    switch outcome {
    case .complete:
      polling.progress = 0
      return nil
    case .fault, .tooLong: throw .efault
    case .wait(let awaited): return .wait(awaited)
    }
  }

  private func copyWindowIn(_ poller: inout Poller?) throws(Errno) -> Answer? {
    if polling.windowCount > 0, let answer = try polling.isSelect ? copySetsIn() : copyEntriesIn() { return answer }
    if !polling.isSmall {
      guard try prepare(&poller) else { return .wait(.frames) }
      if let poller, try !poller.addWindow(thread.frame.value.buffer) { return .wait(.frames) }
    }
    polling.position += polling.windowCount
    if polling.position < polling.count { return nil }
    polling.position = 0
    polling.phase = .begin
    return nil
  }

  private func copyEntriesIn() throws(Errno) -> Answer? {
    let range = UserRange(
      start: VirtualAddress(polling.address &+ UInt64(8 * polling.position)), byteCount: 8 * polling.windowCount)
    return try finished(
      spaceReference.borrow {
        $0.copyIn(range, into: &thread.frame.value.buffer, &thread.frame.value.polling.progress)
      })
  }

  private func copySetsIn() throws(Errno) -> Answer? {
    let byteCount = (polling.windowCount + 63) / 64 * 8
    while polling.part < 3 {
      let offset = polling.part * PendingPoll.setByteCount
      let address = polling.address(ofSet: polling.part)
      if address == 0 {
        zero(from: offset, byteCount)
      } else {
        let place = VirtualAddress(address &+ UInt64(polling.position / 8))
        let outcome = spaceReference.borrow { space in
          thread.frame.value.buffer.withMutableBytes { bytes in
            var room = bytes._mutatingExtracting(offset..<offset + byteCount)
            return space.copyIn(from: place, into: &room, progress: &thread.frame.value.polling.progress)
          }
        }
        if let answer = try finished(outcome) { return answer }
      }
      polling.part += 1
    }
    polling.part = 0
    return nil
  }

  /// Sees that there is a poller; false when memory for it has to be waited for. Throws ENOMEM when the user may have no more.
  private func prepare(_ poller: inout Poller?) throws(Errno) -> Bool {
    if poller != nil { return true }
    guard hasReserve() else { return false }
    poller = try Poller.make(kernel.files.watchers, for: process.credentials.account)
    return poller != nil
  }

  private func beginPolling() throws(Errno) -> Answer? {
    polling.deadline = try pollDeadline()
    installMask(polling.mask)
    polling.phase = .ask
    return nil
  }

  // MARK: Asking

  private func askWindow(_ poller: inout Poller?) throws(Errno) -> Answer? {
    if polling.position == 0 {
      polling.readyCount = 0
      if !polling.isSmall { poller?.rewind() }
    }
    if !polling.isSmall { poller?.load(&thread.frame.value.buffer) }
    let count = try polling.isSelect ? askSets() : askEntries()
    polling.readyCount += count
    if !polling.isSmall {
      poller?.save(thread.frame.value.buffer)
      poller?.advance()
    }
    polling.position += polling.windowCount
    if polling.position < polling.count { return nil }
    polling.position = 0
    if !polling.isSmall { poller?.rewind() }
    if polling.readyCount > 0 || kernel.services.nanoseconds >= polling.deadline {
      polling.phase = .copyOut
    } else if polling.isWatching {
      polling.phase = .signals
    } else if polling.isSmall {
      // In the same step, so that nothing is missed.
      return try watchWindow(&poller)
    } else {
      polling.phase = .watch
    }
    return nil
  }

  private func askEntries() throws(Errno) -> Int {
    let (table, count) = (table, polling.windowCount)
    var ready = 0
    for index in 0..<count {
      let events = UInt16(truncatingIfNeeded: stagedWord(at: 8 * index + 4))
      let found = ask(Int32(bitPattern: stagedWord(at: 8 * index)), events, table)
      stage(found, at: 8 * index + 6)
      if found != 0 { ready += 1 }
    }
    return ready
  }

  /// What holds of a descriptor of poll(2).
  @inline(__always)
  func ask(_ descriptor: Int32, _ events: UInt16, _ table: FileTable) -> UInt16 {
    if descriptor < 0 { return 0 }
    guard let file = try? table.reference(at: descriptor, needing: .event) else { return PollEvents.invalid }
    let found = file.borrow { $0.poll(events) }
    return found & PollEvents.hungUp != 0 ? found & ~PollEvents.writable : found
  }

  /// Throws EBADF for a descriptor that is not open.
  private func askSets() throws(Errno) -> Int {
    let (table, count) = (table, polling.windowCount)
    var ready = 0
    for word in 0..<(count + 63) / 64 {
      let asked = askedWords(word)
      var left = (asked.0 | asked.1 | asked.2) & inside(word, count)
      var found: (UInt64, UInt64, UInt64) = (0, 0, 0)
      while left != 0 {
        let bit = left & (0 &- left)
        left ^= bit
        let descriptor = Int32(polling.position + 64 * word + bit.trailingZeroBitCount)
        let wanted = wantedEvents(asked, bit)
        let events = try table.reference(at: descriptor, needing: .event).borrow { $0.poll(wanted) }
        if asked.0 & bit != 0 && events & PollEvents.selectedReading != 0 { found.0 |= bit }
        if asked.1 & bit != 0 && events & PollEvents.selectedWriting != 0 { found.1 |= bit }
        if asked.2 & bit != 0 && events & PollEvents.selectedException != 0 { found.2 |= bit }
      }
      ready += found.0.nonzeroBitCount + found.1.nonzeroBitCount + found.2.nonzeroBitCount
      stage(found.0, at: resultOffset(0) + 8 * word)
      stage(found.1, at: resultOffset(1) + 8 * word)
      stage(found.2, at: resultOffset(2) + 8 * word)
    }
    return ready
  }

  /// The bits of a word of sets that stand for descriptors of the window.
  private func inside(_ word: Int, _ count: Int) -> UInt64 {
    count >= 64 * word + 64 ? .max : 1 << UInt64(count - 64 * word) - 1
  }

  private func askedWords(_ word: Int) -> (UInt64, UInt64, UInt64) {
    (
      stagedLong(at: 8 * word), stagedLong(at: PendingPoll.setByteCount + 8 * word),
      stagedLong(at: 2 * PendingPoll.setByteCount + 8 * word)
    )
  }

  private func wantedEvents(_ asked: (UInt64, UInt64, UInt64), _ bit: UInt64) -> UInt16 {
    (asked.0 & bit != 0 ? PollEvents.selectedReading : 0) | (asked.1 & bit != 0 ? PollEvents.selectedWriting : 0)
      | (asked.2 & bit != 0 ? PollEvents.selectedException : 0)
  }

  /// Where the results of a set are in the buffer.
  private func resultOffset(_ set: Int) -> Int { (3 + set) * PendingPoll.setByteCount }

  // MARK: Watching

  private func watchWindow(_ poller: inout Poller?) throws(Errno) -> Answer? {
    let isFirstLook = polling.part == 0 && polling.phase != .watch
    // What a wait interrupts is gone on with here, from the part of the window that is not watched yet.
    polling.phase = .watch
    guard try prepare(&poller), let watching = poller else { return .wait(.frames) }
    if !polling.isSmall { watching.load(&thread.frame.value.buffer) }
    guard try polling.isSelect ? watchSets(watching) : watchEntries(watching) else { return .wait(.frames) }
    polling.part = 0
    if !polling.isSmall { watching.advance() }
    polling.position += polling.windowCount
    if polling.position < polling.count { return nil }
    polling.position = 0
    polling.isWatching = true
    // Several windows took several steps, and so does a wait: what happened to those that were not watched yet was not told.
    polling.phase = polling.isSmall && isFirstLook ? .signals : .ask
    return nil
  }

  /// Watches what the entries of the window from `part` on name; false when memory has to be waited for.
  private func watchEntries(_ poller: Poller) throws(Errno) -> Bool {
    while polling.part < polling.windowCount {
      let offset = 8 * polling.part
      let descriptor = Int32(bitPattern: stagedWord(at: offset))
      let events = UInt16(truncatingIfNeeded: stagedWord(at: offset + 4))
      if descriptor >= 0, let file = try? table.file(at: descriptor, needing: .event) {
        guard try poller.watch(file, at: descriptor, for: events) else { return false }
      }
      polling.part += 1
    }
    return true
  }

  /// The same for the descriptors of sets.
  private func watchSets(_ poller: Poller) throws(Errno) -> Bool {
    while polling.part < polling.windowCount {
      let word = polling.part / 64
      let asked = askedWords(word)
      let done = UInt64.max << UInt64(polling.part % 64)
      var left = (asked.0 | asked.1 | asked.2) & inside(word, polling.windowCount) & done
      while left != 0 {
        let bit = left & (0 &- left)
        left ^= bit
        polling.part = 64 * word + bit.trailingZeroBitCount
        let descriptor = Int32(polling.position + polling.part)
        let file = try table.file(at: descriptor, needing: .event)
        guard try poller.watch(file, at: descriptor, for: wantedEvents(asked, bit)) else { return false }
      }
      polling.part = 64 * (word + 1)
    }
    return true
  }

  /// Asks those to which something has happened, and waits when none of them is ready.
  private func askSignalled(_ poller: Poller?) -> Answer? {
    guard let poller else { preconditionFailure("a wait without a poller") }
    let table = table
    for _ in 0..<SystemCall.signalsPerStep {
      guard let events = poller.askSignalled(table) else {
        guard polling.deadline != .max else { return .wait(poller.awaitSignal()) }
        if kernel.services.nanoseconds >= polling.deadline {
          polling.phase = .copyOut
          if !polling.isSmall { poller.rewind() }
          return nil
        }
        thread.deadlineNanoseconds = polling.deadline
        return .waitForDeadline(poller.awaitSignal())
      }
      if events != 0 {
        // The results are those of one look at everything.
        polling.phase = .ask
        return nil
      }
    }
    return nil
  }

  // MARK: Copying out

  private func copyWindowOut(_ poller: Poller?) throws(Errno) -> Answer? {
    if polling.windowCount > 0 {
      if !polling.isSmall && polling.part == 0 && polling.progress == 0 { poller?.load(&thread.frame.value.buffer) }
      if let answer = try polling.isSelect ? copySetsOut() : copyEntriesOut() { return answer }
      if !polling.isSmall { poller?.advance() }
    }
    polling.part = 0
    polling.position += polling.windowCount
    if polling.position < polling.count { return nil }
    return .value(UInt64(polling.readyCount))
  }

  /// Only what was found is stored: another thread may have changed the rest.
  private func copyEntriesOut() throws(Errno) -> Answer? {
    let (count, first) = (polling.windowCount, polling.address &+ UInt64(8 * polling.position + 6))
    while polling.part < count {
      let (offset, address) = (8 * polling.part + 6, VirtualAddress(first &+ UInt64(8 * polling.part)))
      let isStored = polling.progress == 0 && store(UInt16(stagedWord(at: offset - 2) >> 16), (), at: address)
      if !isStored, let answer = try copyOut(offset, 2, to: address) { return answer }
      polling.part += 1
    }
    return nil
  }

  private func copySetsOut() throws(Errno) -> Answer? {
    let byteCount = (polling.windowCount + 63) / 64 * 8
    while polling.part < 3 {
      let address = polling.address(ofSet: polling.part)
      if address != 0 {
        let place = VirtualAddress(address &+ UInt64(polling.position / 8))
        if let answer = try copyOut(resultOffset(polling.part), byteCount, to: place) { return answer }
      }
      polling.part += 1
    }
    return nil
  }

  /// Copies a part of the buffer out.
  private func copyOut(_ offset: Int, _ byteCount: Int, to address: VirtualAddress) throws(Errno) -> Answer? {
    let bytes = RawSpan(_elements: thread.frame.value.buffer.span).extracting(offset..<offset + byteCount)
    return try finished(
      spaceReference.borrow { $0.copyOut(bytes, to: address, progress: &thread.frame.value.polling.progress) })
  }
}
