// Reading, writing and seeking (spec shm.md 3.19 to 3.21), naively.
import ABI

extension ReferenceModel {
  func seek(_ process: ModelProcess, _ descriptor: Int32, _ offset: Int64, _ origin: Int32) -> Expectation {
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    if file.isStream { return .error(.espipe) }
    let end: Int64
    switch file.kind {
    case .sharedMemory(let object, _): end = object.size
    case .program(let content): end = Int64(content.count)
    default:
      // A device has no end, and may be anywhere.
      if origin < 0 || origin > 2 { return .error(.einval) }
      file.offset = origin == 1 ? file.offset &+ offset : offset
      return .value(UInt64(bitPattern: file.offset))
    }
    if file.object == nil && (origin == 3 || origin == 4) {
      // All of a file of /bin is data; the only hole is behind it.
      if offset < 0 || offset >= end { return .error(.enxio) }
      file.offset = origin == 3 ? offset : end
      return .value(UInt64(file.offset))
    }
    let base: Int64
    switch origin {
    case 0: base = 0
    case 1: base = file.offset
    case 2: base = end
    default: return .error(.einval)
    }
    let (result, overflows) = base.addingReportingOverflow(offset)
    if overflows { return .error(.eoverflow) }
    if result < 0 || file.object != nil && result > end { return .error(.einval) }
    file.offset = result
    return .value(UInt64(result))
  }

  /// What read(2) and write(2) check before they look at the file: nil, or what they give.
  private func transferResult(
    _ file: ModelFile?, _ isAllowed: (ModelFile) -> Bool, _ byteCount: Int, _ offset: Int64?, writes: Bool
  ) -> Expectation? {
    if byteCount < 0 { return .error(.einval) }
    guard let file, isAllowed(file) else { return .error(.ebadf) }
    if offset != nil && file.isStream { return .error(.espipe) }
    if let offset, offset < 0, !file.isDevice { return .error(.einval) }
    // Reading nothing is done before the file is asked, writing nothing is not.
    if byteCount == 0 && !writes { return .value(0) }
    return file.is2008 ? .error(.eopnotsupp) : nil
  }

  /// Bytes of a range up to the first that cannot be reached.
  private func reachable(_ process: ModelProcess, _ address: UInt64, _ byteCount: Int, write: Bool) -> Int {
    for page in ModelProcess.pages(address, UInt64(byteCount)) where process.access(page: page, write: write) != .fine {
      return page * 4096 <= address ? 0 : Int(page * 4096 - address)
    }
    return byteCount
  }

  /// The same for so many bytes of pieces of memory.
  func reachable(_ process: ModelProcess, _ pieces: [ModelPiece], _ byteCount: Int, write: Bool) -> Int {
    var total = 0
    for piece in pieces {
      let wanted = min(Int(clamping: piece.byteCount), byteCount - total)
      let count = reachable(process, piece.address, wanted, write: write)
      total += count
      if count < wanted { break }
    }
    return total
  }

  /// Stores bytes in pieces of memory.
  func store(_ process: ModelProcess, _ bytes: [UInt8], in pieces: [ModelPiece]) {
    var rest = bytes[...]
    for piece in pieces {
      let part = rest.prefix(Int(clamping: piece.byteCount))
      process.store(Array(part), at: piece.address)
      rest = rest.dropFirst(part.count)
    }
  }

  /// Loads so many bytes of pieces of memory.
  func load(_ process: ModelProcess, _ pieces: [ModelPiece], _ byteCount: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    for piece in pieces where bytes.count < byteCount {
      bytes += process.load(piece.address, min(Int(clamping: piece.byteCount), byteCount - bytes.count))
    }
    return bytes
  }

  /// Where the last piece that ends inside the range ends: pieces end at pages of the object, and with those of memory.
  private func wholePieces(_ start: Int64, _ byteCount: Int, _ pieces: [ModelPiece]) -> Int {
    var position = 0
    for piece in pieces {
      var left = Int(clamping: piece.byteCount)
      while left > 0 {
        let step = min(left, 4096 - (Int(start) + position) % 4096)
        if position + step > byteCount { return position }
        position += step
        left -= step
      }
    }
    return position
  }

  func read(
    _ process: ModelProcess, _ descriptor: Int32, _ pieces: [ModelPiece], _ byteCount: Int, _ offset: Int64?
  ) throws(Difference) -> Expectation {
    let found = process.file(descriptor)
    if let result = transferResult(found, \.isReadable, byteCount, offset, writes: false) { return result }
    guard let file = found else { return .error(.ebadf) }
    if file.isConsole { return try readConsole(process, file, pieces, byteCount) }
    if let end = file.pipe { return try readPipe(process, file, end, pieces, byteCount) }
    let start = offset ?? file.offset
    let bytes: [UInt8]
    switch file.kind {
    case .sharedMemory(let object, _):
      let count = Int(max(0, min(Int64(byteCount), object.size - start)))
      bytes = count > 0 ? object.bytes(from: Int(start), count: count) : []
    case .program(let content): bytes = Array(content.dropFirst(Int(clamping: start)).prefix(byteCount))
    case .zero, .full: bytes = [UInt8](repeating: 0, count: byteCount)
    case .random: return try readRandom(process, file, pieces, byteCount, offset)
    case .null, .console, .pipe, .socket: bytes = []
    }
    let count = reachable(process, pieces, bytes.count, write: true)
    store(process, Array(bytes.prefix(count)), in: pieces)
    if count < bytes.count {
      if offset == nil {
        // The pieces of devices end at pages of the caller.
        file.offset &+= Int64(file.isDevice ? count : wholePieces(start, count, pieces))
      }
      return .error(.efault)
    }
    if offset == nil { file.offset += Int64(count) }
    // Memory alone reads nothing back: what was read is compared where it went.
    if count > 0 && facts.isWhole { try compare(pieces, bytes) }
    return .value(UInt64(count))
  }

  /// Compares what was read with what is where it went.
  func compare(_ pieces: [ModelPiece], _ wanted: [UInt8]) throws(Difference) {
    var got: [UInt8] = []
    for output in outputs where output.pointer == .output { got += output.bytes }
    if got.count < wanted.count { throw Difference("the call left nothing behind") }
    try compare(got, wanted)
  }

  private func compare(_ got: [UInt8], _ wanted: [UInt8]) throws(Difference) {
    if let at = wanted.indices.first(where: { got[$0] != wanted[$0] }) {
      throw Difference("byte \(at) read is \(got[at]), expected \(wanted[at])")
    }
  }

  /// /dev/random: nobody knows what comes, so what came is taken over.
  private func readRandom(
    _ process: ModelProcess, _ file: ModelFile, _ pieces: [ModelPiece], _ byteCount: Int, _ offset: Int64?
  ) throws(Difference) -> Expectation {
    let count = reachable(process, pieces, byteCount, write: true)
    if offset == nil { file.offset &+= Int64(count) }
    if count < byteCount { return .error(.efault) }
    // What was read back is stored by the driver.
    return .value(UInt64(count))
  }

  private func readConsole(
    _ process: ModelProcess, _ file: ModelFile, _ pieces: [ModelPiece], _ byteCount: Int
  ) throws(Difference) -> Expectation {
    if consoleInput.isEmpty { return file.statusFlags & 4 != 0 ? .error(.eagain) : .blocked }
    let wanted = min(byteCount, consoleInput.count)
    // What cannot be delivered stays.
    var count = reachable(process, pieces, wanted, write: true)
    if count == 0 { return .error(.efault) }
    // A terminal may give less than there is; it does so where the next page of the caller is not at hand.
    let given = outputs.reduce(0) { $0 + $1.bytes.count }
    let isAtEdge = pieces.count > 1 || (pieces.first.map { ($0.address + UInt64(given)) % 4096 == 0 } ?? false)
    if given > 0 && given < count && isAtEdge { count = given }
    let bytes = Array(consoleInput.prefix(count))
    store(process, bytes, in: pieces)
    try compare(pieces, bytes)
    consoleInput.removeFirst(count)
    return .value(UInt64(count))
  }

  func write(
    _ process: ModelProcess, _ descriptor: Int32, _ pieces: [ModelPiece], _ byteCount: Int, _ offset: Int64?
  ) throws(Difference) -> Expectation {
    let found = process.file(descriptor)
    if let result = transferResult(found, \.isWritable, byteCount, offset, writes: true) { return result }
    guard let file = found else { return .error(.ebadf) }
    if let end = file.pipe { return writePipe(process, file, end, pieces, byteCount) }
    guard let object = file.object else { return try writeDevice(process, file, pieces, byteCount, offset) }
    let start = offset ?? file.offset
    let (end, passes) = start.addingReportingOverflow(Int64(byteCount))
    if passes && object.creationFlags & 2 != 0 { return .error(.efbig) }
    if object.seals & 8 != 0 { return .error(.eperm) }
    if object.creationFlags & 2 != 0 && end > object.size {
      if object.seals & 4 != 0 { return .error(.eperm) }
      if isGrowthRefused(object, to: end, by: process) { return .error(.enomem) }
      object.resize(to: end, at: now)
    }
    let wanted = Int(max(0, min(Int64(byteCount), object.size - start)))
    let count = reachable(process, pieces, wanted, write: false)
    if count > 0 { object.setBytes(load(process, pieces, count), at: Int(start)) }
    if count < wanted {
      // The page may have been made before the buffer turned out to be bad.
      let page = Int(start + Int64(count)) / 4096
      if object.pages[page] == nil { object.perhapsAllocated.insert(page) }
      if offset == nil { file.offset += Int64(wholePieces(start, count, pieces)) }
      return .error(.efault)
    }
    if offset == nil { file.offset += Int64(count) }
    return .value(UInt64(count))
  }

  /// /dev/null and /dev/zero take everything without looking, /dev/full nothing; the console shows line feeds as two bytes.
  private func writeDevice(
    _ process: ModelProcess, _ file: ModelFile, _ pieces: [ModelPiece], _ byteCount: Int, _ offset: Int64?
  ) throws(Difference) -> Expectation {
    if case .full = file.kind { return .error(.enospc) }
    if case .random = file.kind {
      let count = reachable(process, pieces, byteCount, write: false)
      _ = load(process, pieces, count)
      if offset == nil { file.offset &+= Int64(count) }
      return count < byteCount ? .error(.efault) : .value(UInt64(count))
    }
    guard file.isConsole, byteCount > 0 else { return .value(UInt64(byteCount)) }
    let count = reachable(process, pieces, byteCount, write: false)
    if count == 0 { return .error(.efault) }
    let accepted: Int
    switch observed {
    case .error(Errno.eagain.rawValue) where mayRefuse(file): return .error(.eagain)
    case .value(let value) where mayRefuse(file) && value > 0: accepted = min(count, Int(clamping: value))
    default: accepted = count
    }
    consoleWritten += load(process, pieces, accepted).flatMap { $0 == 10 ? [13, 10] : [$0] }
    return .value(UInt64(accepted))
  }

  /// Whether a write that must not wait finds too little room.
  private func mayRefuse(_ file: ModelFile) -> Bool { facts.consoleIsSlow && file.statusFlags & 4 != 0 }

  /// Checks that what came out of the console is what was written, in order, and all of it unless whoever reads is slow.
  /// Returns what came out besides.
  func checkConsole() throws(Difference) -> [UInt8] {
    let shown = consoleOutput
    consoleOutput = []
    let count = min(shown.count, consoleWritten.count)
    if !consoleWritten.starts(with: shown.prefix(count)) || count < consoleWritten.count && !facts.consoleIsSlow {
      throw Difference("the console shows \(shown), expected \(consoleWritten)")
    }
    consoleWritten.removeFirst(count)
    return Array(shown.dropFirst(count))
  }
}
