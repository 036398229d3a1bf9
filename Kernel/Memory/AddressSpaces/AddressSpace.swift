// An address space: an ordered, balanced map of entries, and the page tables that cache what it says.
//
// Invariants
// - A page that `tables` map is one of the object chain that the map entry of its address shows, and no access is allowed
//   that the map entry doesn't allow (PageTables.swift).
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
  var tables: PageTables
  var tree = Handle<MapEntry>.none
  var first = Handle<MapEntry>.none
  var lastFound = Handle<MapEntry>.none
  /// The thread that is in the middle of a change of the map, or 0 (AddressSpace+Edit.swift).
  public internal(set) var editor: Int32 = 0
  /// Mappings.
  public internal(set) var entryCount = 0
  /// Pages of mappings that are wired: what RLIMIT_MEMLOCK limits.
  public internal(set) var wiredPageCount: UInt64 = 0
  /// Whether what is mapped from now on is wired (MCL_FUTURE).
  public var wiresFuture = false
  /// Bytes of all mappings but guards: what RLIMIT_AS limits.
  public internal(set) var virtualByteCount: UInt64 = 0
  /// Where the program and its data segment lie.
  public var program = ProgramExtent()
  /// Whom new reservations, records and tables are charged to: the process's real user. Records and tables move to another.
  public var account: UserAccount? {
    willSet {
      account?.countKernelMemory(-kernelByteCount)
      newValue?.countKernelMemory(kernelByteCount)
    }
    didSet { tables.payer = account.map { BackReference($0) } ?? BackReference() }
  }
  /// Processes that run in the space: more than one between vfork(2) and execve(2) or the end of the child.
  public private(set) var userCount = 1
  /// The inspection that visited the space last.
  var inspection: UInt32 = 0

  private init(_ system: MemorySystem, root: FrameNumber) {
    self.system = system
    tables = PageTables(root: root, system)
    super.init()
    system.frames[root].owner = OwnerReference(self)
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

  /// Makes the processor use this space.
  @inline(__always)
  public func activate() {
    if !tables.processors.contains(.first) { system.load(BackReference(self)) }
  }

  /// One more process runs in the space, and gives it up with a `retire` of its own.
  public func share() { userCount += 1 }

  /// A user gives the space up. After the last, everything in it is released in bounded steps by the teardown list. The
  /// caller drops its reference.
  public func retire() {
    precondition(userCount > 0)
    userCount -= 1
    guard userCount == 0 else { return }
    if !tables.processors.isEmpty { system.load(BackReference()) }
    system.teardown.append(self)
  }

  /// Twice what there is to release, and some: translations, entries, tables.
  public override var teardownUnitCount: Int { 2 * (residentPageCount + entryCount) + 16 }

  public override func tearDown(_ budget: inout Int, _ system: MemorySystem) -> Bool {
    let everything = AddressRange(uncheckedStart: 0, end: UserSpace.end)
    guard tables.remove(everything, &budget, system) == UserSpace.end else { return false }
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
    system.giveRoot(tables.root)
    tables.count(tables: -1)
    return true
  }

  /// Drops an entry that is out of the map, with its reference and its charge.
  func release(_ handle: Handle<MapEntry>) {
    let entry = system.entries.take(handle, system)
    count(entries: -1)
    virtualByteCount -= entry.countedByteCount
    if entry.charge != 0 { system.release(entry.charge, of: entry.account) }
    if entry.wiring != .none { countWired(-Int(entry.pageCount)) }
    if entry.countsAsWritable, let object = entry.objectOrNil {
      object.writableMappingByteCount -= entry.end - entry.start
    }
  }

  /// Pages that the page tables show.
  public var residentPageCount: Int { tables.residentPageCount }

  /// The most pages that they showed at a time.
  public var largestResidentPageCount: Int { tables.largestResidentPageCount }

  /// Frames of page tables.
  public var tableCount: Int { tables.tableCount }

  /// Whom records are charged to, to be borrowed.
  @inline(__always)
  private var payer: BackReference<UserAccount> { tables.payer }

  /// What the records and tables of the space take of the kernel's memory.
  public var kernelByteCount: Int {
    entryCount * MemoryLayout<MapEntry>.stride + tableCount * Int(Page.byteCount)
  }

  /// Counts an entry that has come, or, negative, gone.
  @inline(__always)
  func count(entries: Int) {
    entryCount += entries
    if !payer.isEmpty { payer.borrow { $0.countKernelMemory(entries &* MemoryLayout<MapEntry>.stride) } }
  }

  /// Whether the current caller may give the space more records; where it may not, the user is noted.
  var admitsKernelMemory: Bool { payer.isEmpty || payer.borrow { system.admitsKernelMemory(for: $0) } }

  /// The same where a call refuses.
  @inline(__always)
  var mayHaveMoreEntries: Bool { payer.isEmpty || payer.borrow { $0.mayMakeKernelMemory } }
}

extension MemorySystem {
  /// Makes the processor use the tables of a space, or, for none, those of the kernel only.
  func load(_ space: BackReference<AddressSpace>) {
    let previous = loadedSpace
    loadedSpace = space
    if !space.isEmpty { space.borrow { $0.tables.processors.formUnion(.first) } }
    services.loadPageTable(root: loadedRoot)
    if !previous.isEmpty { previous.borrow { $0.tables.processors.subtract(.first) } }
  }

  /// The root whose translations the processor uses.
  @inline(__always)
  var loadedRoot: FrameNumber { loadedSpace.isEmpty ? kernelRoot : loadedSpace.borrow { $0.tables.root } }
}
