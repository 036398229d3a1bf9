// Draws of the rarer operations: identities, limits, time, the system; and calls with bad pointers or through `syscall`.

extension OperationGenerator {
  mutating func variousIdentities(_ process: ModelProcess) -> Operation? {
    let isInitial = process.number == 0
    let ofGroups = random.chance(oneIn: 2)
    switch random.number(below: 12) {
    case 0, 1: return .identity(random.pick([.user, .effectiveUser, .group, .effectiveGroup]) ?? .user)
    case 2:
      let kind = random.pick([.user, .effectiveUser, .group, .effectiveGroup] as [IdentityKind]) ?? .user
      return isInitial ? nil : .setIdentity(kind, UInt32(random.number(below: 3)))
    case 3, 4:
      let values = (0..<random.number(in: 2...3)).map { _ in Int32(random.number(in: -1...2)) }
      return isInitial ? nil : .setIdentities(ofGroups: ofGroups, values)
    case 5, 6: return .identities(ofGroups: ofGroups, wanted: UInt8(random.number(below: 8)))
    case 7:
      let count = random.chance(oneIn: 4) ? random.number(in: 10...60) : random.number(below: 5)
      return isInitial ? nil : .setGroups((0..<count).map { UInt32($0 % 3) })
    case 8: return .groups(room: Int32(random.pick([0, 0, 1, 3, 16, 80, -1]) ?? 0))
    case 9: return .isTainted
    case 10: return .mask(UInt16(random.number(below: 0o10000)))
    default: return limit(process)
    }
  }

  private mutating func limit(_ process: ModelProcess) -> Operation {
    let which = Int32(random.pick([0, 1, 2, 3, 7, 8, 8, 10, 10, 12, 15, 16, -1]) ?? 8)
    if process.number == 0 || random.chance(oneIn: 3) { return .resourceLimit(which) }
    let old = which >= 0 && which < 16 ? process.limits[Int(which)] : ModelLimit()
    var soft: Int64
    switch which {
    case 2:
      soft =
        Int64(Program.dataPageCount) * 4096 + Int64(random.number(in: -1...12)) * 4096
        + Int64(random.chance(oneIn: 4) ? 5 : 0)
    case 3: soft = Int64(random.number(in: 1...10)) << 20
    case 7: soft = Int64(random.number(in: 1...20))
    case 8: soft = Int64(random.number(in: 0...40))
    case 10: soft = Int64(process.virtualByteCount) + Int64(random.number(in: -4...12)) * 4096
    default: soft = Int64(random.number(below: 100_000))
    }
    // Back to where it was, or beyond.
    if random.chance(oneIn: 3) { soft = random.chance(oneIn: 4) ? -1 : old.hard }
    return .setResourceLimit(which, soft: soft, hard: random.chance(oneIn: 8) ? soft : old.hard)
  }

  mutating func variousSystem(_ process: ModelProcess) -> Operation? {
    let clock = Int32(random.number(in: -1...17))
    // Only the superuser may restart the machine, and must not.
    if process.credentials.effectiveUser != 0 && random.chance(oneIn: 4) {
      return .restart(how: random.pick([0, 8, 0x4000]) ?? 0)
    }
    switch random.number(below: 11) {
    case 0: return .sleep(nanoseconds: Int64(random.number(below: 30_000_000)))
    case 1:
      let seconds = Int64(random.number(in: -1...1) * (random.chance(oneIn: 4) ? 1 : 0))
      let nanoseconds: Int64 = random.pick([0, 1, -1, 1_000_000_000, 999_999_999]) ?? 0
      return .sleep(seconds: seconds, nanoseconds: nanoseconds)
    case 2, 3: return .clock(identifier: random.chance(oneIn: 2) ? 4 : clock)
    case 4: return .clockResolution(identifier: clock, wantsTime: !random.chance(oneIn: 4))
    case 5: return .timeOfDay(wanted: UInt8(random.number(below: 4)))
    case 6, 7, 8: return systemControl(process)
    case 9: return .randomBytes(count: random.number(below: 700), flags: random.pick([0, 0, 1, 2, 4, 8]) ?? 0)
    default:
      let word: UInt64 = random.pick([0, 0x60_0010, (1 << 46) - 1, 1 << 46, UInt64.max]) ?? 0
      return .architecture(operation: random.pick([128, 129, 129, 130, 131, 131, 7, 132]) ?? 128, word: word)
    }
  }

  private mutating func systemControl(_ process: ModelProcess) -> Operation {
    let numbered = ReferenceModel.controlNumbers.keys.sorted()
    let room: Int? = random.chance(oneIn: 3) ? random.number(below: 12) : random.chance(oneIn: 12) ? nil : 64
    var isQuery = random.chance(oneIn: 6)
    if random.chance(oneIn: 8) {
      // {0, 3}: from a name to numbers.
      let name =
        random.pick(numbered + ReferenceModel.controlNames + ["no.such", "", ReferenceModel.processPath]) ?? ""
      return .systemControl(.numbers([0, 3]), room: room, isQuery: isQuery, newValue: Array(name.utf8))
    }
    if random.chance(oneIn: 14) {
      // What a process executes, and nobody's.
      let who: [[Int32]] = [[], [-1], [process.identifier], [1], [77_777], [-1, 0]]
      let numbers = ReferenceModel.processPathNumbers + (random.pick(who) ?? [])
      let name = ControlName.name(ReferenceModel.processPath)
      let newValue: [UInt8]? = random.chance(oneIn: 8) ? [1, 0, 0, 0] : nil
      return .systemControl(
        random.chance(oneIn: 6) ? name : .numbers(numbers), room: room, isQuery: isQuery, newValue: newValue)
    }
    if random.chance(oneIn: 10) {
      let wrong: [ControlName] = [
        .numbers([1]), .numbers([1, 9999]), .numbers([1, 1, 1]), .numbers([77, 1]), .name("no.such"), .name(""),
        .numbers([Int32](repeating: 1, count: 25)), .name(String(repeating: "n", count: 1025)),
      ]
      return .systemControl(random.pick(wrong) ?? .name(""), room: room, isQuery: isQuery)
    }
    let names = random.chance(oneIn: 3) ? ReferenceModel.memoryControls : numbered + ReferenceModel.controlNames
    let name = random.pick(names) ?? "hw.ncpu"
    // Texts of unknown length are always given room.
    let isText = name == "kern.version" || name == "kern.hostname"
    let numbers = ReferenceModel.controlNumbers[name]
    let how: ControlName =
      numbers != nil && random.chance(oneIn: 2) ? .numbers(numbers ?? []) : .name(name)
    if isText { return .systemControl(how, room: 64) }
    var newValue: [UInt8]?
    if random.chance(oneIn: 3) {
      let isOvercommit = name == "vm.overcommit"
      newValue = [isOvercommit ? 0 : UInt8(random.number(below: 2)), 0, 0, 0]
      if name == "kern.maxfiles" {
        newValue = KernelMachine.bytes(of: UInt32(random.number(in: random.chance(oneIn: 8) ? 5...60 : 100...3000)))
      }
      if random.chance(oneIn: 8) { newValue = [1, 0] }
    }
    if newValue?.count == 2 { isQuery = true }
    return .systemControl(how, room: room, isQuery: isQuery, newValue: newValue)
  }

  // MARK: How a call is made

  /// Now and then a call is made through `syscall` or `__syscall`, or with a pointer that points elsewhere.
  mutating func varied(_ operation: Operation, _ process: ModelProcess) -> Operation {
    if operation.systemCalls.isEmpty { return operation }
    if random.chance(oneIn: 30) { return .through(isWide: random.chance(oneIn: 2), operation) }
    guard random.chance(oneIn: 12) else { return operation }
    let pointers = CallPointer.allCases.filter { operation.use(of: $0) != nil }
    guard let pointer = random.pick(pointers), let use = operation.use(of: pointer) else { return operation }
    var address = badAddress(process)
    if random.chance(oneIn: 3) {
      address = Program.dataEnd - UInt64(1 + random.number(below: max(1, use.byteCount)))
    } else if use.isFilled && random.chance(oneIn: 2), let page = random.pick(process.memory.keys.sorted()) {
      address = page * 4096 + UInt64(random.number(below: 4096))
    }
    return .misplaced(pointer, address, operation)
  }
}
