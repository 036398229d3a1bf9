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
    let mask = process.creationMask
    if arguments.first == SharedMemoryPath.anonymous {
      let descriptor = try lend(of: process) { credentials, table throws(Errno) in
        try files.openAnonymousSharedMemory(request, credentials, creationMask: mask, into: table)
      }
      return .value(UInt64(descriptor))
    }
    let progress = try lend(of: process) { credentials, table throws(Errno) in
      try files.openSharedMemory(
        request, path: thread.frame.value.buffer.span.extracting(0..<stagedByteCount - 1), credentials,
        creationMask: mask, into: table)
    }
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
    try BackReference(process.credentials).tryBorrow { credentials throws(Errno) in
      try files.unlinkSharedMemory(
        path: thread.frame.value.buffer.span.extracting(0..<stagedByteCount - 1), credentials)
    }
    return .value(0)
  }
}
