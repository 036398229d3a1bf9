// The files of /bin: modules that the boot loader placed in memory, read-only.

public import ABI
public import Memory
import Primitives

/// Content and name of a file of /bin; exists from boot on.
public final class BootFileContent: FileContent {
  /// The last component of the path.
  let name: [UInt8]
  let inode: UInt64

  /// Everybody may read and execute all of them.
  static let mode = FileMode(rawValue: 0o555)

  init(name: [UInt8], start: PhysicalAddress, byteCount: UInt64, inode: UInt64) {
    self.name = name
    self.inode = inode
    super.init(start: start, byteCount: byteCount)
  }

  /// Puts the path with its NUL at the front of a buffer. Returns its length.
  public func stagePath(_ buffer: inout [1024 of UInt8]) -> Int {
    var count = 0
    for byte in BootFileContent.directory.utf8 {
      buffer[count] = byte
      count += 1
    }
    for byte in name where count < buffer.count - 1 {
      buffer[count] = byte
      count += 1
    }
    buffer[count] = 0
    return count + 1
  }

  /// Where the files lie.
  private static var directory: String { "/bin/" }

  /// Whether this is its name.
  public func isNamed(_ component: Span<UInt8>) -> Bool {
    guard component.count == name.count else { return false }
    for index in component.indices where component[index] != name[index] { return false }
    return true
  }
}

/// An open file of /bin.
public final class BootFile: OpenFile {
  /// What it shows.
  public let content: BootFileContent

  init(_ fileServices: FileServices, _ content: BootFileContent, _ flags: FileFlags) {
    self.content = content
    super.init(BackReference(fileServices), flags, isSeekable: true)
  }

  override func attach(_ filter: EventFilter) throws(Errno) {
    guard filter == .read || filter == .write else { throw .einval }
  }

  /// There is something to read everywhere but at the end; FreeBSD tells the distance from there, whatever its sign.
  override func readiness(_ filter: EventFilter, lowWater: Int64?) -> Readiness {
    guard filter == .read else { return Readiness(0, isReady: true) }
    let left = Int64(content.byteCount) &- offset
    var readiness = Readiness(left, isReady: left != 0)
    readiness.isRegular = true
    return readiness
  }

  override func performRead(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    if !transfer.isStarted {
      if let wait = start(&transfer) { return .wait(wait) }
      let start = UInt64(transfer.offset)
      transfer.remaining = min(transfer.remaining, start < content.byteCount ? content.byteCount - start : 0)
      transfer.hasBegun = true
    }
    return try movePieces(of: &transfer, pieceBudget: fileServices.pagesPerTransferStep) { transfer in
      let start = UInt64(transfer.offset)
      let byteCount = min(transfer.bytesLeftInSegment, Page.byteCount - start & Page.offsetMask)
      let outcome = space.copyOut(
        from: content.start + start, byteCount: Int(byteCount), to: transfer.address, progress: &transfer.pieceProgress)
      return (outcome, byteCount)
    }
  }

  /// mmap(2): what may be read may be mapped; nothing that is stored reaches the file.
  ///
  /// Throws EACCES for a mapping that could be read of a file that cannot be, and for a shared one that could be stored to;
  /// EINVAL for a range beyond OFF_MAX.
  public override func mapping(_ query: MappingQuery) throws(Errno) -> FileMapping {
    var maximum: Protection = [.execute]
    if flags.contains(.read) {
      maximum.insert(.read)
    } else if query.protection.contains(.read) {
      throw .eacces
    }
    switch query.sharing {
    case .private: maximum.insert(.write)
    case .shared: if query.protection.contains(.write) { throw .eacces }
    }
    maximum.formIntersection(query.maximumProtection)
    guard query.offset >= 0, query.byteCount <= UInt64(Int64.max), query.offset <= Int64.max - Int64(query.byteCount)
    else { throw .einval }
    return FileMapping(
      object: content.mappedObject(fileServices.memory), pageOffset: UInt64(query.offset) >> Page.shift,
      maximumProtection: maximum, countsAsWritable: false)
  }

  /// lseek(2): anywhere but before the start.
  override func performSeek(_ offset: Int64, _ origin: SeekOrigin) throws(Errno) -> Int64 {
    let base: Int64
    switch origin {
    case .start: base = 0
    case .current: base = self.offset
    case .end: base = Int64(content.byteCount)
    case .data: return try dataOffset(from: offset)
    case .hole: return try holeOffset(from: offset)
    default: throw .einval
    }
    let (target, overflow) = base.addingReportingOverflow(offset)
    if overflow { throw .eoverflow }
    guard target >= 0 else { throw .einval }
    return target
  }

  /// All of the file is data.
  ///
  /// Throws ENXIO for what is not inside it.
  private func dataOffset(from offset: Int64) throws(Errno) -> Int64 {
    guard offset >= 0, offset < Int64(content.byteCount) else { throw .enxio }
    return offset
  }

  /// The only hole is behind the end.
  ///
  /// Throws ENXIO for what is not inside the file.
  private func holeOffset(from offset: Int64) throws(Errno) -> Int64 {
    _ = try dataOffset(from: offset)
    return Int64(content.byteCount)
  }

  /// FIONREAD says how much is left behind the offset, FIOSEEKDATA and FIOSEEKHOLE what lseek(2) would.
  override func performControl(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) {
    let offset = Int64(bitPattern: data.span.loadUInt64(at: 0))
    var span = data.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    switch request {
    case .nonBlocking, .asynchronous: break
    case .bytesToRead:
      bytes.store(UInt32(truncatingIfNeeded: Int64(content.byteCount) &- self.offset), at: 0)
    case .seekData: bytes.store(try dataOffset(from: offset), at: 0)
    case .seekHole: bytes.store(try holeOffset(from: offset), at: 0)
    default: throw .enotty
    }
  }

  /// Throws EROFS, whoever asks.
  public override func changeMode(_ mode: FileMode, _ caller: Credentials) throws(Errno) { throw .erofs }

  /// Throws EROFS, whoever asks.
  public override func changeOwner(user: UInt32?, group: UInt32?, _ caller: Credentials) throws(Errno) { throw .erofs }

  /// A regular file.
  public override var kind: FileKind { .regular }

  public override var comparedObject: (type: UInt32, address: UInt) {
    (informationType.rawValue, UInt(content.inode) << 8)
  }

  override func describe(_ information: inout FileInformation, _ path: inout [1024 of UInt8]) -> Int {
    information.setNode(.regular, fileServices.status(of: content))
    return content.stagePath(&path) - 1
  }

  /// fstat(2).
  public override func status() throws(Errno) -> Stat { fileServices.status(of: content) }
}

extension FileServices {
  /// What fstat(2) says of a file of /bin.
  func status(of content: BootFileContent) -> Stat {
    var stat = Stat()
    stat.device = FileLimits.programDirectoryDevice
    stat.inode = content.inode
    stat.linkCount = 1
    stat.mode = BootFileContent.mode.union(.regularFile)
    let start = Timespec(nanoseconds: services.processor.realTimeOffsetNanoseconds)
    stat.accessTime = start
    stat.modificationTime = start
    stat.changeTime = start
    stat.birthTime = start
    stat.size = Int64(content.byteCount)
    // In units of 512 bytes, as for any file that is not shared memory.
    stat.blockCount = Int64(Page.count(covering: content.byteCount)) * 8
    stat.preferredBlockByteCount = UInt32(Page.byteCount)
    return stat
  }
}
