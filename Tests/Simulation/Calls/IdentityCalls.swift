// Who a process is: setuid(2), setresuid(2), setgroups(2), umask(2) and their like.

import ABI

extension SimulatedCalls {
  static let identityCalls: [any SimulatedCall.Type] = [
    SetIdentityCall.self, SetIdentitiesCall.self, IdentitiesCall.self, SetGroupsCall.self, GroupsCall.self,
    MaskCall.self,
  ]
}

/// setuid, seteuid, setgid, setegid
struct SetIdentityCall: SimulatedCall {
  var kind: IdentityKind
  var value: UInt32

  static var examples: [CallExample] {
    [
      ("setuid", SetIdentityCall(kind: .user, value: 1)),
      ("seteuid", SetIdentityCall(kind: .effectiveUser, value: 1)),
      ("setgid", SetIdentityCall(kind: .group, value: 1)),
      ("setegid", SetIdentityCall(kind: .effectiveGroup, value: 1)),
    ]
  }

  var number: SystemCallNumber {
    switch kind {
    case .user: .setuid
    case .effectiveUser: .seteuid
    case .group: .setgid
    case .effectiveGroup: .setegid
    }
  }
  var arguments: [CallArgument] { [.word(value)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.setIdentity(process, kind, value)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if process.number == 0 { return nil }
    return SetIdentityCall(
      kind: generator.random.pick([.user, .effectiveUser, .group, .effectiveGroup]) ?? .user,
      value: UInt32(generator.random.number(below: 3)))
  }
}

/// setreuid(2) and setregid(2) with two numbers, setresuid(2) and setresgid(2) with three; −1 leaves one
struct SetIdentitiesCall: SimulatedCall {
  var ofGroups: Bool
  var values: [Int32]

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [
      ("setreuid", SetIdentitiesCall(ofGroups: false, values: [1, 1])),
      ("setregid", SetIdentitiesCall(ofGroups: true, values: [1, 1])),
      ("setresuid", SetIdentitiesCall(ofGroups: false, values: [-1, 1, 2])),
      ("setresgid", SetIdentitiesCall(ofGroups: true, values: [-1, 1, 2])),
    ]
  }

  var number: SystemCallNumber {
    values.count == 2 ? (ofGroups ? .setregid : .setreuid) : (ofGroups ? .setresgid : .setresuid)
  }
  var arguments: [CallArgument] { values.map { .int($0) } }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.setIdentities(process, ofGroups, values)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if process.number == 0 { return nil }
    let count = generator.random.number(in: 2...3)
    return SetIdentitiesCall(
      ofGroups: generator.random.chance(oneIn: 2),
      values: (0..<count).map { _ in Int32(generator.random.number(in: -1...2)) })
  }
}

/// getresuid(2) or getresgid(2); bit n of `wanted` asks for the nth number
struct IdentitiesCall: SimulatedCall {
  var ofGroups: Bool
  var wanted: UInt8 = 7

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [("getresuid", IdentitiesCall(ofGroups: false)), ("getresgid", IdentitiesCall(ofGroups: true))]
  }

  var number: SystemCallNumber { ofGroups ? .getresgid : .getresuid }
  var arguments: [CallArgument] {
    [(1, CallPointer.output), (2, .second), (4, .third)].map { bit, pointer in
      wanted & UInt8(bit) != 0 ? .output(4, at: pointer) : .null
    }
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.identities(process, ofGroups, wanted)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    IdentitiesCall(ofGroups: generator.random.chance(oneIn: 2), wanted: UInt8(generator.random.number(below: 8)))
  }
}

/// setgroups(2)
struct SetGroupsCall: SimulatedCall {
  var groups: [UInt32]

  static var examples: [CallExample] {
    [
      ("setgroups", SetGroupsCall(groups: [1, 2, 3])),
      ("setgroups of many", SetGroupsCall(groups: [UInt32](repeating: 5, count: 60))),
    ]
  }

  var number: SystemCallNumber { .setgroups }
  var arguments: [CallArgument] { [.word(groups.count), .input(groups.flatMap { KernelMachine.bytes(of: $0) })] }
  var memoryErrors: [Errno] { [.enomem] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.setGroups(process, groups)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if process.number == 0 { return nil }
    let isLong = generator.random.chance(oneIn: 4)
    let count = isLong ? generator.random.number(in: 10...60) : generator.random.number(below: 5)
    return SetGroupsCall(groups: (0..<count).map { UInt32($0 % 3) })
  }
}

/// getgroups(2)
struct GroupsCall: SimulatedCall {
  var room: Int32

  static var examples: [CallExample] { [("getgroups", GroupsCall(room: 16))] }

  var number: SystemCallNumber { .getgroups }
  var arguments: [CallArgument] { [.int(room), .output(room > 0 ? 4 : 0)] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.groups(process, room)
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    switch observation {
    case .value(let count) where room != 0: try machine.fetch(process, observation, .output, 4 * Int(count))
    case .error: try machine.fetch(process, observation, .output, 0x300)
    default: break
    }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    GroupsCall(room: generator.random.pick([0, 0, 1, 3, 16, 80, -1]) ?? 0)
  }
}

/// umask(2)
struct MaskCall: SimulatedCall {
  var mask: UInt16

  static var examples: [CallExample] { [("umask", MaskCall(mask: 0o77))] }

  var number: SystemCallNumber { .umask }
  var arguments: [CallArgument] { [.word(mask)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    defer { process.mask = mask & 0o7777 }
    return .value(UInt64(process.mask))
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    MaskCall(mask: UInt16(generator.random.number(below: 0o10000)))
  }
}
