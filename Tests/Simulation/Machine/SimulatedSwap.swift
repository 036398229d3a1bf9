// A block device with latency and errors on demand. It is no kinder than a real one: a frame being read holds garbage until
// the transfer is complete, and a frame being written is read at an unknown moment between start and end.

public import Primitives

/// The swap device of a simulated machine.
public final class SimulatedSwap: BlockDevice {
  /// Page-sized blocks on the device.
  public let blockCount: UInt32

  /// How transfers end.
  public struct Behaviour: Sendable {
    /// One transfer in this many is complete at once; 1: all of them.
    public var immediateOneIn = 1
    /// The longest a transfer takes, in nanoseconds.
    public var longestNanoseconds = 2_000_000
    /// The transfer with this number (from 1) fails; 0: none.
    public var failingTransfer = 0
    /// One read in this many fails; 0: none.
    public var readFailureOneIn = 0
    /// Whether every write fails.
    public var failsWrites = false
    /// Blocks that cannot be read.
    public var badBlocks: Set<UInt32> = []

    /// Every transfer succeeds at once.
    public init() {}
  }

  /// How transfers end from now on.
  public var behaviour = Behaviour()
  /// Transfers started so far.
  public private(set) var transferCount = 0
  /// The same by direction.
  public private(set) var transferCounts = (reads: 0, writes: 0)
  /// Pages that a transfer may move.
  public var mostPagesPerTransfer = 32
  /// Its memory is no part of the machine's.
  public var takesMemory: Bool { false }
  /// A write takes the processor hardly any time.
  public var writeCost: Int { 1 }

  /// Pages that were read and written for whoever asked for them.
  public private(set) var movedPageCounts = (read: 0, written: 0)

  private struct Transfer {
    var direction: TransferDirection
    var block: UInt32
    var frames: [FrameNumber]
    var due: UInt64
    var fails: Bool
    /// What a write moves, when the device took it at the start rather than at the end.
    var early: [[UInt8]]?

    var blocks: Range<UInt32> { block..<block + UInt32(frames.count) }
  }

  private var pending: [Transfer] = []
  private var contents: [UInt32: [UInt8]] = [:]
  private let memory: SimulatedMemory
  private let clock: SimulatedClock
  private var generator: SeededGenerator
  /// What the device saw that no correct kernel does.
  public private(set) var violations: [String] = []

  /// A device with room for `blockCount` pages.
  public init(memory: SimulatedMemory, clock: SimulatedClock, blockCount: UInt32, seed: UInt64) {
    self.memory = memory
    self.clock = clock
    self.blockCount = blockCount
    generator = SeededGenerator(seed: seed)
  }

  /// Starts a transfer.
  public func transfer(
    _ direction: TransferDirection, block: UInt32, frames: Span<FrameNumber>
  ) -> TransferStatus {
    SimulatedHeap.outside {
      var list: [FrameNumber] = []
      for number in frames.indices { list.append(frames[number]) }
      return start(direction, block, list)
    }
  }

  /// A block is forgotten.
  public func discard(block: UInt32) {
    SimulatedHeap.outside {
      if pending.contains(where: { $0.blocks.contains(block) }) {
        violations.append("block \(block) is given up while it is being transferred")
      }
      contents[block] = nil
    }
  }

  private func start(_ direction: TransferDirection, _ block: UInt32, _ frames: [FrameNumber]) -> TransferStatus {
    transferCount += 1
    if direction == .read { transferCounts.reads += 1 } else { transferCounts.writes += 1 }
    if frames.isEmpty || frames.count > mostPagesPerTransfer || Set(frames.map(\.raw)).count != frames.count {
      violations.append("a transfer of \(frames.count) pages")
    }
    if block >= blockCount || frames.count > Int(blockCount - block) {
      violations.append("transfer of block \(block) beyond the end of the device")
      return .failed
    }
    var transfer = Transfer(
      direction: direction, block: block, frames: frames,
      due: clock.nanoseconds + UInt64(generator.number(below: behaviour.longestNanoseconds)), fails: false)
    if pending.contains(where: {
      $0.blocks.overlaps(transfer.blocks) || !Set($0.frames.map(\.raw)).isDisjoint(with: frames.map(\.raw))
    }) {
      violations.append("a frame or block of blocks \(transfer.blocks) is already being transferred")
    }
    for block in transfer.blocks where direction == .read && contents[block] == nil {
      violations.append("block \(block) is read but was never written")
    }
    transfer.fails = shouldFail(direction, transfer.blocks)
    if generator.chance(oneIn: behaviour.immediateOneIn) {
      if transfer.fails { return .failed }
      move(transfer)
      for _ in frames { noteMoved(direction) }
      return .done
    }
    switch direction {
    case .read:
      for frame in frames { memory.setBytes([UInt8](repeating: 0xEE, count: 4096), at: frame.address.raw) }
    case .write:
      if generator.chance(oneIn: 2) {
        transfer.early = frames.map { memory.bytes(at: $0.address.raw, byteCount: 4096) }
      }
      for block in transfer.blocks { contents[block] = nil }
    }
    pending.append(transfer)
    return .pending
  }

  /// A transfer succeeded, and its page still was somebody's.
  func noteMoved(_ direction: TransferDirection) {
    switch direction {
    case .read: movedPageCounts.read += 1
    case .write: movedPageCounts.written += 1
    }
  }

  private func shouldFail(_ direction: TransferDirection, _ blocks: Range<UInt32>) -> Bool {
    if direction == .read && blocks.contains(where: behaviour.badBlocks.contains) { return true }
    if transferCount == behaviour.failingTransfer { return true }
    if direction == .write && behaviour.failsWrites { return true }
    return direction == .read && behaviour.readFailureOneIn > 0
      && generator.chance(oneIn: behaviour.readFailureOneIn)
  }

  private func move(_ transfer: Transfer) {
    for (number, frame) in transfer.frames.enumerated() {
      let block = transfer.block + UInt32(number)
      switch transfer.direction {
      case .read:
        memory.setBytes(contents[block] ?? [UInt8](repeating: 0xDD, count: 4096), at: frame.address.raw)
      case .write:
        contents[block] = transfer.early?[number] ?? memory.bytes(at: frame.address.raw, byteCount: 4096)
      }
    }
  }

  /// Whether anything is under way.
  public var isBusy: Bool { !pending.isEmpty }

  /// The instant at which the next transfer is complete.
  public var nextCompletion: UInt64? { pending.map(\.due).min() }

  /// A transfer that is over.
  struct Completion {
    let frames: [FrameNumber]
    let direction: TransferDirection
    let succeeded: Bool
  }

  /// Takes the transfers that are complete by now off the device, oldest first.
  func takeCompleted() -> [Completion] {
    let now = clock.nanoseconds
    var completed: [Completion] = []
    for transfer in pending where transfer.due <= now {
      if !transfer.fails { move(transfer) }
      completed.append(Completion(frames: transfer.frames, direction: transfer.direction, succeeded: !transfer.fails))
    }
    pending.removeAll { $0.due <= now }
    return completed
  }

  /// What a block holds, or nil when nothing was written to it or a write is under way.
  public func content(of block: UInt32) -> [UInt8]? { contents[block] }

  /// Loses the content of a block, so that reading it again before it is written is noticed.
  public func lose(block: UInt32) { contents[block] = nil }
}
