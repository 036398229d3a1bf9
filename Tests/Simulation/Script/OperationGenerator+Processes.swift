// Draws of the rarer operations: names, descriptors, processes and signals.

extension OperationGenerator {
  mutating func various(_ model: ReferenceModel, _ process: ModelProcess) -> Operation? {
    if let rescue = rescue(model, process) { return rescue }
    switch random.number(below: 10) {
    case 0, 1, 2: return variousFiles(process)
    case 3, 4, 5: return variousProcesses(model, process)
    case 6: return variousSignals(model, process)
    case 7, 8: return variousIdentities(process)
    default: return variousSystem(process)
    }
  }

  /// Those who are stopped, or wait for input, are not left alone for long.
  private mutating func rescue(_ model: ReferenceModel, _ process: ModelProcess) -> Operation? {
    if let reader = model.running.first(where: { if case .read = $0.blocked?.innermost { true } else { false } }),
      random.chance(oneIn: 10)
    {
      return .type(String(repeating: "input ", count: 1 + reader.number))
    }
    let stopped = model.running.filter(\.signals.isStopped)
    guard random.chance(oneIn: 8), let target = random.pick(stopped) else { return nil }
    return .kill(.process(target.number), signal: random.chance(oneIn: 12) ? 9 : 19)
  }

  /// A process of the script, dead or alive, now and then none.
  private mutating func target(_ model: ReferenceModel) -> ProcessTarget {
    if random.chance(oneIn: 12) {
      return random.pick([.caller, .raw(0), .raw(77_777), .raw(-77_777), .raw(Int32.min), .process(1000)]) ?? .caller
    }
    let number = random.pick(model.identifiers.keys.sorted().suffix(12)) ?? 0
    return .process(number)
  }

  // MARK: Files

  private mutating func variousFiles(_ process: ModelProcess) -> Operation? {
    let isFull = process.descriptors.count > 24
    switch random.number(below: 19) {
    case 18:
      return .copyRange(
        source: anyDescriptor(process), target: anyDescriptor(process), byteCount: random.pick([0, 0, 1, 5000]) ?? 0,
        flags: random.chance(oneIn: 6) ? 1 : 0, offsets: UInt8(random.number(below: 4)))
    case 0, 1:
      return .sharedMemoryUnlink(
        name: random.pick(["/a", "/b", "/c", "/longer name/with a slash", "/é", "/no", "a"]) ?? "")
    case 2: return isFull ? .close(descriptor: descriptor(process)) : .duplicate(descriptor: descriptor(process))
    case 3: return .duplicateTo(descriptor: descriptor(process), target: Int32(random.number(in: -1...14)))
    case 4, 5, 6: return isFull ? nil : fileControl(process)
    case 7:
      return .seek(
        descriptor: random.chance(oneIn: 4) ? anyDescriptor(process) : descriptor(process),
        offset: Int64(random.number(in: -5000...20_000)),
        origin: Int32(random.number(below: 5)))
    case 8: return .changeMode(descriptor: anyDescriptor(process), mode: UInt16(random.number(below: 0o10000)))
    case 9:
      return .changeOwner(
        descriptor: anyDescriptor(process), user: Int32(random.number(in: -1...2)),
        group: Int32(random.number(in: -1...2))
      )
    case 10, 11: return isFull ? .closeFrom(lowest: 12) : openFile()
    case 12: return control(process)
    case 13: return .synchronize(descriptor: anyDescriptor(process), onlyData: random.chance(oneIn: 2))
    case 14: return .descriptorTableSize
    case 15: return random.chance(oneIn: 3) ? .closeFrom(lowest: Int32(random.number(in: -1...20))) : nil
    case 16:
      let lowest = UInt32(random.number(below: 20))
      let highest: UInt32 = random.chance(oneIn: 4) ? UInt32.max : UInt32(random.number(below: 24))
      return .closeRange(lowest: lowest, highest: highest, flags: random.pick([0, 4, 4, 4, 1]) ?? 4)
    default:
      // Transfers of devices.
      guard let device = device(process) else { return openFile() }
      let address = Program.buffer + UInt64(random.number(below: 4096))
      let count = 1 + random.number(below: random.chance(oneIn: 4) ? 6000 : 40)
      let offset: Int64? = random.chance(oneIn: 3) ? Int64(random.number(below: 9000)) : nil
      return random.chance(oneIn: 2)
        ? .read(descriptor: device, address: address, byteCount: count, offset: offset)
        : .write(descriptor: device, address: address, byteCount: count, offset: offset)
    }
  }

  mutating func openFile() -> Operation {
    let paths = [
      "/dev/null", "/dev/zero", "/dev/console", "/bin/script", "/bin/notes", "/dev/null", "/dev/zero", "/dev/console",
      "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/fd/0", "/dev/fd/3", "/dev/fd/4", "/dev/fd/77",
      "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd", "/dev/fd/03", "/dev/fd/x", "/dev/fd/3/", "/dev/tty/x",
      "/", "/bin", "/dev/none", "/bin/none", "/none", "", "dev/zero", "/dev/null/x", "/bin/notes/", "//bin//notes",
      "/" + String(repeating: "n", count: 256), "/dev/" + String(repeating: "n", count: 1100),
    ]
    let path = random.pick(paths) ?? "/dev/null"
    let isProgram = path.hasPrefix("/bin/") && !random.chance(oneIn: 3)
    var flags = isProgram ? 0 : UInt32(random.pick([0, 0, 1, 2, 2, 3]) ?? 0)
    for bit in [0x4, 0x8, 0x200, 0x400, 0x800, 0x2_0000, 0x10_0000] as [UInt32] where random.chance(oneIn: 8) {
      flags |= bit
    }
    let directory: Int32? = random.chance(oneIn: 3) ? random.pick([-100, -100, 0, 3, 99]) : nil
    return .open(path: path, flags: flags, directory: directory)
  }

  private mutating func control(_ process: ModelProcess) -> Operation {
    let requests: [UInt32] = [
      0x2000_6601, 0x2000_6602, 0x4004_667F, 0x4004_667A, 0x4004_741A, 0x2000_7461, 0x4004_7473, 0x2000_745E,
      0xC008_6662,
      0x8004_667E, 0x8004_667D, 0x8004_667C, 0x4004_667B, 0xC008_6661,
      0x8030_6664, 0x4030_6665, 0x402C_7413, 0x4008_7468, 0x4004_7400, 0x2000_0001, 0x4000_0001, 0x2008_0001, 0x1,
      0x8080_0001, 0x4100_0001,
    ]
    let wanted = random.chance(oneIn: 2) ? Int32(random.number(below: 3)) : descriptor(process)
    return .deviceControl(
      descriptor: wanted, request: random.pick(requests) ?? 0, word: UInt32(random.number(below: 2)))
  }

  private mutating func fileControl(_ process: ModelProcess) -> Operation {
    let command =
      random.pick([0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 99, -1] as [Int32]) ?? 1
    let argument: Int64
    switch command {
    case 0, 10, 17, 18: argument = Int64(random.number(in: -1...12)) + (random.chance(oneIn: 12) ? 60 : 0)
    case 2: argument = Int64(random.number(below: 2))
    case 4: argument = random.pick([0, 4, 8, 12, 0x40, 0x44, 0x80, 0x200, 0x101_0000, 0xFFFF_FFBF]) ?? 0
    case 7, 11, 12, 13, 14, 22:
      argument = Int64(bitPattern: random.chance(oneIn: 3) ? badAddress(process) : Program.place(.input))
    case 15, 16: argument = Int64(random.number(in: -1...1))
    case 19: argument = Int64(random.number(below: 16))
    default: argument = 0
    }
    return .fileControl(
      descriptor: random.chance(oneIn: 3) ? anyDescriptor(process) : descriptor(process), command: command,
      argument: argument)
  }

  // MARK: Processes

  private mutating func variousProcesses(_ model: ReferenceModel, _ process: ModelProcess) -> Operation? {
    switch random.number(below: 16) {
    case 0, 1, 2, 3: return wait(model, process)
    case 4: return .processIdentifier
    case 5: return .parentIdentifier
    case 6: return .threadIdentifier
    case 7: return .processGroup
    case 8: return .processGroupOf(target(model))
    case 9: return .sessionOf(target(model))
    case 10: return random.chance(oneIn: 4) ? .makeSession : .sessionOf(.caller)
    case 11, 12:
      let child = random.pick(model.processes.values.filter { $0.parent == process.number }.map(\.number).sorted())
      let who = random.chance(oneIn: 2) ? ProcessTarget.caller : child.map { .process($0) } ?? target(model)
      return .setProcessGroup(who, group: random.chance(oneIn: 2) ? .caller : target(model))
    case 13: return .resourceUsage(who: random.pick([0, 0, -1, -1, 1, 2, -2]) ?? 0)
    case 14: return .yield
    default: return setBreak(process)
    }
  }

  private mutating func wait(_ model: ReferenceModel, _ process: ModelProcess) -> Operation {
    let children = model.processes.values.filter { $0.parent == process.number && $0 !== process }
    let child = random.pick(children.map(\.number).sorted())
    var who: ProcessTarget = .all
    switch random.number(below: 8) {
    case 0, 1, 2: who = child.map { .process($0) } ?? .all
    case 3: who = .caller
    case 4: who = child.map { .group($0) } ?? .all
    case 5 where random.chance(oneIn: 2): who = target(model)
    default: break
    }
    var options: UInt32 = random.chance(oneIn: 2) ? 1 : 0
    for bit in [2, 4] as [UInt32] where random.chance(oneIn: 2) { options |= bit }
    if random.chance(oneIn: 10) { options |= random.pick([8, 8, 16, 32, 64, 0x8000_0000]) ?? 8 }
    return .wait(for: who, options: options, usage: random.chance(oneIn: 3))
  }

  private mutating func setBreak(_ process: ModelProcess) -> Operation {
    switch random.number(below: 8) {
    case 0: .setBreak(Program.dataEnd - 1)
    case 1: .setBreak(random.pick([Program.dataEnd + (33 << 30), 1 << 46, UInt64.max]) ?? 0)
    case 2: .setBreak(Program.dataEnd)
    default: .setBreak(Program.dataEnd + UInt64(random.number(below: 12 * 4096)))
    }
  }

  mutating func execute() -> Operation {
    let paths = ["/bin/notes", "/bin/none", "/dev/null", "/bin", "/bin/script/x", ""]
    if random.chance(oneIn: 5) { return .execute(path: random.pick(paths) ?? "") }
    return .execute(argumentCount: random.chance(oneIn: 4) ? random.number(below: 100) : 1)
  }

  // MARK: Signals

  private mutating func variousSignals(_ model: ReferenceModel, _ process: ModelProcess) -> Operation? {
    switch random.number(below: 7) {
    case 4:
      return .controlProcess(
        type: random.pick([0, 0, 0, 2, 2, 1, -1]) ?? 0, target(model), command: random.chance(oneIn: 8) ? 7 : 1,
        flags: random.pick([1, 2, 0x11, 0x32, 0x21, 0, 3, 0x41]) ?? 1)
    case 0, 1:
      let handler = random.pick([nil, 0, 1, 1, 0x20_0000] as [UInt64?]) ?? nil
      return .signalAction(
        signal: random.pick([20, 20, 12, 15, 30, 1, 9, 17, 18, 19, 128, 0, 129, -1]) ?? 20, handler: handler,
        wantsOld: !random.chance(oneIn: 4))
    case 2:
      // Groups, and everybody.
      let who: ProcessTarget = random.pick([.caller, .all, .group(process.number), .raw(-77_777)]) ?? .caller
      return .kill(who, signal: random.pick([0, 0, 0, 28, 19, 19, 17, 15, 129]) ?? 0)
    case 3 where random.chance(oneIn: 2):
      let isUnknown = random.chance(oneIn: 2)
      return .unknownCall(random.pick(isUnknown ? Operation.unknownCalls : Operation.missingCalls) ?? 590)
    default:
      guard let number = random.pick(model.processes.keys.sorted()) else { return nil }
      let signals: [Int32] = [0, 0, 0, 9, 15, 30, 20, 28, 19, 19, 17, 17, 18, 21, 22, 65, 128, 200, -1]
      return .kill(random.chance(oneIn: 8) ? target(model) : .process(number), signal: random.pick(signals) ?? 0)
    }
  }
}
