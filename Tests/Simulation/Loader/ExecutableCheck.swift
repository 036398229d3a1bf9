// What must hold whatever bytes an executable file has: it is refused, or loaded into user space, and everything comes back.

import ABI
import Memory
import Primitives
import Processes

/// Loads files that may be damaged, one after the other, on one small machine.
public final class ExecutableCheck {
  /// Files are cut here.
  public static let maximumByteCount = 64 * 1024

  private let hardware: SimulatedHardware
  private let freeFrameCount: Int

  /// Makes the machine.
  public init() {
    var configuration = HardwareConfiguration()
    configuration.frameCount = 1024
    configuration.swapBlockCount = 0
    hardware = SimulatedHardware(
      configuration, modules: [[UInt8](repeating: 0, count: ExecutableCheck.maximumByteCount)])
    let start: [UInt64] = [1]
    _ = hardware.services.seedRandom(with: start.span)
    hardware.system.trim()
    freeFrameCount = hardware.system.freeFrameCount
  }

  /// Executes a file as the kernel does for process 1. Returns what is wrong, or nil; a trap is wrong too.
  public func problem(with file: [UInt8]) -> String? {
    let content = Array(file.prefix(ExecutableCheck.maximumByteCount))
    let start = hardware.modules[0].start
    hardware.memory.setBytes(content, at: start.raw)
    let problem = execute(ExecutableImage(start: start, byteCount: UInt64(content.count)))
    while !hardware.system.drainTeardown(budget: 4096) {}
    hardware.system.trim()
    if hardware.system.freeFrameCount != freeFrameCount { return "frames are missing" }
    return problem
  }

  private func execute(_ image: ExecutableImage) -> String? {
    var path = [1024 of UInt8](repeating: 0)
    for (index, byte) in "/bin/file".utf8.enumerated() { path[index] = byte }
    let execution = Execution(
      hardware.system, path: path, pathByteCount: 10, arguments: 0, environment: 0,
      stackLimit: ABI.UserSpace.defaultStackByteCount, account: hardware.system.accounts.account(of: 0))
    do throws(Errno) {
      try execution.stage(path.span.extracting(0..<10))
      execution.endStaging()
      try execution.load(image)
      // A file of 64 KiB has 16 pages, and a header page 72 program headers.
      for _ in 0..<10_000 {
        if execution.needsFile { return "the file is asked for twice" }
        switch try execution.step(nil) {
        case .again: continue
        case .complete: return nil
        case .wait: return nil
        }
      }
      return "loading does not end"
    } catch {
      return error == .enoexec || error == .enomem || error == .e2big ? nil : "an odd error: \(error)"
    }
  }
}
