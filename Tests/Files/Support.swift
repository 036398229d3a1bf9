// A kernel's files on simulated hardware, and one process' view of them.
import ABI
import Simulation
import Testing

@testable import Files
@testable import Memory
import Primitives

final class RecordingWaker: Waker {
  var channels: [WaitChannel] = []
  override func wake(_ channel: WaitChannel, atMost count: Int) -> Int {
    channels.append(channel)
    return 0
  }
}

/// Runs `body` on a machine of its own, and sees that nothing is left behind. Only once `body` has returned is it certain
/// that its variables have let go of what they hold: at -O the machine, if it were one of them, might end before others do.
func withMachine(frameCount: UInt32 = 2048, swapBlocks: UInt32 = 0, _ body: (Machine) throws -> Void) throws {
  let machine = try Machine(frameCount: frameCount, swapBlocks: swapBlocks)
  defer {
    if !machine.isFinished { #expect(machine.leakedFrames() == 0) }
  }
  try body(machine)
}

/// One process' view of one kernel's files: a table, credentials, and an address space with memory to read and write in.
final class Machine {
  static let buffer: UInt64 = 0x10_0000
  static let bufferPageCount: UInt64 = 256

  let hardware: SimulatedHardware
  let waker = RecordingWaker()
  let files: FileServices
  var initialFree: Int
  var table: FileTable
  var caller: Credentials
  var mask: FileMode = []
  let space: AddressSpace

  var memory: SimulatedMemory { hardware.memory }
  var clock: SimulatedClock { hardware.clock }
  var processor: SimulatedProcessor { hardware.processor }
  var system: MemorySystem { hardware.system }

  init(frameCount: UInt32 = 2048, swapBlocks: UInt32 = 0) throws {
    var configuration = HardwareConfiguration()
    configuration.frameCount = Int(frameCount)
    configuration.swapBlockCount = swapBlocks
    hardware = SimulatedHardware(configuration)
    let system = hardware.system
    hardware.clock.advance(to: 5_000_123_456)
    system.services.waker = BackReference(waker)
    initialFree = system.freeFrameCount
    files = FileServices(system)
    table = FileTable(files)
    caller = Credentials(files)
    space = try AddressSpace.make(system)
    _ = try space.map(
      MapRequest(
        address: Machine.buffer, byteCount: Machine.bufferPageCount << 12, placement: .fixed,
        protection: [.read, .write], maximum: .all, sharing: .private, object: nil))
  }

  fileprivate private(set) var isFinished = false

  /// Ends everything and returns the frames that are not free although nothing should be left.
  func leakedFrames() -> Int {
    isFinished = true
    var budget = Int.max
    #expect(table.closeAll(budget: &budget))
    #expect(files.removeAllNames(budget: &budget))
    space.retire()
    isDiskSlow = false
    while !system.drainTeardown(budget: 64) { hardware.completeTransfers() }
    hardware.completeTransfers()
    files.trim()
    system.trim()
    #expect(files.counts.openFiles == 0)
    #expect(files.counts.sharedMemoryObjects == 0)
    #expect(files.counts.names == 0)
    #expect(files.counts.holds == 0)
    #expect(system.counters.liveObjects == 0)
    #expect(system.accounting.reserved == 0)
    return initialFree - system.freeFrameCount
  }

  /// Whether the transfers of the disk wait until `completeTransfers`, or happen at once.
  var isDiskSlow: Bool {
    get { hardware.swap?.behaviour.immediateOneIn != 1 }
    set { hardware.swap?.behaviour.immediateOneIn = newValue ? Int.max : 1 }
  }

  /// Whether every transfer of the disk fails that begins from now on.
  var doesDiskFail: Bool {
    get { hardware.swap?.behaviour.failsWrites ?? false }
    set {
      hardware.swap?.behaviour.failsWrites = newValue
      hardware.swap?.behaviour.readFailureOneIn = newValue ? 1 : 0
    }
  }

  /// Somebody types on the console.
  func type(_ bytes: some Sequence<UInt8>) {
    processor.console.type(bytes)
    answerConsole()
  }

  /// Answers the interrupts of the console's device.
  func answerConsole() {
    while processor.console.takeInterrupt() { files.console.serve() }
  }

  // MARK: System calls

  func open2(
    _ path: String?, _ flags: OpenFlags, mode: UInt16 = 0o600, _ sharedMemoryFlags: SharedMemoryFlags = [],
    generation: SharedMemoryGeneration = .today
  ) throws(Errno) -> Int32 {
    try open2(path.map { Array($0.utf8) }, flags, mode: mode, sharedMemoryFlags, generation: generation)
  }

  func open2(
    _ path: [UInt8]?, _ flags: OpenFlags, mode: UInt16 = 0o600, _ sharedMemoryFlags: SharedMemoryFlags = [],
    generation: SharedMemoryGeneration = .today
  ) throws(Errno) -> Int32 {
    let request = try SharedMemoryOpenRequest(
      generation: generation, flags: flags, mode: FileMode(rawValue: mode), sharedMemoryFlags: sharedMemoryFlags)
    guard let path else {
      return try files.openAnonymousSharedMemory(request, caller, creationMask: mask, into: table)
    }
    switch try files.openSharedMemory(request, path: path.span, caller, creationMask: mask, into: table) {
    case .opened(let descriptor): return descriptor
    case .unfinished(var pending):
      while true {
        switch try files.finish(&pending, in: table) {
        case .complete: return pending.descriptor
        case .again: continue
        case .wait: preconditionFailure("nobody else runs")
        }
      }
    }
  }

  func unlink(_ path: String) throws(Errno) {
    let bytes = Array(path.utf8)
    try files.unlinkSharedMemory(path: bytes.span, caller)
  }

  func open(_ path: String, _ flags: OpenFlags) throws(Errno) -> Int32 {
    let bytes = Array(path.utf8)
    return try files.open(path: bytes.span, flags, caller, into: table)
  }

  func truncate(_ descriptor: Int32, _ length: Int64) throws(Errno) {
    var resize = try Resize(length: length)
    let file = try table.file(at: descriptor)
    while try step(file.truncate(&resize)) {}
  }

  func status(_ descriptor: Int32) throws(Errno) -> Stat { try table.file(at: descriptor).status() }

  func seek(_ descriptor: Int32, _ offset: Int64, _ origin: SeekOrigin = .start) throws(Errno) -> Int64 {
    var place: TransferHold?
    switch try table.file(at: descriptor).seek(offset, origin, &place) {
    case .offset(let result): return result
    case .wait: preconditionFailure("nobody else runs")
    }
  }

  @discardableResult
  func write(_ descriptor: Int32, _ bytes: [UInt8], at position: Int64? = nil) throws(Errno) -> UInt64 {
    precondition(store(bytes, at: Machine.buffer))
    return try write(descriptor, from: Machine.buffer, bytes.count, at: position)
  }

  func write(_ descriptor: Int32, from address: UInt64, _ count: Int, at position: Int64? = nil) throws(Errno) -> UInt64
  {
    var transfer = try Transfer(address: VirtualAddress(address), byteCount: UInt64(count), at: position)
    let file = try table.file(at: descriptor)
    while try step(file.write(&transfer, space)) {}
    return transfer.moved
  }

  func read(_ descriptor: Int32, _ count: Int, at position: Int64? = nil) throws(Errno) -> [UInt8] {
    precondition(store([UInt8](repeating: 0xEE, count: count), at: Machine.buffer))
    let moved = try read(descriptor, into: Machine.buffer, count, at: position)
    return Array(load(count, at: Machine.buffer)!.prefix(Int(moved)))
  }

  func read(_ descriptor: Int32, into address: UInt64, _ count: Int, at position: Int64? = nil) throws(Errno) -> UInt64
  {
    var transfer = try Transfer(address: VirtualAddress(address), byteCount: UInt64(count), at: position)
    let file = try table.file(at: descriptor)
    while try step(file.read(&transfer, space)) {}
    return transfer.moved
  }

  /// Does what the kernel does between the events of a call; false when the call is done.
  func step(_ progress: Progress) -> Bool {
    switch progress {
    case .complete: return false
    case .again: return true
    case .wait(.frames):
      if system.makeAvailable(16) != .ready { hardware.completeTransfers() }
      precondition(system.freeFrameCount > system.reserveFrameCount)
      return true
    case .wait:
      hardware.completeTransfers()
      return true
    }
  }

  // MARK: The program's memory

  func store(_ bytes: [UInt8], at address: UInt64) -> Bool {
    var progress = 0
    while true {
      switch space.copyOut(RawSpan(_elements: bytes.span), to: VirtualAddress(address), progress: &progress) {
      case .complete: return true
      case .wait(let channel): _ = step(.wait(channel))
      default: return false
      }
    }
  }

  func load(_ count: Int, at address: UInt64) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var progress = 0
    while true {
      var span = bytes.mutableSpan
      var raw = MutableRawSpan(_elements: &span)
      switch space.copyIn(from: VirtualAddress(address), into: &raw, progress: &progress) {
      case .complete: return bytes
      case .wait(let channel): _ = step(.wait(channel))
      default: return nil
      }
    }
  }

  /// Maps a descriptor as mmap(2) does and returns the address.
  func map(
    _ descriptor: Int32, pages: UInt64, _ sharing: Sharing = .shared, _ protection: Protection = [.read, .write],
    offset: Int64 = 0
  ) throws(Errno) -> UInt64 {
    var mapping = try table.file(at: descriptor).mapping(
      MappingQuery(sharing: sharing, protection: protection, byteCount: pages << 12, offset: offset))
    var request = MapRequest(
      address: 0x4000_0000, byteCount: pages << 12, placement: .anywhere, protection: protection,
      maximum: mapping.maximumProtection, sharing: sharing, object: mapping.object.take())
    request.offset = mapping.pageOffset
    request.countsAsWritable = mapping.countsAsWritable
    return try space.map(request).raw
  }

  func unmap(_ address: UInt64, pages: UInt64) throws(Errno) {
    guard let range = AddressRange(covering: VirtualAddress(address), byteCount: pages << 12) else { throw .einval }
    try space.unmap(range)
  }
}

func error(_ body: () throws(Errno) -> Void) -> Errno? {
  do throws(Errno) {
    try body()
    return nil
  } catch {
    return error
  }
}

extension OpenFile {
  /// F_ADD_SEALS while nobody else runs.
  func addSeals(_ seals: Seals) throws(Errno) {
    var place: TransferHold?
    let progress = try addSeals(seals, &place)
    precondition(progress == .complete)
  }
}

extension Progress {
  /// Whether somebody waits for its turn in a line.
  var isTurn: Bool {
    if case .wait(let awaited) = self { return awaited.channel.isTurn }
    return false
  }
}

extension VMObject {
  func isResident(_ index: UInt64) -> Bool {
    if case .resident = pages.lookup(index, system.indexNodes) { return true }
    return false
  }
}

extension MemorySystem {
  func setOvercommit(_ bits: UInt32) { accounting.overcommit = bits }
}
