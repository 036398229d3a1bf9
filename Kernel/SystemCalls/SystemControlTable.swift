// The nodes of sysctl(3) that exist: name, numbers, and what they give (spec abi.md section 17).
//
// Some are Martlet's own (`vm.martlet`): what the kernel's heap holds and how many objects live, for tests of leaks. Nodes that
// have no fixed number in FreeBSD are numbered here from 1000 on under the number of their top level.

import ABI
import Files
import Memory
import Primitives
import Processes

/// The value of a node.
enum SystemControlValue {
  /// An int.
  case integer(UInt32)
  /// A long.
  case long(UInt64)
  /// A count of 64 bits, which is given as 32 bits where there is room for just those.
  case counter(UInt64)
  /// struct timeval
  case time(Timeval)
  /// struct loadavg
  case loadAverage(LoadAverage)
  /// Ticks of the processor in each of its states (kern.cp_time).
  case processorTimes([5 of UInt64])
  /// A string; its NUL is added.
  case text(String)
  /// The sizes of pages, as many longs as there can be sizes.
  case pageSizes
  /// struct clockinfo.
  case clockRate(ClockRate)
}

/// What a node gives.
enum SystemControlContent {
  /// A value.
  case value((Kernel) -> SystemControlValue)
  /// As many random bytes as there is room for.
  case random
  /// A record for every name of shared memory.
  case nameList
  /// A struct xswdev for the swap device whose place the third number of the name is.
  case swapDevice
  /// A struct vmtotal.
  case totals
  /// None: there are nodes below it.
  case inner
  /// 0, after an inspection of the whole kernel; only to the superuser.
  case inspection
}

/// Whether a node can be set.
// Not an optional closure: reading one makes an object.
enum SystemControlSetting {
  /// Nobody sets it.
  case fixed
  /// The superuser may.
  case settable((Kernel, UInt32) -> Void)
  /// The same for a value of four or eight bytes that may be refused: false is EINVAL.
  case checked(byteCount: Int, (Kernel, UInt64) -> Bool)
}

/// A node.
final class SystemControlNode {
  /// Its name.
  let name: String
  /// The first of the two numbers of `__sysctl`.
  let first: Int32
  /// The second.
  let second: Int32
  /// What it gives.
  let content: SystemControlContent
  /// Whether it can be set.
  let setting: SystemControlSetting
  /// Whether it is of the first level, and has one number only.
  var isTop: Bool { second == SystemControlNode.noNumber }
  fileprivate static let noNumber = Int32.min

  /// Whether a process in capability mode may read it (CTLFLAG_CAPRD).
  fileprivate(set) var isHarmless = false

  init(
    _ name: String, _ first: Int32, _ second: Int32, _ content: SystemControlContent,
    _ setting: SystemControlSetting
  ) {
    self.name = name
    self.first = first
    self.second = second
    self.content = content
    self.setting = setting
  }
}

/// All nodes.
struct SystemControlTable {
  private(set) var nodes: [SystemControlNode] = []
  /// For each node the hash of its name, and below that its place in `nodes`; ascending.
  private var order: [UInt64] = []

  /// The node with this name.
  func node(_ name: Span<UInt8>) -> SystemControlNode? {
    var hash = SystemControlTable.emptyHash
    for index in name.indices { SystemControlTable.add(name[index], to: &hash) }
    var first = 0
    var end = order.count
    while first < end {
      let middle = (first + end) / 2
      if order[middle] >> 32 < UInt64(hash) { first = middle + 1 } else { end = middle }
    }
    while first < order.count, order[first] >> 32 == UInt64(hash) {
      let node = nodes[Int(order[first] & 0xFFFF_FFFF)]
      if name.spells(node.name) { return node }
      first += 1
    }
    return nil
  }

  /// FNV-1a.
  private static let emptyHash: UInt32 = 0x811C_9DC5

  private static func add(_ byte: UInt8, to hash: inout UInt32) { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }

  /// Makes the nodes that there are findable by their names.
  private mutating func putInOrder() {
    for place in nodes.indices {
      var hash = SystemControlTable.emptyHash
      for byte in nodes[place].name.utf8 { SystemControlTable.add(byte, to: &hash) }
      order.append(UInt64(hash) << 32 | UInt64(place))
    }
    order.sort()
  }

  /// kern.proc, below which others than the nodes of this table are.
  let processes = SystemControlNode(
    "kern.proc", SystemControl.Top.kern, SystemControl.Kern.process, .inner, .fixed)

  /// The node with these numbers.
  func node(_ first: Int32, _ second: Int32) -> SystemControlNode? {
    for node in nodes where node.first == first && node.second == second && !node.isTop { return node }
    return nil
  }

  /// Adds a node that gives a value; `second` is nil where FreeBSD has no fixed number.
  mutating func add(
    _ name: String, _ first: Int32, _ second: Int32?, _ read: @escaping (Kernel) -> SystemControlValue,
    _ setting: SystemControlSetting = .fixed
  ) {
    add(name, first, second, content: .value(read), setting)
  }

  mutating func add(
    _ name: String, _ first: Int32, _ second: Int32?, content: SystemControlContent,
    _ setting: SystemControlSetting = .fixed
  ) {
    nodes.append(SystemControlNode(name, first, second ?? Int32(1000 + nodes.count), content, setting))
  }

  init() {
    addSystem()
    addHardware()
    // So far it is what the system is, and nothing of what happens on it.
    for node in nodes { node.isHarmless = true }
    addFilesAndProcesses()
    addThreads()
    addSignals()
    addMemory()
    addStatistics()
    addSockets()
    addInnerNodes()
    putInOrder()
  }

  /// Adds the nodes that only have others below them.
  private mutating func addInnerNodes() {
    typealias Top = SystemControl.Top
    let top: [6 of (String, Int32)] = [
      ("kern", Top.kern), ("vm", Top.vm), ("net", Top.net), ("debug", Top.debug), ("hw", Top.hw),
      ("security", Top.security),
    ]
    for index in top.indices { add(top[index].0, top[index].1, SystemControlNode.noNumber, content: .inner) }
    nodes.append(processes)
    for name in ["kern.features", "kern.ipc", "kern.sched", "kern.sigqueue", "kern.smp", "kern.threads"] {
      add(name, Top.kern, nil, content: .inner)
    }
    for name in ["vm.martlet", "vm.pmap", "vm.pmap.pde", "vm.reserv", "vm.stats", "vm.stats.sys", "vm.stats.vm"] {
      add(name, Top.vm, nil, content: .inner)
    }
    for name in ["net.local", "net.local.dgram", "net.local.seqpacket", "net.local.stream"] {
      add(name, Top.net, nil, content: .inner)
    }
    add("debug.fail_point", Top.debug, nil, content: .inner)
    add("security.bsd", Top.security, nil, content: .inner)
  }

  private mutating func addSystem() {
    typealias Kern = SystemControl.Kern
    let kern = SystemControl.Top.kern
    add("kern.ostype", kern, Kern.osType, { _ in .text("FreeBSD") })
    add("kern.osrelease", kern, Kern.osRelease, { _ in .text("15.0-CURRENT") })
    add("kern.osrevision", kern, Kern.osRevision, { _ in .integer(199_506) })
    add("kern.version", kern, Kern.version, { _ in .text("FreeBSD 15.0-CURRENT Martlet\n") })
    add("kern.osreldate", kern, Kern.osReleaseDate, { _ in .integer(InterfaceLimits.osReleaseDate) })
    add("kern.hostname", kern, Kern.hostName, { _ in .text("martlet") })
    add("kern.argmax", kern, Kern.argumentMaximum, { _ in .integer(UInt32(InterfaceLimits.argumentByteCount)) })
    add("kern.ngroups", kern, Kern.groupMaximum, { _ in .integer(UInt32(SystemCallLimits.groupCount)) })
    add("kern.usrstack", kern, Kern.userStack, { _ in .long(ABI.UserSpace.stackTop) })
    add("kern.clockrate", kern, Kern.clockRate, { _ in .clockRate(ClockRate()) })
    add("kern.arandom", kern, Kern.random, content: .random)
    add(
      "kern.signosys", kern, nil, { .integer($0.unknownCallsRaiseSignal ? 1 : 0) },
      .settable({ $0.unknownCallsRaiseSignal = $1 != 0 }))
    add("kern.logsigexit", kern, nil, { .integer($0.saysWhatDied ? 1 : 0) }, .settable({ $0.saysWhatDied = $1 != 0 }))
    add("kern.features.posix_shm", kern, nil, { _ in .integer(1) })
  }

  private mutating func addSockets() {
    let local = SystemControl.Top.net
    add("net.local.inflight", local, nil, { .integer(UInt32($0.files.sockets.flightCount)) })
    add("net.local.sockcount", local, nil, { .integer(UInt32($0.files.sockets.socketCount)) })
    add("net.local.taskcount", local, nil, { .integer(UInt32(truncatingIfNeeded: $0.files.sockets.collectionCount)) })
    add("net.local.recycled", local, nil, { .integer(UInt32(truncatingIfNeeded: $0.files.sockets.recycledCount)) })
    add("net.local.deferred", local, nil, { .integer(UInt32($0.files.sockets.deferredCount)) })
    addSpace("net.local.stream.sendspace", { $0.streamSpace.send }, { $0.streamSpace.send = $1 })
    addSpace("net.local.stream.recvspace", { $0.streamSpace.receive }, { $0.streamSpace.receive = $1 })
    addSpace("net.local.dgram.maxdgram", { $0.datagramSpace.largest }, { $0.datagramSpace.largest = $1 })
    addSpace("net.local.dgram.recvspace", { $0.datagramSpace.receive }, { $0.datagramSpace.receive = $1 })
    addSpace("net.local.seqpacket.maxseqpacket", { $0.packetSpace.send }, { $0.packetSpace.send = $1 })
    addSpace("net.local.seqpacket.recvspace", { $0.packetSpace.receive }, { $0.packetSpace.receive = $1 })
    let kern = SystemControl.Top.kern
    for name in ["kern.ipc.soacceptqueue", "kern.ipc.somaxconn"] {
      add(
        name, kern, nil, { .integer(UInt32(bitPattern: $0.files.sockets.maximumBacklog)) },
        .checked(byteCount: 4) {
          guard $1 >= 1, $1 <= UInt64(Int32.max) else { return false }
          $0.files.sockets.maximumBacklog = Int32($1)
          return true
        })
    }
    add("kern.ipc.numopensockets", kern, nil, { .integer(UInt32($0.files.sockets.socketCount)) })
    add(
      "kern.ipc.maxsockets", kern, nil, { .integer(UInt32(clamping: $0.files.sockets.maximumSocketCount)) },
      .checked(byteCount: 4) {
        // It grows only, and not beyond the number of files.
        guard $1 > UInt64($0.files.sockets.maximumSocketCount), $1 <= UInt64(max(0, $0.files.maximumFileCount)) else {
          return false
        }
        $0.files.sockets.maximumSocketCount = Int($1)
        return true
      })
    add(
      "kern.ipc.maxsockbuf", kern, nil, { .long($0.files.sockets.maximumBufferByteCount) },
      .checked(byteCount: 8) {
        guard $1 >= SocketServices.smallestBufferLimit, $1 <= UInt64(UInt32.max) else { return false }
        $0.files.sockets.maximumBufferByteCount = $1
        return true
      })
    add("kern.ipc.sockbuf_waste_factor", kern, nil, { _ in .long(SocketServices.costFactor) })
  }

  /// Adds the size of a buffer of new sockets.
  private mutating func addSpace(
    _ name: String, _ read: @escaping (SocketServices) -> UInt64, _ set: @escaping (SocketServices, UInt64) -> Void
  ) {
    add(
      name, SystemControl.Top.net, nil, { .long(read($0.files.sockets)) },
      .checked(byteCount: 8) {
        // More than a buffer can have makes no sockets, as on FreeBSD.
        set($0.files.sockets, min($1, UInt64(UInt32.max)))
        return true
      })
  }

  private mutating func addFilesAndProcesses() {
    typealias Kern = SystemControl.Kern
    let kern = SystemControl.Top.kern
    add("kern.maxproc", kern, Kern.maximumProcesses, { .integer(UInt32($0.processes.maximumProcessCount)) })
    add(
      "kern.maxfiles", kern, Kern.maximumFiles,
      { .integer(UInt32(bitPattern: Int32(truncatingIfNeeded: $0.files.maximumFileCount))) },
      .settable({ $0.files.maximumFileCount = Int(Int32(bitPattern: $1)) }))
    add(
      "kern.maxfilesperproc", kern, Kern.maximumFilesPerProcess,
      { .integer(UInt32($0.files.maximumFilesPerProcess)) })
    add("kern.lastpid", kern, nil, { .integer(UInt32(bitPattern: $0.processes.lastIdentifier)) })
    add("kern.ps_arg_cache_limit", kern, nil, { _ in .long(UInt64(ProcessTitle.limit)) })
    add("kern.openfiles", kern, nil, { .integer(UInt32($0.files.openFileCount)) })
    addPipes()
    add(
      "kern.kq_calloutmax", kern, nil, { .integer(UInt32(clamping: $0.files.watchers.maximumTimerCount)) },
      .settable({ $0.files.watchers.maximumTimerCount = Int($1) }))
    addQueues()
    add("kern.ipc.posix_shm_list", kern, nil, content: .nameList)
    add(
      "kern.ipc.shm_names_max", kern, nil, { .integer(UInt32(clamping: $0.files.maximumNameCount)) },
      .settable({ $0.files.maximumNameCount = Int($1) }))
    add(
      "kern.ipc.shm_names_per_user", kern, nil, { .integer(UInt32(clamping: $0.files.maximumNamesPerUser)) },
      .settable({ $0.files.maximumNamesPerUser = Int($1) }))
  }

  private mutating func addQueues() {
    let kern = SystemControl.Top.kern
    add(
      "kern.kq_cache_pen", kern, nil, { .integer(UInt32(clamping: $0.files.watchers.cachePenaltyNanoseconds)) },
      .settable({ $0.files.watchers.cachePenaltyNanoseconds = UInt64($1) }))
    add(
      "kern.kq_ws_int", kern, nil, { .integer(UInt32(clamping: $0.files.watchers.stealNanoseconds / 1000)) },
      .settable({ $0.files.watchers.stealNanoseconds = UInt64(max(1, $1)) * 1000 }))
    // As a fraction of a second, of 2 to the power of 32.
    add(
      "kern.kq_ws_int_sbt", kern, nil,
      { .long(($0.files.watchers.stealNanoseconds << 32) / 1_000_000_000) })
    add(
      "kern.kq_ws_kn_factor", kern, nil, { .integer(UInt32($0.files.watchers.stealFactor)) },
      .settable({ $0.files.watchers.stealFactor = Int($1) }))
  }

  private mutating func addThreads() {
    let kern = SystemControl.Top.kern
    add(
      "kern.threads.max_threads_per_proc", kern, nil,
      { _ in .integer(UInt32(ProcessLimits.maximumThreadsPerProcess)) })
    add("kern.maxthread", kern, nil, { .integer(UInt32(clamping: $0.processes.maximumThreadCount)) })
    add("kern.ipc.umtx_max_robust", kern, nil, { _ in .integer(UInt32(ProcessLimits.robustMutexCount)) })
  }

  private mutating func addSignals() {
    let kern = SystemControl.Top.kern
    add(
      "kern.sigqueue.max_pending_per_proc", kern, nil, { .integer(UInt32($0.processes.maximumQueuedSignals)) },
      .settable({ $0.processes.maximumQueuedSignals = min(Int($1), ProcessLimits.maximumQueuedSignals) }))
    add(
      "kern.sigqueue.overflow", kern, nil,
      { .integer(UInt32(truncatingIfNeeded: $0.processes.signalOverflowCount)) })
    add(
      "kern.sigqueue.alloc_fail", kern, nil,
      { .integer(UInt32(truncatingIfNeeded: $0.processes.signalFailureCount)) })
    add(
      "kern.sig_discard_ign", kern, nil, { .integer($0.processes.discardsIgnoredSignals ? 1 : 0) },
      .settable({ $0.processes.discardsIgnoredSignals = $1 != 0 }))
    add(
      "kern.wait_dequeue_sigchld", kern, nil, { .integer($0.processes.waitTakesNotice ? 1 : 0) },
      .settable({ $0.processes.waitTakesNotice = $1 != 0 }))
  }

  private mutating func addPipes() {
    let kern = SystemControl.Top.kern
    add("kern.ipc.maxpipekva", kern, nil, { .long(UInt64($0.files.pipeSpace.maximumByteCount)) })
    add("kern.ipc.pipekva", kern, nil, { .long(UInt64($0.files.pipeSpace.byteCount)) })
    add("kern.ipc.pipefragretry", kern, nil, { .integer($0.files.pipeSpace.smallerBufferCount) })
    add("kern.ipc.pipeallocfail", kern, nil, { .integer($0.files.pipeSpace.failedBufferCount) })
    add("kern.ipc.piperesizefail", kern, nil, { .integer($0.files.pipeSpace.failedResizeCount) })
    add(
      "kern.ipc.piperesizeallowed", kern, nil, { .integer($0.files.pipeSpace.allowsResizing ? 1 : 0) },
      .settable({ $0.files.pipeSpace.allowsResizing = $1 == 1 }))
    add(
      "kern.ipc.pipe_mindirect", kern, nil, { .integer($0.files.pipeSpace.smallestOfferByteCount) },
      .settable({ $0.files.pipeSpace.smallestOfferByteCount = max(1, $1) }))
    add(
      "kern.ipc.pipebuf_reserv", kern, nil, { .integer($0.files.pipeSpace.reservedPercent) },
      .settable({ $0.files.pipeSpace.reservedPercent = min(100, $1) }))
  }

  private mutating func addHardware() {
    typealias Hardware = SystemControl.Hardware
    let hardware = SystemControl.Top.hw
    add("hw.machine", hardware, Hardware.machine, { _ in .text("amd64") })
    add("hw.ncpu", hardware, Hardware.processorCount, { _ in .integer(1) })
    let kern = SystemControl.Top.kern
    add("kern.smp.maxcpus", kern, nil, { _ in .integer(1) })
    add("kern.smp.cpus", kern, nil, { _ in .integer(1) })
    add("kern.smp.maxid", kern, nil, { _ in .integer(0) })
    add("kern.sched.cpusetsize", kern, nil, { _ in .integer(UInt32(ProcessorSetMask.byteCount)) })
    add("hw.pagesizes", hardware, nil, { _ in .pageSizes })
    add("hw.pagesize", hardware, Hardware.pageSize, { _ in .integer(UInt32(Page.byteCount)) })
  }
}
