// A table of records of one kind in frames that are taken once, in pieces: for what is too large for the heap and has to be
// there before memory is short.

import Primitives

/// A table in physical memory. Its owner gives it back.
struct PhysicalTable<Element: BitwiseCopyable> {
  /// Frames of a piece, as a power of two.
  private static var pieceOrder: Int { 8 }
  private static var elementsPerPiece: UInt32 { UInt32(4096 << pieceOrder) / UInt32(MemoryLayout<Element>.stride) }

  private let physical: PhysicalMemory
  private let pieces: [FrameNumber]
  /// Records in the table.
  let count: UInt32

  private init(_ physical: PhysicalMemory, _ pieces: [FrameNumber], _ count: UInt32) {
    self.physical = physical
    self.pieces = pieces
    self.count = count
  }

  /// Takes the frames for so many records, all of whose bytes are zero; nil when there are too few. The size of a record is a
  /// power of two.
  static func make(_ count: UInt32, _ system: MemorySystem) -> PhysicalTable? {
    precondition(4096 % MemoryLayout<Element>.stride == 0)
    var pieces: [FrameNumber] = []
    var left = Int(Page.count(covering: UInt64(count) * UInt64(MemoryLayout<Element>.stride)))
    while left > 0 {
      let pageCount = min(left, 1 << pieceOrder)
      guard let piece = system.allocateKernelFrames(pageCount) else {
        // Those before are whole ones.
        for piece in pieces { system.freeKernelFrames(piece, count: 1 << pieceOrder) }
        return nil
      }
      system.physical.zero(piece.address, byteCount: pageCount << Int(Page.shift))
      pieces.append(piece)
      left -= pageCount
    }
    return PhysicalTable(system.physical, pieces, count)
  }

  private func place(_ index: UInt32) -> PhysicalAddress {
    precondition(index < count)
    let perPiece = PhysicalTable.elementsPerPiece
    return pieces[Int(index / perPiece)].address + UInt64(index % perPiece) * UInt64(MemoryLayout<Element>.stride)
  }

  /// A record.
  subscript(index: UInt32) -> Element {
    get { physical.load(bytesOf: Element.self, at: place(index)) }
    nonmutating set { physical.store(bytesOf: newValue, at: place(index)) }
  }
}
