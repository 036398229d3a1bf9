// msync(2), madvise(2), minherit(2), mlock(2) and its like, as the simulation knows them.

import ABI

/// msync(2)
struct SynchronizeMappingCall: SimulatedCall {
  var address: UInt64
  var byteCount: UInt64
  var flags: UInt32 = 0

  static var weight: Int { 3 }
  static var examples: [CallExample] {
    [("msync", SynchronizeMappingCall(address: Program.window, byteCount: 2 * 4096, flags: 2))]
  }

  var number: SystemCallNumber { .msync }
  var arguments: [CallArgument] { [.word(address), .word(byteCount), .word(flags)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    let start = address & ~4095
    let size = (byteCount &+ (address & 4095) &+ 4095) & ~4095
    if start &+ size < start { return .error(.einval) }
    if flags & ~3 != 0 || flags == 3 { return .error(.einval) }
    // What lies beyond is cut off.
    let end = min(start + size, ReferenceModel.userEnd)
    let first = max(start, 0x1000) / 4096
    if start >= ReferenceModel.userEnd || process.memory[first] == nil { return .error(.enomem) }
    // (Without a length it is the mapping that is there.)
    for page in first..<max(first + 1, end / 4096) {
      guard let view = process.memory[page] else { return .error(.enomem) }
      if flags == 2 && view.isLocked { return .error(.ebusy) }
    }
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let flags = generator.random.pick([0, 0, 1, 2, 2, 2, 3, 4] as [UInt32]) ?? 0
    if generator.random.chance(oneIn: 8) {
      return SynchronizeMappingCall(address: generator.badAddress(process), byteCount: 4096, flags: flags)
    }
    let page = generator.mappedPage(process)
    let byteCount = UInt64(generator.random.number(below: 5) * 4096 + generator.random.number(below: 2))
    return SynchronizeMappingCall(
      address: page * 4096 + UInt64(generator.random.number(below: 3)), byteCount: byteCount,
      flags: flags)
  }
}

/// madvise(2)
struct AdviseCall: SimulatedCall {
  var address: UInt64
  var byteCount: UInt64
  var advice: Int32

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [
      ("madvise, kept", AdviseCall(address: Program.window + 4096, byteCount: 4096, advice: 1)),
      ("madvise, wanted", AdviseCall(address: Program.window, byteCount: 8 * 4096, advice: 3)),
      ("madvise, free", AdviseCall(address: Program.window, byteCount: 8 * 4096, advice: 5)),
    ]
  }

  var number: SystemCallNumber { .madvise }
  var arguments: [CallArgument] { [.word(address), .word(byteCount), .int(advice)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }
  func givesBack(_ model: ReferenceModel, _ process: ModelProcess) -> Bool { advice == 4 || advice == 5 }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if advice == 10 { return process.credentials.effectiveUser == 0 ? .value(0) : .error(.eperm) }
    let (end, wraps) = address.addingReportingOverflow(byteCount)
    if advice < 0 || advice > 9 || wraps || address < 0x1000 || end > ReferenceModel.userEnd { return .error(.einval) }
    if advice == 5 {
      // Old content or zeros: nobody may rely on either.
      for page in address / 4096..<max(address / 4096, (end + 4095) / 4096) {
        guard let view = process.memory[page], !view.isShared, view.copy != nil, !OperationGenerator.isProgram(page)
        else { continue }
        process.memory[page]?.isUncertain = true
      }
    }
    return .value(0)
  }

  /// The program itself is not freed.
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    advice == 5 && ModelProcess.pages(address, byteCount).contains { OperationGenerator.isProgram($0) }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let advice = Int32(generator.random.number(in: -1...11))
    if generator.random.chance(oneIn: 10) {
      return AdviseCall(address: generator.badAddress(process), byteCount: 4096, advice: advice)
    }
    let range = generator.windowRange()
    return AdviseCall(
      address: range.address + UInt64(generator.random.number(below: 2)), byteCount: range.byteCount, advice: advice)
  }
}

/// minherit(2)
struct InheritCall: SimulatedCall {
  var address: UInt64
  var byteCount: UInt64
  var inheritance: Int32

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [("minherit", InheritCall(address: Program.window + 4096, byteCount: 4096, inheritance: 2))]
  }

  var number: SystemCallNumber { .minherit }
  var arguments: [CallArgument] { [.word(address), .word(byteCount), .int(inheritance)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }

  private var pages: Range<UInt64> {
    let start = address & ~4095
    let size = (byteCount &+ (address & 4095) &+ 4095) & ~4095
    return ModelProcess.pages(start, min(size, ReferenceModel.userEnd - min(start, ReferenceModel.userEnd)))
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    let start = address & ~4095
    let size = (byteCount &+ (address & 4095) &+ 4095) & ~4095
    if start &+ size < start { return .error(.einval) }
    let kind = Int32(Int8(truncatingIfNeeded: inheritance))
    if kind < 0 || kind > 3 { return .error(.einval) }
    for page in pages where process.memory[page]?.isGuard == false { process.memory[page]?.inheritance = kind }
    return .value(0)
  }

  /// Private memory that is shared with children, which the model cannot tell, is left to other tests; so are guards.
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    pages.contains { page in
      guard let view = process.memory[page] else { return false }
      return view.isGuard || !view.isShared && inheritance & 255 == 0 || OperationGenerator.isProgram(page)
    }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let inheritance = generator.random.pick([0, 1, 1, 2, 3, 3, 4, -1, 258] as [Int32]) ?? 0
    if generator.random.chance(oneIn: 12) {
      return InheritCall(address: UInt64.max - 5000, byteCount: 16_384, inheritance: inheritance)
    }
    let range = generator.windowRange()
    return InheritCall(address: range.address, byteCount: range.byteCount, inheritance: inheritance)
  }
}

/// mlock(2), or munlock(2)
struct LockCall: SimulatedCall {
  var address: UInt64
  var byteCount: UInt64
  var locks = true

  static var examples: [CallExample] {
    [
      ("mlock", LockCall(address: Program.window, byteCount: 4 * 4096)),
      ("munlock", LockCall(address: Program.window + 4096, byteCount: 4096, locks: false)),
    ]
  }

  var number: SystemCallNumber { locks ? .mlock : .munlock }
  var arguments: [CallArgument] { [.word(address), .word(byteCount)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }
  var transferErrors: [Errno] { [.enomem] }
  func givesBack(_ model: ReferenceModel, _ process: ModelProcess) -> Bool { !locks }

  private var pages: Range<UInt64>? {
    let (last, wraps) = address.addingReportingOverflow(byteCount)
    let end = (last &+ 4095) & ~4095
    return wraps || end < last ? nil : address / 4096..<max(address / 4096, end / 4096)
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    guard let pages else { return .error(.einval) }
    if locks {
      let limit = process.limits[6].soft
      let locked = process.memory.values.count { $0.isLocked } + pages.count
      if limit != ModelLimit.infinity && locked > limit / 4096 { return .error(.enomem) }
    }
    for page in pages {
      guard let view = process.memory[page] else { return .error(.enomem) }
      if locks && (view.isGuard || view.protection == 0) { return .error(.enomem) }
    }
    for page in pages { process.setLocked(page, locks) }
    return .value(0)
  }

  /// What lies behind the end of an object cannot be locked, but what was done before that was seen stays open; so does how many
  /// pages all may lock.
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    guard let pages else { return false }
    return pages.count > 64 && pages.upperBound <= ReferenceModel.userEnd / 4096
      || pages.prefix(1000).contains { page in process.memory[page].map { $0.isBeyondEnd || $0.isUncertain } ?? false }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let locks = generator.random.chance(oneIn: 2)
    if generator.random.chance(oneIn: 10) {
      return LockCall(address: generator.badAddress(process), byteCount: 4096, locks: locks)
    }
    let locked = model.running.reduce(0) { $0 + $1.memory.values.count { $0.isLocked } }
    if locks && locked > 12 { return nil }
    let page = generator.mappedPage(process)
    return LockCall(
      address: page * 4096 + UInt64(generator.random.number(below: 2)),
      byteCount: UInt64(generator.random.number(below: 3)) * 4096, locks: locks)
  }
}

/// mlockall(2), or with no flags munlockall(2)
struct LockAllCall: SimulatedCall {
  var flags: UInt32?

  static var examples: [CallExample] {
    [("mlockall", LockAllCall(flags: 1)), ("munlockall", LockAllCall())]
  }

  var number: SystemCallNumber { flags == nil ? .munlockall : .mlockall }
  var arguments: [CallArgument] { flags.map { [.word($0)] } ?? [] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }
  var transferErrors: [Errno] { [.eagain] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if let flags, flags == 0 || flags & ~3 != 0 { return .error(.einval) }
    if flags != nil, process.limits[6].soft != ModelLimit.infinity, process.virtualByteCount > process.limits[6].soft {
      return .error(.enomem)
    }
    for page in process.memory.keys { process.setLocked(page, flags != nil) }
    return .value(0)
  }

  /// What MCL_FUTURE does is left to other tests.
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    guard let flags, flags != 0, flags & ~3 == 0 else { return false }
    return flags & 2 != 0 || process.memory.values.contains { $0.isBeyondEnd || $0.isUncertain }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    LockAllCall(flags: generator.random.pick([nil, nil, 0, 4] as [UInt32?]) ?? nil)
  }
}

extension ModelProcess {
  /// Locks a page, which brings it in, or unlocks it.
  fileprivate func setLocked(_ page: UInt64, _ locks: Bool) {
    guard let view = memory[page], !view.isGuard, view.protection != 0 || !locks else { return }
    memory[page]?.isLocked = locks
    guard locks else { return }
    let isAbsent = view.object.map { $0.pages[view.objectPage] == nil } ?? false
    if view.isShared {
      if isAbsent { view.object?.perhapsAllocated.insert(view.objectPage) }
      if view.protection & 2 != 0 { view.object?.perhapsModified.insert(view.objectPage) }
    } else if view.protection & 2 != 0 {
      memory[page]?.copy = view.copy ?? view.object?.page(view.objectPage) ?? ModelObject.zeroPage
    } else if isAbsent && view.copy == nil {
      view.object?.perhapsAllocated.insert(view.objectPage)
      memory[page]?.isUncertain = true
    }
  }
}
