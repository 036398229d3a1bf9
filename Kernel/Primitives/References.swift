// References that do not own: from a frame's record back to the object or address space that owns the frame. And one that
// does, for places that are many and mostly empty.

/// Names a class instance without keeping it alive.
///
/// Invariant: whoever stores one clears it before the instance goes. For frames this holds because an object leaves the
/// teardown list only after its last frame left it. Host builds trap where one is used that has outlived its instance.
@safe
public struct BackReference<Instance: Nameable>: BitwiseCopyable, Equatable {
  private let bits: UInt

  /// Names nothing.
  @inline(__always)
  public init() { bits = 0 }

  @inline(__always)
  fileprivate init(bits: UInt) { self.bits = bits }

  /// Names `instance`.
  @inline(__always)
  public init(_ instance: Instance) {
    unsafe self.init(pointer: Unmanaged.passUnretained(instance).toOpaque())
  }

  /// Names what lies at an address.
  @inline(__always)
  fileprivate init(pointer: UnsafeMutableRawPointer) {
    #if hasFeature(Embedded)
      bits = UInt(bitPattern: pointer)
    #else
      bits = AddressGenerations.shared.tagged(UInt(bitPattern: pointer))
    #endif
  }

  /// The address of the instance.
  @inline(__always)
  fileprivate var pointer: UnsafeRawPointer? {
    #if !hasFeature(Embedded)
      if bits != 0 && !AddressGenerations.shared.isCurrent(bits) { reportMisuse("a stale back reference") }
    #endif
    return unsafe UnsafeRawPointer(bitPattern: rawAddress)
  }

  /// The instance, if one is named.
  @inline(__always)
  public var instance: Instance? {
    // SAFETY: by the invariant the instance is alive.
    guard let pointer = unsafe pointer else { return nil }
    return unsafe Unmanaged<Instance>.fromOpaque(pointer).takeUnretainedValue()
  }

  /// Whether nothing is named.
  @inline(__always)
  public var isEmpty: Bool { bits == 0 }

  /// Where the instance lies, for entry code that hands it on; 0 when nothing is named.
  @inline(__always)
  public var rawAddress: UInt {
    #if hasFeature(Embedded)
      bits
    #else
      bits & AddressGenerations.addressMask
    #endif
  }

  /// The same instance as one of a more special type; nil when it is not one.
  @inline(__always)
  public func narrowed<Other: Nameable>(to type: Other.Type) -> BackReference<Other>? {
    isEmpty || !borrow({ $0 is Other }) ? nil : BackReference<Other>(bits: bits)
  }

  /// Lends the instance without counting a reference. Whoever owns it must keep it until `body` returns.
  @inline(__always)
  public func borrow<Value>(_ body: (Instance) -> Value) -> Value {
    // SAFETY: by the invariant the instance is alive, and by the contract it stays so.
    guard let pointer = unsafe pointer else { preconditionFailure("nothing to borrow") }
    return unsafe Unmanaged<Instance>.fromOpaque(pointer)._withUnsafeGuaranteedRef(body)
  }

  /// The same for a place that always names something; that is checked in builds with assertions only.
  @inline(__always)
  public func borrowNamed<Value>(_ body: (Instance) -> Value) -> Value {
    assert(!isEmpty, "nothing to borrow")
    // SAFETY: by the invariant the instance is alive, and by the contract one is named and stays alive.
    return unsafe Unmanaged<Instance>.fromOpaque(pointer.unsafelyUnwrapped)._withUnsafeGuaranteedRef(body)
  }

  /// The same for a body that can fail.
  @inline(__always)
  public func tryBorrow<Value, Failure>(_ body: (Instance) throws(Failure) -> Value) throws(Failure) -> Value {
    let result = borrow { instance in Result { () throws(Failure) in try body(instance) } }
    return try result.get()
  }
}

/// A place that keeps an instance alive, or is empty. Unlike an optional reference it costs nothing to drop when it is empty.
///
/// Invariant: a place is empty before it goes, and is not copied while it is not: otherwise its instance would never go, or be
/// handed out twice. (Not `~Copyable`, because Swift 6.3 copies a whole array of such places to read one of them.)
@safe
public struct HeldReference<Instance: Nameable>: BitwiseCopyable {
  /// The same without counting: to be borrowed while the place is not emptied.
  public private(set) var borrowed: BackReference<Instance>

  /// An empty place.
  @inline(__always)
  public init() { borrowed = BackReference() }

  /// Fills the place, which must be empty.
  @inline(__always)
  public mutating func fill(_ instance: consuming Instance) {
    precondition(borrowed.isEmpty, "a place filled twice")
    // SAFETY: the count that is kept here is the one that `take` hands out.
    borrowed = unsafe BackReference(pointer: Unmanaged.passRetained(instance).toOpaque())
  }

  /// Empties the place and hands the instance to the caller; nil when it is empty.
  @inline(__always)
  public mutating func take() -> Instance? {
    guard let pointer = unsafe borrowed.pointer else { return nil }
    borrowed = BackReference()
    // SAFETY: the count that is taken over is the one that `fill` kept.
    return unsafe Unmanaged<Instance>.fromOpaque(pointer).takeRetainedValue()
  }

  /// Empties the place into another.
  @inline(__always)
  public mutating func move() -> HeldReference {
    var place = HeldReference()
    swap(&place.borrowed, &borrowed)
    return place
  }

  /// Whether the place is all that keeps its instance alive.
  public mutating func isOnlyReference() -> Bool {
    #if hasFeature(Embedded)
      // SAFETY: an optional reference is one word, 0 for nil, and the place owns what it names. It is looked at where it lies:
      // an optimiser may count a reference that is taken out once more.
      return unsafe withUnsafeMutablePointer(to: &borrowed) { place in
        unsafe HeldReference.isUnique(UnsafeMutableRawPointer(place))
      }
    #else
      var address = borrowed.rawAddress
      // SAFETY: the same; the place itself has more than the address in it.
      return unsafe withUnsafeMutablePointer(to: &address) { place in
        unsafe HeldReference.isUnique(UnsafeMutableRawPointer(place))
      }
    #endif
  }

  @inline(__always)
  private static func isUnique(_ place: UnsafeMutableRawPointer) -> Bool {
    let reference = unsafe place.assumingMemoryBound(to: Instance?.self)
    return unsafe isKnownUniquelyReferenced(&reference.pointee)
  }
}
