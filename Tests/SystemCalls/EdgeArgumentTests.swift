// Calls with arguments from the edges of what there is: lengths, offsets, counts and addresses near 0, 2^31, 2^32, 2^46,
// 2^63 and 2^64. Nothing is said about what they give but that enough are made and enough succeed; and nothing may trap,
// take more of the heap than is declared, or be left behind.
//
// EDGE_SEEDS=N runs so many seeds instead of a few.

import ABI
import Foundation
import Simulation
import Testing

@testable import SystemCalls

@Suite struct EdgeArgumentTests {
  private let data = TestKernel.data
  /// Where most mappings go, so that they meet.
  private let window: UInt64 = 0x7000_0000
  private let seedCount = ProcessInfo.processInfo.environment["EDGE_SEEDS"].flatMap { Int($0) } ?? 10

  /// What a seed must come to in the mean of a block, half of what it does: calls that are never made harm nobody.
  private let leastPerformed = 250
  private let leastSucceeded = 60

  private var values: [UInt64] {
    var result: [UInt64] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 16, 63, 64, 100, 4095, 4096, 4097, 8192, 65536]
    for shift in [31, 32, 45, 46, 47, 62, 63] as [UInt64] {
      let power: UInt64 = 1 << shift
      result += [power - 4096, power - 1, power, power + 1, power + 4096]
    }
    for distance in [1, 2, 8, 100, 4096, 4097] as [UInt64] { result.append(0 &- distance) }
    for offset in [0, 8, 0x100, 0x200, 0xFF8, 0xFFFC] as [UInt64] { result.append(data + offset) }
    // Flags of mmap, shm_open and ioctl that make sense.
    result += [0x11, 0x12, 0x402, 0x1001, 0x1002, 0x1011, 0x1012, 0x2000, 0x5012, 0x8_1002, 0x0C00_1002, 0x3F00_1002]
    result += [0x202, 0x602, 0xA02, 0x7_0007, 0x3_0003]
    result += [0x2000_6601, 0x8004_667E, 0x402C_7413, 0x5FFF_0001, 0x9FFF_0001]
    return result
  }

  /// Memory, files and sizes are drawn more often than the rest.
  private static let favourites: [SystemCallNumber] = [
    .mmap, .mmap, .mmap, .munmap, .mprotect, .mprotect, .break, .read, .write, .pread, .pwrite, .ftruncate, .lseek,
    .shmOpen2, .shmOpen,
  ]

  /// Arguments of one call: at random, but often enough such that the call does something.
  private func arguments(_ number: Int, _ values: [UInt64], _ random: inout SeededGenerator) -> [UInt64] {
    var arguments = (0..<6).map { _ in random.pick(values) ?? 0 }
    let call = SystemCallNumber(rawValue: UInt32(number))
    if call == .mmap {
      if random.chance(oneIn: 2) { arguments[2] = UInt64(random.number(below: 8)) }
      let flags: [UInt64] = [0x1002, 0x1001, 0x1012, 1, 2, 0x11, 0x12, 0x2010]
      if random.chance(oneIn: 2) { arguments[3] = random.pick(flags) ?? 1 }
      if random.chance(oneIn: 2) { arguments[4] = UInt64(random.number(in: 3...5)) }
      if arguments[3] & 0x3000 != 0 { arguments[4...5] = [UInt64.max, 0] }
    }
    if call == .mmap || call == .munmap || call == .mprotect, arguments[0] < 1 << 30, !random.chance(oneIn: 6) {
      arguments[0] += window
    }
    return arguments
  }

  /// What became of the calls.
  private struct Tally {
    var performed = 0
    /// Those that came back at once, to the process that made them, with no error.
    var succeeded = 0
  }

  /// Process 1 makes children, and they make the calls.
  private func run(_ kernel: TestKernel, _ numbers: [Int], _ random: inout SeededGenerator, _ tally: inout Tally) {
    let values = values
    for _ in 0..<700 where kernel.report == nil {
      for _ in 0..<30 where kernel.context == nil && kernel.report == nil {
        kernel.type([65])
        kernel.sleepUntilDeadline()
        _ = kernel.hardware.deliverTransfers()
      }
      guard kernel.context != nil else { return }
      if kernel.identifier == 1 {
        kernel.call(.wait4, UInt64.max, 0, 1, 0)
        if random.chance(oneIn: 3) { kernel.call(.fork) }
        if kernel.context != nil { kernel.call(.schedYield) }
        continue
      }
      let isFavourite = random.chance(oneIn: 3)
      let number = isFavourite ? Int(random.pick(Self.favourites)?.rawValue ?? 0) : random.pick(numbers) ?? 0
      let caller = kernel.context
      let result = kernel.perform(UInt64(number), arguments(number, values, &random))
      tally.performed += 1
      if result?.failed == false && kernel.context == caller { tally.succeeded += 1 }
      if random.chance(oneIn: 6), kernel.context != nil, kernel.identifier != 1 {
        kernel.store([1], at: window + UInt64(random.number(below: 20)) * 4096)
      }
      if random.chance(oneIn: 20), kernel.context != nil { kernel.tick() }
    }
  }

  @Test(arguments: 0..<4) func `arguments from the edges harm nobody`(block: Int) throws {
    var tally = Tally()
    for seed in 0..<seedCount {
      var random = SeededGenerator(seed: UInt64(block * 1_000_000 + seed))
      let kernel = try TestKernel(frames: 1024, swapBlocks: seed % 3 == 0 ? 0 : 256, signosys: false)
      _ = kernel.string("/o", at: data + 0x100)
      _ = kernel.string("/bin/prog", at: data + 0x200)
      #expect(kernel.call(.shmOpen2, data + 0x100, .createReadWrite, 0o666, 3, 0)?.integer == 3)
      #expect(kernel.call(.shmOpen, data + 0x100, 2, 0)?.integer == 4)
      #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.integer == 5)
      // All calls that exist but reboot(2), which ends everything.
      let numbers = (0..<SystemCallTable.count).filter {
        kernel.kernel.table.exists($0) && $0 != Int(SystemCallNumber.reboot.rawValue)
      }
      run(kernel, numbers, &random, &tally)
    }
    #expect(tally.performed >= seedCount * leastPerformed)
    #expect(tally.succeeded >= seedCount * leastSucceeded)
  }
}
