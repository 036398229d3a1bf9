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
}
