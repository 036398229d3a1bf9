// The system itself: sysctl(3), random numbers, sysarch(2), reboot(2).

import ABI

extension SimulatedCalls {
  static let systemCalls: [any SimulatedCall.Type] = [
    SystemControlCall.self, RandomCall.self, ArchitectureCall.self, RestartCall.self,
    SwapDeviceCall.self,
  ]
}

/// `__sysctl` by numbers or `__sysctlbyname`; no room: no length pointer, and with `isQuery` no buffer
struct SystemControlCall: SimulatedCall {
  var name: ControlName
  var room: Int? = 64
  var isQuery = false
  var newValue: [UInt8]?

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [
      ("__sysctl", SystemControlCall(name: .numbers([1, 24]))),
      ("__sysctlbyname that sets", SystemControlCall(name: .name("kern.signosys"), newValue: [0, 0, 0, 0])),
    ]
  }

  var number: SystemCallNumber {
    switch name {
    case .name: .sysctlbyname
    case .numbers: .sysctl
    }
  }
  var arguments: [CallArgument] {
    [
      .input(nameBytes, at: .path), .word(nameCount),
      isQuery || room == nil ? .null : .output(min(room ?? 0, 4)),
      room.map { .input(KernelMachine.bytes(of: UInt64($0)), at: .second) } ?? .null,
      newValue.map { .input($0) } ?? .null, .word(newValue?.count ?? 0),
    ]
  }
  private var nameBytes: [UInt8] {
    switch name {
    case .name(let text): Array(text.utf8)
    case .numbers(let numbers): numbers.flatMap { KernelMachine.bytes(of: UInt32(bitPattern: $0)) }
    }
  }
  private var nameCount: Int {
    switch name {
    case .name(let text): text.utf8.count
    case .numbers(let numbers): numbers.count
    }
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.systemControl(process, name, room, isQuery, newValue)
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    guard let room else { return }
    if observation == .value(0) || observation == .error(Errno.enomem.rawValue) {
      // Too small a buffer is filled as far as it goes.
      if !isQuery { try machine.fetch(process, at: machine.place(.output), .output, min(room, 64)) }
      try machine.fetch(process, at: machine.place(.second), .second, 8)
    } else {
      if !isQuery { try machine.fetch(process, observation, .output, 64) }
      try machine.fetch(process, observation, .second, 8)
    }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    var call = SystemControlCall(name: .name(""))
    if generator.random.chance(oneIn: 3) {
      call.room = generator.random.number(below: 12)
    } else if generator.random.chance(oneIn: 12) {
      call.room = nil
    }
    call.isQuery = generator.random.chance(oneIn: 6)
    switch generator.random.number(below: 24) {
    case 0, 1, 2: call.drawTranslation(&generator)
    case 3: call.drawPath(&generator, process)
    case 4, 5: call.drawWrong(&generator)
    default: call.drawNode(&generator)
    }
    return call
  }

  /// {0, 3}: from a name to numbers.
  private mutating func drawTranslation(_ generator: inout OperationGenerator) {
    let names =
      ReferenceModel.controlNumbers.keys.sorted() + ReferenceModel.controlNames
      + ["no.such", "", ReferenceModel.processPath]
    name = .numbers([0, 3])
    newValue = Array((generator.random.pick(names) ?? "").utf8)
  }

  /// What a process executes, and nobody's.
  private mutating func drawPath(_ generator: inout OperationGenerator, _ process: ModelProcess) {
    let who: [[Int32]] = [[], [-1], [process.identifier], [1], [77_777], [-1, 0]]
    name = .numbers(ReferenceModel.processPathNumbers + (generator.random.pick(who) ?? []))
    if generator.random.chance(oneIn: 6) { name = .name(ReferenceModel.processPath) }
    if generator.random.chance(oneIn: 8) { newValue = [1, 0, 0, 0] }
  }

  private mutating func drawWrong(_ generator: inout OperationGenerator) {
    let wrong: [ControlName] = [
      .numbers([1]), .numbers([1, 9999]), .numbers([1, 1, 1]), .numbers([77, 1]), .name("no.such"), .name(""),
      .numbers([Int32](repeating: 1, count: 25)), .name(String(repeating: "n", count: 1025)),
    ]
    name = generator.random.pick(wrong) ?? name
  }

  private mutating func drawNode(_ generator: inout OperationGenerator) {
    let names =
      generator.random.chance(oneIn: 3)
      ? ReferenceModel.memoryControls
      : ReferenceModel.controlNumbers.keys.sorted() + ReferenceModel.controlNames
    let text = generator.random.pick(names) ?? "hw.ncpu"
    name = .name(text)
    if let numbers = ReferenceModel.controlNumbers[text], generator.random.chance(oneIn: 2) {
      name = .numbers(numbers)
    }
    // Texts of unknown length are always given room.
    if text == "kern.version" || text == "kern.hostname" {
      room = 64
      isQuery = false
      return
    }
    guard generator.random.chance(oneIn: 3) else { return }
    newValue = [text == "vm.overcommit" ? 0 : UInt8(generator.random.number(below: 2)), 0, 0, 0]
    if text == "kern.maxfiles" {
      let count = generator.random.number(in: generator.random.chance(oneIn: 8) ? 5...60 : 100...3000)
      newValue = KernelMachine.bytes(of: UInt32(count))
    }
    if generator.random.chance(oneIn: 8) {
      newValue = [1, 0]
      isQuery = true
    }
  }
}

/// getrandom(2)
struct RandomCall: SimulatedCall {
  var byteCount: Int
  var flags: UInt32 = 0

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("random numbers", RandomCall(byteCount: 700))] }

  var number: SystemCallNumber { .getrandom }
  var arguments: [CallArgument] { [.output(byteCount), .word(byteCount), .word(flags)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if flags & ~7 != 0 { return .error(.einval) }
    if byteCount > 0 && !model.reaches(process, .output, byteCount, write: true) { return .error(.efault) }
    return .value(UInt64(byteCount))
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    RandomCall(
      byteCount: generator.random.number(below: 700), flags: generator.random.pick([0, 0, 1, 2, 4, 8]) ?? 0)
  }
}

/// sysarch(2): 128 and 129 are the fs base, 130 and 131 the gs base, odd ones set; the word is what one that sets finds
struct ArchitectureCall: SimulatedCall {
  var operation: UInt32
  var word: UInt64 = 0

  static var weight: Int { 1 }
  static var examples: [CallExample] {
    [
      ("sysarch that sets", ArchitectureCall(operation: 129, word: 0x1000)),
      ("sysarch that asks", ArchitectureCall(operation: 128)),
    ]
  }

  var number: SystemCallNumber { .sysarch }
  private var sets: Bool { operation & 1 == 1 }
  var arguments: [CallArgument] {
    [.word(operation), sets ? .input(KernelMachine.bytes(of: word)) : .output(8)]
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if operation < 128 || operation > 131 { return .error(.einval) }
    let index = operation < 130 ? 0 : 1
    if sets {
      if !model.reaches(process, .input, 8, write: false) { return .error(.efault) }
      if word >= ReferenceModel.userEnd { return .error(.einval) }
      process.thread.segmentBases[index] = word
    } else {
      if !model.reaches(process, .output, 8, write: true) { return .error(.efault) }
      try model.check("base", model.output(.output, 8), 0, 8, process.thread.segmentBases[index])
    }
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ArchitectureCall(
      operation: generator.random.pick([128, 129, 129, 130, 131, 131, 7, 132]) ?? 128,
      word: generator.random.pick([0, 0x60_0010, (1 << 46) - 1, 1 << 46, UInt64.max]) ?? 0)
  }
}

/// reboot(2). Only the superuser may, and must not: everything would end with it.
struct RestartCall: SimulatedCall {
  var how: UInt32

  static var weight: Int { 6 }
  static var examples: [CallExample] { [("reboot", RestartCall(how: 8))] }

  var number: SystemCallNumber { .reboot }
  var arguments: [CallArgument] { [.word(how)] }
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool { process.credentials.effectiveUser == 0 }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    process.credentials.effectiveUser == 0 ? .anything : .error(.eperm)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    RestartCall(how: generator.random.pick([0, 8, 0x4000]) ?? 0)
  }
}

/// swapon(2), or swapoff(2) with flags or without
struct SwapDeviceCall: SimulatedCall {
  enum Kind: String, Codable { case on, off, offWithoutFlags }

  var kind: Kind
  var path: String
  var flags: UInt32 = 0

  static var examples: [CallExample] {
    [
      ("swapon", SwapDeviceCall(kind: .on, path: "/dev/md0")),
      ("swapoff", SwapDeviceCall(kind: .off, path: "/dev/md1")),
      ("swapoff that is forced", SwapDeviceCall(kind: .off, path: "/dev/md1", flags: 1)),
      ("swapoff without flags", SwapDeviceCall(kind: .offWithoutFlags, path: "/dev/md1")),
    ]
  }

  var number: SystemCallNumber {
    switch kind {
    case .on: .swapon
    case .off: .swapoff
    case .offWithoutFlags: .freebsd13Swapoff
    }
  }
  var arguments: [CallArgument] { kind == .off ? [.path(path), .word(flags)] : [.path(path)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { kind == .on ? [] : [.enomem] }
  var transferErrors: [Errno] { kind == .on ? [.efault] : [.eio, .efault] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.changeSwap(process, self, observed)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let devices = model.swapIsInUse.count
    // The others are taken out of use now and then; the memory that the scripts count on is the first's.
    if process.credentials.effectiveUser == 0, devices > 1, generator.random.chance(oneIn: 2) {
      let device = 1 + generator.random.number(below: devices - 1)
      if !model.swapIsInUse[device] { return SwapDeviceCall(kind: .on, path: "/dev/md\(device)") }
      return SwapDeviceCall(
        kind: generator.random.chance(oneIn: 3) ? .offWithoutFlags : .off, path: "/dev/md\(device)",
        flags: generator.random.chance(oneIn: 8) ? 1 : 0)
    }
    let kind: Kind = generator.random.chance(oneIn: 2) ? .on : .off
    let isFirst = kind == .on || process.credentials.effectiveUser != 0
    let paths = ["/dev/md9", "/dev/null", "/nowhere", "", "/dev/null/x", isFirst ? "/dev/md0" : "/dev/md"]
    return SwapDeviceCall(
      kind: kind, path: generator.random.pick(paths) ?? "", flags: generator.random.chance(oneIn: 4) ? 2 : 0)
  }
}
