// Calls without arguments that change nothing and give a number that the model knows: a line for each.

import ABI

/// Such a call, by its number.
struct ValueCall: SimulatedCall {
  private let rawNumber: UInt32

  init(_ number: SystemCallNumber) { rawNumber = number.rawValue }

  /// Number, name and result.
  private static let all:
    [(number: SystemCallNumber, name: String, result: @Sendable (ReferenceModel, ModelProcess) -> Int)] = [
      (.getpid, "getpid", { Int($1.identifier) }),
      (.getppid, "getppid", { $1.number == 0 ? 0 : Int($0.processes[$1.parent]?.identifier ?? 0) }),
      (.getpgrp, "getpgrp", { Int($1.group) }),
      (.getuid, "getuid", { Int($1.credentials.realUser) }),
      (.geteuid, "geteuid", { Int($1.credentials.effectiveUser) }),
      (.getgid, "getgid", { Int($1.credentials.realGroup) }),
      (.getegid, "getegid", { Int($1.credentials.effectiveGroup) }),
      (.issetugid, "issetugid", { $1.isTainted ? 1 : 0 }),
      (.getdtablesize, "getdtablesize", { $0.descriptorLimit($1) }),
      (.schedYield, "sched_yield", { _, _ in 0 }),
    ]

  static var weight: Int { 16 }
  static var examples: [CallExample] { all.map { ($0.name, ValueCall($0.number)) } }
  static func draw(
    _ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess
  ) -> ValueCall? {
    generator.random.pick(all).map { ValueCall($0.number) }
  }

  var number: SystemCallNumber { SystemCallNumber(rawValue: rawNumber) }
  var arguments: [CallArgument] { [] }
  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    guard let call = Self.all.first(where: { $0.number == number }) else { return .error(.enosys) }
    return .value(UInt64(call.result(model, process)))
  }
}
