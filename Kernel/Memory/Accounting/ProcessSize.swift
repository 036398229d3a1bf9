// How much memory a process holds, for the choice of whom to kill when there is none left; measured in bounded steps.
//
// A process holds the pages, in memory and in swap, of every object that it can reach: through its mappings, the objects
// behind those, and its descriptors. An object counts once for a process, and in full for each process that holds it: ending
// one of several holders frees nothing, but dividing would let a program hide what it holds behind helpers. Besides, what
// its records and tables take of the kernel's memory.
//
// Invariant: an object whose `countedIn` is the number of the process that is being measured has been counted for it.

/// How far the measuring of an address space is.
public struct SizePosition: BitwiseCopyable, Sendable {
  /// Where to look for the next mapping.
  fileprivate var address: UInt64 = 0
  /// Whether everything was looked at.
  public fileprivate(set) var isComplete = false

  /// The beginning.
  public init() {}
}

extension MemorySystem {
  /// Begins with another process: nothing has been counted for it yet.
  public func beginSize() { sizeNumber &+= 1 }

  /// The pages of an object, and of those behind it, that have not been counted for the process yet. Takes the objects off
  /// `budget`.
  public func countSize(of object: VMObject, _ budget: inout Int) -> Int {
    var total = 0
    var next: VMObject? = object
    while let current = next, current.countedIn != sizeNumber {
      budget -= 1
      current.countedIn = sizeNumber
      total += current.allocatedPageCount
      next = current.backingObject
    }
    return total
  }
}

extension AddressSpace {
  /// The pages that mappings show which have not been counted for the process yet, as far as `budget` reaches, which the
  /// mappings and objects are taken off.
  public func countSize(from position: inout SizePosition, _ budget: inout Int) -> Int {
    var total = 0
    var handle = findFirst(endingAfter: position.address) ?? .none
    while !handle.isNone {
      if budget <= 0 { return total }
      budget -= 1
      if let object = system.entries[handle].objectOrNil { total += system.countSize(of: object, &budget) }
      position.address = system.entries[handle].end
      handle = system.entries[handle].next
    }
    position.isComplete = true
    return total
  }
}
