// References that do not own: from a frame's record back to the object or address space that owns the frame.

/// Names a class instance without keeping it alive.
///
/// Invariant: whoever stores one clears it before the instance goes. For frames this holds because an object leaves the
/// teardown list only after its last frame left it.
@safe
public struct BackReference<Instance: AnyObject>: BitwiseCopyable {
  private let bits: UInt

  /// Names nothing.
  @inline(__always)
  public init() { bits = 0 }

  /// Names `instance`.
  @inline(__always)
  public init(_ instance: Instance) {
    bits = unsafe UInt(bitPattern: Unmanaged.passUnretained(instance).toOpaque())
  }

  /// Names `instance` and keeps it alive until `giveUp`: for places that are many and mostly empty.
  @inline(__always)
  public init(holding instance: consuming Instance) {
    bits = unsafe UInt(bitPattern: Unmanaged.passRetained(instance).toOpaque())
  }

  /// Ends what `init(holding:)` began, and hands the instance to the caller.
  @inline(__always)
  public func giveUp() -> Instance {
    guard let pointer = unsafe UnsafeRawPointer(bitPattern: bits) else { preconditionFailure("nothing to give up") }
    // SAFETY: the reference that is taken over is the one that `init(holding:)` made.
    return unsafe Unmanaged<Instance>.fromOpaque(pointer).takeRetainedValue()
  }

  /// Whether what `init(holding:)` began is all that keeps the instance alive.
  public var holdsOnlyReference: Bool {
    if isEmpty { return false }
    var instance = giveUp()
    defer { _ = unsafe Unmanaged.passRetained(instance) }
    return isKnownUniquelyReferenced(&instance)
  }

  /// The instance, if one is named.
  @inline(__always)
  public var instance: Instance? {
    // SAFETY: by the invariant the instance is alive.
    guard let pointer = unsafe UnsafeRawPointer(bitPattern: bits) else { return nil }
    return unsafe Unmanaged<Instance>.fromOpaque(pointer).takeUnretainedValue()
  }

  /// Whether nothing is named.
  @inline(__always)
  public var isEmpty: Bool { bits == 0 }

  /// Lends the instance without counting a reference. Whoever owns it must keep it until `body` returns.
  @inline(__always)
  public func borrow<Value>(_ body: (Instance) -> Value) -> Value {
    // SAFETY: by the invariant the instance is alive, and by the contract it stays so.
    guard let pointer = unsafe UnsafeRawPointer(bitPattern: bits) else { preconditionFailure("nothing to borrow") }
    return unsafe Unmanaged<Instance>.fromOpaque(pointer)._withUnsafeGuaranteedRef(body)
  }

  /// The same for a body that can fail.
  @inline(__always)
  public func tryBorrow<Value, Failure>(_ body: (Instance) throws(Failure) -> Value) throws(Failure) -> Value {
    let result = borrow { instance in Result { () throws(Failure) in try body(instance) } }
    return try result.get()
  }
}

/// The owner of a frame: a VM object (state `.object`) or an address space (state `.pageTable`).
struct OwnerReference: BitwiseCopyable {
  private var reference = BackReference<AnyOwner>()

  @inline(__always)
  init() {}

  @inline(__always)
  init(_ owner: AnyOwner) { reference = BackReference(owner) }

  @inline(__always)
  var object: VMObject? {
    guard let owner = reference.instance else { return nil }
    return unsafe unsafeDowncast(owner, to: VMObject.self)
  }

  @inline(__always)
  var space: AddressSpace? {
    guard let owner = reference.instance else { return nil }
    return unsafe unsafeDowncast(owner, to: AddressSpace.self)
  }
}
