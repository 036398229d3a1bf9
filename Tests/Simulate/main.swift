// Runs simulations from the command line: `simulate KIND FIRST-SEED SEED-COUNT STEPS`, KIND being `kernel`, `calls` or
// `memory` (random scripts against the model), `concurrent` (processes that act at once), `pairs` (two threads that act at once,
// every scenario in STEPS orders), `orders` or `exhaustive`; or `heap`, which runs all of them for a while and prints what every kind of event took from the heap.
//
// Every seed runs in a process of its own, so that a trap of the kernel is an ordinary failure and shrinks like one.
import Foundation
import Primitives
import Simulation

let words = CommandLine.arguments
let kind = words.count > 1 ? SimulationKind(rawValue: words[1]) ?? .kernel : .kernel
let first = words.count > 2 ? UInt64(words[2]) ?? 1 : 1
let count = words.count > 3 ? UInt64(words[3]) ?? 20 : 20
let stepCount = words.count > 4 ? Int(words[4]) ?? 1000 : 1000
let logPath = NSTemporaryDirectory() + "simulate-\(getpid()).log"
let totalsPath = NSTemporaryDirectory() + "simulate-\(getpid()).totals"

/// Runs `body` in a child process; its status, or minus the signal that ended it.
func isolated(_ body: () -> Int32) -> Int32 {
  fflush(nil)
  typealias Fork = @convention(c) () -> pid_t
  let child = unsafe unsafeBitCast(dlsym(nil, "fork"), to: Fork.self)()
  if child == 0 {
    let status = body()
    fflush(nil)
    _exit(status)
  }
  var status: Int32 = 0
  unsafe waitpid(child, &status, 0)
  return status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
}

/// Runs one seed; with a log, every step is written there first.
func run(_ seed: UInt64, logging: Bool) -> Int32 {
  let log = logging ? FileHandle(forWritingAtPath: logPath) : nil
  let encoder = JSONEncoder()
  var histogram: [String: Int] = [:]
  let started = { () -> Void in try? log?.truncate(atOffset: 0) }
  let result = RandomSimulation(kind, seed: seed).run(stepCount: stepCount, started: started) { step in
    if words.contains("verbose") { histogram[step.operation.source.split(separator: "(")[0] + "", default: 0] += 1 }
    guard let log, let line = try? encoder.encode(step) else { return }
    log.write(line + Data([10]))
  }
  if words.contains("verbose") { print("seed \(seed): \(result) \(histogram)") }
  if !logging, let totals = FileHandle(forWritingAtPath: totalsPath) {
    _ = try? totals.seekToEnd()
    let figures = [result.stepCount, result.changingStepCount, result.shortStepCount, result.refusalCount]
    totals.write(Data((figures.map { "\($0)" }.joined(separator: " ") + "\n").utf8))
  }
  guard let failure = result.failure else { return 0 }
  if !logging { print("seed \(seed), \(failure.steps.count) steps: \(failure.reason)") }
  return 1
}

/// A number from 1 to 120 for what went wrong, whoever it happened to: a script that is cut down still fails in the same way.
func signature(_ reason: String) -> Int32 {
  1 + Int32(reason.utf8.lazy.filter { $0 < 48 || $0 > 57 }.reduce(0) { ($0 * 31 + Int($1)) % 120 })
}

/// Shrinks a failing seed; every attempt runs in a child.
func shrink(_ seed: UInt64) {
  _ = FileManager.default.createFile(atPath: logPath, contents: nil)
  _ = isolated { run(seed, logging: true) }
  let lines = (try? String(contentsOfFile: logPath, encoding: .utf8))?.split(separator: "\n") ?? []
  let steps = lines.compactMap { try? JSONDecoder().decode(ScriptStep.self, from: Data($0.utf8)) }
  let simulation = RandomSimulation(kind, seed: seed)
  unsafe dup2(open("/dev/null", O_WRONLY), 2)
  let wanted = isolated { simulation.replay(steps).map { signature($0.reason) } ?? 0 }
  let shrinker = ScriptShrinker { candidate in
    let status = isolated { simulation.replay(candidate).map { signature($0.reason) } ?? 0 }
    return status == 0 || status != wanted
      ? nil : ScriptFailure(index: candidate.count - 1, reason: "status \(status)", steps: candidate)
  }
  let small = shrinker.shrink(ScriptFailure(index: steps.count - 1, reason: "", steps: steps))
  print("frames \(simulation.hardware.frameCount), swap \(simulation.hardware.swapBlockCount)")
  print(small)
  _ = isolated {
    if let failure = simulation.replay(small.steps) { print("reason: \(failure.reason)") }
    return 0
  }
}

/// Runs what is not a random script: exits with the number of failures.
func runOther(_ name: String) {
  var failed: Int32 = 0
  func check(_ title: String, _ body: () -> String?) {
    let status = isolated {
      guard let problem = body() else { return 0 }
      print("\(title): \(problem)")
      return 1
    }
    if status != 0 {
      print("failed: \(title), status \(status)")
      failed = 1
    }
  }
  switch name {
  case "exhaustive":
    for test in FailureCase.all {
      for failing in FailurePoint.allCases {
        for isSlow in [false, true] {
          check("\(test.name), \(failing), slow device \(isSlow)") {
            ExhaustiveFailure(test, failing, isSlow: isSlow).failure?.description
          }
        }
      }
    }
  case "orders":
    for scenario in Scenario.all {
      check(scenario.name) {
        guard let allowed = try? scenario.sequentialOutcomes() else { return "fails even in order" }
        var orderCount = 1
        for _ in 0..<scenario.length { orderCount *= 3 }
        for order in 0..<orderCount {
          if let problem = scenario.run(order: order, length: scenario.length, allowed: allowed) { return problem }
        }
        return nil
      }
    }
  case "pairs":
    for seed in first..<first + count {
      check("seed \(seed)") { Scenario.drawn(seed: seed).problem(orderCount: min(stepCount, 1000), seed: seed) }
    }
  case "concurrent":
    for seed in first..<first + count {
      check("seed \(seed)") {
        var simulation = ConcurrentSimulation(seed: seed)
        return simulation.run(stepCount: stepCount).problem
      }
    }
  default: return
  }
  print(failed == 0 ? "\(name): no failures" : "\(name): failures")
  exit(failed)
}

/// Runs everything in this process and prints the heap use of events.
func measureHeap() -> Never {
  for seed in first..<first + count {
    _ = RandomSimulation(.kernel, seed: seed).run(stepCount: stepCount)
    var concurrent = ConcurrentSimulation(seed: seed)
    _ = concurrent.run(stepCount: stepCount)
  }
  for test in FailureCase.all { _ = ExhaustiveFailure(test, .transfer, isSlow: true) }
  for line in HeapUseLog.lines { print(line) }
  exit(0)
}

if words.count > 1 && words[1] == "heap" { measureHeap() }
if words.count > 1 { runOther(words[1]) }

/// Steps performed, those that changed something, those under a shortage of memory, reservations refused: what the
/// children wrote down.
func totals() -> [Int] {
  defer { try? FileManager.default.removeItem(atPath: totalsPath) }
  let lines = (try? String(contentsOfFile: totalsPath, encoding: .utf8))?.split(separator: "\n") ?? []
  return lines.reduce([0, 0, 0, 0]) { sums, line in
    zip(sums, line.split(separator: " ").map { Int($0) ?? 0 }).map { $0 + $1 }
  }
}

_ = FileManager.default.createFile(atPath: totalsPath, contents: nil)
let clock = ContinuousClock()
let start = clock.now
var failing: [UInt64] = []
for seed in first..<first + count {
  let status = isolated { run(seed, logging: false) }
  if status != 0 { failing.append(seed) }
  if status < 0 { print("seed \(seed): signal \(-status)") }
  // Shrinking takes its time.
  if status != 0 { fflush(nil) }
}
let elapsed = (clock.now - start).components
let seconds = Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
let sums = totals()
let total = max(sums[0], 1)
print(
  "\(kind): \(count) seeds from \(first), \(sums[0]) steps, \(failing.count) failures, "
    + "\(Int(Double(total) / seconds * 60)) steps a minute; \(sums[1] * 100 / total) % changed maps, objects, names or "
    + "memory, \(sums[2] * 100 / total) % ended short of memory; "
    + "\(sums[3]) reservations refused")
if let seed = failing.first { shrink(seed) }
exit(failing.isEmpty ? 0 : 1)
