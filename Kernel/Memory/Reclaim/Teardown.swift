// Work that releasing something leaves behind, done in bounded steps (DESIGN, "Ownership").
//
// Who released it works it off before it goes on in ring 3, in its own turns: it owes as many units as it put on the list.
// So others have their turns meanwhile, and a process that has ended has given everything back. What nobody owes is done when
// nobody is ready, and a little of it at each tick. While frames are short everything on the list goes first.
//
// Invariants
// - An owner is on the list at most once (`isQueued`); the list keeps it alive. Queueing allocates nothing.
// - What an owner held is released by its steps, never by a `deinit`; so a chain of any length uses no stack.

public import Primitives

/// What can own frames, and therefore takes more than constant work to release.
open class AnyOwner: Nameable {
  fileprivate final var next = HeldReference<AnyOwner>()
  final fileprivate(set) var isQueued = false

  /// One that owns nothing yet.
  public init() {}

  /// The owner behind on the list (for invariant checkers).
  final var nextOwner: AnyOwner? { next.borrowed.instance }

  /// Units of work that are left, at least. (Others may be owed for the same list: it does not have to be exact.)
  open var teardownUnitCount: Int { 1 }

  /// Does at most `budget` units of work (a page, a page table, a map entry) and takes them off `budget`. Returns whether
  /// nothing is left to do.
  open func tearDown(_ budget: inout Int, _ system: MemorySystem) -> Bool {
    preconditionFailure("tearDown is abstract")
  }
}

/// The list of owners with work left, first in, first out.
struct TeardownList: ~Copyable {
  private var head = HeldReference<AnyOwner>()
  private var tail = BackReference<AnyOwner>()
  /// Units of work that came to the list since somebody took them over.
  private(set) var newUnitCount = 0

  @inline(__always)
  var isEmpty: Bool { tail.isEmpty }

  /// The first owner (for invariant checkers).
  var first: AnyOwner? { head.borrowed.instance }

  /// Enters an owner that is not on the list yet, with its units of work.
  mutating func append(_ owner: AnyOwner) {
    guard !owner.isQueued else { return }
    newUnitCount &+= owner.teardownUnitCount
    putBack(owner)
  }

  /// Enters an owner that got so much more work, unless it is on the list.
  mutating func append(_ owner: AnyOwner, unitCount: Int) {
    newUnitCount &+= unitCount
    if !owner.isQueued { putBack(owner) }
  }

  /// Takes over the units of work that came to the list.
  @inline(__always)
  mutating func takeNewUnits() -> Int {
    let count = newUnitCount
    newUnitCount = 0
    return count
  }

  /// Enters an owner that was taken out and has work left.
  mutating func putBack(_ owner: AnyOwner) {
    precondition(!owner.isQueued, "an owner is put on the teardown list twice")
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
