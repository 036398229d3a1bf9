// Programs outside of this repository: what `make sdk` installs, used from another folder (Documentation/Programs.md).

import Foundation
import Testing

@Suite("SDK", .enabled(if: BootFiles.areBooted))
final class SDKTests {
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sdk-\(UUID().uuidString)")

  init() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    _ = try runTool([BootFiles.package.appendingPathComponent("Programs/SDK/install").path, folder.path])
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func tool(_ name: String) -> String { folder.appendingPathComponent("bin/\(name)").path }
  private func file(_ name: String) -> String { folder.appendingPathComponent(name).path }

  /// Compiles a program, with martlet-cc or martlet-c++.
  private func compile(_ text: String, _ name: String, with compiler: String = "martlet-cc") throws {
    let source = file(name + (compiler == "martlet-cc" ? ".c" : ".cc"))
    try text.write(toFile: source, atomically: true, encoding: .utf8)
    _ = try runTool([tool(compiler), "-O1", "-g", "-Wall", "-Werror", "-o", file(name), source])
    #expect(FileManager.default.isExecutableFile(atPath: file(name)))
  }

  /// Runs a program; what it printed, and its exit status as a last line.
  private func run(_ words: String, input: String = "") throws -> String {
    try runTool(["sh", "-c", "cd / && \(tool("martlet-run")) \(words) 2>&1; echo \"status $?\""], input: input)
  }

  @Test
  func `a program in C is built and run from another folder`() throws {
    try compile(
      #"""
      #include <stdio.h>
      #include <stdlib.h>
      #include <string.h>
      #include <unistd.h>
      int main(int count, char **words) {
        char bytes[100];
        for (int index = 1; index < count; index++) printf("%s,", words[index]);
        printf("%s\r\n", getenv("NAME") ? getenv("NAME") : "nothing");
        for (ssize_t length; (length = read(0, bytes, sizeof bytes)) > 0;) write(1, bytes, (size_t)length);
        if (count == 1) *(volatile int *)0x10 = 1;
        return 7;
      }
      """#, "copy")
    #expect(
      try run("-e NAME=value \(file("copy")) one two", input: "in\u{10}put") == "one,two,value\r\nin\u{10}putstatus 7\n"
    )
    let died = try run(file("copy"))
    #expect(died.contains("copy) was killed by SIGSEGV: write to 0x10, where nothing is mapped at main+0x"), "\(died)")
    #expect(died.contains("(copy.c:10)"), "\(died)")
    #expect(died.hasSuffix("status 139\n"), "\(died)")
    #expect(try run("\(file("copy")) 'with space'").hasSuffix("status 125\n"))
    #expect(try run(file("absent")).hasSuffix("status 125\n"))
  }

  @Test
  func `a program in C++ is built, and its objects begin and end`() throws {
    try compile(
      #"""
      #include <stdint.h>
      #include <stdio.h>
      struct Shape {
        virtual ~Shape() { printf("shape ends\n"); }
        virtual int area() const = 0;
      };
      struct Square : Shape {
        int side;
        explicit Square(int given) : side(given) {}
        ~Square() override { printf("square ends\n"); }
        int area() const override { return side * side; }
      };
      struct alignas(64) Wide { char bytes[64]; };
      struct Counter {
        int count = 41;
        ~Counter() { printf("counter ends at %d\n", count); }
      };
      static Counter counter;
      static thread_local int number = 5;
      int main() {
        Shape *shape = new Square(7);
        Wide *wide = new Wide[3];
        printf("%d %d %d\n", shape->area(), ++counter.count, int(uintptr_t(wide) % 64) + number);
        delete[] wide;
        delete shape;
        return 0;
      }
      """#, "objects", with: "martlet-c++")
    let expected = "49 42 5\nsquare ends\nshape ends\ncounter ends at 42\nstatus 0\n"
    #expect(try run(file("objects")) == expected)
  }

  @Test
  func `a hundred files are taken along`() throws {
    let names = (0..<100).map { "file\($0)" }
    for name in names { try name.write(toFile: file(name), atomically: true, encoding: .utf8) }
    try compile(
      #"""
      #include <fcntl.h>
      #include <stdio.h>
      #include <unistd.h>
      int main(void) {
        int found = 0;
        for (int index = 0; index < 100; index++) {
          char name[32], bytes[32] = "";
          snprintf(name, sizeof name, "/bin/file%d", index);
          int descriptor = open(name, O_RDONLY);
          if (descriptor >= 0 && read(descriptor, bytes, sizeof bytes) > 4) found++;
          close(descriptor);
        }
        printf("%d\n", found);
        return 0;
      }
      """#, "count")
    let options = names.map { "-f \(file($0))" }.joined(separator: " ")
    #expect(try run("\(options) \(file("count"))") == "100\nstatus 0\n")
  }

  @Test
  func `a package in Swift is made, built and run`() throws {
    let built = try runTool([
      "sh", "-c",
      "cd \(folder.path) && \(tool("martlet-swift")) new words 2>&1 && cd words && \(tool("martlet-swift")) build 2>&1",
    ])
    #expect(!built.contains("warning:"), "\(built)")
    let words = file("words/words")
    try #require(FileManager.default.isExecutableFile(atPath: words), "\(built)")
    let expected = "a: 1\nb: 2\nprocess 1 saw 2 different words\nstatus 0\n"
    #expect(try run(words, input: "b a\n b") == expected)
    let refused = try runTool(["sh", "-c", "cd \(folder.path) && \(tool("martlet-swift")) new words 2>&1; echo $?"])
    #expect(refused == "martlet-swift: words is there already\n1\n")
  }

  @Test(.enabled(if: GdbTests.isThere, "there is no gdb: make setup installs it"))
  func `a program is stopped at its main under gdb, from another folder`() throws {
    try compile("int main(int count, char **words) { return words[0] ? count : 0; }\n", "plain")
    let words = "cd / && \(tool("martlet-gdb")) -g '-batch -ex bt' \(file("plain")) one two 2>&1"
    let output = try runTool(["sh", "-c", words])
    #expect(output.contains("main (count=3, words=0x"), "\(output)")
  }
}
