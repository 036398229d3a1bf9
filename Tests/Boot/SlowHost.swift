// Boots in real time, without `-icount`, with a host at the other end of the serial line that is slow or early.
//
// The line is a pair of pipes. QEMU holds the machine back when the host does not read: its 16550 then says that its
// transmitter is not empty; and it takes from the host only what the device has room for.

import Foundation

/// The host at the other end of the serial line.
struct SlowHost: Sendable {
  /// Something that is typed.
  struct Typing: Sendable {
    let bytes: [UInt8]
    /// How long after what was typed before, or after the start.
    let milliseconds: Int

    init(_ bytes: [UInt8], afterMilliseconds milliseconds: Int = 0) {
      self.bytes = bytes
      self.milliseconds = milliseconds
    }
  }

  /// What is typed.
  var types: [Typing] = []
  /// How long the host does not read at first.
  var readsAfterMilliseconds = 0
  /// How much the host reads at a time …
  var bytesPerRead = 65_536
  /// … and how long it waits in between.
  var millisecondsBetweenReads = 0
}

/// What the two threads of a host share: everything is written before `group` is left and read afterwards.
private final class HostState: @unchecked Sendable {
  let group = DispatchGroup()
  var output: [UInt8] = []
}

/// Boots in real time; the parameters are those of `boot`.
func bootInRealTime(
  program: String, arguments: String = "", append: String = "", memory: String = "128M",
  host: SlowHost = SlowHost(), machineFlags: [String] = [], timeLimit: Int = 120
) throws -> BootResult {
  let directory = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: directory) }
  let report = directory.appendingPathComponent("report")

  // A machine that ends leaves the host typing into nothing, which is no reason to end too.
  signal(SIGPIPE, SIG_IGN)
  let input = Pipe()
  let output = Pipe()
  let machine = Process()
  machine.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  machine.arguments =
    [
      "timeout", "--kill-after=5", "\(timeLimit)", "qemu-system-x86_64", "-accel", "tcg", "-cpu", measuredProcessor,
      "-m", memory, "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
      "-chardev", "file,id=report,path=\(report.path)", "-device", "isa-debugcon,chardev=report",
      "-device", "isa-debug-exit,iobase=0xf4", "-kernel", BootFiles.kernel, "-append", append,
      "-initrd", "\(BootFiles.program(program)) \(arguments)",
    ] + machineFlags
  machine.standardInput = input
  machine.standardOutput = output
  machine.standardError = FileHandle.standardError
  try machine.run()

  let state = HostState()
  state.group.enter()
  let readingEnd = output.fileHandleForReading
  let typingEnd = input.fileHandleForWriting
  Thread.detachNewThread {
    for typing in host.types {
      pause(typing.milliseconds)
      try? typingEnd.write(contentsOf: Data(typing.bytes))
    }
    state.group.leave()
  }
  state.group.enter()
  Thread.detachNewThread {
    pause(host.readsAfterMilliseconds)
    while let piece = try? readingEnd.read(upToCount: host.bytesPerRead), !piece.isEmpty {
      state.output += piece
      pause(host.millisecondsBetweenReads)
    }
    state.group.leave()
  }
  machine.waitUntilExit()
  state.group.wait()
  try? typingEnd.close()
  return BootResult(
    output: String(decoding: state.output, as: UTF8.self), exit: MachineExit(status: machine.terminationStatus),
    report: String(decoding: (try? Data(contentsOf: report)) ?? Data(), as: UTF8.self))
}

private func pause(_ milliseconds: Int) {
  if milliseconds > 0 { Thread.sleep(forTimeInterval: Double(milliseconds) / 1000) }
}
