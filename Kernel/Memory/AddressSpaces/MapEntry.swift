// One mapping of an address space.
public import ABI
import Primitives

/// Who sees stores through a mapping.
public enum Sharing: UInt8, Sendable {
  /// Stores reach the object.
  case shared
  /// Stores go to a private copy.
  case `private`
}

/// What a mapping is for.
enum EntryKind: UInt8, Sendable {
  /// Memory.
  case memory
  /// The part of a stack that has grown: memory below which a gap may lie.
  case stack
  /// What a stack may grow into, with the guard at its low end; `offset` is a `StackGap`.
  case stackGap
  /// A range that is kept free: nothing in it can be reached, no protection makes it so, and no limit counts it (MAP_GUARD).
  case guardRange
}

/// Whether a mapping's pages are kept in memory (mlock(2)).
enum EntryWiring: UInt8, Sendable {
  case none
  /// They are being brought in.
  case begun
  case wired
}

/// One mapping: the range `start ..< end` shows `object` from page `offset` on.
///
/// Invariants
/// - `start < end`, page-aligned, inside user space; entries of a space do not overlap; `next` and `previous` are in
///   ascending order. `left`, `right`, `parent`, `height` and `largestGap` are the tree's (AddressSpace+Balance.swift).
/// - `needsCopy`: the object belongs to others too; it is shadowed before the first store.
/// - `charge` pages of swap are reserved for a private mapping that can be written: all of its pages, or none.
/// - Two entries that touch differ in something (`isLike`), or show what does not belong together.
struct MapEntry: ~Copyable {
  var start: UInt64
  var end: UInt64
  var offset: UInt64
  var object: VMObjectReference?
  var charge: UInt64
  /// Whose reservation `charge` is.
  var account: UserAccount?
  var largestGap: UInt64 = 0
  var next = Handle<MapEntry>.none
  var previous = Handle<MapEntry>.none
  var left = Handle<MapEntry>.none
  var right = Handle<MapEntry>.none
  var parent = Handle<MapEntry>.none
  var height: UInt8 = 0
  var protection: Protection
  var maximum: Protection
  var kind: EntryKind
  var sharing: Sharing
  var inheritance: Inheritance
  var needsCopy: Bool
  var countsAsWritable: Bool
  var advice = EntryAdvice()
  var wiring = EntryWiring.none

  var pageCount: UInt64 { (end - start) >> Page.shift }

  /// Whether nothing in it can be reached, whatever is done to its protection.
  @inline(__always)
  var isGuard: Bool { kind.rawValue >= EntryKind.stackGap.rawValue }

  /// What counts for RLIMIT_AS.
  @inline(__always)
  var countedByteCount: UInt64 { isGuard ? 0 : end - start }

  /// The offset of the part from `address` on.
  func offset(from address: UInt64) -> UInt64 { kind == .stackGap ? offset : index(of: address) }

  /// Whether both are the same in all but where they lie and what they show.
  borrowing func isLike(_ other: borrowing MapEntry) -> Bool {
    protection == other.protection && kind == other.kind && maximum == other.maximum && sharing == other.sharing
      && inheritance == other.inheritance && needsCopy == other.needsCopy && advice == other.advice
      && wiring == other.wiring && countsAsWritable == other.countsAsWritable && (charge == 0) == (other.charge == 0)
      && account === other.account
  }

  @inline(__always)
  var objectOrNil: VMObject? {
    switch object {
    case .some(let reference): reference.object
    case .none: nil
    }
  }

  /// The object, to be compared with others.
  @inline(__always)
  var objectReference: BackReference<VMObject> {
    switch object {
    case .some(let reference): BackReference(reference.object)
    case .none: BackReference()
    }
  }

  @inline(__always)
  borrowing func copyReference() -> VMObjectReference? {
    switch object {
    case .some(let reference): reference.copy()
    case .none: nil
    }
  }

  /// The page of the object that `address` shows.
  @inline(__always)
  func index(of address: UInt64) -> UInt64 { offset &+ ((address &- start) >> Page.shift) }
}

/// Where a new mapping goes.
public enum Placement: Sendable {
  /// At the first gap at or behind the address, or anywhere if there is none.
  case anywhere
  /// Exactly there, in place of what is mapped there.
  case fixed
  /// Exactly there, and only if nothing is mapped there.
  case exclusive
}

/// A mapping to be made.
public struct MapRequest: ~Copyable {
  /// The address, or where to look from; page-aligned.
  public var address: UInt64
  /// Bytes, a positive multiple of the page size.
  public var byteCount: UInt64
  /// Where it goes.
  public var placement: Placement
  /// The alignment of the result, a power of two of at least a page (`.anywhere` only).
  public var alignment: UInt64 = Page.byteCount
  /// Whether the address is the caller's wish, and not only where to begin to look (`.anywhere` only).
  public var isWish = true
  /// The first address that the mapping may not reach (`.anywhere` only).
  public var limit: UInt64 = UserSpace.end
  /// Where to look next when there is no room from the address on (`.anywhere` only).
  public var fallback: UInt64 = UserSpace.start
  /// Whether the range is only kept free.
  public var isGuard = false
  /// If it is a stack, how.
  public var stack: StackRequest?
  /// What may be done.
  public var protection: Protection
  /// What `mprotect` may allow later.
  public var maximum: Protection
  /// Who sees stores.
  public var sharing: Sharing
  /// What is mapped; nil for memory that starts as zeros.
  public var object: VMObjectReference?
  /// The page of the object at the mapping's start.
  public var offset: UInt64 = 0
  /// Whether it is a shared mapping from a writable descriptor, which blocks `F_SEAL_WRITE`.
  public var countsAsWritable = false

  /// Describes a mapping.
  public init(
    address: UInt64, byteCount: UInt64, placement: Placement, protection: Protection, maximum: Protection,
    sharing: Sharing, object: consuming VMObjectReference?
  ) {
    self.address = address
    self.byteCount = byteCount
    self.placement = placement
    self.protection = protection
    self.maximum = maximum
    self.sharing = sharing
    self.object = object
  }
}
