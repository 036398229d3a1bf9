// /dev/null, /dev/zero and /dev/full (null(4), zero(4), full(4)).

public import ABI
import Memory
import Primitives

/// /dev/null: empty, and takes everything.
public class NullFile: DeviceFile {
  convenience init(_ fileServices: FileServices, _ flags: FileFlags) { self.init(fileServices, .null, flags) }

  init(_ fileServices: FileServices, _ device: Device, _ flags: FileFlags) {
    super.init(fileServices, device, flags, isSeekable: true)
  }

  override func performRead(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress { .complete }

  /// Takes everything without looking at it.
  override func performWrite(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    transfer.moved = transfer.remaining
    transfer.remaining = 0
    return .complete
  }

  /// There is never anything to be told of, so O_ASYNC cannot be set.
  final override func performDeviceControl(
    _ request: InputOutputControl, _ data: inout [64 of UInt8]
  ) throws(Errno) {
    switch request {
    case .nonBlocking: break
    case .asynchronous: guard data.span.loadUInt32(at: 0) == 0 else { throw .einval }
    default: throw .enotty
    }
  }
}

/// /dev/zero: zeros without end; a mapping of it is fresh memory, even a shared one.
public class ZeroFile: NullFile {
  final override func performRead(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    if let wait = start(&transfer) { return .wait(wait) }
    return try movePieces(of: &transfer, pieceBudget: fileServices.pagesPerTransferStep) { transfer in
      let byteCount = transfer.bytesLeftInUserPage
      let outcome = space.zeroOut(
        to: transfer.address, byteCount: Int(byteCount), progress: &transfer.pieceProgress)
      return (outcome, byteCount)
    }
  }

  /// Throws EACCES for a protection that the descriptor does not allow.
  public override func mapping(_ query: MappingQuery) throws(Errno) -> FileMapping {
    try checkMapping(query)
    // The address space makes an object where one is shared, and charges it to whom it belongs.
    return FileMapping(
      object: nil, pageOffset: 0, maximumProtection: query.maximumProtection, countsAsWritable: false)
  }
}

/// /dev/full: reads like /dev/zero, and has no room for anything.
public final class FullFile: ZeroFile {
  /// Throws ENOSPC, also for nothing.
  override func performWrite(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    throw .enospc
  }

  /// Throws EACCES for a protection that the descriptor does not allow, and EINVAL: this device cannot be mapped.
  public override func mapping(_ query: MappingQuery) throws(Errno) -> FileMapping {
    try checkMapping(query)
    throw .einval
  }
}
