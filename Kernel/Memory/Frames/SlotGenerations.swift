// Which of the records that a pool's slot has had a handle means: so host builds notice handles that were kept too long,
// or made up.
//
// Invariants (host builds)
// - The generation of a slot grows when it is taken and when it is given back; it is odd while it holds a record. Generations
//   of a slot survive its frame, which may come back.
// - A handle has its slot's generation of when it was made in the upper 8 bits. (A handle that is older by a multiple of 128
//   records goes unnoticed.)

import Primitives

#if hasFeature(Embedded)

  /// Nothing: the booted kernel doesn't look.
  struct SlotGenerations: ~Copyable {
    /// The bits of a handle that are an address.
    @inline(__always)
    static var addressMask: UInt32 { UInt32.max }

    /// What a pinned record remembers.
    struct Seen: BitwiseCopyable {
      @inline(__always)
      func check() {}
    }

    @inline(__always)
    init(_ physical: PhysicalMemory) {}
    @inline(__always)
    func begin(_ slot: UInt32) -> UInt32 { slot }
    @inline(__always)
    func end(_ handle: UInt32) {}
    @inline(__always)
    func check(_ handle: UInt32) {}
    @inline(__always)
    func seen(_ handle: UInt32) -> Seen { Seen() }
  }

#else

  /// The generations of one pool's slots, of which there may be one every 16 bytes.
  @safe
  struct SlotGenerations: ~Copyable {
    private static let addressBits: UInt32 = 24
    private static let slotsPerFrame = 256
    /// The bits of a handle that are an address.
    static var addressMask: UInt32 { 1 << addressBits - 1 }

    /// What a pinned record remembers.
    @safe
    struct Seen: BitwiseCopyable {
      fileprivate let place: UnsafePointer<UInt8>
      fileprivate let generation: UInt8

      func check() {
        if unsafe place.pointee != generation { reportMisuse("a stale pinned record") }
      }
    }

    /// By frame: the generations of its slots, once the pool has had it.
    private let frames: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>
    private let frameCount: Int

    init(_ physical: PhysicalMemory) {
      frameCount = Int(physical.byteCount >> Page.shift)
      precondition(
        physical.byteCount >> 4 <= 1 << UInt64(SlotGenerations.addressBits), "handles reach 256 MiB on the host")
      unsafe frames = UnsafeMutablePointer.allocate(capacity: frameCount)
      unsafe frames.initialize(repeating: nil, count: frameCount)
    }

    deinit {
      for frame in 0..<frameCount { unsafe frames[frame]?.deallocate() }
      unsafe frames.deallocate()
    }

    /// A slot gets a record. Returns the handle.
    func begin(_ slot: UInt32) -> UInt32 {
      let frame = Int(slot) / SlotGenerations.slotsPerFrame
      if unsafe frames[frame] == nil {
        let places = UnsafeMutablePointer<UInt8>.allocate(capacity: SlotGenerations.slotsPerFrame)
        unsafe places.initialize(repeating: 0, count: SlotGenerations.slotsPerFrame)
        unsafe frames[frame] = places
      }
      guard let place = unsafe place(of: slot) else { preconditionFailure("no place for a generation") }
      unsafe place.pointee &+= 1
      precondition(unsafe place.pointee & 1 == 1, "a slot is given out twice")
      return unsafe slot | UInt32(place.pointee) << SlotGenerations.addressBits
    }

    /// The record of a handle goes.
    func end(_ handle: UInt32) {
      guard let place = unsafe place(of: handle & SlotGenerations.addressMask) else { return }
      unsafe place.pointee &+= 1
    }

    /// Traps unless a handle means the record that its slot has.
    func check(_ handle: UInt32) { _ = seen(handle) }

    /// What somebody who pins the record remembers.
    func seen(_ handle: UInt32) -> Seen {
      let generation = UInt8(handle >> SlotGenerations.addressBits)
      guard generation & 1 == 1, let place = unsafe place(of: handle & SlotGenerations.addressMask),
        unsafe place.pointee != 0
      else { reportMisuse("a forged handle") }
      if unsafe place.pointee != generation { reportMisuse("a stale handle") }
      return unsafe Seen(place: place, generation: generation)
    }

    private func place(of slot: UInt32) -> UnsafeMutablePointer<UInt8>? {
      let frame = Int(slot) / SlotGenerations.slotsPerFrame
      guard frame < frameCount, let places = unsafe frames[frame] else { return nil }
      return unsafe places + Int(slot) % SlotGenerations.slotsPerFrame
    }
  }

#endif
