// Sockets whose files are in messages, and the collector of those that nobody can receive any more (spec fd.md section 9).
//
// Invariants
// - `flightCount` of a socket is the number of places in messages that name its file. While it is not 0 the socket is in the list
//   of those in flight, and `flightReference` owns the file, once for all these places: whether anything else holds it can be asked
//   of that reference.
// - What holds sockets and is in the queue of one is in that one's list (`firstControl`), wherever its record is: the collector
//   walks these lists between events. Who leaves a list takes the collector's place in it along.
// - The collector works on the list of what is to be torn down: who gave the reason works it off before it goes on.

import ABI
import Memory
import Primitives

/// The sockets in flight, as their collector sees them.
struct SocketFlightGraph: FlightGraph {
  typealias Node = BackReference<Socket>
  let services: SocketServices

  /// A place in what a socket has received and not read, and what those have that wait to be accepted.
  struct Position {
    var control: BackReference<SocketControl>
    var index = 0
    /// Who is the next that waits.
    var waiting: BackReference<Socket>
  }

  private func socket(_ node: Node) -> Socket {
    guard let socket = node.instance else { preconditionFailure("a socket in flight that is not") }
    return socket
  }

  var firstInFlight: Node? { services.flights.first.isEmpty ? nil : services.flights.first }

  func nextInFlight(after node: Node) -> Node? {
    let next = socket(node).flightLinks.next
    return next.isEmpty ? nil : next
  }

  func flightCount(of node: Node) -> UInt32 { socket(node).flightCount }

  func isHeldElsewhere(_ node: Node) -> Bool { !socket(node).flightReference.isOnlyReference() }

  func beginning(of node: Node) -> Position? {
    let socket = socket(node)
    return Position(control: socket.firstControl, waiting: socket.firstWaiting.borrowed)
  }

  func next(_ position: inout Position) -> Node? {
    while true {
      if let control = position.control.instance {
        while position.index < control.fileCount {
          let file = control.file(at: position.index).instance as? SocketFile
          position.index += 1
          if let file { return BackReference(file.socket) }
        }
        position.control = control.links.next
      } else {
        guard let waiting = position.waiting.instance else { return nil }
        position.control = waiting.firstControl
        position.waiting = waiting.nextWaiting.borrowed
      }
      position.index = 0
    }
  }

  subscript(mark node: Node) -> FlightMark<Node> {
    get { socket(node).flightMark }
    nonmutating set { socket(node).flightMark = newValue }
  }

  func dispose(_ node: Node) {
    let socket = socket(node)
    socket.isUnreachable = true
    services.memory.tearDown(socket, unitCount: Socket.toldAtOnce + Int(socket.waitingCount))
  }
}

/// The collector's work, as something that is torn down.
final class FlightWork: AnyOwner {
  fileprivate var collector = FlightCollector<SocketFlightGraph>()
  fileprivate var services = BackReference<SocketServices>()

  override func tearDown(_ budget: inout Int, _ system: MemorySystem) -> Bool {
    guard let services = services.instance else { return true }
    return collector.step(&budget, SocketFlightGraph(services: services))
  }
}

extension SocketServices {
  private var graph: SocketFlightGraph { SocketFlightGraph(services: self) }

  /// `net.local.taskcount`
  public var collectionCount: UInt64 { flightWork.collector.runCount }
  /// `net.local.recycled`
  public var recycledCount: UInt64 { flightWork.collector.recycledCount }

  // MARK: Coming and going

  /// Stores a file at a place of a message. Returns whether it is that of a socket.
  @inline(__always)
  func enterFlight(_ file: OpenFile, at place: PhysicalAddress) -> Bool {
    flightCount &+= 1
    let named = BackReference(file)
    if let named = named.narrowed(to: SocketFile.self) {
      memory.physical.store(bytesOf: BackReference<OpenFile>(file), at: place)
      named.borrow { enterFlight($0) }
      return true
    }
    var held = HeldReference<OpenFile>()
    held.fill(file)
    memory.physical.store(bytesOf: held, at: place)
    return false
  }

  @inline(never)
  private func enterFlight(_ file: SocketFile) {
    let socket = file.socket
    if socket.flightCount == 0 {
      socket.flightReference.fill(file)
      flights.prepend(socket, .flight)
    }
    socket.flightCount += 1
    if !flightWork.collector.isIdle { flightWork.collector.touch(BackReference(socket), graph) }
  }

  /// A file at a place of a message is received.
  @inline(__always)
  func touch(at place: PhysicalAddress) {
    if !flightWork.collector.isIdle { tellCollector(of: place) }
  }

  @inline(never)
  private func tellCollector(of place: PhysicalAddress) {
    let named = memory.physical.load(bytesOf: BackReference<OpenFile>.self, at: place)
    guard let file = named.instance as? SocketFile else { return }
    flightWork.collector.touch(BackReference(file.socket), graph)
  }

  /// Takes a file from a place of a message.
  @inline(__always)
  func leaveFlight(at place: PhysicalAddress) -> HeldReference<OpenFile> {
    flightCount &-= 1
    let held = memory.physical.load(bytesOf: HeldReference<OpenFile>.self, at: place)
    guard let named = held.borrowed.narrowed(to: SocketFile.self) else { return held }
    return named.borrow { leaveFlight($0) }
  }

  @inline(never)
  private func leaveFlight(_ file: SocketFile) -> HeldReference<OpenFile> {
    var held = HeldReference<OpenFile>()
    held.fill(file)
    let socket = file.socket
    socket.flightCount -= 1
    if socket.flightCount > 0 { return held }
    if !flightWork.collector.isIdle { flightWork.collector.leave(BackReference(socket), graph) }
    flights.remove(socket, .flight)
    _ = socket.flightReference.take()
    return held
  }

  /// Drops a file from a place of a message that nobody will receive.
  func dropFromFlight(at place: PhysicalAddress) {
    // The collector may have been there before, and have seen it held by this message.
    var held = leaveFlight(at: place)
    let file = held.take()
    if let file = file as? SocketFile, file.socket.flightCount > 0 { collect() }
  }

  // MARK: What the collector has to know

  /// Something leaves a socket's queue.
  func controlLeaves(_ control: SocketControl) {
    let (left, next) = (BackReference(control), control.links.next)
    flightWork.collector.withPosition { position in
      if position.control != left { return }
      position.control = next
      position.index = 0
    }
  }

  /// A connection does not wait any more in a listening socket.
  func connectionsChange(_ listener: Socket) {
    if !flightWork.collector.isIdle { flightWork.collector.queueChanges(BackReference(listener), graph) }
  }

  /// A socket has been closed: others may be unreachable now.
  func socketGoes(_ socket: Socket) {
    if !flightWork.collector.isIdle { flightWork.collector.end(BackReference(socket), graph) }
    if !flights.isEmpty { collect() }
  }

  /// Looks for what nobody can receive.
  public func collect() {
    if flights.isEmpty { return }
    flightWork.services = BackReference(self)
    flightWork.collector.request()
    // What it looks at is what is in flight, a few times.
    memory.tearDown(flightWork, unitCount: 16 + 12 * flightCount)
  }
}

extension Socket {
  /// Drops what a socket has that nobody reaches, in steps. Returns whether nothing is left.
  func disposeOfQueue(_ budget: inout Int) -> Bool {
    state.insert(.cannotReceive)
    while !dropReceived() {
      if budget <= 0 { return false }
      budget -= 1
    }
    while let waiting = dequeue() {
      waiting.peer.instance?.pendingError = Errno.econnreset.rawValue
      waiting.close()
      if budget <= 0 { return waitingCount == 0 }
      budget -= 1
    }
    isUnreachable = false
    return true
  }
}
