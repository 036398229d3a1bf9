// The user-side tests of Programs/Tests, each as process 1 of a booted machine (issue 2, acceptance 4 to 7).

import Testing

@Suite("Programs on the booted kernel", .enabled(if: BootFiles.areBooted))
struct ProgramTests {
  /// A test program and what it needs.
  struct Program: CustomTestStringConvertible, Sendable {
    var name: String
    var arguments = ""
    var modules: [String] = []
    var append = ""
    var memory = "128M"
    var processor: String? = measuredProcessor
    var testDescription: String { arguments.isEmpty ? name : "\(name) \(arguments)" }
  }

  static let programs = [
    Program(name: "start_state_test"),
    Program(name: "start_state_test", processor: nil),
    Program(name: "process_test", modules: ["arguments", "descriptors"]),
    Program(name: "system_test"),
    Program(name: "descriptor_test", modules: ["arguments"]),
    Program(name: "mapping_test"),
    Program(name: "shared_memory_test", modules: ["descriptors"]),
    Program(name: "posixshm_test"),
    Program(name: "posixshm2008_test"),
    Program(name: "stale_bytes_test"),
    Program(name: "stale_bytes_test", processor: nil),
    Program(name: "hostile_test"),
    Program(name: "hostile_test", processor: nil),
    Program(name: "bad_arguments_test"),
    Program(name: "exhaustion_test", memory: "64M"),
    Program(name: "leak_test"),
    Program(name: "swap_test", append: "swap=24M", memory: "64M"),
  ]

  @Test("A program's own checks hold and nothing leaks", arguments: programs)
  func ownChecks(program: Program) throws {
    let result = try boot(
      program: program.name, arguments: program.arguments, modules: program.modules, append: program.append,
      memory: program.memory, processor: program.processor, timeLimit: 300)
    #expect(result.exit == .success, "\(result)")
    #expect(!result.lines.contains { $0.hasPrefix("not ok") }, "\(result)")
    #expect(result.lines.contains("martlet: nothing leaked"), "\(result)")
  }

  @Test("The demonstrations run to their end", arguments: ["demonstration", "demonstration-c"])
  func demonstration(program: String) throws {
    let result = try boot(program: program)
    #expect(result.exit == .success, "\(result)")
    #expect(result.lines.contains("parent 1: unlinked, unmapped and closed"), "\(result)")
    #expect(result.lines.contains("martlet: nothing leaked"), "\(result)")
  }

  @Test("The demonstration says the same after power-on through GRUB")
  func image() throws {
    let byKernel = try boot(program: "demonstration", append: "selftest")
    let byImage = try boot(image: BootFiles.image)
    #expect(byImage.exit == .success, "\(byImage)")
    #expect(byImage.programLines.suffix(5) == byKernel.programLines.suffix(5), "\(byImage)")
  }
}
