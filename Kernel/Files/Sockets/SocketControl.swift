// What comes with a message besides its bytes: descriptors (SCM_RIGHTS; spec sockets.md section 8), who sent it and when
// (SocketControl+Sender.swift).
//
// Invariants
// - The files of a message are in one chunk, in the order in which they arrive; behind them, from the end of its room on, what
//   each control message is, and how many files it has.
// - The file of a socket is not owned by the messages that hold it, but by the socket's `flightReference`, once for all of them
//   (SocketFlight.swift). Other files are owned by the place that they have here.
// - Who pays for the chunk is the socket that sent the message.

public import ABI
import Memory
public import Primitives

/// What comes with bytes besides them. The record that it came with owns it, then whoever receives it.
public final class SocketControl: Nameable {
  let services: SocketServices
  let account: UserAccount
  private(set) var chunk: Handle<SocketChunk>
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

  /// An empty one with room for what so many bytes of control messages can name; nil when memory cannot be had.
  init?(_ services: SocketServices, _ account: UserAccount, inputByteCount: Int) {
    let isSmall = inputByteCount <= SocketControl.smallByteCount
    guard
      let chunk = isSmall ? services.takeSmallChunk() : services.makeChunk(forByteCount: Int(Page.byteCount))
    else { return nil }
    self.services = services
    self.account = account
    self.chunk = chunk
    services.liveControlCount += 1
    account.countKernelMemory(services.chunks[chunk].kernelByteCount)
  }

  /// Up to here what control messages name fits into a chunk without a frame: 20 descriptors, 6 messages, and one more with the
  /// sender's credentials.
  private static var smallByteCount: Int { 96 }

  /// Bytes of the kernel's memory that its chunk takes.
  var kernelByteCount: Int { services.chunks[chunk].kernelByteCount }
  /// The same of the chunk for limits, if there is one.
  var limitByteCount: Int { limitChunk.isNone ? 0 : services.chunks[limitChunk].kernelByteCount }

  deinit {
    dropLimits()
    account.countKernelMemory(-kernelByteCount)
    services.liveControlCount -= 1
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
  private func partAddress(_ part: Int) -> PhysicalAddress {
    services.place(of: chunk, at: services.chunks[chunk].end &- 2 &* UInt32(part &+ 1))
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
  func addPart(_ kind: SocketControlKind, fileCount count: Int = 0) {
    let part = UInt16(kind.rawValue) << SocketControl.kindShift | UInt16(count)
    services.memory.physical.store(bytesOf: part, at: partAddress(partCount))
    partCount += 1
    countPart(kind, fileCount: count, by: 1)
  }

  /// Counts what a part takes in a queue, or takes that off.
  private func countPart(_ kind: SocketControlKind, fileCount count: Int, by sign: Int) {
    let bytes = ControlMessageHeader.space(kind == .rights ? 8 * count : payloadByteCount(of: kind))
    byteCount += sign * bytes
    cost += sign * SocketRoom.costOfControl(bytes)
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

  /// Adds a file, and what its descriptor is limited to: it is in flight from now on.
  ///
  /// Throws ENOBUFS when there is no memory.
  func add(_ file: OpenFile, _ limits: DescriptorLimits?) throws(Errno) {
    if let limits { try add(limits) }
    if services.enterFlight(file, at: services.place(of: chunk, at: 8 &* UInt32(fileCount))) { holdsSockets = true }
    fileCount += 1
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
      account.countKernelMemory(services.chunks[chunk].kernelByteCount)
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
    account.countKernelMemory(-services.chunks[limitChunk].kernelByteCount)
    services.release(limitChunk)
    limitChunk = .none
  }

  /// Descriptors that one message can have.
  private static var mostFiles: Int { Int(Page.byteCount) / 8 }

  /// Takes the next file.
  private func takeFile() -> OpenFile? {
    takenCount += 1
    return services.leaveFlight(at: services.place(of: chunk, at: 8 &* UInt32(takenCount - 1)))
  }

  /// Gives the files of a control message descriptors, for which there is room (`FileTable.makeRoom`), and tells them in turn.
  /// Files are taken in order.
  public func install(
    count: Int, in table: FileTable, closeOnExec: Bool, _ tell: (Int32) throws(Errno) -> Void
  ) throws(Errno) {
    for _ in 0..<count {
      let descriptor = try table.reserveLowest()
      services.touch(at: services.place(of: chunk, at: 8 &* UInt32(takenCount)))
      let limits = takeLimits(at: takenCount)
      guard let file = takeFile() else { continue }
      table.fill(descriptor, file, closeOnExec: closeOnExec)
      if let limits { table.putLimits(limits, of: descriptor) }
      try tell(descriptor)
    }
  }

  // MARK: In whose queue

  /// It is in a socket's queue from now on.
  func enter(_ socket: Socket) {
    if !holdsSockets { return }
    holder = socket
    links = SocketControlLinks(next: socket.firstControl)
    socket.firstControl.instance?.links.previous = BackReference(self)
    socket.firstControl = BackReference(self)
  }

  /// It is in no queue any more.
  func leaveHolder() {
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

extension Socket {
  /// Makes what comes with a message of what the caller of sendmsg(2) gave; nil when nothing does.
  ///
  /// Throws EINVAL for what is no control message, or one of a kind that cannot be sent; EMSGSIZE for too many descriptors in one;
  /// EBADF, EOPNOTSUPP for the first descriptor that is not open or cannot be sent; ENOBUFS when there is no memory. What is thrown
  /// comes in the order of the messages.
  func makeControl(_ place: SocketPlace?) throws(Errno) -> SocketControl? {
    guard let place, let input = place.controlInput else { return nil }
    guard let table = place.table.instance else { throw .einval }
    guard let control = SocketControl(services, account, inputByteCount: input.byteCount) else { throw .enobufs }
    try control.take(input, table)
    return control.partCount > 0 ? control : nil
  }
}

extension SocketControl {
  /// Takes in all control messages; those without descriptors are nothing.
  fileprivate func take(_ input: SocketControlInput, _ table: FileTable) throws(Errno) {
    var offset = 0
    while input.byteCount - offset >= ControlMessageHeader.byteCount {
      let byteCount = Int(input.word(at: offset))
      guard input.word(at: offset + 4) == UInt32(SocketLevel.socket), byteCount >= ControlMessageHeader.payloadOffset,
        byteCount <= input.byteCount - offset
      else { throw .einval }
      let payloadByteCount = byteCount - ControlMessageHeader.payloadOffset
      let type = input.word(at: offset + 8)
      if type == ControlMessageHeader.rights {
        try takeRights(input, at: offset + ControlMessageHeader.payloadOffset, count: payloadByteCount / 4, table)
      } else {
        // What it says is not looked at: the kernel says it.
        guard let kind = SocketControlKind(requested: type) else { throw .einval }
        noteSender(for: kind)
        addPart(kind)
      }
      offset += ControlMessageHeader.space(payloadByteCount)
    }
    guard offset >= input.byteCount else { throw .einval }
  }

  private func takeRights(
    _ input: SocketControlInput, at first: Int, count: Int, _ table: FileTable
  ) throws(Errno) {
    guard ControlMessageHeader.space(8 * count) <= SocketControlInput.largestByteCount else { throw .emsgsize }
    for index in 0..<count {
      let file = try table.file(at: Int32(bitPattern: input.word(at: first + 4 * index)))
      if file.isForOneProcess { throw .eopnotsupp }
      try add(file, table.limits(of: Int32(bitPattern: input.word(at: first + 4 * index))))
    }
    if count > 0 { addPart(.rights, fileCount: count) }
  }
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
