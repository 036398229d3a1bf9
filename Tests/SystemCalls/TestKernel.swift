// A kernel on a simulated machine whose programs are the statements of a test: each statement is a system call or a memory
// access of whichever process has the processor.

import ABI
import Primitives
import Processes
import Simulation
import SystemCalls
import Testing

/// What a system call left in the registers.
struct CallResult: Equatable {
  var value: UInt64
  var failed: Bool

  /// The error, if the call failed.
  var errno: Errno? { failed ? Errno(rawValue: Int32(truncatingIfNeeded: value)) : nil }
  /// The value as an int.
  var integer: Int { Int(Int64(bitPattern: value)) }
}

/// A kernel under test.
final class TestKernel {
  let hardware: SimulatedHardware
  let kernel: Kernel
  /// The context of the thread that has the processor.
  private(set) var context: PhysicalAddress?
  /// Set when the kernel waits.
  private(set) var isIdle = false
  private(set) var idleUntil: UInt64?
  /// Set when everything is over.
  private(set) var report: ExitReport?

  /// Times that the kernel came back for interrupts in the middle of longer work.
  private(set) var returnCount = 0
  /// Called whenever the kernel comes back.
  var betweenReturns: (() -> Void)?

  /// Where the test program's writable memory lies.
  static let data: UInt64 = 0x60_0000

  init(
    frames: Int = 2048, swapBlocks: UInt32 = 0, modules: [(String, [UInt8])] = [("prog a b", TestProgram.image)],
    maximumProcessCount: Int? = nil, path: String = "", signosys: Bool = true, isQuiet: Bool = false,
    unitsPerTurn: Int? = nil, turnNanoseconds: UInt64 = 0, entropySeed: UInt64? = 1,
    prepareConsole: (SimulatedConsole) -> Void = { _ in }
  ) throws {
    var configuration = HardwareConfiguration()
    configuration.frameCount = frames
    configuration.swapBlockCount = swapBlocks
    hardware = SimulatedHardware(configuration, modules: modules.map(\.1))
    hardware.processor.entropySource = SimulatedProcessor.entropySource(seed: entropySeed)
    prepareConsole(hardware.processor.console)
    var boot: [BootModule] = []
    for (index, module) in modules.enumerated() {
      boot.append(
        BootModule(
          commandLine: Array(module.0.utf8), start: hardware.modules[index].start, byteCount: UInt64(module.1.count)))
    }
    var options = KernelConfiguration(
      memory: hardware.system, floatingPoint: hardware.floatingPoint, modules: boot)
    options.maximumProcessCount = maximumProcessCount
    options.unknownCallsRaiseSignal = signosys
    options.isQuiet = isQuiet
    options.turnNanoseconds = turnNanoseconds
    if let unitsPerTurn { options.unitsPerTurn = unitsPerTurn }
    kernel = Kernel(options)
    do {
      try kernel.start(Array(path.utf8))
    } catch {
      // Nothing was started, and nothing may be left.
      report = ExitReport(status: 0)
      throw error
    }
    kernel.startMonitoring()
    advance()
  }

  /// Every test ends with an empty machine.
  deinit {
    if report == nil {
      kernel.shutDown()
      for _ in 0..<1000 where report == nil {
        advance()
        if isIdle {
          hardware.processor.console.limitRoom(to: .max)
          hardware.clock.advance(by: 10_000_000)
          _ = hardware.deliverTransfers()
        }
      }
    }
    if let report, report.hasLeaks { Issue.record("left behind: \(report)") }
    if report == nil { Issue.record("the kernel does not come to an end") }
    for violation in hardware.violations { Issue.record("\(violation)") }
    if let excess = kernel.monitor?.excess { Issue.record("heap use: \(excess)") }
  }

  // MARK: The machine

  /// Lets the kernel decide what runs.
  func advance() {
    var next = kernel.watchNext()
    while case .again = next {
      returnCount += 1
      betweenReturns?()
      next = kernel.watchNext()
    }
    betweenReturns?()
    switch next {
    case .again: break
    case .run(let next):
      context = next
      isIdle = false
    case .idle(let until):
      context = nil
      isIdle = true
      idleUntil = until
    case .finished(let report):
      context = nil
      isIdle = false
      self.report = report
    }
    answerConsole()
  }

  /// Somebody types on the console.
  func type(_ text: some Sequence<UInt8>) {
    hardware.processor.console.type(text)
    answerConsole()
  }

  /// Somebody who reads the console slowly reads this many bytes more.
  func readConsole(_ byteCount: Int) {
    hardware.processor.console.addRoom(byteCount)
    answerConsole()
  }

  /// Takes the interrupts of the console's device, as the processor does in ring 3 and while it waits.
  private func answerConsole() {
    while report == nil && hardware.processor.console.takeInterrupt() {
      kernel.watch(.consoleInterrupt)
      advance()
    }
  }

  /// A timer tick, and what follows.
  func tick() {
    kernel.watch(.timerTick)
    advance()
  }

  /// Lets time pass until the kernel's next deadline.
  func sleepUntilDeadline() {
    if let idleUntil { hardware.clock.advance(to: idleUntil) }
    tick()
  }

  // MARK: Registers

  private func address(_ offset: UInt64) -> UInt64 {
    guard let context else { preconditionFailure("nobody runs") }
    return context.raw + offset
  }

  func register(_ offset: UInt64) -> UInt64 { hardware.memory.word(at: address(offset)) }
  func setRegister(_ offset: UInt64, _ value: UInt64) { hardware.memory.setWord(value, at: address(offset)) }

  /// The result of the call that the running thread returned from last.
  var result: CallResult {
    CallResult(value: register(0), failed: register(136) & 1 != 0)
  }

  // MARK: Statements

  /// Makes a system call. The result is that of whoever runs afterwards; nil when nobody does.
  @discardableResult
  func call(_ number: SystemCallNumber, _ arguments: UInt64...) -> CallResult? {
    perform(UInt64(number.rawValue), arguments)
  }

  @discardableResult
  func perform(_ number: UInt64, _ arguments: [UInt64]) -> CallResult? {
    setRegister(0, number)
    let offsets: [UInt64] = [40, 32, 24, 80, 64, 72]
    for index in 0..<6 { setRegister(offsets[index], index < arguments.count ? arguments[index] : 0) }
    setRegister(144 - 8, register(136) & ~1)
    if kernel.watch(.systemCall) { answerConsole() } else { advance() }
    finishTransfers()
    return context == nil ? nil : result
  }

  /// Makes an access of the running thread possible, as the processor and the kernel do it together; false when the thread
  /// got a signal or lost the processor.
  private func access(_ body: () throws(PageFault) -> Void) -> Bool {
    let running = context
    for _ in 0..<1000 {
      guard context == running else { return false }
      do throws(PageFault) {
        try body()
        return true
      } catch {
        let fault = ProcessorException(vector: 14, errorCode: error.code.rawValue, address: error.address)
        if !kernel.watch(.exception(fault)) { advance() }
        finishTransfers()
      }
    }
    return false
  }

  /// Lets the device work while the kernel waits for it.
  private func finishTransfers() {
    while context == nil, isIdle, let next = hardware.nextCompletion {
      hardware.clock.advance(to: next)
      _ = hardware.deliverTransfers()
      kernel.watch(.deviceInterrupt)
      advance()
    }
  }

  /// One attempt of whoever runs to store a byte, and what the kernel makes of it.
  func touch(_ address: UInt64) {
    let unit = hardware.processor.memoryUnit
    do throws(PageFault) {
      try unit.storeBytes([1], at: address)
    } catch {
      let event = ProcessorException(vector: 14, errorCode: error.code.rawValue, address: error.address)
      if !kernel.watch(.exception(event)) { advance() }
    }
  }

  @discardableResult
  func store(_ bytes: [UInt8], at address: UInt64) -> Bool {
    var position = 0
    while position < bytes.count {
      let start = address + UInt64(position)
      let count = min(bytes.count - position, Int(4096 - start & 4095))
      let piece = Array(bytes[position..<position + count])
      let unit = hardware.processor.memoryUnit
      guard access({ () throws(PageFault) in try unit.storeBytes(piece, at: start) }) else { return false }
      position += count
    }
    return true
  }

  func load(_ address: UInt64, _ byteCount: Int) -> [UInt8]? {
    var result: [UInt8] = []
    while result.count < byteCount {
      let start = address + UInt64(result.count)
      let count = min(byteCount - result.count, Int(4096 - start & 4095))
      let unit = hardware.processor.memoryUnit
      var piece: [UInt8] = []
      guard access({ () throws(PageFault) in piece = try unit.loadBytes(at: start, byteCount: count) }) else {
        return nil
      }
      result += piece
    }
    return result
  }

  func loadWord(_ address: UInt64) -> UInt64 {
    (load(address, 8) ?? []).enumerated().reduce(0) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
  }

  func storeWord(_ value: UInt64, at address: UInt64) {
    store((0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }, at: address)
  }

  /// Stores a string with its NUL and returns its address.
  func string(_ text: String, at address: UInt64 = TestKernel.data) -> UInt64 {
    store(Array(text.utf8) + [0], at: address)
    return address
  }

  func loadString(_ address: UInt64) -> String {
    var bytes: [UInt8] = []
    while let byte = load(address + UInt64(bytes.count), 1)?.first, byte != 0 { bytes.append(byte) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Stores a vector of strings, with the strings behind it, and returns its address.
  func strings(_ strings: [String], at start: UInt64) -> UInt64 {
    var text = start + UInt64(8 * (strings.count + 1))
    for (index, string) in strings.enumerated() {
      storeWord(text, at: start + UInt64(8 * index))
      text = self.string(string, at: text) + UInt64(string.utf8.count + 1)
    }
    storeWord(0, at: start + UInt64(8 * strings.count))
    return start
  }

  // MARK: Frequent calls

  /// execve of a program with its own path as its only argument; what it needs is stored at an address first.
  @discardableResult
  func execute(_ path: String = "/bin/prog", at address: UInt64 = TestKernel.data + 0x100) -> CallResult? {
    let arguments = strings([path], at: address)
    return call(.execve, loadWord(arguments), arguments, 0)
  }

  var identifier: Int { call(.getpid)?.integer ?? 0 }

  /// The first thread of a process.
  func thread(of identifier: Int32) -> Thread? {
    let processes = kernel.inspectedProcesses
    return processes.process(identifier).flatMap { processes.firstThread(of: $0) }
  }

  /// fork; the caller goes on as the parent.
  func fork() -> Int { call(.fork)?.integer ?? -1 }

  /// Lets the others run until it is the turn of this process.
  func run(_ process: Int) {
    for _ in 0..<1000 where identifier != process { call(.schedYield) }
    precondition(identifier == process, "process \(process) does not run")
  }

  /// Waits for a child, which runs meanwhile; the closure speaks for the child. Returns what wait4 returned, and the status.
  func wait(_ child: Int = -1, options: UInt64 = 0, _ body: () -> Void = {}) -> (Int, WaitStatus) {
    let parent = context
    call(.wait4, UInt64(bitPattern: Int64(child)), TestKernel.data + 0x800, options, 0)
    if context != parent { body() }
    for _ in 0..<1000 where context != parent {
      if context == nil { tick() } else { call(.schedYield) }
    }
    precondition(context == parent, "the parent does not run again")
    let status = Int32(bitPattern: UInt32(truncatingIfNeeded: loadWord(TestKernel.data + 0x800)))
    // The load does not change registers that count.
    return (result.integer, WaitStatus(rawValue: status))
  }

  /// setrlimit; the two limits are stored at an address first, and the hard one is infinite unless something else is said.
  func setLimit(
    _ which: UInt64, _ soft: UInt64, _ hard: UInt64 = UInt64(Int64.max), at address: UInt64 = TestKernel.data
  ) -> CallResult? {
    storeWord(soft, at: address)
    storeWord(hard, at: address + 8)
    return call(.setrlimit, which, address)
  }

  func exit(_ code: Int = 0) { call(.exit, UInt64(bitPattern: Int64(code))) }
}
