// Moving bytes: read(2), write(2), lseek(2), copy_file_range(2).

import ABI

extension SimulatedCalls {
  static let transferCalls: [any SimulatedCall.Type] = [
    ReadCall.self, WriteCall.self, SeekCall.self, CopyRangeCall.self,
  ]
}

/// read(2), or pread(2) with an offset
struct ReadCall: SimulatedCall {
  var descriptor: Int32
  var address: UInt64
  var byteCount: Int
  var offset: Int64?

  static var examples: [CallExample] {
    [
      ("read", ReadCall(descriptor: 3, address: Program.data + 100, byteCount: 9000)),
      ("pread", ReadCall(descriptor: 3, address: Program.data + 100, byteCount: 9000, offset: 9 * 4096 - 50)),
      ("read from the console", ReadCall(descriptor: 0, address: Program.buffer, byteCount: 100)),
      ("read of a program", ReadCall(descriptor: 4, address: Program.data + 100, byteCount: 5000)),
    ]
  }

  var number: SystemCallNumber { offset == nil ? .read : .pread }
  var arguments: [CallArgument] { [.int(descriptor), .word(address), .word(byteCount), .word(offset ?? 0)] }
  var changesState: Bool { true }
  var transferErrors: [Errno] { [.eio, .efault] }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    process.bufferIsOpen(descriptor, address, byteCount, writesMemory: true)
      || waits(model, process)
        && (process.number == 0 || process.threads.count > 1 || model.hasReader || model.isPolled(process, descriptor))
      || pipeIsOpen(model, process, descriptor, byteCount, writes: false)
  }

  func waits(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    guard let file = process.file(descriptor), file.isReadable else { return false }
    let isEmpty = file.isConsole ? model.consoleInput.isEmpty : file.pipe.map { $0.bytes.isEmpty && $0.peer != nil }
    return byteCount > 0 && offset == nil && file.statusFlags & 4 == 0 && isEmpty == true
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.read(
      process, descriptor, [ModelPiece(address: address, byteCount: UInt64(max(0, byteCount)))], byteCount, offset)
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    if case .value(let count) = observation { try machine.fetch(process, at: address, .output, Int(count)) }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    generator.ofDevice(process)
      .map { ReadCall(descriptor: $0.descriptor, address: $0.address, byteCount: $0.byteCount, offset: $0.offset) }
  }
}

/// write(2), or pwrite(2) with an offset
struct WriteCall: SimulatedCall {
  var descriptor: Int32
  var address: UInt64
  var byteCount: Int
  var offset: Int64?

  static var examples: [CallExample] {
    [
      ("write", WriteCall(descriptor: 3, address: Program.data + 100, byteCount: 9000)),
      ("pwrite", WriteCall(descriptor: 3, address: Program.data + 100, byteCount: 9000, offset: 9 * 4096 - 50)),
      ("write to the console", WriteCall(descriptor: 1, address: Program.data + 100, byteCount: 300)),
    ]
  }

  var number: SystemCallNumber { offset == nil ? .write : .pwrite }
  var arguments: [CallArgument] { [.int(descriptor), .word(address), .word(byteCount), .word(offset ?? 0)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }
  var transferErrors: [Errno] { [.eio, .efault] }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    process.bufferIsOpen(descriptor, address, byteCount, writesMemory: false)
      || pipeIsOpen(model, process, descriptor, byteCount, writes: true)
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.write(
      process, descriptor, [ModelPiece(address: address, byteCount: UInt64(max(0, byteCount)))], byteCount, offset)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    generator.ofDevice(process)
      .map { WriteCall(descriptor: $0.descriptor, address: $0.address, byteCount: $0.byteCount, offset: $0.offset) }
  }
}

extension SimulatedCall {
  /// Whether what a read or write of one piece of a pipe does is open.
  fileprivate func pipeIsOpen(
    _ model: ReferenceModel, _ process: ModelProcess, _ descriptor: Int32, _ byteCount: Int, writes: Bool
  ) -> Bool {
    guard let file = process.file(descriptor), byteCount > 0 else { return false }
    return model.pipeIsOpen(
      process, file, [ModelPiece(address: 0, byteCount: UInt64(byteCount))], writes: writes)
  }
}

extension OperationGenerator {
  /// What a read and a write are told.
  typealias Transfer = (descriptor: Int32, address: UInt64, byteCount: Int, offset: Int64?)

  /// A transfer of shared memory, most of the time.
  mutating func readOrWrite(_ process: ModelProcess, writes: Bool) -> Operation? {
    let descriptor = descriptor(process)
    if isMemoryOnly && process.file(descriptor)?.object == nil { return nil }
    var count = random.chance(oneIn: 3) ? 1 + random.number(below: 9000) : 1 + random.number(below: 200)
    var address = Program.buffer + UInt64(random.number(below: 4096))
    if random.chance(oneIn: 3) { address = mappedPage(process) * 4096 + UInt64(random.number(below: 4096)) }
    var offset: Int64? = isMemoryOnly || random.chance(oneIn: 2) ? Int64(random.number(below: 30_000)) : nil
    if !isMemoryOnly && random.chance(oneIn: 25) {
      switch random.number(below: 4) {
      case 0: count = random.pick([0, -1]) ?? 0
      case 1: offset = random.pick([-1, 1 << 33, Int64.max - 10]) ?? 0
      case 2: address = badAddress(process)
      default: address = Program.dataEnd - UInt64(random.number(below: 6000))
      }
    }
    return writes
      ? .call(WriteCall(descriptor: descriptor, address: address, byteCount: count, offset: offset))
      : .call(ReadCall(descriptor: descriptor, address: address, byteCount: count, offset: offset))
  }

  /// A transfer of a device or a file of /bin.
  fileprivate mutating func ofDevice(_ process: ModelProcess) -> Transfer? {
    guard let device = device(process) else { return nil }
    return (
      device, Program.buffer + UInt64(random.number(below: 4096)),
      1 + random.number(below: random.chance(oneIn: 4) ? 6000 : 40),
      random.chance(oneIn: 3) ? Int64(random.number(below: 9000)) : nil
    )
  }
}

extension ModelProcess {
  /// A transfer is compared only when what happens at each page of its buffer is known, and the buffer is not part of the
  /// object.
  func bufferIsOpen(
    _ descriptor: Int32, _ address: UInt64, _ byteCount: Int, writesMemory: Bool
  ) -> Bool {
    guard let file = file(descriptor), byteCount > 0 else { return false }
    let pages = ModelProcess.pages(address, UInt64(byteCount))
    if let object = file.object, pages.contains(where: { memory[$0]?.object === object }) { return true }
    let access = access(address, byteCount, write: writesMemory)
    if access == .open { return true }
    // What came before the fault nobody knows.
    if case .random = file.kind, writesMemory, access != .fine { return true }
    if file.isConsole && writesMemory {
      return address < Program.buffer || address &+ UInt64(byteCount) > Program.dataEnd
    }
    return false
  }
}

extension ReferenceModel {
  /// Whether a process waits for input already: which of two gets it is open.
  fileprivate var hasReader: Bool { running.contains { $0.blockedCalls.contains { $0 is ReadCall } } }

  /// Whether somebody waits to read from an end of a pipe.
  func isAwaited(_ file: ModelFile) -> Bool {
    guard let end = file.pipe else { return false }
    return running.contains { reader in
      reader.blockedCalls.contains { ($0 as? ReadCall).map { reader.file($0.descriptor)?.pipe === end } ?? false }
    }
  }

  /// Whether somebody waits until something can be read from what a descriptor refers to.
  fileprivate func isPolled(_ process: ModelProcess, _ descriptor: Int32) -> Bool {
    guard let end = process.file(descriptor)?.pipe else { return false }
    return running.contains { other in
      other.blockedCalls.contains { call in
        (call as? PollCall)?.entries.contains { other.file($0.descriptor)?.pipe === end } ?? false
      }
    }
  }
}

/// lseek(2)
struct SeekCall: SimulatedCall {
  var descriptor: Int32
  var offset: Int64
  var origin: Int32

  static var examples: [CallExample] { [("lseek", SeekCall(descriptor: 3, offset: 20, origin: 0))] }

  var number: SystemCallNumber { .lseek }
  var arguments: [CallArgument] { [.int(descriptor), .word(offset), .int(origin)] }
  var changesState: Bool { true }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.seek(process, descriptor, offset, origin)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SeekCall(
      descriptor: generator.random.chance(oneIn: 4)
        ? generator.anyDescriptor(process) : generator.descriptor(process),
      offset: Int64(generator.random.number(in: -5000...20_000)), origin: Int32(generator.random.number(below: 5)))
  }
}

/// copy_file_range(2); bit 0 of `offsets`: with an offset to read from, bit 1: with one to write to
struct CopyRangeCall: SimulatedCall {
  var source: Int32
  var target: Int32
  var byteCount: UInt64
  var flags: UInt32 = 0
  var offsets: UInt8 = 0

  static var examples: [CallExample] {
    [
      ("copy_file_range of nothing", CopyRangeCall(source: 4, target: 1, byteCount: 0, offsets: 3)),
      ("copy_file_range", CopyRangeCall(source: 4, target: 3, byteCount: 100)),
    ]
  }

  var number: SystemCallNumber { .copyFileRange }
  var arguments: [CallArgument] {
    let zero = [UInt8](repeating: 0, count: 8)
    return [
      .int(source), offsets & 1 != 0 ? .input(zero) : .null, .int(target),
      offsets & 2 != 0 ? .input(zero, at: .second) : .null, .word(byteCount), .word(flags),
    ]
  }

  /// Between regular files only, and none can be written (spec shm.md section 3.30).
  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if offsets & 1 == 1 && !model.reaches(process, .input, 8, write: false) { return .error(.efault) }
    if offsets & 2 == 2 && !model.reaches(process, .second, 8, write: false) { return .error(.efault) }
    if flags != 0 { return .error(.einval) }
    guard let from = process.file(source), from.isReadable else { return .error(.ebadf) }
    if from.isObject { return .error(.einval) }
    guard let to = process.file(target), to.isWritable else { return .error(.ebadf) }
    if to.isObject { return .error(.einval) }
    if to.statusFlags & 8 != 0 { return .error(.ebadf) }
    return byteCount == 0 ? .value(0) : .error(.einval)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    CopyRangeCall(
      source: generator.anyDescriptor(process), target: generator.anyDescriptor(process),
      byteCount: generator.random.pick([0, 0, 1, 5000]) ?? 0, flags: generator.random.chance(oneIn: 6) ? 1 : 0,
      offsets: UInt8(generator.random.number(below: 4)))
  }
}
