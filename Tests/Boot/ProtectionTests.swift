// The kernel's protections, each provoked on purpose through the option `panic-test` (issue 2, acceptance 5).

import Foundation
import Testing

@Suite("Protections of the booted kernel", .enabled(if: BootFiles.areBooted))
struct ProtectionTests {
  struct Failure: CustomTestStringConvertible, Sendable {
    let kind: String
    let message: String
    var testDescription: String { kind }
  }

  static let failures = [
    Failure(kind: "text-write", message: "page fault writing .* \\(not permitted\\) in the kernel"),
    Failure(kind: "constants-write", message: "page fault writing .* \\(not permitted\\) in the kernel"),
    Failure(kind: "data-execute", message: "page fault executing .* \\(not permitted\\) in the kernel"),
    Failure(kind: "direct-map-execute", message: "page fault executing .* \\(not permitted\\) in the kernel"),
    Failure(kind: "identity-map", message: "page fault writing .* \\(not mapped\\) in the kernel"),
    Failure(kind: "null-read", message: "page fault reading 0x0 \\(not mapped\\) in the kernel"),
    // QEMU 7.2 leaves the bit for a present page clear in such a fault.
    Failure(kind: "reserved-bit", message: "page fault reading .* \\(reserved bit set\\) in the kernel"),
    Failure(kind: "stack-overflow", message: "stack overflow: the kernel stack ran into its guard page"),
    Failure(kind: "trap", message: "invalid instruction"),
  ]

  @Test(arguments: failures)
  func `A forbidden access of the kernel ends in a panic that names it`(failure: Failure) throws {
    let result = try boot(append: "panic-test=\(failure.kind)")
    #expect(result.exit == .panic, "\(result)")
    let pattern = try Regex("martlet: panic: \(failure.message)")
    #expect(result.lines.contains { $0.contains(pattern) }, "\(result)")
  }

  @Test
  func `A deliberate panic is symbolised to function, file and line`() throws {
    let result = try boot(append: "panic-test")
    #expect(result.exit == .panic, "\(result)")
    #expect(result.lines.contains("martlet: panic: asked for by panic-test"))
    let frames = try runTool(
      [BootFiles.package.appendingPathComponent("Boot/Tools/symbolize").path, BootFiles.symbols], input: result.output)
    #expect(frames.contains(try Regex("PanicTest.*Kernel/Machine/PanicTest.swift:[1-9]")), "\(frames)")
    #expect(frames.contains(try Regex("startUp.*Kernel/Main/StartUp.swift:[1-9]")), "\(frames)")
  }

  @Test
  func `A quiet kernel still reports a panic`() throws {
    let result = try boot(append: "quiet panic-test")
    #expect(result.exit == .panic)
    #expect(result.lines.first == "martlet: panic: asked for by panic-test", "\(result)")
  }

  @Test
  func `The kernel's code has no vector or MMX operand`() throws {
    // XSAVE and FXSAVE name memory, so they do not show up here.
    let code = try runTool(["llvm-objdump", "-d", "--no-show-raw-insn", BootFiles.symbols])
    #expect(code.count > 100_000)
    let operand = try Regex("%[xyz]mm[0-9]|%mm[0-7]|%st\\b")
    #expect(code.split(separator: "\n").first { $0.contains(operand) } == nil)
  }

  @Test
  func `No set of options is an array on the heap`() throws {
    // A literal of several options is one where the optimiser does not see through it; faults must not allocate.
    let symbols = try runTool(["llvm-nm", BootFiles.symbols]).split(separator: "\n")
    #expect(symbols.contains { $0.contains("_ContiguousArrayStorageCy10Primitives10FrameRangeVGN") })
    let storage = try Regex("_ContiguousArrayStorageCy.*(Flags|Options|Protection|Seals|Mode|Request)VGN")
    #expect(symbols.first { $0.contains(storage) } == nil)
  }
}
