// The calls of shared memory: shm_open2(2), shm_unlink(2), shm_rename(2), ftruncate(2), posix_fallocate(2), fspacectl(2).

import ABI

extension SimulatedCalls {
  static let sharedMemoryCalls: [any SimulatedCall.Type] = [
    SharedMemoryOpenCall.self, SharedMemoryUnlinkCall.self, SharedMemoryRenameCall.self, TruncateCall.self,
    AllocateSpaceCall.self, PunchHoleCall.self,
  ]
}

/// shm_open2(2), or with `is2008` the call 482; no name means SHM_ANON.
struct SharedMemoryOpenCall: SimulatedCall {
  var name: String?
  var flags: UInt32
  var mode: UInt16
  var sharedMemoryFlags: UInt32 = 0
  var is2008 = false

  static var weight: Int { 0 }
  static var examples: [CallExample] {
    [
      ("shm_open of 2008", SharedMemoryOpenCall(name: "/other", flags: .createReadWrite, mode: 0o600, is2008: true)),
      ("shm_open2", SharedMemoryOpenCall(name: "/other", flags: .createReadWrite, mode: 0o600)),
    ]
  }

  var number: SystemCallNumber { is2008 ? .shmOpen : .shmOpen2 }
  var arguments: [CallArgument] {
    [name.map { .path($0) } ?? .word(1), .word(flags), .word(mode), .word(sharedMemoryFlags), .anything]
  }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enfile, .emfile, .enomem] }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    guard flags & 0x400 != 0, let name, let object = model.names[name] else { return false }
    return model.losesLockedPages(object, shrinkingTo: 0)
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.sharedMemoryOpen(process, name, flags, mode, sharedMemoryFlags, is2008)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if generator.isMemoryOnly || generator.random.chance(oneIn: 4) {
      let extra = generator.isMemoryOnly ? 0 : UInt32(generator.random.number(below: 4))
      return SharedMemoryOpenCall(name: nil, flags: .readWriteFile, mode: 0o600, sharedMemoryFlags: extra)
    }
    var call = SharedMemoryOpenCall(
      name: "/" + (generator.random.pick(["a", "b", "c", "longer name/with a slash", "é"]) ?? "a"),
      flags: generator.random.pick([0, 2, 2, 2]) ?? 2,
      mode: generator.random.pick([0o600, 0o644, 0o666, 0o777, 0, 0o4755]) ?? 0o600)
    if !generator.random.chance(oneIn: 5) { call.flags |= 0x200 }
    if generator.random.chance(oneIn: 6) { call.flags |= 0x800 }
    if generator.random.chance(oneIn: 6) { call.flags |= 0x400 }
    if generator.random.chance(oneIn: 4) { call.flags |= 0x10_0000 }
    if generator.random.chance(oneIn: 30) { call.flags |= 0x1000 }
    call.is2008 = generator.random.chance(oneIn: 8)
    if !call.is2008 && generator.random.chance(oneIn: 4) {
      // (Objects of large pages are left to LargePageTests.swift; 8 means nothing.)
      call.sharedMemoryFlags = generator.random.pick([0, 1, 2, 3, 8]) ?? 0
    }
    return call
  }
}

/// shm_unlink(2)
struct SharedMemoryUnlinkCall: SimulatedCall {
  var name: String

  static var weight: Int { 4 }
  static var examples: [CallExample] { [("shm_unlink", SharedMemoryUnlinkCall(name: "/object"))] }

  var number: SystemCallNumber { .shmUnlink }
  var arguments: [CallArgument] { [.path(name)] }
  var changesState: Bool { true }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.sharedMemoryUnlink(process, name)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let names = ["/a", "/b", "/c", "/longer name/with a slash", "/é", "/no", "a"]
    return SharedMemoryUnlinkCall(name: generator.random.pick(names) ?? "")
  }
}

/// shm_rename(2)
struct SharedMemoryRenameCall: SimulatedCall {
  var name: String
  var newName: String
  var flags: UInt32 = 0

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [
      (
        "shm_rename",
        SharedMemoryRenameCall(name: "/object", newName: "/a new name " + String(repeating: "x", count: 90))
      ),
      ("shm_rename, exchange", SharedMemoryRenameCall(name: "/object", newName: "/object.", flags: 2)),
    ]
  }

  var number: SystemCallNumber { .shmRename }
  var arguments: [CallArgument] { [.path(name), .input(Array(newName.utf8) + [0], at: .second), .word(flags)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.sharedMemoryRename(process, name, newName, flags)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let names = ["/a", "/b", "/c", "/longer name/with a slash", "/é", "/no", "a", "/d"]
    return SharedMemoryRenameCall(
      name: generator.random.pick(names) ?? "", newName: generator.random.pick(names) ?? "",
      flags: generator.random.pick([0, 0, 0, 1, 2, 2, 3, 4]) ?? 0)
  }
}

/// posix_fallocate(2)
struct AllocateSpaceCall: SimulatedCall {
  var descriptor: Int32
  var offset: Int64
  var length: Int64

  static var examples: [CallExample] {
    [("posix_fallocate", AllocateSpaceCall(descriptor: 3, offset: 4096, length: 9 * 4096))]
  }

  var number: SystemCallNumber { .posixFallocate }
  var arguments: [CallArgument] { [.int(descriptor), .word(offset), .word(length)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enospc] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.allocateSpace(process, descriptor, offset, length)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    var call = AllocateSpaceCall(
      descriptor: generator.random.chance(oneIn: 6) ? generator.anyDescriptor(process) : generator.descriptor(process),
      offset: Int64(generator.random.number(below: 20_000)), length: Int64(generator.random.number(below: 20_000)))
    if generator.random.chance(oneIn: 20) { call.offset = generator.random.pick([-1, Int64.max, 1 << 33]) ?? 0 }
    if generator.random.chance(oneIn: 20) { call.length = generator.random.pick([-1, Int64.max, 1 << 33]) ?? 0 }
    return call
  }
}

/// fspacectl(2)
struct PunchHoleCall: SimulatedCall {
  var descriptor: Int32
  var command: Int32 = 1
  var offset: Int64
  var length: Int64
  var flags: UInt32 = 0

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [
      ("fspacectl", PunchHoleCall(descriptor: 3, offset: 100, length: 3 * 4096)),
      ("fspacectl of nothing", PunchHoleCall(descriptor: 3, offset: 1 << 40, length: 1)),
    ]
  }

  var number: SystemCallNumber { .fspacectl }
  var arguments: [CallArgument] {
    [
      .int(descriptor), .int(command),
      .input([offset, length].flatMap { KernelMachine.bytes(of: UInt64(bitPattern: $0)) }), .word(flags), .output(16),
    ]
  }
  var changesState: Bool { true }
  var transferErrors: [Errno] { [.eio, .efault] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if !model.reaches(process, .input, 16, write: false) { return .error(.efault) }
    let (expectation, left) = model.punchHole(process, self)
    if case .error = expectation {
      if model.reaches(process, .output, 16, write: true) {
        let told = [left.offset, left.length].flatMap { KernelMachine.bytes(of: UInt64(bitPattern: $0)) }
        process.store(told, at: model.place(.output))
      }
      return expectation
    }
    guard model.reaches(process, .output, 16, write: true) else { return .error(.efault) }
    let bytes = try model.output(.output, 16)
    try model.check("what is left begins at", bytes, 0, 8, UInt64(bitPattern: left.offset))
    try model.check("what is left", bytes, 8, 8, UInt64(bitPattern: left.length))
    return expectation
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    var call = PunchHoleCall(
      descriptor: generator.random.chance(oneIn: 6) ? generator.anyDescriptor(process) : generator.descriptor(process),
      offset: Int64(generator.random.number(below: 30_000)), length: Int64(generator.random.number(below: 20_000)))
    if generator.random.chance(oneIn: 2) { call.offset &= ~4095 }
    if generator.random.chance(oneIn: 2) { call.length &= ~4095 }
    switch generator.random.number(below: 40) {
    case 0: call.command = 2
    case 1: call.flags = 1
    case 2: call.offset = generator.random.pick([-1, Int64.max, 1 << 40]) ?? 0
    case 3: call.length = generator.random.pick([-1, Int64.max, 1 << 40]) ?? 0
    default: break
    }
    return call
  }
}

/// ftruncate(2)
struct TruncateCall: SimulatedCall {
  var descriptor: Int32
  var length: Int64

  static var weight: Int { 0 }
  static var examples: [CallExample] { [("ftruncate", TruncateCall(descriptor: 3, length: 9 * 4096 + 7))] }

  var number: SystemCallNumber { .ftruncate }
  var arguments: [CallArgument] { [.int(descriptor), .word(length)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }
  var transferErrors: [Errno] { [.eio, .efault] }
  func givesBack(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    process.file(descriptor)?.object.map { length <= $0.size } ?? false
  }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    guard length >= 0, let object = process.file(descriptor)?.object else { return false }
    return model.losesLockedPages(object, shrinkingTo: length)
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.truncate(process, descriptor, length)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    var length = Int64(generator.random.number(below: 40_000))
    if generator.random.chance(oneIn: 3) { length = Int64(generator.random.number(below: 10)) * 4096 }
    if !generator.isMemoryOnly && generator.random.chance(oneIn: generator.limitsReservations ? 200 : 50) {
      length = generator.random.pick([-1, 1 << 33, 1 << 45, Int64.max, 1]) ?? 0
    }
    return TruncateCall(descriptor: generator.descriptor(process), length: length)
  }
}
