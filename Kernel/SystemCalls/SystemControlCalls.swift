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
      call throws(Errno) in
      // FreeBSD looks at the length before the numbers, but after a name.
      guard let room = try call.room() else { return .restart }
      return try call.control(call.nodeByNumbers(), room)
    }
    declare(
      .sysctlbyname, "__sysctlbyname", [.path, .size, .pointer, .pointer, .pointer, .size],
      copyIn: .chosen { call throws(Errno) in try call.nameRequest() }
    ) {
      call throws(Errno) in
      let target = try call.node(named: call.stagedByteCount)
      guard let room = try call.room() else { return .restart }
      return try call.control(target, room)
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
  /// What has nodes below it and no value.
  case inner(SystemControlNode)
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
      guard count >= 3 else { return .inner(kernel.controls.processes) }
      return try processNode(Int32(bitPattern: stagedWord(at: 8)), count)
    }
    if let point = FailurePoint(first, second) {
      guard count == 2 else { throw .enotdir }
      return .failurePoint(point)
    }
    guard let node = kernel.controls.node(first, second) else { throw .enoent }
    if case .inner = node.content {
      guard count == 2 else { throw .enoent }
      return .inner(node)
    }
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
    var length = textLength(byteCount)
    // A name may end with the dot that would come before the next part.
    if length > 1 && buffer[length - 1] == UInt8(ascii: ".") { length -= 1 }
    let name = thread.frame.value.buffer.span.extracting(0..<length)
    if let point = FailurePoint(controlName: name) { return .failurePoint(point) }
    guard let node = kernel.controls.node(name) else { return try processNode(named: name) }
    if case .inner = node.content { return .inner(node) }
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

  /// The length of the place for the old value; nil when the call has to be answered with `restart`.
  fileprivate func room() throws(Errno) -> UInt64? {
    arguments.fourth.isNull ? 0 : try fetchLong(arguments.fourth.address)
  }

  fileprivate func control(_ target: SystemControlTarget, _ room: UInt64) throws(Errno) -> Answer {
    if case .inner = target { throw .eisdir }
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
    case .inner: throw .eisdir
    }
  }

  /// A process in capability mode reads what the system is, and sets nothing.
  ///
  /// Throws EPERM.
  private func checkCapability(of target: SystemControlTarget) throws(Errno) {
    switch target {
    case .node(let node): guard node.isHarmless, arguments.fifth.isNull else { throw .eperm }
    case .numbersOfName: break
    case .process(let node, let identifier, _):
      guard identifier == process.identifier || identifier == -1 else { throw .eperm }
      // A program may give itself a title, and not read it.
      if node == .arguments { guard arguments.third.isNull else { throw .eperm } }
    case .failurePoint, .swapDevice, .inner: throw .eperm
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
    case .value(let read): size = stage(read(kernel), room)
    case .random: size = stageRandom(room, limit: SystemCallLimits.randomNodeByteCount)
    case .swapDevice: throw .einval  // Of no place.
    case .inner: throw .eisdir
    case .totals:
      if arguments.third.isNull { return end(UInt64(SystemTotals.byteCount)) }
      SystemTotals().encode(into: &thread.frame.value.buffer)
      return try continueListing(PendingListing(.totals(TotalsCount(kernel.processes)), room: room))
    case .nameList:
      return try continueListing(PendingListing(.names(NameListing(), isAtName: false), room: room))
    case .inspection:
      // The reader is told of a violation, and so is the console.
      guard process.credentials.isSuperuser else { throw .eperm }
      guard kernel.isSound() else { throw .edoofus }
      size = stage(.integer(0), room)
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
  func giveValue(_ size: Int, _ room: UInt64) throws(Errno) -> Answer {
    guard try putOld(size, room) else { return .restart }
    return !arguments.third.isNull && room < UInt64(size) ? end(room, .enomem) : end(UInt64(size))
  }

  /// Copies what there is room for of `size` staged bytes out; false when the call has to be answered with `restart`.
  func putOld(_ size: Int, _ room: UInt64) throws(Errno) -> Bool {
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

  /// Puts a value into the buffer, for which there is so much room; how many bytes it has.
  private func stage(_ value: SystemControlValue, _ room: UInt64) -> Int {
    switch value {
    case .integer(let number):
      stage(number)
      return 4
    case .long(let number):
      stage(number)
      return 8
    case .counter(let count):
      stage(count)
      // Programs from before FreeBSD 12 want the lower half.
      return room == 4 ? 4 : 8
    case .time(let time):
      stage(time.seconds, at: 0)
      stage(time.microseconds, at: 8)
      return 16
    case .loadAverage(let load):
      for index in 0..<3 { stage(load.averages[index], at: 4 * index) }
      stage(UInt32(0), at: 12)
      stage(UInt64(LoadAverage.one), at: 16)
      return 24
    case .processorTimes(let times):
      for index in times.indices { stage(times[index], at: 8 * index) }
      return 8 * times.count
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
    case .text(let text): return stage(text: text)
    }
  }

  /// Puts a text with its NUL into the buffer; how many bytes it has.
  func stage(text: String) -> Int {
    var count = 0
    for byte in text.utf8 {
      buffer[count] = byte
      count += 1
    }
    buffer[count] = 0
    return count + 1
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
    case .inner(let node):
      let size = stage(node.first, node.second)
      return try giveValue(node.isTop ? 4 : size, room)
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
}
