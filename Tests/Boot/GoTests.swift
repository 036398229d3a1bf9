// Unmodified programs of Go, as its own compiler makes them for FreeBSD (issue: signals and threads). They are built where there
// is a Go compiler (Tests/Tools/go-programs), and left out elsewhere.

import Foundation
import Testing

enum GoPrograms {
  static let areBuilt = FileManager.default.fileExists(atPath: BootFiles.program("go/hello"))
}

@Suite("Programs of Go", .enabled(if: BootFiles.areBooted && GoPrograms.areBuilt))
struct GoTests {
  @Test(arguments: [
    ("hello", "hello from Go"),
    ("goroutines", "goroutines: 10000 sum 99990000"),
    ("collector", "collector: allocated 200 MB"),
    ("timers", "timers: in order"),
    ("signals", "signals: heard and recovered"),
    ("passing", "passing: a descriptor came through a socket"),
    ("shared_memory", "shared memory: seen through both mappings"),
  ])
  func `A program runs and says that all is well`(program: String, line: String) throws {
    let result = try boot(program: "go/\(program)", append: "quiet")
    #expect(result.exit == .success, "\(result)")
    #expect(result.programLines == [line], "\(result)")
  }

  @Test
  func `A program runs itself and another module through os-exec, feeds it and reads what it says`() throws {
    let result = try boot(
      program: "go/commands", arguments: "/bin/arguments", modules: ["arguments"], append: "quiet")
    #expect(result.exit == .success, "\(result)")
    #expect(result.programLines == ["commands: run, fed and heard"], "\(result)")
  }

  @Test
  func `A panic prints its traceback and ends the program with status 2`() throws {
    let result = try boot(program: "go/traceback")
    #expect(result.exit == .failure, "\(result)")
    #expect(
      result.lines.contains("panic: runtime error: index out of range [7] with length 3"), "\(result)")
    #expect(result.lines.contains { $0.hasPrefix("main.inner(") }, "\(result)")
    #expect(result.lines.contains("martlet: process 1 exited with status 2"), "\(result)")
  }
}
