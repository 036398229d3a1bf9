// Pipes (spec sockets.md section 2), naively: an array of bytes for each end.
import ABI

/// One end of a pipe, with what it reads. It goes with its open file.
final class ModelPipeEnd {
  var bytes: [UInt8] = []
  var capacity: Int
  weak var peer: ModelPipeEnd?
  /// The real user who made it, and the effective user and group.
  let creator: UInt32
  let user: UInt32
  let group: UInt32
  var inode: UInt64?
  var accessTime: ModelInstant
  var modificationTime: ModelInstant
  var changeTime: ModelInstant

  init(capacity: Int, by process: ModelProcess, at now: ModelInstant) {
    self.capacity = capacity
    creator = process.credentials.realUser
    user = process.credentials.effectiveUser
    group = process.credentials.effectiveGroup
    accessTime = now
    modificationTime = now
    changeTime = now
  }

  static let smallest = 4096
  static let usual = 16_384
  static let largest = 65_536
}

/// A piece of a program's memory.
struct ModelPiece: Equatable, Sendable, Codable {
  var address: UInt64
  var byteCount: UInt64
}

extension ReferenceModel {
  /// Every end that is open.
  var pipeEnds: [ModelPipeEnd] { openFiles.compactMap(\.pipe) }

  private var pipeByteCount: Int { pipeEnds.reduce(0) { $0 + $1.capacity } }
  private var pipeSpace: Int { max(facts.pageCount / 64 * 4096, 512 << 10) }
  /// Whether reads and writes make buffers small.
  private var isPipeSpaceScarce: Bool { pipeByteCount > pipeSpace / 4 * 3 }

  /// Whether the buffers of pipes may take so many bytes more, for the user who pays.
  private func admitsPipe(_ byteCount: Int, for user: UInt32, by process: ModelProcess) -> Bool {
    let limit = process.limits[15].soft
    if limit > 0 && limit != ModelLimit.infinity {
      let own = pipeEnds.reduce(0) { $0 + ($1.creator == user ? $1.capacity : 0) }
      if own + byteCount > Int(limit) { return false }
    }
    let space = process.credentials.effectiveUser == 0 ? pipeSpace : pipeSpace / 100 * 98
    return pipeByteCount + byteCount <= space
  }

  /// pipe2(2), or with `flags` nil the old pipe(2), whose second result is in a register.
  func makePipe(_ process: ModelProcess, _ flags: UInt32?) throws(Difference) -> Expectation {
    if let flags, flags & ~0x10_0004 != 0 { return .error(.einval) }
    var capacities: [Int] = []
    for wanted in [ModelPipeEnd.usual, ModelPipeEnd.smallest] {
      let other = capacities.first ?? 0
      let isShort = pipeByteCount + other > pipeSpace / 2
      let sizes = isShort ? [ModelPipeEnd.smallest] : [wanted, ModelPipeEnd.smallest]
      guard
        let size = sizes.first(where: { admitsPipe($0 + other, for: process.credentials.realUser, by: process) })
      else { return .error(.enomem) }
      capacities.append(size)
    }
    let pages = UInt64(capacities[0] + capacities[1]) / 4096
    if isRefused(pages, for: process.credentials.realUser, by: process) { return .error(.enomem) }
    if let error = fileLimitError(process) { return .error(error) }
    let first = process.freeDescriptor()
    let second = process.freeDescriptor(from: first + 1)
    if isOutOfFiles(process, beside: 1) { return .error(.enfile) }
    if Int(second) >= descriptorLimit(process) { return .error(.emfile) }
    if flags != nil && !reaches(process, .output, 8, write: true) { return .error(.efault) }
    let ends = capacities.map { ModelPipeEnd(capacity: $0, by: process, at: now) }
    ends[0].peer = ends[1]
    ends[1].peer = ends[0]
    for (number, end) in zip([first, second], ends) {
      let file = ModelFile(kind: .pipe(end), isReadable: true, isWritable: true)
      file.statusFlags = (flags ?? 0) & 4
      process.descriptors[number] = ModelDescriptor(file: file, closesOnExec: (flags ?? 0) & 0x10_0000 != 0)
    }
    guard flags != nil else { return .value(UInt64(first) | UInt64(second) << 32) }
    let told = try output(.output, 8)
    try check("the first end", told, 0, 4, UInt64(first))
    try check("the second end", told, 4, 4, UInt64(second))
    return .value(0)
  }

  // MARK: Reading and writing

  /// What a write makes of the other end's buffer before anything else.
  private func capacity(of end: ModelPipeEnd, for byteCount: Int, by process: ModelProcess) -> Int {
    if isPipeSpaceScarce { return end.bytes.isEmpty ? ModelPipeEnd.smallest : end.capacity }
    var wanted = end.capacity
    while wanted - end.bytes.count < byteCount && wanted < ModelPipeEnd.largest && pipeByteCount <= pipeSpace / 2 {
      wanted *= 2
    }
    if wanted == end.capacity { return wanted }
    let isRefused =
      !admitsPipe(wanted, for: end.creator, by: process)
      || isRefused(UInt64(wanted - end.capacity) / 4096, for: end.creator, by: process)
    return isRefused ? end.capacity : wanted
  }

  /// Whether a write would make a buffer larger: what refuses that leaves no trace but the size.
  func growsPipe(_ file: ModelFile, _ byteCount: Int) -> Bool {
    guard let end = file.pipe?.peer else { return false }
    return end.capacity - end.bytes.count < byteCount && end.capacity < ModelPipeEnd.largest
  }

  /// Whether a read or write of a pipe would sleep where the script would not go on, or depends on which pages are at hand.
  func pipeIsOpen(
    _ process: ModelProcess, _ file: ModelFile, _ pieces: [ModelPiece], writes: Bool
  ) -> Bool {
    guard let own = file.pipe else { return false }
    let byteCount = pieces.reduce(0) { $0 + Int(min($1.byteCount, 1 << 40)) }
    if byteCount <= 0 || byteCount > 1 << 20 { return false }
    guard let end = writes ? own.peer : own else { return false }
    if isPipeSpaceScarce && end.capacity > ModelPipeEnd.smallest && end.bytes.count <= ModelPipeEnd.smallest
      && !end.bytes.isEmpty
    {
      return true
    }
    if !writes { return false }
    // Which frames count is known afterwards only.
    if growsPipe(file, byteCount) && overcommit & 5 == 5 { return true }
    if file.statusFlags & 4 != 0 { return false }
    let refusals = refusalCount
    let capacity = capacity(of: end, for: byteCount, by: process)
    refusalCount = refusals
    let first = pieces.first { $0.byteCount > 0 }?.byteCount ?? 0
    return first >= 8192 && capacity >= 8192 || capacity - end.bytes.count < byteCount
  }

  func readPipe(
    _ process: ModelProcess, _ file: ModelFile, _ end: ModelPipeEnd, _ pieces: [ModelPiece], _ byteCount: Int
  ) throws(Difference) -> Expectation {
    if isPipeSpaceScarce && end.bytes.isEmpty { end.capacity = ModelPipeEnd.smallest }
    if end.bytes.isEmpty {
      if end.peer != nil { return file.statusFlags & 4 != 0 ? .error(.eagain) : .blocked }
      end.accessTime = now
      return .value(0)
    }
    let bytes = Array(end.bytes.prefix(byteCount))
    let count = reachable(process, pieces, bytes.count, write: true)
    store(process, Array(bytes.prefix(count)), in: pieces)
    if count < bytes.count { return .error(.efault) }
    end.bytes.removeFirst(count)
    end.accessTime = now
    try compare(pieces, bytes)
    return .value(UInt64(count))
  }

  func writePipe(
    _ process: ModelProcess, _ file: ModelFile, _ own: ModelPipeEnd, _ pieces: [ModelPiece], _ byteCount: Int
  ) -> Expectation {
    guard let end = own.peer else {
      post(ModelSignal(number: 13, code: 0x10006), to: process, process.thread, isItsOwn: true)
      return process.state == .running ? .error(.epipe) : .ended
    }
    if byteCount > 0 {
      end.capacity = capacity(of: end, for: byteCount, by: process)
      let free = end.capacity - end.bytes.count
      let count = byteCount > 512 ? min(free, byteCount) : free < byteCount ? 0 : byteCount
      if count == 0 { return .error(.eagain) }
      if reachable(process, pieces, count, write: false) < count {
        _ = load(process, pieces, reachable(process, pieces, count, write: false))
        return .error(.efault)
      }
      end.bytes += load(process, pieces, count)
      end.modificationTime = now
      return .value(UInt64(count))
    }
    end.modificationTime = now
    return .value(0)
  }

  /// What ioctl(2) says, after what every file does.
  func pipeControl(_ process: ModelProcess, _ end: ModelPipeEnd, _ request: UInt32) throws(Difference) -> Expectation {
    guard request == 0x4004_667F else { return .error(.enotty) }
    if !reaches(process, .output, 4, write: true) { return .error(.efault) }
    try check("FIONREAD", output(.output, 4), 0, 4, UInt64(end.bytes.count))
    return .value(0)
  }
}
