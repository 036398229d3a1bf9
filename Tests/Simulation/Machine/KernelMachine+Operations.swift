// The operations of scripts as system calls.

import ABI
import Files
import Memory
import Processes
import SystemCalls

extension KernelMachine {
  /// Performs a step.
  public func perform(_ step: ScriptStep) throws(Difference) -> Observation? {
    output = []
    inputs = []
    noise = SeededGenerator(seed: step.noise)
    if noise.chance(oneIn: 3) { hardware.processor.memoryUnit.speculate() }
    hardware.clock.advance(by: UInt64(noise.number(below: 100_000)))
    try deliverInterrupts()
    if noise.chance(oneIn: 6) { try tick() }
    if noise.chance(oneIn: 12) { hardware.system.reclaim(budget: 1 + noise.number(below: 8)) }
    guard try schedule(step.process) else { return .ended }
    failureHappened = false
    if let failure = step.failure { hardware.inject(failure) }
    defer { if let failure = step.failure { failureHappened = hardware.withdraw(failure) } }
    let observation = try perform(step.operation, step.process)
    if observation == .ended { try settle(step.process) }
    return observation
  }

  private func perform(_ operation: Operation, _ number: Int) throws(Difference) -> Observation {
    switch operation {
    case .load(let address, let byteCount):
      return try load(number, address, byteCount: byteCount).map { .bytes($0) } ?? .ended
    case .store(let address, let byteCount, let pattern):
      let bytes = Operation.patternBytes(pattern, count: byteCount)
      return try store(number, bytes, at: address) ? .value(0) : .ended
    case .evict:
      _ = hardware.system.makeAvailable(hardware.system.managedFrameCount)
      return .value(0)
    case .fetch(let address): return try access(number, address, .fetch) ? .value(0) : .ended
    case .sharedMemoryOpen(let name, let flags, let mode, let extra, let is2008):
      let arguments = [UInt64(flags), UInt64(mode), UInt64(extra), noise.next()]
      return try pathCall(number, is2008 ? .shmOpen : .shmOpen2, name, arguments)
    case .sharedMemoryUnlink(let name): return try pathCall(number, .shmUnlink, name, [])
    case .map(let address, let byteCount, let protection, let flags, let descriptor, let offset):
      return try simpleCall(
        number, .mmap, address, byteCount, UInt64(protection), UInt64(flags), Self.word(descriptor),
        UInt64(bitPattern: offset))
    case .unmap(let address, let byteCount): return try simpleCall(number, .munmap, address, byteCount)
    case .protect(let address, let byteCount, let protection):
      return try simpleCall(number, .mprotect, address, byteCount, UInt64(protection))
    case .fork(let child): return try fork(number, child)
    case .exit(let status):
      _ = try simpleCall(number, .exit, Self.word(status))
      return .ended
    case .execute:
      // The argument vector: the path, then nothing; it lies behind the path.
      let vector = (0..<8).map { UInt8(truncatingIfNeeded: Program.path >> UInt64(8 * $0)) }
      guard try prepare(number, vector + [UInt8](repeating: 0, count: 8), at: Program.input) else { return .ended }
      let observation = try pathCall(number, .execve, "/bin/script", [Program.input, 0])
      if observation == .value(0) {
        if register(.rip) != Program.text { throw Difference("a program starts at the wrong place") }
        inputs = []
      }
      return observation
    case .wait(let child, let options): return try wait(number, child, options)
    case .kill(let target, let signal):
      let observation = try simpleCall(number, .kill, Self.word(identifiers[target] ?? 99_999), Self.word(signal))
      if case .value = observation, signal != 0, ![16, 19, 20, 23, 28, 29].contains(signal) { try settle(target) }
      return observation
    default: return try performFileOperation(operation, number)
    }
  }

  private func performFileOperation(_ operation: Operation, _ number: Int) throws(Difference) -> Observation {
    switch operation {
    case .truncate(let descriptor, let length):
      return try simpleCall(number, .ftruncate, Self.word(descriptor), UInt64(bitPattern: length))
    case .status(let descriptor):
      let observation = try simpleCall(number, .fstat, Self.word(descriptor), Program.output)
      try fetchOutput(number, observation, Program.output, Stat.byteCount)
      return observation
    case .changeMode(let descriptor, let mode):
      return try simpleCall(number, .fchmod, Self.word(descriptor), UInt64(mode))
    case .changeOwner(let descriptor, let user, let group):
      return try simpleCall(number, .fchown, Self.word(descriptor), Self.word(user), Self.word(group))
    case .close(let descriptor): return try simpleCall(number, .close, Self.word(descriptor))
    case .duplicate(let descriptor): return try simpleCall(number, .dup, Self.word(descriptor))
    case .duplicateTo(let descriptor, let target):
      return try simpleCall(number, .dup2, Self.word(descriptor), Self.word(target))
    case .fileControl(let descriptor, let command, let argument):
      return try simpleCall(number, .fcntl, Self.word(descriptor), Self.word(command), UInt64(bitPattern: argument))
    case .read(let descriptor, let address, let byteCount, let offset):
      let observation = try transfer(number, offset == nil ? .read : .pread, descriptor, address, byteCount, offset)
      if case .value(let count) = observation { try fetchOutput(number, observation, address, Int(count)) }
      return observation
    case .write(let descriptor, let address, let byteCount, let offset):
      return try transfer(number, offset == nil ? .write : .pwrite, descriptor, address, byteCount, offset)
    case .seek(let descriptor, let offset, let origin):
      return try simpleCall(
        number, .lseek, Self.word(descriptor), UInt64(bitPattern: offset), Self.word(origin))
    default: return try performIdentityOperation(operation, number)
    }
  }

  private func performIdentityOperation(_ operation: Operation, _ number: Int) throws(Difference) -> Observation {
    switch operation {
    case .processIdentifier: return try simpleCall(number, .getpid)
    case .parentIdentifier: return try simpleCall(number, .getppid)
    case .identity(let kind):
      let call: SystemCallNumber =
        switch kind {
        case .user: .getuid
        case .effectiveUser: .geteuid
        case .group: .getgid
        case .effectiveGroup: .getegid
        }
      return try simpleCall(number, call)
    case .setIdentity(let kind, let value):
      let call: SystemCallNumber =
        switch kind {
        case .user: .setuid
        case .effectiveUser: .seteuid
        case .group: .setgid
        case .effectiveGroup: .setegid
        }
      return try simpleCall(number, call, UInt64(value))
    case .setGroups(let groups):
      let bytes = groups.flatMap { group in (0..<4).map { UInt8(truncatingIfNeeded: group >> UInt32(8 * $0)) } }
      guard try prepare(number, bytes, at: Program.input) else { return .ended }
      return try simpleCall(number, .setgroups, UInt64(groups.count), Program.input)
    case .mask(let mask): return try simpleCall(number, .umask, UInt64(mask))
    case .sleep(let nanoseconds):
      let words = [UInt64(bitPattern: nanoseconds / 1_000_000_000), UInt64(bitPattern: nanoseconds % 1_000_000_000)]
      let bytes = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
      guard try prepare(number, bytes, at: Program.input) else { return .ended }
      let start = hardware.clock.nanoseconds
      let observation = try simpleCall(number, .nanosleep, Program.input, 0)
      if observation == .value(0) && hardware.clock.nanoseconds - start < UInt64(max(0, nanoseconds)) {
        throw Difference("nanosleep returned too early")
      }
      return observation
    case .clock:
      let observation = try simpleCall(number, .clockGettime, 4, Program.output)
      try fetchOutput(number, observation, Program.output, 16)
      return observation
    case .yield: return try simpleCall(number, .schedYield)
    default: throw Difference("no such operation")
    }
  }

  /// An int in a register: what is above its 32 bits does not count, so it is noise.
  private static func word(_ value: Int32) -> UInt64 { UInt64(UInt32(bitPattern: value)) | 0xDEAD_0000_0000 }

  private func transfer(
    _ number: Int, _ call: SystemCallNumber, _ descriptor: Int32, _ address: UInt64, _ byteCount: Int, _ offset: Int64?
  ) throws(Difference) -> Observation {
    try simpleCall(
      number, call, Self.word(descriptor), address, UInt64(byteCount), UInt64(bitPattern: offset ?? 0))
  }

  private func fork(_ number: Int, _ child: Int) throws(Difference) -> Observation {
    childBeingMade = child
    let observation = try simpleCall(number, .fork)
    guard case .value(let identifier) = observation else {
      childBeingMade = nil
      return observation
    }
    identifiers[child] = Int32(truncatingIfNeeded: identifier)
    // The child has to be met before another can be made.
    guard try schedule(child) else { throw Difference("a child ended before it began") }
    return observation
  }

  private func wait(_ number: Int, _ child: Int?, _ options: UInt32) throws(Difference) -> Observation {
    let which = child.map { identifiers[$0] ?? 99_999 } ?? -1
    let observation = try simpleCall(
      number, .wait4, Self.word(which), Program.output, UInt64(options), 0)
    if case .value(let identifier) = observation, identifier != 0 {
      try fetchOutput(number, observation, Program.output, 4)
      if let gone = identifiers.first(where: { UInt64($0.value) == identifier })?.key { identifiers[gone] = nil }
    }
    return observation
  }

  // MARK: Checks

  /// Everything that is wrong.
  public func problems(withContents: Bool) -> [String] {
    var spaces: [AddressSpace] = []
    var tables = 0
    var files: [ObjectIdentifier: OpenFile] = [:]
    var objects: [ObjectIdentifier: SharedMemoryObject] = [:]
    var processCount = 0
    var pending: [MapEntryInspection] = []
    kernel.inspectedProcesses.inspectProcesses { process in
      processCount += 1
      if let space = process.addressSpace { spaces.append(space) }
      if let table = process.files {
        tables += 1
        table.inspectFiles { _, file in files[ObjectIdentifier(file)] = file }
      }
      if let file = process.thread?.continuation.file { files[ObjectIdentifier(file)] = file }
      if case .map(let mapping, _) = process.thread?.continuation, let entry = mapping.inspected {
        pending.append(entry)
      }
      // A child that is being made, or was when its parent was killed.
      var copied = process.unfinishedFiles
      if case .fork(let pending) = process.thread?.continuation {
        if let space = pending.space { spaces.append(space) }
        copied = pending.files
      }
      if let copied {
        tables += 1
        copied.inspectFiles { _, file in files[ObjectIdentifier(file)] = file }
      }
    }
    for file in files.values {
      if let object = (file as? SharedMemoryFile2008)?.object { objects[ObjectIdentifier(object)] = object }
    }
    var names = 0
    kernel.inspectedFiles.inspectNames { object in
      names += 1
      objects[ObjectIdentifier(object)] = object
    }
    var found = InvariantChecker.problems(
      hardware, spaces: spaces, holding: objects.values.map(\.vmObject), pending: pending, withContents: withContents)
    if let excess = kernel.monitor?.excess {
      found.append("\(excess.name) takes \(excess.largest) from the heap and declares \(excess.bound)")
    }
    let counts = kernel.inspectedFiles.counts
    if counts.openFiles != files.count { found.append("\(counts.openFiles) open files counted, \(files.count) found") }
    if counts.sharedMemoryObjects != objects.count {
      found.append("\(counts.sharedMemoryObjects) shared memory objects counted, \(objects.count) found")
    }
    if counts.names != names { found.append("\(counts.names) names counted, \(names) found") }
    if counts.tables != tables { found.append("\(counts.tables) descriptor tables counted, \(tables) found") }
    if kernel.inspectedProcesses.processCount != processCount { found.append("the count of processes is wrong") }
    for object in objects.values
    where object.vmObject.pageCount != UInt64((object.size + 4095) / 4096) {
      found.append("an object of \(object.size) bytes has \(object.vmObject.pageCount) pages")
    }
    return found
  }

  /// Ends process 1; the kernel ends the others and counts what is left.
  public func shutDown() -> [String] {
    do throws(Difference) {
      guard try schedule(0) else { return ["process 1 is gone"] }
      _ = try call(0, .exit, [0])
    } catch { return [error.description] }
    if let monitor = kernel.monitor { HeapUseLog.add(monitor) }
    guard let report else { return ["the machine does not come to an end"] }
    var problems: [String] = []
    if report.leakedFrameCount != 0 { problems.append("\(report.leakedFrameCount) frames leaked") }
    if report.leakedObjectCount != 0 { problems.append("\(report.leakedObjectCount) objects leaked") }
    if report.leakedSwapBlockCount != 0 { problems.append("\(report.leakedSwapBlockCount) swap blocks leaked") }
    return problems + hardware.violations
  }
}
