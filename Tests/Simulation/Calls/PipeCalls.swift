// Pipes, and reads and writes of several pieces of memory: pipe(2), pipe2(2), readv(2), writev(2), preadv(2), pwritev(2).

import ABI

extension SimulatedCalls {
  static let pipeCalls: [any SimulatedCall.Type] = [PipeCall.self, VectorCall.self]
}

/// pipe2(2), or without flags the call of FreeBSD 9 and before
struct PipeCall: SimulatedCall {
  var flags: UInt32?

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [("pipe2", PipeCall(flags: 0x10_0004)), ("pipe of FreeBSD 9", PipeCall(flags: nil))]
  }

  var number: SystemCallNumber { flags == nil ? .pipe : .pipe2 }
  var arguments: [CallArgument] { flags.map { [.output(8), .word($0)] } ?? [] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem, .enfile, .emfile] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.makePipe(process, flags)
  }

  /// Of the old call both results are one value, the second in its upper half.
  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    guard let registers = try machine.prepare(arguments, by: process) else { return .ended }
    let observation = try machine.call(process, number, registers)
    try collect(machine, by: process, observation)
    guard flags == nil, case .value(let first) = observation else { return observation }
    return .value(first | (machine.secondResults.removeValue(forKey: process) ?? 0) << 32)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if generator.isFull(process) { return nil }
    if generator.random.chance(oneIn: 4) { return PipeCall(flags: nil) }
    return PipeCall(flags: generator.random.pick([0, 4, 4, 4, 0x10_0000, 0x10_0004, 1, 0x20_0000]))
  }
}

/// readv(2) or writev(2), or with an offset preadv(2) or pwritev(2)
struct VectorCall: SimulatedCall {
  var descriptor: Int32
  var pieces: [ModelPiece]
  var offset: Int64?
  var writes: Bool
  /// How many pieces the call is told that there are, if not as many as there are.
  var count: UInt32?

  static var weight: Int { 6 }
  static var examples: [CallExample] {
    let pieces = [
      ModelPiece(address: Program.data + 100, byteCount: 5000), ModelPiece(address: 8, byteCount: 0),
      ModelPiece(address: Program.data + 8000, byteCount: 4000),
    ]
    let many = (0..<60).map { ModelPiece(address: Program.buffer + UInt64($0) * 100, byteCount: 80) }
    return [
      ("readv", VectorCall(descriptor: 3, pieces: pieces, writes: false)),
      ("writev", VectorCall(descriptor: 3, pieces: pieces, writes: true)),
      ("preadv", VectorCall(descriptor: 3, pieces: many, offset: 9 * 4096 - 50, writes: false)),
      ("pwritev", VectorCall(descriptor: 3, pieces: many, offset: 9 * 4096 - 50, writes: true)),
      ("readv of a program", VectorCall(descriptor: 4, pieces: pieces, writes: false)),
    ]
  }

  var number: SystemCallNumber {
    offset == nil ? (writes ? .writev : .readv) : (writes ? .pwritev : .preadv)
  }
  var arguments: [CallArgument] {
    let bytes = pieces.flatMap { KernelMachine.bytes(of: $0.address) + KernelMachine.bytes(of: $0.byteCount) }
    return [.int(descriptor), .input(bytes), .int(Int32(bitPattern: told)), .word(offset ?? 0)]
  }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }
  var transferErrors: [Errno] { [.eio, .efault] }

  /// How many pieces the call is told that there are.
  var told: UInt32 { count ?? UInt32(pieces.count) }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    guard let file = process.file(descriptor) else { return false }
    if told != pieces.count && told <= 1024 { return true }
    for piece in pieces where piece.byteCount > 0 && piece.byteCount < 1 << 20 {
      if process.bufferIsOpen(descriptor, piece.address, Int(piece.byteCount), writesMemory: !writes) { return true }
    }
    if file.isConsole && (!writes && model.consoleInput.isEmpty || model.facts.consoleIsSlow) { return true }
    guard let end = file.pipe else { return false }
    // Only one call at a time waits, and that is read(2).
    if !writes && end.bytes.isEmpty && end.peer != nil && file.statusFlags & 4 == 0 { return true }
    return model.pipeIsOpen(process, file, pieces, writes: writes)
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.vector(process, self)
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    guard !writes, case .value(var left) = observation else { return }
    for piece in pieces {
      let count = min(left, piece.byteCount)
      try machine.fetch(process, at: piece.address, .output, Int(count))
      left -= count
    }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let isObject = generator.random.chance(oneIn: 3)
    let descriptor = isObject ? generator.descriptor(process) : generator.anyDescriptor(process)
    var pieces: [ModelPiece] = []
    // Pieces that are read into do not overlap: each has its own part of the buffer.
    for index in 0..<generator.random.number(below: 12) {
      let isLong = generator.random.chance(oneIn: 5)
      let place = Program.buffer + UInt64(index) * 2300 + UInt64(generator.random.number(below: 100))
      pieces.append(
        ModelPiece(address: place, byteCount: UInt64(generator.random.number(below: isLong ? 2200 : 120))))
    }
    var call = VectorCall(descriptor: descriptor, pieces: pieces, writes: generator.random.chance(oneIn: 2))
    if generator.random.chance(oneIn: 3) { call.offset = Int64(generator.random.number(below: 30_000)) }
    guard generator.random.chance(oneIn: 8) else { return call }
    switch generator.random.number(below: 5) {
    case 0: call.count = generator.random.pick([1025, UInt32.max])
    case 1: call.offset = generator.random.pick([-1, Int64.max - 10])
    case 2:
      call.pieces.append(ModelPiece(address: generator.badAddress(process), byteCount: 50))
    case 3:
      let half = ModelPiece(address: Program.buffer, byteCount: 1 << 62)
      call.pieces += [half, half]
    default: call.pieces.append(ModelPiece(address: 8, byteCount: 0))
    }
    return call
  }
}

extension ReferenceModel {
  /// The checks that come before those of read(2) and write(2), and then those.
  func vector(_ process: ModelProcess, _ call: VectorCall) throws(Difference) -> Expectation {
    if call.told > 1024 { return .error(.einval) }
    let byteCount = 16 * call.pieces.count
    if byteCount > 0 && !reaches(process, .input, byteCount, write: false) { return .error(.efault) }
    var sum: UInt64 = 0
    for piece in call.pieces {
      guard piece.byteCount <= UInt64(Int64.max) - sum else { return .error(.einval) }
      sum += piece.byteCount
    }
    return call.writes
      ? try write(process, call.descriptor, call.pieces, Int(sum), call.offset)
      : try read(process, call.descriptor, call.pieces, Int(sum), call.offset)
  }
}
