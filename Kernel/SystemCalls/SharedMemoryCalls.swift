// shm_open(2) in both generations, and shm_unlink(2).

import ABI
import Files
import Memory
import Processes

extension Kernel {
  func openSharedMemory(
    _ call: SystemCall, _ arguments: Arguments, _ thread: Thread, _ process: Process, _ stagedByteCount: Int
  ) throws(Errno) -> Outcome {
    let request = try sharedMemoryRequest(call, arguments)
    let table = fileTable(process)
    if arguments.first == SharedMemoryPath.anonymous {
      let descriptor = try files.openAnonymousSharedMemory(
        request, process.credentials, creationMask: process.creationMask, into: table)
      return .value(UInt64(descriptor))
    }
    let progress = try files.openSharedMemory(
      request, path: thread.buffer.span.extracting(0..<stagedByteCount - 1),
      process.credentials, creationMask: process.creationMask, into: table)
    return continueOpen(progress, thread)
  }

  func continueOpen(_ progress: OpenProgress, _ thread: Thread) -> Outcome {
    switch progress {
    case .opened(let descriptor): .value(UInt64(descriptor))
    case .wait(let channel, let pending): park(thread, .open(pending), on: channel)
    case .again(let pending): cut(thread, .open(pending))
    }
  }

  func unlinkSharedMemory(
    _ thread: Thread, _ process: Process, _ stagedByteCount: Int
  ) throws(Errno) -> Outcome {
    try files.unlinkSharedMemory(
      path: thread.buffer.span.extracting(0..<stagedByteCount - 1), process.credentials)
    return .value(0)
  }
}
