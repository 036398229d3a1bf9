// sendfile(2): from a shared memory object or a file of /bin into a stream (spec sockets.md section 9.1).
//
// Rules
// - It stands in the line of the socket's senders, so that nobody sends in between; a piece becomes visible as a whole, headers and
//   bytes of the file together, as much as the room rule takes at once.
// - Bytes are copied when they are sent. (FreeBSD sends the pages themselves: what is stored there before the receiver takes them
//   is seen by it. Here it is not.)
// - What it has sent stays sent, whatever becomes of it: the count of that is stored in the end, with the error.

public import ABI
public import Memory
public import Primitives

/// A sendfile(2) under way.
public final class FileSending: Nameable {
  /// The stream that it goes to.
  public let target: SocketFile
  /// What is sent.
  let source: OpenFile
  private var offset: UInt64
  /// Bytes of the file that are left.
  private var remaining: UInt64
  private let flags: SendFileFlags
  private let place: SocketPlace
  /// Those of a program's memory before and behind the file's bytes.
  private(set) var headers: Transfer?
  private(set) var trailers: Transfer?
  /// Bytes that were sent.
  public private(set) var sentByteCount: UInt64 = 0
  private var phase = Phase.pieces
  /// Bytes of the piece that is being made which are headers.
  private var headerByteCount = 0
  /// The error that the call ends with, once all is done but to say so.
  public private(set) var end: Errno?
  /// Whether all is done but to say so.
  public private(set) var isOver = false

  private enum Phase {
    case pieces
    case trailers
    /// Everything is to be received first (SF_SYNC).
    case receiver
    case over
  }

  /// What a caller wants.
  ///
  /// Throws EINVAL for a file that is neither shared memory nor regular, and for a socket that is no stream.
  public init(
    from source: OpenFile, at offset: UInt64, byteCount: UInt64, to target: SocketFile,
    _ headers: consuming TransferVector?, _ trailers: consuming TransferVector?, _ flags: SendFileFlags
  ) throws(Errno) {
    self.source = source
    self.target = target
    self.offset = offset
    self.flags = flags
    let size = FileSending.size(of: source)
    // A length that is no length, as an off_t, sends nothing.
    let wanted = byteCount == 0 ? UInt64.max : byteCount > UInt64(Int64.max) ? 0 : byteCount
    remaining = offset < size ? min(wanted, size - offset) : 0
    place = target.makePlace(receives: false)
    self.headers = nil
    self.trailers = nil
    if remaining == 0 { phase = .trailers }

    if let headers, remaining > 0 { self.headers = try Transfer(headers, at: nil) }
    if let trailers { self.trailers = try Transfer(trailers, at: nil) }
  }

  /// Whether a file can be sent.
  public static func canSend(_ file: OpenFile) -> Bool { file is SharedMemoryFile2008 || file is BootFile }

  private static func size(of file: OpenFile) -> UInt64 {
    if let file = file as? SharedMemoryFile2008 { return UInt64(file.object.size) }
    return (file as? BootFile)?.content.byteCount ?? 0
  }

  private var socket: Socket { target.socket }

  private var isImmediate: Bool { target.flags.contains(.nonBlocking) }

  /// Until when it waits at most.
  public var deadline: UInt64 { min(place.deadline, trailers?.socketPlace?.deadline ?? .max) }

  // MARK: Steps

  /// Goes on. Whatever ends it is in `end`; then `isOver` is set.
  public func step(_ space: AddressSpace) -> Progress {
    do throws(Errno) {
      let progress = try proceed(space)
      if case .complete = progress { finish(nil) }
      return progress
    } catch {
      finish(error)
      return .complete
    }
  }

  /// A signal ends it.
  public func interrupt() { finish(.eintr) }

  /// It has nothing in the making that others would have to wait for: it gives up its place in line.
  public func giveUpPlace() {
    if place.message.isEmpty { place.leaveLine() }
    trailers?.giveUpPlace()
  }

  /// Whether a piece is being made.
  public var hasBegun: Bool { !place.message.isEmpty || trailers?.hasBegun ?? false || isOver }

  private func finish(_ error: Errno?) {
    socket.services.drop(&place.message)
    place.leaveLine()
    trailers = nil
    end = error
    isOver = true
  }

  private func proceed(_ space: AddressSpace) throws(Errno) -> Progress {
    var budget = source.fileServices.pagesPerTransferStep
    while true {
      switch phase {
      case .pieces:
        if remaining == 0 && place.message.isEmpty {
          phase = .trailers
          place.leaveLine()
          continue
        }
        if let unfinished = try sendPiece(space, &budget) { return unfinished }
      case .trailers:
        if let unfinished = try sendTrailers(space) { return unfinished }
      case .receiver:
        guard let peer = socket.peer.instance, !peer.received.isEmpty else { return .complete }
        // Others who would send wait behind it: the receiver wakes the first in line.
        place.lineUp()
        return .wait(place.wait)
      case .over: return .complete
      }
    }
  }

  // MARK: Pieces

  private func sendPiece(_ space: AddressSpace, _ budget: inout Int) throws(Errno) -> Progress? {
    let socket = socket
    if place.message.isEmpty {
      if let unfinished = try beginPiece(socket) { return unfinished }
    }
    var message = SocketMessage()
    swap(&message, &place.message)
    let unfinished: Progress?
    do throws(Errno) {
      unfinished = try fill(&message, space, &budget)
    } catch {
      socket.services.drop(&message)
      throw error
    }
    if let unfinished {
      swap(&message, &place.message)
      place.lineUp()
      return unfinished
    }
    let byteCount = message.byteCount
    if byteCount == 0 {
      // The file was cut shorter meanwhile.
      socket.services.drop(&message)
      return nil
    }
    try socket.deliver(&message, Transfer(address: VirtualAddress(0), checkedByteCount: 0))
    sentByteCount += UInt64(byteCount)
    return nil
  }

  /// Settles how long the next piece is.
  ///
  /// Throws EPIPE, the pending error, ENOTCONN, EAGAIN instead of waiting.
  private func beginPiece(_ socket: Socket) throws(Errno) -> Progress? {
    if !socket.senders.isEmpty && !place.isFirst { return try waitForRoom() }
    if socket.has(.cannotSend) { throw .epipe }
    if let error = socket.takePendingError() { throw error }
    guard socket.has(.connected) else { throw .enotconn }
    if !socket.account.mayMakeKernelMemory { throw .enobufs }
    // FreeBSD's sendfile leaves it so.
    socket.sendLowWater = max(1, socket.sendLimit / 2)
    if socket.has(.stopped) || socket.sendLimit == 0 { return try waitForRoom() }
    let room = socket.sendLimit
    let ofHeaders = min(headers?.remaining ?? 0, room)
    headerByteCount = Int(ofHeaders)
    place.pieceByteCount = headerByteCount + Int(min(remaining, room - ofHeaders))
    return nil
  }

  private func waitForRoom() throws(Errno) -> Progress {
    if isImmediate || place.isLate { throw .eagain }
    place.lineUp()
    place.beginWait(socket.sendTimeout, moved: sentByteCount)
    return .wait(place.wait)
  }

  /// Goes on making the piece. Returns what to do before it goes on, if it is not done.
  private func fill(
    _ message: inout SocketMessage, _ space: AddressSpace, _ budget: inout Int
  ) throws(Errno) -> Progress? {
    if message.byteCount < headerByteCount, var headers {
      defer { self.headers = headers }
      if let unfinished = try socket.build(&message, headerByteCount, &headers, space, &budget, isImmediate) {
        return unfinished
      }
    }
    let services = socket.services
    while message.byteCount < place.pieceByteCount {
      if budget == 0 { return .again }
      budget -= 1
      let size = FileSending.size(of: source)
      guard remaining > 0, offset < size else {
        remaining = 0
        return nil
      }
      if message.isEmpty || services.chunks[message.last].roomLeft == 0 {
        guard services.extend(&message, byByteCount: place.pieceByteCount - message.byteCount) else {
          if isImmediate { throw .enobufs }
          return .wait(.frames)
        }
      }
      let room = Int(services.chunks[message.last].roomLeft)
      let inPage = Int(Page.byteCount - offset & Page.offsetMask)
      let byteCount = min(room, inPage, place.pieceByteCount - message.byteCount, Int(clamping: size - offset))
      let end = services.place(of: message.last, at: services.chunks[message.last].byteCount)
      if let wait = try copy(byteCount, to: end, services) { return .wait(wait) }
      services.chunks[message.last].byteCount += UInt32(byteCount)
      message.byteCount += byteCount
      offset += UInt64(byteCount)
      remaining -= min(remaining, UInt64(byteCount))
    }
    return nil
  }

  /// Copies bytes of one page of the file. Returns what to wait for while they are not there.
  ///
  /// Throws EIO; EBUSY instead of waiting for the swap device.
  private func copy(
    _ byteCount: Int, to address: PhysicalAddress, _ services: SocketServices
  ) throws(Errno) -> Wait? {
    let physical = services.memory.physical
    guard let file = source as? SharedMemoryFile2008 else {
      guard let program = source as? BootFile else { throw .einval }
      physical.copy(program.content.start + offset, to: address, byteCount: byteCount)
      return nil
    }

    switch file.object.vmObject.page(at: offset >> Page.shift, for: .read) {
    case .frame(let frame):
      physical.copy(frame.address + offset & Page.offsetMask, to: address, byteCount: byteCount)
      return nil
    case .absent:
      physical.zero(address, byteCount: byteCount)
      return nil
    case .wait(let wait):
      if flags.contains(.noTransfers) && wait != .frames { throw .ebusy }
      return wait
    case .failed: throw .eio
    }
  }

  // MARK: Trailers

  /// Sends them as writev(2) does.
  private func sendTrailers(_ space: AddressSpace) throws(Errno) -> Progress? {
    guard var transfer = trailers else {
      phase = flags.contains(.waitsForReceiver) && sentByteCount > 0 ? .receiver : .over
      return nil
    }
    defer { trailers = transfer }
    let progress = try target.write(&transfer, space)
    guard case .complete = progress else { return progress }
    sentByteCount += transfer.moved
    phase = flags.contains(.waitsForReceiver) && sentByteCount > 0 ? .receiver : .over
    return nil
  }

  /// Whether it failed in its trailers, for which a broken connection raises a signal.
  public var wasAtTrailers: Bool { phase == .trailers }

  // MARK: Inspection

  /// Visits what it has: its place, and the places and vectors of its transfers.
  func inspect(_ visitTransfer: (Transfer) -> Void, _ visitPlace: (SocketPlace) -> Void) {
    visitPlace(place)
    if let headers { visitTransfer(headers) }
    if let trailers { visitTransfer(trailers) }
  }
}
