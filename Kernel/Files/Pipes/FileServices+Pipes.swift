// pipe2(2), and the space that the buffers of all pipes share (spec sockets.md section 2.1).

public import ABI
import Memory
import Primitives

/// What the buffers of all pipes take, and how much of it there is (kern.ipc.pipekva and its like).
public struct PipeSpace {
  /// `kern.ipc.maxpipekva`
  public let maximumByteCount: Int
  /// `kern.ipc.pipekva`
  public private(set) var byteCount = 0
  /// `kern.ipc.pipebuf_reserv`: the part of it, in percent, that is the superuser's alone.
  public var reservedPercent: UInt32 = 2
  /// `kern.ipc.pipe_mindirect`: from so many bytes on a blocking write waits until they are read.
  public var smallestOfferByteCount: UInt32 = 8192
  /// `kern.ipc.piperesizeallowed`
  public var allowsResizing = true
  /// `kern.ipc.pipefragretry`: buffers that were made smaller than usual.
  public internal(set) var smallerBufferCount: UInt32 = 0
  /// `kern.ipc.pipeallocfail`: pipes that could not be made.
  public internal(set) var failedBufferCount: UInt32 = 0
  /// `kern.ipc.piperesizefail`: buffers that could not be made larger.
  public internal(set) var failedResizeCount: UInt32 = 0

  init(pageCount: Int) {
    maximumByteCount = max(
      (pageCount / PipeLimits.pagesPerSpacePage) << Int(Page.shift), PipeLimits.leastSpaceByteCount)
  }

  mutating func count(_ byteCount: Int) { self.byteCount += byteCount }

  /// Whether buffers may still grow, and new ones be of the usual size.
  var allowsGrowth: Bool { byteCount <= maximumByteCount / 2 && allowsResizing }

  /// Whether buffers are to be made smaller.
  @inline(__always)
  var isScarce: Bool { byteCount > maximumByteCount / 4 * 3 }

  /// Whether a buffer of so many bytes fits.
  func admits(_ byteCount: Int, isPrivileged: Bool) -> Bool {
    if isPrivileged { return self.byteCount + byteCount <= maximumByteCount }
    let share = maximumByteCount / 100 * max(0, 100 - Int(reservedPercent))
    return self.byteCount + byteCount <= share
  }
}

extension FileServices {
  /// Makes a pipe and gives its ends the two lowest free descriptors. O_CLOEXEC is the descriptors', O_NONBLOCK the ends'.
  ///
  /// Throws ENOMEM when there is no space for its buffers; ENFILE, EMFILE, and then nothing is left open.
  public func makePipe(
    _ flags: OpenFlags, _ caller: Credentials, into table: FileTable
  ) throws(Errno) -> (Int32, Int32) {
    guard caller.account.mayMakeKernelMemory else { throw .enomem }
    let closesOnExec = flags.contains(.closeOnExec)
    let firstCapacity = try bufferCapacity(PipeLimits.usualByteCount, beside: 0, caller)
    let secondCapacity = try bufferCapacity(PipeLimits.smallestByteCount, beside: firstCapacity, caller)
    let firstObject = try makeBuffer(firstCapacity, caller)
    let secondObject = try makeBuffer(secondCapacity, caller)
    let fileFlags = FileFlags(flags.intersection([.nonBlocking, .readWrite]).union(.readWrite))
    try admitFile(caller)
    let first = try table.reserveLowest()
    let firstEnd = PipeFile(self, firstObject, byteCapacity: firstCapacity, caller, fileFlags)
    table.fill(first, firstEnd, closeOnExec: closesOnExec)
    do throws(Errno) {
      try admitFile(caller)
      let second = try table.reserveLowest()
      let secondEnd = PipeFile(self, secondObject, byteCapacity: secondCapacity, caller, fileFlags)
      firstEnd.peer = BackReference(secondEnd)
      secondEnd.peer = BackReference(firstEnd)
      table.fill(second, secondEnd, closeOnExec: closesOnExec)
      return (first, second)
    } catch {
      try table.close(first)
      throw error
    }
  }

  /// How large a buffer can be: as wanted while there is plenty of space, otherwise as small as there are.
  ///
  /// Throws ENOMEM when not even that can be had beside what the same pipe takes.
  private func bufferCapacity(
    _ wanted: Int, beside other: Int, _ caller: Credentials
  ) throws(Errno) -> Int {
    let smallest = PipeLimits.smallestByteCount
    if pipeSpace.byteCount + other <= pipeSpace.maximumByteCount / 2 {
      if admitsPipeSpace(wanted + other, for: caller.account) { return wanted }
      if wanted > smallest { pipeSpace.smallerBufferCount &+= 1 }
    }
    if admitsPipeSpace(smallest + other, for: caller.account) { return smallest }
    pipeSpace.failedBufferCount &+= 1
    throw .enomem
  }

  private func makeBuffer(_ byteCapacity: Int, _ caller: Credentials) throws(Errno) -> VMObjectReference {
    try VMObject.make(
      memory, .sharedMemory, pageCount: UInt64(byteCapacity) >> Page.shift, account: caller.account)
  }

  /// Whether buffers of pipes may take so many bytes more: of the machine's space, and of what the user may have
  /// (RLIMIT_PIPEBUF, of which 0 is no limit, as in FreeBSD).
  func admitsPipeSpace(_ byteCount: Int, for account: UserAccount) -> Bool {
    let caller = services.caller.instance
    if let limit = caller?.pipeByteLimit, limit > 0, UInt64(account.pipeByteCount + byteCount) > limit { return false }
    return pipeSpace.admits(byteCount, isPrivileged: caller?.isPrivileged ?? true)
  }
}
