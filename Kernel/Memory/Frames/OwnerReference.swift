// From a frame's record back to what owns the frame.

import Primitives

/// The owner of a frame: a VM object (state `.object`) or an address space (state `.pageTable`).
struct OwnerReference: BitwiseCopyable, Equatable {
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

  /// Lends the address space without counting a reference.
  @inline(__always)
  func borrowSpace<Value>(_ body: (AddressSpace) -> Value) -> Value {
    reference.borrow { body(unsafe unsafeDowncast($0, to: AddressSpace.self)) }
  }
}
