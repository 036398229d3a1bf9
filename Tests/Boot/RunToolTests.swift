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
  func `a death is told with what was wrong and where in the source`() throws {
    let source = FileManager.default.temporaryDirectory.appendingPathComponent("broken-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: source, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: source) }
    let text = """
      static void __attribute__((noinline)) store(volatile int *place) { *place = 3; }
      void _start(void) {
        store((int *)0x10);
        for (;;) {}
      }

      """
    try text.write(to: source.appendingPathComponent("broken.c"), atomically: true, encoding: .utf8)
    let program = source.appendingPathComponent("broken").path
    _ = try runTool([
      "clang", "--target=x86_64-unknown-freebsd", "-g", "-O1", "-ffreestanding", "-fno-omit-frame-pointer",
      "-nostdlib", "-static", "-fuse-ld=lld", "-o", program, source.appendingPathComponent("broken.c").path,
    ])
    let output = try runTool(["PROGRAM=\(program)", "APPEND=quiet", tool]).split(separator: "\n")
    #expect(output.count == 2, "\(output)")
    let death = output.first ?? ""
    let what = "was killed by SIGSEGV: write to 0x10, where nothing is mapped at store+0x"
    #expect(death.hasPrefix("process 1 (broken) " + what), "\(death)")
    #expect(death.hasSuffix(" (broken.c:1)"), "\(death)")
    #expect(output.last == "process 1 was killed by signal 11")
  }

  @Test
  func `input from a pipe or a file comes to its end`() throws {
    let words = ["PROGRAM=\(BootFiles.program("echo"))", "APPEND=quiet", tool]
    for input in ["", "one\ntwo", "\u{10}\u{4}\u{10}\u{10}|\u{0}\n"] {
      let output = try runTool(words, input: input).replacingOccurrences(of: "\r", with: "")
      #expect(output == input + "process 1 exited with status 0\n", "\(output.debugDescription)")
    }
  }

  @Test
  func `who keeps the input open does not hold up the end`() throws {
    let words =
      "mkfifo $0 && exec 9<>$0 && PROGRAM=\(BootFiles.program("end")) APPEND=quiet timeout 60 \(tool) <&9; echo $?"
    let fifo = FileManager.default.temporaryDirectory.appendingPathComponent("open-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: fifo) }
    #expect(try runTool(["bash", "-c", words, fifo]) == "process 1 exited with status 0\n0\n")
  }

  @Test
  func `a file that cannot be started is refused with the reason`() throws {
    var linux = try Data(contentsOf: URL(fileURLWithPath: BootFiles.program("end")))
    linux[7] = 3
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("refused-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try linux.write(to: folder.appendingPathComponent("linux"))
    try Data("#!/bin/sh\n".utf8).write(to: folder.appendingPathComponent("script"))
    for (name, reason) in [("linux", "for Linux, and not for FreeBSD"), ("script", "no ELF file")] {
      let program = folder.appendingPathComponent(name).path
      let output = try runTool(["sh", "-c", "PROGRAM=\(program) APPEND=quiet \(tool) 2>&1"])
      #expect(output.contains("make run: \(program) is \(reason)"), "\(output)")
    }
  }

  @Test
  func `TRACE shows every call beside what the program prints`() throws {
    let output = try run("end", "TRACE=1", "ARGS=exit:0")
    #expect(!output.contains { $0.hasPrefix("1: ") }, "\(output)")
    let both = try runTool([
      "sh", "-c", "PROGRAM=\(BootFiles.program("arguments")) ARGS=one TRACE=1 APPEND=quiet \(tool) 2>&1",
    ])
    let lines = both.replacingOccurrences(of: "\r", with: "").split(separator: "\n")
    #expect(lines.contains { $0.hasPrefix("1: write(1, \"") }, "\(lines)")
    #expect(lines.contains("1: exit(0)"), "\(lines)")
    #expect(lines.last == "process 1 exited with status 0", "\(lines)")
  }

  @Test
  func `A directory in WITH takes all its files along`() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("files-\(UUID().uuidString)")
    let empty = directory.appendingPathComponent("directory")
    try FileManager.default.createDirectory(at: empty, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    for (program, name) in [("end", "end"), ("arguments", "with space"), ("arguments", "second")] {
      try FileManager.default.copyItem(
        atPath: BootFiles.program(program), toPath: directory.appendingPathComponent(name).path)
    }
    let output = try run(
      "run-tests", "ARGS=end:exit:0 with_space:status:0 second:a pages",
      "WITH=\(directory.path) \(BootFiles.program("pages"))")
    for name in ["end", "with_space", "second", "pages"] { #expect(output.contains("ok program \(name)"), "\(output)") }
    #expect(output.last == "process 1 exited with status 0", "\(output)")
    // Nothing is booted without what was asked for.
    #expect(try run("end", "WITH=\(empty.path)").isEmpty)
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
