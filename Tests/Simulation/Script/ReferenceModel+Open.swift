// What scripts leave out: what the specification leaves open, and what would end the whole run.

import ABI

extension ReferenceModel {
  /// Pages of content alive, roughly.
  var contentPageCount: Int {
    var seen: Set<ObjectIdentifier> = []
    var total = 0
    func add(_ object: ModelObject) {
      if seen.insert(ObjectIdentifier(object)).inserted { total += object.pages.count + object.perhapsAllocated.count }
    }
    for object in names.values { add(object) }
    for file in openFiles {
      if let end = file.pipe { total += end.bytes.isEmpty ? 1 : end.capacity / 4096 }
      if let object = file.object { add(object) }
    }
    for process in running {
      total += 8 + process.memory.count / 4
      for view in process.memory.values {
        if let object = view.object { add(object) }
        if view.copy != nil { total += 1 }
      }
    }
    return total
  }

  /// Whether the specification leaves open what the operation gives, or what it leaves behind.
  func leavesOpen(_ operation: Operation, _ process: ModelProcess) -> Bool {
    switch operation {
    case .through(_, let inner):
      // Its last two arguments would lie where the frame of a handler is.
      if inner.call is SendFileCall && !process.thread.frames.isEmpty { return true }
      switch inner {
      case .systemCall: return leavesOpen(inner, process)
      default: return true
      }
    case .misplaced(let pointer, let address, let inner):
      return misplacementIsOpen(process, pointer, address, inner) || leavesOpen(inner, process)
    case .systemCall(let made):
      // Priorities are those of threads: of which one is meant, scripts do not know.
      let isOfThreads = SimulatedCalls.priorityCalls.contains { $0 == type(of: made.call) }
      return isOfThreads && running.contains(where: \.hasHadThreads) || socketIsOpen(made.call, process)
        || made.call.leavesOpen(self, process)
    case .load(let address, let byteCount): return process.access(address, byteCount, write: false) == .open
    case .store(let address, let byteCount, _): return process.access(address, byteCount, write: true) == .open
    case .fetch(let address): return process.fetch(address) == .open
    case .type(let text): return consoleInput.count + text.utf8.count > 4000
    case .evict: return false
    }
  }

  /// Whether a memory access, or a call that does not exist, ends the process.
  func endsProcess(_ operation: Operation, _ process: ModelProcess) -> Bool {
    switch operation.innermost {
    case .load(let address, let byteCount): isFatal(process.access(address, byteCount, write: false), process)
    case .store(let address, let byteCount, _): isFatal(process.access(address, byteCount, write: true), process)
    case .fetch(let address): isFatal(process.fetch(address), process)
    case .systemCall(let made):
      (made.call as? UnknownCall).map { $0.raisesSignal(self, process) && endsProcess(12, process) }
        ?? breaksPipe(made.call, process)
    default: false
    }
  }

  /// Whether an access ends the process, which has no handler for that.
  private func isFatal(_ access: ModelAccess, _ process: ModelProcess) -> Bool {
    guard case .signal(let signal, _) = access else { return access != .fine }
    return !process.signals.caught.contains(signal) || process.thread.mask.contains(signal)
  }

  /// Whether a signal for the acting thread ends its process.
  private func endsProcess(_ signal: Int32, _ process: ModelProcess) -> Bool {
    !process.signals.ignored.contains(signal) && !process.signals.caught.contains(signal)
      && !process.thread.mask.contains(signal)
  }

  /// Whether it is a write into a pipe whose other end is closed, which raises SIGPIPE.
  private func breaksPipe(_ call: any SimulatedCall, _ process: ModelProcess) -> Bool {
    var descriptor: Int32?
    if let write = call as? WriteCall { descriptor = write.descriptor }
    if let vector = call as? VectorCall, vector.writes { descriptor = vector.descriptor }
    guard let descriptor, let end = process.file(descriptor)?.pipe else { return false }
    return end.peer == nil && endsProcess(13, process)
  }

  /// A pointer that points elsewhere is compared when its first byte cannot be reached, when the kernel fills memory that can
  /// be reached throughout, and when it crosses the end of the data segment and nothing is behind that.
  private func misplacementIsOpen(
    _ process: ModelProcess, _ pointer: CallPointer, _ address: UInt64, _ operation: Operation
  ) -> Bool {
    guard let use = operation.use(of: pointer), use.byteCount > 0 else { return true }
    // Whether the name or the length of sysctl(3) is looked at first.
    if pointer == .second, let control = operation.call as? SystemControlCall, !knows(control.name) { return true }
    if let poll = operation.call as? PollCall, poll.waits(self, process) { return true }
    if let wait = operation.call as? WaitCall,
      reporting(to: process, wait.target, wait.options).count > 1 || wait.waits(self, process)
    {
      return true
    }
    // The whole of what a length or a value may take up has to be known, not only what is certain.
    let byteCount = max(use.byteCount, use.isFilled ? 64 : 1)
    switch process.access(page: address / 4096, write: use.isFilled) {
    case .signal: return false
    case .open: return true
    case .fine: break
    }
    let access = process.access(address, byteCount, write: use.isFilled)
    if access == .open { return true }
    if address >= Program.data && address < Program.dataEnd {
      let crosses = address + UInt64(use.byteCount) > Program.dataEnd
      if crosses { return process.memory[Program.dataEnd / 4096] != nil }
      // Where the call's other pointers point.
      if address < Program.buffer { return true }
    }
    return !use.isFilled || access != .fine
  }
}

extension ModelProcess {
  /// Whether the descriptor is that of something else than shared memory.
  func isNoObject(_ descriptor: Int32) -> Bool { file(descriptor).map { $0.object == nil } ?? false }
}
