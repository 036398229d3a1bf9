// `make gdb`: what gdb shows of a program and of the kernel's data (Documentation/Diagnosis.md, "gdb").

import Foundation
import Testing

@Suite("gdb", .enabled(if: BootFiles.areBooted))
struct GdbTests {
  static let isThere = ["/usr/bin/gdb", "/usr/local/bin/gdb"].contains {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  /// Builds the demonstration without optimisation, runs commands of gdb on it, and gives the lines with addresses and numbers
  /// of pages left out.
  private func session(_ commands: [String]) throws -> [String] {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("gdb-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let program = folder.appendingPathComponent("waiting").path
    let script = folder.appendingPathComponent("commands")
    let build = """
      cd \(BootFiles.package.path) && clang --target=x86_64-unknown-freebsd -std=c11 -ffreestanding -fno-pic \
      -fno-stack-protector -O0 -g -IPrograms/C/include -nostdlib -static -fuse-ld=lld -Wl,--gc-sections \
      Programs/Demonstration/waiting.c build/programs/objects/library/*.o -o \(program)
      """
    _ = try runTool(["sh", "-c", build])
    try commands.joined(separator: "\n").write(to: script, atomically: true, encoding: .utf8)
    let tool = BootFiles.package.appendingPathComponent("Boot/Tools/gdb").path
    let output = try runTool([
      "sh", "-c", "PROGRAM=\(program) APPEND=quiet GDB='-batch -x \(script.path)' timeout 120 \(tool) 2>&1",
    ])
    return output.replacingOccurrences(of: "\r", with: "")
      .replacingOccurrences(of: "0x[0-9a-f]+", with: "0x…", options: .regularExpression)
      .replacingOccurrences(of: "[0-9]+ (pages?|here)", with: "N $1", options: .regularExpression)
      .split(separator: "\n").map(String.init)
  }

  @Test(.enabled(if: isThere, "there is no gdb: make setup installs it"))
  func `shows a program that waits, and what the kernel knows of it`() throws {
    let lines = try session([
      "thbreak waiting.c:add", "continue", "info args", "finish", "martlet processes", "martlet threads",
      "martlet why 100002", "martlet map 2", "martlet channels", "martlet frames", "martlet why 7",
    ])
    #expect(!lines.contains { $0.contains("During symbol reading") || $0.contains("warning") }, "\(lines)")
    let wanted = [
      "left = 40", "right = 2", "Value returned is $1 = 42",
      "THREAD  PID  DOES",
      "100001  1    runs",
      "100002  1    waits for the word at 0x…, in _umtx_op",
      "100003  2    waits for a pipe (place 1), in read",
      "thread 100002 of process 1 (waiting) waits for the word at 0x…, in _umtx_op",
      "its call: _umtx_op(0x…, 0x…, 0x…, 0x…, 0x…, 0x…)",
      "0x…-0x… r-x private copied before the next store",
      "  shows anonymous 0x… (N pages, N here, 0 in swap, 1 references)",
      "    behind it anonymous 0x… (N pages, N here, 0 in swap, 2 references)",
      "0x…-0x… --- private stackGap",
      "100002   the word at 0x…",
      "100003   a pipe (place 1)",
    ]
    for line in wanted { #expect(lines.contains(line), "\(line) is not in \(lines)") }
    #expect(lines.contains { $0.hasPrefix("Temporary breakpoint 1, main () at ") }, "\(lines)")
    #expect(lines.contains { $0.hasPrefix("1    -       running  2        ") && $0.hasSuffix("  waiting") }, "\(lines)")
    #expect(lines.contains { $0.hasPrefix("2    1       running  1        ") && $0.hasSuffix("  waiting") }, "\(lines)")
    #expect(lines.contains { $0.contains("there is no thread 7") }, "\(lines)")
    // Every frame of the machine's 256 MiB is counted once.
    let frames = lines.drop { $0 != "FRAMES  USED FOR" }.dropFirst().prefix { $0.first?.isNumber == true }
    let sum = frames.filter { !$0.contains("in the queue") }.compactMap { Int($0.prefix { $0.isNumber }) }.reduce(0, +)
    #expect((65_000...65_536).contains(sum), "\(frames)")
  }
}
