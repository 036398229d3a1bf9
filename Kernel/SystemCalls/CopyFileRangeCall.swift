// copy_file_range(2): its checks. It copies between regular files only, and none here can be written; programs that are told
// EINVAL copy with read(2) and write(2) instead.

import ABI
import Files
import Primitives
import Processes

extension SystemCall {
  /// The offsets are copied in before anything else is looked at. Throws EINVAL for flags, EBADF for a descriptor that is not
  /// open or not open the right way, and EINVAL for what is no regular file; a copy of nothing between files succeeds.
  func copyFileRange() throws(Errno) -> Answer {
    var sourceOffset: UInt64 = 0
    var targetOffset: UInt64 = 0
    if !arguments.second.isNull {
      guard let offset = try fetchLong(arguments.second.address) else { return .restart }
      sourceOffset = offset
    }
    if !arguments.fourth.isNull {
      guard let offset = try fetchLong(arguments.fourth.address) else { return .restart }
      targetOffset = offset
    }
    guard arguments.sixth.word == 0 else { throw .einval }
    let source = try file(
      arguments.first.descriptor, needing: arguments.second.isNull ? .read : .positionedRead)
    guard source.flags.contains(.read) else { throw .ebadf }
    guard source.kind != .object else { throw .einval }
    let target = try file(
      arguments.third.descriptor, needing: arguments.fourth.isNull ? .write : .positionedWrite)
    guard target.flags.contains(.write) else { throw .ebadf }
    guard target.kind != .object else { throw .einval }
    guard !target.statusFlags.contains(.append) else { throw .ebadf }
    guard arguments.fifth.raw == 0 else { throw .einval }
    stage(sourceOffset, at: 0)
    stage(targetOffset, at: 8)
    beginDelivery()
    addPiece(at: 0, 8, to: arguments.second)
    addPiece(at: 8, 8, to: arguments.fourth)
    return .deliver
  }
}
