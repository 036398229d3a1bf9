// What comes with a message besides its bytes: descriptors (SCM_RIGHTS; spec sockets.md section 8), who sent it and when
// (SocketControl+Sender.swift).
//
// Invariants
// - The files of a message are in one chunk, in the order in which they arrive; behind them, from the end of its room on, what
//   each control message is, and how many files it has.
// - The file of a socket is not owned by the messages that hold it, but by the socket's `flightReference`, once for all of them
//   (SocketFlight.swift). Other files are owned by the place that they have here.
// - Who pays for the chunk is the socket that sent the message. One that is kept for the next message (SocketServices) has nothing
//   but its chunk, and nobody pays.

public import ABI
import Memory
public import Primitives

/// What comes with bytes besides them. The record that it came with owns it, then whoever receives it.
public final class SocketControl: Nameable {
  let services: SocketServices
  private(set) var account: UserAccount?
  private(set) var chunk: Handle<SocketChunk>
  /// Bytes of the kernel's memory that its chunk takes.
  let kernelByteCount: Int
  /// What the descriptors are limited to, each at the place that its file has in the other chunk; none while no descriptor is.
  private var limitChunk = Handle<SocketChunk>.none
  /// Descriptors in it.
  public private(set) var fileCount = 0
  /// How many of them, from the first on, have been taken.
  private(set) var takenCount = 0
  /// Control messages.
  public private(set) var partCount = 0
  /// Bytes that its parts count as, and what they cost (spec sockets.md section 5).
  private(set) var byteCount = 0
  private(set) var cost = 0
  /// Who sent the message, if a part tells that, and when, if one tells that.
  var sender: Credentials?
  var senderProcess: Int32 = 0
  var nanoseconds: UInt64 = 0
  var realNanoseconds: UInt64 = 0
  /// Whether a socket is among the files.
  private(set) var holdsSockets = false
  /// In whose queue it is, if it holds sockets, with its neighbours there.
  var holder: Socket?
  var links = SocketControlLinks()

  /// Files that are dropped at once with a message; more of them are in steps.
  private static var droppedAtOnce: Int { 4 }

  /// An empty one that nobody pays for yet, with room for what so many bytes of control messages can name; nil when memory cannot
  /// be had. (`SocketServices.makeControl` makes those that are used.)
  init?(_ services: SocketServices, inputByteCount: Int) {
    let isSmall = inputByteCount <= SocketControl.smallByteCount
    guard
      let chunk = isSmall ? services.takeSmallChunk() : services.makeChunk(forByteCount: Int(Page.byteCount))
    else { return nil }
    self.services = services
    self.chunk = chunk
    kernelByteCount = services.chunks[chunk].kernelByteCount
  }

  // MARK: Used once or again

  /// It is for a message of a socket with this account.
  @inline(__always)
  func begin(for account: UserAccount) {
    self.account = account
    services.liveControlCount &+= 1
    account.countKernelMemory(kernelByteCount)
  }

  /// Whether it is as small as most are, and has nothing left.
  @inline(__always)
  var isReusable: Bool {
    takenCount == fileCount && limitChunk.isNone && holder == nil && kernelByteCount == SocketChunk.slotByteCount
  }

  /// It is for nobody any more, and as new.
  @inline(__always)
  func end() {
    release()
    (fileCount, takenCount, partCount, byteCount, cost) = (0, 0, 0, 0, 0)
    if sender != nil { sender = nil }
    (nanoseconds, realNanoseconds) = (0, 0)
    holdsSockets = false
  }

  /// Nobody pays for it any more.
  @inline(__always)
  private func release() {
    guard let account else { return }
    account.countKernelMemory(-kernelByteCount)
    services.liveControlCount &-= 1
    self.account = nil
  }

  /// Up to here what control messages name fits into a chunk without a frame: 20 descriptors, 6 messages, and one more with the
  /// sender's credentials.
  public static var smallByteCount: Int { 96 }

  /// That many descriptors.
  private static var mostSmallFiles: Int { 20 }

  /// The same that the chunk for limits takes, if there is one.
  var limitByteCount: Int { limitChunk.isNone ? 0 : services.chunks[limitChunk].kernelByteCount }

  deinit {
    dropLimits()
    release()
    leaveHolder()
    if fileCount - takenCount > SocketControl.droppedAtOnce {
      return services.leave(filesIn: chunk, takenCount..<fileCount, kernelByteCount: kernelByteCount)
    }
    while takenCount < fileCount {
      services.dropFromFlight(at: services.place(of: chunk, at: 8 &* UInt32(takenCount)))
      takenCount += 1
    }
    services.releaseAnyChunk(chunk)
  }

  // MARK: Parts

  /// Where it is noted what a control message is: its kind in the highest four bits, below them how many files it has.
  @inline(__always)
  private func partAddress(_ part: Int) -> PhysicalAddress {
    services.place(of: chunk, at: services.chunks[chunk].end &- 2 &* UInt32(truncatingIfNeeded: part &+ 1))
  }

  private static let kindShift: UInt16 = 12

  private func part(_ index: Int) -> UInt16 {
    services.memory.physical.load(bytesOf: UInt16.self, at: partAddress(index))
  }

  /// What a control message is.
  public func kind(ofPart part: Int) -> SocketControlKind {
    SocketControlKind(rawValue: UInt8(truncatingIfNeeded: self.part(part) >> SocketControl.kindShift)) ?? .rights
  }

  /// How many files a control message has.
  public func fileCount(ofPart part: Int) -> Int {
    Int(self.part(part) & (1 << SocketControl.kindShift - 1))
  }

  /// Adds a control message; its files have been added.
  @inline(__always)
  func addPart(_ kind: SocketControlKind, fileCount count: Int = 0) {
    let part = UInt16(kind.rawValue) << SocketControl.kindShift | UInt16(truncatingIfNeeded: count)
    services.memory.physical.store(bytesOf: part, at: partAddress(partCount))
    partCount &+= 1
    countPart(kind, fileCount: count, by: 1)
  }

  /// Counts what a part takes in a queue, or takes that off.
  @inline(__always)
  private func countPart(_ kind: SocketControlKind, fileCount count: Int, by sign: Int) {
    let bytes = ControlMessageHeader.space(kind == .rights ? 8 * count : payloadByteCount(of: kind))
    byteCount &+= sign &* bytes
    cost &+= sign &* SocketRoom.costOfControl(bytes)
  }

  /// Puts a control message without files in front of the others.
  func prependPart(_ kind: SocketControlKind) {
    var index = partCount
    while index > 0 {
      services.memory.physical.store(bytesOf: part(index - 1), at: partAddress(index))
      index -= 1
    }
    services.memory.physical.store(bytesOf: UInt16(kind.rawValue) << SocketControl.kindShift, at: partAddress(0))
    partCount += 1
    countPart(kind, fileCount: 0, by: 1)
  }

  /// Takes out all control messages of a kind that has no files.
  func removeParts(_ kind: SocketControlKind) {
    var kept = 0
    for index in 0..<partCount {
      if self.kind(ofPart: index) == kind {
        countPart(kind, fileCount: 0, by: -1)
      } else {
        services.memory.physical.store(bytesOf: part(index), at: partAddress(kept))
        kept += 1
      }
    }
    partCount = kept
  }

  // MARK: Files

  /// How many files came, if it is one control message that has them, they are few and have no limits, and none has been taken;
  /// otherwise 0.
  @inline(__always)
  var simpleFileCount: Int {
    partCount == 1 && takenCount == 0 && limitChunk.isNone && fileCount <= SocketControl.mostSmallFiles ? fileCount : 0
  }

  /// Adds a file, and what its descriptor is limited to: it is in flight from now on.
  ///
  /// Throws ENOBUFS when there is no memory.
  @inline(__always)
  func add(_ file: OpenFile, _ limits: DescriptorLimits?) throws(Errno) {
    if let limits { try add(limits) }
    let services = self.services
    if services.enterFlight(file, at: services.place(of: chunk, at: 8 &* UInt32(truncatingIfNeeded: fileCount))) {
      holdsSockets = true
    }
    fileCount &+= 1
  }

  /// A file, for who looks only.
  func file(at index: Int) -> BackReference<OpenFile> {
    services.memory.physical.load(
      bytesOf: BackReference<OpenFile>.self, at: services.place(of: chunk, at: 8 &* UInt32(index)))
  }

  /// Adds what the descriptor of the next file is limited to.
  private func add(_ limits: DescriptorLimits) throws(Errno) {
    if limitChunk.isNone {
      guard let chunk = services.makeChunk(forByteCount: Int(Page.byteCount)) else { throw .enobufs }
      limitChunk = chunk
      account?.countKernelMemory(services.chunks[chunk].kernelByteCount)
      for index in 0..<SocketControl.mostFiles {
        services.memory.physical.store(
          bytesOf: HeldReference<DescriptorLimits>(), at: services.place(of: chunk, at: 8 &* UInt32(index)))
      }
    }
    var held = HeldReference<DescriptorLimits>()
    held.fill(limits)
    services.memory.physical.store(bytesOf: held, at: services.place(of: limitChunk, at: 8 &* UInt32(fileCount)))
  }

  /// What the descriptor of a file is limited to, for who looks only.
  func limits(at index: Int) -> BackReference<DescriptorLimits> {
    if limitChunk.isNone { return BackReference() }
    return services.memory.physical.load(
      bytesOf: HeldReference<DescriptorLimits>.self, at: services.place(of: limitChunk, at: 8 &* UInt32(index))
    ).borrowed
  }

  /// Takes what the descriptor of a file is limited to.
  private func takeLimits(at index: Int) -> DescriptorLimits? {
    if limitChunk.isNone { return nil }
    let place = services.place(of: limitChunk, at: 8 &* UInt32(index))
    var held = services.memory.physical.load(bytesOf: HeldReference<DescriptorLimits>.self, at: place)
    let limits = held.take()
    services.memory.physical.store(bytesOf: held, at: place)
    return limits
  }

  /// Whether a descriptor is limited.
  public var hasLimits: Bool { !limitChunk.isNone }

  /// Drops what all descriptors are limited to.
  private func dropLimits() {
    if limitChunk.isNone { return }
    for index in 0..<fileCount { _ = takeLimits(at: index) }
    account?.countKernelMemory(-services.chunks[limitChunk].kernelByteCount)
    services.release(limitChunk)
    limitChunk = .none
  }

  /// Descriptors that one message can have.
  private static var mostFiles: Int { Int(Page.byteCount) / 8 }

  /// Gives the files of a control message descriptors, for which there is room (`FileTable.makeRoom`), and tells them in turn.
  /// Files are taken in order.
  public func install(
    count: Int, in table: FileTable, closeOnExec: Bool, _ tell: (Int32) throws(Errno) -> Void
  ) throws(Errno) {
    for _ in 0..<count {
      let descriptor = try table.reserveLowest()
      installNext(descriptor, in: table, closeOnExec: closeOnExec)
      try tell(descriptor)
    }
  }

  /// Gives the next file a descriptor that has been reserved.
  @inline(__always)
  func installNext(_ descriptor: Int32, in table: FileTable, closeOnExec: Bool) {
    let services = self.services
    let place = services.place(of: chunk, at: 8 &* UInt32(truncatingIfNeeded: takenCount))
    services.touch(at: place)
    takenCount &+= 1
    table.fill(descriptor, services.leaveFlight(at: place), closeOnExec: closeOnExec)
    if !limitChunk.isNone, let limits = takeLimits(at: takenCount - 1) { table.putLimits(limits, of: descriptor) }
  }

  // MARK: In whose queue

  /// It is in a socket's queue from now on.
  @inline(__always)
  func enter(_ socket: Socket) { if holdsSockets { join(socket) } }

  @inline(never)
  private func join(_ socket: Socket) {
    holder = socket
    links = SocketControlLinks(next: socket.firstControl)
    socket.firstControl.instance?.links.previous = BackReference(self)
    socket.firstControl = BackReference(self)
  }

  /// It is in no queue any more.
  @inline(__always)
  func leaveHolder() { if holdsSockets { leaveQueue() } }

  @inline(never)
  private func leaveQueue() {
    guard let socket = holder else { return }
    services.controlLeaves(self)
    links.next.instance?.links.previous = links.previous
    if let previous = links.previous.instance {
      previous.links.next = links.next
    } else {
      socket.firstControl = links.next
    }
    links = SocketControlLinks()
    holder = nil
  }
}

/// Neighbours among what is in a socket's queue.
struct SocketControlLinks: BitwiseCopyable {
  var next = BackReference<SocketControl>()
  var previous = BackReference<SocketControl>()
}

extension FileTable {
  /// Makes room for so many more descriptors, to be filled in this event; then `endRoom` has to be called.
  ///
  /// - Parameter limited: whether there must be room for limits, too.
  ///
  /// Throws EMFILE when there are not as many numbers, or no memory for them; then nothing has changed.
  public func makeRoom(for count: Int, limited: Bool) throws(Errno) {
    var next: Int32 = 0
    do throws(Errno) {
      for _ in 0..<count {
        let descriptor = try reserveLowest(atOrAbove: next)
        if limited && !prepareLimits(descriptor) { throw .emfile }
        next = descriptor + 1
      }
    } catch {
      endRoom(for: count)
      throw .emfile
    }
  }

  /// The lowest free descriptor, if the first leaf that has one has room for so many; nil: there is none without making more.
  @inline(__always)
  public func lowestFree(for count: Int) -> Int32? {
    var free = ~near.used
    if free == 0 { return lowestFarFree(for: count) }
    if limit < 64 { free &= 1 << UInt64(limit) &- 1 }
    let lowest = Int32(truncatingIfNeeded: free.trailingZeroBitCount)
    for _ in 1..<count { free &= free &- 1 }
    return free != 0 ? lowest : nil
  }

  @inline(never)
  private func lowestFarFree(for count: Int) -> Int32? {
    let lowest = lowestFarFree(from: FileLimits.leafDescriptorCount)
    guard lowest | 63 < limit, let leaf = farLeaf(of: Int32(truncatingIfNeeded: lowest)),
      (~fileServices.leaves[leaf].used).nonzeroBitCount >= count
    else { return nil }
    return Int32(truncatingIfNeeded: lowest)
  }

  /// Gives back what was made for descriptors that have not come.
  public func endRoom(for count: Int) {
    if limitLeafCount != 0 { releaseLimitLeaf(of: 0) }
    // What was made for the lowest free numbers lies from the first free one on.
    guard count > 0, near.used == UInt64.max || near.used.nonzeroBitCount + count > 64 else { return }
    var start = lowestFarFree(from: FileLimits.leafDescriptorCount) & ~63
    var left = count
    while left > 0, start < FileLimits.descriptorCount, let leaf = farLeaf(of: Int32(start)) {
      left -= (~fileServices.leaves[leaf].used).nonzeroBitCount
      abandon(Int32(start))
      start += 64
      start = start < FileLimits.descriptorCount ? lowestFarFree(from: start) & ~63 : start
    }
  }
}
