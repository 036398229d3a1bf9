// What all sockets of a kernel share: the chunks that bytes are stored in, limits, counts, names; and what closed sockets leave
// to be torn down.

import Memory
public import Primitives

/// The sockets of one kernel.
public final class SocketServices: Nameable {
  let chunks: Pool<SocketChunk>
  let memory: MemorySystem
  private let remains: SocketRemains
  /// Sockets whose files are in messages, and who looks for those that nobody can receive (SocketFlight.swift).
  var flights = SocketList()
  let flightWork: FlightWork
  /// `net.local.inflight`: descriptors in messages.
  public internal(set) var flightCount = 0
  /// Messages' lists of files.
  var liveControlCount = 0
  /// A chunk that is kept for the next small send.
  private(set) var spare = Handle<SocketChunk>.none
  /// What came with a small message and was received, with its chunk: kept for the next.
  private(set) var spareControl = HeldReference<SocketControl>()
  /// Calls that wait, or keep more than their transfer.
  var livePlaceCount = 0
  /// Frames that chunks have.
  private(set) var frameCount = 0
  /// `net.local.sockcount`: sockets, those that wait to be accepted included.
  public internal(set) var socketCount = 0
  /// `kern.ipc.maxsockets`
  public var maximumSocketCount: Int
  /// `kern.ipc.soacceptqueue`
  public var maximumBacklog: Int32 = 128
  /// `kern.ipc.maxsockbuf`
  public var maximumBufferByteCount: UInt64 = 2_097_152
  /// `net.local.stream.sendspace` and `recvspace`
  public var streamSpace: (send: UInt64, receive: UInt64) = (8192, 8192)
  /// `net.local.seqpacket.maxseqpacket` and `recvspace`
  public var packetSpace: (send: UInt64, receive: UInt64) = (8192, 8192)
  /// `net.local.dgram.maxdgram` and `recvspace`
  public var datagramSpace: (largest: UInt64, receive: UInt64) = (8192, 16_384)
  /// Where bound names are.
  var names = SocketNamespace()
  private var lastInode: UInt64 = 0
  private var lastNumber: UInt64 = 0

  init(_ memory: MemorySystem, maximumFileCount: Int) {
    self.memory = memory
    maximumSocketCount = maximumFileCount
    chunks = Pool(memory.physical, .socketBuffer, alignment: SocketChunk.slotByteCount)
    remains = SocketRemains()
    flightWork = FlightWork()
  }

  func nextInode() -> UInt64 {
    lastInode &+= 1
    return lastInode
  }

  /// Names a socket, or a call that waits for one, among wait channels.
  func nextNumber() -> UInt64 {
    lastNumber &+= 1
    return lastNumber
  }

  /// The least that `kern.ipc.maxsockbuf` may be (MSIZE and MCLBYTES).
  public static let smallestBufferLimit: UInt64 = 2304
  /// `kern.ipc.sockbuf_waste_factor`: what records may cost, in buffers' sizes.
  public static let costFactor: UInt64 = 8

  /// `net.local.deferred`: files of messages that were dropped which are still to be released.
  public internal(set) var deferredCount = 0

  /// The largest SO_SNDBUF and SO_RCVBUF (`sb_max_adj`).
  var largestLimit: UInt64 { maximumBufferByteCount * 2048 / (256 + 2048) }

  // MARK: Chunks

  /// A chunk with room, and with a frame if so many bytes are to come; nil when memory cannot be had.
  @inline(__always)
  func makeChunk(forByteCount byteCount: Int) -> Handle<SocketChunk>? {
    var chunk = SocketChunk()
    if byteCount > Int(SocketChunk.ownRoom) {
      guard let frame = memory.allocateKernelFrame() else { return nil }
      chunk.frame = frame
      frameCount += 1
    }
    if let handle = chunks.allocate(chunk, memory) { return handle }
    if chunk.frame != .none { giveBack(chunk.frame) }
    return nil
  }

  private func giveBack(_ frame: FrameNumber) {
    memory.freeKernelFrame(frame)
    frameCount -= 1
  }

  /// Where byte number `offset` of what a chunk has lies, or, behind that, where it would.
  @inline(__always)
  func place(of chunk: Handle<SocketChunk>, at offset: UInt32) -> PhysicalAddress {
    let frame = chunks[chunk].frame
    let position = chunks[chunk].start &+ offset
    return frame == .none
      ? chunk.address + UInt64(SocketChunk.roomOffset &+ position) : frame.address + UInt64(position)
  }

  /// A chunk without a frame: the one that was used last, if it is kept.
  @inline(__always)
  func takeSmallChunk() -> Handle<SocketChunk>? {
    if spare.isNone { return makeChunk(forByteCount: 0) }
    let chunk = spare
    spare = .none
    return chunk
  }

  /// Releases a chunk without a frame that nothing comes with. One is kept: most bytes are read before others are sent.
  @inline(__always)
  func releaseSmallChunk(_ chunk: Handle<SocketChunk>) {
    if !spare.isNone { return chunks.release(chunk, memory) }
    chunks[chunk] = SocketChunk()
    spare = chunk
  }

  /// Releases a chunk that nothing comes with any more.
  @inline(__always)
  func release(_ chunk: Handle<SocketChunk>) {
    if chunks[chunk].frame != .none { giveBack(chunks[chunk].frame) }
    chunks.release(chunk, memory)
  }

  /// Releases a chunk of one of the two kinds.
  func releaseAnyChunk(_ chunk: Handle<SocketChunk>) {
    if chunks[chunk].frame == .none { releaseSmallChunk(chunk) } else { release(chunk) }
  }

  /// Drops what came with a record.
  @inline(__always)
  func dropCompanions(_ record: Handle<SocketChunk>) {
    if !chunks[record].name.borrowed.isEmpty { _ = chunks[record].name.take() }
    if !chunks[record].control.borrowed.isEmpty { _ = chunks[record].control.take() }
  }

  // MARK: What comes with messages

  /// An empty one with room for what so many bytes of control messages can name; nothing when memory cannot be had.
  @inline(__always)
  func makeControl(for account: UserAccount, inputByteCount: Int) -> HeldReference<SocketControl> {
    if spareControl.borrowed.isEmpty || inputByteCount > SocketControl.smallByteCount {
      return makeNewControl(for: account, inputByteCount: inputByteCount)
    }
    let control = spareControl.move()
    control.borrowed.borrow { $0.begin(for: account) }
    return control
  }

  @inline(never)
  private func makeNewControl(for account: UserAccount, inputByteCount: Int) -> HeldReference<SocketControl> {
    var made = HeldReference<SocketControl>()
    if let control = SocketControl(self, inputByteCount: inputByteCount) {
      control.begin(for: account)
      made.fill(control)
    }
    return made
  }

  /// Lets go of one whose files have all been taken: it is kept for the next small message, or goes.
  @inline(__always)
  func giveBack(_ control: HeldReference<SocketControl>) {
    if spareControl.borrowed.isEmpty && control.borrowed.borrow({ $0.isReusable }) {
      control.borrowed.borrow { $0.end() }
      spareControl = control
    } else {
      drop(control)
    }
  }

  @inline(never)
  private func drop(_ control: HeldReference<SocketControl>) {
    var control = control
    _ = control.take()
  }

  // MARK: Messages

  /// Adds a chunk with room to a message; whether memory could be had.
  @inline(__always)
  func extend(_ message: inout SocketMessage, byByteCount byteCount: Int) -> Bool {
    guard let chunk = makeChunk(forByteCount: byteCount) else { return false }
    if message.first.isNone { message.first = chunk } else { chunks[message.last].next = chunk }
    message.last = chunk
    message.kernelByteCount += chunks[chunk].kernelByteCount
    return true
  }

  /// Drops a message: what it has goes on the list of what is to be torn down.
  func drop(_ message: inout SocketMessage) {
    if message.isEmpty { return }
    leave(message.first, last: message.first, kernelByteCount: message.kernelByteCount)
    message = SocketMessage()
  }

  /// Leaves records to be torn down.
  func leave(_ first: Handle<SocketChunk>, last: Handle<SocketChunk>, kernelByteCount: Int) {
    remains.services = BackReference(self)
    remains.append(first, last: last, self)
    // A chunk is a unit, and so is each time that the list is taken up.
    memory.tearDown(remains, unitCount: kernelByteCount / SocketChunk.slotByteCount + 4)
  }

  /// Leaves the files of a message to be torn down.
  func leave(filesIn chunk: Handle<SocketChunk>, _ files: Range<Int>, kernelByteCount: Int) {
    chunks[chunk].fileCount = UInt16(files.count)
    chunks[chunk].start = 8 &* UInt32(files.lowerBound)
    deferredCount += files.count
    leave(chunk, last: chunk, kernelByteCount: kernelByteCount + files.count * SocketChunk.slotByteCount)
  }

  // MARK: Inspection

  /// Gives back everything that is only kept for speed.
  func trim() {
    _ = spareControl.take()
    if !spare.isNone {
      chunks.release(spare, memory)
      spare = .none
    }
    chunks.trim(memory)
  }

  /// The first record that is left to be torn down.
  var firstRemainingRecord: Handle<SocketChunk> { remains.first }
}

/// Records that nobody will read.
final class SocketRemains: AnyOwner {
  fileprivate var services = BackReference<SocketServices>()
  fileprivate private(set) var first = Handle<SocketChunk>.none
  private var last = Handle<SocketChunk>.none

  fileprivate func append(_ first: Handle<SocketChunk>, last: Handle<SocketChunk>, _ services: SocketServices) {
    if self.first.isNone { self.first = first } else { services.chunks[self.last].nextRecord = first }
    self.last = last
  }

  /// Releases chunk after chunk. What comes with a record may be the last that keeps a socket alive, which then leaves what it
  /// has here: chains of any length use no stack.
  override func tearDown(_ budget: inout Int, _ system: MemorySystem) -> Bool {
    guard let services = services.instance else { return true }
    while !first.isNone {
      if budget <= 0 { return false }
      budget -= 1
      let chunk = first
      if services.chunks[chunk].fileCount > 0 {
        services.chunks[chunk].fileCount -= 1
        services.deferredCount -= 1
        let place = services.place(of: chunk, at: 8 &* UInt32(services.chunks[chunk].fileCount))
        services.dropFromFlight(at: place)
        continue
      }
      var control = services.chunks[chunk].control.take()
      _ = services.chunks[chunk].name.take()
      let (next, nextRecord) = (services.chunks[chunk].next, services.chunks[chunk].nextRecord)
      if next.isNone {
        first = nextRecord
      } else {
        services.chunks[next].nextRecord = nextRecord
        if last == chunk { last = next }
        first = next
      }
      services.release(chunk)
      control = nil
      _ = control
    }
    return true
  }
}
