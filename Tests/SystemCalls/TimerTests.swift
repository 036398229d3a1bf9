// Timers of processes: setitimer(2), getitimer(2), ktimer_create(2) and their like (spec signals.md section 4). What their signals
// do when they are caught is for the tests of signals.

import ABI
import Memory
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct TimerTests {
  private let data = TestKernel.data
  private let place = TestKernel.data + 0x100
  private let second: UInt64 = 1_000_000_000

  /// Stores a structure of numbers and returns its address.
  private func store(_ kernel: TestKernel, _ numbers: Int64..., at address: UInt64 = TestKernel.data) -> UInt64 {
    for (index, number) in numbers.enumerated() {
      kernel.storeWord(UInt64(bitPattern: number), at: address + UInt64(8 * index))
    }
    return address
  }

  private func words(_ kernel: TestKernel, _ count: UInt64 = 4) -> [UInt64] {
    (0..<count).map { kernel.loadWord(place + 8 * $0) }
  }

  /// setitimer(2); times in seconds and microseconds.
  @discardableResult
  private func set(
    _ kernel: TestKernel, _ which: UInt64, interval: (Int64, Int64) = (0, 0), value: (Int64, Int64), old: UInt64 = 0
  ) -> CallResult? {
    kernel.call(.setitimer, which, store(kernel, interval.0, interval.1, value.0, value.1), old)
  }

  private func get(_ kernel: TestKernel, _ which: UInt64) -> [UInt64] {
    #expect(kernel.call(.getitimer, which, place)?.integer == 0)
    return words(kernel)
  }

  /// Lets time pass for whoever runs.
  private func run(_ kernel: TestKernel, _ nanoseconds: UInt64) {
    kernel.hardware.clock.advance(by: nanoseconds)
    kernel.tick()
  }

  // MARK: setitimer

  @Test func `a timer is refused with the error of the first thing wrong`() throws {
    let kernel = try TestKernel()
    let good = store(kernel, 0, 0, 1, 0)
    #expect(kernel.call(.setitimer, 0, 8, 0)?.errno == .efault)
    #expect(kernel.call(.setitimer, 3, 8, 0)?.errno == .efault)
    #expect(kernel.call(.setitimer, 3, good, 0)?.errno == .einval)
    #expect(kernel.call(.setitimer, UInt64(UInt32.max), good, 0)?.errno == .einval)
    for value: (Int64, Int64) in [(0, -1), (0, 1_000_000), (-1, 0), (1 << 30, 0)] {
      #expect(set(kernel, 0, value: value)?.errno == .einval, "\(value)")
      #expect(set(kernel, 1, interval: value, value: (1, 0))?.errno == .einval, "\(value)")
      // The interval counts only with a value.
      #expect(set(kernel, 1, interval: value, value: (0, 0))?.integer == 0, "\(value)")
      #expect(get(kernel, 1) == [0, 0, 0, 0])
    }
    #expect(set(kernel, 0, value: (1 << 30 - 1, 999_999))?.integer == 0)
    #expect(kernel.call(.getitimer, 3, place)?.errno == .einval)
    #expect(kernel.call(.getitimer, 0, 8)?.errno == .efault)
    // Without a new value it is getitimer.
    #expect(kernel.call(.setitimer, 3, 0, place)?.errno == .einval)
    #expect(kernel.call(.setitimer, 0, 0, 0)?.errno == .efault)
    #expect(set(kernel, 0, value: (0, 0), old: 8)?.errno == .efault)
    // It is off all the same.
    #expect(get(kernel, 0) == [0, 0, 0, 0])
  }

  @Test func `the old value is what was left`() throws {
    let kernel = try TestKernel()
    set(kernel, 0, interval: (7, 5), value: (3, 1))
    kernel.hardware.clock.advance(by: second + 1000)
    #expect(set(kernel, 0, value: (9, 0), old: place)?.integer == 0)
    #expect(words(kernel) == [7, 5, 2, 0])
    #expect(get(kernel, 0) == [0, 0, 9, 0])
    #expect(kernel.call(.setitimer, 0, 0, place)?.integer == 0)
    #expect(words(kernel) == [0, 0, 9, 0])
  }

  @Test func `what is too short is raised`() throws {
    let kernel = try TestKernel()
    set(kernel, 0, interval: (0, 1), value: (0, 1))
    #expect(get(kernel, 0) == [0, 62, 0, 62])
    set(kernel, 0, value: (0, 0))
    set(kernel, 2, interval: (0, 1), value: (0, 999))
    #expect(get(kernel, 2) == [0, 1000, 0, 1000])
  }

  @Test(arguments: [0, 1, 2]) func `the signal comes when the time is over and not before`(which: UInt64) throws {
    let kernel = try TestKernel(turnNanoseconds: ProcessLimits.turnNanoseconds)
    let child = kernel.fork()
    kernel.run(child)
    let deadline = kernel.hardware.clock.nanoseconds + second
    set(kernel, which, value: (1, 0))
    var used: UInt64 = 0
    let processes = kernel.kernel.inspectedProcesses
    while processes.livingProcess(Int32(child)) != nil && used < 3 * second {
      let before = kernel.hardware.clock.nanoseconds
      let isChild = kernel.thread(of: Int32(child))?.record.address == kernel.context
      run(kernel, 1_000_000)
      let elapsed = kernel.hardware.clock.nanoseconds - before
      if isChild || which == 0 { used += elapsed }
      if processes.livingProcess(Int32(child)) != nil { #expect(used <= second + 20_000_000) }
    }
    #expect(kernel.hardware.clock.nanoseconds >= deadline)
    if which != 0 { #expect(used >= second - 1_000_000) }
    kernel.run(1)
    let signals: [UInt64: Signal] = [0: .sigalrm, 1: .sigvtalrm, 2: .sigprof]
    #expect(kernel.wait(child).1 == .terminated(try #require(signals[which])))
  }

  @Test func `a sleeper is woken by its alarm, which is the next deadline`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    let (_, status) = kernel.wait(child) {
      set(kernel, 0, value: (2, 0))
      kernel.storeWord(1000, at: data)
      kernel.storeWord(0, at: data + 8)
      let start = kernel.hardware.clock.nanoseconds
      #expect(kernel.call(.nanosleep, data, 0) == nil)
      kernel.sleepUntilDeadline()
      #expect(kernel.hardware.clock.nanoseconds == start + 2 * second)
    }
    #expect(status == .terminated(.sigalrm))
  }

  @Test func `an ignored alarm goes off again and again, and missed periods count once`() throws {
    let kernel = try TestKernel()
    kernel.storeWord(1, at: data)
    for offset in [8, 16, 24] as [UInt64] { kernel.storeWord(0, at: data + offset) }
    #expect(kernel.call(.sigaction, 14, data, 0)?.integer == 0)
    set(kernel, 0, interval: (0, 300_000), value: (1, 0))
    run(kernel, second + 1000)
    #expect(get(kernel, 0) == [0, 300_000, 0, 299_999])
    // Three and a half periods later.
    run(kernel, 1_050_000_000)
    #expect(get(kernel, 0) == [0, 300_000, 0, 149_999])
  }

  @Test func `a child begins without timers, and a new program keeps those of setitimer`() throws {
    let kernel = try TestKernel()
    for which in 0..<3 as Range<UInt64> { set(kernel, which, interval: (50, 0), value: (100, 0)) }
    #expect(kernel.call(.ktimerCreate, 4, 0, place)?.integer == 0)
    let child = kernel.fork()
    kernel.run(child)
    for which in 0..<3 as Range<UInt64> { #expect(get(kernel, which) == [0, 0, 0, 0]) }
    #expect(kernel.call(.ktimerGetoverrun, 3)?.errno == .einval)
    kernel.exit()
    kernel.run(1)
    #expect(kernel.call(.ktimerGetoverrun, 3)?.integer == 0)
    kernel.execute()
    for which in 0..<3 as Range<UInt64> { #expect(get(kernel, which)[0] == 50) }
    #expect(kernel.call(.ktimerGetoverrun, 3)?.errno == .einval)
  }

  // MARK: ktimer_create

  /// sigevent
  private func event(_ kernel: TestKernel, _ notification: Int32, _ signal: Int32, value: UInt64 = 0, thread: Int32 = 0)
    -> UInt64
  {
    let words = [
      UInt64(UInt32(bitPattern: notification)) | UInt64(UInt32(bitPattern: signal)) << 32, value,
      UInt64(UInt32(bitPattern: thread)),
    ]
    for index in 0..<10 { kernel.storeWord(index < 3 ? words[index] : 0, at: data + 0x200 + UInt64(8 * index)) }
    return data + 0x200
  }

  @Test func `a kernel timer is refused with the error of the first thing wrong`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.ktimerCreate, 1, 8, 8)?.errno == .efault)
    for clock in [1, 2, 3, 5, 11, 13, 15, 16, UInt64.max] {
      #expect(kernel.call(.ktimerCreate, clock, 0, place)?.errno == .einval, "\(clock)")
    }
    for notification in [2, 3, 5, -1] as [Int32] {
      #expect(kernel.call(.ktimerCreate, 0, event(kernel, notification, 30), place)?.errno == .einval)
    }
    for signal in [0, 129, -1] as [Int32] {
      #expect(kernel.call(.ktimerCreate, 0, event(kernel, 1, signal), place)?.errno == .einval)
      #expect(kernel.call(.ktimerCreate, 0, event(kernel, 4, signal), place)?.errno == .einval)
    }
    #expect(kernel.call(.ktimerCreate, 0, 0, 8)?.errno == .efault)
    #expect(kernel.call(.ktimerCreate, 0, event(kernel, 0, 0), place)?.integer == 0)
    #expect(kernel.loadWord(place) & 0xFFFF_FFFF == 3)
    #expect(kernel.call(.ktimerSettime, 3, 0, 8, 0)?.errno == .efault)
    #expect(kernel.call(.ktimerSettime, 4, 0, store(kernel, 0, 0, 1, 0), 0)?.errno == .einval)
    for value: [Int64] in [[0, 0, -1, 0], [0, 0, 0, -1], [0, 0, 0, 1_000_000_000], [-1, 0, 1, 0], [0, -1, 1, 0]] {
      let place = store(kernel, value[0], value[1], value[2], value[3])
      #expect(kernel.call(.ktimerSettime, 3, 0, place, 0)?.errno == .einval, "\(value)")
    }
    // With no value the interval does not count.
    #expect(kernel.call(.ktimerSettime, 3, 0, store(kernel, -1, -1, 0, 0), 0)?.integer == 0)
    #expect(kernel.call(.ktimerGettime, 4, 8)?.errno == .einval)
    #expect(kernel.call(.ktimerGettime, 3, 8)?.errno == .efault)
    #expect(kernel.call(.ktimerGetoverrun, 4)?.errno == .einval)
    #expect(kernel.call(.ktimerDelete, 4)?.errno == .einval)
    #expect(kernel.call(.ktimerDelete, 3)?.integer == 0)
    #expect(kernel.call(.ktimerDelete, 3)?.errno == .einval)
  }

  @Test func `identifiers are 3 to 31, the lowest first`() throws {
    let kernel = try TestKernel()
    for identifier in 3..<32 as Range<UInt64> {
      #expect(kernel.call(.ktimerCreate, 4, 0, place)?.integer == 0)
      #expect(kernel.loadWord(place) & 0xFFFF_FFFF == identifier)
    }
    #expect(kernel.call(.ktimerCreate, 4, 0, place)?.errno == .eagain)
    for identifier in [17, 3, 31] as [UInt64] { #expect(kernel.call(.ktimerDelete, identifier)?.integer == 0) }
    for identifier in [3, 17, 31] as [UInt64] {
      #expect(kernel.call(.ktimerCreate, 4, 0, place)?.integer == 0)
      #expect(kernel.loadWord(place) & 0xFFFF_FFFF == identifier)
    }
  }

  @Test(arguments: [0, 4]) func `a timer that tells nobody counts on`(clock: UInt64) throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.ktimerCreate, clock, event(kernel, 0, 0), place)?.integer == 0)
    func reading() -> [UInt64] {
      #expect(kernel.call(.ktimerGettime, 3, place)?.integer == 0)
      return words(kernel)
    }
    #expect(reading() == [0, 0, 0, 0])
    #expect(kernel.call(.ktimerSettime, 3, 0, store(kernel, 0, 500_000_000, 2, 7), place)?.integer == 0)
    #expect(words(kernel) == [0, 0, 0, 0])
    #expect(reading() == [0, 500_000_000, 2, 7])
    run(kernel, 2 * second + 100_000_007)
    #expect(reading() == [0, 500_000_000, 0, 400_000_000])
    run(kernel, 2 * second)
    #expect(reading() == [0, 500_000_000, 0, 400_000_000])
    #expect(kernel.call(.ktimerGetoverrun, 3)?.integer == 0)
    // Once.
    #expect(kernel.call(.ktimerSettime, 3, 0, store(kernel, 0, 0, 0, 1), place)?.integer == 0)
    #expect(words(kernel) == [0, 500_000_000, 0, 400_000_000])
    #expect(reading() == [0, 0, 0, 1_000_000])
    run(kernel, second)
    #expect(reading() == [0, 0, 0, 0])
  }

  @Test(arguments: [0, 4], [false, true]) func `its signal comes at its time`(clock: UInt64, isAbsolute: Bool) throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    let (_, status) = kernel.wait(child) {
      let thread = kernel.thread(of: Int32(child))?.identifier ?? 0
      let event = self.event(kernel, isAbsolute ? 4 : 1, 65, thread: thread)
      #expect(kernel.call(.ktimerCreate, clock, event, place)?.integer == 0)
      #expect(kernel.call(.clockGettime, clock, place)?.integer == 0)
      let start = kernel.hardware.clock.nanoseconds
      let now = words(kernel, 2)
      let value =
        isAbsolute
        ? store(kernel, 0, 0, Int64(now[0]) + 3, Int64(now[1])) : store(kernel, 0, 0, 3, 0)
      #expect(kernel.call(.ktimerSettime, 3, isAbsolute ? 1 : 0, value, 0)?.integer == 0)
      kernel.storeWord(1000, at: data)
      kernel.storeWord(0, at: data + 8)
      #expect(kernel.call(.nanosleep, data, 0) == nil)
      kernel.sleepUntilDeadline()
      #expect(kernel.hardware.clock.nanoseconds == start + 3 * second)
    }
    #expect(status == .terminated(Signal(rawValue: 65)))
  }

  @Test func `an absolute time that is over fires at once`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    let (_, status) = kernel.wait(child) {
      #expect(kernel.call(.ktimerCreate, 0, event(kernel, 1, 30), place)?.integer == 0)
      kernel.call(.ktimerSettime, 3, 1, store(kernel, 0, 0, 5, 0), 0)
    }
    #expect(status == .terminated(.sigusr1))
  }

  @Test func `a timer whose thread is gone stops`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.ktimerCreate, 4, event(kernel, 4, 30, thread: 55_555), place)?.integer == 0)
    #expect(kernel.call(.ktimerSettime, 3, 0, store(kernel, 1, 0, 1, 0), 0)?.integer == 0)
    run(kernel, 2 * second)
    #expect(kernel.call(.ktimerGettime, 3, place)?.integer == 0)
    #expect(words(kernel) == [0, 0, 0, 0])
  }

  @Test func `a deleted timer does not go off, nor those of who has ended`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.ktimerCreate, 4, event(kernel, 1, 30), place)?.integer == 0)
    #expect(kernel.call(.ktimerSettime, 3, 0, store(kernel, 1, 0, 1, 0), 0)?.integer == 0)
    let scheduler = kernel.kernel.inspectedProcesses.scheduler
    #expect(scheduler.earliestDeadlineNanoseconds != nil)
    #expect(kernel.call(.ktimerDelete, 3)?.integer == 0)
    #expect(scheduler.earliestDeadlineNanoseconds == nil)
    let child = kernel.fork()
    kernel.run(child)
    set(kernel, 0, interval: (1, 0), value: (1, 0))
    #expect(scheduler.earliestDeadlineNanoseconds != nil)
    kernel.exit()
    kernel.run(1)
    #expect(scheduler.earliestDeadlineNanoseconds == nil)
    #expect(kernel.wait(child).1 == .exited(0))
  }
}
