// readv(2), writev(2), preadv(2) and pwritev(2): reads and writes of several pieces of the program's memory (spec sockets.md
// section 9).

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareVectorCalls() {
    let demand = MemoryDemand.waits(HeapCost.transfer + HeapCost.transferVector)
    declare(.readv, "readv", [.descriptor, .pointer, .integer], demand) { call throws(Errno) in
      try call.vector(at: nil, writes: false)
    }
    declare(.writev, "writev", [.descriptor, .pointer, .integer], demand) { call throws(Errno) in
      try call.vector(at: nil, writes: true)
    }
    declare(.preadv, "preadv", [.descriptor, .pointer, .integer, .long], demand) { call throws(Errno) in
      try call.vector(at: call.arguments.fourth.long, writes: false)
    }
    declare(.pwritev, "pwritev", [.descriptor, .pointer, .integer, .long], demand) { call throws(Errno) in
      try call.vector(at: call.arguments.fourth.long, writes: true)
    }
  }
}

extension SystemCall {
  /// Throws, in this order: EINVAL for more than 1024 pieces, EFAULT where they cannot be read, EINVAL when they are too long
  /// together; then what read(2) and write(2) throw. ENOMEM when the user may have no more of the kernel's memory for them.
  fileprivate func vector(at position: Int64?, writes: Bool) throws(Errno) -> Answer {
    if let moved = vectorAtOnce(at: position, writes: writes) { return .value(moved) }
    let vector = try TransferVector.make(
      kernel.memory, count: arguments.third.word, at: arguments.second.address, for: process.credentials.account)
    guard let vector else {
      thread.wanted = .frames
      return .restart
    }
    return try goOn(
      .vector(
        PendingVector(vector, descriptor: arguments.first.descriptor.number, at: position, writes: writes)))
  }

  /// What was moved of few bytes in few pieces, if that could be done at once; nothing else is decided here.
  private func vectorAtOnce(at position: Int64?, writes: Bool) -> UInt64? {
    let count = Int(arguments.third.word)
    guard count > 0, count <= ShortTransfer.mostPieces else { return nil }
    let physical = kernel.memory.physical
    return spaceReference.borrow { space in
      guard let place = space.translate(arguments.second.address, byteCount: 16 &* count, .read) else { return nil }
      physical.copy(place, to: thread.bufferAddress, byteCount: 16 &* count)
      guard
        let short = ShortTransfer(thread.bufferAddress, count: count, at: position, writes: writes, physical),
        let file = try? fileReference(
          arguments.first.descriptor,
          needing: position == nil ? (writes ? .write : .read) : (writes ? .positionedWrite : .positionedRead))
      else { return nil }
      return file.borrow { file in
        file.knowsShort && file.flags.contains(writes ? .write : .read) ? file.moveAtOnce(short, space) : nil
      }
    }
  }
}
