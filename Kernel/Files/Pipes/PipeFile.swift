// One end of a pipe (pipe(2); spec sockets.md section 2). Pipes go both ways: each end has a buffer of its own, with what was
// written into the other end.
//
// Invariants
// - `peer` names the other end until that is closed; what an end has in its buffer stays readable then.
// - The buffer is a ring of `byteCapacity` bytes in the pages of an object that can be paged out: `pageOrder` has four bits for
//   each page of the ring, from the lowest on, which say which page of the object it is. `queuedByteCount` bytes from
//   `readPosition` on can be read; behind them lies what a write that copies has stored of its piece.
// - `byteCapacity` is a power of two from 4096 to 65,536, counted in `FileServices.pipeSpace` and for the account.
// - Only a write of the other end makes the buffer larger, only one that copies stores in it.
//
// A large write of a blocking end hands its pieces over: it goes on only when a piece has been read ("direct" writes in
// FreeBSD, which copies from the writer's pages; here the piece is in the buffer, which was empty before, and a write that is
// interrupted leaves it there, as FreeBSD's does).

public import ABI
public import Memory
import Primitives

/// An end of a pipe.
public final class PipeFile: OpenFile {
  private let storage: VMObjectReference
  private let account: UserAccount
  /// The other end, if it is open.
  var peer = BackReference<PipeFile>()

  // The buffer.
  var byteCapacity: Int
  var readPosition = 0
  var queuedByteCount = 0
  var pageOrder: UInt64 = PipeFile.pagesInOrder

  // Those who wait (PipePlace.swift), and those who copy or have offered a piece.
  var readers = PipeLine()
  var roomWaiters = PipeLine()
  var emptinessWaiters = PipeLine()
  var reading = BackReference<PipePlace>()
  var writing = BackReference<PipePlace>()
  var offer = BackReference<PipePlace>()

  private let inode: UInt64
  private let user: UInt32
  private let group: UInt32
  private let changeNanoseconds: UInt64
  var accessNanoseconds: UInt64
  /// When something was written that this end reads.
  var modificationNanoseconds: UInt64
  private var owner = SignalOwner()

  /// An end with an empty buffer, which `FileServices` has admitted.
  init(
    _ fileServices: FileServices, _ storage: consuming VMObjectReference, byteCapacity: Int, _ caller: Credentials,
    _ flags: FileFlags
  ) {
    self.storage = storage
    self.byteCapacity = byteCapacity
    account = caller.account
    inode = fileServices.nextPipeInode()
    user = caller.effectiveUser
    group = caller.effectiveGroup
    changeNanoseconds = fileServices.timestamp
    accessNanoseconds = changeNanoseconds
    modificationNanoseconds = changeNanoseconds
    super.init(BackReference(fileServices), flags, isSeekable: false, knowsShort: true)
    countCapacity(byteCapacity)
  }

  /// The other end reads the end of the file, or finds its pipe broken.
  deinit {
    countCapacity(-byteCapacity)
    guard let peer = peer.instance else { return }
    peer.peer = BackReference()
    peer.offer.instance?.wake()
    peer.offer = BackReference()
    peer.wakeReader()
    peer.wakeWriter()
    fileServices.watchers.tell(of: peer)
    if peer.flags.contains(.asynchronous) { peer.signalOwnerOfEvent() }
  }

  /// The pages of the buffer.
  var object: VMObject { storage.object }

  /// Bytes for which there is room.
  var freeByteCount: Int { byteCapacity - queuedByteCount }

  /// Counts bytes that the buffer has got, or, negative, lost.
  func countCapacity(_ byteCount: Int) {
    fileServices.pipeSpace.count(byteCount)
    account.pipeByteCount += byteCount
  }

  /// Whether the buffer may take so many bytes more, as far as the machine and its user go.
  func admitsCapacity(_ byteCount: Int) -> Bool {
    fileServices.admitsPipeSpace(byteCount, for: account)
  }

  /// Where a byte of the ring lies, of which the position may be behind its end: page of the object, and offset in it.
  @inline(__always)
  func place(of position: Int) -> (page: UInt64, offset: UInt64) {
    let inside = position < byteCapacity ? position : position &- byteCapacity
    let slot = UInt64(truncatingIfNeeded: inside) >> Page.shift
    return (pageOrder >> (slot << 2) & 15, UInt64(truncatingIfNeeded: inside) & Page.offsetMask)
  }

  /// The pages of a ring that has not grown.
  static var pagesInOrder: UInt64 { 0xFEDC_BA98_7654_3210 }

  // MARK: Methods

  override var waitsForOthers: Bool { true }

  /// It remembers whom to signal.
  public override var hasOwner: Bool { true }

  /// Whom it signals.
  public override var signalOwner: SignalOwner {
    get { owner }
    set { owner = newValue }
  }

  public override func moveAtOnce(_ short: ShortTransfer, _ space: AddressSpace) -> UInt64? {
    if short.position != nil { return nil }
    return short.writes ? sendAtOnce(short, space) : receiveAtOnce(short, space)
  }

  override func performRead(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    try receive(&transfer, space)
  }

  override func performWrite(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    try send(&transfer, space)
  }

  /// PIPE_BUF: so many bytes are written as a whole or not at all.
  public static var atomicWriteByteCount: Int { PipeLimits.atomicByteCount }

  override var informationType: FileInformationType { .pipe }

  override func describe(_ information: inout FileInformation, _ path: inout [1024 of UInt8]) -> Int {
    let other = peer.instance?.inode ?? 0
    information.setPipe(number: inode, peer: other, byteCount: UInt32(clamping: queuedByteCount))
    return 0
  }

  /// fstat(2).
  public override func status() throws(Errno) -> Stat {
    var stat = Stat()
    stat.device = FileLimits.pipeDevice
    stat.inode = inode
    stat.mode = .fifo
    stat.userIdentifier = user
    stat.groupIdentifier = group
    stat.accessTime = Timespec(nanoseconds: accessNanoseconds)
    stat.modificationTime = Timespec(nanoseconds: modificationNanoseconds)
    stat.changeTime = Timespec(nanoseconds: changeNanoseconds)
    stat.size = Int64(queuedByteCount)
    stat.blockCount = Int64(Page.count(covering: UInt64(queuedByteCount)))
    stat.preferredBlockByteCount = UInt32(Page.byteCount)
    return stat
  }

  /// FIONREAD says what can be read.
  override func performControl(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) {
    let word = Int32(bitPattern: data.span.loadUInt32(at: 0))
    var span = data.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    switch request {
    case .nonBlocking, .asynchronous: break
    case .bytesToRead: bytes.store(UInt32(queuedByteCount), at: 0)
    case .getOwner: bytes.store(owner.identifier, at: 0)
    case .setOwner: owner.identifier = word
    default: throw .enotty
    }
  }

  /// Throws EPIPE for EVFILT_WRITE when the other end is closed, EINVAL for filters that are not about reading and writing.
  override func attach(_ filter: EventFilter) throws(Errno) {
    guard filter == .read || filter == .write else { throw .einval }
    if filter == .write && peer.isEmpty { throw .epipe }
  }

  /// Bytes that can be read, or for which there is room; NOTE_LOWAT has no effect (spec kqueue.md section 7.1).
  override func readiness(_ filter: EventFilter, lowWater: Int64?) -> Readiness {
    let reader = peer.instance
    var count = queuedByteCount
    var isReady = count > 0
    if filter == .write {
      count = offer.isEmpty ? reader?.freeByteCount ?? 0 : 0
      isReady = count >= PipeLimits.atomicByteCount
    }
    var readiness = Readiness(Int64(count), isReady: isReady || reader == nil)
    readiness.isEnd = reader == nil
    return readiness
  }

  /// Tells the notes that hang on this end's buffer: those that read it, and those of the other end that write into it. Signals
  /// go to this end's owner, as on FreeBSD: when it can be read, and when it was read and can be written into.
  @inline(__always)
  func tellWatchers() {
    if flags.contains(.asynchronous) { signalOwnerOfEvent() }
    if !watchers.isEmpty { fileServices.watchers.tell(of: self, .read) }
    if !peer.isEmpty { peer.borrow { $0.tellWritingWatchers() } }
  }

  private func tellWritingWatchers() {
    if !watchers.isEmpty { fileServices.watchers.tell(of: self, .write) }
  }

  /// Readable with bytes or at the end, writable with room for PIPE_BUF, hung up when the other end is closed, unless the end
  /// is to be ignored (spec sockets.md section 2.4).
  public override func poll(_ events: UInt16) -> UInt16 {
    var ready: UInt16 = queuedByteCount > 0 ? events & PollEvents.readable : 0
    guard let reader = peer.instance else {
      if events & PollEvents.ignoresEnd != 0 { return ready | events & PollEvents.writable }
      return ready | events & PollEvents.readable | PollEvents.hungUp
    }
    if offer.isEmpty && reader.freeByteCount >= PipeLimits.atomicByteCount { ready |= events & PollEvents.writable }
    return ready
  }
}
