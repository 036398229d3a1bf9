// Reaching user memory: by the page tables when they allow it, by the fault path otherwise, never by a user address
// (DESIGN, "The kernel never dereferences a user address").
//
// A translation for writing requires W and marks the page dirty, one for reading marks it accessed, as the processor
// would. `progress` counts bytes moved; after parking the same call goes on from there.
import ABI
public import Primitives

/// The result of moving bytes to or from user memory.
public enum UserCopyOutcome: Sendable {
  /// All of it was moved.
  case complete
  /// The byte at `progress` cannot be reached (EFAULT).
  case fault
  /// Park, then call again with the same progress.
  case wait(Wait)
  /// A string without end in the room given; everything up to the room's end was copied.
  case tooLong
}

extension AddressSpace {
  /// Copies from user memory until `bytes` is full.
  public func copyIn(
    from address: VirtualAddress, into bytes: inout MutableRawSpan, progress: inout Int
  ) -> UserCopyOutcome {
    if progress == 0, bytes.byteCount > 0, let place = translate(address, byteCount: bytes.byteCount, .read) {
      progress = bytes.byteCount
      system.physical.read(place, into: &bytes, at: 0, byteCount: progress)
      return .complete
    }
    while progress < bytes.byteCount {
      let chunk = prepare(address, progress, bytes.byteCount, .read)
      guard let place = chunk.place else { return chunk.outcome }
      system.physical.read(place, into: &bytes, at: progress, byteCount: chunk.byteCount)
      progress += chunk.byteCount
    }
    return .complete
  }

  /// Copies all of `bytes` to user memory.
  public func copyOut(_ bytes: RawSpan, to address: VirtualAddress, progress: inout Int) -> UserCopyOutcome {
    if progress == 0, bytes.byteCount > 0, let place = translate(address, byteCount: bytes.byteCount, .write) {
      progress = bytes.byteCount
      system.physical.write(bytes, from: 0, byteCount: progress, to: place)
      return .complete
    }
    while progress < bytes.byteCount {
      let chunk = prepare(address, progress, bytes.byteCount, .write)
      guard let place = chunk.place else { return chunk.outcome }
      system.physical.write(bytes, from: progress, byteCount: chunk.byteCount, to: place)
      progress += chunk.byteCount
    }
    return .complete
  }

  /// Copies a string up to and with its NUL; `progress` counts the NUL. Stops at the first of NUL, room, unreadable byte.
  public func copyInString(
    from address: VirtualAddress, into bytes: inout MutableRawSpan, progress: inout Int
  ) -> UserCopyOutcome {
    // Usually all of it lies in one page.
    if progress == 0, let place = translate(address, .read) {
      let room = min(bytes.byteCount, Int(truncatingIfNeeded: Page.byteCount &- address.pageOffset))
      if let end = system.physical.firstZero(place, byteCount: room) {
        progress = end &+ 1
        system.physical.read(place, into: &bytes, at: 0, byteCount: progress)
        return .complete
      }
    }
    while progress < bytes.byteCount {
      let chunk = prepare(address, progress, bytes.byteCount, .read)
      guard let place = chunk.place else { return chunk.outcome }
      let end = system.physical.firstZero(place, byteCount: chunk.byteCount)
      let count = end.map { $0 + 1 } ?? chunk.byteCount
      system.physical.read(place, into: &bytes, at: progress, byteCount: count)
      progress += count
      if end != nil { return .complete }
    }
    return .tooLong
  }

  /// Copies `byteCount` bytes of physical memory to user memory.
  public func copyOut(
    from source: PhysicalAddress, byteCount: Int, to address: VirtualAddress, progress: inout Int
  ) -> UserCopyOutcome {
    while progress < byteCount {
      let chunk = prepare(address, progress, byteCount, .write)
      guard let place = chunk.place else { return chunk.outcome }
      system.physical.copy(source + UInt64(progress), to: place, byteCount: chunk.byteCount)
      progress += chunk.byteCount
    }
    return .complete
  }

  /// Copies `byteCount` bytes of user memory to physical memory.
  public func copyIn(
    to destination: PhysicalAddress, byteCount: Int, from address: VirtualAddress, progress: inout Int
  ) -> UserCopyOutcome {
    while progress < byteCount {
      let chunk = prepare(address, progress, byteCount, .read)
      guard let place = chunk.place else { return chunk.outcome }
      system.physical.copy(place, to: destination + UInt64(progress), byteCount: chunk.byteCount)
      progress += chunk.byteCount
    }
    return .complete
  }

  /// Stores `byteCount` zeros in user memory.
  public func zeroOut(to address: VirtualAddress, byteCount: Int, progress: inout Int) -> UserCopyOutcome {
    while progress < byteCount {
      let chunk = prepare(address, progress, byteCount, .write)
      guard let place = chunk.place else { return chunk.outcome }
      system.physical.zero(place, byteCount: chunk.byteCount)
      progress += chunk.byteCount
    }
    return .complete
  }

  /// Sees that so many bytes of user memory can be stored to for the rest of the event.
  public func makeWritable(at address: VirtualAddress, byteCount: Int) -> UserCopyOutcome {
    var progress = 0
    while progress < byteCount {
      let chunk = prepare(address, progress, byteCount, .write)
      guard chunk.place != nil else { return chunk.outcome }
      progress += chunk.byteCount
    }
    return .complete
  }

  /// The frame and offset that `address` is translated to, if the page tables allow the access now; marks the page as the
  /// processor would.
  @inline(__always)
  public func translate(_ address: VirtualAddress, _ access: AccessType) -> PhysicalAddress? {
    guard address.raw >= UserSpace.start, address.raw < UserSpace.end else { return nil }
    return tables.translate(address.raw, access, system)
  }

  /// Where a range begins that lies in one page, as most short ones do, if the page tables allow the access now; for the rest
  /// of the event.
  @inline(__always)
  public func translate(_ address: VirtualAddress, byteCount: Int, _ access: AccessType) -> PhysicalAddress? {
    UInt64(byteCount) <= Page.byteCount - address.pageOffset ? translate(address, access) : nil
  }

  /// The same for what often lies in the page of something that has been translated for the same access or for more.
  @inline(__always)
  public func translate(
    _ address: VirtualAddress, byteCount: Int, _ access: AccessType, beside known: VirtualAddress,
    at place: PhysicalAddress
  ) -> PhysicalAddress? {
    if (address.raw ^ known.raw) >= Page.byteCount { return translate(address, byteCount: byteCount, access) }
    guard UInt64(byteCount) <= Page.byteCount - address.pageOffset else { return nil }
    return PhysicalAddress(place.raw & ~Page.offsetMask | address.pageOffset)
  }

  /// Stores two values one behind the other in user memory if the page tables allow it now and they do not cross a page;
  /// returns whether they do. Otherwise nothing happened.
  @inline(__always)
  public func store<First: BitwiseCopyable, Second: BitwiseCopyable>(
    _ first: First, _ second: Second, at address: VirtualAddress
  ) -> Bool {
    let offset = UInt64(MemoryLayout<First>.size)
    guard address.pageOffset <= Page.byteCount - offset - UInt64(MemoryLayout<Second>.size),
      let place = translate(address, .write)
    else { return false }
    system.physical.store(bytesOf: first, at: place)
    system.physical.store(bytesOf: second, at: place + offset)
    return true
  }

  /// One page's worth of a longer range: where it is, or why it cannot be reached now.
  @inline(__always)
  private func prepare(
    _ address: VirtualAddress, _ progress: Int, _ byteCount: Int, _ access: AccessType
  ) -> (place: PhysicalAddress?, byteCount: Int, outcome: UserCopyOutcome) {
    let (raw, overflow) = address.raw.addingReportingOverflow(UInt64(progress))
    if overflow { return (nil, 0, .fault) }
    let current = VirtualAddress(raw)
    let count = min(byteCount - progress, Int(Page.byteCount - current.pageOffset))
    if let place = translate(current, access) { return (place, count, .complete) }
    switch resolveFault(at: current, access) {
    case .wait(let wait): return (nil, 0, .wait(wait))
    case .signal: return (nil, 0, .fault)
    case .resolved: return (translate(current, access), count, .fault)
    }
  }
}
