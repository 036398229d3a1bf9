// Who gets the processor and when, on a machine whose programs do nothing but use time: shares of those that always want it, and
// how late those are that sleep.

import ABI
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

/// What a program does with the processor.
private enum Behaviour: CaseIterable {
  case spins
  case yieldsBeforeItsTurnEnds
  case yieldsAlways
  case sleepsForAMoment
  case sleepsAMillisecond

  /// Nanoseconds of the processor between two calls; nil: it makes none.
  var workNanoseconds: UInt64? {
    switch self {
    case .spins: nil
    case .yieldsBeforeItsTurnEnds: 9_900_000
    case .yieldsAlways: 1000
    case .sleepsForAMoment: 700_000
    case .sleepsAMillisecond: 5000
    }
  }

  var sleepNanoseconds: UInt64? {
    switch self {
    case .sleepsForAMoment: 1
    case .sleepsAMillisecond: 1_000_000
    default: nil
    }
  }
}

/// A kernel with one process for each behaviour.
private final class Mix {
  let kernel: TestKernel
  private let behaviours: [Behaviour]
  private var numbers: [UInt64: Int] = [:]
  private var work: [UInt64]
  private var due: [UInt64?]
  /// Nanoseconds that each process had the processor.
  private(set) var used: [UInt64]
  /// The most that a sleep was late, of each process.
  private(set) var worstLateness: [UInt64]

  init(_ behaviours: [Behaviour]) throws {
    self.behaviours = behaviours
    kernel = try TestKernel(turnNanoseconds: ProcessLimits.turnNanoseconds)
    work = behaviours.map { _ in 0 }
    due = behaviours.map { _ in nil }
    used = work
    worstLateness = work
    kernel.storeWord(0, at: TestKernel.data)
    let first = kernel.context
    for _ in 1..<behaviours.count {
      _ = kernel.fork()
      precondition(kernel.context == first)
    }
  }

  private var clock: SimulatedClock { kernel.hardware.clock }

  /// Which process runs.
  private func number(_ context: PhysicalAddress) -> Int {
    if let known = numbers[context.raw] { return known }
    numbers[context.raw] = numbers.count
    return numbers.count - 1
  }

  func run(nanoseconds: UInt64) {
    let end = clock.nanoseconds + nanoseconds
    while clock.nanoseconds < end {
      guard let context = kernel.context else {
        kernel.sleepUntilDeadline()
        continue
      }
      let number = number(context)
      if let time = due[number] {
        worstLateness[number] = max(worstLateness[number], clock.nanoseconds - time)
        due[number] = nil
      }
      let look = kernel.kernel.nextLookNanoseconds
      let begin = clock.nanoseconds
      let rest = behaviours[number].workNanoseconds.map { begin + $0 - work[number] }
      clock.advance(to: min(look, rest ?? look))
      used[number] += clock.nanoseconds - begin
      work[number] += clock.nanoseconds - begin
      if let rest, clock.nanoseconds >= rest {
        work[number] = 0
        call(number)
      } else {
        kernel.tick()
      }
    }
  }

  private func call(_ number: Int) {
    guard let duration = behaviours[number].sleepNanoseconds else {
      kernel.call(.schedYield)
      return
    }
    kernel.storeWord(0, at: TestKernel.data)
    kernel.storeWord(duration, at: TestKernel.data + 8)
    due[number] = clock.nanoseconds + duration
    kernel.call(.nanosleep, TestKernel.data, 0)
  }
}

@Suite struct TurnTests {
  private static let greedy: [Behaviour] = [.spins, .yieldsBeforeItsTurnEnds, .yieldsAlways, .sleepsForAMoment]

  @Test(arguments: greedy, greedy)
  fileprivate func `two that always want the processor share it evenly`(_ one: Behaviour, _ other: Behaviour) throws {
    let mix = try Mix([one, other])
    mix.run(nanoseconds: 400_000_000)
    let share = mix.used[0] * 1000 / (mix.used[0] + mix.used[1])
    #expect((450...550).contains(share), "\(one), \(other): \(share) of 1000")
  }

  @Test(arguments: greedy)
  fileprivate func `a sleeper beside ten others is not late`(_ others: Behaviour) throws {
    let mix = try Mix([.sleepsAMillisecond] + Array(repeating: others, count: 10))
    let duration: UInt64 = 1_000_000_000
    mix.run(nanoseconds: duration)
    let worst = mix.worstLateness.max() ?? 0
    #expect(mix.worstLateness[0] <= 100_000, "\(mix.worstLateness), \(worst)")
    for share in mix.used[1...] { #expect(share > duration / 11 * 9 / 10) }
  }

  @Test func `many that wake do not keep one that spins from the processor`() throws {
    let mix = try Mix([.spins] + Array(repeating: .sleepsForAMoment, count: 9))
    mix.run(nanoseconds: 2_000_000_000)
    #expect(mix.used[0] > 2_000_000_000 / 10 * 9 / 10, "\(mix.used)")
  }

  @Test func `what is charged is what was used`() throws {
    let mix = try Mix([.spins, .sleepsAMillisecond, .yieldsAlways])
    mix.run(nanoseconds: 300_000_000)
    let before = mix.used
    var charged: [UInt64] = []
    mix.kernel.kernel.inspectedProcesses.charge()
    mix.kernel.kernel.inspectedProcesses.inspectProcesses { charged.append($0.usage.nanoseconds) }
    #expect(charged.sorted() == before.sorted())
  }

  @Test func `a sleeper does not wait for the end of all that are killed`() throws {
    let kernel = try TestKernel(turnNanoseconds: 10_000_000)
    func sleep(_ process: Int, seconds: UInt64, nanoseconds: UInt64) {
      kernel.run(process)
      kernel.storeWord(seconds, at: TestKernel.data)
      kernel.storeWord(nanoseconds, at: TestKernel.data + 8)
      kernel.call(.nanosleep, TestKernel.data, 0)
    }
    let doomed = (0..<20).map { _ in kernel.fork() }
    for process in doomed { sleep(process, seconds: 1000, nanoseconds: 0) }
    let sleeper = kernel.fork()
    kernel.run(sleeper)
    kernel.call(.setpgid, 0, 0)
    sleep(sleeper, seconds: 0, nanoseconds: 1_000_000)
    kernel.run(1)
    // It is due after the others woke, who had waited as shortly.
    kernel.hardware.clock.advance(by: 1_000_001)
    kernel.call(.kill, 0, 9)
    #expect(kernel.identifier == sleeper)
    #expect(doomed.filter { kernel.kernel.inspectedProcesses.livingProcess(Int32($0)) == nil }.count <= 1)
  }

  @Test func `the timer is set for a sleeper while somebody runs`() throws {
    let mix = try Mix([.sleepsAMillisecond, .spins])
    mix.run(nanoseconds: 20_000_000)
    #expect(mix.worstLateness[0] <= 20_000)
  }
}
