// How a run ends, seen from outside: the debug console's report, power-off, and the GRUB image (issue 2, acceptance 3;
// DESIGN, "Booted interface").

import Foundation
import Testing

@Suite("The end of a run", .enabled(if: BootFiles.areBooted))
struct EndTests {
  @Test
  func `The host is told how process 1 ended even when the console is quiet`() throws {
    let exited = try boot(program: "end", arguments: "exit 3", append: "quiet")
    #expect(exited.report == "process 1 exited with status 3\n", "\(exited)")
    let killed = try boot(program: "end", arguments: "signal 9", append: "quiet")
    #expect(killed.report == "process 1 was killed by signal 9\n", "\(killed)")
  }

  @Test(arguments: ["frames:return", "frame:x", "frame"])
  func `A fail point that does not exist, or a wrong setting, is said`(setting: String) throws {
    let result = try boot(program: "end", arguments: "exit 0", append: "fail=\(setting)")
    #expect(result.exit == .failure, "\(result)")
    #expect(result.lines.contains { $0.contains("names no fail point, or its setting is wrong") }, "\(result)")
  }

  @Test(arguments: ["frame", "page_frame"])
  func `Fail points that refuse every fault for ever end the machine`(point: String) throws {
    let result = try boot(program: "end", arguments: "exit 0", append: "fail=\(point):return", timeLimit: 60)
    #expect(result.exit == .failure, "\(result)")
    #expect(result.lines.contains("martlet: process 1 ended: fail points let nobody get on"), "\(result)")
    #expect(result.lines.contains("martlet: nothing leaked"), "\(result)")
  }

  @Test
  func `A fail point prints, and panics, when it is told to`() throws {
    let printing = try boot(program: "end", arguments: "exit 0", append: "fail=page_frame:1*print")
    #expect(printing.exit == .success, "\(printing)")
    #expect(printing.lines.count { $0 == "martlet: fail point page_frame executing" } == 1, "\(printing)")
    let panicking = try boot(program: "end", arguments: "exit 0", append: "quiet fail=page_frame:panic")
    #expect(panicking.exit == .panic)
    #expect(panicking.lines.first == "martlet: fail point page_frame panicking", "\(panicking)")
  }

  @Test
  func `The profile of a run counts what the kernel did for the program, and nothing before it`() throws {
    let tool = BootFiles.package.appendingPathComponent("Boot/Tools/profile").path
    let program = BootFiles.program("end")
    let output = try runTool(["PROGRAM=\(program)", "ARGS=exit 0", "APPEND=quiet", "LINES_SHOWN=10000", tool])
    let lines = output.split(separator: "\n")
    let start = try #require(lines.firstIndex { $0.contains(" instructions of the kernel in ") }, "\(output)")
    let counts = lines[(start + 1)...].map { Int($0.prefix { $0 != " " }) ?? 0 }
    #expect(counts.reduce(0, +) == Int(lines[start].prefix { $0 != " " }), "\(output)")
    #expect(lines[start...].contains { $0.contains(" system_call_entry") }, "\(output)")
    #expect(!lines.contains { $0.contains("ClockCalibration") }, "\(output)")
  }

  @Test
  func `Without the debug device the machine powers off`() throws {
    let result = try boot(program: "arguments", hasDebugExit: false, timeLimit: 60)
    #expect(result.exit == .other(0), "\(result)")
  }

  @Test
  func `The GRUB image comes to the same result as the kernel started directly`() throws {
    let byKernel = try boot(program: "demonstration", append: "selftest")
    let byImage = try boot(image: BootFiles.image)
    #expect(byImage.exit == .success, "\(byImage)")
    #expect(byImage.programLines == byKernel.programLines, "\(byImage)")
    #expect(byImage.lines.contains("martlet: nothing leaked"), "\(byImage)")
  }

  @Test
  func `Input that arrives before anyone listens is not lost`() throws {
    let text = (1...1000).map { "\($0)\n" }.joined() + "exit\n"
    let result = try boot(program: "echo", append: "quiet", input: text)
    #expect(result.exit == .success, "\(result)")
    #expect(result.output.replacingOccurrences(of: "\r\n", with: "\n") == text, "\(result)")
  }
}
