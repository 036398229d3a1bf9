// Machines of every kind: each runs a program correctly, or says what it lacks and is refused. Never a panic, never a hang.
//
// A few run in every `make test`; the whole matrix in `make test-machines`.

import Foundation
import Testing

@Suite("Machines", .enabled(if: BootFiles.areBooted))
struct MachineTests {
  /// A machine, and what comes of it.
  struct Machine: CustomTestStringConvertible, Sendable {
    var flags: [String] = []
    var processor: String? = measuredProcessor
    var memory = "64M"
    /// The line that refuses it; nil: it runs.
    var refusal: String?
    /// Whether the boot stub refuses it, which says so with the status of a panic.
    var isRefusedByStub = false

    init(_ flags: String = "", processor: String? = measuredProcessor, memory: String = "64M", refusal: String? = nil) {
      self.flags = flags.split(separator: " ").map(String.init)
      self.processor = processor
      self.memory = memory
      self.refusal = refusal
    }

    /// A machine that the boot stub refuses.
    static func stub(_ processor: String?, flags: String = "", memory: String = "64M", _ refusal: String) -> Machine {
      var machine = Machine(flags, processor: processor, memory: memory, refusal: refusal)
      machine.isRefusedByStub = true
      return machine
    }

    var testDescription: String {
      (flags + ["-cpu", processor ?? "(default)", "-m", memory]).joined(separator: " ")
    }
  }

  static let usual = [
    Machine("-M microvm"),
    Machine(
      "-M microvm,pit=off,rtc=off",
      refusal:
        "this machine has no clock to measure the time stamp counter with (no 8254, CPUID 0x15, 0x16, or CMOS clock)"
    ),
    Machine(processor: "max,-syscall", refusal: "this processor has no SYSCALL instruction"),
    Machine("-M pc,max-ram-below-4g=64M", memory: "6G"),
    .stub("max,-fxsr", "this processor has no FXSAVE (FXSR)"),
  ]

  @Test(arguments: usual)
  func `A machine runs a program, or says what it lacks`(_ machine: Machine) throws { try check(machine) }

  private func check(_ machine: Machine) throws {
    let result = try boot(
      program: "arguments", arguments: "one", memory: machine.memory, processor: machine.processor,
      flags: machine.flags,
      timeLimit: 60)
    if let refusal = machine.refusal {
      #expect(result.exit == (machine.isRefusedByStub ? .panic : .failure), "\(result)")
      #expect(result.lines.first == "martlet: \(refusal)", "\(result)")
    } else {
      #expect(result.exit == .success, "\(result)")
      #expect(result.programLines == ["argument 0: /bin/arguments", "argument 1: one"], "\(result)")
    }
  }

  /// The whole matrix, when make asks for it.
  static let isWhole = ProcessInfo.processInfo.environment["MARTLET_MACHINE_TESTS"] != nil

  static let boards = ["pc", "q35", "microvm,pit=off", "microvm,rtc=off", "isapc"]
  static let processors: [String?] = [
    nil, "max", "Nehalem", "SandyBridge", "Haswell", "Skylake-Server", "EPYC", "Opteron_G1", "Conroe", "core2duo",
    "phenom", "max,-apic", "max,-xsave", "max,-rdrand", "max,-rdseed", "max,-rdrand,-rdseed", "max,-fsgsbase",
    "max,-pge",
    "max,-smap,-smep,-umip", "max,+la57", "kvm64", "qemu64,-apic",
  ]
  static let memories = ["32M", "40M", "1G", "3G", "5G", "20G"]
  static let mixtures: [Machine] = [
    // On a board of that age "max" hides how many leaves CPUID has, and long mode with them.
    Machine("-M pc-i440fx-2.0", processor: nil),
    .stub("max", flags: "-M pc-i440fx-2.0", "this processor has no long mode"),
    Machine("-smp 2"), Machine("-M q35 -smp 4"), Machine("-no-hpet"), Machine("-no-acpi"), Machine("-M q35 -no-acpi"),
    Machine("-M microvm,acpi=off"), Machine("-M microvm", processor: "max,-apic"), Machine("-M microvm", memory: "1G"),
    Machine("-M isapc", processor: "max,-apic"), Machine("-device VGA"), Machine("-M q35", memory: "8G"),
    Machine("-M pc,max-ram-below-4g=64M", memory: "2G"), Machine("-smp 2", processor: "max,-apic"),
  ]
  static let refused: [Machine] = [
    Machine("-M microvm,pic=off", refusal: "this machine has no 8259 interrupt controllers"),
    Machine(
      "-M microvm,pit=off", processor: "max,-apic",
      refusal: "this machine has no timer that interrupts (neither a local APIC nor an 8254)"),
    Machine(processor: "Haswell,-syscall", refusal: "this processor has no SYSCALL instruction"),
    .stub("max,-nx", "this processor has no no-execute bit"),
    .stub("max,-tsc", "this processor has no time stamp counter (TSC)"),
    .stub("max,-msr", "this processor has no model-specific registers (MSR)"),
    .stub("max,-pae", "this processor has no physical address extension (PAE)"),
    .stub("max,-cmov", "this processor has no conditional moves (CMOV)"),
    .stub("max,-sse", "this processor has no SSE"),
    .stub("max,-sse2", "this processor has no SSE2"),
    .stub("max,-fpu", "this processor has no floating point unit"),
    .stub(measuredProcessor, memory: "8M", "too little memory (32 MiB is the least)"),
    .stub(measuredProcessor, memory: "24M", "too little memory (32 MiB is the least)"),
  ]
  static let oldProcessors = ["486", "pentium", "pentium3", "qemu32", "athlon", "coreduo", "n270", "max,-lm"]

  static var matrix: [Machine] {
    var all: [Machine] = boards.map { Machine("-M \($0)") }
    all += processors.map { Machine(processor: $0) }
    all += memories.map { Machine(memory: $0) }
    all += mixtures
    all += refused
    all += oldProcessors.map { Machine.stub($0, "this processor has no long mode") }
    return all
  }

  @Test(.enabled(if: isWhole), arguments: matrix)
  func `Every machine runs a program, or says what it lacks`(_ machine: Machine) throws { try check(machine) }

  @Test(.enabled(if: isWhole))
  func `A machine without a serial device runs to its end`() throws {
    let result = try boot(program: "end", arguments: "exit 3", flags: ["-serial", "none"])
    #expect(result.exit == .failure && result.report == "process 1 exited with status 3\n", "\(result)")
  }

  // MARK: What the loader brings

  @Test
  func `Two hundred modules are two hundred files`() throws {
    let files = try Files(count: 200)
    let result = try boot(program: "arguments", modules: files.paths, append: "init=/bin/m200")
    // It is there: found, and refused for what it is.
    #expect(result.lines.contains { $0.hasPrefix("martlet: process 1 cannot be started: not a static") }, "\(result)")
    #expect(try boot(program: "arguments", modules: files.paths).exit == .success)
  }

  @Test
  func `More modules than there is room for are refused, not forgotten`() throws {
    let files = try Files(count: 512)
    let result = try boot(program: "arguments", modules: files.paths)
    withExtendedLifetime(files) {}
    #expect(result.lines.first == "martlet: too many modules (512 are the most)", "\(result)")
    #expect(result.exit == .failure)
  }

  @Test
  func `A second module of the same name is refused`() throws {
    let twice = try boot(program: "arguments", modules: ["end", BootFiles.program("../programs/arguments")])
    #expect(twice.lines.first == "martlet: two modules have the same name: arguments", "\(twice)")
    #expect(twice.exit == .failure && twice.report == "two modules have the same name: arguments\n")
  }

  @Test(arguments: ["32M", "64M"])
  func `A module that does not fit into memory is refused`(memory: String) throws {
    let files = try Files(count: 1, byteCount: 80 << 20)
    let result = try boot(program: "arguments", modules: files.paths, memory: memory)
    #expect(result.lines.first == "martlet: the machine has too little memory for a module: m1", "\(result)")
    #expect(result.exit == .failure)
    // Where there is room, it runs.
    #expect(try boot(program: "arguments", modules: files.paths, memory: "100M").exit == .success)
  }

  @Test
  func `init= finds a program behind an empty module at the same place`() throws {
    let files = try Files(count: 1, byteCount: 0)
    let result = try boot(program: files.paths[0], modules: ["arguments"], append: "init=/bin/arguments")
    #expect(result.exit == .success && result.programLines == ["argument 0: /bin/arguments"], "\(result)")
  }

  /// Files m1, m2 … that end with the value.
  final class Files {
    let paths: [String]
    private let directory: URL

    init(count: Int, byteCount: UInt64 = 100) throws {
      directory = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      paths = (1...count).map { [directory] in directory.appendingPathComponent("m\($0)").path }
      for path in paths {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.truncate(atOffset: byteCount)
        try file.close()
      }
    }

    deinit { try? FileManager.default.removeItem(at: directory) }
  }

  // MARK: Kernel options

  @Test(arguments: ["swp=3", "swap=-1", "swap=99999G", "inspect=x", "signosys=2", "seed=abc"])
  func `A kernel option that is unknown, or has a value it cannot have, is said and stops the start`(word: String)
    throws
  {
    let result = try boot(program: "end", arguments: "exit 0", append: word)
    #expect(result.exit == .failure, "\(result)")
    let reason =
      switch word {
      case "swp=3": "unknown kernel option: swp=3"
      case "swap=99999G": "not enough memory in one piece for the swap device"
      default: "wrong value of a kernel option: \(word)"
      }
    #expect(result.lines.first == "martlet: \(reason)", "\(result)")
    // A quiet kernel tells the host only.
    let quiet = try boot(program: "end", arguments: "exit 0", append: "\(word) quiet")
    #expect(quiet.exit == .failure && quiet.output == "" && quiet.report == "\(reason)\n", "\(quiet)")
  }

  @Test
  func `Words that the loader puts in front are no options`() throws {
    let files = try Files(count: 1)
    defer { withExtendedLifetime(files) {} }
    let link = files.paths[0] + " with spaces.elf"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: BootFiles.kernel)
    defer { try? FileManager.default.removeItem(atPath: link) }
    let result = try boot(program: "end", arguments: "exit 0", append: "swap=1M", flags: ["-kernel", link])
    #expect(result.exit == .success, "\(result)")
  }

  // MARK: The image

  @Test
  func `The image has no gap that a module could be put into`() throws {
    // GRUB loads segment by segment, and puts modules wherever pages are left; the kernel counts on the image's being one
    // piece, from the boot stub's first byte to the last of the stacks.
    let headers = try runTool(["llvm-readelf", "--program-headers", "--wide", BootFiles.symbols])
    let segments = headers.split(separator: "\n").filter { $0.contains(" LOAD ") }.map { line in
      let words = line.split(separator: " ").map { UInt64($0.dropFirst(2), radix: 16) ?? 0 }
      return (start: words[3], byteCount: words[5])
    }
    #expect(segments.count >= 4 && segments.first?.start == 0x10_0000, "\(headers)")
    for (segment, next) in zip(segments, segments.dropFirst()) {
      #expect((segment.start + segment.byteCount + 4095) & ~4095 == next.start & ~4095, "\(headers)")
    }
  }
}
