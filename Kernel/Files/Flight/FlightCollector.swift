// Finding files that only messages hold which nobody can receive any more (spec fd.md section 9): sockets in one another's queues.
//
// It works in steps, and programs go on between them. What makes that safe: who is garbage cannot be reached, so nothing happens
// to it. Whatever a program does to a file in flight (it is sent, received, or gets another holder) makes it live for the run
// (`touch`); what becomes garbage meanwhile is found by the next run.
//
// A run
// 1. counts for every file in flight in how many messages it is; who is held by anything else is live,
// 2. takes off what comes from queues of files in flight that are not live yet: what is left comes from outside,
// 3. takes those that have something left for live, and everything in the queues of the live,
// 4. disposes of the queues of all others. What that releases is torn down elsewhere, so that a chain needs no stack.
//
// Its cost is what is in flight. Nothing here allocates; marks and the list of work are in the records of the files.

/// What the collector notes of a file in flight.
struct FlightMark<Node: BitwiseCopyable>: BitwiseCopyable {
  /// The run that these are about.
  var run: UInt32 = 0
  /// References from outside that are left.
  var remaining: UInt32 = 0
  var isLive = false
  /// Whether its queue is to be looked through, and its neighbours among those.
  var isWork = false
  var nextWork: Node?
  var previousWork: Node?

  init() {}
}

/// The files in flight, and what is in their queues.
protocol FlightGraph {
  associatedtype Node: BitwiseCopyable, Equatable
  /// A place in a queue.
  associatedtype Position

  /// The first of those in flight, and those behind it. New ones come in front.
  var firstInFlight: Node? { get }
  func nextInFlight(after node: Node) -> Node?
  /// Messages that hold a file.
  func flightCount(of node: Node) -> UInt32
  /// Whether anything but messages holds it.
  func isHeldElsewhere(_ node: Node) -> Bool
  /// The beginning of the queue of a file, with those of connections that wait in it; nil where there is none.
  func beginning(of node: Node) -> Position?
  /// The next file in flight at a place in a queue; nil at the end.
  func next(_ position: inout Position) -> Node?
  subscript(mark node: Node) -> FlightMark<Node> { get nonmutating set }
  /// Gives up what is in its queue, later.
  func dispose(_ node: Node)
}

/// The collector.
struct FlightCollector<Graph: FlightGraph> {
  private enum Phase {
    case idle
    case count
    case subtract
    case roots
    case propagate
    case dispose
  }

  private var phase = Phase.idle
  private var run: UInt32 = 0
  /// Whether another run is to follow this one.
  private var isWanted = false
  /// Who is looked at next, of those in flight.
  private var cursor: Graph.Node?
  /// Whose queue is being looked through, and where.
  private var subject: Graph.Node?
  private var position: Graph.Position?
  private var firstWork: Graph.Node?
  /// Files whose queues were disposed of (`net.local.recycled`).
  private(set) var recycledCount: UInt64 = 0
  /// Runs (`net.local.taskcount`).
  private(set) var runCount: UInt64 = 0

  init() {}

  /// Whether there is nothing to do.
  var isIdle: Bool { phase == .idle && !isWanted }

  /// Something was closed while files were in flight: there may be garbage.
  mutating func request() { isWanted = true }

  // MARK: What programs do meanwhile

  /// A file is sent, received, or held by something else from now on.
  mutating func touch(_ node: Graph.Node, _ graph: Graph) {
    if phase == .idle { return }
    if graph[mark: node].run == run && graph[mark: node].isLive { return }
    if graph[mark: node].run != run {
      graph[mark: node] = FlightMark()
      graph[mark: node].run = run
    }
    makeLive(node, graph)
  }

  /// A file is in no message any more: it is still in the list. If its queue is to be looked through, that stays so.
  mutating func leave(_ node: Graph.Node, _ graph: Graph) {
    if phase != .idle && cursor == node { cursor = graph.nextInFlight(after: node) }
  }

  /// A file goes, which has left.
  mutating func end(_ node: Graph.Node, _ graph: Graph) {
    if phase == .idle { return }
    if subject == node { endSubject() }
    guard graph[mark: node].run == run, graph[mark: node].isWork else { return }
    let (next, previous) = (graph[mark: node].nextWork, graph[mark: node].previousWork)
    if let next { graph[mark: next].previousWork = previous }
    if let previous { graph[mark: previous].nextWork = next } else { firstWork = next }
    graph[mark: node].isWork = false
  }

  /// The queue of a file changes where it may be being looked through: that begins anew.
  mutating func queueChanges(_ node: Graph.Node, _ graph: Graph) {
    if subject != node { return }
    if phase == .propagate { return position = graph.beginning(of: node) }
    // What is left there keeps whom it names alive in this run; another one looks again.
    endSubject()
    isWanted = true
  }

  /// Lends the place in the queue that is being looked through, if one is.
  mutating func withPosition(_ body: (inout Graph.Position) -> Void) {
    guard var place = position else { return }
    position = nil
    body(&place)
    position = place
  }

  // MARK: Steps

  /// Does some of the work, and takes files and references that it looks at off `budget`. Whether nothing is left.
  mutating func step(_ budget: inout Int, _ graph: Graph) -> Bool {
    while budget > 0 {
      budget -= 1
      switch phase {
      case .idle:
        guard isWanted else { return true }
        isWanted = false
        run &+= 1
        runCount += 1
        firstWork = nil
        begin(.count, graph)
      case .count: count(graph)
      case .subtract: subtract(graph)
      case .roots: findRoot(graph)
      case .propagate: propagate(graph)
      case .dispose: disposeNext(graph)
      }
    }
    return isIdle
  }

  private mutating func begin(_ next: Phase, _ graph: Graph) {
    phase = next
    cursor = graph.firstInFlight
    endSubject()
  }

  private mutating func endSubject() {
    subject = nil
    position = nil
  }

  private mutating func takeCursor(_ graph: Graph) -> Graph.Node? {
    guard let node = cursor else { return nil }
    cursor = graph.nextInFlight(after: node)
    return node
  }

  private mutating func makeLive(_ node: Graph.Node, _ graph: Graph) {
    graph[mark: node].isLive = true
    if phase == .dispose { return }
    graph[mark: node].isWork = true
    graph[mark: node].nextWork = firstWork
    graph[mark: node].previousWork = nil
    if let first = firstWork { graph[mark: first].previousWork = node }
    firstWork = node
  }

  private mutating func count(_ graph: Graph) {
    guard let node = takeCursor(graph) else { return begin(.subtract, graph) }
    // It was touched already.
    if graph[mark: node].run == run { return }
    var mark = FlightMark<Graph.Node>()
    mark.run = run
    mark.remaining = graph.flightCount(of: node)
    graph[mark: node] = mark
    if graph.isHeldElsewhere(node) { makeLive(node, graph) }
  }

  /// The next reference from the queue of the subject.
  private mutating func nextReference(_ graph: Graph) -> Graph.Node? {
    guard var place = position else { return nil }
    position = nil
    let node = graph.next(&place)
    position = place
    return node
  }

  private mutating func subtract(_ graph: Graph) {
    if let subject {
      if !graph[mark: subject].isLive, let node = nextReference(graph) {
        if graph[mark: node].run == run && graph[mark: node].remaining > 0 { graph[mark: node].remaining -= 1 }
        return
      }
      return endSubject()
    }
    guard let node = takeCursor(graph) else { return begin(.roots, graph) }
    if graph[mark: node].run != run || graph[mark: node].isLive { return }
    subject = node
    position = graph.beginning(of: node)
  }

  private mutating func findRoot(_ graph: Graph) {
    guard let node = takeCursor(graph) else { return begin(.propagate, graph) }
    if graph[mark: node].run == run && !graph[mark: node].isLive && graph[mark: node].remaining > 0 {
      makeLive(node, graph)
    }
  }

  private mutating func propagate(_ graph: Graph) {
    if subject != nil {
      guard let node = nextReference(graph) else { return endSubject() }
      if graph[mark: node].run == run && !graph[mark: node].isLive { makeLive(node, graph) }
      return
    }
    guard let node = firstWork else { return begin(.dispose, graph) }
    firstWork = graph[mark: node].nextWork
    if let first = firstWork { graph[mark: first].previousWork = nil }
    graph[mark: node].isWork = false
    subject = node
    position = graph.beginning(of: node)
  }

  private mutating func disposeNext(_ graph: Graph) {
    guard let node = takeCursor(graph) else {
      phase = .idle
      return
    }
    if graph[mark: node].run != run || graph[mark: node].isLive || graph.isHeldElsewhere(node) { return }
    recycledCount += 1
    graph.dispose(node)
  }
}
