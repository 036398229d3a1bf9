// What is given up comes back: private copies, reservations that are not needed, work that is left for later, and what
// could not be had before.
import ABI
import Simulation
import Testing

@testable import Memory
import Primitives

@Suite("Releases")
struct ReleaseTests {
  private let area: UInt64 = 0x10_0000

  @Test
  func `private copies that are unmapped are free at once, and so is what a process has to itself again`() throws {
    let machine = SimulatedHardware()
    let system = machine.system
    let parent = try AddressSpace.make(system)
    _ = try parent.map(request(area, pages: 8))
    for page in 0..<8 as Range<UInt64> { #expect(parent.store(1, at: area + page << 12)) }
    let child = try parent.fork()
    for page in 0..<8 as Range<UInt64> { #expect(child.store(2, at: area + page << 12)) }
    var free = system.freeFrameCount
    try child.unmap(range(area, pages: 3))
    #expect(system.freeFrameCount == free + 3)
    child.retire()
    machine.drain()
    // The first store finds that nobody else is left.
    #expect(parent.store(3, at: area + 7 << 12))
    free = system.freeFrameCount
    try parent.unmap(range(area, pages: 3))
    #expect(system.freeFrameCount == free + 3)
    parent.retire()
    #expect(machine.leakedFrames == 0 && system.accounting.reserved == 0)
  }

  @Test
  func `memory that cannot be stored to reserves nothing, whatever else it allows`() throws {
    let machine = SimulatedHardware()
    let system = machine.system
    let space = try AddressSpace.make(system)
    _ = try space.map(request(area, pages: 4, [.read]))
    #expect(system.accounting.reserved == 0)
    try space.protect(range(area, pages: 4), [.read, .execute], maximum: nil)
    try space.protect(range(area + 1 << 12, pages: 1), [], maximum: nil)
    #expect(system.accounting.reserved == 0)
    try space.protect(range(area + 1 << 12, pages: 2), [.write], maximum: nil)
    #expect(system.accounting.reserved == 2)
    space.retire()
    #expect(machine.leakedFrames == 0 && system.accounting.reserved == 0)
  }

  @Test(arguments: [false, true])
  func `a mapping is cut in two with what is kept for those who release`(protects: Bool) throws {
    let machine = SimulatedHardware()
    let system = machine.system
    let space = try AddressSpace.make(system)
    _ = try space.map(request(area, pages: 5))
    // The pool of entries is full: the next one needs a frame.
    let frames = system.entries.frameCount
    var address = area + 0x100_0000
    while system.entries.frameCount == frames {
      _ = try space.map(request(address, pages: 1, []))
      address += 8192
    }
    let perFrame = system.entries.count - 1
    while system.entries.count < 2 * perFrame {
      _ = try space.map(request(address, pages: 1, []))
      address += 8192
    }
    var taken: [FrameNumber] = []
    while let frame = system.allocateKernelFrame() { taken.append(frame) }
    #expect(system.freeFrameCount == system.reserveFrameCount)
    if protects {
      try space.protect(range(area + 2 << 12, pages: 1), [.read], maximum: nil)
    } else {
      var budget = 1000
      guard case .complete = space.unmap(range(area + 2 << 12, pages: 1), &budget) else {
        Issue.record("munmap waits for memory")
        return
      }
    }
    #expect(system.entries.frameCount == frames + 2)
    for frame in taken { system.freeKernelFrame(frame) }
    space.retire()
    #expect(machine.leakedFrames == 0 && system.accounting.reserved == 0)
  }

  @Test
  func `giving up rights waits for room below the limit of kernel memory, and says whose limit it is`() throws {
    let machine = SimulatedHardware()
    let system = machine.system
    let space = try AddressSpace.make(system)
    space.account = system.accounts.account(of: 7)
    _ = try space.map(request(area, pages: 8))
    system.setCaller(isPrivileged: false, user: 7)
    system.accounts.kernelPageLimit = 0
    let part = range(area + 2 << 12, pages: 2)
    #expect(throws: Errno.enomem) { try space.protect(part, [.read, .write], maximum: nil) }
    #expect(!system.hasUserOverLimit)
    var pending = PendingProtection(part, [], maximum: nil)
    var budget = 100
    #expect(try space.protect(&pending, &budget) == .wait(.frames))
    // Or nobody would end the wait: there are frames enough.
    #expect(system.takeUserOverLimit() == 7)
    system.accounts.kernelPageLimit = .max
    #expect(try space.protect(&pending, &budget) == .complete && space.entryCount == 3)
    system.setCaller(isPrivileged: true, user: 0)
    space.retire()
    #expect(machine.leakedFrames == 0 && system.accounting.reserved == 0)
  }

  private func makeGuard(_ space: AddressSpace, at address: UInt64) throws(Errno) {
    var wanted = request(address, pages: 1, [], maximum: [])
    wanted.isGuard = true
    _ = try space.map(wanted)
  }

  @Test(arguments: [false, true])
  func `a change of protection across guards comes to its end, however little it does at a time`(grants: Bool) throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    for index in 0..<6 as Range<UInt64> {
      try makeGuard(space, at: area + index << 13)
    }
    _ = try space.map(request(area + 12 << 12, pages: 4, .read))
    var pending = PendingProtection(range(area, pages: 14), grants ? [.read, .write] : [], maximum: nil)
    var steps = 0
    var progress = Progress.again
    while progress != .complete && steps < 100 {
      var budget = 1
      progress = try space.protect(&pending, &budget)
      steps += 1
    }
    #expect(progress == .complete && steps >= 12)
    space.retire()
    #expect(machine.leakedFrames == 0 && machine.system.accounting.reserved == 0)
  }

  @Test
  func `what ends without any work counts as work of a step, too`() throws {
    let machine = SimulatedHardware()
    for _ in 0..<30 { try AddressSpace.make(machine.system).retire() }
    #expect(!machine.system.drainTeardown(budget: 10))
    #expect(machine.system.counters.liveSpaces == 20)
    #expect(machine.leakedFrames == 0 && machine.system.counters.liveSpaces == 0)
  }

  /// An object of pages that hold something, as many in swap as fit there, on a machine without a frame to be had; `taken`
  /// are the others.
  private func exhausted(_ machine: SimulatedHardware, _ taken: inout [FrameNumber]) throws -> VMObjectReference {
    let system = machine.system
    let object = try VMObject.make(system, .sharedMemory, pageCount: 40)
    for index in 0..<40 as Range<UInt64> {
      guard case .frame = object.object.page(at: index, for: .write) else { continue }
    }
    while system.freeFrameCount > system.reserveFrameCount + 1, let frame = system.allocateKernelFrame() {
      taken.append(frame)
    }
    while system.makeAvailable(2) == .ready, let frame = system.allocateKernelFrame() { taken.append(frame) }
    #expect(system.makeAvailable(2) == .exhausted)
    return object
  }

  @Test
  func `a swap block that becomes free ends the certainty that nothing can be had`() throws {
    let machine = SimulatedHardware(swapBlocks: 9)
    let system = machine.system
    var taken: [FrameNumber] = []
    let object = try exhausted(machine, &taken)
    #expect(object.object.swappedCount == 8 && system.swap?.freeCount == 0)
    let swapped = (0..<40 as Range<UInt64>).filter { !isResident(object.object, $0) }
    let free = system.freeFrameCount
    for index in swapped.prefix(3) { object.object.removePages(from: index, to: index + 1, system) }
    // Blocks were freed, no frame was.
    #expect(system.freeFrameCount == free && system.swap?.freeCount == 3)
    #expect(system.makeAvailable(2) == .ready)
    for frame in taken { system.freeKernelFrame(frame) }
    _ = consume object
    #expect(machine.leakedFrames == 0 && system.usedSwapBlockCount == 0)
  }

  @Test
  func `a frame that was freed and taken for a page ends that certainty, too`() throws {
    let machine = SimulatedHardware()
    let system = machine.system
    var taken: [FrameNumber] = []
    let object = try exhausted(machine, &taken)
    let free = system.freeFrameCount
    // A page of zeros in place of a frame of the kernel's: as many frames are free, but one more can be had.
    if let frame = taken.popLast() { system.freeKernelFrame(frame) }
    let clean = try VMObject.make(system, .sharedMemory, pageCount: 1)
    #expect(clean.object.addZeroedPage(at: 0, system) != nil)
    #expect(system.freeFrameCount == free)
    #expect(system.makeAvailable(2) == .ready)
    for frame in taken { system.freeKernelFrame(frame) }
    _ = consume object
    _ = consume clean
    #expect(machine.leakedFrames == 0)
  }

  @Test
  func `a page that was read ends it as well: it can be had again`() throws {
    let hardware = SimulatedHardware.withSlowDevice()
    let system = hardware.system
    let object = try VMObject.make(system, .anonymous, pageCount: 1)
    guard case .frame = object.object.page(at: 0, for: .write) else {
      Issue.record("no page")
      return
    }
    _ = system.makeAvailable(system.managedFrameCount)
    hardware.completeTransfers()
    var taken: [FrameNumber] = []
    while system.freeFrameCount > system.reserveFrameCount + 1, let frame = system.allocateKernelFrame() {
      taken.append(frame)
    }
    guard case .wait = object.object.page(at: 0, for: .read) else {
      Issue.record("the page is not on its way")
      return
    }
    #expect(system.makeAvailable(1) == .exhausted)
    hardware.completeTransfers()
    #expect(system.makeAvailable(1) == .ready)
    for frame in taken { system.freeKernelFrame(frame) }
    _ = consume object
    while !system.drainTeardown(budget: 7) {}
    #expect(system.usedSwapBlockCount == 0)
  }

  private func isResident(_ object: VMObject, _ index: UInt64) -> Bool {
    if case .resident = object.inspectPage(at: index) { return true }
    return false
  }
}
