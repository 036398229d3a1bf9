// Draws of operations on names, descriptors, identities and processes.

extension OperationGenerator {
  mutating func various(_ model: ReferenceModel, _ process: ModelProcess) -> Operation? {
    switch random.number(below: 20) {
    case 0, 1:
      return .sharedMemoryUnlink(
        name: "/" + (random.pick(["a", "b", "c", "longer name/with a slash", "é", "no"]) ?? "a"))
    case 2 where process.descriptors.count > 24: return .close(descriptor: descriptor(process))
    case 2: return .duplicate(descriptor: descriptor(process))
    case 3: return .duplicateTo(descriptor: descriptor(process), target: Int32(random.number(in: 0...14)))
    case 4, 5: return process.descriptors.count > 24 ? nil : fileControl(process)
    case 6:
      return .seek(
        descriptor: descriptor(process), offset: Int64(random.number(in: -5000...20_000)),
        origin: Int32(random.number(below: 4)))
    case 7: return .changeMode(descriptor: descriptor(process), mode: UInt16(random.number(below: 0o10000)))
    case 8:
      return .changeOwner(
        descriptor: descriptor(process), user: Int32(random.number(in: -1...2)), group: Int32(random.number(in: -1...2))
      )
    case 9, 10:
      let child = random.pick(model.processes.values.filter { $0.parent == process.number }.map(\.number).sorted())
      return .wait(child: random.chance(oneIn: 2) ? child : nil, options: random.chance(oneIn: 2) ? 1 : 0)
    case 11: return .processIdentifier
    case 12: return .parentIdentifier
    case 13: return .identity(random.pick([.user, .effectiveUser, .group, .effectiveGroup]) ?? .user)
    case 14:
      if process.number == 0 { return nil }
      let kind = random.pick([.user, .effectiveUser, .group, .effectiveGroup] as [IdentityKind]) ?? .user
      return .setIdentity(kind, UInt32(random.number(below: 3)))
    case 15: return .mask(UInt16(random.number(below: 0o10000)))
    case 16:
      guard let target = random.pick(model.processes.keys.filter({ $0 != 0 }).sorted()) else { return nil }
      return .kill(process: target, signal: random.pick([0, 0, 9, 15, 30, 20, 28, 19, 200]) ?? 0)
    case 17: return .sleep(nanoseconds: Int64(random.number(below: 30_000_000)))
    case 18: return .clock
    default: return .yield
    }
  }

  private mutating func fileControl(_ process: ModelProcess) -> Operation {
    let command = random.pick([0, 1, 2, 3, 4, 17, 19, 20] as [Int32]) ?? 1
    let argument: Int64
    switch command {
    case 0, 17: argument = Int64(random.number(in: -1...10))
    case 2: argument = Int64(random.number(below: 2))
    case 4: argument = [0, 4, 8, 12][random.number(below: 4)]
    case 19: argument = Int64(random.number(below: 16))
    default: argument = 0
    }
    return .fileControl(descriptor: descriptor(process), command: command, argument: argument)
  }
}

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
    case .load(let address, let byteCount): return process.access(address, byteCount, write: false) == .open
    case .store(let address, let byteCount, _): return process.access(address, byteCount, write: true) == .open
    case .read(let descriptor, let address, let byteCount, let offset):
      return bufferIsOpen(process, descriptor, address, byteCount, offset, writesMemory: true)
    case .write(let descriptor, let address, let byteCount, let offset):
      return bufferIsOpen(process, descriptor, address, byteCount, offset, writesMemory: false)
    case .wait(let child, let options): return child == 0 || !waitIsReady(process, child, options)
    case .fileControl(let descriptor, _, _), .status(let descriptor), .seek(let descriptor, _, _),
      .changeMode(let descriptor, _), .changeOwner(let descriptor, _, _):
      return process.file(descriptor).map { $0.object == nil } ?? false
    case .map(_, _, _, let flags, let descriptor, _):
      return flags & 0x1000 == 0 && (process.file(descriptor).map { $0.object == nil } ?? false)
    case .duplicate(let descriptor), .close(let descriptor):
      // The console stays where it is, so that the kernel's own messages do not matter.
      return process.file(descriptor).map { $0.object == nil } ?? false
    case .duplicateTo(_, let target): return target < 3
    default: return false
    }
  }

  /// Whether a memory access ends with a signal.
  func endsProcess(_ operation: Operation, _ process: ModelProcess) -> Bool {
    switch operation {
    case .load(let address, let byteCount): process.access(address, byteCount, write: false) != .fine
    case .store(let address, let byteCount, _): process.access(address, byteCount, write: true) != .fine
    default: false
    }
  }

  /// A transfer is compared only when its buffer is reachable throughout or not at all, and is not part of the object.
  private func bufferIsOpen(
    _ process: ModelProcess, _ descriptor: Int32, _ address: UInt64, _ byteCount: Int, _ offset: Int64?,
    writesMemory: Bool
  ) -> Bool {
    guard let file = process.file(descriptor) else { return false }
    guard let object = file.object else { return true }
    let pages = ModelProcess.pages(address, UInt64(byteCount))
    if pages.contains(where: { process.memory[$0]?.object === object }) { return true }
    if process.access(address, byteCount, write: writesMemory) == .open { return true }
    guard let first = pages.first else { return false }
    let access = pages.map { process.access(page: $0, write: writesMemory) }
    return access.contains { $0 != .fine } && process.access(page: first, write: writesMemory) == .fine
  }
}
