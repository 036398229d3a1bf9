// The operations of scripts on identities, limits, time and the system as system calls.

import ABI

extension KernelMachine {
  func performIdentityOperation(_ operation: Operation, _ number: Int) throws(Difference) -> Observation {
    switch operation {
    case .processIdentifier: return try simpleCall(number, .getpid)
    case .parentIdentifier: return try simpleCall(number, .getppid)
    case .identity(let kind):
      let call: SystemCallNumber =
        switch kind {
        case .user: .getuid
        case .effectiveUser: .geteuid
        case .group: .getgid
        case .effectiveGroup: .getegid
        }
      return try simpleCall(number, call)
    case .setIdentity(let kind, let value):
      let call: SystemCallNumber =
        switch kind {
        case .user: .setuid
        case .effectiveUser: .seteuid
        case .group: .setgid
        case .effectiveGroup: .setegid
        }
      return try simpleCall(number, call, UInt64(value))
    case .setIdentities(let ofGroups, let values):
      let two: SystemCallNumber = ofGroups ? .setregid : .setreuid
      let three: SystemCallNumber = ofGroups ? .setresgid : .setresuid
      return try call(number, values.count == 2 ? two : three, values.map { Self.word($0) })
    case .identities(let ofGroups, let wanted):
      let pointers: [CallPointer] = [.output, .second, .third]
      let addresses = pointers.indices.map { wanted >> UInt8($0) & 1 == 1 ? place(pointers[$0]) : 0 }
      let observation = try call(number, ofGroups ? .getresgid : .getresuid, addresses)
      for (index, pointer) in pointers.enumerated() where wanted >> UInt8(index) & 1 == 1 {
        try fetch(number, observation, pointer, 4)
      }
      return observation
    case .setGroups(let groups):
      guard try prepare(number, groups.flatMap { Self.bytes(of: $0) }, at: .input) else { return .ended }
      return try simpleCall(number, .setgroups, UInt64(groups.count), place(.input))
    case .groups(let room):
      let observation = try simpleCall(number, .getgroups, Self.word(room), place(.output))
      if case .value(let count) = observation, room != 0 { try fetch(number, observation, .output, 4 * Int(count)) }
      if case .error = observation { try fetch(number, observation, .output, 0x300) }
      return observation
    case .isTainted: return try simpleCall(number, .issetugid)
    case .mask(let mask): return try simpleCall(number, .umask, UInt64(mask))
    case .threadIdentifier:
      let observation = try simpleCall(number, .thrSelf, place(.output))
      try fetch(number, observation, .output, 8)
      return observation
    default: return try performLimitOperation(operation, number)
    }
  }

  private func performLimitOperation(_ operation: Operation, _ number: Int) throws(Difference) -> Observation {
    switch operation {
    case .resourceUsage(let who):
      let observation = try simpleCall(number, .getrusage, Self.word(who), place(.output))
      try fetch(number, observation, .output, Rusage.byteCount)
      return observation
    case .resourceLimit(let which):
      let observation = try simpleCall(number, .getrlimit, Self.word(which), place(.output))
      try fetch(number, observation, .output, 16)
      return observation
    case .setResourceLimit(let which, let soft, let hard):
      let bytes = Self.bytes(of: UInt64(bitPattern: soft)) + Self.bytes(of: UInt64(bitPattern: hard))
      guard try prepare(number, bytes, at: .input) else { return .ended }
      return try simpleCall(number, .setrlimit, Self.word(which), place(.input))
    default: return try performTimeOperation(operation, number)
    }
  }

  private func performTimeOperation(_ operation: Operation, _ number: Int) throws(Difference) -> Observation {
    switch operation {
    case .sleep(let seconds, let nanoseconds):
      let bytes = Self.bytes(of: UInt64(bitPattern: seconds)) + Self.bytes(of: UInt64(bitPattern: nanoseconds))
      guard try prepare(number, bytes, at: .input) else { return .ended }
      let start = hardware.clock.nanoseconds
      let observation = try simpleCall(number, .nanosleep, place(.input), place(.output))
      let duration = max(0, seconds) * 1_000_000_000 + nanoseconds
      if observation == .value(0) && seconds >= 0 && hardware.clock.nanoseconds - start < UInt64(max(0, duration)) {
        throw Difference("nanosleep returned too early")
      }
      return observation
    case .clock(let identifier):
      let observation = try simpleCall(number, .clockGettime, Self.word(identifier), place(.output))
      try fetch(number, observation, .output, 16)
      return observation
    case .clockResolution(let identifier, let wantsTime):
      let observation = try simpleCall(number, .clockGetres, Self.word(identifier), wantsTime ? place(.output) : 0)
      if wantsTime { try fetch(number, observation, .output, 16) }
      return observation
    case .timeOfDay(let wanted):
      let observation = try simpleCall(
        number, .gettimeofday, wanted & 1 == 1 ? place(.output) : 0, wanted & 2 == 2 ? place(.second) : 0)
      if wanted & 1 == 1 { try fetch(number, observation, .output, 16) }
      if wanted & 2 == 2 { try fetch(number, observation, .second, 8) }
      return observation
    case .yield: return try simpleCall(number, .schedYield)
    default: return try performSystemOperation(operation, number)
    }
  }

  private func performSystemOperation(_ operation: Operation, _ number: Int) throws(Difference) -> Observation {
    switch operation {
    case .systemControl(let name, let room, let isQuery, let newValue):
      return try systemControl(number, name, room, isQuery, newValue)
    case .randomBytes(let count, let flags):
      let observation = try simpleCall(number, .getrandom, place(.output), UInt64(count), UInt64(flags))
      try fetch(number, observation, .output, count)
      return observation
    case .architecture(let operation, let word):
      let sets = operation & 1 == 1
      if sets {
        guard try prepare(number, Self.bytes(of: word), at: .input) else { return .ended }
      }
      let observation = try simpleCall(
        number, .sysarch, UInt64(operation), sets ? place(.input) : place(.output))
      if !sets { try fetch(number, observation, .output, 8) }
      return observation
    case .restart(let how): return try simpleCall(number, .reboot, UInt64(how))
    case .unknownCall(let value):
      guard value <= UInt64(UInt32.max) else { throw Difference("no such operation") }
      return try simpleCall(number, SystemCallNumber(rawValue: UInt32(value)))
    default: throw Difference("no such operation")
    }
  }

  private func systemControl(
    _ number: Int, _ name: ControlName, _ room: Int?, _ isQuery: Bool, _ newValue: [UInt8]?
  ) throws(Difference) -> Observation {
    var length = 0
    switch name {
    case .name(let text):
      length = text.utf8.count
      guard try prepare(number, Array(text.utf8), at: .path) else { return .ended }
    case .numbers(let numbers):
      length = numbers.count
      let bytes = numbers.flatMap { Self.bytes(of: UInt32(bitPattern: $0)) }
      guard try prepare(number, bytes, at: .path) else { return .ended }
    }
    if let newValue {
      guard try prepare(number, newValue, at: .input) else { return .ended }
    }
    if let room {
      guard try prepare(number, Self.bytes(of: UInt64(room)), at: .second) else { return .ended }
    }
    var call = SystemCallNumber.sysctlbyname
    if case .numbers = name { call = .sysctl }
    let observation = try simpleCall(
      number, call, place(.path), UInt64(length), isQuery || room == nil ? 0 : place(.output),
      room == nil ? 0 : place(.second), newValue == nil ? 0 : place(.input), UInt64(newValue?.count ?? 0))
    guard let room else { return observation }
    if observation == .value(0) || observation == .error(Errno.enomem.rawValue) {
      // Too small a buffer is filled as far as it goes.
      if !isQuery { try fetch(number, at: place(.output), .output, min(room, 64)) }
      try fetch(number, at: place(.second), .second, 8)
    } else {
      if !isQuery { try fetch(number, observation, .output, 64) }
      try fetch(number, observation, .second, 8)
    }
    return observation
  }
}
