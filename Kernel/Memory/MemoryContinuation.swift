// What can remain of a change of an address space, or of a look at it. A stop lets it finish, so that nobody finds it half done;
// a kill drops it.

public import ABI
public import Primitives

/// A change under way.
public enum MemoryContinuation: Remainder {
  /// Mappings are being removed; if they are the end of the data segment, this is where it ends afterwards.
  case unmap(AddressRange, dataEnd: UInt64?)
  /// The protection of mappings is being changed.
  case protect(PendingProtection)
  /// A mapping takes the place of others; the call returns this value.
  case map(PendingMapping, value: UInt64)
  /// It is told which pages are in memory.
  case residence(PendingResidence)
  /// Mappings are being marked.
  case mark(PendingMark)
  /// Advice on pages is acted upon.
  case advise(PendingAdvice)
  /// Pages of a new mapping that are in memory are being mapped; the call returns this value.
  case prefault(PendingAdvice, value: UInt64)
  /// Mappings are being wired; the call returns this value.
  case wire(PendingWiring, value: UInt64)
  /// Mappings cease to be wired.
  case unwire(PendingUnwiring)
  /// What is on a swap device is being brought back.
  case removeSwap(SwapRemoval)

  /// Whether a stop acts only when the call has stored its result.
  public var outlastsStop: Bool { true }

  /// Whether the map is changed, and not only looked at: then nobody else changes it meanwhile.
  public var changesMap: Bool {
    switch self {
    case .residence, .advise, .prefault, .removeSwap: false
    default: true
    }
  }

  /// Goes on; `space` is the memory of the process.
  public mutating func step(_ space: AddressSpace, _ budget: inout Int) throws(Errno) -> Progress {
    switch self {
    case .unmap(let range, let dataEnd):
      let progress = space.unmap(range, &budget)
      if progress == .complete, let dataEnd { space.program.dataEnd = dataEnd }
      return progress
    case .protect(var pending):
      let progress = try space.protect(&pending, &budget)
      self = .protect(pending)
      return progress
    case .map(let pending, let value):
      let progress = pending.step(&budget)
      if progress == .complete && space.wiresFuture {
        self = .wire(PendingWiring(future: pending.range), value: value)
        return .again
      }
      return progress
    case .residence(var pending):
      let progress = try space.report(&pending, &budget)
      self = .residence(pending)
      return progress
    case .mark(var pending):
      let progress = try space.mark(&pending, &budget)
      self = .mark(pending)
      return progress
    case .advise(var pending):
      let progress = try space.act(on: &pending, &budget)
      self = .advise(pending)
      return progress
    case .prefault(var pending, let value):
      let progress = try space.act(on: &pending, &budget)
      self = .prefault(pending, value: value)
      return progress
    case .wire(var pending, let value):
      let progress = try space.wire(&pending, &budget)
      self = .wire(pending, value: value)
      return progress
    case .unwire(var pending):
      let progress = try space.unwire(&pending, &budget)
      self = .unwire(pending)
      return progress
    case .removeSwap(let removal): return try removal.step(&budget)
    }
  }

  /// What the call returns once it is done.
  public var result: UInt64 {
    switch self {
    case .unmap(_, let dataEnd): dataEnd ?? 0
    case .protect, .residence, .mark, .advise, .unwire, .removeSwap: 0
    case .map(_, let value), .prefault(_, let value), .wire(_, let value): value
    }
  }
}
