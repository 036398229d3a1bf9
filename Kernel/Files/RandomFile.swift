// /dev/random and /dev/urandom: random numbers without end (random(4)).

import ABI
import Memory
import Primitives

/// An open /dev/random.
public final class RandomFile: DeviceFile {
  init(_ fileServices: FileServices, _ flags: FileFlags) { super.init(fileServices, .random, flags, isSeekable: true) }

  override func performRead(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    try move(&transfer) { address, byteCount in
      var piece = [64 of UInt64](repeating: 0)
      let services = fileServices.services
      for index in 0..<(byteCount + 7) / 8 { piece[index] = services.randomWord() }
      var progress = 0
      return space.copyOut(
        RawSpan(_elements: piece.span).extracting(0..<byteCount), to: address, progress: &progress)
    }
  }

  /// Stirs what it is given into what the numbers are made from.
  override func performWrite(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    try move(&transfer) { address, byteCount in
      var piece = [64 of UInt64](repeating: 0)
      let outcome = RandomFile.copyIn(address, byteCount, &piece, space)
      guard case .complete = outcome else { return outcome }
      let services = fileServices.services
      for index in stride(from: 0, to: (byteCount + 7) / 8, by: 4) {
        services.stirRandom([piece[index], piece[index + 1], piece[index + 2], piece[index + 3]])
      }
      return outcome
    }
  }

  private static func copyIn(
    _ address: VirtualAddress, _ byteCount: Int, _ piece: inout [64 of UInt64], _ space: AddressSpace
  ) -> UserCopyOutcome {
    var progress = 0
    var span = piece.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    var part = bytes._mutatingExtracting(0..<byteCount)
    return space.copyIn(from: address, into: &part, progress: &progress)
  }

  /// Moves pieces, each inside one page of the program's memory and whole or not at all.
  private func move(
    _ transfer: inout Transfer, _ movePiece: (VirtualAddress, Int) -> UserCopyOutcome
  ) throws(Errno) -> Progress {
    if let wait = start(&transfer) { return .wait(wait) }
    return try movePieces(of: &transfer, pieceBudget: FileLimits.randomPiecesPerStep) { transfer in
      let byteCount = min(transfer.bytesLeftInUserPage, FileLimits.randomPieceByteCount)
      return (movePiece(transfer.address, Int(byteCount)), byteCount)
    }
  }

  /// O_NONBLOCK and O_ASYNC mean nothing here, but can be set.
  override func performDeviceControl(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) {
    guard request == .nonBlocking || request == .asynchronous else { throw .enotty }
  }
}
