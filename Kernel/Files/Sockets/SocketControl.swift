// What comes with a message besides its bytes: descriptors (SCM_RIGHTS; spec sockets.md section 8).
//
// Invariants
// - The files of a message are in one chunk, in the order in which they arrive; behind them, from the end of its room on, how many
//   each control message has.
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
  /// Descriptors in it.
  public private(set) var fileCount = 0
  /// How many of them, from the first on, have been taken.
  private(set) var takenCount = 0
  /// Control messages.
  public private(set) var partCount = 0
  /// Bytes that its parts count as, and what they cost (spec sockets.md section 5).
  private(set) var byteCount = 0
  private(set) var cost = 0
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

  /// Up to here what control messages name fits into a chunk without a frame: 20 descriptors, 6 messages.
  private static var smallByteCount: Int { 96 }

  /// Bytes of the kernel's memory that its chunk takes.
  var kernelByteCount: Int { services.chunks[chunk].kernelByteCount }

  deinit {
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

  /// Where the number of files of a control message is.
  private func partAddress(_ part: Int) -> PhysicalAddress {
    services.place(of: chunk, at: services.chunks[chunk].end &- 2 &* UInt32(part &+ 1))
  }

  /// How many files a control message has.
  public func fileCount(ofPart part: Int) -> Int {
    Int(services.memory.physical.load(bytesOf: UInt16.self, at: partAddress(part)))
  }

  /// Adds a control message whose files have been added.
  func addPart(fileCount count: Int) {
    services.memory.physical.store(bytesOf: UInt16(count), at: partAddress(partCount))
    partCount += 1
    let bytes = ControlMessageHeader.space(8 * count)
    byteCount += bytes
    cost += SocketRoom.costOfControl(bytes)
  }

  // MARK: Files

  /// Adds a file: it is in flight from now on.
  func add(_ file: OpenFile) {
    if services.enterFlight(file, at: services.place(of: chunk, at: 8 &* UInt32(fileCount))) { holdsSockets = true }
    fileCount += 1
  }

  /// A file, for who looks only.
  func file(at index: Int) -> BackReference<OpenFile> {
    services.memory.physical.load(
      bytesOf: BackReference<OpenFile>.self, at: services.place(of: chunk, at: 8 &* UInt32(index)))
  }

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
      guard let file = takeFile() else { continue }
      table.fill(descriptor, file, closeOnExec: closeOnExec)
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
  /// EBADF, EOPNOTSUPP for the first descriptor that is not open or cannot be sent; ENOBUFS when there is no memory.
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
        byteCount <= input.byteCount - offset, input.word(at: offset + 8) == ControlMessageHeader.rights
      else { throw .einval }
      let count = (byteCount - ControlMessageHeader.payloadOffset) / 4
      guard ControlMessageHeader.space(8 * count) <= SocketControlInput.largestByteCount else { throw .emsgsize }
      let first = offset + ControlMessageHeader.payloadOffset
      for index in 0..<count {
        let file = try table.file(at: Int32(bitPattern: input.word(at: first + 4 * index)))
        if file.isForOneProcess { throw .eopnotsupp }
        add(file)
      }
      if count > 0 { addPart(fileCount: count) }
      offset += ControlMessageHeader.space(byteCount - ControlMessageHeader.payloadOffset)
    }
    guard offset >= input.byteCount else { throw .einval }
  }
}

extension FileTable {
  /// Makes room for so many more descriptors, to be filled in this event; then `endRoom` has to be called.
  ///
  /// Throws EMFILE when there are not as many numbers, or no memory for them; then nothing has changed.
  public func makeRoom(for count: Int) throws(Errno) {
    var next: Int32 = 0
    do throws(Errno) {
      for _ in 0..<count { next = try reserveLowest(atOrAbove: next) + 1 }
    } catch {
      endRoom(for: count)
      throw .emfile
    }
  }

  /// Gives back what was made for descriptors that have not come.
  public func endRoom(for count: Int) {
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
