// sysctl(3): __sysctl and __sysctlbyname.
//
// The name is staged by the generic phase. The old length and a new value are single words; if one of them has to be paged in,
// the call starts over, since nothing was done yet.

import ABI
import Files
import Memory
import Processes

/// The other four arguments of both calls.
struct SystemControlArguments {
  let old: UInt64
  let oldLength: UInt64
  let new: UInt64
  let newLength: UInt64

  init(_ arguments: Arguments) {
    old = arguments.third
    oldLength = arguments.fourth
    new = arguments.fifth
    newLength = arguments.sixth
  }
}

extension Kernel {
  func systemControl(
    _ call: SystemCall, _ arguments: Arguments, _ thread: Thread, _ process: Process, _ stagedByteCount: Int
  ) throws(Errno) -> Outcome {
    let rest = SystemControlArguments(arguments)
    if call == .sysctlbyname {
      let length = textLength(thread.frame.value.buffer.span, limit: stagedByteCount)
      let point = FailurePoint(controlName: thread.frame.value.buffer.span.extracting(0..<length))
      if let point { return try control(point, rest, thread, process) }
      if thread.frame.value.buffer.span.extracting(0..<length).spells(Kernel.processPathName) {
        return try processPath(nil, rest, thread, process)
      }
      let name = SystemControlNode(name: thread.frame.value.buffer.span.extracting(0..<length))
      guard let node = name else { throw .enoent }
      return try control(node, rest, thread, process)
    }
    let first = Int32(bitPattern: thread.frame.value.buffer.span.loadUInt32(at: 0))
    let second = Int32(bitPattern: thread.frame.value.buffer.span.loadUInt32(at: 4))
    if first == SystemControl.Top.meta && second == SystemControl.Meta.nameToIdentifier {
      return try identifier(rest, thread, process)
    }
    if first == SystemControl.Top.kern && second == SystemControl.Kern.process {
      return try controlOfProcesses(Int(integer(arguments.second)), rest, thread, process)
    }
    if integer(arguments.second) == 2, let point = FailurePoint(first, second) {
      return try control(point, rest, thread, process)
    }
    guard integer(arguments.second) == 2, let node = SystemControlNode(first, second) else { throw .enoent }
    return try control(node, rest, thread, process)
  }

  func textLength(_ bytes: Span<UInt8>, limit: Int) -> Int {
    for index in 0..<limit where bytes[index] == 0 { return index }
    return limit
  }

  /// Reads, and then sets, a node: permission first, then the old value out, and only when all of it found room the new
  /// one in (FreeBSD's order).
  private func control(
    _ node: SystemControlNode, _ arguments: SystemControlArguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    guard let room = try room(arguments, thread, process) else { return .parked }
    if arguments.new != 0 {
      guard node.isWritable, process.credentials.isSuperuser else { throw .eperm }
    }
    if node == .inspection {
      // The reader is told of a violation, and so is the console.
      guard process.credentials.isSuperuser else { throw .eperm }
      guard isSound() else { throw .edoofus }
    }
    if node == .namesList { return try listNames(room, thread, process) }
    let size =
      node == .random
      ? stageRandom(room, limit: SystemCallLimits.randomNodeByteCount, thread)
      : stage(value(of: node), &thread.frame.value.buffer)
    guard try deliver(size, room, arguments, thread, process) else { return .parked }
    if arguments.old != 0 && room < UInt64(size) { return end(room, .enomem, arguments, thread, process) }
    if arguments.new != 0 {
      guard arguments.newLength >= 4 else { throw .einval }
      guard let word = try fetch(arguments.new, 4, thread, process) else { return .parked }
      set(node, UInt32(truncatingIfNeeded: word))
    }
    return end(UInt64(size), nil, arguments, thread, process)
  }

  /// The room for the old value; nil when the thread is parked and the call starts over.
  func room(
    _ arguments: SystemControlArguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> UInt64? {
    arguments.oldLength == 0 ? 0 : try fetchBehindValue(arguments.oldLength, thread, process)
  }

  /// Copies what there is room for of `size` staged bytes out; false when the thread is parked and the call starts over.
  func deliver(
    _ size: Int, _ room: UInt64, _ arguments: SystemControlArguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Bool {
    guard arguments.old != 0 else { return true }
    var progress = 0
    switch space(process).copyOut(
      &thread.frame.value.buffer, count: Int(min(UInt64(size), room)), to: arguments.old, &progress)
    {
    case .complete: return true
    case .fault, .tooLong: throw .efault
    case .wait(let channel):
      _ = park(thread, .call, on: channel)
      return false
    }
  }

  /// Copies the length out, which is the last step, and returns.
  func end(
    _ length: UInt64, _ error: Errno?, _ arguments: SystemControlArguments, _ thread: Thread, _ process: Process
  ) -> Outcome {
    var result = PendingResult()
    result.error = error
    if arguments.oldLength != 0 {
      stage(length, at: 0, &thread.frame.value.buffer)
      result.append(address: arguments.oldLength, offset: 0, byteCount: 8)
    }
    _ = copyOut(result, thread, process)
    return .registersSet
  }

  /// {0, 3}: from a name, given as the new value, to numbers.
  private func identifier(
    _ arguments: SystemControlArguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    guard let room = try room(arguments, thread, process) else { return .parked }
    guard arguments.new != 0, arguments.newLength > 0 else { throw .enoent }
    guard arguments.newLength < UInt64(ProcessLimits.callBufferByteCount) else { throw .enametoolong }
    let count = Int(arguments.newLength)
    guard try fetch(arguments.new, count, thread, process) != nil else { return .parked }
    let length = textLength(thread.frame.value.buffer.span, limit: count)
    let size = try stageIdentifier(ofNameWith: length, &thread.frame.value.buffer)
    guard try deliver(size, room, arguments, thread, process) else { return .parked }
    if arguments.old != 0 && room < UInt64(size) { return end(room, .enomem, arguments, thread, process) }
    return end(UInt64(size), nil, arguments, thread, process)
  }

  /// Puts the numbers of the node whose name is at the front of the buffer there. Returns the length of the numbers.
  private func stageIdentifier(ofNameWith length: Int, _ buffer: inout [1024 of UInt8]) throws(Errno) -> Int {
    if buffer.span.extracting(0..<length).spells(Kernel.processPathName) {
      let numbers = Kernel.processPathIdentifier
      for index in numbers.indices { stage(numbers[index], at: 4 * index, &buffer) }
      return 4 * numbers.count
    }
    let point = FailurePoint(controlName: buffer.span.extracting(0..<length))
    let node = SystemControlNode(name: buffer.span.extracting(0..<length))
    guard let (first, second) = point?.identifier ?? node?.identifier else { throw .enoent }
    stage(first, at: 0, &buffer)
    stage(second, at: 4, &buffer)
    return 8
  }

  /// Copies a few bytes into the buffer and gives their first word; nil when the thread is parked and the call starts over.
  func fetch(
    _ address: UInt64, _ count: Int, _ thread: Thread, _ process: Process
  ) throws(Errno) -> UInt64? {
    var progress = 0
    switch space(process).copyIn(address, into: &thread.frame.value.buffer, count: count, &progress) {
    case .complete:
      let span = thread.frame.value.buffer.span
      return count >= 8 ? span.loadUInt64(at: 0) : UInt64(span.loadUInt32(at: 0))
    case .fault, .tooLong: throw .efault
    case .wait(let channel):
      _ = park(thread, .call, on: channel)
      return nil
    }
  }

  /// Fetches a word without touching the staged value.
  private func fetchBehindValue(_ address: UInt64, _ thread: Thread, _ process: Process) throws(Errno) -> UInt64? {
    var word = [8 of UInt8](repeating: 0)
    var span = word.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    var progress = 0
    switch space(process).copyIn(from: VirtualAddress(address), into: &bytes, progress: &progress) {
    case .complete: return word.span.loadUInt64(at: 0)
    case .fault, .tooLong: throw .efault
    case .wait(let channel):
      _ = park(thread, .call, on: channel)
      return nil
    }
  }

  // MARK: Values

  private func stage(_ value: SystemControlValue, _ buffer: inout [1024 of UInt8]) -> Int {
    switch value {
    case .integer(let number):
      stage(number, at: 0, &buffer)
      return 4
    case .long(let number):
      stage(number, at: 0, &buffer)
      return 8
    case .text(let text):
      var count = 0
      for byte in text.utf8 {
        buffer[count] = byte
        count += 1
      }
      buffer[count] = 0
      return count + 1
    }
  }

  private func value(of node: SystemControlNode) -> SystemControlValue {
    switch node {
    case .osType: .text("FreeBSD")
    case .osRelease: .text("15.0-CURRENT")
    case .osRevision: .integer(199_506)
    case .version: .text("FreeBSD 15.0-CURRENT Martlet\n")
    case .osReleaseDate: .integer(InterfaceLimits.osReleaseDate)
    case .hostName: .text("martlet")
    case .argumentMaximum: .integer(UInt32(InterfaceLimits.argumentByteCount))
    case .maximumProcesses: .integer(UInt32(processes.maximumProcessCount))
    case .maximumFiles: .integer(UInt32(bitPattern: Int32(truncatingIfNeeded: files.maximumFileCount)))
    case .maximumFilesPerProcess: .integer(UInt32(files.maximumFilesPerProcess))
    case .groupMaximum: .integer(UInt32(SystemCallLimits.groupCount))
    case .userStack: .long(ABI.UserSpace.stackTop)
    case .openFiles: .integer(UInt32(files.openFileCount))
    case .signalUnknownCalls: .integer(unknownCallsRaiseSignal ? 1 : 0)
    case .posixSharedMemory: .integer(1)
    case .machine: .text("amd64")
    case .processorCount: .integer(1)
    case .namesMaximum: .integer(UInt32(clamping: files.maximumNameCount))
    case .namesPerUser: .integer(UInt32(clamping: files.maximumNamesPerUser))
    case .userKernelPages: .integer(UInt32(clamping: memory.accounts.kernelPageLimit))
    default: memoryValue(of: node)
    }
  }

  private func memoryValue(of node: SystemControlNode) -> SystemControlValue {
    let pageSize = Page.byteCount
    return switch node {
    case .physicalMemory: .long(UInt64(physicalFrameCount) * pageSize)
    case .pageSize: .integer(UInt32(pageSize))
    case .inspection, .namesList: .integer(0)
    case .overcommit: .integer(memory.accounting.overcommit)
    case .stackGuardPages: .integer(UInt32(truncatingIfNeeded: memory.stackGuardPageCount))
    case .swapTotal: .long(memory.accounting.swapTotal &* pageSize)
    case .swapReserved: .long(memory.accounting.reserved &* pageSize)
    case .pageCount: .integer(UInt32(memory.managedFrameCount))
    case .freeCount: .integer(UInt32(memory.freeFrameCount))
    case .swapPagesIn: .integer(UInt32(truncatingIfNeeded: memory.counters.swapPagesIn))
    case .swapPagesOut: .integer(UInt32(truncatingIfNeeded: memory.counters.swapPagesOut))
    case .heapByteCount: .long(UInt64(resourceCount().heapBytes))
    default: .long(UInt64(resourceCount().objects))
    }
  }

  private func set(_ node: SystemControlNode, _ value: UInt32) {
    switch node {
    case .overcommit: memory.setOvercommit(value)
    case .stackGuardPages: memory.stackGuardPageCount = UInt64(value)
    case .maximumFiles: files.maximumFileCount = Int(Int32(bitPattern: value))
    case .signalUnknownCalls: unknownCallsRaiseSignal = value != 0
    case .namesMaximum: files.maximumNameCount = Int(value)
    case .namesPerUser: files.maximumNamesPerUser = Int(value)
    case .userKernelPages: memory.accounts.kernelPageLimit = Int(value)
    default: break
    }
  }
}
