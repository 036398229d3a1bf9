// Draws that bring reserved swap close to what vm.overcommit allows, from below and from above, so that refusals are decided
// by single pages.

extension OperationGenerator {
  /// Something about reservations, now and then, where the script is about them.
  mutating func reserving(_ model: ReferenceModel, _ process: ModelProcess) -> (any SimulatedCall)? {
    guard limitsReservations, !isMemoryOnly else { return nil }
    let isPrivileged = process.credentials.effectiveUser == 0
    if isPrivileged && random.chance(oneIn: 20) { return setOvercommit() }
    // Nothing is refused to the superuser.
    if isPrivileged && process.number != 0 && random.chance(oneIn: 10) {
      return random.chance(oneIn: 4)
        ? SetIdentityCall(kind: .effectiveUser, value: 1)
        : SetIdentityCall(kind: .user, value: UInt32(random.number(in: 1...2)))
    }
    guard model.overcommit & 3 != 0, random.chance(oneIn: 3) else { return nil }
    let countsUser = model.overcommit & 2 != 0 && (model.overcommit & 1 == 0 || random.chance(oneIn: 2))
    if countsUser && (process.limits[12].soft == ModelLimit.infinity || random.chance(oneIn: 4)) {
      return limitSwap(model, process)
    }
    guard let free = freePageCount(model, process, countsUser) else { return nil }
    return (random.chance(oneIn: 3) ? nil : take(free, model, process)) ?? leave(free, model, process)
  }

  private mutating func setOvercommit() -> any SimulatedCall {
    let value: UInt8 = random.pick([0, 1, 1, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8]) ?? 0
    let name: ControlName = random.chance(oneIn: 2) ? .numbers([2, 12]) : .name("vm.overcommit")
    return SystemControlCall(name: name, newValue: [value, 0, 0, 0])
  }

  /// A room of `pageCount` pages, or a little more or less.
  private mutating func roughly(_ pageCount: Int) -> Int {
    pageCount + (random.chance(oneIn: 2) ? random.number(in: -1...1) : random.number(in: -4...12))
  }

  /// Pages that the process' child, or the program when it is executed anew, needs.
  private func large(_ model: ReferenceModel, _ process: ModelProcess) -> (fork: Int, execute: Int) {
    (Int(model.reservation(of: process)), Int(ModelProcess.initialStackByteCount / 4096) + Int(Program.dataPageCount))
  }

  /// What may be needed next.
  private mutating func wanted(_ model: ReferenceModel, _ process: ModelProcess) -> Int {
    let large = large(model, process)
    return random.pick([0, 5, large.fork, large.execute]) ?? 0
  }

  private mutating func limitSwap(_ model: ReferenceModel, _ process: ModelProcess) -> any SimulatedCall {
    let own = model.reservation.ofUsers[process.credentials.realUser] ?? 0
    let pages = max(0, Int64(clamping: min(own, 1 << 40)) + Int64(roughly(wanted(model, process))))
    let rest = random.chance(oneIn: 3) ? Int64(random.number(below: 4096)) : 0
    return SetLimitCall(which: 12, soft: pages * 4096 + rest, hard: process.limits[12].hard)
  }

  /// How many pages more the process may reserve; negative when there are too many already.
  private func freePageCount(_ model: ReferenceModel, _ process: ModelProcess, _ countsUser: Bool) -> Int? {
    let reserved = model.reservation
    guard reserved.total < 1 << 40 else { return nil }
    if countsUser {
      let limit = min(process.limits[12].soft, 1 << 52) / 4096
      return Int(limit) - Int(reserved.ofUsers[process.credentials.realUser] ?? 0)
    }
    return Int(model.swapPageCount) + (model.overcommit & 4 != 0 ? pageableFrameCount : 0) - Int(reserved.total)
  }

  /// Something that needs just what is free, or a page more.
  private mutating func take(_ free: Int, _ model: ReferenceModel, _ process: ModelProcess) -> (any SimulatedCall)? {
    let large = large(model, process)
    if free - large.fork == 0 || free - large.fork == -1 { return ForkCall.draw(&self, model, process) }
    if free - large.execute == 0 || free - large.execute == -1 { return ExecuteCall() }
    let count = free + random.number(below: 2)
    guard count > 0, count < 60 else { return nil }
    switch random.number(below: 6) {
    case 0 where count < 12:
      return BreakCall(address: (process.breakAddress + 4095) / 4096 * 4096 + UInt64(count) * 4096)
    case 1:
      // Pages of nobody's reservation become somebody's.
      let pages = process.memory.filter { _, view in
        !view.isShared && view.chargedUser == nil && view.maximum & 2 != 0
      }
      if let first = pages.keys.sorted().first(where: { pages[$0 + UInt64(count) - 1] != nil }) {
        return ProtectCall(address: first * 4096, byteCount: UInt64(count) * 4096, protection: .readWrite)
      }
      return MapCall(address: 0, byteCount: UInt64(count) * 4096, protection: .readOnly, flags: .privateMemory)
    case 2, 3: return resize(process, by: count)
    default:
      let flags: UInt32 = random.chance(oneIn: 2) ? .privateMemory : .sharedMemory
      return MapCall(address: 0, byteCount: UInt64(count) * 4096, protection: .readWrite, flags: flags)
    }
  }

  /// Has an object grow or shrink so that there is as much room as something needs that may come, or nearly.
  private mutating func leave(_ free: Int, _ model: ReferenceModel, _ process: ModelProcess) -> (any SimulatedCall)? {
    resize(process, by: free - roughly(wanted(model, process)))
  }

  /// A size that changes by so many pages, where some object is that large.
  private mutating func resize(_ process: ModelProcess, by pageCount: Int) -> (any SimulatedCall)? {
    let fitting = process.descriptors.filter { _, entry in
      guard entry.file.isWritable, let object = entry.file.object else { return false }
      return object.pageCount + pageCount >= 0 && pageCount != 0
    }
    guard let descriptor = random.pick(fitting.keys.sorted()), let object = process.file(descriptor)?.object else {
      return nil
    }
    let length = Int64(object.pageCount + pageCount) * 4096
    if pageCount > 0 && length > 0 && object.creationFlags & 2 != 0 && random.chance(oneIn: 2) {
      return WriteCall(descriptor: descriptor, address: Program.buffer, byteCount: 64, offset: length - 64)
    }
    return TruncateCall(descriptor: descriptor, length: length > 0 ? length - Int64(random.number(below: 100)) : 0)
  }
}
