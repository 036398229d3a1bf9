// The beginning and the end: the files of /bin, process 1, and the count of what was left behind.

public import ABI
import Files
import Handover
import Memory
import Primitives
import Processes

/// What exists, in the four currencies in which something can leak.
struct ResourceCount {
  var frames = 0
  var objects = 0
  var heapBytes = 0
  var swapBlocks = 0
}

extension Kernel {
  /// Makes a module appear in /bin.
  func addToFiles(_ module: BootModule) {
    let name = ModuleWords(module.commandLine).name
    files.addBootFile(
      name: module.commandLine.span.extracting(name), start: module.start, byteCount: module.byteCount)
  }

  /// Creates process 1 from the file with this path (`/bin/NAME`); an empty path means the first module. Console on
  /// descriptors 0, 1 and 2. Its arguments are the words of the module's string; argument 0 is the path. Its environment
  /// is what the configuration says.
  ///
  /// Throws what execve(2) would give: ENOENT, ENOEXEC, ENOMEM, E2BIG.
  public func start(_ path: [UInt8]) throws(Errno) {
    files.trim()
    memory.trim()
    baseline = resourceCount()
    baselineKernelFrameCount =
      baseline.frames - (services.heap?.heldFrameCount ?? 0) - (memory.compressedStore?.counts.frames ?? 0)
    let material = seedMaterial
    if !services.seedRandom(with: material.span) && !isQuiet {
      services.report { $0.append("this machine has no source of entropy: random numbers can be guessed") }
    }
    guard let module = module(path) else { throw .enoent }
    let execution = try stageArguments(module)
    let (start, byteCount) = (modules[module].start, modules[module].byteCount)
    // (An empty file may share the place.)
    let content = files.program(at: start).flatMap { $0.byteCount == byteCount ? $0 : nil }
    try execution.load(ExecutableImage(start: start, byteCount: byteCount), content)
    var done = false
    while !done {
      switch try execution.step(nil) {
      case .again: break
      case .complete: done = true
      case .wait: throw .enomem
      }
    }
    let table = FileTable(files)
    let process: Process
    do throws(Errno) {
      for _ in 0..<3 { _ = try files.openConsole(into: table) }
      process = try processes.makeInitialProcess(files: table, maximumFileCount: files.maximumFilesPerProcess)
    } catch {
      var budget = Int.max
      _ = table.closeAll(budget: &budget)
      throw error
    }
    guard let thread = processes.firstThread(of: process) else { preconditionFailure("process 1 without a thread") }
    processes.commit(execution, process, thread)
    processes.charge()
    processes.scheduler.enqueue(thread.slot)
  }

  /// The module that a path names.
  private func module(_ path: [UInt8]) -> Int? {
    if path.isEmpty { return modules.isEmpty ? nil : 0 }
    guard let content = try? files.program(path: path.span) else { return nil }
    // Not by its place, which an empty file can share.
    for index in modules.indices {
      let module = modules[index]
      let name = ModuleWords(module.commandLine).name
      if content.isNamed(module.commandLine.span.extracting(name)) { return index }
    }
    return nil
  }

  /// An execution with the words of a module's string as arguments: /bin/NAME, then the rest.
  private func stageArguments(_ index: Int) throws(Errno) -> Execution {
    let module = modules[index]
    let words = ModuleWords(module.commandLine)
    var path = [1024 of UInt8](repeating: 0)
    var count = 0
    for byte in "/bin/".utf8 {
      path[count] = byte
      count += 1
    }
    for position in words.name where count < 1023 {
      path[count] = module.commandLine[position]
      count += 1
    }
    let execution = Execution(
      memory, path: path, pathByteCount: count + 1, arguments: 0, environment: 0,
      stackLimit: ABI.UserSpace.defaultStackByteCount, account: memory.accounts.account(of: 0))
    try execution.stage(path.span.extracting(0..<count + 1))
    var position = words.next(from: 0)?.upperBound ?? 0
    while let word = words.next(from: position) {
      var argument = Array(module.commandLine[word])
      argument.append(0)
      try execution.stage(argument.span)
      position = word.upperBound
    }
    for variable in environment {
      var text = variable
      text.append(0)
      try execution.stageEnvironment(text.span)
    }
    execution.endStaging()
    return execution
  }

  // MARK: The end

  /// Ends every process as reboot(2) does, whoever runs; `next()` finishes the rest.
  public func shutDown() { processes.beginEnd(.exited(0)) }

  /// Drops what is left when every process is gone, and counts what should not be.
  func finish() -> ExitReport {
    processes.leaveProcessor()
    if monitor != nil && !hasViolation { _ = isSound() }
    var budget = Int.max
    _ = files.removeAllNames(budget: &budget)
    files.keyedObjects.removeAll()
    while !memory.drainTeardown(budget: 4096) {}
    // Files that only unreachable messages hold.
    files.sockets.collect()
    while !memory.drainTeardown(budget: 4096) {}
    files.trim()
    processes.trim()
    memory.trim()
    let now = resourceCount()
    var report = ExitReport(status: processes.initialStatus?.rawValue ?? 0)
    report.leakedFrameCount = now.frames - baseline.frames
    report.leakedObjectCount = now.objects - baseline.objects
    report.leakedHeapByteCount = now.heapBytes - baseline.heapBytes
    report.leakedSwapBlockCount = now.swapBlocks - baseline.swapBlocks
    endMonitoring()
    report.hasViolation = hasViolation
    return report
  }

  /// What exists now.
  func resourceCount() -> ResourceCount {
    var count = ResourceCount()
    count.frames = memory.managedFrameCount - memory.freeFrameCount
    count.objects = memory.counters.liveObjects + memory.counters.liveSpaces
    count.objects += files.counts.total + processes.processCount + memory.accounts.count
    count.heapBytes = services.heap?.allocatedByteCount ?? 0
    count.swapBlocks = memory.usedSwapBlockCount
    return count
  }
}
