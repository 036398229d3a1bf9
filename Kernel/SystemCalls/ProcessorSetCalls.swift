// cpuset_getaffinity(2), cpuset_setaffinity(2): there is one processor, and everybody runs on it.

import ABI
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareProcessorSetCalls() {
    declare(.cpusetGetaffinity, "cpuset_getaffinity", [.integer, .integer, .long, .size, .pointer]) {
      call throws(Errno) in try call.affinity()
    }
    declare(
      .cpusetSetaffinity, "cpuset_setaffinity", [.integer, .integer, .long, .size, .pointer],
      copyIn: .chosen { call throws(Errno) in .bytes(call.arguments.fifth.range(try call.maskByteCount())) }
    ) { call throws(Errno) in try call.setAffinity() }
  }
}

extension SystemCall {
  /// How large a mask is that a program has. Throws ERANGE for one that is larger than any.
  fileprivate func maskByteCount() throws(Errno) -> Int {
    let byteCount = arguments.fourth.raw
    guard byteCount <= UInt64(thread.frame.value.buffer.count) else { throw .erange }
    return Int(byteCount)
  }

  /// The process that level, kind and identifier name; `none` for a set of no process in particular. Throws EINVAL for a level or
  /// kind that there is not, ESRCH.
  private func subject() throws(Errno) -> ProcessSlot {
    let (level, kind, identifier) = (arguments.first.integer, arguments.second.integer, arguments.third.long)
    guard level >= ProcessorSetLevel.root, level <= ProcessorSetLevel.which else { throw .einval }
    switch kind {
    case ProcessorSetSubject.thread: return try owner(ofThread: identifier)
    case ProcessorSetSubject.process: return try slot(ofProcess: identifier)
    case ProcessorSetSubject.threadOrProcess:
      return identifier > Int64(InterfaceLimits.maximumProcessIdentifier)
        ? try owner(ofThread: identifier) : try slot(ofProcess: identifier)
    case ProcessorSetSubject.set:
      guard identifier == -1 || identifier == ProcessorSetSubject.defaultSet else { throw .esrch }
      return .none
    case ProcessorSetSubject.jail:
      guard identifier == -1 || identifier == 0 else { throw .esrch }
      return .none
    default: throw .einval
    }
  }

  private func owner(ofThread identifier: Int64) throws(Errno) -> ProcessSlot {
    if identifier == -1 { return process.slot }
    guard let identifier = Int32(exactly: identifier), let found = kernel.processes.thread(identifier) else {
      throw .esrch
    }
    return found.process
  }

  private func slot(ofProcess identifier: Int64) throws(Errno) -> ProcessSlot {
    if identifier == -1 { return process.slot }
    guard let identifier = Int32(exactly: identifier), let found = kernel.processes.livingProcess(identifier) else {
      throw .esrch
    }
    return found.slot
  }

  /// cpuset_getaffinity(2): the first processor. A mask must have a place for it, and what it has more is zero.
  fileprivate func affinity() throws(Errno) -> Answer {
    _ = try subject()
    let byteCount = try maskByteCount()
    guard byteCount > 0 else { throw .erange }
    for index in 0..<byteCount { stage(UInt8(index == 0 ? 1 : 0), at: index) }
    return deliver(byteCount, to: arguments.fifth.address)
  }

  /// cpuset_setaffinity(2): no other set than the one processor is possible.
  fileprivate func setAffinity() throws(Errno) -> Answer {
    let byteCount = try maskByteCount()
    var isEmpty = true
    for index in 0..<byteCount where buffer[index] != 0 {
      if index >= ProcessorSetMask.byteCount { throw .einval }
      isEmpty = false
    }
    if isEmpty { throw .edeadlk }
    let target = try subject()
    if let other = kernel.processes[target], !kernel.processes.maySchedule(other, by: process) { throw .eperm }
    guard buffer[0] == 1 else { throw .einval }
    for index in 1..<byteCount where buffer[index] != 0 { throw .einval }
    return .value(0)
  }
}
