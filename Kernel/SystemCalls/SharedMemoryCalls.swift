// shm_open(2) in both generations, and shm_unlink(2).

import ABI
import Files
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareSharedMemoryCalls() {
    let open = MemoryDemand.refuses(.enfile, HeapCost.sharedMemoryOpen)
    declare(
      .shmOpen, "shm_open (482)", [.objectName, .openFlags, .mode],
      copyIn: .chosen { call throws(Errno) in try call.pathRequest(.year2008) }, open
    ) { call throws(Errno) in try call.openSharedMemory(.year2008) }
    declare(
      .shmOpen2, "shm_open2", [.objectName, .openFlags, .mode, .bits, .path],
      copyIn: .chosen { call throws(Errno) in try call.pathRequest(.today) }, open
    ) { call throws(Errno) in try call.openSharedMemory(.today) }
    declare(.shmUnlink, "shm_unlink", [.path], copyIn: .path(argument: 0)) { call throws(Errno) in
      try call.unlinkSharedMemory()
    }
  }
}

extension SystemCall {
  /// SHM_ANON, which is no path.
  private static let anonymous: UInt64 = 1

  private func request(
    _ generation: SharedMemoryGeneration
  ) throws(Errno) -> SharedMemoryOpenRequest {
    let flags = OpenFlags(rawValue: arguments.second.word)
    let mode = FileMode(rawValue: UInt16(truncatingIfNeeded: arguments.third.raw))
    if generation == .year2008 { return try SharedMemoryOpenRequest(generation: .year2008, flags: flags, mode: mode) }
    return try SharedMemoryOpenRequest(
      generation: .today, flags: flags, mode: mode,
      sharedMemoryFlags: SharedMemoryFlags(rawValue: arguments.fourth.word))
  }

  /// The flags are checked before the path is looked at.
  fileprivate func pathRequest(
    _ generation: SharedMemoryGeneration
  ) throws(Errno) -> CopyInRequest {
    _ = try request(generation)
    return arguments.first.raw == SystemCall.anonymous ? .nothing : .path(arguments.first.address)
  }

  fileprivate func openSharedMemory(_ generation: SharedMemoryGeneration) throws(Errno) -> Answer {
    let request = try request(generation)
    let mask = process.creationMask
    let files = kernel.files
    if arguments.first.raw == SystemCall.anonymous {
      let descriptor = try lend { credentials, table throws(Errno) in
        try files.openAnonymousSharedMemory(request, credentials, creationMask: mask, into: table)
      }
      return .value(UInt64(descriptor))
    }
    let outcome = try withPath { path throws(Errno) in
      try lend { credentials, table throws(Errno) in
        try files.openSharedMemory(request, path: path, credentials, creationMask: mask, into: table)
      }
    }
    switch outcome {
    case .opened(let descriptor): return .value(UInt64(descriptor))
    case .unfinished(let pending): return try goOn(.open(pending))
    }
  }

  fileprivate func unlinkSharedMemory() throws(Errno) -> Answer {
    try withPath { path throws(Errno) in
      try BackReference(process.credentials).tryBorrow { credentials throws(Errno) in
        try kernel.files.unlinkSharedMemory(path: path, credentials)
      }
    }
    return .value(0)
  }
}
