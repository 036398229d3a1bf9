// The inspection of the booted kernel: demanding programs under it, and violations planted for it to find.

import Testing

@Suite("Inspection of the booted kernel", .enabled(if: BootFiles.areBooted))
struct InspectionTests {
  struct Run: CustomTestStringConvertible, Sendable {
    let name: String
    let programs: [String]
    let append: String
    var arguments = ""
    var memory = "64M"
    /// Whether it takes long, and is run by `make test-all` only.
    var isLong = false
    var testDescription: String { name }
  }

  /// An inspection after so many events; `make test-all` inspects more often.
  private static func inspect(every count: Int, often: Int) -> String {
    "inspect=\(BootFiles.areWhole ? often : count)"
  }

  static let runs = [
    Run(name: "swap", programs: ["swap_test"], append: "swap=24M inspect=100"),
    Run(
      name: "shared objects", programs: ["shared_object_test", "mapping_test", "posixshm_test"],
      append: inspect(every: 100, often: 20)),
    Run(name: "processes", programs: ["process_test", "descriptor_test"], append: "inspect=20", memory: "128M"),
    Run(name: "taking without end", programs: ["exhaustion_test"], append: "swap=16M inspect=20000", isLong: true),
    Run(
      name: "a part of all allocations fails", programs: ["adversity_test"],
      append: "swap=8M \(inspect(every: 200, often: 50)) " + UserSideTests.everyFailure("0.1%return"), memory: "32M"),
  ]

  @Test(arguments: runs.filter { !$0.isLong || BootFiles.areWhole })
  func `Demanding programs leave every invariant whole and keep to the heap that they declare`(run: Run) throws {
    let result = try boot(
      program: "run-tests", arguments: run.programs.joined(separator: " "),
      modules: run.programs + ["arguments", "descriptors", "end"], append: run.append, memory: run.memory,
      timeLimit: 400)
    #expect(!result.lines.contains { $0.hasPrefix("martlet: inspection:") }, "\(result)")
    #expect(result.exit == .success, "\(result)")
    #expect(result.lines.contains { $0.hasPrefix("martlet: heap use of fork: ") }, "\(result)")
  }

  @Test
  func `Rounds of everything under inspection leak nothing`() throws {
    let result = try boot(program: "leak_test", arguments: "600", append: "inspect=100", timeLimit: 400)
    #expect(!result.lines.contains { $0.hasPrefix("martlet: inspection:") }, "\(result)")
    #expect(result.exit == .success, "\(result)")
  }

  static let violations = [
    ("charge", "reserved swap differs from the charges"), ("frame", "kernel frames that nobody owns"),
    ("object", "live objects that nothing reaches"), ("record", "mapping records that no page has"),
    ("swap-block", "swap blocks that nothing owns"), ("heap-use", "heap use of between events: 1 objects"),
    ("heap-overrun", "an object of the heap was written to behind its end"),
    ("heap-write-released", "an object of the heap was written to behind its end or after its release"),
  ]

  @Test(arguments: violations.indices)
  func `A violation is found and told, and fails the run`(index: Int) throws {
    let (kind, message) = InspectionTests.violations[index]
    let result = try boot(program: "end", arguments: "exit 0", append: "swap=4M inspect inspect-test=\(kind)")
    #expect(result.lines.contains { $0.hasPrefix("martlet: inspection: \(message)") }, "\(result)")
    #expect(result.lines.contains("martlet: an inspection found a violation"), "\(result)")
    #expect(result.exit == .failure, "\(result)")
  }

  static let damages = [
    ("heap-overrun-released", "an object of the kernel heap was overrun"),
    ("heap-write-reused", "an object of the kernel heap was written to after its release"),
  ]

  @Test(arguments: damages.indices)
  func `Damage of the heap is found when the object is released or handed out again`(index: Int) throws {
    let (kind, message) = InspectionTests.damages[index]
    let result = try boot(program: "end", arguments: "exit 0", append: "inspect inspect-test=\(kind)")
    #expect(result.exit == .panic, "\(result)")
    #expect(result.lines.contains { $0.contains(message) }, "\(result)")
  }

  @Test
  func `Reading vm.martlet.inspect inspects`() throws {
    let sound = try boot(program: "control", arguments: "vm.martlet.inspect")
    #expect(sound.lines.contains("vm.martlet.inspect: 0"), "\(sound)")
    #expect(sound.exit == .success, "\(sound)")
    let broken = try boot(program: "control", arguments: "vm.martlet.inspect", append: "inspect-test=charge")
    #expect(broken.lines.contains { $0.hasPrefix("martlet: inspection: reserved swap") }, "\(broken)")
    #expect(broken.lines.contains("vm.martlet.inspect: unknown"), "\(broken)")
    #expect(broken.exit == .failure, "\(broken)")
  }
}
