// `make run` by its tool: further files, and programs that say which they need (README, "Run your own program").

import Foundation
import Testing

@Suite("make run", .enabled(if: BootFiles.areBooted))
struct RunToolTests {
  private let tool = BootFiles.package.appendingPathComponent("Boot/Tools/run").path

  private func run(_ program: String, _ variables: String...) throws -> [Substring] {
    let words = ["PROGRAM=\(BootFiles.program(program))", "APPEND=quiet"] + variables + [tool]
    return try runTool(words).replacingOccurrences(of: "\r", with: "").split(separator: "\n")
  }

  @Test
  func `WITH takes further files along, under names that are safe`() throws {
    let odd = FileManager.default.temporaryDirectory.appendingPathComponent("odd,name-\(UUID().uuidString)").path
    try FileManager.default.copyItem(atPath: BootFiles.program("arguments"), toPath: odd)
    defer { try? FileManager.default.removeItem(atPath: odd) }
    let name = URL(fileURLWithPath: odd).lastPathComponent.replacingOccurrences(of: ",", with: "_")
    let output = try run(
      "run-tests", "ARGS=end:exit:0 \(name):status:0", "WITH=\(BootFiles.program("end")) \(odd)")
    #expect(output.contains("ok program end"), "\(output)")
    #expect(output.contains("ok program \(name)"), "\(output)")
    #expect(output.last == "process 1 exited with status 0", "\(output)")
  }

  @Test
  func `A program that needs further files says so, and how to give them`() throws {
    let process = try run("process_test", "ARGS=only=execve_closes_what_is_marked")
    let words = "make run PROGRAM=build/programs/process_test WITH=\"build/programs/descriptors …\""
    #expect(process.contains { $0.contains("/bin/descriptors is not there: \(words)") }, "\(process)")
    let refused = try run("execve_test")
    #expect(refused.contains { $0.contains("ARGS=\"text elf32\" WITH=\"build/programs/bad/text") }, "\(refused)")
    let given = try run(
      "process_test", "ARGS=only=execve_closes_what_is_marked", "WITH=\(BootFiles.program("descriptors"))")
    #expect(given.last == "process 1 exited with status 0", "\(given)")
  }
}
