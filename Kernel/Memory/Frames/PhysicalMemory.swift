// Access to physical memory by physical address: the only door to bytes that are not Swift objects.
//
// Invariant: `base` points at `byteCount` bytes that stay valid as long as any copy of this value is used, physical
// address 0 first. Every access is checked against `byteCount`; holes of the machine's memory inside that range are
// never handed out by the allocator, so a checked address of an allocated frame is memory.
public import Primitives
import Synchronization

/// All physical memory of a machine, real (through the direct map) or simulated.
@safe
public struct PhysicalMemory: Sendable {
  @usableFromInline
  nonisolated(unsafe) let base: UnsafeMutableRawPointer
  /// Bytes from physical address 0 to the end of the highest frame.
  public let byteCount: UInt64

  /// Wraps `byteCount` bytes from `base`.
  ///
  /// - Parameter base: page-aligned; must outlive every use of this value.
  @unsafe
  public init(base: UnsafeMutableRawPointer, byteCount: UInt64) {
    unsafe self.base = base
    self.byteCount = byteCount
  }

  /// SAFETY: the check makes the result a pointer into the memory that `init` was given.
  @inline(__always)
  private func pointer(_ address: PhysicalAddress, _ count: UInt64) -> UnsafeMutableRawPointer {
    precondition(address.raw < byteCount && count <= byteCount - address.raw)
    return unsafe base + Int(truncatingIfNeeded: address.raw)
  }

  /// SAFETY: aligned by the check, and words are only ever accessed atomically or by the one processor in the kernel.
  @inline(__always)
  private func word(_ address: PhysicalAddress) -> UnsafeMutablePointer<Atomic<UInt64>> {
    precondition(address.raw < byteCount && address.raw & 7 == 0)
    return unsafe (base + Int(truncatingIfNeeded: address.raw)).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// The address of `count` bytes as the machine's own code needs it.
  @unsafe
  @inline(__always)
  public func unsafePointer(to address: PhysicalAddress, byteCount count: UInt64) -> UnsafeMutableRawPointer {
    unsafe pointer(address, count)
  }

  /// The aligned word at `address`.
  @inline(__always)
  public func load(_ address: PhysicalAddress) -> UInt64 { unsafe word(address).pointee.load(ordering: .relaxed) }

  /// Stores an aligned word.
  @inline(__always)
  public func store(_ value: UInt64, at address: PhysicalAddress) {
    unsafe word(address).pointee.store(value, ordering: .relaxed)
  }

  /// Stores the bytes of a value, which has no padding, at an address of any alignment.
  @inline(__always)
  public func store<Value: BitwiseCopyable>(bytesOf value: Value, at address: PhysicalAddress) {
    unsafe pointer(address, UInt64(MemoryLayout<Value>.size)).storeBytes(of: value, as: Value.self)
  }

  /// The bytes of a value, which has no padding, from an address of any alignment.
  @inline(__always)
  public func load<Value: BitwiseCopyable>(bytesOf type: Value.Type, at address: PhysicalAddress) -> Value {
    unsafe pointer(address, UInt64(MemoryLayout<Value>.size)).loadUnaligned(as: type)
  }

  /// Replaces an aligned word and gives the old one, in one step for every observer (page-table entries, DESIGN).
  @inline(__always)
  public func exchange(_ value: UInt64, at address: PhysicalAddress) -> UInt64 {
    unsafe word(address).pointee.exchange(value, ordering: .sequentiallyConsistent)
  }

  /// Sets bits of an aligned word in one step.
  @inline(__always)
  public func set(bits: UInt64, at address: PhysicalAddress) {
    _ = unsafe word(address).pointee.bitwiseOr(bits, ordering: .sequentiallyConsistent)
  }

  /// Clears bits of an aligned word in one step and gives the old word.
  @inline(__always)
  public func clear(bits: UInt64, at address: PhysicalAddress) -> UInt64 {
    unsafe word(address).pointee.bitwiseAnd(~bits, ordering: .sequentiallyConsistent).oldValue
  }

  /// Fills a frame with zeros.
  @inline(__always)
  public func zero(_ frame: FrameNumber) {
    unsafe pointer(frame.address, Page.byteCount).initializeMemory(as: UInt8.self, repeating: 0, count: 4096)
  }

  /// Fills `count` bytes from `address` with zeros.
  public func zero(_ address: PhysicalAddress, byteCount count: Int) {
    _ = unsafe pointer(address, UInt64(count)).initializeMemory(as: UInt8.self, repeating: 0, count: count)
  }

  /// Copies a whole frame.
  @inline(__always)
  public func copy(_ source: FrameNumber, to destination: FrameNumber) {
    unsafe pointer(destination.address, Page.byteCount).copyMemory(
      from: pointer(source.address, Page.byteCount), byteCount: 4096)
  }

  /// The two words from an address of any alignment on.
  @inline(__always)
  public func loadPair(at address: PhysicalAddress) -> (UInt64, UInt64) {
    let place = unsafe pointer(address, 16)
    return unsafe (place.loadUnaligned(as: UInt64.self), place.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
  }

  /// Copies a few words to an address that is aligned for them; the ranges do not overlap.
  @inline(__always)
  public func copyWords(_ source: PhysicalAddress, to destination: PhysicalAddress, count: Int) {
    let from = unsafe pointer(source, UInt64(count) &* 8)
    let to = unsafe pointer(destination, UInt64(count) &* 8)
    for offset in stride(from: 0, to: count &* 8, by: 8) {
      let word = unsafe from.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      unsafe to.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
    }
  }

  /// Copies bytes inside physical memory; the ranges may overlap.
  public func copy(_ source: PhysicalAddress, to destination: PhysicalAddress, byteCount count: Int) {
    unsafe pointer(destination, UInt64(count)).copyMemory(from: pointer(source, UInt64(count)), byteCount: count)
  }

  /// Copies `count` bytes from physical memory into `bytes` at `offset`.
  @inline(__always)
  public func read(
    _ address: PhysicalAddress, into bytes: inout MutableRawSpan, at offset: Int, byteCount count: Int
  ) {
    precondition(offset >= 0 && count >= 0 && offset <= bytes.byteCount && count <= bytes.byteCount - offset)
    let source = unsafe pointer(address, UInt64(count))
    // SAFETY: the destination range was just checked.
    unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let start = buffer.baseAddress else { return }
      unsafe (start + offset).copyMemory(from: source, byteCount: count)
    }
  }

  /// Copies `count` bytes of `bytes` from `offset` on into physical memory.
  public func write(_ bytes: RawSpan, from offset: Int, byteCount count: Int, to address: PhysicalAddress) {
    precondition(offset >= 0 && count >= 0 && offset <= bytes.byteCount && count <= bytes.byteCount - offset)
    let destination = unsafe pointer(address, UInt64(count))
    // SAFETY: the source range was just checked.
    unsafe bytes.withUnsafeBytes { buffer in
      guard let start = buffer.baseAddress else { return }
      unsafe destination.copyMemory(from: start + offset, byteCount: count)
    }
  }

  /// The index of the first zero byte among `count` bytes, or nil.
  @inline(__always)
  public func firstZero(_ address: PhysicalAddress, byteCount count: Int) -> Int? {
    let start = unsafe pointer(address, UInt64(count))
    var index = 0
    // Eight bytes at a time: the lowest bit that this leaves is in the first byte that is zero.
    while index &+ 8 <= count {
      let word = unsafe start.loadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian
      let zeros = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
      if zeros != 0 { return index &+ zeros.trailingZeroBitCount >> 3 }
      index &+= 8
    }
    while index < count {
      if unsafe start.load(fromByteOffset: index, as: UInt8.self) == 0 { return index }
      index += 1
    }
    return nil
  }
}
