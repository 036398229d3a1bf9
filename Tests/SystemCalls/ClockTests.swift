// Sleeping by a clock, and setting it: clock_nanosleep(2), clock_settime(2), settimeofday(2); what one thread used (spec signals.md
// section 4).

import ABI
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct ClockTests {
  private let data = TestKernel.data
  private let place = TestKernel.data + 0x100
  private let second: UInt64 = 1_000_000_000
  private let isAbsolute: UInt64 = 1

  private func time(_ kernel: TestKernel, _ seconds: Int64, _ rest: Int64 = 0) -> UInt64 {
    kernel.storeWord(UInt64(bitPattern: seconds), at: data)
    kernel.storeWord(UInt64(bitPattern: rest), at: data + 8)
    return data
  }

  private func clock(_ kernel: TestKernel, _ clock: UInt64) -> UInt64 {
    #expect(kernel.call(.clockGettime, clock, place)?.integer == 0)
    return kernel.loadWord(place) * second + kernel.loadWord(place + 8)
  }

  @Test func `an error of clock_nanosleep is its value`() throws {
    let kernel = try TestKernel()
    func sleep(_ clock: UInt64, _ flags: UInt64, _ time: UInt64) -> UInt64? {
      let result = kernel.call(.clockNanosleep, clock, flags, time, 0)
      #expect(result?.failed == false)
      return result?.value
    }
    #expect(sleep(99, 7, 8) == 14)
    for nanoseconds in [-1, 1_000_000_000] as [Int64] { #expect(sleep(1, 7, time(kernel, 1, nanoseconds)) == 22) }
    #expect(sleep(1, 2, time(kernel, 1)) == 22)
    for clock in [1, 2, 15] as [UInt64] { #expect(sleep(clock, 0, time(kernel, 1)) == 45, "\(clock)") }
    for clock in [3, 6, 14, 16, UInt64.max] { #expect(sleep(clock, 0, time(kernel, 1)) == 22, "\(clock)") }
    for clock in [0, 4, 5, 7, 8, 9, 10, 11, 12, 13] as [UInt64] {
      #expect(sleep(clock, 0, time(kernel, 0)) == 0, "\(clock)")
      #expect(sleep(clock, 1, time(kernel, -5, 5)) == 0, "\(clock)")
    }
    // Times of the past are over.
    #expect(sleep(0, 1, time(kernel, 1_000_000)) == 0)
  }

  @Test(arguments: [0, 4, 5, 9, 11, 13], [false, true])
  func `a sleep lasts until its time`(clock identifier: UInt64, absolute: Bool) throws {
    let kernel = try TestKernel()
    let start = kernel.hardware.clock.nanoseconds
    let now = clock(kernel, identifier)
    let end = now + 2 * second + 500_000_000
    let argument = absolute ? time(kernel, Int64(end / second), Int64(end % second)) : time(kernel, 2, 500_000_000)
    #expect(kernel.call(.clockNanosleep, identifier, absolute ? 1 : 0, argument, 0) == nil)
    kernel.sleepUntilDeadline()
    #expect(kernel.result == CallResult(value: 0, failed: false))
    let slept = kernel.hardware.clock.nanoseconds - start
    // CLOCK_SECOND shows whole seconds.
    if identifier == 13 && absolute {
      #expect(clock(kernel, 13) >= end && clock(kernel, 13) < end + second)
    } else {
      #expect(slept == 2 * second + 500_000_000)
    }
  }

  @Test func `only the superuser sets the clock, and only that of the time of day`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.clockSettime, 4, 8)?.errno == .efault)
    for clock in [1, 4, 5, 9, 10, 13, 14, 99, UInt64.max] {
      #expect(kernel.call(.clockSettime, clock, time(kernel, 5))?.errno == .einval, "\(clock)")
    }
    for (seconds, rest) in [(-1, 0), (0, -1), (0, 1_000_000_000), (8001 * 365 * 86_400, 0)] as [(Int64, Int64)] {
      #expect(kernel.call(.clockSettime, 0, time(kernel, seconds, rest))?.errno == .einval, "\(seconds) \(rest)")
    }
    #expect(kernel.call(.settimeofday, 8, 0)?.errno == .efault)
    #expect(kernel.call(.settimeofday, time(kernel, 5), 8)?.errno == .efault)
    for (seconds, rest) in [(-1, 0), (0, -1), (0, 1_000_000)] as [(Int64, Int64)] {
      #expect(kernel.call(.settimeofday, time(kernel, seconds, rest), 0)?.errno == .einval, "\(seconds) \(rest)")
    }
    let uptime = clock(kernel, 4)
    #expect(kernel.call(.clockSettime, 0, time(kernel, 2_000_000_000, 7))?.integer == 0)
    #expect(clock(kernel, 0) == 2_000_000_000 * second + 7)
    #expect(clock(kernel, 13) == 2_000_000_000 * second)
    kernel.hardware.clock.advance(by: second)
    #expect(clock(kernel, 0) == 2_000_000_001 * second + 7)
    #expect(clock(kernel, 4) == uptime + second)
    #expect(kernel.call(.settimeofday, time(kernel, 1000, 7), 0)?.integer == 0)
    #expect(clock(kernel, 0) == 1000 * second + 7000)
    // Nothing to set, or the zone, which is not kept.
    #expect(kernel.call(.settimeofday, 0, data)?.integer == 0)
    #expect(clock(kernel, 0) == 1000 * second + 7000)
    kernel.call(.setuid, 7)
    #expect(kernel.call(.clockSettime, 4, 8)?.errno == .efault)
    #expect(kernel.call(.clockSettime, 4, time(kernel, 5))?.errno == .eperm)
    #expect(kernel.call(.settimeofday, time(kernel, -5), 0)?.errno == .eperm)
    #expect(kernel.call(.settimeofday, 0, 0)?.errno == .eperm)
    #expect(clock(kernel, 0) == 1000 * second + 7000)
  }

  @Test(arguments: [0, 9, 13, 4]) func `a step of the clock reaches who sleeps until a time of it`(
    clock identifier: UInt64
  ) throws {
    let kernel = try TestKernel()
    let root = kernel.context
    let sleeper = kernel.fork()
    kernel.run(sleeper)
    let end = clock(kernel, identifier) / second + 1000
    kernel.call(.clockNanosleep, identifier, 1, time(kernel, Int64(end)), 0)
    #expect(kernel.context == root)
    // Forward, not far enough; then far enough.
    for (target, isAwake) in [(end - 10, false), (end, true)] {
      let real = identifier == 4 ? clock(kernel, 0) / second + target : target
      #expect(kernel.call(.clockSettime, 0, time(kernel, Int64(real)))?.integer == 0)
      for _ in 0..<10 where kernel.context == root { kernel.call(.schedYield) }
      #expect((kernel.context != root) == (isAwake && identifier != 4), "\(target)")
    }
    if kernel.context == root { kernel.call(.kill, UInt64(sleeper), 9) }
  }

  @Test func `a clock that is set back makes who sleeps until a time of it sleep longer`() throws {
    let kernel = try TestKernel()
    let root = kernel.context
    kernel.run(kernel.fork())
    let end = clock(kernel, 0) / second + 10
    kernel.call(.clockNanosleep, 0, 1, time(kernel, Int64(end)), 0)
    #expect(kernel.context == root)
    #expect(kernel.call(.clockSettime, 0, time(kernel, Int64(end - 100)))?.integer == 0)
    kernel.hardware.clock.advance(by: 20 * second)
    kernel.tick()
    #expect(kernel.context == root)
    let start = kernel.hardware.clock.nanoseconds
    kernel.call(.clockNanosleep, 4, 0, time(kernel, 1000), 0)
    kernel.sleepUntilDeadline()
    #expect(kernel.context != root)
    #expect(kernel.hardware.clock.nanoseconds == start + 80 * second)
  }

  @Test func `what a thread used is what its process used, of a single thread`() throws {
    let kernel = try TestKernel()
    func usage(_ who: UInt64) -> [UInt64] {
      #expect(kernel.call(.getrusage, who, place)?.integer == 0)
      return (0..<18).map { kernel.loadWord(place + 8 * $0) }
    }
    _ = kernel.loadWord(place)
    kernel.hardware.clock.advance(by: 3 * second + 5_000_000)
    #expect(usage(1) == usage(0))
    #expect(usage(1)[0] == 3 || usage(1)[2] == 3)
    kernel.run(kernel.fork())
    // Its copy of the page is made first.
    _ = usage(0)
    #expect(usage(1) == usage(0) && usage(1)[0] == 0)
  }

  @Test func `kern.clockrate tells how many ticks there are in a second`() throws {
    let kernel = try TestKernel()
    let name = kernel.string("kern.clockrate")
    kernel.storeWord(20, at: data + 64)
    #expect(kernel.call(.sysctlbyname, name, 15, place, data + 64, 0, 0)?.integer == 0)
    #expect(kernel.loadWord(data + 64) == 20)
    #expect(kernel.loadWord(place) == 1000 | 1000 << 32)
    #expect(kernel.loadWord(place + 8) == 128 << 32)
    #expect(kernel.loadWord(place + 16) & 0xFFFF_FFFF == 8192)
  }
}
