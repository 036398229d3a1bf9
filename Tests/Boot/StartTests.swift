// Boot loaders, processors and memory sizes (issue 2, acceptance 3 and 8).

import Foundation
import Testing

@Suite("Starting the machine", .enabled(if: BootFiles.areBooted))
struct StartTests {
  @Test(arguments: [measuredProcessor, nil, "max,-apic", "max,-xsave"])
  func `The self-tests pass, in KTAP, on each processor model`(processor: String?) throws {
    let result = try boot(append: "selftest", processor: processor)
    #expect(result.exit == .success, "\(result)")
    #expect(result.lines.first == "KTAP version 1")
    let planned = result.lines.first { $0.hasPrefix("1..") }.flatMap { Int($0.dropFirst(3)) }
    #expect(planned == result.lines.count { $0.hasPrefix("ok ") })
    #expect(!result.lines.contains { $0.hasPrefix("not ok") })
  }

  @Test
  func `A pattern chooses among the self-tests`() throws {
    let result = try boot(append: "selftest=clock:")
    #expect(result.exit == .success)
    #expect(result.lines.contains("1..2"), "\(result)")
  }

  @Test
  func `Too little memory is said on the serial line`() throws {
    let result = try boot(memory: "16M")
    #expect(result.output.hasPrefix("martlet: too little memory"), "\(result)")
    #expect(result.exit == .panic)
  }

  @Test
  func `A processor without long mode is refused on the serial line`() throws {
    let result = try boot(processor: "max,-lm")
    #expect(result.output.hasPrefix("martlet: this processor has no long mode"), "\(result)")
    #expect(result.exit == .panic)
  }

  @Test
  func `A processor without the no-execute bit is refused on the serial line`() throws {
    let result = try boot(processor: "max,-nx")
    #expect(result.output.hasPrefix("martlet: this processor has no no-execute bit"), "\(result)")
    #expect(result.exit == .panic)
  }

  @Test(arguments: [128, 512, 2048])
  func `Process 1 starts within the budget of instructions, whatever the memory`(megabytes: Int) throws {
    let result = try boot(program: "arguments", memory: "\(megabytes)M")
    #expect(result.exit == .success, "\(result)")
    let instructions = try #require(result.number(after: "instructions from power-on to process 1: "))
    let furtherFrames = (megabytes - 128) * 256
    #expect(instructions <= 5_000_000 + 40 * furtherFrames)
  }

  @Test(arguments: [64, 128, 1024, 4096, 8192])
  func `hw.physmem is the whole available frames of the memory map, from 64M to 8G`(megabytes: Int) throws {
    let result = try boot(program: "control", arguments: "hw.physmem", memory: "\(megabytes)M")
    #expect(result.exit == .success, "\(result)")
    // QEMU's PC keeps the last KiB below 640 KiB, all up to 1 MiB, and the last 128 KiB of its lower memory.
    let frames = megabytes * 256 - 256 - 32 + 159
    #expect(result.lines.contains("hw.physmem: \(frames * 4096)"), "\(result)")
  }
}
