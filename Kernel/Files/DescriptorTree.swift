// The nodes of a descriptor table: a radix tree of 64-way nodes whose bit masks find the lowest free number in one step a
// level.
//
// Invariants
// - `used` of a leaf has a bit for every file, which the leaf keeps alive; `closeOnExec` has bits of used descriptors only.
// - A leaf is empty before it goes: it does not look at its places again.
// - In a branch, `present` has a bit for every child, and `full` one for every child in which no number is free. A child
//   that holds nothing is given back at once.

import Memory
import Primitives

/// Sixty-four neighbouring descriptors.
struct DescriptorLeaf: ~Copyable {
  var used: UInt64 = 0
  var closeOnExec: UInt64 = 0
  /// What those are limited to that are limited (FileTable+Limits.swift).
  var limits = Handle<LimitLeaf>.none
  /// Read from where it lies: read through a method of the leaf, all of it would be copied.
  private(set) var files = [64 of HeldReference<OpenFile>](repeating: HeldReference())

  /// Puts a file into an empty slot.
  @inline(__always)
  mutating func fill(_ slot: Int, _ file: consuming OpenFile, closeOnExec isSet: Bool) {
    var held = HeldReference<OpenFile>()
    held.fill(file)
    fill(slot, held, closeOnExec: isSet)
  }

  /// The same of a file that is handed over.
  @inline(__always)
  mutating func fill(_ slot: Int, _ file: HeldReference<OpenFile>, closeOnExec isSet: Bool) {
    precondition(files[slot].borrowed.isEmpty, "a descriptor filled twice")
    let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: slot)
    used |= bit
    if isSet { closeOnExec |= bit }
    files[slot] = file
  }

  /// Puts a file in place of another, which the caller drops when the table is in order again.
  mutating func replace(_ slot: Int, by file: consuming OpenFile, closeOnExec isSet: Bool) -> OpenFile? {
    let replaced = files[slot].take()
    files[slot].fill(file)
    setCloseOnExec(isSet, slot)
    return replaced
  }

  /// Whether a slot is all that keeps its file alive.
  mutating func holdsOnlyReference(_ slot: Int) -> Bool { files[slot].isOnlyReference() }

  mutating func setCloseOnExec(_ isSet: Bool, _ slot: Int) {
    let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: slot)
    closeOnExec = isSet ? closeOnExec | bit : closeOnExec & ~bit
  }

  /// Empties a slot and hands its file to the caller, who drops it when the table is in order again.
  @inline(__always)
  mutating func clear(_ slot: Int) -> OpenFile? {
    let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: slot)
    used &= ~bit
    closeOnExec &= ~bit
    return files[slot].take()
  }
}

/// Sixty-four neighbouring children.
struct DescriptorBranch<Child: ~Copyable>: BitwiseCopyable {
  var present: UInt64 = 0
  var full: UInt64 = 0
  var children = [64 of Handle<Child>](repeating: .none)

  mutating func add(_ child: Handle<Child>, at slot: Int) {
    present |= 1 << UInt64(slot)
    children[slot] = child
  }

  mutating func remove(at slot: Int) {
    present &= ~(1 << UInt64(slot))
    full &= ~(1 << UInt64(slot))
    children[slot] = .none
  }

  mutating func setFull(_ isFull: Bool, at slot: Int) {
    if isFull { full |= 1 << UInt64(slot) } else { full &= ~(1 << UInt64(slot)) }
  }
}

extension UInt64 {
  /// The lowest set bit at or above `position`, which may be 64; nil when there is none.
  @inline(__always)
  func lowestBit(from position: Int) -> Int? {
    guard position < 64 else { return nil }
    let rest = self & (UInt64.max &<< UInt64(truncatingIfNeeded: position))
    return rest == 0 ? nil : rest.trailingZeroBitCount
  }
}
