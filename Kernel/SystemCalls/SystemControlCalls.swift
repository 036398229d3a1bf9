// sysctl(3): __sysctl and __sysctlbyname.
//
// The name is copied in before the call begins. The old length and a new value are small; if one of them, or the place for
// the old value, has to be paged in, the call begins anew, since nothing was done yet that may not
// be done again.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareSystemControlCalls() {
    declare(
      .sysctl, "__sysctl", [.pointer, .integer, .pointer, .pointer, .pointer, .size],
      copyIn: .chosen { call throws(Errno) in try call.numbersRequest() }
    ) {
      call throws(Errno) in try call.control(call.nodeByNumbers())
    }
    declare(
      .sysctlbyname, "__sysctlbyname", [.path, .size, .pointer, .pointer, .pointer, .size],
      copyIn: .chosen { call throws(Errno) in try call.nameRequest() }
    ) {
      call throws(Errno) in try call.control(call.node(named: call.stagedByteCount))
    }
  }
}

/// What a name of sysctl(3) leads to.
enum SystemControlTarget {
  /// A node of the table.
  case node(SystemControlNode)
  /// The setting of a fail point.
  case failurePoint(FailurePoint)
  /// Something of a process; nil where none is named.
  case process(SystemControl.Process, Int32?, withThreads: Bool)
  /// One of the swap devices; nil where more than one number names it.
  case swapDevice(UInt32?)
  /// {0, 3}: from a name, given as the new value, to numbers.
  case numbersOfName
}

extension SystemCall {
  // MARK: Names

  fileprivate func numbersRequest() throws(Errno) -> CopyInRequest {
    let count = arguments.second.word
    guard count >= 2, count <= UInt32(SystemControl.maximumNameLength) else { throw .einval }
    return .bytes(arguments.first.range(4 * Int(count)))
  }

  fileprivate func nameRequest() throws(Errno) -> CopyInRequest {
    let byteCount = arguments.second.raw
    guard byteCount > 0, byteCount < UInt64(ProcessLimits.callBufferByteCount) else { throw .einval }
    return .bytes(arguments.first.range(Int(byteCount)))
  }

  fileprivate func nodeByNumbers() throws(Errno) -> SystemControlTarget {
    let count = Int(arguments.second.integer)
    let first = Int32(bitPattern: stagedWord(at: 0))
    let second = Int32(bitPattern: stagedWord(at: 4))
    if first == SystemControl.Top.meta && second == SystemControl.Meta.nameToIdentifier { return .numbersOfName }
    if first == SystemControl.Top.kern && second == SystemControl.Kern.process {
      guard count >= 3 else { throw .enoent }
      return try processNode(Int32(bitPattern: stagedWord(at: 8)), count)
    }
    if let point = FailurePoint(first, second) {
      guard count == 2 else { throw .enotdir }
      return .failurePoint(point)
    }
    guard let node = kernel.controls.node(first, second) else { throw .enoent }
    guard count > 2 else { return .node(node) }
    // Below a value there is nothing.
    guard case .swapDevice = node.content else { throw .enotdir }
    return .swapDevice(count == 3 ? stagedWord(at: 8) : nil)
  }

  /// What a number below KERN_PROC leads to, in a name of so many.
  private func processNode(_ number: Int32, _ count: Int) throws(Errno) -> SystemControlTarget {
    let identifier = count == 4 ? Int32(bitPattern: stagedWord(at: 12)) : nil
    if let node = SystemControl.Process(rawValue: number) { return .process(node, identifier, withThreads: false) }
    let plain = number & ~SystemControl.Process.withThreads
    guard number & SystemControl.Process.withThreads != 0, let node = SystemControl.Process(rawValue: plain),
      node.listsProcesses
    else { throw .enoent }
    return .process(node, identifier, withThreads: true)
  }

  /// What the name in the buffer leads to, which ends with a NUL or after so many bytes.
  fileprivate func node(named byteCount: Int) throws(Errno) -> SystemControlTarget {
    let name = thread.frame.value.buffer.span.extracting(0..<textLength(byteCount))
    if let point = FailurePoint(controlName: name) { return .failurePoint(point) }
    guard let node = kernel.controls.node(name) else { return try processNode(named: name) }
    return .node(node)
  }

  /// A node about processes.
  private func processNode(named name: Span<UInt8>) throws(Errno) -> SystemControlTarget {
    var number: Int32 = 0
    while number <= SystemControl.Process.descriptorCount.rawValue {
      if let node = SystemControl.Process(rawValue: number), name.spells(node.name) {
        return .process(node, nil, withThreads: false)
      }
      number += 1
    }
    throw .enoent
  }

  private func textLength(_ limit: Int) -> Int {
    for index in 0..<limit where buffer[index] == 0 { return index }
    return limit
  }

  // MARK: Reading and setting

  fileprivate func control(_ target: SystemControlTarget) throws(Errno) -> Answer {
    var room: UInt64 = 0
    let oldLength = arguments.fourth
    if !oldLength.isNull {
      guard let word = try fetchLong(oldLength.address) else { return .restart }
      room = word
    }
    if process.isInCapabilityMode { try checkCapability(of: target) }
    switch target {
    case .node(let node): return try control(node, room)
    case .failurePoint(let point): return try control(point, room)
    case .process(let node, let identifier, let tellsThreads):
      return node.listsProcesses
        ? try listProcesses(node, identifier, tellsThreads, room) : try control(node, of: identifier, room)
    case .swapDevice(let place):
      guard arguments.fifth.isNull else { throw .eperm }
      guard let place else { throw .einval }
      return try giveValue(try stageSwapDevice(place), room)
    case .numbersOfName: return try numbersOfName(room)
    }
  }

  /// A process in capability mode reads what the system is, and sets nothing.
  ///
  /// Throws EPERM.
  private func checkCapability(of target: SystemControlTarget) throws(Errno) {
    switch target {
    case .node(let node): guard node.isHarmless, arguments.fifth.isNull else { throw .eperm }
    case .numbersOfName: break
    case .process(_, let identifier, _):
      guard identifier == process.identifier || identifier == -1 else { throw .eperm }
    case .failurePoint, .swapDevice: throw .eperm
    }
  }

  /// Reads, and then sets, a node: permission first, then the old value out, and only when all of it found room the new
  /// one in (FreeBSD's order).
  private func control(_ node: SystemControlNode, _ room: UInt64) throws(Errno) -> Answer {
    let new = arguments.fifth
    if !new.isNull {
      if case .fixed = node.setting { throw .eperm }
      guard process.credentials.isSuperuser else { throw .eperm }
    }
    let size: Int
    switch node.content {
    case .value(let read): size = stage(read(kernel))
    case .random: size = stageRandom(room, limit: SystemCallLimits.randomNodeByteCount)
    case .swapDevice: throw .einval  // Of no place.
    case .nameList:
      return try continueListing(PendingListing(.names(NameListing(), isAtName: false), room: room))
    case .inspection:
      // The reader is told of a violation, and so is the console.
      guard process.credentials.isSuperuser else { throw .eperm }
      guard kernel.isSound() else { throw .edoofus }
      size = stage(.integer(0))
    }
    if new.isNull { return try giveValue(size, room) }
    guard try putOld(size, room) else { return .restart }
    if !arguments.third.isNull && room < UInt64(size) { return end(room, .enomem) }
    switch node.setting {
    case .fixed: break
    case .settable(let set):
      guard arguments.sixth.raw >= 4 else { throw .einval }
      guard try fetch(new.range(4)) else { return .restart }
      set(kernel, stagedWord(at: 0))
    case .checked(let byteCount, let set):
      guard arguments.sixth.raw >= UInt64(byteCount) else { throw .einval }
      guard try fetch(new.range(byteCount)) else { return .restart }
      guard set(kernel, byteCount == 4 ? UInt64(stagedWord(at: 0)) : stagedLong(at: 0)) else { throw .einval }
    }
    return end(UInt64(size))
  }

  /// Gives `size` staged bytes as the value of a node that cannot be set.
  private func giveValue(_ size: Int, _ room: UInt64) throws(Errno) -> Answer {
    guard try putOld(size, room) else { return .restart }
    return !arguments.third.isNull && room < UInt64(size) ? end(room, .enomem) : end(UInt64(size))
  }

  /// Copies what there is room for of `size` staged bytes out; false when the call has to be answered with `restart`.
  private func putOld(_ size: Int, _ room: UInt64) throws(Errno) -> Bool {
    let old = arguments.third
    return old.isNull ? true : try put(old.range(Int(min(UInt64(size), room))))
  }

  /// Copies the length out, which is the last step, and returns.
  func end(_ length: UInt64, _ error: Errno? = nil) -> Answer {
    stage(length)
    beginDelivery(error: error)
    addPiece(at: 0, 8, to: arguments.fourth)
    return .deliver
  }

  /// Puts a value into the buffer; how many bytes it has.
  private func stage(_ value: SystemControlValue) -> Int {
    switch value {
    case .integer(let number):
      stage(number)
      return 4
    case .long(let number):
      stage(number)
      return 8
    case .pageSizes:
      stage(Page.byteCount, at: 0)
      stage(VMObject.largeByteCount, at: 8)
      stage(UInt64(0), at: 16)
      return 24
    case .clockRate(let rate):
      stage(rate.ticksPerSecond, at: 0)
      stage(rate.tickMicroseconds, at: 4)
      stage(UInt32(0), at: 8)
      stage(rate.statisticsTicksPerSecond, at: 12)
      stage(rate.profilingTicksPerSecond, at: 16)
      return ClockRate.byteCount
    case .text(let text):
      var count = 0
      for byte in text.utf8 {
        buffer[count] = byte
        count += 1
      }
      buffer[count] = 0
      return count + 1
    }
  }

  // MARK: Other targets

  private func numbersOfName(_ room: UInt64) throws(Errno) -> Answer {
    let (new, newLength) = (arguments.fifth, arguments.sixth.raw)
    guard !new.isNull, newLength > 0 else { throw .enoent }
    guard newLength < UInt64(ProcessLimits.callBufferByteCount) else { throw .enametoolong }
    guard try fetch(new.range(Int(newLength))) else { return .restart }
    switch try node(named: Int(newLength)) {
    case .node(let node): return try giveValue(stage(node.first, node.second), room)
    case .failurePoint(let point): return try giveValue(stage(point.identifier.0, point.identifier.1), room)
    case .process(let node, _, _):
      stage(node.rawValue, at: 8)
      return try giveValue(stage(SystemControl.Top.kern, SystemControl.Kern.process) + 4, room)
    case .swapDevice, .numbersOfName: throw .enoent
    }
  }

  private func stage(_ first: Int32, _ second: Int32) -> Int {
    stage(first, at: 0)
    stage(second, at: 4)
    return 8
  }

  /// The longest setting of a fail point that is read.
  private static var settingByteCount: UInt64 { 512 }

  /// Sets a fail point, if a new setting is given, and then, as FreeBSD does, gives the setting that it has by now.
  ///
  /// Throws EPERM unless the superuser sets it, EINVAL for a wrong setting; then nothing has changed.
  private func control(_ point: FailurePoint, _ room: UInt64) throws(Errno) -> Answer {
    let (new, newLength) = (arguments.fifth, arguments.sixth.raw)
    if !new.isNull {
      guard process.credentials.isSuperuser else { throw .eperm }
      guard newLength > 0, newLength <= SystemCall.settingByteCount else { throw .einval }
      guard try fetch(new.range(Int(newLength))) else { return .restart }
      let length = textLength(Int(newLength))
      kernel.services.failures[point] = try FailureSetting(
        parsing: thread.frame.value.buffer.span.extracting(0..<length))
      // What could not be reclaimed because it was to fail perhaps can now.
      kernel.memory.forgetFutility()
    }
    var line = ConsoleLine()
    kernel.services.failures[point].write(to: &line)
    line.append(UInt8(0))
    for index in 0..<line.span.count { buffer[index] = line.span[index] }
    return try giveValue(line.span.count, room)
  }

  /// What a process has of what each has. For the path −1 is the caller, for the count of descriptors 0, and of a process that has ended there is nothing.
  ///
  /// Throws EPERM for a new value, and for the trampoline of somebody else's process; EINVAL unless exactly one process is
  /// named, ESRCH when there is none.
  private func control(
    _ node: SystemControl.Process, of identifier: Int32?, _ room: UInt64
  ) throws(Errno) -> Answer {
    guard arguments.fifth.isNull else { throw .eperm }
    guard let identifier else { throw .einval }
    if node == .descriptorCount {
      // Of the caller only, who is 0.
      guard identifier == 0 else { throw .einval }
      stage(UInt32(table.count))
      return try giveValue(4, room)
    }
    let isCaller = identifier == -1 && node == .path
    guard let subject = isCaller ? process : kernel.processes.process(identifier) else { throw .esrch }
    switch node {
    case .path:
      guard subject.state == .running, let program = kernel.files.program(at: subject.imageStart) else {
        return try giveValue(0, room)
      }
      return try giveValue(program.stagePath(&thread.frame.value.buffer), room)
    case .trampoline:
      guard subject.state == .running else { throw .esrch }
      guard kernel.processes.maySend(nil, from: process, to: subject) else { throw .eperm }
      zero(SystemCall.trampolineByteCount)
      stage(ABI.UserSpace.signalTrampoline, at: 0)
      stage(ABI.UserSpace.signalTrampoline + ABI.UserSpace.signalTrampolineByteCount, at: 8)
      return try giveValue(SystemCall.trampolineByteCount, room)
    case .descriptors, .mappings:
      guard subject.state == .running else { throw .esrch }
      guard kernel.processes.mayInspect(subject, by: process) else { throw .eperm }
      let listed = ListedProcess(subject)
      return try continueListing(
        PendingListing(
          node == .mappings
            ? .mappings(listed, MappingListing())
            : .descriptors(listed, next: SystemCall.firstListedFile), room: room))
    case .creationMask:
      guard kernel.processes.mayInspect(subject, by: process) else { throw .eperm }
      stage(subject.creationMask.rawValue)
      return try giveValue(2, room)
    case .release:
      guard kernel.processes.mayInspect(subject, by: process) else { throw .eperm }
      stage(InterfaceLimits.osReleaseDate)
      return try giveValue(4, room)
    default: throw .einval
    }
  }

  /// Processes, each of them or each of their threads.
  ///
  /// Throws EINVAL unless what chooses among them is there, ESRCH for a single one that is not.
  private func listProcesses(
    _ node: SystemControl.Process, _ identifier: Int32?, _ tellsThreads: Bool, _ room: UInt64
  ) throws(Errno) -> Answer {
    guard arguments.fifth.isNull else { throw .eperm }
    guard identifier != nil || node == .all || node == .processes else { throw .einval }
    let chosen = identifier ?? 0
    let selection: ProcessSelection
    switch node {
    case .identifier:
      guard let subject = kernel.processes.process(chosen) else { throw .esrch }
      selection = .one(subject.slot)
    case .group: selection = .group(chosen)
    case .session: selection = .session(chosen)
    case .effectiveUser: selection = .user(UInt32(bitPattern: chosen), isReal: false)
    case .realUser: selection = .user(UInt32(bitPattern: chosen), isReal: true)
    case .realGroup: selection = .userGroup(UInt32(bitPattern: chosen), isReal: true)
    case .effectiveGroup: selection = .userGroup(UInt32(bitPattern: chosen), isReal: false)
    default: selection = .all
    }
    return try continueListing(
      PendingListing(.processes(ProcessListing(selection, tellsThreads: tellsThreads)), room: room))
  }

  /// The bytes of a struct kinfo_sigtramp.
  private static var trampolineByteCount: Int { 48 }
}
