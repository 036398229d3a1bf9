// An open file description: what descriptors refer to, with the methods of its type (spec fd.md, sections 1, 2 and 5).
//
// Invariants
// - The instance lives as long as a descriptor, a continuation or a message in flight refers to it; references are
//   ownership and are counted by the language. `deinit` is the close of the last one.
// - `offsetLine` holds those who use the file's own offset and are parked or cut, and those who wait for it.
// - The final methods make the checks that come before any type's own; subclasses override the `perform` ones.

public import ABI
public import Memory
public import Primitives

/// The result of lseek(2).
public enum SeekOutcome: Equatable, Sendable {
  /// The new offset.
  case offset(Int64)
  /// Others have the offset: park with the place in line, and ask again.
  case wait(Wait)
}

/// What an open file reaches, for the calls that are for files in the narrow sense only (FreeBSD's vnodes).
public enum FileKind: Sendable {
  /// An object of the kernel: shared memory.
  case object
  /// A device.
  case device
  /// A regular file.
  case regular
}

/// An open file.
public class OpenFile: Nameable {
  private final let fileServicesReference: BackReference<FileServices>
  /// Access mode and status flags.
  public internal(set) final var flags: FileFlags
  /// Where read(2) and write(2) go on.
  public internal(set) final var offset: Int64 = 0
  /// Whether lseek(2), pread(2) and pwrite(2) are possible (DFLAG_SEEKABLE).
  public final let isSeekable: Bool
  /// Whether the type knows short transfers (`moveAtOnce`).
  public final let knowsShort: Bool
  /// Whether children of a process do not get it, nor anybody else (kqueue(2)).
  final let isForOneProcess: Bool
  final var offsetLine = OffsetLine()
  /// References found by the inspection in progress, and which inspection that is.
  final var inspectedReferences: UInt32 = 0
  final var inspection: UInt32 = 0

  /// The notes that watch it (kqueue(2)). Who changes what they ask for tells them (`EventWatchers.tell`).
  public internal(set) var watchers: NoteList {
    get { ownWatchers }
    set { ownWatchers = newValue }
  }
  private final var ownWatchers = NoteList()

  /// Makes an open file and counts it; `FileServices.admitFile` has said that there may be one more.
  init(
    _ fileServices: BackReference<FileServices>, _ flags: FileFlags, isSeekable: Bool, knowsShort: Bool = false,
    isForOneProcess: Bool = false
  ) {
    fileServicesReference = fileServices
    self.knowsShort = knowsShort
    self.isForOneProcess = isForOneProcess
    self.flags = flags
    self.isSeekable = isSeekable
    fileServices.borrow { $0.countOpenFile() }
  }

  deinit {
    fileServicesReference.borrow { services in
      if !ownWatchers.firstPoll.isNone { services.watchers.fileIsGone(ownWatchers.firstPoll) }
      services.uncountOpenFile()
    }
  }

  /// The kernel's files, which this one is counted in; whoever holds the file keeps them.
  public final var fileServices: FileServices {
    guard let fileServices = fileServicesReference.instance else { preconditionFailure("a file without its kernel") }
    return fileServices
  }

  /// Lends the same without counting a reference.
  @inline(__always)
  final func withServices<Value>(_ body: (FileServices) -> Value) -> Value { fileServicesReference.borrow(body) }

  // MARK: Methods of the type, with the answers of a type that does not have them

  /// What it reaches.
  public var kind: FileKind { .object }

  /// The name in /dev, if it is a device.
  public var deviceName: String? { nil }

  /// Whether reads and writes can sleep until somebody else does something, which may never happen.
  var waitsForOthers: Bool { false }

  /// Whether a write that nobody will read raises no SIGPIPE.
  public var isSilent: Bool { false }

  /// Whether it remembers whom to signal (FIOSETOWN).
  public var hasOwner: Bool { false }

  /// Whether something has ended that it depends on, of which those who watch it are still to be told.
  var isBeingEnded: Bool { false }

  /// Whom it signals.
  public var signalOwner: SignalOwner {
    get { SignalOwner() }
    set { _ = newValue }
  }

  /// Whether flags that F_SETFL has set stay although the type refuses them.
  var keepsRefusedFlags: Bool { false }

  /// A short read or write, by whose flag the file is open, if it can be done at once: what was moved. Nil: nothing was, and it is
  /// to be begun as a `Transfer`.
  public func moveAtOnce(_ short: ShortTransfer, _ space: AddressSpace) -> UInt64? { nil }

  /// read(2) and pread(2) of at least one byte.
  func performRead(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress { throw .eopnotsupp }

  /// write(2) and pwrite(2).
  func performWrite(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress { throw .eopnotsupp }

  /// ftruncate(2) of a writable file.
  func performTruncate(_ resize: inout Resize) throws(Errno) -> Progress { throw .einval }
  func performAllocate(to length: Int64, _ place: inout TransferHold?) throws(Errno) -> Progress { throw .enodev }
  func performPunch(_ punch: inout Punch) throws(Errno) -> Progress { throw .enodev }

  /// The offset that lseek(2) results in, for a seekable file.
  func performSeek(_ offset: Int64, _ origin: SeekOrigin) throws(Errno) -> Int64 { throw .espipe }

  /// ioctl(2), after the generic requests. `data` is what was copied in, and what will be copied out.
  func performControl(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) { throw .enotty }

  /// What TIOCDRAIN waits for (tty(4)).
  public func drainOutput() -> Progress { .complete }

  /// What kcmp(2) compares of it: the kind of what it refers to, and something that tells that from all others of the kind.
  public var comparedObject: (type: UInt32, address: UInt) {
    (informationType.rawValue, BackReference(self).rawAddress)
  }

  /// What sysctl(3) and fcntl(2) call it.
  var informationType: FileInformationType { .node }

  /// What they tell of it besides what they tell of all, and its path, put at the front of a buffer; its length.
  func describe(_ information: inout FileInformation, _ path: inout [1024 of UInt8]) -> Int { 0 }

  /// fstat(2).
  public func status() throws(Errno) -> Stat { throw .eopnotsupp }

  /// The part of mmap(2) that depends on the file.
  public func mapping(_ query: MappingQuery) throws(Errno) -> FileMapping { throw .enodev }

  /// fchmod(2).
  public func changeMode(_ mode: FileMode, _ caller: Credentials) throws(Errno) { throw .einval }

  /// fchown(2); nil leaves an identifier as it is.
  public func changeOwner(user: UInt32?, group: UInt32?, _ caller: Credentials) throws(Errno) { throw .einval }

  /// F_ADD_SEALS; to be asked again with the same `place` when it has to wait for others.
  public func addSeals(_ seals: Seals, _ place: inout TransferHold?) throws(Errno) -> Progress { throw .einval }

  /// F_GET_SEALS.
  public func seals() throws(Errno) -> Seals { throw .einval }

  /// Whether a filter of kevent(2) can watch it.
  func attach(_ filter: EventFilter) throws(Errno) { throw .einval }

  /// What it says to a filter that watches it. `lowWater` is the least that is of interest, if there is one (NOTE_LOWAT).
  func readiness(_ filter: EventFilter, lowWater: Int64?) -> Readiness { Readiness(0, isReady: false) }

  /// Which of the poll(2) `events` hold now; ready for everything by default (spec shm.md, 3.23).
  public func poll(_ events: UInt16) -> UInt16 { readyPoll(events) }

  /// The answer of a file that is always ready.
  final func readyPoll(_ events: UInt16) -> UInt16 {
    events & ~PollEvents.known == 0 ? events & PollEvents.alwaysReady : PollEvents.invalid
  }
}

extension OpenFile {
  /// read(2) and pread(2).
  ///
  /// Throws EBADF unless the file is open for reading, ESPIPE and EINVAL for a position that the file cannot have, EFAULT,
  /// EIO, and what the type says.
  @inline(__always)
  public final func read(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    guard flags.contains(.read) else { throw .ebadf }
    try checkPosition(transfer)
    if transfer.remaining == 0 { return .complete }
    return try performRead(&transfer, space)
  }

  /// write(2) and pwrite(2).
  ///
  /// Throws EBADF unless the file is open for writing, ESPIPE and EINVAL for a position that the file cannot have, EFAULT,
  /// EIO, and what the type says.
  @inline(__always)
  public final func write(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    guard flags.contains(.write) else { throw .ebadf }
    try checkPosition(transfer)
    return try performWrite(&transfer, space)
  }

  @inline(__always)
  private func checkPosition(_ transfer: Transfer) throws(Errno) {
    guard let position = transfer.position else { return }
    guard isSeekable else { throw .espipe }
    // A device may be read from anywhere.
    guard position >= 0 || kind == .device else { throw .einval }
  }

  /// ftruncate(2).
  ///
  /// Throws EINVAL unless the file is open for writing and has a size that can be set; and what the type says.
  public final func truncate(_ resize: inout Resize) throws(Errno) -> Progress {
    guard flags.contains(.write) else { throw .einval }
    return try performTruncate(&resize)
  }

  /// posix_fallocate(2): lets the file be at least so long; to be asked again with the same `place` when it has to wait for
  /// others.
  ///
  /// Throws ESPIPE for what has no offset, EBADF unless the file is open for writing, ENODEV for what is no shared memory; and
  /// what that says.
  public final func allocate(to length: Int64, _ place: inout TransferHold?) throws(Errno) -> Progress {
    guard isSeekable || kind != .object else { throw .espipe }
    guard flags.contains(.write) else { throw .ebadf }
    return try performAllocate(to: length, &place)
  }

  /// fspacectl(2): makes a hole, which reads as zeros.
  ///
  /// Throws EBADF unless the file is open for writing, ENODEV for what is no shared memory; and what that says.
  public final func punch(_ punch: inout Punch) throws(Errno) -> Progress {
    guard flags.contains(.write) else { throw .ebadf }
    return try performPunch(&punch)
  }

  /// lseek(2); to be asked again with the same `place` when it has to wait for others.
  ///
  /// Throws ESPIPE when the file has no offset; and what the type says.
  public final func seek(
    _ offset: Int64, _ origin: SeekOrigin, _ place: inout TransferHold?
  ) throws(Errno) -> SeekOutcome {
    guard isSeekable else { throw .espipe }
    if let wait = awaitOffset(&place) { return .wait(wait) }
    self.offset = try performSeek(offset, origin)
    place = nil
    return .offset(self.offset)
  }

  /// lseek(2) when nobody has the offset; nil when it would have to wait.
  ///
  /// Throws what `seek` throws.
  @inline(__always)
  public final func seekAtOnce(_ offset: Int64, _ origin: SeekOrigin) throws(Errno) -> Int64? {
    guard isSeekable else { throw .espipe }
    guard offsetLine.isEmpty else { return nil }
    self.offset = try performSeek(offset, origin)
    return self.offset
  }

  /// ioctl(2) after the requests about the descriptor. `data` holds what was copied in, and then what to copy out.
  ///
  /// Throws EBADF for a file open neither for reading nor for writing, ENOTTY for what the type does not know.
  public final func control(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) {
    guard !flags.isDisjoint(with: [.read, .write]) else { throw .ebadf }
    if request == .nonBlocking { set(.nonBlocking, data.span.loadUInt32(at: 0) != 0) }
    if request == .asynchronous { set(.asynchronous, data.span.loadUInt32(at: 0) != 0) }
    try performControl(request, &data)
  }

  private func set(_ flag: FileFlags, _ isOn: Bool) {
    if isOn { flags.insert(flag) } else { flags.remove(flag) }
  }

  /// F_GETFL: the access mode and the status flags.
  public final var statusFlags: OpenFlags { flags.openFlags }

  /// F_SETFL: changes what may be changed and tells the type, which may refuse.
  public final func setStatusFlags(_ wanted: OpenFlags) throws(Errno) {
    let old = flags
    flags = flags.subtracting(.changeable).union(FileFlags(rawValue: wanted.rawValue).intersection(.changeable))
    do throws(Errno) {
      try tell(.nonBlocking, flags.contains(.nonBlocking))
      try tell(.asynchronous, flags.contains(.asynchronous))
    } catch {
      if !keepsRefusedFlags { flags = old }
      throw error
    }
  }

  private func tell(_ request: InputOutputControl, _ isOn: Bool) throws(Errno) {
    var data = [64 of UInt8](repeating: 0)
    data[0] = isOn ? 1 : 0
    try performControl(request, &data)
  }

  /// F_RDAHEAD and F_READAHEAD of a regular file: only remembered, nothing here is read ahead.
  public final func setReadAhead(_ isOn: Bool) { set(FileFlags(rawValue: OpenFlags.readAhead.rawValue), isOn) }
}

/// The event bits of poll(2) (spec abi.md, section 9).
public enum PollEvents {
  /// POLLIN and POLLRDNORM.
  static let readable: UInt16 = 0x41
  /// POLLOUT, which is POLLWRNORM.
  public static let writable: UInt16 = 0x4
  static let alwaysReady: UInt16 = readable | writable
  /// POLLHUP, which is told whether it is asked for or not.
  public static let hungUp: UInt16 = 0x10
  /// POLLNVAL.
  public static let invalid: UInt16 = 0x20
  /// POLLINIGNEOF: the end is not reported as something to be read, nor as a hang-up.
  static let ignoresEnd: UInt16 = 0x2000
  /// What makes a descriptor readable, writable and exceptional to select(2) (spec kqueue.md section 8).
  public static let selectedReading: UInt16 = 0x58
  /// The same for writing.
  public static let selectedWriting: UInt16 = 0x1c
  /// The same for what is exceptional.
  public static let selectedException: UInt16 = 0x88
  /// POLLIN, PRI, OUT, ERR, HUP, NVAL, RDNORM, RDBAND and WRBAND.
  static let known: UInt16 = 0x1ff
}
