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

    /// Every transfer succeeds at once.
    public init() {}
  }

  /// How transfers end from now on.
  public var behaviour = Behaviour()
  /// Transfers started so far.
  public private(set) var transferCount = 0

  /// Pages that were read and written for whoever asked for them.
  public private(set) var movedPageCounts = (read: 0, written: 0)

  private struct Transfer {
    var direction: TransferDirection
    var block: UInt32
    var frame: FrameNumber
    var due: UInt64
    var fails: Bool
    /// What a write moves, when the device took it at the start rather than at the end.
    var early: [UInt8]?
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
  public func transfer(_ direction: TransferDirection, block: UInt32, frame: FrameNumber) -> TransferStatus {
    SimulatedHeap.outside { start(direction, block, frame) }
  }

  private func start(_ direction: TransferDirection, _ block: UInt32, _ frame: FrameNumber) -> TransferStatus {
    transferCount += 1
    if block >= blockCount {
      violations.append("transfer of block \(block) beyond the end of the device")
      return .failed
    }
    if pending.contains(where: { $0.frame == frame || $0.block == block }) {
      violations.append("frame \(frame.raw) or block \(block) is already being transferred")
    }
    if direction == .read && contents[block] == nil {
      violations.append("block \(block) is read but was never written")
    }
    let fails = shouldFail(direction)
    var transfer = Transfer(
      direction: direction, block: block, frame: frame,
      due: clock.nanoseconds + UInt64(generator.number(below: behaviour.longestNanoseconds)), fails: fails)
    if generator.chance(oneIn: behaviour.immediateOneIn) {
      if fails { return .failed }
      move(transfer)
      noteMoved(direction)
      return .done
    }
    switch direction {
    case .read: memory.setBytes([UInt8](repeating: 0xEE, count: 4096), at: frame.address.raw)
    case .write:
      if generator.chance(oneIn: 2) { transfer.early = memory.bytes(at: frame.address.raw, byteCount: 4096) }
      contents[block] = nil
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

  private func shouldFail(_ direction: TransferDirection) -> Bool {
    if transferCount == behaviour.failingTransfer { return true }
    if direction == .write && behaviour.failsWrites { return true }
    return direction == .read && behaviour.readFailureOneIn > 0
      && generator.chance(oneIn: behaviour.readFailureOneIn)
  }

  private func move(_ transfer: Transfer) {
    let address = transfer.frame.address.raw
    switch transfer.direction {
    case .read: memory.setBytes(contents[transfer.block] ?? [UInt8](repeating: 0xDD, count: 4096), at: address)
    case .write: contents[transfer.block] = transfer.early ?? memory.bytes(at: address, byteCount: 4096)
    }
  }

  /// Whether anything is under way.
  public var isBusy: Bool { !pending.isEmpty }

  /// The instant at which the next transfer is complete.
  public var nextCompletion: UInt64? { pending.map(\.due).min() }

  /// Takes the transfers that are complete by now off the device, oldest first.
  public func takeCompleted() -> [(frame: FrameNumber, direction: TransferDirection, succeeded: Bool)] {
    let now = clock.nanoseconds
    var completed: [(frame: FrameNumber, direction: TransferDirection, succeeded: Bool)] = []
    for transfer in pending where transfer.due <= now {
      if !transfer.fails { move(transfer) }
      completed.append((transfer.frame, transfer.direction, !transfer.fails))
    }
    pending.removeAll { $0.due <= now }
    return completed
  }

  /// What a block holds, or nil when nothing was written to it or a write is under way.
  public func content(of block: UInt32) -> [UInt8]? { contents[block] }

  /// Forgets the content of a block, so that reading it again before it is written is noticed.
  public func discard(block: UInt32) {
    contents[block] = nil
  }
}
