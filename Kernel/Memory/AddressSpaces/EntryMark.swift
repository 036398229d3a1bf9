// What a program says of a mapping beside its protection, and setting that for a range: minherit(2) and the advice of madvise(2)
// that is kept (spec shm.md sections 3.17 and 3.18), in bounded steps.
//
// Between two steps the map stays as it is (AddressSpace+Edit.swift). The range is cut out first; then nothing can fail.
public import ABI
public import Primitives

/// The advice that is kept with a mapping.
public struct EntryAdvice: Equatable, BitwiseCopyable, Sendable {
  private var bits: UInt8 = 0

  /// Nothing special.
  init() {}

  /// Whether it is not to be in core files (MADV_NOCORE).
  var excludesCore: Bool { bits & 8 != 0 }

  /// Takes over what a program says now.
  mutating func take(_ advice: MemoryAdvice) {
    switch advice {
    case .normal: bits &= ~3
    case .random: bits = bits & ~3 | 1
    case .sequential: bits = bits & ~3 | 2
    case .noSynchronization: bits |= 4
    case .automaticSynchronization: bits &= ~4
    case .noCore: bits |= 8
    case .core: bits &= ~8
    default: break
    }
  }
}

/// What is set for mappings.
public enum EntryMark: BitwiseCopyable, Sendable {
  /// What fork(2) does with them.
  case inheritance(Inheritance)
  /// Advice that is kept.
  case advice(MemoryAdvice)
}

/// How far the marking of a range is.
public struct PendingMark: BitwiseCopyable, Sendable {
  fileprivate let range: AddressRange
  fileprivate let mark: EntryMark
  /// Where the walk goes on.
  fileprivate var position: UInt64
  fileprivate var isCut = false

  /// The marking of a range.
  public init(_ range: AddressRange, _ mark: EntryMark) {
    self.range = range
    self.mark = mark
    position = range.start
  }
}

extension AddressSpace {
  /// Goes on marking every mapping in a range; holes are skipped. Takes the entries that it looks at off
  /// `budget`. An entry that is done becomes one with the one in front of it if it is like it now.
  ///
  /// - Throws: `ENOMEM` when memory for a cut cannot be had. Nothing has changed then. `EINVAL` for large pages that fork(2) is
  ///   to copy.
  public func mark(_ pending: inout PendingMark, _ budget: inout Int) throws(Errno) -> Progress {
    let entries = system.entries
    var handle = findFirst(endingAfter: pending.position) ?? .none
    if !pending.isCut {
      handle = try cutEnds(of: pending.range, from: handle, .refused)
      pending.isCut = true
    }
    while !handle.isNone {
      let entry = entries.pin(handle)
      guard entry.value.start < pending.range.end else {
        if entry.value.start == pending.range.end { mergeWithPrevious(handle, entry) }
        break
      }
      pending.position = entry.value.start
      if budget <= 0 { return .again }
      budget -= 1
      let next = entry.value.next
      if case .inheritance(.copy) = pending.mark, entry.value.objectOrNil?.hasLargePages ?? false { throw .einval }
      set(pending, of: entry)
      pending.position = entry.value.end
      mergeWithPrevious(handle, entry)
      handle = next
    }
    return .complete
  }

  private func set(_ pending: PendingMark, of entry: PinnedRecord<MapEntry>) {
    switch pending.mark {
    case .inheritance(let inheritance):
      // A guard is not cut, and has nothing that could be zero.
      let isWhole = entry.value.start >= pending.range.start && entry.value.end <= pending.range.end
      if entry.value.isGuard && (entry.value.kind == .stackGap || !isWhole || inheritance == .zero) { return }
      entry.value.inheritance = inheritance
    case .advice(let advice):
      if !entry.value.isGuard { entry.value.advice.take(advice) }
    }
  }

  /// Cuts the entries that a range begins and ends in. `first` is the first entry that ends behind its start. Returns the first
  /// that lies in it.
  ///
  /// - Throws: `ENOMEM` when memory for a second part cannot be had. Nothing has changed then.
  func cutEnds(
    of range: AddressRange, from first: Handle<MapEntry>, _ want: CutWant
  ) throws(Errno) -> Handle<MapEntry> {
    if first.isNone { return first }
    var first = first
    do throws(Errno) {
      if try clip(first, at: range.start, want) { first = system.entries[first].next }
      let last = system.entries[first].end > range.end ? first : find(range.end)
      if let last { _ = try clip(last, at: range.end, want) }
      return first
    } catch {
      if let handle = find(range.start) { mergeWithPrevious(handle, system.entries.pin(handle)) }
      throw error
    }
  }
}

/// What becomes of a call that has to cut an entry while its user may have no more of the kernel's memory.
enum CutWant {
  /// It is refused.
  case refused
  /// It waits until the user's own largest process has gone: it only gives back (DESIGN, "Running out of memory").
  case waits
}
