// Translations that processors may still have although the tables say something else: gathered while an operation changes the
// tables, and forgotten together at its end.
//
// One word from each page that changed is enough for the processor to forget a leaf of any size, and every table on the way to
// any page with it (INVLPG; Intel SDM volume 3A, 4.10.4.1).
import Primitives

/// What processors have to forget at the end of an operation on the page tables of one address space.
struct StaleTranslations: ~Copyable {
  /// The most pages that are named one by one; more are forgotten with everything else.
  static let singleLimit = 32

  /// The number of the first page that changed.
  fileprivate var first: UInt64 = 0
  /// Bit n: page `first + n` changed. All bits: pages that lie further apart, or nobody has to forget any.
  fileprivate var pages: UInt64
  /// Tables that are out of use, and free once they are forgotten.
  var tables = FrameList()

  /// Nothing yet, for these processors.
  @inline(__always)
  init(_ processors: ProcessorSet) { pages = processors.isEmpty ? ~0 : 0 }

  /// Whether there is nothing to forget.
  @inline(__always)
  var isEmpty: Bool { pages == 0 && tables.isEmpty }

  /// The leaf that maps a page has gone, or has lost a right or a mark.
  @inline(__always)
  mutating func note(_ address: UInt64) {
    if pages == ~0 { return }
    let page = address >> Page.shift
    if pages == 0 { first = page }
    let distance = page &- first
    pages |= distance < 64 ? 1 &<< distance : ~0
  }
}

extension MemorySystem {
  /// Has processors forget the translation of a page. Only the one that executes this exists.
  @inline(__always)
  func issue(page: UInt64, to processors: ProcessorSet) {
    precondition(processors == .first)
    invalidate(page: VirtualAddress(page))
  }

  /// Has processors forget translations.
  func issue(_ stale: borrowing StaleTranslations, to processors: ProcessorSet) {
    precondition(processors == .first)
    var left = stale.pages
    // (Most often it is one page: that is told without counting.)
    if left == 0 || left & (left &- 1) != 0 && left.nonzeroBitCount > StaleTranslations.singleLimit {
      return invalidateAll()
    }
    while left != 0 {
      let page = stale.first &+ UInt64(truncatingIfNeeded: left.trailingZeroBitCount)
      invalidate(page: VirtualAddress(page &<< Page.shift))
      left &= left &- 1
    }
  }
}
