// Reads and writes of few bytes that nothing stands in the way of: what most of them are, with no detour. A type of file that
// knows how overrides `OpenFile.moveAtOnce`; whatever is not simple goes through a `Transfer`.
//
// Invariant: a transfer that is not done at once has changed nothing, so that it can begin anew as a `Transfer`. All of it is
// reached before any byte is moved.

import ABI
public import Memory
public import Primitives

/// Where a piece lies in the one or two pages that it is in.
struct ReachedPiece: BitwiseCopyable {
  var first = PhysicalAddress(0)
  var firstByteCount = 0
  var second = PhysicalAddress(0)
}

/// A read or write of at most a page, of one piece of the program's memory or of a few.
public struct ShortTransfer: BitwiseCopyable {
  /// The most pieces.
  public static let mostPieces = 8
  /// The most bytes.
  @inline(__always)
  public static var mostBytes: UInt64 { Page.byteCount }

  /// Bytes of all pieces, at least one.
  let byteCount: Int
  /// The offset that pread(2) and pwrite(2) were given; nil means the file's own.
  let position: Int64?
  /// Which way the bytes go.
  let writes: Bool
  /// Where the piece lies, if it is only one.
  private let address: VirtualAddress
  /// The kernel's copy of the pieces, an address and a length each, if they are several.
  private let pieces: PhysicalAddress
  private let pieceCount: Int

  /// Describes a transfer of one piece of 1 to `mostBytes` bytes.
  @inline(__always)
  public init(address: VirtualAddress, byteCount: UInt64, at position: Int64?, writes: Bool) {
    self.byteCount = Int(truncatingIfNeeded: byteCount)
    self.position = position
    self.writes = writes
    self.address = address
    pieces = PhysicalAddress(0)
    pieceCount = 0
  }

  /// Describes a transfer of several pieces; nil when they are empty or too long together.
  ///
  /// - Parameter pieces: where they lie in memory that is the kernel's alone, each an address and a length.
  public init?(
    _ pieces: PhysicalAddress, count: Int, at position: Int64?, writes: Bool, _ physical: PhysicalMemory
  ) {
    var total: UInt64 = 0
    for index in 0..<count {
      let length = physical.load(pieces + UInt64(16 &* index &+ 8))
      guard length <= ShortTransfer.mostBytes else { return nil }
      total &+= length
    }
    guard total > 0, total <= ShortTransfer.mostBytes else { return nil }
    byteCount = Int(total)
    self.position = position
    self.writes = writes
    address = VirtualAddress(0)
    self.pieces = pieces
    pieceCount = count
  }

  private var access: AccessType {
    @inline(__always) get { writes ? .read : .write }
  }

  /// Whether the first `byteCount` bytes of one piece can be reached now, or all of several that lie in a page each; where.
  @inline(__always)
  func reach(_ byteCount: Int, _ space: AddressSpace, _ physical: PhysicalMemory) -> ReachedPiece? {
    if pieceCount != 0 { return reachSeveral(byteCount, space, physical) ? ReachedPiece() : nil }
    let inFirst = min(byteCount, Int(truncatingIfNeeded: Page.byteCount &- address.pageOffset))
    guard let first = space.translate(address, access) else { return nil }
    if inFirst == byteCount { return ReachedPiece(first: first, firstByteCount: inFirst) }
    let (behind, isBeyond) = address.raw.addingReportingOverflow(UInt64(inFirst))
    guard !isBeyond, let second = space.translate(VirtualAddress(behind), access) else { return nil }
    return ReachedPiece(first: first, firstByteCount: inFirst, second: second)
  }

  @inline(never)
  private func reachSeveral(_ byteCount: Int, _ space: AddressSpace, _ physical: PhysicalMemory) -> Bool {
    guard byteCount == self.byteCount else { return false }
    for index in 0..<pieceCount {
      let (address, length) = piece(index, physical)
      if length > 0 && space.translate(address, byteCount: length, access) == nil { return false }
    }
    return true
  }

  /// Moves bytes that have been reached.
  ///
  /// - Parameters:
  ///   - reached: what `reach` gave.
  ///   - place: where they lie in the file.
  @inline(__always)
  func move(
    _ byteCount: Int, _ reached: ReachedPiece, _ place: PhysicalAddress, _ space: AddressSpace,
    _ physical: PhysicalMemory
  ) {
    if pieceCount != 0 { return moveSeveral(place, space, physical) }
    copy(reached.firstByteCount, reached.first, place, physical)
    if reached.firstByteCount < byteCount {
      copy(
        byteCount &- reached.firstByteCount, reached.second, place + UInt64(reached.firstByteCount), physical)
    }
  }

  @inline(never)
  private func moveSeveral(_ place: PhysicalAddress, _ space: AddressSpace, _ physical: PhysicalMemory) {
    var done: UInt64 = 0
    for index in 0..<pieceCount {
      let (address, length) = piece(index, physical)
      if length == 0 { continue }
      guard let reached = space.translate(address, byteCount: length, access) else {
        preconditionFailure("a page that was there a moment ago")
      }
      copy(length, reached, place + done, physical)
      done &+= UInt64(length)
    }
  }

  @inline(__always)
  private func piece(_ index: Int, _ physical: PhysicalMemory) -> (VirtualAddress, Int) {
    let place = pieces + UInt64(16 &* index)
    return (VirtualAddress(physical.load(place)), Int(truncatingIfNeeded: physical.load(place + 8)))
  }

  @inline(__always)
  private func copy(
    _ byteCount: Int, _ program: PhysicalAddress, _ file: PhysicalAddress, _ physical: PhysicalMemory
  ) {
    if writes {
      physical.copy(program, to: file, byteCount: byteCount)
    } else {
      physical.copy(file, to: program, byteCount: byteCount)
    }
  }
}

extension SharedMemoryFile {
  /// All of it is in one page of the object, which is there, and nobody has its range.
  @inline(__always)
  final func moveHere(_ short: ShortTransfer, _ space: AddressSpace) -> UInt64? {
    guard object.rangeLock.isEmpty, !object.isLarge, short.position != nil || offsetLine.isEmpty else { return nil }
    let start = short.position ?? offset
    let inPage = UInt64(bitPattern: start) & Page.offsetMask
    guard start >= 0, inPage &+ UInt64(short.byteCount) <= Page.byteCount,
      start <= object.size &- Int64(short.byteCount),
      !short.writes || !object.seals.contains(.write)
    else { return nil }
    let isDone = object.fileServicesReference.borrow { services in
      let physical = services.memory.physical
      guard let reached = short.reach(short.byteCount, space, physical),
        let frame = object.vmObject.pageAtOnce(
          at: UInt64(bitPattern: start) >> Page.shift, for: short.writes ? .write : .read)
      else { return false }
      short.move(short.byteCount, reached, frame.address + inPage, space, physical)
      return true
    }
    guard isDone else { return nil }
    if short.position == nil { offset = start &+ Int64(short.byteCount) }
    return UInt64(short.byteCount)
  }
}

extension PipeFile {
  /// Nobody else writes, there is room, and it lies in one page, which is there.
  @inline(__always)
  func sendAtOnce(_ short: ShortTransfer, _ space: AddressSpace) -> UInt64? {
    guard !peer.isEmpty, writing.isEmpty, offer.isEmpty else { return nil }
    return peer.borrow { reader in
      withServices { services in
        guard !services.pipeSpace.isScarce, short.byteCount <= reader.freeByteCount,
          flags.contains(.nonBlocking) || short.byteCount < Int(services.pipeSpace.smallestOfferByteCount)
        else { return nil }
        let (page, offset) = reader.place(of: reader.readPosition &+ reader.queuedByteCount)
        let physical = services.memory.physical
        guard offset &+ UInt64(short.byteCount) <= Page.byteCount,
          let reached = short.reach(short.byteCount, space, physical),
          let frame = reader.object.pageAtOnce(at: page, for: .write)
        else { return nil }
        short.move(short.byteCount, reached, frame.address + offset, space, physical)
        reader.queuedByteCount += short.byteCount
        reader.wakeReader()
        reader.tellWatchers()
        reader.modificationNanoseconds = services.timestamp
        return UInt64(short.byteCount)
      }
    }
  }

  /// Nobody else reads, and what is there lies in one page, which is there, too.
  @inline(__always)
  func receiveAtOnce(_ short: ShortTransfer, _ space: AddressSpace) -> UInt64? {
    let byteCount = min(short.byteCount, queuedByteCount)
    guard byteCount > 0, reading.isEmpty else { return nil }
    let (page, offset) = place(of: readPosition)
    guard offset &+ UInt64(byteCount) <= Page.byteCount else { return nil }
    let isDone = withServices { services in
      let physical = services.memory.physical
      guard !services.pipeSpace.isScarce, let reached = short.reach(byteCount, space, physical),
        let frame = object.pageAtOnce(at: page, for: .read)
      else { return false }
      short.move(byteCount, reached, frame.address + offset, space, physical)
      return true
    }
    guard isDone else { return nil }
    take(byteCount)
    return UInt64(byteCount)
  }
}
