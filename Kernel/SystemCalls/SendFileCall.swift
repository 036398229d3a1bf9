// sendfile(2) (spec sockets.md section 9.1).

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareSendFileCall() {
    declare(
      .sendfile, "sendfile", [.descriptor, .descriptor, .long, .size, .pointer, .pointer], .waits(HeapCost.sendFile)
    ) { call throws(Errno) in try call.sendFile() }
  }
}

extension SystemCall {
  /// Throws, in this order: EFAULT for the seventh argument; EINVAL for the offset; what is wrong with headers and trailers; EBADF,
  /// EINVAL for the file; EBADF, ENOTSOCK, EINVAL for the socket; what sending throws. From the descriptors on the count of bytes
  /// that were sent is stored, whatever the result.
  fileprivate func sendFile() throws(Errno) -> Answer {
    guard let flags = try seventhArgument() else { return .restart }
    guard arguments.third.long >= 0 else { throw .einval }
    var vectors: (TransferVector?, TransferVector?) = (nil, nil)
    if !arguments.fifth.isNull {
      guard let fetched = try fetchEnds() else { return .restart }
      vectors = fetched
    }
    let sending: FileSending
    do throws(Errno) {
      sending = try makeSending(vectors.0, vectors.1, SendFileFlags(rawValue: UInt32(truncatingIfNeeded: flags)))
    } catch {
      return try refuse(error)
    }
    return try goOnSending(sending)
  }

  /// The seventh argument lies on the stack, above the slot of a return address, and above the sixth when that is there, too; nil
  /// when the call has to be answered with `restart`.
  private func seventhArgument() throws(Errno) -> UInt64? {
    try fetchLong(VirtualAddress(thread.context.rsp &+ (thread.context.isIndirectCall ? 16 : 8)))
  }

  /// Headers and trailers (struct sf_hdtr); nil when the call has to be answered with `restart`.
  ///
  /// Throws EFAULT, EINVAL.
  private func fetchEnds() throws(Errno) -> (TransferVector?, TransferVector?)? {
    guard try fetch(arguments.fifth.range(FileEndsLayout.byteCount)) else { return nil }
    var vectors: (TransferVector?, TransferVector?) = (nil, nil)
    let (headers, headerCount) = (stagedLong(at: 0), stagedWord(at: FileEndsLayout.headerCount))
    let (trailers, trailerCount) = (
      stagedLong(at: FileEndsLayout.trailers), stagedWord(at: FileEndsLayout.trailerCount)
    )
    if headers != 0 {
      vectors.0 = try fetchVector(headers, headerCount)
      if vectors.0 == nil { return nil }
    }
    if trailers != 0 {
      vectors.1 = try fetchVector(trailers, trailerCount)
      if vectors.1 == nil { return nil }
    }
    return vectors
  }

  private func fetchVector(_ address: UInt64, _ count: UInt32) throws(Errno) -> TransferVector? {
    let account = process.credentials.account
    guard
      let vector = try TransferVector.make(kernel.memory, count: count, at: VirtualAddress(address), for: account)
    else {
      thread.wanted = .frames
      return nil
    }
    guard try isDone(vector.fill(space)) else { return nil }
    // A sum that is no length is found before the descriptors.
    _ = try Transfer(vector, at: nil)
    vector.rewind()
    return vector
  }

  private func makeSending(
    _ headers: TransferVector?, _ trailers: TransferVector?, _ flags: SendFileFlags
  ) throws(Errno) -> FileSending {
    let source = try file(arguments.first.descriptor, needing: .positionedRead)
    guard source.flags.contains(.read) else { throw .ebadf }
    guard FileSending.canSend(source) else { throw .einval }
    let target = try socketFile(arguments.second, needing: .write)
    guard target.isStream else { throw .einval }
    return try FileSending(
      from: source, at: UInt64(arguments.third.long), byteCount: arguments.fourth.raw, to: target, headers, trailers,
      flags)
  }

  /// Nothing was sent.
  private func refuse(_ error: Errno) throws(Errno) -> Answer {
    guard let answer = try conclude(sentByteCount: 0, error) else { return .restart }
    return answer
  }

  /// Goes on with a sendfile(2).
  func goOnSending(_ sending: FileSending) throws(Errno) -> Answer {
    if !sending.isOver {
      let progress = sending.step(space)
      if progress != .complete { return unfinished(progress, .file(.sendFile(sending))) }
      if sending.end == .epipe && sending.wasAtTrailers { _ = withSignal(.epipe, isSilent: sending.target.isSilent) }
    }
    guard let answer = try conclude(sentByteCount: sending.sentByteCount, sending.end) else {
      return wait(on: thread.wanted, then: .file(.sendFile(sending)))
    }
    return answer
  }

  /// A signal has ended it.
  func concludeInterruptedSending(_ sending: FileSending) throws(Errno) -> Answer {
    if !sending.isOver { sending.interrupt() }
    return try goOnSending(sending)
  }

  /// Stores how many bytes were sent, if the caller wants to know and it can be stored; nil when that has to be waited for.
  private func conclude(sentByteCount: UInt64, _ error: Errno?) throws(Errno) -> Answer? {
    let place = arguments.sixth
    if !place.isNull {
      switch space.makeWritable(at: place.address, byteCount: 8) {
      case .wait(let awaited):
        thread.wanted = awaited
        return nil
      case .complete:
        stage(sentByteCount)
        _ = try put(place.range(8))
      case .fault, .tooLong: break
      }
    }
    if let error { throw error }
    return .value(0)
  }
}

/// `struct sf_hdtr`
private enum FileEndsLayout {
  static let byteCount = 32
  static let headerCount = 8
  static let trailers = 16
  static let trailerCount = 24
}
