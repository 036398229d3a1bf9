// Work that releasing something leaves behind, done in bounded steps before ring 3 runs again (DESIGN, "Ownership").
//
// Invariants
// - An owner is on the list at most once (`isQueued`); the list keeps it alive. Queueing allocates nothing.
// - What an owner held is released by its steps, never by a `deinit`; so a chain of any length uses no stack.

/// What can own frames, and therefore takes more than constant work to release.
public class AnyOwner {
  final fileprivate(set) var nextOwner: AnyOwner?
  final fileprivate(set) var isQueued = false

  /// Does at most `budget` units of work (a page, a page table, a map entry) and takes them off `budget`. Returns whether
  /// nothing is left to do.
  func tearDown(_ budget: inout Int, _ system: MemorySystem) -> Bool {
    preconditionFailure("tearDown is abstract")
  }
}

/// The list of owners with work left, first in, first out.
struct TeardownList {
  private(set) var first: AnyOwner?
  private var last: BackReference<AnyOwner>

  init() {
    first = nil
    last = BackReference()
  }

  var isEmpty: Bool { first == nil }

  mutating func append(_ owner: AnyOwner) {
    guard !owner.isQueued else { return }
    owner.isQueued = true
    if let tail = last.instance { tail.nextOwner = owner } else { first = owner }
    last = BackReference(owner)
  }

  mutating func removeFirst() -> AnyOwner? {
    guard let owner = first else { return nil }
    first = owner.nextOwner
    owner.nextOwner = nil
    owner.isQueued = false
    if first == nil { last = BackReference() }
    return owner
  }
}
