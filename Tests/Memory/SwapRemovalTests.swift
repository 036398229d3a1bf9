// swapoff(2) below the call: everything comes back, in steps, whatever is under way; and it is given up without a loss.
import ABI
import Simulation
import Testing

@testable import Memory
import Primitives

@Suite("Swap removal")
struct SwapRemovalTests {
  /// A machine with two disks.
  private func machine(frameCount: Int = 1500, isSlow: Bool = false) -> SimulatedHardware {
    var configuration = HardwareConfiguration()
    configuration.frameCount = frameCount
    configuration.swapBlockCount = 300
    configuration.secondSwapBlockCount = 200
    configuration.immediateTransferOneIn = isSlow ? 1_000_000 : 1
    return SimulatedHardware(configuration)
  }

  private func filled(_ machine: SimulatedHardware, _ pages: UInt64) throws -> VMObjectReference {
    let object = try VMObject.make(machine.system, .anonymous, pageCount: pages)
    for index in 0..<pages {
      guard case .frame(let frame) = object.object.page(at: index, for: .write) else {
        Issue.record("no page")
        return object
      }
      machine.memory.setByte(UInt8(truncatingIfNeeded: index + 1), at: frame.address.raw)
    }
    return object
  }

  private func pageOut(_ machine: SimulatedHardware) {
    for _ in 0..<3 {
      _ = machine.system.makeAvailable(machine.system.managedFrameCount)
      machine.completeTransfers()
    }
  }

  private func pager(_ machine: SimulatedHardware, _ number: Int) -> SwapPager {
    machine.system.swapDevice(at: Array("/dev/md\(number)".utf8).span)!
  }

  /// Steps to the end, with a budget of `units` each; how many steps that took.
  private func run(
    _ removal: SwapRemoval, _ machine: SimulatedHardware, units: Int = 1
  ) throws(Errno) -> Int {
    for step in 1..<100_000 {
      var budget = units
      switch try removal.step(&budget) {
      case .complete: return step
      case .again: break
      case .wait: machine.completeTransfers()
      }
    }
    Issue.record("it never ends")
    return 0
  }

  /// The error that one step gives, if it gives one.
  private func error(_ removal: SwapRemoval, units: Int = 1000) -> Errno? {
    var budget = units
    do throws(Errno) {
      _ = try removal.step(&budget)
      return nil
    } catch { return error }
  }

  /// What one step comes to.
  private func progress(_ removal: SwapRemoval, units: Int) throws(Errno) -> Progress {
    var budget = units
    return try removal.step(&budget)
  }

  private func contentIsRight(_ machine: SimulatedHardware, _ object: VMObject, _ pages: UInt64) -> Bool {
    for index in 0..<pages {
      while true {
        switch object.page(at: index, for: .read) {
        case .frame(let frame):
          if machine.memory.byte(at: frame.address.raw) != UInt8(truncatingIfNeeded: index + 1) { return false }
        case .wait:
          machine.completeTransfers()
          continue
        case .absent, .failed: return false
        }
        break
      }
    }
    return true
  }

  @Test(arguments: [(false, 1), (false, 64), (true, 1), (true, 64)])
  func `everything that is on a device comes back, in steps`(isSlow: Bool, units: Int) throws {
    let machine = machine(isSlow: isSlow)
    let system = machine.system
    let object = try filled(machine, 250)
    pageOut(machine)
    // Both have some, and pages that were read are in both places.
    #expect(pager(machine, 0).takenCount > 20 && pager(machine, 1).takenCount > 20)
    #expect(object.object.swappedCount == 250)
    for index in 0..<60 as Range<UInt64> { _ = object.object.page(at: index, for: .read) }
    machine.completeTransfers()
    let steps = try run(SwapRemoval(system, pager(machine, 1), isForced: false), machine, units: units)
    #expect(steps > 3)
    #expect(pager(machine, 1).state == .off && pager(machine, 1).takenCount == 0)
    #expect(system.accounting.swapTotal == 299)
    // Nothing goes there, until it is in use again.
    pageOut(machine)
    #expect(pager(machine, 1).takenCount == 0 && object.object.swappedCount == 250)
    #expect(contentIsRight(machine, object.object, 250))
    try system.startSwap(device: pager(machine, 1))
    let second = pager(machine, 1)
    #expect(throws: Errno.ebusy) { try system.startSwap(device: second) }
    #expect(system.accounting.swapTotal == 498)
    for index in 0..<250 as Range<UInt64> { _ = object.object.page(at: index, for: .write) }
    machine.completeTransfers()
    pageOut(machine)
    #expect(pager(machine, 1).takenCount > 0)
    _ = consume object
    machine.drain()
    machine.completeTransfers()
    #expect(machine.leakedFrames == 0 && system.usedSwapBlockCount == 0 && machine.violations.isEmpty)
  }

  @Test func `transfers under way are waited for, also those whose page is gone`() throws {
    let machine = machine(isSlow: true)
    let system = machine.system
    let object = try filled(machine, 60)
    let doomed = try filled(machine, 60)
    _ = system.makeAvailable(system.managedFrameCount)
    #expect(system.hasTransfers)
    // Its frames stay the device's.
    _ = consume doomed
    machine.drain()
    #expect(system.hasTransfers)
    for number in 0..<2 { _ = try run(SwapRemoval(system, pager(machine, number), isForced: false), machine) }
    #expect(system.usedSwapBlockCount == 0 && !system.hasTransfers && object.object.residentCount == 60)
    #expect(contentIsRight(machine, object.object, 60))
    _ = consume object
    #expect(machine.leakedFrames == 0 && machine.violations.isEmpty)
  }

  @Test func `pages are found that have moved to another object`() throws {
    let machine = machine()
    let system = machine.system
    let below = try filled(machine, 40)
    let top = VMObject(system, .anonymous, pageCount: 40)
    let topReference = VMObjectReference(top)
    top.attachBacking(below.copy(), offset: 0)
    pageOut(machine)
    for index in 0..<8 as Range<UInt64> { _ = below.object.page(at: index, for: .read) }
    _ = consume below
    machine.drain()
    #expect(top.inspectedBacking == nil && top.swappedCount > 0)
    for number in 0..<2 { _ = try run(SwapRemoval(system, pager(machine, number), isForced: true), machine) }
    #expect(top.residentCount == 40 && contentIsRight(machine, top, 40))
    _ = consume topReference
    #expect(machine.leakedFrames == 0)
  }

  @Test func `a page that cannot be read is an error, and the device stays in use with what is left on it`() throws {
    let machine = machine()
    let system = machine.system
    let object = try filled(machine, 250)
    pageOut(machine)
    var bad: SwapBlock?
    object.object.inspectPages { index, page in
      if case .swapped(let block) = page, block.device == 1, index > 100 { bad = bad ?? block }
    }
    machine.disks[1].behaviour.badBlocks = [try #require(bad).number]
    let removal = SwapRemoval(system, pager(machine, 1), isForced: false)
    var found: Errno?
    while found == nil, pager(machine, 1).state != .off { found = error(removal, units: 10) }
    #expect(found == .eio)
    #expect(pager(machine, 1).state == .inUse && system.accounting.swapTotal == 498)
    machine.disks[1].behaviour.badBlocks = []
    #expect(contentIsRight(machine, object.object, 250))
    _ = try run(SwapRemoval(system, pager(machine, 1), isForced: false), machine)
    #expect(contentIsRight(machine, object.object, 250))
    _ = consume object
    #expect(machine.leakedFrames == 0 && system.usedSwapBlockCount == 0)
  }

  @Test func `one that is given up in the middle leaves the device in use, and another waits for it`() throws {
    let machine = machine()
    let system = machine.system
    let object = try filled(machine, 250)
    pageOut(machine)
    var removal: SwapRemoval? = SwapRemoval(system, pager(machine, 1), isForced: false)
    if let removal { _ = try progress(removal, units: 20) }
    #expect(pager(machine, 1).state == .closing)
    let other = SwapRemoval(system, pager(machine, 0), isForced: false)
    let waiting = try progress(other, units: 1000)
    #expect(waiting == .again && pager(machine, 0).state == .inUse)
    removal = nil
    #expect(pager(machine, 1).state == .inUse && system.accounting.swapTotal == 498)
    _ = try run(other, machine)
    #expect(pager(machine, 0).state == .off && contentIsRight(machine, object.object, 250))
    let again = SwapRemoval(system, pager(machine, 0), isForced: true)
    #expect(error(again) == .einval)
    _ = consume object
    #expect(machine.leakedFrames == 0)
  }

  @Test func `what might not fit is refused unless it is forced`() throws {
    let machine = machine(frameCount: 700)
    let system = machine.system
    let object = try filled(machine, 300)
    pageOut(machine)
    // Blocks of the device and 128 more have to be free, in memory or in swap.
    var taken: [FrameNumber] = []
    func room() -> Int { system.freeFrameCount + system.inspectedFreeSwapBlockCount }
    while room() >= 199 + 128, let frame = system.allocateKernelFrame() { taken.append(frame) }
    #expect(room() == 199 + 127)
    let removal = SwapRemoval(system, pager(machine, 1), isForced: false)
    #expect(error(removal) == .enomem)
    #expect(pager(machine, 1).state == .inUse && system.accounting.swapTotal == 498)
    if let frame = taken.popLast() { system.freeKernelFrame(frame) }
    _ = try progress(removal, units: 10)
    #expect(pager(machine, 1).state == .closing)
    for frame in taken { system.freeKernelFrame(frame) }
    _ = try run(removal, machine)
    #expect(contentIsRight(machine, object.object, 300))
    _ = consume object
    #expect(machine.leakedFrames == 0)
  }
}
