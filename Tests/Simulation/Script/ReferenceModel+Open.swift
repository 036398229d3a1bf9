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
    for process in running {
      total += 8 + process.memory.count / 4
      for view in process.memory.values {
        if let object = view.object { add(object) }
        if view.copy != nil { total += 1 }
      }
      for entry in process.descriptors.values { if let object = entry.file.object { add(object) } }
    }
    return total
  }

  /// Whether the specification leaves open what the operation gives, or what it leaves behind.
  func leavesOpen(_ operation: Operation, _ process: ModelProcess) -> Bool {
    switch operation {
    case .through(_, let inner):
      switch inner {
      case .through, .load, .store, .fetch, .evict, .type, .misplaced: return true
      default: return leavesOpen(inner, process)
      }
    case .misplaced(let pointer, let address, let inner):
      return misplacementIsOpen(process, pointer, address, inner) || leavesOpen(inner, process)
    case .load(let address, let byteCount): return process.access(address, byteCount, write: false) == .open
    case .store(let address, let byteCount, _): return process.access(address, byteCount, write: true) == .open
    case .fetch(let address): return process.fetch(address) == .open
    case .read(let descriptor, let address, let byteCount, _):
      return bufferIsOpen(process, descriptor, address, byteCount, writesMemory: true)
        || wouldBlock(operation, process) && (process.number == 0 || hasReader)
    case .write(let descriptor, let address, let byteCount, _):
      return bufferIsOpen(process, descriptor, address, byteCount, writesMemory: false)
    case .wait: return process.number == 0 && wouldBlock(operation, process)
    case .type(let text): return consoleInput.count + text.utf8.count > 4000
    case .protect(let address, let byteCount, let protection):
      // What mprotect(2) says of guards.
      return protection & 7 != 0
        && ModelProcess.pages(address, byteCount).contains { process.memory[$0]?.maximum == 0 }
    default: return fileLeavesOpen(operation, process) || processLeavesOpen(operation, process)
    }
  }

  private func fileLeavesOpen(_ operation: Operation, _ process: ModelProcess) -> Bool {
    func isNoObject(_ descriptor: Int32) -> Bool { process.file(descriptor).map { $0.object == nil } ?? false }
    switch operation {
    case .fileControl(let descriptor, let command, let argument):
      if let byteCount = Self.lockByteCounts[command] {
        // Locks of files and devices; what is in the structure.
        return isNoObject(descriptor) && command != 22 || command == 14 && process.credentials.effectiveUser == 0
          || process.access(UInt64(bitPattern: argument), byteCount, write: false) == .open
      }
      // Owners of devices.
      return isNoObject(descriptor) && (command == 5 || command == 6)
    case .deviceControl(let descriptor, let request, _):
      return isNoObject(descriptor) && (request == 0x4004_667B || request == 0x8004_667C)
    default: return false
    }
  }

  private func processLeavesOpen(_ operation: Operation, _ process: ModelProcess) -> Bool {
    switch operation {
    case .execute(let path, let argumentCount):
      // Limits that the new program would not fit into; several errors at once.
      let limits = process.limits
      return limits[10].soft < 1 << 20 || limits[3].soft < 1 << 16 || limits[2].soft < 1 << 16
        || argumentCount == 0 && path != "/bin/script" || argumentCount > 120
    case .kill(let target, let signal):
      let all = targets(of: process, target)
      // Process 1 stops or ends itself; a signal that two things follow from, with a parent that waits for either.
      if process.number == 0 && all.contains(where: { $0 === process }) && signal != 0 { return true }
      let isAmbiguous = all.contains {
        $0.signals.isStopped && !$0.signals.pending.isEmpty && processes[$0.parent]?.blocked != nil
      }
      // Whether a child ends before its parent decides who could ask for its status.
      let initialIgnores = processes[0]?.signals.ignored.contains(20) == true
      let orphans = all.contains { child in
        all.contains { $0.number == child.parent && (initialIgnores || $0.signals.ignored.contains(20)) }
      }
      return isAmbiguous || orphans && signal != 0
    case .setProcessGroup, .makeSession:
      // A waiter whose child leaves the group that it waits for stays asleep on FreeBSD.
      return running.contains {
        if case .wait(let target, _, _) = $0.blocked?.innermost {
          identifier(target) <= 0 && target != .all
        } else {
          false
        }
      }
    case .restart: return process.credentials.effectiveUser == 0
    default: return false
    }
  }

  /// Whether another process already waits for input: which of two gets it is open.
  private var hasReader: Bool {
    running.contains { if case .read = $0.blocked?.innermost { true } else { false } }
  }

  /// Whether the call waits for another process or for input.
  func wouldBlock(_ operation: Operation, _ process: ModelProcess) -> Bool {
    switch operation.innermost {
    case .wait(let target, let options, _):
      return options & ~63 == 0 && options & 1 == 0 && !children(of: process, target).isEmpty
        && reporting(to: process, target, options).isEmpty
    case .read(let descriptor, _, let byteCount, let offset):
      guard let file = process.file(descriptor), file.isConsole, file.isReadable else { return false }
      return byteCount > 0 && offset == nil && file.statusFlags & 4 == 0 && consoleInput.isEmpty
    default: return false
    }
  }

  /// Whether a memory access, or a call that does not exist, ends the process.
  func endsProcess(_ operation: Operation, _ process: ModelProcess) -> Bool {
    switch operation.innermost {
    case .load(let address, let byteCount): process.access(address, byteCount, write: false) != .fine
    case .store(let address, let byteCount, _): process.access(address, byteCount, write: true) != .fine
    case .fetch(let address): process.fetch(address) != .fine
    case .unknownCall(let number):
      unknownCallsRaiseSignal && !Operation.missingCalls.contains(number) && !process.signals.ignored.contains(12)
    default: false
    }
  }

  /// A transfer is compared only when what happens at each page of its buffer is known, and the buffer is not part of the
  /// object.
  private func bufferIsOpen(
    _ process: ModelProcess, _ descriptor: Int32, _ address: UInt64, _ byteCount: Int, writesMemory: Bool
  ) -> Bool {
    guard let file = process.file(descriptor), byteCount > 0 else { return false }
    let pages = ModelProcess.pages(address, UInt64(byteCount))
    if let object = file.object, pages.contains(where: { process.memory[$0]?.object === object }) { return true }
    let access = process.access(address, byteCount, write: writesMemory)
    if access == .open { return true }
    // What came before the fault nobody knows.
    if case .random = file.kind, writesMemory, access != .fine { return true }
    if file.isConsole && writesMemory {
      return address < Program.buffer || address &+ UInt64(byteCount) > Program.dataEnd
    }
    return false
  }

  /// A pointer that points elsewhere is compared when its first byte cannot be reached, when the kernel fills memory that can
  /// be reached throughout, and when it crosses the end of the data segment and nothing is behind that.
  private func misplacementIsOpen(
    _ process: ModelProcess, _ pointer: CallPointer, _ address: UInt64, _ operation: Operation
  ) -> Bool {
    guard let use = operation.use(of: pointer), use.byteCount > 0 else { return true }
    // Whether the name or the length of sysctl(3) is looked at first.
    if case .systemControl = operation, pointer == .second, !knowsControl(operation) { return true }
    if case .wait(let target, let options, _) = operation,
      reporting(to: process, target, options).count > 1 || wouldBlock(operation, process)
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
