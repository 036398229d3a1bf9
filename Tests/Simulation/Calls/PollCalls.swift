// poll(2), ppoll(2), select(2), pselect(2): asking, with no time or a little of it, or for ever where something is ready.

import ABI

extension SimulatedCalls {
  static let pollCalls: [any SimulatedCall.Type] = [PollCall.self, SelectCall.self]
}

/// An entry of poll(2).
struct PollEntry: Equatable, Sendable, Codable {
  var descriptor: Int32
  var events: UInt16
}

/// poll(2), or ppoll(2) with a time and no mask
struct PollCall: SimulatedCall {
  var entries: [PollEntry]
  /// In milliseconds; −1: for ever.
  var milliseconds: Int32
  var isPrecise = false

  static var weight: Int { 6 }
  static var examples: [CallExample] {
    let two = [PollEntry(descriptor: 3, events: 1), PollEntry(descriptor: 99, events: 4)]
    let idle = [PollEntry(descriptor: -1, events: 1)]
    return [
      ("poll", PollCall(entries: two, milliseconds: -1)), ("poll that waits", PollCall(entries: idle, milliseconds: 3)),
      ("poll of many", PollCall(entries: Array(repeating: idle[0], count: 128), milliseconds: 2)),
      ("ppoll", PollCall(entries: idle, milliseconds: 2, isPrecise: true)),
    ]
  }

  var number: SystemCallNumber { isPrecise ? .ppoll : .poll }
  private var byteCount: Int { 8 * entries.count }
  private var hasTime: Bool { isPrecise && milliseconds != -1 }
  private var entryBytes: [UInt8] {
    entries.flatMap { entry in
      KernelMachine.bytes(of: UInt64(UInt32(bitPattern: entry.descriptor)) | UInt64(entry.events) << 32 | 0xABCD << 48)
    }
  }
  var arguments: [CallArgument] {
    let first: [CallArgument] = [.input(entryBytes), .word(entries.count)]
    guard isPrecise else { return first + [.int(milliseconds)] }
    let time = [UInt64(max(0, milliseconds)) / 1000, UInt64(max(0, milliseconds)) % 1000 * 1_000_000]
    return first
      + [hasTime ? .input(time.flatMap { KernelMachine.bytes(of: $0) }, at: .second) : .null, .null]
  }
  var memoryErrors: [Errno] { [.enomem] }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    if entries.contains(where: { model.readinessIsOpen(process, $0.descriptor) }) { return true }
    // Who reads what both wait for, and who finds it gone.
    let isRead = entries.contains { process.file($0.descriptor).map(model.isAwaited) ?? false }
    return waits(model, process) && (isRead || !mayWait(process))
  }

  func waits(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    milliseconds == -1 && model.pollEvents(process, entries).allSatisfy { $0 == 0 }
  }

  /// Whether somebody else can make it go on, and nobody changes what its descriptors mean meanwhile.
  private func mayWait(_ process: ModelProcess) -> Bool {
    process.number != 0 && process.threads.count == 1
      && entries.contains { $0.descriptor >= 0 && $0.events & 0x45 != 0 }
      && entries.allSatisfy { $0.descriptor < 0 || process.file($0.descriptor)?.pipe != nil }
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if !isPrecise && milliseconds < -1 { return .error(.einval) }
    if hasTime && !model.reaches(process, .second, 16, write: false) { return .error(.efault) }
    if byteCount > 0 && !model.reaches(process, .input, byteCount, write: true) { return .error(.efault) }
    let found = model.pollEvents(process, entries)
    if waits(model, process) { return .blocked }
    if !entries.isEmpty {
      let told = try model.output(.input, byteCount)
      for (index, entry) in entries.enumerated() {
        try model.check("fd", told, 8 * index, 4, UInt64(UInt32(bitPattern: entry.descriptor)))
        try model.check("events", told, 8 * index + 4, 2, UInt64(entry.events))
        try model.check("revents of \(entry)", told, 8 * index + 6, 2, UInt64(found[index]))
      }
    }
    return .value(UInt64(found.count { $0 != 0 }))
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    guard let registers = try machine.prepare(arguments, by: process) else { return .ended }
    let start = machine.hardware.clock.nanoseconds
    let observation = try machine.call(process, number, registers)
    try collect(machine, by: process, observation)
    let taken = machine.hardware.clock.nanoseconds - start
    if observation == .value(0) && taken < UInt64(max(0, milliseconds)) * 1_000_000 {
      throw Difference("poll returned too early")
    }
    return observation
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    try machine.fetch(process, observation, .input, byteCount)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let pipes = process.descriptors.filter { $0.value.file.pipe != nil }.keys.sorted()
    if generator.mayBlock(model, process), generator.random.chance(oneIn: 3), let pipe = generator.random.pick(pipes) {
      return PollCall(
        entries: [PollEntry(descriptor: pipe, events: generator.random.pick([1, 0x40, 0x45]) ?? 1)], milliseconds: -1,
        isPrecise: generator.random.chance(oneIn: 3))
    }
    let isLong = generator.random.chance(oneIn: 12)
    let entries = (0..<generator.random.number(below: isLong ? 129 : 6)).map { _ in
      PollEntry(
        descriptor: generator.random.chance(oneIn: 8)
          ? generator.random.pick([-1, 99, Int32.min]) ?? -1
          : generator.anyDescriptor(process),
        events: generator.random.pick([0, 1, 4, 0x40, 0x45, 0x1ff, 2, 0x80, 0x2001]) ?? 1)
    }
    return PollCall(
      entries: entries, milliseconds: generator.random.pick([0, 0, 1, 5, -1, -1, -2]) ?? 0,
      isPrecise: generator.random.chance(oneIn: 3))
  }
}

/// select(2), or pselect(2) without a mask, with two sets
struct SelectCall: SimulatedCall {
  var count: Int32
  var readable: [Int32]
  var writable: [Int32]
  /// In microseconds; −1: for ever.
  var microseconds: Int64
  var isPrecise = false

  static var weight: Int { 5 }
  static var examples: [CallExample] {
    [
      ("select", SelectCall(count: 5, readable: [3], writable: [3], microseconds: 0)),
      ("select that waits", SelectCall(count: 5, readable: [], writable: [], microseconds: 2000)),
      ("pselect", SelectCall(count: 5, readable: [3], writable: [], microseconds: 10, isPrecise: true)),
      ("pselect that waits", SelectCall(count: 0, readable: [], writable: [], microseconds: 2000, isPrecise: true)),
    ]
  }

  /// Bytes of a set as the program has it.
  private static let setByteCount = 16
  var number: SystemCallNumber { isPrecise ? .pselect : .select }
  private var byteCount: Int { (Int(max(0, count)) + 63) / 64 * 8 }
  private func bytes(_ set: [Int32]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: SelectCall.setByteCount)
    for descriptor in set { bytes[Int(descriptor) / 8] |= 1 << UInt8(descriptor % 8) }
    return bytes
  }
  var arguments: [CallArgument] {
    let time = [
      UInt64(max(0, microseconds)) / 1_000_000, UInt64(max(0, microseconds)) % 1_000_000 * (isPrecise ? 1000 : 1),
    ]
    let limit: CallArgument =
      microseconds == -1 ? .null : .input(time.flatMap { KernelMachine.bytes(of: $0) }, at: .output)
    return [.int(count), .input(bytes(readable)), .input(bytes(writable), at: .second), .null, limit]
      + (isPrecise ? [.null] : [])
  }
  var memoryErrors: [Errno] { [.enomem] }

  private func asked(_ set: [Int32]) -> [Int32] { set.filter { $0 < count } }

  private func found(_ model: ReferenceModel, _ process: ModelProcess) -> ([Int32], [Int32]) {
    func hold(_ set: [Int32], _ events: UInt16) -> [Int32] {
      asked(set).filter { model.events(process, $0, 0x58 | 0x1c) & events != 0 }
    }
    return (hold(readable, 0x58), hold(writable, 0x1c))
  }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    let all = asked(readable) + asked(writable)
    if all.contains(where: { model.readinessIsOpen(process, $0) }) { return true }
    guard microseconds == -1, count >= 0, !all.contains(where: { process.file($0) == nil }) else { return false }
    let found = found(model, process)
    return found.0.isEmpty && found.1.isEmpty
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if microseconds != -1 && !model.reaches(process, .output, 16, write: false) { return .error(.efault) }
    if count < 0 { return .error(.einval) }
    // Beyond all descriptors the bits are looked at, and nothing is stored.
    let storedByteCount = min(byteCount, process.descriptorEnd / 8)
    let pointers = [CallPointer.input, .second]
    if Int(count) > process.descriptorEnd {
      for (pointer, set) in zip(pointers, [readable, writable]) {
        if !model.reaches(process, pointer, (Int(count) + 7) / 8, write: false) { return .error(.efault) }
        if asked(set).contains(where: { $0 >= process.descriptorEnd }) { return .error(.ebadf) }
      }
    }
    func reachesAll(write: Bool) -> Bool {
      storedByteCount == 0 || pointers.allSatisfy { model.reaches(process, $0, storedByteCount, write: write) }
    }
    if !reachesAll(write: false) { return .error(.efault) }
    if (asked(readable) + asked(writable)).contains(where: { process.file($0) == nil }) { return .error(.ebadf) }
    if !reachesAll(write: true) { return .error(.efault) }
    let found = found(model, process)
    if storedByteCount > 0 {
      for (pointer, set) in [(CallPointer.input, found.0), (.second, found.1)] {
        let told = try model.output(pointer, storedByteCount).prefix(storedByteCount)
        if Array(told) != Array(bytes(set).prefix(storedByteCount)) {
          throw Difference("a set is \(told), expected \(set)")
        }
      }
    }
    return .value(UInt64(found.0.count + found.1.count))
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    // What is not stored need not be there.
    for pointer in [CallPointer.input, .second] {
      let address = machine.place(pointer)
      let isInData = address >= Program.data && address < Program.dataEnd
      try machine.fetch(
        process, observation, pointer, isInData ? min(byteCount, Int(Program.dataEnd - address)) : byteCount)
    }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    func set(_ generator: inout OperationGenerator) -> [Int32] {
      (0..<generator.random.number(below: 4)).compactMap { _ in
        let descriptor = generator.anyDescriptor(process)
        return descriptor >= 0 && descriptor < 128 ? descriptor : nil
      }
    }
    return SelectCall(
      count: generator.random.pick([0, 3, 10, 64, 65, 128, 128, -1]) ?? 64,
      readable: Array(Set(set(&generator))).sorted(), writable: Array(Set(set(&generator))).sorted(),
      microseconds: generator.random.pick([0, 0, 10, 3000, -1]) ?? 0, isPrecise: generator.random.chance(oneIn: 3))
  }
}

extension ReferenceModel {
  /// What poll(2) finds of each entry.
  func pollEvents(_ process: ModelProcess, _ entries: [PollEntry]) -> [UInt16] {
    entries.map { entry in
      if entry.descriptor < 0 { return 0 }
      let events = events(process, entry.descriptor, entry.events)
      return events & 0x10 != 0 ? events & ~4 : events
    }
  }

  /// Whether it cannot be said what holds of a descriptor.
  func readinessIsOpen(_ process: ModelProcess, _ descriptor: Int32) -> Bool {
    process.file(descriptor)?.isConsole == true && facts.consoleIsSlow
  }

  /// What holds of a descriptor.
  func events(_ process: ModelProcess, _ descriptor: Int32, _ events: UInt16) -> UInt16 {
    guard let file = process.file(descriptor) else { return 0x20 }
    if file.is2008 { return 0x2d }
    guard let end = file.pipe else {
      if events & ~0x1ff != 0 { return 0x20 }
      let ready = events & 0x45
      return file.isConsole && consoleInput.isEmpty ? ready & 4 : ready
    }
    var found: UInt16 = end.bytes.isEmpty ? 0 : events & 0x41
    guard let peer = end.peer else {
      return events & 0x2000 != 0 ? found | events & 4 : found | events & 0x41 | 0x10
    }
    if peer.capacity - peer.bytes.count >= 512 { found |= events & 4 }
    return found
  }
}
