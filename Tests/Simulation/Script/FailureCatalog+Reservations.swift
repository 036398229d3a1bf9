// Calls that vm.overcommit refuses, or only just allows, for exhaustive failure: whatever they had taken before they were
// refused has to be given back, and what fails before they are must not be mistaken for the refusal.

extension FailureCase {
  private static let window = Program.window

  /// An ordinary user with 10 pages of swap to reserve, and none reserved yet; the object, mapped shared and private, is the
  /// superuser's. Behind it lies a mapping that may become writable, for which nothing is reserved.
  private static let limited: [ScriptStep] =
    family + [
      step(
        .map(address: window + 30 * 4096, byteCount: 14 * 4096, protection: 1, flags: 0x1012, descriptor: -1, offset: 0)
      ),
      ScriptStep(0, .systemControl(.name("vm.overcommit"), newValue: [2, 0, 0, 0])),
      step(.setResourceLimit(12, soft: 10 * 4096, hard: 10 * 4096)),
      step(.setIdentity(.user, 1)),
    ]

  private static func anonymous(_ pageCount: UInt64, flags: UInt32, at address: UInt64 = 0) -> Operation {
    .map(address: address, byteCount: pageCount * 4096, protection: 3, flags: flags, descriptor: -1, offset: 0)
  }

  /// All that can be refused.
  static let reservations: [FailureCase] = [
    FailureCase("all the swap that is allowed", limited, anonymous(10, flags: 0x1002)),
    FailureCase("a page of swap too many", limited, anonymous(11, flags: 0x1002)),
    FailureCase("all the swap that is allowed, shared", limited, anonymous(10, flags: 0x1001)),
    FailureCase("a page of swap too many, shared", limited, anonymous(11, flags: 0x1001)),
    FailureCase(
      "a refused mapping over another", limited, anonymous(11, flags: 0x1012, at: window + 4096)),
    FailureCase("a refused growth", limited, .truncate(descriptor: 3, length: 60 * 4096)),
    FailureCase(
      "a refused write that grows", limited,
      .write(descriptor: 3, address: Program.buffer, byteCount: 5000, offset: 50 * 4096)),
    FailureCase(
      "swap for the middle of a mapping", limited,
      .protect(address: window + 31 * 4096, byteCount: 10 * 4096, protection: 3)),
    FailureCase(
      "refused swap for the middle of a mapping", limited,
      .protect(address: window + 31 * 4096, byteCount: 11 * 4096, protection: 3)),
    FailureCase("a break that is allowed", limited, .setBreak(Program.dataEnd + 10 * 4096)),
    FailureCase("a refused break", limited, .setBreak(Program.dataEnd + 10 * 4096 + 1)),
    FailureCase("a refused fork", limited, .fork(child: 9)),
    FailureCase("a refused fork with everything in swap", evicted(limited), .fork(child: 9)),
    FailureCase("a refused execution", limited, .execute()),
  ]
}
