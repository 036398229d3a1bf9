// Calls on descriptors: close(2), dup(2), fcntl(2), closefrom(2).

import ABI

extension SimulatedCalls {
  static let descriptorCalls: [any SimulatedCall.Type] = [
    CloseCall.self, DuplicateCall.self, DuplicateToCall.self, FileControlCall.self, CloseFromCall.self,
    CloseRangeCall.self,
  ]
}

/// close(2)
struct CloseCall: SimulatedCall {
  var descriptor: Int32

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("close", CloseCall(descriptor: 3))] }

  var number: SystemCallNumber { .close }
  var arguments: [CallArgument] { [.int(descriptor)] }
  var changesState: Bool { true }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    process.descriptors.removeValue(forKey: descriptor) == nil ? .error(.ebadf) : .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    CloseCall(descriptor: generator.descriptor(process))
  }
}

/// dup(2)
struct DuplicateCall: SimulatedCall {
  var descriptor: Int32

  static var examples: [CallExample] { [("dup", DuplicateCall(descriptor: 3))] }

  var number: SystemCallNumber { .dup }
  var arguments: [CallArgument] { [.int(descriptor)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.emfile, .enfile, .enomem] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.duplicate(process, descriptor)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    generator.isFull(process) ? nil : DuplicateCall(descriptor: generator.descriptor(process))
  }
}

/// dup2(2)
struct DuplicateToCall: SimulatedCall {
  var descriptor: Int32
  var target: Int32

  static var examples: [CallExample] { [("dup into a new leaf", DuplicateToCall(descriptor: 3, target: 80))] }

  var number: SystemCallNumber { .dup2 }
  var arguments: [CallArgument] { [.int(descriptor), .int(target)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.emfile, .enfile, .enomem] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.duplicate(process, descriptor, to: target)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    DuplicateToCall(descriptor: generator.descriptor(process), target: Int32(generator.random.number(in: -1...14)))
  }
}

/// fcntl(2)
struct FileControlCall: SimulatedCall {
  var descriptor: Int32
  var command: Int32
  var argument: Int64

  static var weight: Int { 6 }
  static var examples: [CallExample] {
    [
      ("fcntl F_SETLK", FileControlCall(descriptor: 3, command: 12, argument: Int64(Program.data + 100))),
      ("fcntl F_DUPFD_CLOEXEC into a new leaf", FileControlCall(descriptor: 3, command: 17, argument: 70)),
      ("fcntl F_GETFL", FileControlCall(descriptor: 3, command: 3, argument: 0)),
    ]
  }

  var number: SystemCallNumber { .fcntl }
  var arguments: [CallArgument] { [.int(descriptor), .int(command), .word(argument)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.emfile, .enfile, .enomem] }
  /// The structure of a lock.
  var transferErrors: [Errno] { [.efault] }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    if let byteCount = ReferenceModel.lockByteCounts[command] {
      // Locks of files and devices; what is in the structure.
      return process.isNoObject(descriptor) && command != 22
        || command == 14 && process.credentials.effectiveUser == 0
        || process.access(UInt64(bitPattern: argument), byteCount, write: false) == .open
    }
    // Owners of devices.
    return process.isNoObject(descriptor) && (command == 5 || command == 6)
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.fileControl(process, descriptor, command, argument)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if generator.isFull(process) { return nil }
    let commands: [Int32] = [0, 1, 2, 3, 4, 5, 6, 7] + Array(10...22) + [99, -1]
    let command = generator.random.pick(commands) ?? 1
    let argument: Int64
    switch command {
    case 0, 10, 17, 18:
      argument = Int64(generator.random.number(in: -1...12)) + (generator.random.chance(oneIn: 12) ? 60 : 0)
    case 2: argument = Int64(generator.random.number(below: 2))
    case 4:
      argument = generator.random.pick([0, 4, 8, 12, 0x40, 0x44, 0x80, 0x200, 0x101_0000, 0xFFFF_FFBF]) ?? 0
    case 7, 11, 12, 13, 14, 22:
      let isBad = generator.random.chance(oneIn: 3)
      argument = Int64(bitPattern: isBad ? generator.badAddress(process) : Program.place(.input))
    case 15, 16: argument = Int64(generator.random.number(in: -1...1))
    case 19: argument = Int64(generator.random.number(below: 16))
    default: argument = 0
    }
    return FileControlCall(
      descriptor: generator.random.chance(oneIn: 3)
        ? generator.anyDescriptor(process) : generator.descriptor(process), command: command, argument: argument)
  }
}

/// closefrom(2)
struct CloseFromCall: SimulatedCall {
  var lowest: Int32

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("closefrom", CloseFromCall(lowest: 3))] }

  var number: SystemCallNumber { .closefrom }
  var arguments: [CallArgument] { [.int(lowest)] }
  var changesState: Bool { true }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.closeRange(process, UInt32(max(0, lowest)), UInt32.max, 0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if generator.isFull(process) { return CloseFromCall(lowest: 12) }
    return generator.random.chance(oneIn: 2) ? CloseFromCall(lowest: Int32(generator.random.number(in: -1...20))) : nil
  }
}

/// close_range(2)
struct CloseRangeCall: SimulatedCall {
  var lowest: UInt32
  var highest: UInt32
  var flags: UInt32

  static var examples: [CallExample] { [("close_range", CloseRangeCall(lowest: 0, highest: 70, flags: 4))] }

  var number: SystemCallNumber { .closeRange }
  var arguments: [CallArgument] { [.word(lowest), .word(highest), .word(flags)] }
  var changesState: Bool { true }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.closeRange(process, lowest, highest, flags)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    CloseRangeCall(
      lowest: UInt32(generator.random.number(below: 20)),
      highest: generator.random.chance(oneIn: 4) ? UInt32.max : UInt32(generator.random.number(below: 24)),
      flags: generator.random.pick([0, 4, 4, 4, 1]) ?? 4)
  }
}
