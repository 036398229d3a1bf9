// Random operations on memory that can be mapped by large leaves, against a model of what every page has to show.
import ABI
import Primitives
import Simulation
import Testing

@testable import Memory

/// One view of memory, and what it has to show.
private struct View {
  let space: AddressSpace
  let address: UInt64
  let sharing: Sharing
  var isWritable = true
  /// Pages that were stored to through a private view.
  var copies: [UInt64: UInt8] = [:]
  var missing: Set<UInt64> = []
}

@Suite("Pages of 2 MiB, at random") struct SuperpageRandomTests {
  private static let pageCount: UInt64 = 1300

  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
  func `whatever is done, every view shows what it should, and nothing is out of order`(seed: UInt64) throws {
    let machine = try SuperpageMachine(frames: 10240, swapBlocks: 3072, pages: Self.pageCount)
    var generator = SeededGenerator(seed: seed)
    var content = [UInt8](repeating: 0, count: Int(Self.pageCount))
    var views: [View] = []
    func add(_ sharing: Sharing, at address: UInt64) throws {
      let space = try machine.space()
      try machine.map(space, at: address, pages: Self.pageCount, sharing: sharing)
      views.append(View(space: space, address: address, sharing: sharing))
    }
    try add(.shared, at: 1 << 30)
    try add(.shared, at: 3 << 30)
    try add(.private, at: 1 << 30)
    try add(.shared, at: 1 << 30 + 5 << 12)
    // Pages that were zeros when a private view showed them: they may have become its own by that, and its children's.
    var zeros: Set<UInt64> = []
    func expected(_ view: View, _ page: UInt64) -> UInt8? {
      view.missing.contains(page) ? nil : view.copies[page] ?? content[Int(page)]
    }
    func check(_ number: Int, _ page: UInt64, _ step: Int) {
      let shown = views[number].space.load(views[number].address + page << 12)
      let wanted = expected(views[number], page)
      if views[number].sharing == .private, wanted == 0 { zeros.insert(page) }
      if shown == 0 && views[number].sharing == .private && zeros.contains(page) { return }
      #expect(shown == wanted, "seed \(seed), step \(step), page \(page) of view \(number)")
    }
    func store(_ number: Int, _ page: UInt64, _ value: UInt8) {
      let isPossible = views[number].isWritable && !views[number].missing.contains(page)
      let stored = views[number].space.store(value, at: views[number].address + page << 12)
      #expect(stored == isPossible, "seed \(seed)")
      guard stored else { return }
      if views[number].sharing == .private { views[number].copies[page] = value } else { content[Int(page)] = value }
    }
    machine.fill(views[0].space, 0..<Self.pageCount, 255)
    for page in 0..<Int(Self.pageCount) { content[page] = 255 }
    var wasLarge = 0
    for step in 0..<120 {
      let number = generator.number(below: views.count)
      views[number].space.activate()
      let first = UInt64(generator.number(below: Int(Self.pageCount)))
      let group = first / 512 * 512..<min(Self.pageCount, first / 512 * 512 + 512)
      let some = first..<min(Self.pageCount, first + 1 + UInt64(generator.number(below: 60)))
      let value = UInt8(truncatingIfNeeded: step + 1)
      let fails = generator.chance(oneIn: 8)
      if fails {
        let point: FailurePoint = generator.chance(oneIn: 2) ? .frame : .mappingRecord
        machine.system.services.failures.fail(point, number: 1 + UInt32(generator.number(below: 3)))
      }
      switch generator.number(below: 14) {
      case 0, 1, 2: for page in group { store(number, page, value) }
      case 3: for page in group { check(number, page, step) }
      case 4: for page in some { store(number, page, value) }
      case 5, 6:
        let isWritable = !views[number].isWritable
        do {
          let rights: Protection = isWritable ? [.read, .write] : .read
          try views[number].space.protect(range(views[number].address, pages: Self.pageCount), rights, maximum: nil)
          views[number].isWritable = isWritable
        } catch {}
      case 7:
        let part = range(views[number].address + some.lowerBound << 12, pages: UInt64(some.count))
        if (try? views[number].space.unmap(part)) != nil { views[number].missing.formUnion(some) }
      case 8 where views[number].sharing == .shared && views[number].missing.isEmpty == false:
        let wanted = request(
          views[number].address, pages: Self.pageCount, sharing: .shared, object: machine.object.copy())
        if (try? views[number].space.map(wanted)) != nil {
          views[number].missing = []
          views[number].isWritable = true
        }
      case 9:
        machine.object.object.removePages(from: some.lowerBound, to: some.upperBound, machine.system)
        for page in some { content[Int(page)] = 0 }
      case 10 where views.count < 7:
        if let child = try? views[number].space.fork() {
          views.append(
            View(
              space: child, address: views[number].address, sharing: views[number].sharing,
              isWritable: views[number].isWritable,
              copies: views[number].copies, missing: views[number].missing))
        }
      case 11 where views.count > 4:
        views[number].space.retire()
        views.remove(at: number)
        machine.machine.drain()
      case 12:
        machine.system.forgetFutility()
        machine.system.services.failures.disarm()
        _ = machine.system.makeAvailable(machine.system.freeFrameCount + 1 + generator.number(below: 400))
      default: machine.system.reclaim(budget: 1 + generator.number(below: 200))
      }
      machine.system.services.failures.disarm()
      wasLarge += views.contains { machine.leaves($0.space) > 0 } ? 1 : 0
      while !machine.system.drainTeardown(budget: 50) {}
      let wrong = machine.problems(views.map(\.space))
      #expect(wrong == [], "seed \(seed), step \(step)")
      if wrong != [] { break }
      for _ in 0..<24 {
        let other = generator.number(below: views.count)
        views[other].space.activate()
        check(other, UInt64(generator.number(below: Int(Self.pageCount))), step)
      }
    }
    #expect(wasLarge > 0, "seed \(seed)")
    for view in views { view.space.retire() }
    machine.machine.drain()
    #expect(machine.machine.processor.memoryUnit.violations == [])
  }
}
