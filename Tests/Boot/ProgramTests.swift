// Programs as process 1: how they start, how they end, and what is refused (issue 2, acceptance 1, 2 and 3).

import Foundation
import Testing

@Suite("Programs as process 1", .enabled(if: BootFiles.areBooted))
struct ProgramTests {
  @Test(arguments: ["demonstration", "demonstration-c"])
  func `The demonstration shares memory from shm_open to exit`(program: String) throws {
    let result = try boot(program: program)
    #expect(result.exit == .success, "\(result)")
    #expect(result.programLines.count == 5, "\(result)")
    #expect(result.programLines.first?.contains("is descriptor 3, 8192 bytes, mode 0600") == true, "\(result)")
    #expect(result.programLines.last == "parent 1: unlinked, unmapped and closed", "\(result)")
    #expect(result.lines.contains("martlet: nothing leaked"), "\(result)")
  }

  @Test
  func `Free pages show demand paging and copy-on-write to the page`() throws {
    let result = try boot(program: "pages", append: "quiet")
    let counts = result.programLines.compactMap { line in
      line.split(separator: ":").last.map { words in
        words.split(separator: " ").first.flatMap { Int($0) } ?? -1
      }
    }
    try #require(counts.count == 7, "\(result)")
    // Page tables and the child's own stack and tables come on top.
    #expect(counts[0] == 0 && (1000...1008).contains(counts[1]) && counts[2] == 1, "\(result)")
    #expect(counts[3] < 20 && (100...104).contains(counts[4]), "\(result)")
    #expect(counts[5] >= counts[4] && counts[6] >= 1000, "\(result)")
    #expect(result.exit == .success, "\(result)")
  }

  @Test
  func `A quiet kernel leaves only the program's bytes, with a carriage return before each line feed`() throws {
    let result = try boot(program: "arguments", arguments: "one two", append: "quiet")
    #expect(result.exit == .success)
    #expect(
      result.output.hasPrefix("argument 0: /bin/arguments\r\nargument 1: one\r\nargument 2: two\r\n"), "\(result)")
    #expect(result.programLines == result.lines.filter { !$0.isEmpty })
  }

  @Test
  func `Arguments are split at spaces and quotes are ordinary`() throws {
    let result = try boot(program: "arguments", arguments: "\"a b\" c=d,e  f")
    #expect(
      result.programLines == [
        "argument 0: /bin/arguments", "argument 1: \"a", "argument 2: b\"", "argument 3: c=d,e", "argument 4: f",
      ], "\(result)")
  }

  @Test
  func `An exit status other than 0 is told and fails the run`() throws {
    let result = try boot(program: "end", arguments: "exit 3")
    #expect(result.exit == .failure)
    #expect(result.lines.contains("martlet: process 1 exited with status 3"), "\(result)")
  }

  @Test(arguments: [6, 9, 11, 15])
  func `A signal that ends process 1 is told and fails the run`(number: Int) throws {
    let result = try boot(program: "end", arguments: "signal \(number)")
    #expect(result.exit == .failure)
    #expect(
      result.lines.contains { $0.hasPrefix("martlet: process 1") && $0.hasSuffix("signal \(number)") }, "\(result)")
  }

  @Test(arguments: ["poweroff", "halt"])
  func `reboot(2) with RB_POWEROFF or RB_HALT counts as status 0`(how: String) throws {
    let result = try boot(program: "end", arguments: how)
    #expect(result.exit == .success, "\(result)")
  }

  @Test
  func `What process 1 leaves behind is cleared away and nothing leaks`() throws {
    let result = try boot(program: "end", arguments: "orphans")
    #expect(result.exit == .success, "\(result)")
    #expect(result.lines.contains("martlet: nothing leaked"), "\(result)")
  }

  @Test
  func `init= names another module as process 1`() throws {
    let chosen = try boot(program: "end", modules: ["arguments"], append: "init=/bin/arguments")
    #expect(chosen.exit == .success)
    #expect(chosen.programLines.first?.hasPrefix("argument 0: /bin/arguments") == true, "\(chosen)")
    let missing = try boot(program: "end", append: "init=/bin/nothing")
    #expect(missing.exit == .failure)
    #expect(missing.lines.contains { $0.contains("cannot be started") }, "\(missing)")
  }

  @Test
  func `The console gives a program what is typed`() throws {
    let result = try boot(program: "echo", append: "quiet", input: "hello\nexit\n")
    #expect(result.exit == .success, "\(result)")
    #expect(result.programLines == ["hello", "exit"], "\(result)")
  }

  static let refused = [
    "text", "empty", "magic-only", "elf32", "truncated-header", "truncated-program-headers", "truncated-segment",
    "kernel-address", "first-kernel-address", "upper-half", "page-zero", "huge-memory-size", "wrapping-address",
    "file-larger-than-memory", "huge-file-offset", "wrong-machine", "big-endian", "object-file", "many-program-headers",
    "entry-in-kernel",
  ]

  @Test(arguments: ["text", "elf32", "truncated-segment", "kernel-address", "upper-half", "wrapping-address"])
  func `A file that cannot be run is refused with a clear message`(file: String) throws {
    let result = try boot(program: "bad/\(file)")
    #expect(result.exit == .failure)
    #expect(result.lines.contains { $0.hasPrefix("martlet: process 1 cannot be started: not a static") }, "\(result)")
  }

  @Test
  func `execve refuses the same files and leaves its caller alone`() throws {
    let result = try boot(
      program: "execve_test", arguments: ProgramTests.refused.joined(separator: " "),
      modules: ProgramTests.refused.map { "bad/\($0)" })
    #expect(result.exit == .success, "\(result)")
  }

  /// The script that builds the benchmark, which is no part of the package.
  static let benchmarkScript = BootFiles.package.appendingPathComponent("../shared/bench/build").standardized.path

  @Test(.enabled(if: FileManager.default.fileExists(atPath: benchmarkScript)))
  func `The benchmark runs to its end unmodified`() throws {
    let program = BootFiles.program("bench")
    _ = try runTool([ProgramTests.benchmarkScript, "freebsd", program])
    let result = try boot(program: "bench", append: "quiet", memory: "512M")
    #expect(result.lines.contains("BENCH-DONE"), "\(result)")
    #expect(result.exit == .success, "\(result)")
  }
}
