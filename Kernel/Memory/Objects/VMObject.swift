// A VM object: a sparse sequence of pages, in memory or in swap, that map entries, shadows and shared memory refer to.
//
// Invariants
// - `referenceCount` is the number of `VMObjectReference`s. At 0 the object is on the teardown list and nothing but the
//   list reaches it; if there is nothing to release in it, it ends at once.
// - `residentCount` and `swappedCount` count the entries of `pages` of each kind; `blockCount` counts swap blocks owned
//   (those of resident pages included).
// - A shared-memory object has no backing; no index at or above `pageCount` is present in it.
// - An anonymous object with a backing is linked in the backing's list of shadows; a page absent here is looked for there
//   at `index + backingOffset`.
// - `account` counts the object's pages as they come and go, and what its index takes (UserAccount.swift).
// - A page whose frame is not dirty equals its swap block, or is all zeros when it has none; that of a file is what the file has.
public import ABI
public import Primitives

/// What an object is for.
public enum VMObjectKind: Sendable {
  /// Private memory of programs, and shared anonymous memory.
  case anonymous
  /// A POSIX shared memory object, or the buffer of a pipe: never the target of a collapse.
  case sharedMemory
  /// What a file has, which nobody can change (FileContent.swift).
  case file
}

/// What is so of an object, or not.
private struct VMObjectTraits: OptionSet, BitwiseCopyable {
  var rawValue: UInt8

  static let seenOnce = VMObjectTraits(rawValue: 1)
  static let destroyed = VMObjectTraits(rawValue: 2)
  static let pagesBeyondEnd = VMObjectTraits(rawValue: 4)
  static let largePages = VMObjectTraits(rawValue: 8)
}

/// What is in front of an object that has a name of its own, for who looks from a mapping.
open class VMObjectHolder: Nameable {
  /// One that holds nothing yet.
  public init() {}
}

/// A pageable store, chained by shadowing.
///
/// There may be a million of these: one takes 192 bytes, to which the order of its parts matters (size_test, `names`).
public final class VMObject: AnyOwner {
  /// What it is for.
  public let kind: VMObjectKind
  private var traits: VMObjectTraits = []
  var shadowCount: Int32 = 0
  /// The size in pages.
  public internal(set) var pageCount: UInt64
  /// Bytes of shared mappings made from writable descriptors (they block `F_SEAL_WRITE`).
  public internal(set) var writableMappingByteCount: UInt64 = 0
  /// The system that the object's pages belong to.
  let system: MemorySystem
  var pages = PageIndex()
  /// See `preparedPageCount` and `colour`: an object has one of them.
  private var placeWord: UInt16 = 0
  private var hiddenPages: UInt32 = 0
  private var residents: UInt32 = 0
  private var pagesInSwap: UInt32 = 0
  private var blocks: UInt32 = 0
  private var references: UInt32 = 0
  /// Names the object to those who sleep on a word of it (`SharedPlace`), once somebody has asked; 0 until then.
  private var number: UInt64 = 0
  var charge: UInt64 = 0
  /// Whose reservation `charge` is, and who pays for the pages and their index: the creator, whoever keeps the object alive.
  let account: UserAccount?
  var backing: VMObjectReference?
  var backingOffset: UInt64 = 0
  var firstShadow = BackReference<VMObject>()
  var nextShadow = BackReference<VMObject>()
  var previousShadow = BackReference<VMObject>()
  /// What it belongs to, if that is still there and has a name of its own.
  public var holder = BackReference<VMObjectHolder>()
  /// References found by the inspection in progress, and which inspection that is.
  var inspectedReferences: Int32 = 0
  var inspection: UInt32 = 0
  /// The size of a process in which the object was counted last (`MemorySystem.beginSize`).
  var countedIn: UInt32 = 0
  /// Names the shrinking among wait channels.
  var shrinkNumber: UInt32 = 0
  /// While the object shrinks, or a hole is made in it: the first page that nobody may see until that is done (VMObject+Shrink);
  /// otherwise beyond all.
  var hiddenFrom = UInt64.max
  /// Where such pages end.
  var hiddenEnd = UInt64.max

  init(_ system: MemorySystem, _ kind: VMObjectKind, pageCount: UInt64, account: UserAccount? = nil) {
    self.kind = kind
    self.pageCount = pageCount
    self.system = system
    self.account = account
    backing = nil
    super.init()
    system.counters.liveObjects &+= 1
    guard let account else { return }
    account.countKernelMemory(kernelByteCount)
  }

  /// What the object takes of the kernel's memory, its index left out.
  @inline(__always)
  var kernelByteCount: Int {
    kind == .sharedMemory ? KernelMemoryCost.object + KernelMemoryCost.sharedMemoryObject : KernelMemoryCost.object
  }

  /// Who pays for the pages, to be borrowed.
  @inline(__always)
  var payerReference: BackReference<UserAccount> {
    guard let account else { return BackReference() }
    return BackReference(account)
  }

  /// Who pays for the pages.
  public var payer: UserAccount? { account }

  /// Counts pages that the object has got, or, negative, lost, in memory or in swap, for who pays for them.
  @inline(__always)
  func countPages(_ count: Int) {
    if !payerReference.isEmpty { payerReference.borrow { $0.objectPageCount &+= count } }
  }

  /// Makes an object of `pageCount` pages, none of them present, and reserves swap for them and for what it grows by.
  ///
  /// - Throws: `ENOMEM` when `vm.overcommit` refuses the reservation.
  public static func make(
    _ system: MemorySystem, _ kind: VMObjectKind, pageCount: UInt64, account: UserAccount? = nil
  ) throws(Errno) -> VMObjectReference {
    try system.reserve(pageCount, for: account)
    let object = VMObject(system, kind, pageCount: pageCount, account: account)
    object.charge = pageCount
    return VMObjectReference(object)
  }

  /// Names the object among all that there ever were.
  @inline(__always)
  func placeNumber(_ system: MemorySystem) -> UInt64 {
    if number == 0 {
      system.lastPlaceNumber &+= 1
      number = system.lastPlaceNumber
    }
    return number
  }

  /// Pages in memory or in swap: `st_blocks` of a shared memory object.
  public var allocatedPageCount: Int { residentCount + swappedCount + hiddenPageCount }

  @inline(__always)
  fileprivate func addReference() {
    references += 1
  }

  @inline(__always)
  fileprivate func dropReference() {
    references -= 1
    if references == 0 {
      // What is watched goes by the list, because others may go with it.
      if pages.isEmpty && backing == nil && number == 0 && !isQueued { end() } else { system.teardown.append(self) }
    } else if references == 1 && shadowCount == 1 {
      // The one shadow is all that can see this object now: let it take the pages over.
      if let shadow = firstShadow.instance { system.teardown.append(shadow) }
    }
  }

  /// Twice what there is to release or to move, and some: pages, what holds them, and chains.
  public override var teardownUnitCount: Int {
    var count = allocatedPageCount
    if referenceCount > 0, let backing = backingObject { count += backing.allocatedPageCount }
    return 2 * count + 8
  }

  /// Releases pages when the last reference is gone; otherwise shortens the chain below.
  public override func tearDown(_ budget: inout Int, _ system: MemorySystem) -> Bool {
    if referenceCount > 0 { return collapse(&budget, system) }
    let before = residentCount
    let isDone = removePages(from: 0, to: UInt64.max, &budget, system)
    system.counters.pagesEnded &+= before - residentCount
    guard isDone else { return false }
    detachBacking()
    end()
    return true
  }

  /// What remains when nothing is left of the object but itself.
  private func end() {
    system.release(charge, of: account)
    charge = 0
    account?.countKernelMemory(-kernelByteCount)
    system.counters.liveObjects &-= 1
    if hasLargePages { system.largeObjectCount -= 1 }
    if kind == .file { leaveFile() }
    if number != 0 && !system.placeWatcher.isEmpty { system.placeWatcher.borrow { $0.placesEnded(number) } }
  }

  /// Puts `source` behind this object, which has none.
  func attachBacking(_ source: consuming VMObjectReference, offset: UInt64) {
    let object = source.object
    backingOffset = offset
    previousShadow = BackReference()
    nextShadow = object.firstShadow
    object.firstShadow.instance?.previousShadow = BackReference(self)
    object.firstShadow = BackReference(self)
    object.shadowCount += 1
    backing = consume source
  }

  /// Gives up the backing, if there is one.
  func detachBacking() {
    guard let reference = takeBacking() else { return }
    _ = consume reference
  }

  /// Unlinks this object from its backing and hands the reference to the caller.
  func takeBacking() -> VMObjectReference? {
    guard let reference = backing.take() else { return nil }
    let object = reference.object
    if let previous = previousShadow.instance {
      previous.nextShadow = nextShadow
    } else {
      object.firstShadow = nextShadow
    }
    nextShadow.instance?.previousShadow = previousShadow
    nextShadow = BackReference()
    previousShadow = BackReference()
    object.shadowCount -= 1
    backingOffset = 0
    return reference
  }

  /// The object behind this one.
  @inline(__always)
  var backingObject: VMObject? {
    switch backing {
    case .some(let reference): reference.object
    case .none: nil
    }
  }
}

// MARK: Counts and traits

extension VMObject {
  /// References of any kind: `st_nlink` of a shared memory object (spec shm.md 3.8).
  @inline(__always)
  public var referenceCount: Int { Int(references) }

  /// Pages in memory.
  @inline(__always)
  var residentCount: Int {
    get { Int(residents) }
    set { residents = UInt32(newValue) }
  }

  /// Pages in swap only.
  @inline(__always)
  var swappedCount: Int {
    get { Int(pagesInSwap) }
    set { pagesInSwap = UInt32(newValue) }
  }

  @inline(__always)
  var blockCount: Int {
    get { Int(blocks) }
    set { blocks = UInt32(newValue) }
  }

  /// Pages that are gone but still count while the object shrinks.
  @inline(__always)
  var hiddenPageCount: Int {
    get { Int(hiddenPages) }
    set { hiddenPages = UInt32(newValue) }
  }

  /// Whether no page of an anonymous object is shown by more than one map entry, or through a shadow: then what an entry
  /// gives up is of no use to anybody (FreeBSD's OBJ_ONEMAPPING).
  @inline(__always)
  var isSeenOnce: Bool {
    get { traits.contains(.seenOnce) }
    set { set(.seenOnce, newValue) }
  }

  /// Whether those who show it are to know that it is no good any more (UMTX_SHM_DESTROY).
  public var isDestroyed: Bool {
    get { traits.contains(.destroyed) }
    set { set(.destroyed, newValue) }
  }

  /// Whether pages behind the end may be there: they were wired when the object shrank.
  @inline(__always)
  var hasPagesBeyondEnd: Bool {
    get { traits.contains(.pagesBeyondEnd) }
    set { set(.pagesBeyondEnd, newValue) }
  }

  /// Of an object of large pages, while one is being made: one more than its pages that are ready; otherwise 0.
  @inline(__always)
  var preparedPageCount: UInt16 {
    get { hasLargePages ? placeWord : 0 }
    set { placeWord = newValue }
  }

  /// Of any other: what is added to a page's index to tell its group and its place in that (Reservations.swift).
  @inline(__always)
  var colour: UInt16 {
    get { placeWord }
    set { placeWord = newValue }
  }

  /// Whether it consists of 2 MiB pages (VMObject+Large.swift).
  @inline(__always)
  public internal(set) var hasLargePages: Bool {
    get { traits.contains(.largePages) }
    set { set(.largePages, newValue) }
  }

  @inline(__always)
  private func set(_ trait: VMObjectTraits, _ isSo: Bool) {
    if isSo { traits.insert(trait) } else { traits.remove(trait) }
  }
}

/// A counted reference to a VM object. Dropping the last one queues the object for teardown.
public struct VMObjectReference: ~Copyable {
  /// The object, alive as long as this reference.
  public let object: VMObject

  /// Takes one more reference.
  @inline(__always)
  public init(_ object: VMObject) {
    self.object = object
    object.addReference()
  }

  /// Takes one more reference to the same object.
  @inline(__always)
  public borrowing func copy() -> VMObjectReference { VMObjectReference(object) }

  deinit { object.dropReference() }
}
