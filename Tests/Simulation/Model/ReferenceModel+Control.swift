// sysctl(3) (spec abi.md section 17), naively.
import ABI

/// What is known of a node's value.
private enum ControlValue {
  case exactly([UInt8])
  /// So many bytes, of which nothing is known.
  case anything(Int)
  /// A number in a range.
  case number(Int, ClosedRange<UInt64>)
  case text

  static func int(_ value: UInt32) -> ControlValue { .exactly(KernelMachine.bytes(of: value)) }
  static func long(_ value: UInt64) -> ControlValue { .exactly(KernelMachine.bytes(of: value)) }
  static func string(_ value: String) -> ControlValue { .exactly(Array(value.utf8) + [0]) }
}

extension ReferenceModel {
  /// The nodes that have numbers in FreeBSD.
  static let controlNumbers: [String: [Int32]] = [
    "kern.ostype": [1, 1], "kern.osrelease": [1, 2], "kern.osrevision": [1, 3], "kern.version": [1, 4],
    "kern.maxproc": [1, 6], "kern.maxfiles": [1, 7], "kern.argmax": [1, 8], "kern.hostname": [1, 10],
    "kern.ngroups": [1, 18], "kern.osreldate": [1, 24], "kern.maxfilesperproc": [1, 27], "kern.usrstack": [1, 33],
    "kern.arandom": [1, 37], "hw.machine": [6, 1], "hw.ncpu": [6, 3], "hw.physmem": [6, 5], "hw.pagesize": [6, 7],
    "vm.overcommit": [2, 12],
  ]
  /// The others.
  static let controlNames = [
    "kern.openfiles", "kern.signosys", "kern.features.posix_shm", "vm.swap_total", "vm.swap_reserved",
    "vm.stats.vm.v_page_count", "vm.stats.vm.v_free_count", "vm.stats.vm.v_swappgsin", "vm.stats.vm.v_swappgsout",
    "vm.stats.vm.v_swapin", "vm.stats.vm.v_swapout",
    "vm.martlet.heap_bytes", "vm.martlet.live_objects",
  ]
  /// Those that tell what memory is like now.
  static let memoryControls = [
    "vm.swap_reserved", "vm.swap_reserved", "vm.stats.vm.v_free_count", "vm.stats.vm.v_swappgsin",
    "vm.stats.vm.v_swappgsout", "vm.swap_total",
  ]
  static let writableControls: Set<String> = ["vm.overcommit", "kern.signosys", "kern.maxfiles"]

  /// Whether there is such a node.
  func knows(_ name: ControlName) -> Bool {
    switch name {
    case .name(let name): value(of: name) != nil
    case .numbers(let numbers): Self.controlNumbers.values.contains(numbers)
    }
  }

  private func value(of name: String) -> ControlValue? {
    switch name {
    case "kern.ostype": .string("FreeBSD")
    case "kern.osrelease": .string("15.0-CURRENT")
    case "hw.machine": .string("amd64")
    case "kern.version", "kern.hostname": .text
    case "kern.osrevision": .int(199_506)
    case "kern.osreldate": .int(1_500_026)
    case "kern.argmax": .int(524_288)
    case "kern.ngroups": .int(256)
    case "kern.maxproc": .int(UInt32(facts.maximumProcessCount))
    case "kern.maxfiles": .int(UInt32(maximumFileCount))
    case "kern.maxfilesperproc": .int(UInt32(facts.maximumFilesPerProcess))
    case "kern.openfiles": .int(UInt32(openFileCount))
    case "kern.signosys": .int(unknownCallsRaiseSignal ? 1 : 0)
    case "kern.features.posix_shm", "hw.ncpu": .int(1)
    case "kern.usrstack": .long(Self.stack.upperBound)
    case "vm.swap_reserved": .long(reservation.total &* 4096)
    case "kern.arandom", "vm.martlet.heap_bytes", "vm.martlet.live_objects": .anything(8)
    case "hw.physmem": .number(8, UInt64(facts.pageCount) * 4096...UInt64.max)
    case "hw.pagesize": .int(4096)
    case "vm.overcommit": .int(overcommit)
    case "vm.swap_total": .long(swapPageCount * 4096)
    case "vm.stats.vm.v_page_count": .int(UInt32(facts.pageCount))
    case "vm.stats.vm.v_free_count": .number(4, freeFrameCounts)
    case "vm.stats.vm.v_swapin": .number(8, figures.before.reads...figures.after.reads)
    case "vm.stats.vm.v_swapout": .number(8, figures.before.writes...figures.after.writes)
    case "vm.stats.vm.v_swappgsin": .number(8, figures.before.pagesIn...figures.after.pagesIn)
    case "vm.stats.vm.v_swappgsout": .number(8, figures.before.pagesOut...figures.after.pagesOut)
    default: nil
    }
  }

  /// Frames come and go while the call is under way, but not many.
  private var freeFrameCounts: ClosedRange<UInt64> {
    let (before, after) = (figures.before.freeFrameCount, figures.after.freeFrameCount)
    let slack: UInt64 = 8
    return min(before, after) - min(slack, before, after)...max(before, after) + slack
  }

  func systemControl(
    _ process: ModelProcess, _ name: ControlName, _ room: Int?, _ isQuery: Bool, _ newValue: [UInt8]?
  ) throws(Difference) -> Expectation {
    let text: String
    switch name {
    case .name(let given):
      if given.isEmpty || given.utf8.count > 1024 { return .error(.einval) }
      if !reaches(process, .path, given.utf8.count, write: false) { return .error(.efault) }
      if given == Self.processPath { return try pathControl(process, nil, room, isQuery, newValue) }
      text = given
    case .numbers(let numbers):
      if numbers.count < 2 || numbers.count > 24 { return .error(.einval) }
      if !reaches(process, .path, 4 * numbers.count, write: false) { return .error(.efault) }
      if room != nil && !reaches(process, .second, 8, write: false) { return .error(.efault) }
      if numbers == [0, 3] { return try controlNumbers(of: newValue, process, room, isQuery) }
      if numbers.starts(with: Self.processPathNumbers) {
        return try pathControl(process, numbers.count == 4 ? numbers[3] : nil, room, isQuery, newValue)
      }
      // Below a value there is nothing.
      if numbers.count > 2 && Self.controlNumbers.values.contains(Array(numbers[..<2])) { return .error(.enotdir) }
      text = Self.controlNumbers.first { $0.value == numbers }?.key ?? ""
    }
    guard var value = value(of: text) else { return .error(.enoent) }
    // Counters of 64 bits have 32 where there is room for just those.
    if case .number(8, let range) = value, text.hasPrefix("vm.stats"), room == 4 { value = .number(4, range) }
    // As many random bytes as are asked for, up to 256.
    if text == "kern.arandom" { value = .anything(min(room ?? 0, 256)) }
    if room != nil && !reaches(process, .second, 8, write: false) { return .error(.efault) }
    var number: UInt32?
    if let newValue {
      if !Self.writableControls.contains(text) || process.credentials.effectiveUser != 0 { return .error(.eperm) }
      if newValue.count < 4 { return .error(.einval) }
      if !reaches(process, .input, newValue.count, write: false) { return .error(.efault) }
      number = UInt32(littleEndian(newValue, 0, byteCount: 4))
    }
    let result = try deliver(value, process, room, isQuery)
    if let number, case .value = result { set(text, number) }
    return losesLength(process, room) ? .error(.efault) : result
  }

  /// Whether the length, which is copied out last, cannot be stored.
  private func losesLength(_ process: ModelProcess, _ room: Int?) -> Bool {
    room != nil && !reaches(process, .second, 8, write: true)
  }

  private func set(_ name: String, _ number: UInt32) {
    switch name {
    case "vm.overcommit": overcommit = number
    case "kern.maxfiles": maximumFileCount = Int(Int32(bitPattern: number))
    default: unknownCallsRaiseSignal = number != 0
    }
  }

  static let processPath = "kern.proc.pathname"
  static let processPathNumbers: [Int32] = [1, 14, 12]

  /// The program of a process; there is only one.
  private func pathControl(
    _ process: ModelProcess, _ identifier: Int32?, _ room: Int?, _ isQuery: Bool, _ newValue: [UInt8]?
  ) throws(Difference) -> Expectation {
    if room != nil && !reaches(process, .second, 8, write: false) { return .error(.efault) }
    if newValue != nil { return .error(.eperm) }
    guard let identifier else { return .error(.einval) }
    guard let subject = identifier == -1 ? process : self.process(identifier) else { return .error(.esrch) }
    let path = subject.state == .running ? ControlValue.string("/bin/script") : .exactly([])
    let result = try deliver(path, process, room, isQuery)
    return losesLength(process, room) ? .error(.efault) : result
  }

  /// {0, 3}: from a name to numbers.
  private func controlNumbers(
    of name: [UInt8]?, _ process: ModelProcess, _ room: Int?, _ isQuery: Bool
  ) throws(Difference) -> Expectation {
    if room != nil && !reaches(process, .second, 8, write: false) { return .error(.efault) }
    guard let name, !name.isEmpty else { return .error(.enoent) }
    if !reaches(process, .input, name.count, write: false) { return .error(.efault) }
    let text = String(decoding: name, as: UTF8.self)
    let numbers = text == Self.processPath ? Self.processPathNumbers : Self.controlNumbers[text]
    guard numbers != nil || value(of: text) != nil else { return .error(.enoent) }
    let bytes = numbers?.flatMap { KernelMachine.bytes(of: UInt32(bitPattern: $0)) }
    let result = try deliver(bytes.map { .exactly($0) } ?? .anything(8), process, room, isQuery)
    return losesLength(process, room) ? .error(.efault) : result
  }

  /// What is copied out: as much of the value as there is room for, and how much that was.
  private func deliver(
    _ value: ControlValue, _ process: ModelProcess, _ room: Int?, _ isQuery: Bool
  ) throws(Difference) -> Expectation {
    guard let room else { return .value(0) }
    let isLost = losesLength(process, room)
    let told = { () throws(Difference) -> UInt64 in littleEndian(try self.output(.second, 8), 0) }
    var size = 0
    switch value {
    case .exactly(let bytes): size = bytes.count
    case .anything(let count), .number(let count, _): size = count
    case .text: size = isQuery ? 0 : isLost || outputs.isEmpty ? 8 : Int(try told())
    }
    if isLost && (isQuery || room < size) { return isQuery ? .value(0) : .error(.enomem) }
    if isQuery {
      let length = try told()
      if size > 0 && length != UInt64(size) { throw Difference("the length is \(length), expected \(size)") }
      return .value(0)
    }
    let count = min(size, room)
    if count > 0 && !reaches(process, .output, count, write: true) { return .error(.efault) }
    if isLost { return .value(0) }
    if try told() != UInt64(count) { throw Difference("the length is \(try told()), expected \(count)") }
    if count > 0 { try checkValue(value, try output(.output, count), count) }
    return room < size ? .error(.enomem) : .value(0)
  }

  private func checkValue(_ value: ControlValue, _ bytes: [UInt8], _ count: Int) throws(Difference) {
    switch value {
    case .exactly(let wanted):
      if Array(bytes.prefix(count)) != Array(wanted.prefix(count)) {
        throw Difference("the value is \(bytes.prefix(count)), expected \(wanted.prefix(count))")
      }
    case .number(let size, let range) where count == size:
      let got = littleEndian(bytes, 0, byteCount: size)
      if !range.contains(got) { throw Difference("the value is \(got), expected \(range)") }
    case .text where count >= 40: if bytes[count - 1] != 0 { throw Difference("a text without an end") }
    default: break
    }
  }
}
