// Calls that vm.overcommit refuses, or only just allows, for exhaustive failure: whatever they had taken before they were
// refused has to be given back, and what fails before they are must not be mistaken for the refusal.

extension FailureCase {
  private static let window = Program.window

  /// An ordinary user with 10 pages of swap to reserve, and none reserved yet; the object, mapped shared and private, is the
  /// superuser's. Behind it lies a mapping that may become writable, for which nothing is reserved.
  private static let limited: [ScriptStep] =
    family + [
      step(
        MapCall(address: window + 30 * 4096, byteCount: 14 * 4096, protection: .readOnly, flags: .fixedPrivateMemory)
      ),
      ScriptStep(0, SystemControlCall(name: .name("vm.overcommit"), newValue: [2, 0, 0, 0])),
      step(SetLimitCall(which: 12, soft: 10 * 4096, hard: 10 * 4096)),
      step(SetIdentityCall(kind: .user, value: 1)),
    ]

  private static func anonymous(_ pageCount: UInt64, flags: UInt32, at address: UInt64 = 0) -> MapCall {
    MapCall(address: address, byteCount: pageCount * 4096, protection: .readWrite, flags: flags)
  }

  /// All that can be refused.
  static let reservations: [FailureCase] = [
    FailureCase("all the swap that is allowed", limited, anonymous(10, flags: .privateMemory)),
    FailureCase("a page of swap too many", limited, anonymous(11, flags: .privateMemory)),
    FailureCase("all the swap that is allowed, shared", limited, anonymous(10, flags: .sharedMemory)),
    FailureCase("a page of swap too many, shared", limited, anonymous(11, flags: .sharedMemory)),
    FailureCase(
      "a refused mapping over another", limited, anonymous(11, flags: .fixedPrivateMemory, at: window + 4096)),
    FailureCase("a refused growth", limited, TruncateCall(descriptor: 3, length: 60 * 4096)),
    FailureCase(
      "a refused write that grows", limited,
      WriteCall(descriptor: 3, address: Program.buffer, byteCount: 5000, offset: 50 * 4096)),
    FailureCase(
      "swap for the middle of a mapping", limited,
      ProtectCall(address: window + 31 * 4096, byteCount: 10 * 4096, protection: .readWrite)),
    FailureCase(
      "refused swap for the middle of a mapping", limited,
      ProtectCall(address: window + 31 * 4096, byteCount: 11 * 4096, protection: .readWrite)),
    FailureCase("a break that is allowed", limited, BreakCall(address: Program.dataEnd + 10 * 4096)),
    FailureCase("a refused break", limited, BreakCall(address: Program.dataEnd + 10 * 4096 + 1)),
    FailureCase("a refused fork", limited, ForkCall(child: 9)),
    FailureCase("a refused fork with everything in swap", evicted(limited), ForkCall(child: 9)),
    FailureCase("a refused execution", limited, ExecuteCall()),
  ]
}
