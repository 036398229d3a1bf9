// A host allocation that stands for the physical memory of a simulated machine, and that the simulated processor and
// devices reach by physical address.
//
// Invariant: every access is inside `0 ..< byteCount`; the allocation lives as long as the object.

public import Memory

/// The physical memory of one simulated machine, frames 0 ..< `frameCount`.
@safe public final class SimulatedMemory {
  /// Bytes in a frame.
  public static let frameByteCount = 4096

  /// How many frames there are.
  public let frameCount: Int

  /// How many bytes there are.
  public var byteCount: Int { frameCount * Self.frameByteCount }

  private let baseAddress: UnsafeMutableRawPointer

  /// The kernel's way to this memory. Its processor, which the memory system holds, keeps the memory alive.
  public var physical: PhysicalMemory {
    // SAFETY: the allocation has this size; it lives as long as this object, which a `SimulatedProcessor` owns.
    unsafe PhysicalMemory(base: baseAddress, byteCount: UInt64(byteCount))
  }

  /// Allocates `frameCount` frames filled with a pattern that is not zero, so that use of an uncleared frame shows.
  public init(frameCount: Int) {
    precondition(frameCount > 0)
    self.frameCount = frameCount
    let byteCount = frameCount * Self.frameByteCount
    // SAFETY: owned by this object, released in deinit, every use is bounds checked below.
    unsafe baseAddress = .allocate(byteCount: byteCount, alignment: Self.frameByteCount)
    unsafe baseAddress.initializeMemory(as: UInt8.self, repeating: 0xA5, count: byteCount)
  }

  deinit {
    unsafe baseAddress.deallocate()
  }

  private func offset(_ address: UInt64, _ byteCount: Int) -> Int {
    precondition(
      address <= UInt64(self.byteCount) && byteCount <= self.byteCount - Int(address),
      "physical address outside simulated memory")
    return Int(address)
  }

  /// The 64-bit word at a physical address.
  public func word(at address: UInt64) -> UInt64 {
    let offset = offset(address, 8)
    return unsafe baseAddress.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
  }

  /// Stores a 64-bit word at a physical address.
  public func setWord(_ value: UInt64, at address: UInt64) {
    let offset = offset(address, 8)
    unsafe baseAddress.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
  }

  /// The byte at a physical address.
  public func byte(at address: UInt64) -> UInt8 {
    let offset = offset(address, 1)
    return unsafe baseAddress.load(fromByteOffset: offset, as: UInt8.self)
  }

  /// Stores a byte at a physical address.
  public func setByte(_ value: UInt8, at address: UInt64) {
    let offset = offset(address, 1)
    unsafe baseAddress.storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
  }

  /// A copy of `byteCount` bytes at a physical address.
  public func bytes(at address: UInt64, byteCount: Int) -> [UInt8] {
    let offset = offset(address, byteCount)
    return unsafe [UInt8](UnsafeRawBufferPointer(start: baseAddress + offset, count: byteCount))
  }

  /// Stores bytes at a physical address.
  public func setBytes(_ bytes: [UInt8], at address: UInt64) {
    let offset = offset(address, bytes.count)
    unsafe bytes.withUnsafeBytes { source in
      unsafe UnsafeMutableRawBufferPointer(start: baseAddress + offset, count: bytes.count).copyMemory(from: source)
    }
  }
}
