// The files of one kernel: the count of open files and its limits, the pools that tables are built from, the names of
// shared memory, the console, and the files of /dev and /bin.
//
// Invariants
// - `openFileCount` is the number of `OpenFile` instances.
// - Record pools are used by this module only.

import ABI
public import Memory
public import Primitives

/// How exact timestamps are (`vfs.timestamp_precision`; spec shm.md, 2.5).
public enum TimestampPrecision: UInt8, Sendable {
  /// Whole seconds, the default of 2008.
  case seconds = 0
  /// Ticks of the clock.
  case ticks = 1
  /// Microseconds, today's default.
  case microseconds = 2
  /// Nanoseconds.
  case nanoseconds = 3
}

/// Counts of live instances, to be compared when nothing should be left.
public struct FileCounts: Equatable, Sendable {
  /// Open files.
  public var openFiles: Int
  /// Shared memory objects.
  public var sharedMemoryObjects: Int
  /// Names of shared memory objects.
  public var names: Int
  /// Descriptor tables.
  public var tables: Int
  /// Credentials.
  public var credentials: Int
  /// Lists of supplementary groups.
  public var groupLists: Int
  /// What parked transfers hold.
  public var holds: Int
  /// Sockets.
  public var sockets: Int
  /// Names of sockets.
  public var socketNodes: Int
  /// Limits of descriptors.
  public var limits: Int

  /// All of them together.
  public var total: Int {
    openFiles + sharedMemoryObjects + names + tables + credentials + groupLists + holds + sockets + socketNodes + limits
  }
}

/// The files of one kernel.
public final class FileServices: Nameable {
  /// The memory that everything here lives in.
  public let memory: MemorySystem
  let services: KernelServices
  /// The console.
  public let console: Console
  /// `kern.maxfiles`; the superuser may set it to any int, and below the files that are open no other can be opened.
  public var maximumFileCount: Int {
    didSet { unprivilegedFileCount = FileServices.unprivilegedFileCount(of: maximumFileCount) }
  }
  /// `kern.maxfilesperproc`.
  public let maximumFilesPerProcess: Int
  /// Where `kern.maxfiles` begins to be the superuser's alone.
  private var unprivilegedFileCount: Int
  /// `vfs.timestamp_precision`.
  public var timestampPrecision = TimestampPrecision.microseconds
  /// `kern.ipc.shm_names_max`: names of shared memory from which on only the superuser may make more.
  public var maximumNameCount: Int
  /// `kern.ipc.shm_names_per_user`: names that a user other than the superuser may have.
  public var maximumNamesPerUser: Int
  /// `kern.openfiles`: open files that exist.
  public private(set) var openFileCount = 0

  /// What has a say about shared memory beside its permissions; nobody, unless it is set.
  public var policy: SharedMemoryPolicy? { didSet { hasPolicy = policy != nil } }
  /// Whether there is one.
  private(set) var hasPolicy = false
  /// Who signals the owners of files; set by the kernel.
  public var ownerSignals = BackReference<OwnerSignals>()
  /// Who watches what (kqueue(2)).
  public let watchers: EventWatchers
  let leaves: Pool<DescriptorLeaf>
  let branches: Pool<DescriptorBranch<DescriptorLeaf>>
  let limitLeaves: Pool<LimitLeaf>
  let trunks: Pool<DescriptorBranch<DescriptorBranch<DescriptorLeaf>>>
  var names: SharedMemoryNamespace
  /// Objects that are found by a place in another.
  public let keyedObjects = KeyedObjects()
  /// What the buffers of pipes take.
  public var pipeSpace: PipeSpace
  /// The sockets.
  public let sockets: SocketServices
  /// Owners and modes of the devices.
  var deviceOwnership: [5 of Ownership]
  /// Filled at boot.
  var bootFiles: [BootFileContent] = []
  var liveSharedMemoryObjectCount = 0
  var liveTableCount = 0
  var liveCredentialsCount = 0
  var liveGroupListCount = 0
  var liveHoldCount = 0
  var liveLimitsCount = 0
  /// Pages that a transfer moves before it lets others run.
  private(set) var pagesPerTransferStep = FileLimits.pagesPerTransferStep
  /// Pages that shrinking an object removes before it lets others run.
  private(set) var pagesPerResizeStep = FileLimits.pagesPerResizeStep
  /// Leaves of a descriptor table that a step handles at most.
  private(set) var leavesPerStep = FileLimits.leavesPerStep
  private var lastInode: UInt64 = 0
  private var lastPipeInode: UInt64 = 0
  private var lastHoldNumber: UInt32 = 0
  private var nameCursor: UInt32 = 0

  /// Makes the files of a kernel; allocates for good, at boot.
  ///
  /// - Parameter consoleOutputByteCount: what programs may have written to the console before the device takes it.
  public init(_ memory: MemorySystem, consoleOutputByteCount: Int = FileLimits.consoleOutputByteCount) {
    self.memory = memory
    services = memory.services
    let pageCount = memory.managedFrameCount
    maximumFileCount = min(
      max(FileLimits.minimumOpenFileCount, pageCount / FileLimits.pagesPerOpenFile),
      max(FileLimits.leastOpenFileCount, pageCount / FileLimits.minimumPagesPerOpenFile))
    unprivilegedFileCount = FileServices.unprivilegedFileCount(of: maximumFileCount)
    maximumFilesPerProcess = min(maximumFileCount / 10 * 9, FileLimits.descriptorCount)
    watchers = EventWatchers(memory)
    leaves = Pool(memory.physical, .descriptorNode)
    branches = Pool(memory.physical, .descriptorNode)
    trunks = Pool(memory.physical, .descriptorNode)
    limitLeaves = Pool(memory.physical, .descriptorNode)
    names = SharedMemoryNamespace(memory.physical, pageCount: pageCount)
    memory.placeWatcher = BackReference(keyedObjects)
    pipeSpace = PipeSpace(pageCount: pageCount)
    sockets = SocketServices(memory, maximumFileCount: maximumFileCount)
    console = Console(memory.services, outputByteCount: consoleOutputByteCount)
    maximumNameCount = pageCount * FileLimits.namesPerPage
    maximumNamesPerUser = pageCount * FileLimits.namesPerPage / 2
    deviceOwnership = [5 of Ownership](repeating: Device.null.initialOwnership)
    for device in Device.allCases { deviceOwnership[device.rawValue] = device.initialOwnership }
  }

  /// What is kept for speed may name what keeps it.
  deinit { sockets.trim() }

  private static func unprivilegedFileCount(of maximum: Int) -> Int {
    maximum - maximum / FileLimits.privilegedFileShare
  }

  /// Makes steps smaller than they are by themselves: one handles at most so many pages of a transfer or a change of size, or
  /// leaves of a table.
  public func limitSteps(toPageCount pageCount: Int) {
    pagesPerTransferStep = min(FileLimits.pagesPerTransferStep, pageCount)
    pagesPerResizeStep = min(FileLimits.pagesPerResizeStep, pageCount)
    leavesPerStep = min(FileLimits.leavesPerStep, pageCount)
  }

  /// What is alive now.
  public var counts: FileCounts {
    FileCounts(
      openFiles: openFileCount, sharedMemoryObjects: liveSharedMemoryObjectCount, names: names.count,
      tables: liveTableCount, credentials: liveCredentialsCount, groupLists: liveGroupListCount,
      holds: liveHoldCount + sockets.livePlaceCount, sockets: sockets.socketCount, socketNodes: sockets.names.count,
      limits: liveLimitsCount)
  }

  /// Gives back every frame that is only kept for speed, so that frames can be counted exactly.
  public func trim() {
    watchers.trim()
    sockets.trim()
    leaves.trim(memory)
    branches.trim(memory)
    trunks.trim(memory)
    limitLeaves.trim(memory)
    names.trim(memory)
  }

  /// Drops names until `budget`, which they are taken off, is used up. Returns whether none is left; for the end of a run.
  public func removeAllNames(budget: inout Int) -> Bool {
    while budget > 0 {
      budget -= 1
      guard let object = names.removeAny(from: &nameCursor, memory) else {
        nameCursor = 0
        return sockets.names.removeAll(budget: &budget)
      }
      _ = consume object
    }
    return false
  }
}

// MARK: What the files of this module use

extension FileServices {
  /// Refuses a further open file.
  ///
  /// Throws ENFILE when `kern.maxfiles` is reached; the last twentieth is kept for the superuser (spec fd.md, section 3).
  @inline(__always)
  func admitFile(_ caller: Credentials) throws(Errno) {
    if services.isToFail(.openFile) { throw .enfile }
    let count = openFileCount &+ 1
    if count >= unprivilegedFileCount {
      guard caller.isSuperuser && count < maximumFileCount else { throw .enfile }
    }
  }

  /// Refuses a further name.
  ///
  /// Throws ENFILE when a user has too many, or all together; the superuser is not limited.
  func admitName(_ caller: Credentials) throws(Errno) {
    if caller.isSuperuser { return }
    guard names.count < maximumNameCount, caller.account.nameCount < maximumNamesPerUser else { throw .enfile }
  }

  /// Counts a new open file.
  @inline(__always)
  func countOpenFile() {
    openFileCount += 1
  }

  @inline(__always)
  func uncountOpenFile() {
    openFileCount -= 1
  }

  @inline(__always)
  func nextInode() -> UInt64 {
    lastInode &+= 1
    return lastInode
  }

  func nextPipeInode() -> UInt64 {
    lastPipeInode &+= 1
    return lastPipeInode
  }

  /// Names a hold among wait channels. Numbers come again after 2^32; a wake-up too many does no harm.
  func nextHoldNumber() -> UInt32 {
    lastHoldNumber &+= 1
    return lastHoldNumber
  }

  /// Nanoseconds since 1970, in the precision that timestamps have.
  @inline(__always)
  var timestamp: UInt64 {
    let now = services.realNanoseconds
    switch timestampPrecision {
    case .seconds: return now - now % 1_000_000_000
    case .ticks: return now - now % 1_000_000
    case .microseconds: return now - now % 1000
    case .nanoseconds: return now
    }
  }

  func wake(_ channel: WaitChannel) {
    services.wake(channel)
  }
}
