// Every call that exists, for exhaustive failure: on a process that was just made, on one whose memory is shared with a
// child and lies in swap, and where the tables that it needs are full.

extension FailureCase {
  private static let window = Program.window

  /// What every call gives as its examples, and a call through each of the others.
  private static let everyCall: [(name: String, operation: Operation)] =
    SimulatedCalls.all.flatMap { kind in kind.examples.map { ($0.name, .call($0.call)) } } + [
      (
        "mmap through __syscall",
        .through(
          isWide: true,
          .call(MapCall(byteCount: 8192, protection: .readWrite, flags: .sharedFile, descriptor: 3, offset: 4096)))
      ),
      (
        "__sysctl through syscall",
        .through(isWide: false, .call(SystemControlCall(name: .numbers([6, 7]))))
      ),
    ]

  // MARK: Setups

  /// A process with the object on 3 and a file of /bin on 4; a child that has ended and one that lives, input that waits.
  private static let relatives: [ScriptStep] =
    family + [
      step(OpenCall(path: "/bin/notes", flags: .readOnlyFile)),
      step(ForkCall(child: 3)),
      ScriptStep(3, ExitCall(status: 7)),
      step(.type("typed")),
    ]

  /// Forty mappings that do not join, so that the records of mappings fill pages, and a store in each.
  private static let manyMappings: [ScriptStep] =
    sharedObject
    + (0..<40).flatMap { index -> [ScriptStep] in
      let address = window + UInt64(64 + 2 * index) * 4096
      return [
        step(MapCall(address: address, byteCount: 4096, protection: .readWrite, flags: .fixedPrivateMemory)),
        step(.store(address: address, byteCount: 4, pattern: UInt8(index))),
      ]
    }

  /// Thirty names and descriptors.
  private static let manyNames: [ScriptStep] =
    [ScriptStep(0, ForkCall(child: actor))]
    + (0..<30).map { step(SharedMemoryOpenCall(name: "/name \($0)", flags: .createReadWrite, mode: 0o600)) }

  /// Where reboot(2) is to be refused: the superuser would end everything.
  private static func ordinary(_ steps: [ScriptStep], _ operation: Operation) -> [ScriptStep] {
    if operation.call is RestartCall { return steps + [step(SetIdentityCall(kind: .user, value: 1))] }
    return steps
  }

  /// Every call on a process that was just made, and with everything in swap and a child that shares it.
  static let calls: [FailureCase] = everyCall.flatMap { name, operation in
    [
      FailureCase("\(name), fresh", ordinary([ScriptStep(0, ForkCall(child: actor))], operation), operation),
      FailureCase("\(name), in swap after fork", evicted(ordinary(relatives, operation)), operation),
    ]
  }

  /// A pair for packets on 4 and 5 beside the object, and a packet with that, which nobody refers to otherwise any more.
  private static let pair = sharedObject + [step(PairCall())]
  private static let packet =
    pair + [
      step(SharedMemoryUnlinkCall(name: "/object")),
      step(UnmapCall(address: window, byteCount: 16 * 4096)),
      step(SendPacketCall(descriptor: 4, files: [3, 3], bytes: [1, 2, 3])), step(CloseCall(descriptor: 3)),
    ]

  /// Calls and accesses that need another page of a table or pool.
  static let tables: [FailureCase] = [
    FailureCase("fork of many mappings", manyMappings, ForkCall(child: 9)),
    FailureCase("fork of many mappings in swap", evicted(manyMappings), ForkCall(child: 9)),
    FailureCase("send descriptors", pair, SendPacketCall(descriptor: 4, files: [3, 3, 0], bytes: [1, 2, 3])),
    FailureCase("receive descriptors", packet, ReceivePacketCall(descriptor: 5, room: 16, controlRoom: 64)),
    FailureCase("receive in swap", evicted(packet), ReceivePacketCall(descriptor: 5, room: 16, controlRoom: 64)),
    FailureCase("close what has descriptors in it", packet, CloseCall(descriptor: 5)),
    FailureCase("exit with descriptors in packets", evicted(packet), ExitCall(status: 0)),
    FailureCase("exit with many mappings", manyMappings, ExitCall(status: 0)),
    FailureCase(
      "map after many", manyMappings,
      MapCall(address: 0, byteCount: 4096, protection: .readWrite, flags: .sharedMemory)),
    FailureCase("unmap of many", manyMappings, UnmapCall(address: window + 65 * 4096, byteCount: 70 * 4096)),
    FailureCase(
      "create after many names", manyNames, SharedMemoryOpenCall(name: "/another", flags: .createReadWrite, mode: 0o600)
    ),
    FailureCase(
      "store in a new page table", sharedObject + [farMapping], .store(address: far, byteCount: 8, pattern: 1)),
    FailureCase(
      "read into a new page table", sharedObject + [farMapping],
      ReadCall(descriptor: 3, address: far - 100, byteCount: 3000, offset: 0)),
    FailureCase(
      "write far behind", sharedObject,
      WriteCall(descriptor: 3, address: Program.buffer, byteCount: 100, offset: 1 << 40)),
    FailureCase(
      "a store far behind in the object",
      sharedObject + [
        step(TruncateCall(descriptor: 3, length: 1 << 42)),
        step(
          MapCall(
            address: far, byteCount: 8192, protection: .readWrite, flags: .fixedSharedFile, descriptor: 3,
            offset: 1 << 41)),
      ], .store(address: far, byteCount: 8, pattern: 2)),
  ]

  /// Where no page table is yet, at no level but the top.
  private static let far: UInt64 = 0x2000_0040_0000
  private static let farMapping = step(
    MapCall(address: far - 4096, byteCount: 8192, protection: .readWrite, flags: .fixedPrivateMemory))
}
