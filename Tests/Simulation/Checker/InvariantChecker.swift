// The invariants of the memory system, checked from outside over everything that is reachable: every frame has one owner,
// every count equals what is counted, page tables agree with maps, objects and each frame's list of mappings.
//
// The checker runs after an event, when no teardown is left, so nothing unreachable may be alive.

public import Memory

/// One pass over a memory system.
public final class InvariantChecker {
  let system: MemorySystem
  let hardware: SimulatedHardware
  let spaces: [AddressSpace]
  /// References to objects that neither maps nor shadows hold: open files, names, continuations.
  let outsideReferences: [ObjectIdentifier: Int]
  let outsideObjects: [VMObject]
  /// Mappings that are to take the place of others.
  let pendingEntries: [MapEntryInspection]
  /// Whether released work may still be under way.
  let hasTeardown: Bool
  var problems: [String] = []
  var mapped: [Mapping: AddressSpace] = [:]
  /// Leaves of 4 KiB of each frame, and larger ones of each block of 512 frames.
  var frameLeaves: [UInt32: Int] = [:]
  var blockLeaves: [UInt32: Int] = [:]
  var objects: [ObjectIdentifier: ObjectUse] = [:]
  var blocks: Set<UInt32> = []

  /// A leaf, by its entry's physical address, and one of the frames that it maps.
  struct Mapping: Hashable {
    let slot: UInt64
    let frame: UInt32
  }

  /// What the pass learns of one object.
  struct ObjectUse {
    let object: VMObject
    var references = 0
    var writableBytes: UInt64 = 0
  }

  /// A pass over `hardware`'s memory system with these address spaces alive, and these objects held from outside, each as
  /// often as it is listed.
  public init(
    _ hardware: SimulatedHardware, spaces: [AddressSpace], holding held: [VMObject],
    pending: [MapEntryInspection] = []
  ) {
    pendingEntries = pending
    self.hardware = hardware
    system = hardware.system
    self.spaces = spaces
    hasTeardown = hardware.system.hasTeardown
    outsideObjects = held
    var references: [ObjectIdentifier: Int] = [:]
    for object in held { references[ObjectIdentifier(object), default: 0] += 1 }
    outsideReferences = references
  }

  /// Everything that is wrong, or nothing. `withContents` also compares clean pages with zeros and swap.
  public static func problems(
    _ hardware: SimulatedHardware, spaces: [AddressSpace], holding held: [VMObject],
    pending: [MapEntryInspection] = [], withContents: Bool
  ) -> [String] {
    let checker = InvariantChecker(hardware, spaces: spaces, holding: held, pending: pending)
    checker.problems += hardware.violations
    checker.checkSpaces()
    checker.checkObjects()
    checker.checkFrames(withContents: withContents)
    checker.checkTotals()
    checker.problems += hardware.processor.memoryUnit.staleEntries()
    return checker.problems
  }

  func expect(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { problems.append(message()) }
  }

  func note(_ object: VMObject) -> ObjectIdentifier {
    let identifier = ObjectIdentifier(object)
    if objects[identifier] == nil {
      objects[identifier] = ObjectUse(object: object)
      // A chain is followed once, from wherever it is met first.
      if let backing = object.inspectedBacking {
        let behind = note(backing.object)
        objects[behind]?.references += 1
      }
    }
    return identifier
  }
}
