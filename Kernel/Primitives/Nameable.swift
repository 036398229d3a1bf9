// What a back reference can name, and how host builds notice one that has outlived its instance.
//
// A back reference of a host build has the *generation* of its instance's address in the upper 16 bits, which an address
// doesn't use. The generation grows whenever an instance there goes. Instances and references have the same size as in the
// booted kernel, so that what is measured of them here holds there.

#if hasFeature(Embedded)

  /// What a `BackReference` can name. (Not a class: a class above those that every event uses costs each of them something.)
  public protocol Nameable: AnyObject {}

#else

  import Synchronization

  /// What a `BackReference` can name.
  open class Nameable {
    /// Makes one. (With a parameter, so that what inherits it makes its own in the same words as where there is no class above.)
    public init(_: Void = ()) {}

    deinit { AddressGenerations.shared.advance(UInt(bitPattern: ObjectIdentifier(self))) }
  }

  /// A generation for every address of an instance, in a sparse table of three levels.
  ///
  /// Invariants
  /// - A table that is there stays.
  /// - The generation of an address is only changed by the thread whose instance goes; the next instance there comes later.
  @safe
  struct AddressGenerations: @unchecked Sendable {
    private typealias Slot = Atomic<UInt>

    /// Of the whole process: addresses are, too.
    static let shared = AddressGenerations()

    static let addressBits: UInt = 48
    static let addressMask: UInt = 1 << addressBits - 1
    /// The bits of an address that each level looks at, from above; the last four are 0.
    private static let levelBits: (UInt, UInt, UInt) = (16, 14, 14)

    private let top: UnsafeMutablePointer<Slot>

    private init() { unsafe top = AddressGenerations.makeTable(1 << AddressGenerations.levelBits.0) }

    private static func makeTable(_ count: Int) -> UnsafeMutablePointer<Slot> {
      let table = UnsafeMutablePointer<Slot>.allocate(capacity: count)
      for index in 0..<count { unsafe (table + index).initialize(to: Slot(0)) }
      return unsafe table
    }

    /// What a slot leads to; made when it is not there and `makes` says so.
    private static func next<Value: ~Copyable>(
      _ slot: UnsafeMutablePointer<Slot>, makes: Bool, _ make: () -> UnsafeMutablePointer<Value>
    ) -> UnsafeMutablePointer<Value>? {
      let known = unsafe slot.pointee.load(ordering: .acquiring)
      if known != 0 { return unsafe UnsafeMutablePointer(bitPattern: known) }
      guard makes else { return nil }
      let made = unsafe make()
      let (exchanged, original) = unsafe slot.pointee.compareExchange(
        expected: 0, desired: UInt(bitPattern: made), ordering: .acquiringAndReleasing)
      if exchanged { return unsafe made }
      unsafe made.deallocate()
      return unsafe UnsafeMutablePointer(bitPattern: original)
    }

    /// Where the generation of an address lies.
    private func place(_ address: UInt, makes: Bool) -> UnsafeMutablePointer<UInt16>? {
      let (_, middleBits, lastBits) = AddressGenerations.levelBits
      let granule = (address & AddressGenerations.addressMask) >> 4
      let first = unsafe top + Int(granule >> (middleBits + lastBits))
      let middle = unsafe AddressGenerations.next(first, makes: makes) {
        unsafe AddressGenerations.makeTable(1 << middleBits)
      }
      guard let middle = unsafe middle else { return nil }
      let second = unsafe middle + Int(granule >> lastBits & (1 << middleBits - 1))
      let last: UnsafeMutablePointer<UInt16>? = unsafe AddressGenerations.next(second, makes: makes) {
        let table = UnsafeMutablePointer<UInt16>.allocate(capacity: 1 << lastBits)
        unsafe table.initialize(repeating: 0, count: 1 << lastBits)
        return unsafe table
      }
      guard let last = unsafe last else { return nil }
      return unsafe last + Int(granule & (1 << lastBits - 1))
    }

    /// An address with its generation in the upper bits.
    func tagged(_ address: UInt) -> UInt {
      guard address & ~AddressGenerations.addressMask == 0, let place = unsafe place(address, makes: true) else {
        reportMisuse("an instance at an address beyond 48 bits")
      }
      return unsafe address | UInt(place.pointee) << AddressGenerations.addressBits
    }

    /// Whether the instance that was named by these bits is the one at their address now.
    func isCurrent(_ bits: UInt) -> Bool {
      guard let place = unsafe place(bits, makes: false) else { return false }
      return unsafe UInt(place.pointee) == bits >> AddressGenerations.addressBits
    }

    /// An instance goes.
    func advance(_ address: UInt) {
      guard let place = unsafe place(address, makes: false) else { return }
      unsafe place.pointee &+= 1
    }
  }
#endif
