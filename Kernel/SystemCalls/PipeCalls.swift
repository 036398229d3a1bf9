// pipe2(2), and pipe(2) as programs of FreeBSD 9 and before make it (spec sockets.md section 2).

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declarePipeCalls() {
    let demand = MemoryDemand.refuses(.enomem, HeapCost.pipe)
    declare(.pipe, "pipe (42)", [], demand) { call throws(Errno) in
      let (first, second) = try call.makePipe([])
      return .pair(UInt64(first), UInt64(second))
    }
    declare(.pipe2, "pipe2", [.pointer, .openFlags], demand) { call throws(Errno) in try call.pipe() }
  }
}

extension SystemCall {
  fileprivate func makePipe(_ flags: OpenFlags) throws(Errno) -> (Int32, Int32) {
    try lend { credentials, table throws(Errno) in try kernel.files.makePipe(flags, credentials, into: table) }
  }

  /// Throws EINVAL for other flags than O_CLOEXEC and O_NONBLOCK, ENOMEM, ENFILE, EMFILE, then EFAULT.
  fileprivate func pipe() throws(Errno) -> Answer {
    let flags = OpenFlags(rawValue: arguments.second.word)
    guard flags.isSubset(of: [.closeOnExec, .nonBlocking]) else { throw .einval }
    let address = arguments.first.address
    // The memory is looked for before there is anything that would have to be taken back.
    var isReachable = true
    switch space.makeWritable(at: address, byteCount: 8) {
    case .complete: break
    case .wait(let awaited):
      thread.wanted = awaited
      return .restart
    case .fault, .tooLong: isReachable = false
    }
    let (first, second) = try makePipe(flags)
    stage(first, at: 0)
    stage(second, at: 4)
    // What was reachable at the beginning of an event is at its end.
    if isReachable, try put(arguments.first.range(8)) { return .value(0) }
    try table.close(first)
    try table.close(second)
    throw .efault
  }
}
