// From a call to its handler.

import ABI
import Files
import Memory
import Processes

extension Kernel {
  /// Runs the handler of a call whose path or structure is in the thread's buffer.
  @inline(__always)
  func handle(
    _ call: SystemCall, _ arguments: Arguments, _ thread: Thread, _ process: Process, stagedByteCount: Int
  ) throws(Errno) -> Outcome {
    switch call {
    // Files
    case .close:
      try fileTable(process).close(descriptor(arguments.first))
      return .value(0)
    case .read, .pread: return try read(call, arguments, thread, process)
    case .write, .pwrite: return try write(call, arguments, thread, process)
    case .lseek: return try seek(arguments, thread, process)
    case .fcntl: return try fileControl(arguments, thread, process)
    case .fstat: return try status(arguments, thread, process)
    case .fstat2008: return try status2008(arguments, thread, process)
    case .ftruncate: return try truncate(arguments, thread, process)
    case .dup: return .value(try duplicate(arguments, process))
    case .dup2: return .value(try duplicateOnto(arguments, process))
    case .open: return try open(arguments.second, thread, process, stagedByteCount)
    case .openat:
      try checkDirectory(arguments, thread, process, stagedByteCount)
      return try open(arguments.third, thread, process, stagedByteCount)
    case .ioctl: return try deviceControl(arguments, thread, process)
    case .fchmod, .fchown, .fsync: return try changeFile(call, arguments, process)
    case .copyFileRange: return try copyFileRange(arguments, thread, process)
    case .getdtablesize: return .value(UInt64(fileTable(process).limit))
    case .closefrom, .closeRange: return try closeRange(call, arguments, thread, process)
    // Memory
    case .mmap: return try map(arguments, thread, process)
    case .munmap: return try unmap(arguments, thread, process)
    case .mprotect: return try protect(arguments, thread, process)
    case .setBreak: return try setBreak(arguments, thread, process)
    case .shmOpen, .shmOpen2: return try openSharedMemory(call, arguments, thread, process, stagedByteCount)
    case .shmUnlink: return try unlinkSharedMemory(thread, process, stagedByteCount)
    // Time
    case .clockGettime: return try clockTime(arguments, thread, process)
    case .clockGetres: return try clockResolution(arguments, thread)
    case .gettimeofday: return timeOfDay(arguments, thread, process)
    case .nanosleep: return try sleep(thread)
    // Processes
    case .fork: return try fork(ForkOptions(), thread, process)
    case .vfork: return try fork(.virtual, thread, process)
    case .rfork: return try forkPartly(arguments, thread, process)
    case .execve: return try execute(arguments, thread, process, stagedByteCount)
    case .exit:
      processes.beginExit(process, .exited(Int32(truncatingIfNeeded: arguments.first)))
      return .registersSet
    case .wait4: return try waitForChild(arguments, thread, process)
    default: return try handleOther(call, arguments, thread, process, stagedByteCount: stagedByteCount)
    }
  }

  private func handleOther(
    _ call: SystemCall, _ arguments: Arguments, _ thread: Thread, _ process: Process, stagedByteCount: Int
  ) throws(Errno) -> Outcome {
    switch call {
    case .getpid: return .value(UInt64(process.identifier))
    case .getppid: return .value(UInt64(processes[process.parent]?.identifier ?? 0))
    case .kill: return try kill(arguments, thread, process)
    case .getpgrp: return .value(UInt64(process.groupIdentifier))
    case .setpgid:
      try processes.setProcessGroup(integer(arguments.first), integer(arguments.second), by: process)
      return .value(0)
    case .getpgid: return .value(UInt64(try processes.processGroup(of: integer(arguments.first), by: process)))
    case .setsid: return .value(UInt64(try processes.makeSession(process)))
    case .getsid: return .value(UInt64(try processes.session(of: integer(arguments.first), by: process)))
    case .schedYield:
      store(0, thread)
      processes.yield()
      return .registersSet
    case .thrSelf: return copyOutWord(UInt64(thread.identifier), to: arguments.first, thread)
    case .getrusage: return try usage(arguments, thread, process)
    case .sigaction: return try signalAction(arguments, thread, process)
    case .procctl:
      try processes.protect(
        IdentifierType(rawValue: integer(arguments.first)), Int64(bitPattern: arguments.second),
        thread.frame.value.buffer.span.loadUInt32(at: 0), by: process)
      return .value(0)
    case .sysctl, .sysctlbyname: return try systemControl(call, arguments, thread, process, stagedByteCount)
    case .reboot: return try reboot(arguments, process)
    case .sysarch: return try systemArchitecture(arguments, thread)
    case .getrlimit: return try resourceLimit(arguments, thread, process)
    case .setrlimit: return try setResourceLimit(arguments, thread, process)
    case .getrandom: return try random(arguments, thread, process)
    default: return try handleIdentity(call, arguments, thread, process)
    }
  }

  // MARK: Arguments and results

  /// A descriptor argument.
  @inline(__always)
  func descriptor(_ argument: UInt64) -> Int32 { Int32(truncatingIfNeeded: argument) }

  /// An int argument.
  @inline(__always)
  func integer(_ argument: UInt64) -> Int32 { Int32(truncatingIfNeeded: argument) }

  /// An identifier argument of which −1 means "leave it".
  func optionalIdentifier(_ argument: UInt64) -> UInt32? {
    let value = UInt32(truncatingIfNeeded: argument)
    return value == UInt32.max ? nil : value
  }

  /// Stores a result now, because the handler does something afterwards that may give the processor away.
  func store(_ value: UInt64, _ thread: Thread) {
    _ = succeed(value, thread)
  }

  /// Parks a thread with what remains of its call.
  func park(_ thread: Thread, _ continuation: consuming Continuation, on channel: WaitChannel) -> Outcome {
    thread.continuation = continuation
    processes.park(thread, on: channel)
    return .parked
  }

  /// Looks at the clock before a long call goes on, and lets others have a turn if this thread's is used up. Who wakes takes
  /// the processor in `next()`.
  func cut(_ thread: Thread, _ continuation: consuming Continuation) -> Outcome {
    thread.continuation = continuation
    processes.needsAttention = true
    processes.lookAtClock()
    processes.endUsedTurn()
    return .parked
  }

  /// Stages one 64-bit result for copying out.
  func copyOutWord(_ value: UInt64, to address: UInt64, _ thread: Thread) -> Outcome {
    stage(value, at: 0, &thread.frame.value.buffer)
    return .copyOut(address: address, byteCount: 8)
  }

  /// Puts an integer into a call buffer.
  @inline(__always)
  func stage<Value: FixedWidthInteger & BitwiseCopyable>(
    _ value: Value, at offset: Int, _ buffer: inout [1024 of UInt8]
  ) {
    var span = buffer.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    bytes.store(value, at: offset)
  }
}
