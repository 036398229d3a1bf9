// copy_file_range(2): its checks. It copies between regular files only, and none here can be written; programs that are told
// EINVAL copy with read(2) and write(2) instead.

import ABI
import Files
import Memory
import Processes

extension Kernel {
  /// The offsets are copied in before anything else is looked at. Throws EINVAL for flags, EBADF for a descriptor that is not
  /// open or not open the right way, and EINVAL for what is no regular file; a copy of nothing between files succeeds.
  func copyFileRange(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    var sourceOffset: UInt64 = 0
    var targetOffset: UInt64 = 0
    if arguments.second != 0 {
      guard let word = try fetch(arguments.second, 8, thread, process) else { return .parked }
      sourceOffset = word
    }
    if arguments.fourth != 0 {
      guard let word = try fetch(arguments.fourth, 8, thread, process) else { return .parked }
      targetOffset = word
    }
    guard UInt32(truncatingIfNeeded: arguments.sixth) == 0 else { throw .einval }
    let table = fileTable(process)
    let source = try table.file(at: descriptor(arguments.first))
    guard source.flags.contains(.read) else { throw .ebadf }
    guard source.kind != .object else { throw .einval }
    let target = try table.file(at: descriptor(arguments.third))
    guard target.flags.contains(.write) else { throw .ebadf }
    guard target.kind != .object else { throw .einval }
    guard !target.statusFlags.contains(.append) else { throw .ebadf }
    guard arguments.fifth == 0 else { throw .einval }
    stage(sourceOffset, at: 0, &thread.frame.value.buffer)
    stage(targetOffset, at: 8, &thread.frame.value.buffer)
    var result = PendingResult()
    if arguments.second != 0 { result.append(address: arguments.second, offset: 0, byteCount: 8) }
    if arguments.fourth != 0 { result.append(address: arguments.fourth, offset: 8, byteCount: 8) }
    _ = copyOut(result, thread, process)
    return .registersSet
  }
}
