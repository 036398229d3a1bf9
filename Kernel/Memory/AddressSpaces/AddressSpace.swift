// An address space: an ordered, balanced map of entries, and the page tables that cache what it says.
//
// Invariants
// - `root` and every table below it (user half) are frames in state `.pageTable` owned by this space; `count` of a table's
//   frame is the number of its entries in use (user half, for the root).
// - A present entry of a lowest table maps a frame of the object chain that the map entry of its address shows, with no
//   more rights than the map entry grants, and stands in that frame's mapping list.
// - Only the space whose root is loaded has translations cached by the processor; every entry that loses rights or goes is
//   invalidated before its frame can be reused.
// - Each of the `userCount` users calls `retire` exactly once; after the last only the teardown list reaches the space.
public import ABI
import Primitives

/// Where a program and the data segment that break(2) moves lie.
public struct ProgramExtent: BitwiseCopyable, Sendable {
  /// The program's lowest page.
  public var start: UInt64 = 0
  /// Where the data segment starts, page-aligned.
  public var dataStart: UInt64 = 0
  /// Where the data segment ends now, page-aligned: what break(2) returns.
  public var dataEnd: UInt64 = 0

  /// Nowhere.
  public init() {}
}

/// An address space.
public final class AddressSpace: AnyOwner {
  /// The system that frames come from.
  public let system: MemorySystem
  let root: FrameNumber
  var tree = Handle<MapEntry>.none
  var first = Handle<MapEntry>.none
  var lastFound = Handle<MapEntry>.none
  /// Mappings.
  public internal(set) var entryCount = 0
  /// Bytes of all mappings but guards: what RLIMIT_AS limits.
  public internal(set) var virtualByteCount: UInt64 = 0
  /// Where the program and its data segment lie.
  public var program = ProgramExtent()
  /// Present page-table entries of the lowest level.
  public internal(set) var residentPageCount = 0
  /// The largest `residentPageCount` that was noted before it became less.
  private var notedResidentPageCount = 0
  /// Whom new reservations, records and tables are charged to: the process's real user. Records and tables move to another.
  public var account: UserAccount? {
    willSet {
      account?.countKernelMemory(-kernelByteCount)
      newValue?.countKernelMemory(kernelByteCount)
    }
    didSet { payer = account.map { BackReference($0) } ?? BackReference() }
  }
  /// The same, to be borrowed.
  private var payer = BackReference<UserAccount>()
  /// Frames of page tables, the root among them.
  public private(set) var tableCount = 1
  var cachedTableBase = UInt64.max
  var cachedTable = FrameNumber.none
  /// Processes that run in the space: more than one between vfork(2) and execve(2) or the end of the child.
  public private(set) var userCount = 1
  /// The inspection that visited the space last.
  var inspection: UInt32 = 0

  private init(_ system: MemorySystem, root: FrameNumber) {
    self.system = system
    self.root = root
    super.init()
    system.frames[root].owner = OwnerReference(self)
    system.frames[root].index = 0
    system.frames[root].count = 0
    system.frames[root].usedGroups = 0
    system.frames[root].order = 3
    system.counters.liveSpaces += 1
  }

  deinit {
    precondition(userCount == 0, "address space dropped without retire")
    system.counters.liveSpaces -= 1
  }

  /// Makes an empty address space.
  ///
  /// - Throws: `ENOMEM` when there is no frame for its root.
  public static func make(_ system: MemorySystem) throws(Errno) -> AddressSpace {
    guard let root = system.takeRoot() else { throw .enomem }
    return AddressSpace(system, root: root)
  }

  /// Whether the processor uses this space's translations.
  @inline(__always)
  var isLoaded: Bool { system.loadedRoot == root }

  /// Makes the processor use this space.
  @inline(__always)
  public func activate() {
    if system.loadedRoot != root {
      system.loadedRoot = root
      system.services.processor.loadPageTable(root: root)
    }
  }

  /// One more process runs in the space, and gives it up with a `retire` of its own.
  public func share() { userCount += 1 }

  /// A user gives the space up. After the last, everything in it is released in bounded steps by the teardown list. The
  /// caller drops its reference.
  public func retire() {
    precondition(userCount > 0)
    userCount -= 1
    guard userCount == 0 else { return }
    system.loadKernelRoot(insteadOf: root)
    system.teardown.append(self)
  }

  /// Twice what there is to release, and some: translations, entries, tables.
  override var teardownUnitCount: Int { 2 * (residentPageCount + entryCount) + 16 }

  override func tearDown(_ budget: inout Int, _ system: MemorySystem) -> Bool {
    guard releaseTables(&budget) else { return false }
    // From here on only the list of entries counts.
    tree = .none
    lastFound = .none
    while budget > 0, !first.isNone {
      budget -= 1
      let entry = first
      first = system.entries[entry].next
      release(entry)
    }
    guard first.isNone else { return false }
    system.giveRoot(root)
    count(tables: -1)
    return true
  }

  /// Drops an entry that is out of the map, with its reference and its charge.
  func release(_ handle: Handle<MapEntry>) {
    let entry = system.entries.take(handle, system)
    count(entries: -1)
    virtualByteCount -= entry.countedByteCount
    if entry.charge != 0 { system.release(entry.charge, of: entry.account) }
    if entry.countsAsWritable, let object = entry.objectOrNil {
      object.writableMappingByteCount -= entry.end - entry.start
    }
  }

  /// The most pages that were present at a time.
  public var largestResidentPageCount: Int { max(notedResidentPageCount, residentPageCount) }

  /// Pages are about to go: so the maximum needs no attention where they come.
  @inline(__always)
  func noteResidentPages() {
    if residentPageCount > notedResidentPageCount { notedResidentPageCount = residentPageCount }
  }

  /// What the records and tables of the space take of the kernel's memory.
  public var kernelByteCount: Int {
    entryCount * MemoryLayout<MapEntry>.stride + tableCount * Int(Page.byteCount)
  }

  /// Counts an entry that has come, or, negative, gone.
  @inline(__always)
  func count(entries: Int) {
    entryCount &+= entries
    if !payer.isEmpty { payer.borrow { $0.countKernelMemory(entries &* MemoryLayout<MapEntry>.stride) } }
  }

  /// Counts page tables that have come, or, negative, gone.
  @inline(__always)
  func count(tables: Int) {
    tableCount &+= tables
    if !payer.isEmpty { payer.borrow { $0.countKernelMemory(tables &* Int(Page.byteCount)) } }
  }

  /// Whether the current caller may give the space more records and tables; where it may not, the user is noted.
  var admitsKernelMemory: Bool { payer.isEmpty || payer.borrow { system.admitsKernelMemory(for: $0) } }

  /// The same where a call refuses.
  @inline(__always)
  var mayHaveMoreEntries: Bool { payer.isEmpty || payer.borrow { $0.mayMakeKernelMemory } }
}

extension MemorySystem {
  /// Leaves an address space that is about to go.
  func loadKernelRoot(insteadOf root: FrameNumber) {
    if loadedRoot == root {
      loadedRoot = kernelRoot
      services.processor.loadPageTable(root: kernelRoot)
    }
  }
}
