// The files of /bin: modules that the boot loader placed in memory, read-only.

public import ABI
public import Memory

/// Content and name of a file of /bin; exists from boot on.
public final class BootFileContent {
  /// The last component of the path.
  let name: [UInt8]
  /// Where the content starts, page aligned.
  public let start: PhysicalAddress
  /// The length in bytes.
  public let byteCount: UInt64
  let inode: UInt64

  init(name: [UInt8], start: PhysicalAddress, byteCount: UInt64, inode: UInt64) {
    self.name = name
    self.start = start
    self.byteCount = byteCount
    self.inode = inode
  }

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

  init(_ fileSystem: FileSystem, _ content: BootFileContent, _ flags: FileFlags) {
    self.content = content
    super.init(BackReference(fileSystem), flags, isSeekable: true)
  }

  override func performRead(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    if !transfer.isStarted {
      if let channel = settleOffset(of: &transfer) { return .wait(channel) }
      let start = UInt64(transfer.offset)
      transfer.remaining = min(transfer.remaining, start < content.byteCount ? content.byteCount - start : 0)
      transfer.isStarted = true
    }
    var pageBudget = FileLimits.pagesPerTransferStep
    while transfer.remaining > 0 {
      if pageBudget == 0 { return park(&transfer, .again) }
      pageBudget -= 1
      let start = UInt64(transfer.offset)
      let byteCount = min(transfer.remaining, Page.byteCount - start & Page.offsetMask)
      let outcome = space.copyOut(
        from: content.start + start, byteCount: Int(byteCount), to: transfer.address, progress: &transfer.pieceProgress)
      switch outcome {
      case .complete: transfer.advance(byteCount)
      case .wait(let channel): return park(&transfer, .wait(channel))
      default:
        finish(&transfer)
        throw .efault
      }
    }
    finish(&transfer)
    return .complete
  }

  /// lseek(2): anywhere but before the start.
  override func performSeek(_ offset: Int64, _ origin: SeekOrigin) throws(Errno) -> Int64 {
    let base: Int64
    switch origin {
    case .start: base = 0
    case .current: base = self.offset
    case .end: base = Int64(content.byteCount)
    default: throw .einval
    }
    let (target, overflow) = base.addingReportingOverflow(offset)
    if overflow { throw .eoverflow }
    guard target >= 0 else { throw .einval }
    return target
  }

  override func performControl(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) {
    guard request == .nonBlocking || request == .asynchronous else { throw .enotty }
  }

  /// fstat(2).
  public override func status() throws(Errno) -> Stat {
    var stat = Stat()
    stat.device = FileLimits.programDirectoryDevice
    stat.inode = content.inode
    stat.linkCount = 1
    stat.mode = FileMode(rawValue: 0o555).union(.regularFile)
    let start = Timespec(nanoseconds: fileSystem.memory.processor.realTimeOffsetNanoseconds)
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
