// Work that releasing something leaves behind, done in bounded steps before ring 3 runs again (DESIGN, "Ownership").
//
// Invariants
// - An owner is on the list at most once (`isQueued`); the list keeps it alive. Queueing allocates nothing.
// - What an owner held is released by its steps, never by a `deinit`; so a chain of any length uses no stack.

/// What can own frames, and therefore takes more than constant work to release.
public class AnyOwner {
  fileprivate final var next = HeldReference<AnyOwner>()
  final fileprivate(set) var isQueued = false

  /// The owner behind on the list (for invariant checkers).
  final var nextOwner: AnyOwner? { next.borrowed.instance }

  /// Does at most `budget` units of work (a page, a page table, a map entry) and takes them off `budget`. Returns whether
  /// nothing is left to do.
  func tearDown(_ budget: inout Int, _ system: MemorySystem) -> Bool {
    preconditionFailure("tearDown is abstract")
  }
}

/// The list of owners with work left, first in, first out.
struct TeardownList: ~Copyable {
  private var head = HeldReference<AnyOwner>()
  private var tail = BackReference<AnyOwner>()

  @inline(__always)
  var isEmpty: Bool { tail.isEmpty }

  /// The first owner (for invariant checkers).
  var first: AnyOwner? { head.borrowed.instance }

  mutating func append(_ owner: AnyOwner) {
    guard !owner.isQueued else { return }
    owner.isQueued = true
    if tail.isEmpty { head.fill(owner) } else { tail.borrow { $0.next.fill(owner) } }
    tail = BackReference(owner)
  }

  mutating func removeFirst() -> AnyOwner? {
    guard let owner = head.take() else { return nil }
    head = owner.next.move()
    owner.isQueued = false
    if head.borrowed.isEmpty { tail = BackReference() }
    return owner
  }
}
