// How runs end, and what is refused before it starts (issue 2, acceptance 2; DESIGN, "Booted interface").

import Foundation
import Testing

@Suite("The end of process 1", .enabled(if: BootFiles.areBooted))
struct EndTests {
  @Test("An exit status is passed on")
  func exitStatus() throws {
    let result = try boot(program: "end", arguments: "exit 3")
    #expect(result.exit == .failure)
    #expect(result.report.contains("process 1 exited with status 3"), "\(result)")
    #expect(result.lines.contains("martlet: process 1 exited with status 3"))
  }

  @Test("A signal is passed on")
  func signal() throws {
    let result = try boot(program: "end", arguments: "signal 9")
    #expect(result.exit == .failure)
    #expect(result.report.contains("process 1 was killed by signal 9"), "\(result)")
  }

  @Test("reboot(2) counts as status 0", arguments: ["poweroff", "halt"])
  func reboot(how: String) throws {
    let result = try boot(program: "end", arguments: how)
    #expect(result.exit == .success, "\(result)")
    #expect(result.report.contains("process 1 exited with status 0"))
  }

  @Test("Children, names and mappings that process 1 leaves behind are taken down")
  func orphans() throws {
    let result = try boot(program: "end", arguments: "orphans")
    #expect(result.exit == .success, "\(result)")
    #expect(result.lines.contains("martlet: nothing leaked"), "\(result)")
  }

  @Test("A quiet kernel shows the program's bytes only")
  func quiet() throws {
    let result = try boot(program: "arguments", arguments: "one two", append: "quiet")
    #expect(result.output == "argument 0: /bin/arguments\r\nargument 1: one\r\nargument 2: two\r\n", "\(result)")
    #expect(result.report.contains("process 1 exited with status 0"))
  }

  @Test("init= chooses process 1 among the modules")
  func chosenProgram() throws {
    let result = try boot(program: "end", arguments: "exit 9", modules: ["arguments x"], append: "init=/bin/arguments")
    #expect(result.exit == .success, "\(result)")
    #expect(result.lines.contains("argument 1: x"), "\(result)")
    let missing = try boot(program: "end", append: "init=/bin/nobody")
    #expect(missing.exit == .failure)
    #expect(missing.lines.contains("martlet: process 1 cannot be started: no such file (ENOENT)"), "\(missing)")
  }

  /// The files of build/programs/bad; empty while nothing is built.
  static var badFiles: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: BootFiles.program("bad")).filter { $0 != ".made" }.sorted())
      ?? []
  }

  @Test("What is no executable for this machine is refused with a reason", arguments: badFiles)
  func refused(file: String) throws {
    let result = try boot(program: "bad/\(file)")
    #expect(result.exit == .failure, "\(result)")
    #expect(result.lines.contains { $0.hasPrefix("martlet: process 1 cannot be started: ") }, "\(result)")
  }

  @Test("Without the debug device the machine powers off")
  func powerOff() throws {
    let result = try boot(program: "arguments", hasDebugExit: false, timeLimit: 60)
    #expect(result.exit == .other(0), "\(result)")
  }

  @Test("Input reaches the program as it is typed")
  func input() throws {
    let result = try boot(program: "echo", append: "quiet", input: "hello\nmachine\nexit\n")
    #expect(result.exit == .success, "\(result)")
    #expect(result.output == "hello\r\nmachine\r\nexit\r\n", "\(result)")
  }
}
