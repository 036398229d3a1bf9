// Tests that run inside the booted kernel, before process 1, and report in KTAP version 1.
//
// A test is a function that returns the line of the first expectation that did not hold, or nil. It leaves nothing behind.

internal import Machine
public import Memory

/// One test.
struct SelfTest {
  let name: StaticString
  let body: (MemorySystem) -> UInt32?
}

/// Runs the tests whose names contain a pattern.
public struct SelfTestRunner {
  private let memory: MemorySystem
  private let pattern: [UInt8]

  /// Prepares to run; an empty pattern chooses every test.
  public init(_ memory: MemorySystem, pattern: [UInt8]) {
    self.memory = memory
    self.pattern = pattern
  }

  private static var all: [SelfTest] {
    runtimeTests + pageTableTests + clockTests
  }

  /// Runs the tests and reports them. Returns whether all passed.
  public func run() -> Bool {
    var chosen: [SelfTest] = []
    for test in SelfTestRunner.all where text(test.name, contains: pattern) { chosen.append(test) }
    writeLine("KTAP version 1")
    writeLine("1..", UInt64(chosen.count), "")
    var failureCount: UInt64 = 0
    var number: UInt64 = 0
    for test in chosen {
      number += 1
      let failedLine = test.body(memory)
      if let failedLine {
        failureCount += 1
        writeLine("# an expectation failed at line ", UInt64(failedLine), "")
      }
      writeLine(failedLine == nil ? "ok " : "not ok ", number, " ", test.name)
    }
    writeLine("# failed: ", failureCount, "")
    return failureCount == 0
  }

  private func writeLine(_ text: StaticString) {
    MachineConsole.writeTestLine(text, nil, "", "")
  }

  private func writeLine(_ text: StaticString, _ value: UInt64, _ after: StaticString, _ name: StaticString = "") {
    MachineConsole.writeTestLine(text, value, after, name)
  }
}

/// Whether a text has the bytes of a pattern anywhere.
private func text(_ text: StaticString, contains pattern: [UInt8]) -> Bool {
  let length = text.utf8CodeUnitCount
  guard pattern.count <= length else { return false }
  for start in 0...(length - pattern.count) {
    var matches = true
    for index in 0..<pattern.count {
      // SAFETY: start + index is below the text's length.
      if unsafe text.utf8Start[start + index] != pattern[index] { matches = false }
    }
    if matches { return true }
  }
  return false
}

/// Nil when the condition holds, else the line of the call.
func expect(_ condition: Bool, line: UInt32 = #line) -> UInt32? {
  condition ? nil : line
}
