// Starts QEMU deterministically with the built kernel, and gives back what the serial line said and how the run ended.
//
// Every booted test goes through `boot`. The run is bounded by a time limit; a machine that exceeds it is killed and the
// result says so. Files of one run are in a directory of its own, so tests can run side by side.

import Foundation

/// How a booted machine ended (the values of isa-debug-exit, DESIGN "Booted interface").
enum MachineExit: Equatable {
  /// 0x10: all good.
  case success
  /// 0x11: a test or process 1 failed, or something leaked.
  case failure
  /// 0x12: the kernel panicked.
  case panic
  /// QEMU ended by itself with this status: 0 is power-off (or a reset, which QEMU is told not to survive).
  case other(Int32)
  /// The time limit was over.
  case timeLimit

  init(status: Int32) {
    switch status {
    case 0x10 << 1 | 1: self = .success
    case 0x11 << 1 | 1: self = .failure
    case 0x12 << 1 | 1: self = .panic
    case 124, 137: self = .timeLimit  // what timeout(1) says
    default: self = .other(status)
    }
  }
}

/// What a run left behind.
struct BootResult: CustomStringConvertible {
  /// Everything on the serial line.
  let output: String
  /// How the run ended.
  let exit: MachineExit
  /// The kernel's words on QEMU's debug console: how process 1 ended.
  let report: String

  /// The serial lines, without their ends.
  var lines: [String] {
    output.replacingOccurrences(of: "\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false)
      .map(String.init)
  }

  /// The lines that the kernel did not write: the program's.
  var programLines: [String] { lines.filter { !$0.hasPrefix("martlet: ") && !$0.isEmpty } }

  /// The number behind a text, on the first kernel line that has it.
  func number(after text: String) -> Int? {
    for line in lines where line.hasPrefix("martlet: ") {
      guard let range = line.range(of: text) else { continue }
      return Int(line[range.upperBound...].prefix { $0.isNumber })
    }
    return nil
  }

  var description: String { "exit: \(exit)\nreport: \(report)\nserial:\n\(output)\(backtrace)" }

  /// A panic's backtrace with function, file and line; empty when there is none.
  private var backtrace: String {
    guard exit == .panic else { return "" }
    let tool = BootFiles.package.appendingPathComponent("Boot/Tools/symbolize").path
    return (try? runTool([tool, BootFiles.symbols], input: output)).map { "backtrace:\n\($0)" } ?? ""
  }
}

/// Where things are, from the top of the package.
enum BootFiles {
  static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  static let kernel = package.appendingPathComponent("build/martlet-multiboot.elf").path
  static let symbols = package.appendingPathComponent("build/martlet.elf").path
  static let image = package.appendingPathComponent("build/martlet.iso").path

  /// A program of ring 3 built by `make programs`.
  static func program(_ name: String) -> String {
    package.appendingPathComponent("build/programs/\(name)").path
  }

  /// Booted tests need what make builds first, so they run only when it asks for them.
  static var areBooted: Bool { ProcessInfo.processInfo.environment["MARTLET_BOOT_TESTS"] != nil }
  /// Whether those are booted, too, that take long.
  static var areWhole: Bool { ProcessInfo.processInfo.environment["MARTLET_WHOLE"].map { $0 != "0" } ?? false }
}

/// The processor that tests measure instructions on.
let measuredProcessor = "max,-erms,-fsrm"

/// Boots the kernel with a program as process 1 (none: only the self-tests, if `append` asks for them).
///
/// - Parameters:
///   - program: a name under build/programs, or an absolute path.
///   - arguments: of the program, separated by spaces as the kernel splits them.
///   - modules: further files under /bin, in the same form as `program`, each optionally followed by arguments.
///   - append: the kernel's command line.
///   - memory: the machine's memory, as QEMU takes it.
///   - input: bytes that are sent to the serial line from the start.
///   - processor: QEMU's processor model; nil for the default one.
///   - flags: further words for QEMU, behind all others.
///   - seed: what QEMU's random numbers follow from, those of RDRAND and RDSEED too.
///   - hasDebugExit: whether the machine has the device through which the kernel ends QEMU with a status.
///   - timeLimit: real seconds after which the run is killed.
func boot(
  program: String? = nil, arguments: String = "", modules: [String] = [], append: String = "", memory: String = "128M",
  input: String = "", processor: String? = measuredProcessor, flags: [String] = [], seed: Int = 1,
  hasDebugExit: Bool = true, timeLimit: Int = 120
) throws -> BootResult {
  var words = ["-kernel", BootFiles.kernel, "-append", append]
  var files: [String] = []
  if let program { files.append(arguments.isEmpty ? path(program) : "\(path(program)) \(arguments)") }
  files += modules.map(path)
  if !files.isEmpty {
    words += ["-initrd", files.map { $0.replacingOccurrences(of: ",", with: ",,") }.joined(separator: ",")]
  }
  if hasDebugExit { words += debugExit }
  words += flags
  return try runMachine(words, memory: memory, input: input, processor: processor, seed: seed, timeLimit: timeLimit)
}

private let debugExit = ["-device", "isa-debug-exit,iobase=0xf4"]

private func path(_ program: String) -> String {
  program.hasPrefix("/") ? program : BootFiles.program(program)
}

/// Boots an ISO image through its own boot loader.
func boot(image: String, memory: String = "128M", timeLimit: Int = 120) throws -> BootResult {
  try runMachine(
    ["-cdrom", image] + debugExit, memory: memory, input: "", processor: measuredProcessor, timeLimit: timeLimit)
}

private func runMachine(
  _ words: [String], memory: String, input: String, processor: String?, seed: Int = 1, timeLimit: Int
) throws -> BootResult {
  let directory = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: directory) }
  let serial = directory.appendingPathComponent("serial")
  let typed = directory.appendingPathComponent("input")
  let report = directory.appendingPathComponent("report")
  try Data().write(to: serial)
  try Data(input.utf8).write(to: typed)

  let machine = Process()
  machine.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  machine.arguments =
    [
      "timeout", "--kill-after=5", "\(timeLimit)", "qemu-system-x86_64", "-accel", "tcg", "-icount",
      "shift=0,sleep=off", "-seed", "\(seed)",
      "-rtc", "base=2026-01-01,clock=vm", "-m", memory, "-nodefaults", "-display", "none", "-no-reboot",
      "-serial", "stdio",
      "-chardev", "file,id=report,path=\(report.path)", "-device", "isa-debugcon,chardev=report",
    ] + (processor.map { ["-cpu", $0] } ?? []) + words
  machine.standardInput = try FileHandle(forReadingFrom: typed)
  machine.standardOutput = try FileHandle(forWritingTo: serial)
  machine.standardError = FileHandle.standardError
  try machine.run()
  machine.waitUntilExit()
  return BootResult(
    output: String(decoding: try Data(contentsOf: serial), as: UTF8.self),
    exit: MachineExit(status: machine.terminationStatus),
    report: String(decoding: (try? Data(contentsOf: report)) ?? Data(), as: UTF8.self))
}

/// Runs a tool of the host with a text on its standard input and gives its standard output.
func runTool(_ words: [String], input: String = "") throws -> String {
  let directory = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: directory) }
  let source = directory.appendingPathComponent("input")
  let output = directory.appendingPathComponent("output")
  try Data(input.utf8).write(to: source)
  try Data().write(to: output)
  let tool = Process()
  tool.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  tool.arguments = words
  tool.standardInput = try FileHandle(forReadingFrom: source)
  tool.standardOutput = try FileHandle(forWritingTo: output)
  try tool.run()
  tool.waitUntilExit()
  return String(decoding: try Data(contentsOf: output), as: UTF8.self)
}
