// Limits, usage and time (spec abi.md sections 10, 16 and 17), naively.
import ABI

extension ReferenceModel {
  static func initialLimits(_ facts: SystemFacts) -> [ModelLimit] {
    var limits = [ModelLimit](repeating: ModelLimit(), count: 16)
    limits[2] = ModelLimit(soft: 32 << 30, hard: 32 << 30)
    limits[3] = ModelLimit(soft: 8 << 20, hard: 512 << 20)
    let processes = Int64(facts.maximumProcessCount / 10 * 9 + facts.maximumProcessCount % 10 * 9 / 10)
    limits[7] = ModelLimit(soft: processes, hard: processes)
    limits[8] = ModelLimit(soft: Int64(facts.maximumFilesPerProcess), hard: Int64(facts.maximumFilesPerProcess))
    return limits
  }

  func resourceLimit(_ process: ModelProcess, _ which: Int32) throws(Difference) -> Expectation {
    if which < 0 || which >= 16 { return .error(.einval) }
    if !reaches(process, .output, 16, write: true) { return .error(.efault) }
    let limit = process.limits[Int(which)]
    let bytes = try output(.output, 16)
    try check("rlim_cur", bytes, 0, 8, UInt64(bitPattern: limit.soft))
    try check("rlim_max", bytes, 8, 8, UInt64(bitPattern: limit.hard))
    return .value(0)
  }

  func setResourceLimit(_ process: ModelProcess, _ which: Int32, _ soft: Int64, _ hard: Int64) -> Expectation {
    if !reaches(process, .input, 16, write: false) { return .error(.efault) }
    if which < 0 || which >= 16 { return .error(.einval) }
    var new = ModelLimit(soft: soft < 0 ? ModelLimit.infinity : soft, hard: hard < 0 ? ModelLimit.infinity : hard)
    let old = process.limits[Int(which)]
    if (new.soft > old.hard || new.hard > old.hard) && process.credentials.effectiveUser != 0 { return .error(.eperm) }
    new.soft = min(new.soft, new.hard)
    let ceilings: [Int32: Int64] = [
      2: 32 << 30, 3: 512 << 20, 7: Int64(facts.maximumProcessCount), 8: Int64(facts.maximumFilesPerProcess),
    ]
    let ceiling = ceilings[which] ?? ModelLimit.infinity
    let floor: Int64 = which == 7 ? 1 : 0
    process.limits[Int(which)] = ModelLimit(
      soft: max(floor, min(new.soft, ceiling)), hard: max(floor, min(new.hard, ceiling)))
    return .value(0)
  }

  func resourceUsage(_ process: ModelProcess, _ who: Int32) throws(Difference) -> Expectation {
    if who < -1 || who > 1 { return .error(.einval) }
    if !reaches(process, .output, 144, write: true) { return .error(.efault) }
    let told = try ModelUsage(decoding: output(.output, 144))
    if who == 1 && process.hasHadThreads { return .value(0) }
    if who == -1 {
      try process.childUsage.learn(told)
    } else {
      process.usage.isExact = false
      try process.usage.learn(told)
      let uptime = (now.latest - SimulatedClock.realTimeAtStart) / 1000
      if told.values[0] > uptime { throw Difference("used \(told.values[0]) µs of \(uptime)") }
    }
    return .value(0)
  }

  // MARK: Time

  /// 1 virtual, 2 profiling, 14 thread, 15 process: time that was used. 3 and 6 do not exist.
  func clock(_ process: ModelProcess, _ identifier: Int32) throws(Difference) -> Expectation {
    if identifier < 0 || identifier > 15 || identifier == 3 || identifier == 6 { return .error(.einval) }
    if !reaches(process, .output, 16, write: true) { return .error(.efault) }
    let bytes = try output(.output, 16)
    let value = littleEndian(bytes, 0) * 1_000_000_000 + littleEndian(bytes, 8)
    let offset = [0, 9, 10, 13].contains(identifier) ? 0 : SimulatedClock.realTimeAtStart
    var earliest = now.earliest - offset
    if [1, 2, 14, 15].contains(identifier) {
      earliest = identifier == 14 && process.hasHadThreads ? 0 : process.usage.values[0] * 1000
    }
    if identifier == 13 {
      earliest -= earliest % 1_000_000_000
      if value % 1_000_000_000 != 0 { throw Difference("CLOCK_SECOND shows \(value)") }
    }
    if littleEndian(bytes, 8) >= 1_000_000_000 || value < earliest || value > now.latest - offset {
      throw Difference("clock \(identifier) shows \(value)")
    }
    return .value(0)
  }

  func clockResolution(
    _ process: ModelProcess, _ identifier: Int32, _ wantsTime: Bool
  ) throws(Difference) -> Expectation {
    // Any negative number may be a process' clock.
    if identifier > 15 || identifier == 3 || identifier == 6 { return .error(.einval) }
    if !wantsTime { return .value(0) }
    if !reaches(process, .output, 16, write: true) { return .error(.efault) }
    let bytes = try output(.output, 16)
    let value = littleEndian(bytes, 0) * 1_000_000_000 + littleEndian(bytes, 8)
    let isSecond = identifier == 13
    if isSecond ? value != 1_000_000_000 : value == 0 || value > 10_000_000 {
      throw Difference("the resolution of clock \(identifier) is \(value)")
    }
    return .value(0)
  }

  func timeOfDay(_ process: ModelProcess, _ wanted: UInt8) throws(Difference) -> Expectation {
    if wanted & 1 == 1 {
      if !reaches(process, .output, 16, write: true) { return .error(.efault) }
    }
    if wanted & 2 == 2 && !reaches(process, .second, 8, write: true) { return .error(.efault) }
    if wanted & 1 == 1 {
      let bytes = try output(.output, 16)
      let value = littleEndian(bytes, 0) * 1_000_000 + littleEndian(bytes, 8)
      if littleEndian(bytes, 8) >= 1_000_000 || value < now.earliest / 1000 || value > now.latest / 1000 {
        throw Difference("the time of day is \(value)")
      }
    }
    if wanted & 2 == 2 { try check("timezone", output(.second, 8), 0, 8, 0) }
    return .value(0)
  }

  /// `vm.swap_total`, in pages.
  var swapPageCount: UInt64 { zip(facts.swapPageCounts, swapIsInUse).reduce(0) { $0 + ($1.1 ? $1.0 : 0) } }

  /// swapon(2) and swapoff(2). Whether a device may be taken out of use depends on how much memory is free.
  func changeSwap(_ process: ModelProcess, _ call: SwapDeviceCall, _ observed: Observation) -> Expectation {
    guard process.credentials.effectiveUser == 0 else { return .error(.eperm) }
    if call.kind == .off && call.flags & ~1 != 0 { return .error(.einval) }
    if !reaches(process, .path, call.path.utf8.count + 1, write: false) { return .error(.efault) }
    guard let number = (0..<swapIsInUse.count).first(where: { call.path == "/dev/md\($0)" }) else {
      switch call.path {
      case "/dev/null": return .error(call.kind == .on ? .enotblk : .einval)
      case "/dev/null/x": return .error(.enotdir)
      default: return .error(.enoent)
      }
    }
    if call.kind == .on {
      if swapIsInUse[number] { return .error(.ebusy) }
      swapIsInUse[number] = true
      return .value(0)
    }
    guard swapIsInUse[number] else { return .error(.einval) }
    let isForced = call.kind == .off && call.flags == 1
    if observed == .error(Errno.enomem.rawValue) && !isForced { return .error(.enomem) }
    swapIsInUse[number] = false
    return .value(0)
  }
}
