// getsockopt(2) and setsockopt(2) (spec sockets.md section 6).

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareSocketOptionCalls() {
    declare(.getsockopt, "getsockopt", [.descriptor, .integer, .bits, .pointer, .pointer]) { call throws(Errno) in
      try call.socketOption()
    }
    declare(.setsockopt, "setsockopt", [.descriptor, .integer, .bits, .pointer, .size]) { call throws(Errno) in
      try call.setSocketOption()
    }
  }
}

extension SystemCall {
  /// Throws EFAULT and EINVAL for the length, EBADF, ENOTSOCK, then what the option throws.
  fileprivate func socketOption() throws(Errno) -> Answer {
    var room: UInt32 = 0
    if !arguments.fourth.isNull {
      guard let told = try fetchLength(arguments.fifth) else { return .restart }
      room = told
      guard room <= UInt32(Int32.max) else { throw .einval }
    }
    let file = try socketFile(needing: .getSocketOption)
    let (level, option) = (arguments.second.integer, arguments.third.integer)
    let result = thread.frame.value.buffer.withMutableBytes { bytes in
      Result { () throws(Errno) in try file.option(level, option, into: &bytes) }
    }
    let told = min(Int(room), try result.get())
    stage(UInt32(told), at: 128)
    beginDelivery()
    if told > 0 { thread.frame.value.delivery.append(address: arguments.fourth.address, offset: 0, byteCount: told) }
    thread.frame.value.delivery.append(address: arguments.fifth.address, offset: 128, byteCount: 4)
    return .deliver
  }

  /// Throws EFAULT for no value, EINVAL for a negative length, EBADF, ENOTSOCK, then what the option throws.
  fileprivate func setSocketOption() throws(Errno) -> Answer {
    let room = arguments.fifth.integer
    if arguments.fourth.isNull && room != 0 { throw .efault }
    guard room >= 0 else { throw .einval }
    let file = try socketFile(needing: .setSocketOption)
    let (level, option) = (arguments.second.integer, arguments.third.integer)
    let byteCount = try SocketFile.valueByteCount(level, option)
    guard Int(room) >= byteCount else { throw .einval }
    guard try fetch(arguments.fourth.range(byteCount)) else { return .restart }
    try file.setOption(level, option, thread.frame.value.buffer.span.extracting(0..<byteCount))
    return .value(0)
  }
}
