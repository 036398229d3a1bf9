// The user-side tests (Programs/Tests), several to a boot: `run-tests` runs them one after the other and says how each ended.

import Testing

@Suite("User-side tests", .enabled(if: BootFiles.areBooted))
struct UserSideTests {
  /// Programs that run in one boot, with what they find under /bin.
  struct Batch: CustomTestStringConvertible, Sendable {
    let name: String
    let programs: [String]
    var others: [String] = []
    var memory = "128M"
    var append = ""
    var processor: String? = measuredProcessor
    var testDescription: String { name }
  }

  static let batches = [
    Batch(
      name: "shared memory",
      programs: ["posixshm_test", "posixshm2008_test", "shared_memory_test", "shared_object_test", "mapping_test"]),
    Batch(
      name: "processes and descriptors",
      programs: ["process_test", "descriptor_test", "system_test", "start_state_test", "stale_bytes_test"],
      others: ["arguments", "descriptors"]),
    Batch(name: "hostile programs", programs: ["hostile_test", "bad_arguments_test"]),
    Batch(
      name: "hostile programs on a processor without SMEP and SMAP", programs: ["hostile_test", "system_test"],
      processor: nil),
    Batch(name: "taking without end", programs: ["exhaustion_test"], memory: "64M"),
    Batch(name: "swap", programs: ["swap_test"], memory: "64M", append: "swap=24M"),
    Batch(name: "taking without end, with swap", programs: ["exhaustion_test"], memory: "64M", append: "swap=16M"),
    Batch(name: "what calls and faults cost", programs: ["cost_test"]),
    Batch(name: "ten thousand rounds without a leak", programs: ["leak_test"]),
  ]

  @Test("Every case passes and nothing is left behind", arguments: batches)
  func batch(_ batch: Batch) throws {
    let result = try boot(
      program: "run-tests", arguments: batch.programs.joined(separator: " "), modules: batch.programs + batch.others,
      append: batch.append, memory: batch.memory, processor: batch.processor, timeLimit: 400)
    let failures = result.lines.indices.filter { result.lines[$0].hasPrefix("not ok") }
    for index in failures {
      // The line before a failed case says what failed.
      Issue.record("\(result.lines[max(0, index - 1)])\n\(result.lines[index])")
    }
    for program in batch.programs {
      #expect(result.lines.contains("ok program \(program)"), "\(program)")
      #expect(result.lines.contains { $0.hasPrefix("ok \(program).") }, "\(program) ran no case")
    }
    #expect(result.exit == .success, "\(failures.isEmpty ? result.description : result.report)")
    #expect(result.lines.contains("martlet: nothing leaked"))
  }
}
