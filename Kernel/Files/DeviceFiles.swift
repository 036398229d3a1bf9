// /dev/null and /dev/zero.

public import ABI
import Memory

/// What fstat(2) says about a device.
struct DeviceIdentity {
  let inode: UInt64
  let device: UInt64

  func status(_ fileSystem: FileSystem) -> Stat {
    var stat = Stat()
    stat.device = FileLimits.deviceDirectoryDevice
    stat.inode = inode
    stat.linkCount = 1
    stat.mode = FileMode(rawValue: 0o666).union(.characterDevice)
    stat.representedDevice = device
    let start = Timespec(nanoseconds: fileSystem.memory.processor.realTimeOffsetNanoseconds)
    stat.accessTime = start
    stat.modificationTime = start
    stat.changeTime = start
    stat.birthTime = start
    stat.preferredBlockByteCount = UInt32(Page.byteCount)
    return stat
  }
}

/// /dev/null: empty, and takes everything.
public class NullFile: OpenFile {
  init(_ fileSystem: FileSystem, _ flags: FileFlags) {
    super.init(BackReference(fileSystem), flags, isSeekable: true)
  }

  override func performRead(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress { .complete }

  /// Takes everything without looking at it.
  final override func performWrite(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    transfer.moved = transfer.remaining
    transfer.remaining = 0
    return .complete
  }

  final override func performSeek(_ offset: Int64, _ origin: SeekOrigin) throws(Errno) -> Int64 {
    let (target, overflow) = (origin == .current ? self.offset : 0).addingReportingOverflow(offset)
    if overflow { throw .eoverflow }
    guard target >= 0, origin == .start || origin == .current || origin == .end else { throw .einval }
    return target
  }

  final override func performControl(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) {
    guard request == .nonBlocking || request == .asynchronous else { throw .enotty }
  }

  /// fstat(2).
  public override func status() throws(Errno) -> Stat { DeviceIdentity(inode: 2, device: 0x301).status(fileSystem) }

  /// Throws EINVAL: this device cannot be mapped.
  public override func mapping(_ query: MappingQuery) throws(Errno) -> FileMapping { throw .einval }
}

/// /dev/zero: zeros without end; a mapping of it is fresh memory, even a shared one.
public final class ZeroFile: NullFile {
  override func performRead(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    if !transfer.isStarted {
      if let channel = settleOffset(of: &transfer) { return .wait(channel) }
      transfer.isStarted = true
    }
    var pageBudget = fileSystem.pagesPerTransferStep
    while transfer.remaining > 0 {
      if pageBudget == 0 { return park(&transfer, .again) }
      pageBudget -= 1
      let byteCount = transfer.bytesLeftInUserPage
      switch space.zeroOut(to: transfer.address, byteCount: Int(byteCount), progress: &transfer.pieceProgress) {
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

  /// fstat(2).
  public override func status() throws(Errno) -> Stat { DeviceIdentity(inode: 3, device: 0x302).status(fileSystem) }

  /// Throws EACCES for a protection that the descriptor does not allow.
  public override func mapping(_ query: MappingQuery) throws(Errno) -> FileMapping {
    if query.protection.contains(.read) && !flags.contains(.read) { throw .eacces }
    if query.sharing == .shared && query.protection.contains(.write) && !flags.contains(.write) { throw .eacces }
    // The address space makes an object where one is shared, and charges it to whom it belongs.
    return FileMapping(
      object: nil, pageOffset: 0, maximumProtection: query.maximumProtection, countsAsWritable: false)
  }
}
